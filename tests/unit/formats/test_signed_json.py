"""JSON of signed documents: one reading, one spelling."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compliance.errors import FormatError
from compliance.formats.signed_json import base64_bytes, base64_text, read_object, write

TEXT = st.text(st.characters(codec="utf-8"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda children: st.lists(children) | st.dictionaries(TEXT, children),
    max_leaves=20,
)


@given(VALUES)
@settings(deadline=None)
def test_what_is_written_is_read_back(value: object) -> None:
    assert read_object(write({"value": value}), "document").values == {"value": value}


def test_the_order_of_keys_does_not_matter() -> None:
    assert write({"b": 1, "a": {"d": 2, "c": 3}}) == b'{"a":{"c":3,"d":2},"b":1}'


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"1", b'{"a":1,"a":2}', b'{"a":{"b":1,"b":1}}', b'{"a":NaN}', b'{"a":Infinity}', b"\xff{}",
     b"{}{}", b"[" * 10**5, b'{"a":' * 10**5, b'{"a":' + b"1" * 10**5 + b"}"],
)  # fmt: skip
def test_what_two_readers_could_read_differently_is_refused(content: bytes) -> None:
    with pytest.raises(FormatError):
        read_object(content, "document")


@given(st.binary())
@settings(deadline=None)
def test_any_bytes_are_an_object_or_a_format_error(content: bytes) -> None:
    with contextlib.suppress(FormatError):
        assert isinstance(read_object(content, "document").values, dict)


def test_a_document_above_its_bound_is_not_parsed() -> None:
    with pytest.raises(FormatError, match="more than 10 bytes"):
        read_object(b"{}         ", "document", size_max=10)


@given(st.binary())
@settings(deadline=None)
def test_base64_comes_back(data: bytes) -> None:
    assert base64_bytes(base64_text(data), "text") == data


@pytest.mark.parametrize("text", ["QQ", "QR==", "QQ==\n", " QQ==", "QQ==QQ==", "Q-_=", "QQ=", "é", "Q\0=="])
def test_a_second_spelling_of_base64_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        base64_bytes(text, "text")


def test_errors_name_the_field() -> None:
    value = read_object(json.dumps({"a": {"b": [{"c": 1}]}}).encode(), "bundle")
    with pytest.raises(FormatError) as error:
        value.member("a").members("b")[0].text("c")
    assert error.value.where == "bundle.a.b[0].c"


@pytest.mark.parametrize(("written", "number"), [("7", 7), (7, 7), ("0", 0)])
def test_numbers_may_be_decimal_text_as_in_protocol_buffers(written: object, number: int) -> None:
    assert read_object(write({"n": written}), "document").number("n") == number


@pytest.mark.parametrize("written", [-1, "-1", True, 1.0, "1.0", " 1", "٣", 2**63, "9" * 30, None, []])
def test_what_is_no_number_is_refused(written: object) -> None:
    with pytest.raises(FormatError):
        read_object(write({"n": written}), "document").number("n")
