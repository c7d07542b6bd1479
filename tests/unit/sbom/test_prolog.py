"""SWI-Prolog packs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from compliance.model.inventory import Cataloged
from compliance.sbom.catalogers.prolog import CATALOGER
from tests.builders.evidence import Node, tree


def catalog(nodes: dict[str, Node | bytes | str]) -> Cataloged:
    return CATALOGER.catalog(tree(nodes, requests=CATALOGER.requests), None)


def test_pack() -> None:
    facts = (
        "name(hdt).\nversion('0.5.2').\n% version('9').\n"
        "author( 'J W', 'j@example.org' ).\nhome( 'https://example.org' ).\n"
    )
    (package,) = catalog({"swipl/pack/hdt/pack.pl": facts}).packages
    assert (package.purl, package.declared) == ("pkg:swiplpack/hdt@0.5.2", False)
    assert (package.supplier, package.homepage) == ("J W", "https://example.org")


def test_program_of_another_kind_is_none() -> None:
    assert catalog({"x/pack.pl": "#!/usr/bin/perl\nprint 1;\n"}).packages == ()


@given(st.binary(max_size=200))
def test_any_bytes_are_catalogued(content: bytes) -> None:
    start = b"name(a).\nversion("
    for package in catalog({"pack.pl": start + content}).packages:
        package.purl.encode()
