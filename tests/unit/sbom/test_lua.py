"""Lua rocks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.model.inventory import Cataloged
from compliance.sbom.catalogers.lua import CATALOGER
from tests.builders.evidence import Node, tree


def catalog(nodes: dict[str, Node | bytes | str]) -> Cataloged:
    return CATALOGER.catalog(tree(nodes, requests=CATALOGER.requests), None)


SPEC = """package = "LPeg"
version = '1.0.2-1'
source = { url = "x", tag = "version = 9" }
description = {
   homepage = "https://example.org/",
   license = 'MIT',
   maintainer = "M"
}
dependencies = {
   "lua >= 5.1", 'inspect'
}
"""


@pytest.mark.parametrize(
    ("path", "declared"),
    [("usr/lib/luarocks/rocks-5.1/lpeg/1.0.2-1/lpeg-1.0.2-1.rockspec", False), ("src/lpeg-1.0.2-1.rockspec", True)],
)
def test_rockspec_in_a_tree_of_luarocks_is_installed(path: str, declared: bool) -> None:
    (package,) = catalog({path: SPEC}).packages
    assert (package.purl, package.declared) == ("pkg:luarocks/LPeg@1.0.2-1", declared)
    assert (package.homepage, package.supplier, package.depends) == ("https://example.org/", "M", ("lua", "inspect"))
    assert package.licenses[0].expression == "MIT"


def test_rockspec_that_computes_its_version_is_none() -> None:
    assert catalog({"x.rockspec": 'package = "x"\nversion = major .. "1"\n'}).packages == ()


@given(st.binary(max_size=200))
def test_any_bytes_are_catalogued(content: bytes) -> None:
    start = b"package = 'a'\nversion = "
    for package in catalog({"x.rockspec": start + content}).packages:
        package.purl.encode()
