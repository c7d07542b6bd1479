"""Rust crates of executables and lock files."""

from __future__ import annotations

import json
import zlib

import pytest

from compliance.model.filesystem import ElfFacts, FileFacts, FileTree
from compliance.model.inventory import Cataloged, Package
from compliance.sbom.catalogers.rust import CATALOGER
from tests.builders.evidence import Node, program, telling, tree

CRATES = [
    {"name": "app", "version": "0.1.0", "source": "local", "root": True, "dependencies": [1, 2, 9]},
    {"name": "serde", "version": "1.0.2", "source": "crates.io"},
    {"name": "cc", "version": "1.1.0", "source": "crates.io", "kind": "build"},
]
AUDIT = zlib.compress(json.dumps({"packages": CRATES}).encode())
LOCK = f"""version = 4
[[package]]
name = "serde"
version = "1.0.2"
source = "registry+https://index.example/"
checksum = "{"a" * 64}"
dependencies = ["itoa 1.0.1 (registry+https://index.example/)", "ryu"]
[[package]]
name = "nameless-version"
"""


def audited(audit: bytes, nodes: dict[str, Node | bytes | str] | None = None) -> FileTree:
    made = tree({"usr/bin/app": program("x"), **(nodes or {})}, requests=CATALOGER.requests)
    elf = ElfFacts(file_type="executable", machine=62, bits=64, runnable=True, rust_audit=audit)
    entries = {
        path: telling(entry, FileFacts(elf=elf)) if "bin/" in path else entry for path, entry in made.entries.items()
    }
    return FileTree(entries, captured={"cargo-lock": made.captured("cargo-lock")})


def lock(path: str = "src/Cargo.lock", content: str = LOCK) -> Cataloged:
    return CATALOGER.catalog(tree({path: content}, requests=CATALOGER.requests), None)


def by_purl(found: Cataloged) -> dict[str, Package]:
    return {package.purl: package for package in found.packages}


def test_crates_of_an_executable_without_those_only_its_build_ran() -> None:
    found = by_purl(CATALOGER.catalog(audited(AUDIT), None))
    assert set(found) == {"pkg:cargo/app@0.1.0", "pkg:cargo/serde@1.0.2"}
    app = found["pkg:cargo/app@0.1.0"]
    assert app.depends == ("serde@1.0.2", "cc@1.1.0")
    assert [algorithm for algorithm, _ in app.digests] == ["SHA-256"]
    assert not app.declared


def test_hard_links_are_one_executable_of_many_names() -> None:
    found = CATALOGER.catalog(audited(AUDIT, {"usr/bin/other": Node(same_as="usr/bin/app")}), None).packages
    assert len(found) == 2
    assert [location.path for location in found[0].locations] == ["usr/bin/app", "usr/bin/other"]


@pytest.mark.parametrize(
    "audit",
    [b"", b"no zlib", AUDIT[:-9], zlib.compress(b"[]"), zlib.compress(b"[" * 100_000), zlib.compress(b" " * 9 * 2**20)],
    ids=["empty", "noise", "cut", "a list", "deep", "bomb"],
)
def test_damaged_audit_section_is_an_unknown(audit: bytes) -> None:
    found = CATALOGER.catalog(audited(audit), None)
    assert (found.packages, [unknown.path for unknown in found.unknowns]) == ((), ["usr/bin/app"])


def test_lock_file_declares_its_crates() -> None:
    (serde,) = lock().packages
    assert serde.declared
    assert serde.digests == (("SHA-256", "a" * 64),)
    assert serde.depends == ("itoa@1.0.1", "ryu")


def test_lock_file_of_what_is_compiled_in_adds_nothing() -> None:
    found = CATALOGER.catalog(audited(AUDIT, {"src/Cargo.lock": LOCK}), None)
    assert [package.declared for package in found.packages] == [False, False]


def test_lock_files_of_crates_that_were_fetched_are_their_authors_own() -> None:
    assert lock("root/.cargo/registry/src/x/serde-1.0.2/Cargo.lock").packages == ()
    assert lock("root/.cargo/git/checkouts/x/y/Cargo.lock").packages == ()


def test_lock_file_that_is_no_toml_is_an_unknown() -> None:
    assert [unknown.reason for unknown in lock(content="[[package").unknowns] == ["Cargo.lock is not TOML"]
