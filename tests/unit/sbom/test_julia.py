"""Julia packages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.model.inventory import Cataloged
from compliance.sbom.catalogers.julia import CATALOGER
from tests.builders.evidence import Node, tree


def catalog(nodes: dict[str, Node | bytes | str]) -> Cataloged:
    return CATALOGER.catalog(tree(nodes, requests=CATALOGER.requests), None)


@pytest.mark.parametrize("header", ["[[deps.Example]]", "[[Example]]"])
def test_manifest_of_both_formats(header: str) -> None:
    manifest = (
        f'manifest_format = "2.0"\n\n{header}\ndeps = ["Dates", "Printf"]\ngit-tree-sha1 = "0"\n'
        'uuid = "7876af07-990d-54b4-ab0e-23690620f79a"\nversion = "0.5.3"\n\n[[deps.Dates]]\nuuid = "u"\n'
    )
    (package,) = catalog({"app/Manifest.toml": manifest}).packages
    assert package.purl == "pkg:julia/Example@0.5.3?uuid=7876af07-990d-54b4-ab0e-23690620f79a"
    assert (package.depends, package.declared) == (("Dates", "Printf"), True)


def test_project_in_a_depot_is_installed() -> None:
    project = 'name = "Example"\nuuid = "u"\nversion = "0.5.3"\n\n[deps]\nDates = "x"\n'
    nodes: dict[str, Node | bytes | str] = {
        "root/.julia/packages/Example/aqsx3/Project.toml": project,
        "root/.julia/packages/Example/aqsx3/Manifest.toml": '[[deps.No]]\nversion = "1"\n',
    }
    (package,) = catalog(nodes).packages
    assert (package.purl, package.depends, package.declared) == ("pkg:julia/Example@0.5.3?uuid=u", ("Dates",), False)


@given(st.binary(max_size=200))
def test_any_bytes_are_catalogued(content: bytes) -> None:
    start = b"[[deps.A]]\nversion = "
    for package in catalog(
        {"Manifest.toml": start + content, "packages/A/abcde/Project.toml": start + content}
    ).packages:
        package.purl.encode()
