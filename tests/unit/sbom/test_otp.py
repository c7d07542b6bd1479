"""Erlang/OTP applications."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.model.inventory import Cataloged
from compliance.sbom.catalogers.otp import CATALOGER
from tests.builders.evidence import Node, tree


def catalog(nodes: dict[str, Node | bytes | str]) -> Cataloged:
    return CATALOGER.catalog(tree(nodes, requests=CATALOGER.requests), None)


def test_application_is_installed() -> None:
    content = (
        '%% comment\n{application, \'rabbit\', [\n {description, "vsn"},\n {vsn, "3.12.10"},\n'
        ' {applications, [kernel, stdlib]},\n {licenses, ["MIT"]}\n]}.\n'
    )
    (package,) = catalog({"usr/lib/erlang/lib/rabbit-3.12.10/ebin/rabbit.app": content}).packages
    assert (package.purl, package.declared) == ("pkg:otp/rabbit@3.12.10", False)
    assert package.depends == ("kernel", "stdlib")
    assert package.licenses[0].expression == "MIT"


@pytest.mark.parametrize("content", ["", "<plist/>", "{application, x, [{vsn, git}]}."])
def test_other_files_and_those_without_a_version_are_none(content: str) -> None:
    assert catalog({"a/x.app": content}) == Cataloged()


@given(st.binary(max_size=200))
def test_any_bytes_are_catalogued(content: bytes) -> None:
    start = b'{application, a, [{vsn, "1"}, '
    for package in catalog({"x.app": start + content}).packages:
        package.purl.encode()
