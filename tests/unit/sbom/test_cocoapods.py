"""CocoaPods."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from compliance.model.inventory import Cataloged
from compliance.sbom.catalogers.cocoapods import CATALOGER
from tests.builders.evidence import Node, tree


def catalog(nodes: dict[str, Node | bytes | str]) -> Cataloged:
    return CATALOGER.catalog(tree(nodes, requests=CATALOGER.requests), None)


def test_subspec_is_a_subpath_of_its_pod() -> None:
    lock = (
        'PODS:\n  - A (1.0):\n    - A/Core (= 1.0)\n    - B (~> 2)\n  - A/Core (1.0)\n  - "B+C (2.1)"\n\n'
        "DEPENDENCIES:\n  - A\n\nSPEC CHECKSUMS:\n  A: c0ffee\n"
    )
    whole, core, other = catalog({"app/Podfile.lock": lock}).packages
    assert (whole.purl, whole.depends, whole.declared) == ("pkg:cocoapods/A@1.0", ("A/Core", "B"), True)
    assert (core.name, core.purl) == ("A/Core", "pkg:cocoapods/A@1.0#Core")
    assert other.purl == "pkg:cocoapods/B%2BC@2.1"


@given(st.binary(max_size=200))
def test_any_bytes_are_catalogued(content: bytes) -> None:
    start = b"PODS:\n  - A (1.0):\n    - "
    for package in catalog({"Podfile.lock": start + content}).packages:
        package.purl.encode()
