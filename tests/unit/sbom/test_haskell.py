"""Haskell packages."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from compliance.model.inventory import Cataloged
from compliance.sbom.catalogers.haskell import CATALOGER
from tests.builders.evidence import Node, tree


def catalog(nodes: dict[str, Node | bytes | str]) -> Cataloged:
    return CATALOGER.catalog(tree(nodes, requests=CATALOGER.requests), None)


def test_stack_lock_states_completed_packages_of_hackage() -> None:
    lock = (
        "packages:\n- completed:\n    hackage: a-b-1.2.3@sha256:00,1\n    pantry-tree:\n      size: 1\n"
        "  original:\n    hackage: a-b-1.2@sha256:00,1\n"
        "- completed:\n    name: kore\n    version: 0.60.0.0\n    git: https://example.org/kore\n    commit: c0ffee\n"
        "snapshots: []\n"
    )
    (package,) = catalog({"app/stack.yaml.lock": lock}).packages
    assert (package.purl, package.declared) == ("pkg:hackage/a-b@1.2.3", True)


def test_stack_states_extra_dependencies() -> None:
    stack = "resolver: lts-18.28\nextra-deps:\n  - A-1.0@sha256:00,1\n- b-2.0\n- git: https://example.org\nflags: {}\n"
    assert [package.purl for package in catalog({"stack.yaml": stack}).packages] == [
        "pkg:hackage/A@1.0",
        "pkg:hackage/b@2.0",
    ]


def test_cabal_freeze_states_versions_and_no_flags() -> None:
    freeze = "constraints: any.A ==1.0,\n   b ==2.0.1,\n   c +flag,\n   any.d >=1\nindex-state: x\n"
    assert [package.purl for package in catalog({"cabal.project.freeze": freeze}).packages] == [
        "pkg:hackage/A@1.0",
        "pkg:hackage/b@2.0.1",
    ]


@given(st.binary(max_size=200))
def test_any_bytes_are_catalogued(content: bytes) -> None:
    start = b"- completed:\n    hackage: "
    for package in catalog(
        {"stack.yaml.lock": start + content, "stack.yaml": start + content, "cabal.project.freeze": start + content}
    ).packages:
        package.purl.encode()
