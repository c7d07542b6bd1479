"""Sigstore bundles as read: versions, the zeros that Go leaves out, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from compliance.errors import FormatError
from compliance.formats.dsse import Envelope
from compliance.formats.signed_json import write
from compliance.formats.sigstore_bundle import BUNDLE_V03, MessageSignature, read_bundle, write_keyed_bundle

KEY = ec.derive_private_key(5, ec.SECP256R1()).public_key()
ENVELOPE = Envelope(payload_type="t", payload=b"p", signatures=(b"s",))
OLDER = "application/vnd.dev.sigstore.bundle+json;version=0."
PROOF = {"treeSize": "1", "rootHash": "QQ==", "checkpoint": {"envelope": "note"}}
ENTRY = {
    "logId": {"keyId": "QQ=="},
    "kindVersion": {"kind": "hashedrekord", "version": "0.0.2"},
    "inclusionProof": PROOF,
    "canonicalizedBody": "QQ==",
}


def value(**material: Any) -> dict[str, Any]:
    """A keyed bundle with further verification material."""
    bundle: dict[str, Any] = json.loads(write_keyed_bundle(ENVELOPE, KEY))
    bundle["verificationMaterial"] |= material
    return bundle


def test_a_keyed_bundle_comes_back() -> None:
    bundle = read_bundle(write_keyed_bundle(ENVELOPE, KEY))
    assert (bundle.version, bundle.keyed, bundle.certificate) == ("0.3", True, None)
    assert bundle.content == ENVELOPE


def test_the_first_entry_of_a_log_has_index_zero_though_nothing_says_so() -> None:
    """Go writes no zero and no empty list (JSON mapping of protocol buffers)."""
    (entry,) = read_bundle(write(value(tlogEntries=[ENTRY]))).log_entries
    assert entry.proof is not None
    assert (entry.log_index, entry.proof.log_index, entry.proof.hashes) == (0, 0, ())
    assert entry.integrated_time is None


def test_the_leaf_is_alone_in_version_3_and_first_in_a_chain_before() -> None:
    alone = value(certificate={"rawBytes": "QQ=="})
    del alone["verificationMaterial"]["publicKey"]
    assert read_bundle(write(alone)).certificate == b"A"
    chain = value(x509CertificateChain={"certificates": [{"rawBytes": "Qg=="}, {"rawBytes": "Qw=="}]})
    del chain["verificationMaterial"]["publicKey"]
    assert read_bundle(write({**chain, "mediaType": f"{OLDER}2"})).certificate == b"B"
    with pytest.raises(FormatError):
        read_bundle(write(chain))  # a chain has no place in version 0.3


def test_a_message_signature_may_leave_out_its_digest() -> None:
    bundle = value()
    del bundle["dsseEnvelope"]
    content = read_bundle(write({**bundle, "messageSignature": {"signature": "QQ=="}})).content
    assert content == MessageSignature(signature=b"A", sha256=None)


@pytest.mark.parametrize(
    ("version", "left_out"), [("1", "inclusionPromise"), ("2", "inclusionProof"), ("3", "inclusionProof")]
)
def test_each_version_demands_its_log_evidence(version: str, left_out: str) -> None:
    entry = {**ENTRY, "inclusionPromise": {"signedEntryTimestamp": "QQ=="}}
    good = {**value(tlogEntries=[entry]), "mediaType": OLDER + version}
    assert len(read_bundle(write(good)).log_entries) == 1
    del entry[left_out]
    with pytest.raises(FormatError):
        read_bundle(write(good))


@pytest.mark.parametrize(
    "change",
    [
        {"mediaType": "application/vnd.dev.sigstore.bundle.v0.4+json"},
        {"mediaType": None},
        {"dsseEnvelope": None},
        {"messageSignature": {"signature": "QQ=="}},
        {"verificationMaterial": {}},
        {"verificationMaterial": {"publicKey": {"hint": ""}, "certificate": {"rawBytes": "QQ=="}}},
        {"dsseEnvelope": {"payload": "", "payloadType": "t", "signatures": [{"sig": "QQ=="}, {"sig": "Qg=="}]}},
    ],
)
def test_what_is_ambiguous_or_unknown_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(FormatError):
        read_bundle(write({**value(), **change}))


@pytest.mark.parametrize(
    "material",
    [
        {"tlogEntries": [ENTRY] * 33},
        {"timestampVerificationData": {"rfc3161Timestamps": [{"signedTimestamp": "QQ=="}] * 33}},
        {"tlogEntries": [{**ENTRY, "logIndex": "-1"}]},
        {"tlogEntries": [{**ENTRY, "inclusionProof": {**PROOF, "hashes": ["QQ=="] * 65}}]},
        {"tlogEntries": [{**ENTRY, "inclusionProof": {**PROOF, "checkpoint": None}}]},
        {"tlogEntries": [{**ENTRY, "canonicalizedBody": "QR=="}]},
    ],
)
def test_material_out_of_bounds_is_refused(material: dict[str, object]) -> None:
    read_bundle(write(value(tlogEntries=[ENTRY])))
    with pytest.raises(FormatError):
        read_bundle(write(value(**material)))


def test_the_written_media_type_is_the_current_one() -> None:
    assert json.loads(write_keyed_bundle(ENVELOPE, KEY))["mediaType"] == BUNDLE_V03
