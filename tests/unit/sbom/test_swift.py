"""Swift packages."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.model.inventory import Cataloged
from compliance.sbom.catalogers.swift import CATALOGER
from tests.builders.evidence import Node, tree


def catalog(nodes: dict[str, Node | bytes | str]) -> Cataloged:
    return CATALOGER.catalog(tree(nodes, requests=CATALOGER.requests), None)


@pytest.mark.parametrize(
    ("location", "purl"),
    [
        ("https://example.org/a/b.git", "pkg:swift/example.org/a/b@1.0.0"),
        ("git@example.org:a/b.git", "pkg:swift/example.org/a/b@1.0.0"),
        ("ssh://git@example.org/a/c/b", "pkg:swift/example.org/a/c/b@1.0.0"),
    ],
)
def test_pin_is_known_by_its_place(location: str, purl: str) -> None:
    pin = {"identity": "b", "location": location, "state": {"version": "1.0.0", "revision": "c0ffee"}}
    (package,) = catalog({"app/Package.resolved": json.dumps({"pins": [pin], "version": 2})}).packages
    assert (package.purl, package.name, package.declared) == (purl, "b", True)


def test_pin_of_a_branch_is_known_by_its_commit() -> None:
    pin = {
        "package": "B",
        "repositoryURL": "https://example.org/a/b",
        "state": {"branch": "main", "revision": "c0ffee"},
    }
    content = json.dumps({"object": {"pins": [pin, {"package": "local"}]}, "version": 1})
    assert [package.purl for package in catalog({"Package.resolved": content}).packages] == [
        "pkg:swift/example.org/a/b@c0ffee"
    ]


def test_damaged_file_is_an_unknown() -> None:
    assert [unknown.path for unknown in catalog({"Package.resolved": "{"}).unknowns] == ["Package.resolved"]


@given(st.binary(max_size=200))
def test_any_bytes_are_catalogued(content: bytes) -> None:
    start = b'{"pins": '
    for package in catalog({"Package.resolved": start + content}).packages:
        package.purl.encode()
