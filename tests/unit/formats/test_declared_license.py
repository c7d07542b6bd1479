"""Licences joined to one expression, and taken apart again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from license_expression import get_spdx_licensing

from compliance.formats.declared_license import REFERENCE, declared_expression, license_reference, parts_of
from compliance.model.inventory import License


@pytest.mark.parametrize(
    ("expression", "parts"),
    [
        ("MIT", ("MIT",)),
        ("MIT AND ISC", ("MIT", "ISC")),
        ("MIT OR ISC", ("MIT OR ISC",)),
        ("(MIT OR ISC) AND Zlib", ("MIT OR ISC", "Zlib")),
        ("(MIT OR ISC)AND(Zlib)", ("MIT OR ISC", "Zlib")),
        ("MIT AND ISC OR Zlib", ("MIT AND ISC OR Zlib",)),
        ("GPL-2.0-only WITH Classpath-exception-2.0 AND MIT", ("GPL-2.0-only WITH Classpath-exception-2.0", "MIT")),
        ("((MIT OR ISC) AND X11) AND Zlib", ("((MIT OR ISC) AND X11)", "Zlib")),
        ("", ("",)),
    ],
)
def test_operands_of_an_expression(expression: str, parts: tuple[str, ...]) -> None:
    assert parts_of(expression) == parts


def test_joined_licences_mean_all_of_them() -> None:
    stated = ("MIT OR ISC", "Zlib AND MIT", "Zlib", "GPL-2.0-only WITH Classpath-exception-2.0")
    joined = declared_expression(License(raw=text, expression=text) for text in stated)
    licensing = get_spdx_licensing()
    meant = licensing.parse(" AND ".join(f"({text})" for text in stated))
    assert licensing.parse(joined).simplify() == meant.simplify()


@given(st.text(min_size=1))
def test_reference_of_any_text_is_valid(raw: str) -> None:
    assert REFERENCE.fullmatch(license_reference(raw))


def test_references_of_different_texts_differ() -> None:
    texts = ("a b", "a-b", "a  b", "A-B", "ü", "ö", "x" * 60, "x" * 61)
    assert len({license_reference(text) for text in texts}) == len(texts)


@given(st.text(alphabet="()ANDOR MIT-", max_size=40))
def test_taking_apart_never_raises(text: str) -> None:
    parts_of(text)
