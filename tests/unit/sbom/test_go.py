"""Go modules in executables; real executables are in the conformance tests."""

from __future__ import annotations

from dataclasses import replace

from compliance.model.filesystem import ElfFacts, FileFacts, FileTree, GoBuildInfo
from compliance.model.inventory import Package
from compliance.sbom.catalogers.go import CATALOGER
from tests.builders.evidence import Node, program, tree

INFO = GoBuildInfo(
    go_version="go1.22.1",
    path="example.org/app/cmd",
    main=("example.org/app", "v1.2.3", "h1:x"),
    modules=(("github.com/BurntSushi/toml", "v1.0.0", "h1:y"),),
    settings={},
)


def with_facts(info: GoBuildInfo, nodes: dict[str, Node | bytes | str] | None = None) -> FileTree:
    made = tree(nodes or {"usr/bin/app": program("x")})
    facts = FileFacts(elf=ElfFacts(file_type="executable", machine=62, bits=64, runnable=True, go=info))
    entries = {path: entry._replace(facts=facts) if entry.sha256 else entry for path, entry in made.entries.items()}
    return FileTree(entries)


def packages(found: FileTree) -> dict[str, Package]:
    return {package.purl: package for package in CATALOGER.catalog(found, None).packages}


def test_main_module_dependencies_and_standard_library() -> None:
    found = packages(with_facts(INFO))
    assert set(found) == {
        "pkg:golang/example.org/app@v1.2.3",
        "pkg:golang/github.com/BurntSushi/toml@v1.0.0",
        "pkg:golang/stdlib@1.22.1",
    }
    main = found["pkg:golang/example.org/app@v1.2.3"]
    assert main.depends == ("github.com/BurntSushi/toml@v1.0.0", "stdlib@1.22.1")
    assert [algorithm for algorithm, _ in main.digests] == ["SHA-256"]


def test_work_tree_has_no_version_in_its_purl() -> None:
    found = packages(with_facts(replace(INFO, main=("example.org/app", "(devel)", ""))))
    assert found["pkg:golang/example.org/app"].version == "(devel)"


def test_one_file_of_many_names_is_told_once_with_all_names() -> None:
    nodes: dict[str, Node | bytes | str] = {"a": program("x"), "b": Node(same_as="a")}
    found = CATALOGER.catalog(with_facts(INFO, nodes), None).packages
    assert len(found) == 3
    assert [location.path for location in found[0].locations] == ["a", "b"]
