"""JSON read loosely: values of another kind than asked for count as absent."""

from __future__ import annotations

import pytest

from compliance.errors import FormatError
from compliance.formats.json_data import mapping, mappings, read_json, read_json_object, text, texts


def test_document_in_each_encoding_of_json() -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32"):
        assert read_json('{"a": "é"}'.encode(encoding)) == {"a": "é"}


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[" * 200_000, b"9" * 5000])
def test_what_is_no_document_is_refused(content: bytes) -> None:
    with pytest.raises(FormatError):
        read_json(content)


def test_top_must_be_an_object() -> None:
    with pytest.raises(FormatError):
        read_json_object(b"[]")


def test_values_of_another_kind_are_absent() -> None:
    assert (text(7), text("a\nb")) == ("", "a b")
    assert (list(texts(["a", "", 7, "b"])), list(texts("a")), list(texts(None))) == (["a", "b"], ["a"], [])
    assert (mapping([]), mapping({"a": 1})) == ({}, {"a": 1})
    assert (list(mappings([{}, 7, {"a": 1}])), list(mappings({}))) == ([{}, {"a": 1}], [])
