"""DSSE envelopes and in-toto statements."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compliance.errors import FormatError
from compliance.formats.dsse import Envelope, envelope_value, pre_authentication_encoding, read_envelope
from compliance.formats.intoto import read_statement, write_statement
from compliance.formats.signed_json import read_object, write


def test_the_encoding_is_that_of_the_specification() -> None:
    """The example of the DSSE protocol document."""
    signed = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world")
    assert signed == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_lengths_count_bytes_not_characters() -> None:
    assert pre_authentication_encoding("tübe", "ä".encode()) == "DSSEv1 5 tübe 2 ä".encode()


@given(st.text(max_size=20), st.binary(max_size=20), st.text(max_size=20), st.binary(max_size=20))
@settings(deadline=None)
def test_different_contents_never_have_one_encoding(a: str, b: bytes, c: str, d: bytes) -> None:
    one, two = ((kind.encode("utf-8", "replace").decode(), payload) for kind, payload in ((a, b), (c, d)))
    assert (pre_authentication_encoding(*one) == pre_authentication_encoding(*two)) is (one == two)


@given(st.binary(), st.lists(st.binary(min_size=1, max_size=80), min_size=1, max_size=3))
@settings(deadline=None)
def test_an_envelope_comes_back(payload: bytes, signatures: list[bytes]) -> None:
    envelope = Envelope(payload_type="text/plain", payload=payload, signatures=tuple(signatures))
    assert read_envelope(read_object(write(envelope_value(envelope)), "envelope")) == envelope


@pytest.mark.parametrize("signatures", [[], [{}], [{"sig": ""}], [{"sig": "QQ=="}] * 33, "QQ==", None])
def test_an_envelope_without_proper_signatures_is_refused(signatures: object) -> None:
    value = write({"payload": "", "payloadType": "t", "signatures": signatures})
    with pytest.raises(FormatError):
        read_envelope(read_object(value, "envelope"))


def test_a_statement_comes_back() -> None:
    digest = "sha256:" + "ab" * 32
    content = write_statement(name="image", digest=digest, predicate_type="https://x.test/v1", predicate={"a": 1})
    statement = read_statement(content)
    assert statement.digests == (digest,)
    assert statement.predicate_type == "https://x.test/v1"
    assert statement.predicate.values == {"a": 1}


def test_all_digests_of_all_subjects_count() -> None:
    subjects = [{"digest": {"sha256": "a", "sha512": "b"}}, {"name": "n", "digest": {"sha256": "a"}}, {"digest": {}}]
    kind = "https://in-toto.io/Statement/v0.1"
    statement = read_statement(write({"_type": kind, "subject": subjects, "predicateType": "p"}))
    assert statement.digests == ("sha256:a", "sha512:b")


@pytest.mark.parametrize(
    "change",
    [
        {"_type": "https://in-toto.io/Statement/v2"},
        {"_type": None},
        {"subject": []},
        {"subject": [{"name": "without digest"}]},
        {"subject": {"digest": {"sha256": "a"}}},
        {"predicateType": None},
        {"predicate": "text"},
        {"predicate": ["text"]},
    ],
)
def test_what_is_no_statement_is_refused(change: dict[str, object]) -> None:
    good = {"_type": "https://in-toto.io/Statement/v1", "subject": [{"digest": {"sha256": "a"}}], "predicateType": "p"}
    read_statement(write(good))
    with pytest.raises(FormatError):
        read_statement(write({**good, **change}))
