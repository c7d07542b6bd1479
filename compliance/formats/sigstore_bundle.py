"""Sigstore bundles (sigstore/protobuf-specs, sigstore_bundle.proto, JSON mapping), versions 0.1 to 0.3.

A bundle carries a signature with all that is needed to check it offline. Nothing read here is verified.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from compliance.errors import FormatError
from compliance.formats import signed_json
from compliance.formats.dsse import Envelope, envelope_value, read_envelope
from compliance.formats.public_key import PublicKey, subject_public_key_info
from compliance.formats.signed_json import JsonObject, base64_text, read_object

BUNDLE_V03 = "application/vnd.dev.sigstore.bundle.v0.3+json"
_VERSIONS = {
    BUNDLE_V03: "0.3",
    "application/vnd.dev.sigstore.bundle+json;version=0.3": "0.3",
    "application/vnd.dev.sigstore.bundle+json;version=0.2": "0.2",
    "application/vnd.dev.sigstore.bundle+json;version=0.1": "0.1",
}
BUNDLE_TYPES = frozenset(_VERSIONS)

EVIDENCE_MAX = 32
"""Log entries, and timestamps, of one bundle: the bound that Sigstore's Go client has."""
PROOF_HASHES_MAX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class InclusionProof:
    """That an entry is a leaf of a log's Merkle tree (RFC 6962, section 2.1.1). `checkpoint` is a signed note."""

    log_index: int
    tree_size: int
    root_hash: bytes
    hashes: tuple[bytes, ...]
    checkpoint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """An entry of a transparency log. `promise` is the signed entry timestamp, over `integrated_time` among others."""

    log_index: int
    log_id: bytes
    kind: str
    version: str
    body: bytes = field(repr=False)
    integrated_time: int | None = None
    promise: bytes | None = None
    proof: InclusionProof | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSignature:
    """A signature over an artifact that is not in the bundle. `sha256` is what the bundle says of it, if it does."""

    signature: bytes = field(repr=False)
    sha256: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A bundle as read. Exactly one of `certificate` (DER) and `keyed` says how it was signed."""

    version: str
    content: Envelope | MessageSignature
    certificate: bytes | None = None
    keyed: bool = False
    log_entries: tuple[LogEntry, ...] = ()
    timestamps: tuple[bytes, ...] = ()


def read_bundle(data: bytes) -> Bundle:
    """Read a bundle. Raises FormatError; unknown versions and bundles with two signatures are refused."""
    value = read_object(data, "bundle")
    version = _VERSIONS.get(value.text("mediaType"))
    if version is None:
        raise value.wrong("mediaType", "a bundle version known here")
    material = value.member("verificationMaterial")
    certificate = _certificate(material, version)
    keyed = material.has("publicKey")
    if (certificate is None) is not keyed:
        raise material.wrong("publicKey", "either a key or a certificate")
    entries = material.members("tlogEntries")
    timestamps = (
        material.member("timestampVerificationData").members("rfc3161Timestamps")
        if material.has("timestampVerificationData")
        else ()
    )
    if len(entries) > EVIDENCE_MAX or len(timestamps) > EVIDENCE_MAX:
        raise FormatError(f"more than {EVIDENCE_MAX} log entries or timestamps", code="limit-exceeded")
    return Bundle(
        version=version,
        content=_content(value),
        certificate=certificate,
        keyed=keyed,
        log_entries=tuple(_log_entry(entry, version) for entry in entries),
        timestamps=tuple(stamp.base64("signedTimestamp") for stamp in timestamps),
    )


def write_keyed_bundle(envelope: Envelope, key: PublicKey) -> bytes:
    """A version 0.3 bundle of `envelope`, signed with the private half of `key`: the form that cosign verifies.

    The hint is the base64 of the key's sha256, as cosign writes it; it is unauthenticated.
    """
    hint = base64_text(hashlib.sha256(subject_public_key_info(key)).digest())
    return signed_json.write(
        {
            "mediaType": BUNDLE_V03,
            "verificationMaterial": {"publicKey": {"hint": hint}},
            "dsseEnvelope": envelope_value(envelope),
        }
    )


def _content(value: JsonObject) -> Envelope | MessageSignature:
    if value.has("dsseEnvelope") is value.has("messageSignature"):
        raise value.wrong("dsseEnvelope", "either an envelope or a message signature")
    if value.has("messageSignature"):
        message = value.member("messageSignature")
        return MessageSignature(signature=message.base64("signature"), sha256=_message_sha256(message))
    envelope = read_envelope(value.member("dsseEnvelope"))
    if len(envelope.signatures) != 1:
        raise FormatError(
            "a bundle's envelope has exactly one signature", code="bundle-invalid", where="bundle.dsseEnvelope"
        )
    return envelope


def _message_sha256(message: JsonObject) -> bytes | None:
    """The digest, if it is one of SHA-256 (sigstore_common.proto, HashOutput)."""
    if not message.has("messageDigest"):
        return None
    digest = message.member("messageDigest")
    if digest.text("algorithm") != "SHA2_256":
        raise digest.wrong("algorithm", "SHA2_256")
    return digest.base64("digest")


def _certificate(material: JsonObject, version: str) -> bytes | None:
    """The leaf: alone in version 0.3, the first of a chain before."""
    if version == "0.3":
        return material.member("certificate").base64("rawBytes") if material.has("certificate") else None
    if not material.has("x509CertificateChain"):
        return None
    chain = material.member("x509CertificateChain").members("certificates")
    if not chain:
        raise material.wrong("x509CertificateChain", "a chain with a certificate")
    return chain[0].base64("rawBytes")


def _log_entry(value: JsonObject, version: str) -> LogEntry:
    """One entry (sigstore_rekor.proto). Go leaves out numbers that are zero: the first entry has no logIndex.

    Version 0.1 must have a promise and may have a proof, later versions must have a proof; a proof counts only
    with its checkpoint.
    """
    kind = value.member("kindVersion")
    promise = value.member("inclusionPromise").base64("signedEntryTimestamp") if value.has("inclusionPromise") else None
    proof = _proof(value.member("inclusionProof")) if value.has("inclusionProof") else None
    if version == "0.1" and promise is None:
        raise value.wrong("inclusionPromise", "there, which version 0.1 demands")
    if version != "0.1" and proof is None:
        raise value.wrong("inclusionProof", "there, which versions from 0.2 demand")
    time = value.number("integratedTime", 0)
    return LogEntry(
        log_index=value.number("logIndex", 0),
        log_id=value.member("logId").base64("keyId"),
        kind=kind.text("kind"),
        version=kind.text("version"),
        body=value.base64("canonicalizedBody"),
        integrated_time=time or None,
        promise=promise,
        proof=proof,
    )


def _proof(value: JsonObject) -> InclusionProof:
    hashes = value.base64_items("hashes")
    if len(hashes) > PROOF_HASHES_MAX:
        raise FormatError(f"more than {PROOF_HASHES_MAX} hashes", code="limit-exceeded", where=f"{value.where}.hashes")
    return InclusionProof(
        log_index=value.number("logIndex", 0),
        tree_size=value.number("treeSize"),
        root_hash=value.base64("rootHash"),
        hashes=hashes,
        checkpoint=value.member("checkpoint").long_text("envelope"),
    )
