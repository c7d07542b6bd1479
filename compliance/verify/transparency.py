"""Transparency log entries (Rekor v1 and v2): that a log holds this very signature, and since when."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from compliance.formats.public_key import load_public_key, subject_public_key_info
from compliance.formats.signed_json import JsonObject, base64_text, read_object
from compliance.formats.sigstore_bundle import InclusionProof, LogEntry
from compliance.verify.refusal import NotCheckableError, RejectedError
from compliance.verify.trusted_root import TrustedRoot

if TYPE_CHECKING:
    from sigstore._internal.trust import Keyring
    from sigstore.models import TransparencyLogEntry

_TIME_MAX = 253_402_300_799  # 9999-12-31T23:59:59Z, the last second a datetime holds
_V2_HASHES = {"SHA2_256": "sha256", "SHA2_384": "sha384", "SHA2_512": "sha512"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """What an entry must be about. `verifier` is the DER of the certificate, or of the key where `keyed`.

    `message` are the signed bytes, None where only their digest is known; `payload` and `envelope` those of a
    DSSE envelope, empty for others.
    """

    signature: bytes = field(repr=False)
    verifier: bytes = field(repr=False)
    keyed: bool
    message_sha256: bytes
    message: bytes | None = field(repr=False)
    payload: bytes = field(repr=False)
    envelope: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEvidence:
    """What an entry proves, in words, and since when, where the log promised a time."""

    text: str
    time: datetime | None


def verify_log_entry(entry: LogEntry, logged: Logged, root: TrustedRoot, times: tuple[datetime, ...]) -> LogEvidence:
    """Prove that a log of `root` holds an entry about `logged`. `times` are proved by timestamps.

    Raises RejectedError, and NotCheckableError for kinds of entries that are not known here.
    """
    # 1. The log is one that the root trusts, at each time there is (client spec, "Transparency Log Entry").
    time = _promised_time(entry)
    keyring, name = root.log(entry.log_id, (*times, *(() if time is None else (time,))))
    # 2. The log's promise, over body, time and index (Rekor v1, signed entry timestamp).
    if time is not None:
        _verify_promise(entry, keyring)
    # 3. The entry is a leaf of the tree that a checkpoint commits to (RFC 6962, section 2.1.1).
    if entry.proof is not None:
        _verify_inclusion(entry, entry.proof, keyring)
        if time is None and entry.proof.log_index != entry.log_index:
            raise RejectedError("its log entry states two places in the log")
    if time is None and entry.proof is None:
        raise RejectedError("its log entry has neither a promise nor an inclusion proof")
    # 4. The entry is about this signature, this verifier and this content (else CVE-2022-36056).
    _verify_body(entry, logged)
    how = "inclusion proof" if entry.proof is not None else "signed entry timestamp"
    return LogEvidence(text=f"{how}, log {name}, index {entry.log_index}", time=time)


def _promised_time(entry: LogEntry) -> datetime | None:
    """The log's time, which only a promise binds; it is still to be verified."""
    if entry.promise is None or entry.integrated_time is None:
        return None
    if entry.integrated_time > _TIME_MAX:
        raise RejectedError("its log entry is of a time that no calendar has")
    return datetime.fromtimestamp(entry.integrated_time, UTC)


def _verify_promise(entry: LogEntry, keyring: Keyring) -> None:
    """The signature over the canonical JSON (RFC 8785) of body, time, log and index."""
    import rfc8785
    from sigstore._utils import KeyID
    from sigstore.errors import VerificationError

    promised = rfc8785.dumps(
        {
            "body": base64_text(entry.body),
            "integratedTime": entry.integrated_time,
            "logID": entry.log_id.hex(),
            "logIndex": entry.log_index,
        }
    )
    try:
        keyring.verify(key_id=KeyID(entry.log_id), signature=entry.promise or b"", data=promised)
    except VerificationError:
        raise RejectedError("the log's signed entry timestamp does not verify") from None


def _verify_inclusion(entry: LogEntry, proof: InclusionProof, keyring: Keyring) -> None:
    from sigstore._internal.merkle import verify_merkle_inclusion
    from sigstore._internal.rekor.checkpoint import SignedCheckpoint, verify_checkpoint
    from sigstore._internal.trust import RekorKeyring
    from sigstore.errors import VerificationError

    if proof.tree_size <= proof.log_index:
        raise RejectedError("its log entry lies outside the log")
    model = _sigstore_entry(entry, proof)
    try:
        verify_merkle_inclusion(model)
        verify_checkpoint(RekorKeyring(keyring), model)
        size = SignedCheckpoint.from_text(proof.checkpoint).checkpoint.log_size
    except VerificationError as error:
        raise RejectedError(f"the log's inclusion proof does not verify: {error.args[0]}"[:300]) from None
    if size != proof.tree_size:
        raise RejectedError("the log's inclusion proof and its checkpoint are of trees of different sizes")


def _sigstore_entry(entry: LogEntry, proof: InclusionProof) -> TransparencyLogEntry:
    """`entry` as sigstore-python has it."""
    from sigstore.models import TransparencyLogEntry
    from sigstore_models.rekor.v1 import TransparencyLogEntry as Model

    return TransparencyLogEntry(
        Model.from_dict(
            {
                "logIndex": str(entry.log_index),
                "logId": {"keyId": base64_text(entry.log_id)},
                "kindVersion": {"kind": entry.kind, "version": entry.version},
                "inclusionProof": {
                    "logIndex": str(proof.log_index),
                    "rootHash": base64_text(proof.root_hash),
                    "treeSize": str(proof.tree_size),
                    "hashes": [base64_text(item) for item in proof.hashes],
                    "checkpoint": {"envelope": proof.checkpoint},
                },
                "canonicalizedBody": base64_text(entry.body),
            }
        )
    )


def _verify_body(entry: LogEntry, logged: Logged) -> None:
    body = read_object(entry.body, "log entry")
    kind = (body.text("kind"), body.text("apiVersion"))
    if kind != (entry.kind, entry.version):
        raise RejectedError("its log entry is of another kind than it says")
    about = _BODIES.get(kind)
    if about is None:
        raise NotCheckableError(f"log entries of kind {kind[0]}/{kind[1]} are not supported")
    if not about(body.member("spec"), logged):
        raise RejectedError("its log entry is about something else")


def _hashedrekord_v001(spec: JsonObject, logged: Logged) -> bool:
    """rekor pkg/types/hashedrekord/v0.0.1: the hash of what was signed, the signature, the verifier as PEM."""
    signature = spec.member("signature")
    return (
        _is_sha256(spec.member("data").member("hash"), logged.message_sha256)
        and signature.base64("content") == logged.signature
        and _is_verifier(signature.member("publicKey").base64("content"), logged)
    )


def _hashedrekord_v002(spec: JsonObject, logged: Logged) -> bool:
    """rekor-tiles, hashedrekord 0.0.2: the same for Rekor v2, where envelopes go by the hash of their PAE."""
    entry = spec.member("hashedRekordV002")
    data, signature = entry.member("data"), entry.member("signature")
    verifier = signature.member("verifier")
    carried = verifier.member("publicKey" if logged.keyed else "x509Certificate")
    return (
        data.base64("digest") == _digest(logged, data.text("algorithm"))
        and signature.base64("content") == logged.signature
        and carried.base64("rawBytes") == logged.verifier
    )


def _dsse_v001(spec: JsonObject, logged: Logged) -> bool:
    """rekor pkg/types/dsse/v0.0.1. Its envelopeHash covers JSON in a spelling that is lost; the rest is compared."""
    return _is_sha256(spec.member("payloadHash"), hashlib.sha256(logged.payload).digest()) and any(
        item.base64("signature") == logged.signature and _is_verifier(item.base64("verifier"), logged)
        for item in spec.members("signatures")
    )


def _intoto_v002(spec: JsonObject, logged: Logged) -> bool:
    """rekor pkg/types/intoto/v0.0.2: signatures stand in it as base64 of base64."""
    content = spec.member("content")
    return _is_sha256(content.member("payloadHash"), hashlib.sha256(logged.payload).digest()) and any(
        item.base64("sig") == base64_text(logged.signature).encode() and _is_verifier(item.base64("publicKey"), logged)
        for item in content.member("envelope").members("signatures")
    )


def _intoto_v001(spec: JsonObject, logged: Logged) -> bool:
    """rekor pkg/types/intoto/v0.0.1: no signature, but the hash of the whole envelope as it was sent."""
    content = spec.member("content")
    payload_said = content.has("payloadHash")
    return (
        _is_sha256(content.member("hash"), hashlib.sha256(logged.envelope).digest())
        and (not payload_said or _is_sha256(content.member("payloadHash"), hashlib.sha256(logged.payload).digest()))
        and _is_verifier(spec.base64("publicKey"), logged)
    )


_BODIES: Mapping[tuple[str, str], Callable[[JsonObject, Logged], bool]] = {
    ("hashedrekord", "0.0.1"): _hashedrekord_v001,
    ("hashedrekord", "0.0.2"): _hashedrekord_v002,
    ("dsse", "0.0.1"): _dsse_v001,
    ("intoto", "0.0.1"): _intoto_v001,
    ("intoto", "0.0.2"): _intoto_v002,
}


def _is_sha256(value: JsonObject, digest: bytes) -> bool:
    return value.text("algorithm") == "sha256" and value.text("value") == digest.hex()


def _digest(logged: Logged, algorithm: str) -> bytes | None:
    if algorithm == "SHA2_256":
        return logged.message_sha256
    name = _V2_HASHES.get(algorithm)
    return None if name is None or logged.message is None else hashlib.new(name, logged.message).digest()


def _is_verifier(pem: bytes, logged: Logged) -> bool:
    """Whether `pem` is the certificate or key that verified the signature; compared as DER, PEM has many spellings."""
    if logged.keyed:
        return subject_public_key_info(load_public_key(pem)) == logged.verifier
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER) == logged.verifier
