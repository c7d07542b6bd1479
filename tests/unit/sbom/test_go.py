"""Go modules in executables; real executables are in the conformance tests."""

from __future__ import annotations

from dataclasses import replace

from compliance.model.filesystem import ElfFacts, FileFacts, FileTree, GoBuildInfo
from compliance.model.inventory import Package
from compliance.sbom.catalogers.go import CATALOGER
from tests.builders.evidence import Node, program, telling, tree

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
    entries = {path: telling(entry, facts) if entry.sha256 else entry for path, entry in made.entries.items()}
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


VENDOR = "# a.org/x v1.0.0\n## explicit\na.org/x/p\n# a.org/old v1.0.0 => a.org/new v2.0.0\na.org/old\n"
MOD = "module example.org/src\ngo 1.21\nrequire (\n  a.org/x v1.0.0\n  a.org/y v1.0.0\n  a.org/z v1.0.0\n)\n"


def sources(nodes: dict[str, Node | bytes | str]) -> dict[str, bool]:
    found = CATALOGER.catalog(tree(nodes, requests=CATALOGER.requests), None)
    return {package.purl: package.declared for package in found.packages}


def test_vendored_module_is_in_the_image_where_its_sources_are() -> None:
    assert sources({"src/vendor/modules.txt": VENDOR, "src/vendor/a.org/x/p/p.go": "package p"}) == {
        "pkg:golang/a.org/x@v1.0.0": False,
        "pkg:golang/a.org/new@v2.0.0": True,
    }


def test_go_mod_declares_where_nothing_was_built_or_vendored() -> None:
    assert sources({"src/go.mod": MOD}) == {
        "pkg:golang/a.org/x@v1.0.0": True,
        "pkg:golang/a.org/y@v1.0.0": True,
        "pkg:golang/a.org/z@v1.0.0": True,
    }
    assert set(sources({"src/go.mod": MOD, "src/vendor/modules.txt": VENDOR})) == {
        "pkg:golang/a.org/x@v1.0.0",
        "pkg:golang/a.org/new@v2.0.0",
    }
    assert sources({"go/pkg/mod/a.org/x@v1.0.0/go.mod": MOD}) == {}


def test_go_sum_adds_indirect_modules_only_before_go_mod_lists_them() -> None:
    sum_ = "a.org/i v1.0.0 h1:0=\na.org/i v1.2.0 h1:0=\na.org/i v1.3.0/go.mod h1:0=\n"
    assert "pkg:golang/a.org/i@v1.2.0" not in sources({"src/go.mod": MOD, "src/go.sum": sum_})
    old = sources({"src/go.mod": MOD.replace("1.21", "1.16"), "src/go.sum": sum_})
    assert [purl for purl in old if "/i@" in purl] == ["pkg:golang/a.org/i@v1.2.0"]


def test_executable_counts_before_the_go_mod_it_was_built_from() -> None:
    made = tree({"usr/bin/app": program("x"), "src/go.mod": MOD}, requests=CATALOGER.requests)
    info = replace(INFO, main=("example.org/src", "v1.0.0", ""))
    facts = FileFacts(elf=ElfFacts(file_type="executable", machine=62, bits=64, runnable=True, go=info))
    entries = {path: telling(entry, facts) if path == "usr/bin/app" else entry for path, entry in made.entries.items()}
    found = FileTree(entries, captured={"go-mod": made.captured("go-mod")})
    assert set(packages(found)) == {
        "pkg:golang/example.org/src@v1.0.0",
        "pkg:golang/github.com/BurntSushi/toml@v1.0.0",
        "pkg:golang/stdlib@1.22.1",
    }
