"""GitHub actions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from compliance.model.inventory import Cataloged
from compliance.sbom.catalogers.github_actions import CATALOGER
from tests.builders.evidence import Node, tree


def catalog(nodes: dict[str, Node | bytes | str]) -> Cataloged:
    return CATALOGER.catalog(tree(nodes, requests=CATALOGER.requests), None)


WORKFLOW = """jobs:
  one:
    uses: owner/repository/.github/workflows/w.yml@c0ffee
  two:
    steps:
      - uses: "Actions/checkout@v4"
      - uses: ./local
      - uses: docker://alpine:3
      - run: echo uses
"""


def test_actions_and_reusable_workflows() -> None:
    workflow, action = catalog({"src/.github/workflows/ci.yaml": WORKFLOW}).packages
    assert workflow.name == "owner/repository/.github/workflows/w.yml"
    assert workflow.purl == "pkg:github/owner/repository@c0ffee#.github/workflows/w.yml"
    assert (action.purl, action.declared) == ("pkg:github/actions/checkout@v4", True)


def test_workflow_of_an_installed_package_says_nothing() -> None:
    assert catalog({"app/node_modules/x/.github/workflows/ci.yml": WORKFLOW}).packages == ()


@given(st.binary(max_size=200))
def test_any_bytes_are_catalogued(content: bytes) -> None:
    start = b"- uses: "
    for package in catalog({".github/workflows/a.yml": start + content}).packages:
        package.purl.encode()
