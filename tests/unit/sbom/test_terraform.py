"""Terraform providers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from compliance.model.inventory import Cataloged
from compliance.sbom.catalogers.terraform import CATALOGER
from tests.builders.evidence import Node, tree


def catalog(nodes: dict[str, Node | bytes | str]) -> Cataloged:
    return CATALOGER.catalog(tree(nodes, requests=CATALOGER.requests), None)


def test_every_provider_with_its_selected_version() -> None:
    lock = (
        'provider "example.org/hashicorp/aws" {\n  version     = "5.72.1"\n  constraints = ">= 5.72.0"\n}\n\n'
        'provider "example.org/a/none" {\n  constraints = "1"\n}\n'
    )
    (package,) = catalog({"app/.terraform.lock.hcl": lock}).packages
    assert (package.name, package.declared) == ("example.org/hashicorp/aws", True)
    assert package.purl == "pkg:terraform/example.org/hashicorp/aws@5.72.1"


@given(st.binary(max_size=200))
def test_any_bytes_are_catalogued(content: bytes) -> None:
    start = b'provider "a/b" {\n version = '
    for package in catalog({".terraform.lock.hcl": start + content}).packages:
        package.purl.encode()
