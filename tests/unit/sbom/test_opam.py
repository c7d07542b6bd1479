"""OCaml packages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.model.inventory import Cataloged
from compliance.sbom.catalogers.opam import CATALOGER
from tests.builders.evidence import Node, tree


def catalog(nodes: dict[str, Node | bytes | str]) -> Cataloged:
    return CATALOGER.catalog(tree(nodes, requests=CATALOGER.requests), None)


OPAM = """opam-version: "2.0"
maintainer: ["A <a@example.org>" "B"]
license: "MIT"
homepage: "https://example.org"
depends: [
  "ocaml" {>= "4.14" & post}
  ("dune" {= "3.0"} | "jbuilder")
]
build: ["make" "depends"]
"""


@pytest.mark.parametrize(
    ("path", "declared"),
    [("root/.opam/default/.opam-switch/packages/x.1.0.2/opam", False), ("src/x.1.0.2/opam", True)],
)
def test_package_of_a_switch_is_installed(path: str, declared: bool) -> None:
    (package,) = catalog({path: OPAM}).packages
    assert (package.purl, package.declared) == ("pkg:opam/x@1.0.2", declared)
    assert (package.supplier, package.homepage) == ("A <a@example.org>", "https://example.org")
    assert package.depends == ("ocaml", "dune", "jbuilder")
    assert package.licenses[0].expression == "MIT"


def test_name_and_version_of_the_file_count_first() -> None:
    assert catalog({"x.1/opam": 'name: "y"\nversion: "2"\n'}).packages[0].purl == "pkg:opam/y@2"
    assert catalog({"opam": OPAM}).packages == ()


@given(st.binary(max_size=200))
def test_any_bytes_are_catalogued(content: bytes) -> None:
    start = b"depends: ["
    for package in catalog({"a.1/opam": start + content}).packages:
        package.purl.encode()
