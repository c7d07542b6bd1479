"""What may be wrong with a signature, each by itself, and what hullmark says of it."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.builders.sigstore_instance import SigstoreInstance, new_key
from tests.builders.specimen import LOG_NOTE, SIGNATURE_NOTE, STAMP_NOTE, Form, Log, Specimen, Stamp


@dataclass(frozen=True, kw_only=True)
class Case:
    """A column. `spoil` makes it of a good one, or gives None where the kind has nothing to spoil.

    It is told the digest of another image.
    """

    spoil: Callable[[Specimen, str], Specimen | None]
    reason: str
    """What hullmark's reason must match: a signature must be refused for what is wrong with it."""


def _valid(good: Specimen, other_image: str) -> Specimen | None:
    return good


def _wrong_key(good: Specimen, other_image: str) -> Specimen | None:
    other = new_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return replace(good, key=other) if good.key else None


def _wrong_identity(good: Specimen, other_image: str) -> Specimen | None:
    return replace(good, identity=good.identity.replace("acme", "other")) if good.identity else None


def _wrong_issuer(good: Specimen, other_image: str) -> Specimen | None:
    return replace(good, issuer="https://accounts.example.test") if good.issuer else None


def _wrong_digest(good: Specimen, other_image: str) -> Specimen | None:
    return replace(good, image=other_image)


def _tampered_payload(good: Specimen, other_image: str) -> Specimen | None:
    """Other content about the same image; of a message signature, another digest of the message."""
    if good.kind.form is Form.SIG:
        payload = json.loads(good.content)
        payload["optional"] = {"tampered": "yes"}
        return replace(good, content=json.dumps(payload).encode())

    def tampered(value: Any) -> None:
        if good.kind.form is Form.MESSAGE:
            digest = value["messageSignature"]["messageDigest"]
            digest["digest"] = _flipped(digest["digest"])
            return
        envelope = value.get("dsseEnvelope", value)
        statement = json.loads(base64.b64decode(envelope["payload"]))
        statement["predicate"] = {"tampered": "yes"}
        envelope["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()

    return _with_content(good, tampered)


def _tampered_signature(good: Specimen, other_image: str) -> Specimen | None:
    if good.kind.form is Form.SIG:
        return _with_note(good, SIGNATURE_NOTE, _flipped(good.annotations[SIGNATURE_NOTE]))

    def tampered(value: Any) -> None:
        holder, name = value.get("messageSignature"), "signature"
        if holder is None:
            holder, name = value.get("dsseEnvelope", value)["signatures"][0], "sig"
        holder[name] = _flipped(holder[name])

    return _with_content(good, tampered)


def _without_time(good: Specimen, other_image: str) -> Specimen | None:
    """Nothing proves when the certificate signed; the log is not asked for."""
    if good.kind.keyed:
        return None
    without = _without_log(good) or good
    if good.kind.version:
        without = _with_content(
            without, lambda value: value["verificationMaterial"].pop("timestampVerificationData", 0)
        )
    else:
        without = _with_note(without, STAMP_NOTE, None)
    return replace(without, ignore_log=True, kind=replace(good.kind, stamp=Stamp.NONE))


def _missing_entry(good: Specimen, other_image: str) -> Specimen | None:
    return replace(_without_log(good) or good, ignore_log=False)


def _bad_proof(good: Specimen, other_image: str) -> Specimen | None:
    """One hash of the path to the root is another. Layers have no proof."""
    if not good.kind.version or good.kind.log is Log.NONE:
        return None

    def bad(value: Any) -> None:
        path = value["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]["hashes"]
        path[0] = _flipped(path[0])

    return _with_content(good, bad)


def _bad_promise(good: Specimen, other_image: str) -> Specimen | None:
    """The signed entry timestamp is another. Rekor v2 gives none."""
    if good.kind.log not in (Log.V1, Log.V1_INTOTO):
        return None
    if not good.kind.version:
        entry = json.loads(good.annotations[LOG_NOTE])
        entry["SignedEntryTimestamp"] = _flipped(entry["SignedEntryTimestamp"])
        return _with_note(good, LOG_NOTE, json.dumps(entry))

    def bad(value: Any) -> None:
        promise = value["verificationMaterial"]["tlogEntries"][0]["inclusionPromise"]
        promise["signedEntryTimestamp"] = _flipped(promise["signedEntryTimestamp"])

    return _with_content(good, bad)


def _bad_stamp(good: Specimen, other_image: str) -> Specimen | None:
    """The timestamp authority's signature is another."""
    if not good.kind.stamp:
        return None
    if not good.kind.version:
        stamp = json.loads(good.annotations[STAMP_NOTE])
        stamp["SignedRFC3161Timestamp"] = _flipped(stamp["SignedRFC3161Timestamp"])
        return _with_note(good, STAMP_NOTE, json.dumps(stamp))

    def bad(value: Any) -> None:
        stamp = value["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"][0]
        stamp["signedTimestamp"] = _flipped(stamp["signedTimestamp"])

    return _with_content(good, bad)


def _bad_entry_ignored(good: Specimen, other_image: str) -> Specimen | None:
    """What a log is said to hold is wrong, and no log is asked for."""
    bad = _bad_promise(good, other_image) or _bad_proof(good, other_image)
    return None if bad is None else replace(bad, ignore_log=True)


def _other_logs_key(good: Specimen, other_image: str) -> Specimen | None:
    """The trusted root has, under the names of its logs, the keys of others."""
    if good.kind.log is Log.NONE:
        return None
    other = SigstoreInstance().trusted_root()["tlogs"]
    keys = {log["publicKey"]["keyDetails"]: log["publicKey"]["rawBytes"] for log in other}
    root = copy.deepcopy(dict(good.trusted_root))
    for log in root["tlogs"]:
        log["publicKey"]["rawBytes"] = keys[log["publicKey"]["keyDetails"]]
    return replace(good, trusted_root=root)


def _as_signature(good: Specimen, other_image: str) -> Specimen | None:
    """An attestation is no signature. (cosign has no such question about older bundles.)"""
    is_asked = good.kind.form in (Form.ATT, Form.STATEMENT) and good.kind.version in ("", "0.3")
    return replace(good, as_signature=True) if is_asked else None


_BROKEN = "its signature does not verify"
_OTHER_SIGNER = "who is not the demanded signer"
_OTHER_IMAGE = "it is about another image"
_HOLDS = "about this image, signed by"
_NO_TIME = "no proved time of signing"

IGNORED = "bad log entry, log ignored"
ATTESTED = "attestation taken for a signature"
CASES: Mapping[str, Case] = {
    "valid": Case(spoil=_valid, reason=_HOLDS),
    "wrong key": Case(spoil=_wrong_key, reason=_BROKEN),
    "wrong identity": Case(spoil=_wrong_identity, reason=_OTHER_SIGNER),
    "wrong issuer": Case(spoil=_wrong_issuer, reason=_OTHER_SIGNER),
    "wrong digest": Case(spoil=_wrong_digest, reason=_OTHER_IMAGE),
    "tampered payload": Case(spoil=_tampered_payload, reason=f"{_BROKEN}|{_OTHER_IMAGE}"),
    "tampered signature": Case(spoil=_tampered_signature, reason=_BROKEN),
    "expired certificate, no timestamp": Case(spoil=_without_time, reason=_NO_TIME),
    "missing log entry": Case(spoil=_missing_entry, reason="no transparency log holds it"),
    "bad inclusion proof": Case(spoil=_bad_proof, reason="inclusion proof does not verify"),
    "bad timestamp": Case(spoil=_bad_stamp, reason="its timestamp does not verify|a timestamp that is not one"),
    "bad promise": Case(spoil=_bad_promise, reason="signed entry timestamp does not verify"),
    "other log's key": Case(spoil=_other_logs_key, reason="(signed entry timestamp|inclusion proof) does not verify"),
    IGNORED: Case(
        spoil=_bad_entry_ignored, reason="(signed entry timestamp|inclusion proof) does not verify|no proved time"
    ),
    ATTESTED: Case(spoil=_as_signature, reason=_HOLDS),
}
FRESH = "certificate still valid, no timestamp"
CASES_NOW: Mapping[str, Case] = {
    (FRESH if case.spoil is _without_time else title): case for title, case in CASES.items()
}
"""The same of signatures made just now."""


def _without_log(good: Specimen) -> Specimen | None:
    if good.kind.log is Log.NONE:
        return None
    if not good.kind.version:
        return _with_note(good, LOG_NOTE, None)
    return _with_content(good, lambda value: value["verificationMaterial"].pop("tlogEntries"))


def _with_content(good: Specimen, change: Callable[[Any], object]) -> Specimen:
    value = json.loads(good.content)
    change(value)
    return replace(good, content=json.dumps(value).encode())


def _with_note(good: Specimen, name: str, value: str | None) -> Specimen:
    notes = {key: text for key, text in good.annotations.items() if key != name}
    return replace(good, annotations=notes if value is None else {**notes, name: value})


def _flipped(text: str) -> str:
    """Base64 of the same bytes with a bit of the last one changed."""
    content = bytearray(base64.b64decode(text))
    content[-1] ^= 1
    return base64.b64encode(content).decode()
