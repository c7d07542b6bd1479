"""Homebrew packages."""

from __future__ import annotations

import json

from compliance.model.inventory import Cataloged
from compliance.sbom.catalogers.homebrew import CATALOGER
from tests.builders.evidence import Node, tree

KEG = "home/linuxbrew/.linuxbrew/Cellar/jq/1.7.1_1"
FORMULA = 'class Jq < Formula\n  homepage "https://jq.example/"\n  license "MIT"\nend\n'


def catalog(nodes: dict[str, Node | bytes | str]) -> Cataloged:
    return CATALOGER.catalog(tree(nodes, requests=CATALOGER.requests), None)


def test_keg_with_what_formula_and_receipt_state() -> None:
    receipt = json.dumps({"runtime_dependencies": [{"full_name": "tap/x/oniguruma", "version": "6"}, None]})
    (package,) = catalog({f"{KEG}/.brew/jq.rb": FORMULA, f"{KEG}/INSTALL_RECEIPT.json": receipt}).packages
    assert package.purl == "pkg:brew/jq@1.7.1_1"
    assert (package.homepage, package.depends) == ("https://jq.example/", ("oniguruma",))
    assert [licence.expression for licence in package.licenses] == ["MIT"]
    assert [location.path for location in package.locations] == [f"{KEG}/.brew/jq.rb", f"{KEG}/INSTALL_RECEIPT.json"]


def test_damaged_receipt_leaves_the_keg_and_is_an_unknown() -> None:
    found = catalog({f"{KEG}/INSTALL_RECEIPT.json": "{"})
    assert [package.purl for package in found.packages] == ["pkg:brew/jq@1.7.1_1"]
    assert len(found.unknowns) == 1
