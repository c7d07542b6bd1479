"""Conan packages."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from compliance.model.inventory import Cataloged
from compliance.sbom.catalogers.conan import CATALOGER
from tests.builders.evidence import Node, tree


def catalog(nodes: dict[str, Node | bytes | str]) -> Cataloged:
    return CATALOGER.catalog(tree(nodes, requests=CATALOGER.requests), None)


def test_lock_of_conan_1() -> None:
    nodes = {"0": {"ref": None}, "1": {"ref": "mfast/1.2.2@user/channel#c0ffee"}, "2": {"ref": "zlib/1.2.12#c0ffee"}}
    found = catalog({"app/conan.lock": json.dumps({"graph_lock": {"nodes": nodes}})}).packages
    assert [(package.purl, package.declared) for package in found] == [
        ("pkg:conan/user/mfast@1.2.2?channel=channel", True),
        ("pkg:conan/zlib@1.2.12", True),
    ]


def test_lock_of_conan_2_leaves_out_what_only_builds() -> None:
    lock = {"version": "0.5", "requires": ["zlib/1.2.11#c0ffee%1675.0"], "build_requires": ["cmake/3.0#c0ffee"]}
    assert [package.purl for package in catalog({"conan.lock": json.dumps(lock)}).packages] == ["pkg:conan/zlib@1.2.11"]


def test_conanfile_names_versions_but_no_ranges() -> None:
    content = "# zlib/0\n[requires]\nfmt/8.1.1\nboost/[>1.0]\n\n[generators]\ncmake/1\n"
    assert [package.purl for package in catalog({"conanfile.txt": content}).packages] == ["pkg:conan/fmt@8.1.1"]


def test_package_in_the_cache_is_installed() -> None:
    nodes: dict[str, Node | bytes | str] = {
        "root/.conan/data/zlib/1.2.12/_/_/package/c0ffee/conaninfo.txt": "[settings]\n",
        "src/conaninfo.txt": "[settings]\n",
    }
    assert [(package.purl, package.declared) for package in catalog(nodes).packages] == [
        ("pkg:conan/zlib@1.2.12", False)
    ]


@given(st.binary(max_size=200))
def test_any_bytes_are_catalogued(content: bytes) -> None:
    start = b"[requires]\n"
    for package in catalog({"conan.lock": start + content, "conanfile.txt": start + content}).packages:
        package.purl.encode()
