"""Prove who signed one thing, with one key or one trusted root: the steps of the Sigstore client specification.

They are the same for cosign's older layers. Who should have signed is not asked here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from compliance.formats.plain_text import plain_text
from compliance.formats.public_key import (
    PublicKey,
    digest_signature_holds,
    key_id,
    signature_holds,
    subject_public_key_info,
    usable,
)
from compliance.formats.sigstore_bundle import LogEntry
from compliance.model.verification import Signer
from compliance.verify.certificate import certificate_signer, verify_certificate
from compliance.verify.material import Material
from compliance.verify.refusal import NotCheckableError, RejectedError, UnknownLogError
from compliance.verify.timestamp import timestamp_time
from compliance.verify.transparency import LogEvidence, Logged, verify_log_entry
from compliance.verify.trusted_root import TrustedRoot


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What to check with. `subjects` maps the digests that are this image to what they are.

    `ignore_tlog` lets count what no transparency log holds; timestamps and log entries that are there are checked all
    the same, if there is a root to check them with. `keys_only` leaves certificates alone.
    """

    key: PublicKey | None
    root: TrustedRoot | None
    ignore_tlog: bool
    subjects: Mapping[str, str]
    keys_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What was proved: who signed, by what log evidence, since when."""

    signer: Signer
    transparency: str
    signed_at: datetime | None
    subject: str


def prove(material: Material, means: Means) -> Proof:
    """The steps of verification (client spec, "Verification"). Raises RejectedError or NotCheckableError."""
    # 1. It is about this image: for any other digest a good signature means nothing here.
    subject = subject_of(material, means.subjects)
    # 2. What to check it with. A key never stands in for a certificate, nor the other way round.
    if material.certificate is None:
        return _prove_by_key(material, means, subject)
    return _prove_by_certificate(material, material.certificate, means, subject)


def subject_of(material: Material, subjects: Mapping[str, str]) -> str:
    """What of this image `material` is about. Raises RejectedError: for another, a good signature means nothing."""
    subject = next((what for digest, what in subjects.items() if digest in material.subjects), None)
    if subject is None:
        raise RejectedError("it is about another image: " + plain_text(", ".join(material.subjects), 200))
    return subject


def _prove_by_key(material: Material, means: Means, subject: str) -> Proof:
    if means.key is None:
        raise NotCheckableError("it was made with a key, and no key was given")
    # 3. The signature.
    signature = _good_signature(material, means.key)
    signer = Signer(key_id=key_id(means.key))
    # 4. The transparency log, which only the user may leave aside. What is there must hold all the same.
    if not material.log_entries and not means.ignore_tlog:
        raise RejectedError("no transparency log holds it (it counts only when the log is to be ignored)", signer)
    if means.root is None:
        if not means.ignore_tlog:
            raise NotCheckableError("it is in a transparency log, and no trusted root was given to check that with")
        said = "not checked: no trusted root was given" if material.log_entries or material.timestamps else "none"
        return Proof(signer=signer, transparency=said, signed_at=None, subject=subject)
    verifier = subject_public_key_info(means.key)
    times, transparency = _log_evidence(material, signature, verifier, means.root, ignore_tlog=means.ignore_tlog)
    return Proof(signer=signer, transparency=transparency, signed_at=min(times, default=None), subject=subject)


def _prove_by_certificate(material: Material, certificate: bytes, means: Means, subject: str) -> Proof:
    if means.root is None:
        raise NotCheckableError("it was made with a certificate, and no trusted root was given")
    if means.keys_only:
        raise NotCheckableError("it was made with a certificate, and a key was demanded")
    leaf = x509.load_der_x509_certificate(certificate)
    # 3. The signature.
    signature = _good_signature(material, usable(leaf.public_key()))
    # 4. When it was made, and that a log holds it.
    if not material.log_entries and not means.ignore_tlog:
        raise RejectedError("no transparency log holds it (it counts only when the log is to be ignored)")
    times, transparency = _log_evidence(material, signature, certificate, means.root, ignore_tlog=means.ignore_tlog)
    # 5. The certificate, at each of those times.
    verify_certificate(leaf, times, means.root)
    # 6. To whom it was issued.
    return Proof(signer=certificate_signer(leaf), transparency=transparency, signed_at=min(times), subject=subject)


def _good_signature(material: Material, key: PublicKey) -> bytes:
    """The signature that `key` made over the message."""
    for signature in material.signatures:
        if material.message is None:
            holds = digest_signature_holds(key, signature, material.message_sha256)
        else:
            holds = signature_holds(key, signature, material.message)
        if holds:
            return signature
    raise RejectedError("its signature does not verify")


def _log_evidence(
    material: Material, signature: bytes, verifier: bytes, root: TrustedRoot, *, ignore_tlog: bool
) -> tuple[tuple[datetime, ...], str]:
    """All proved times, and the log evidence in words. Every timestamp and every entry there must verify.

    Where the log may be ignored, an entry that can't be checked proves nothing; one that is wrong is refused still.
    """
    if len(set(material.timestamps)) != len(material.timestamps):
        raise RejectedError("the same timestamp twice")
    # A timestamp is over the signature; in an ``.att`` layer, as cosign verifies it, over the whole envelope.
    stamped = material.envelope or signature
    times = tuple(timestamp_time(token, stamped, root) for token in material.timestamps)
    logged = Logged(
        signature=signature,
        verifier=verifier,
        keyed=material.certificate is None,
        message_sha256=material.message_sha256,
        message=material.message,
        payload=material.payload,
        envelope=material.envelope,
    )
    found = [_entry_evidence(entry, logged, root, times, ignore_tlog=ignore_tlog) for entry in material.log_entries]
    promised = tuple(evidence.time for evidence in found if evidence.time is not None)
    return (*times, *promised), "; ".join(evidence.text for evidence in found) or "none"


def _entry_evidence(
    entry: LogEntry, logged: Logged, root: TrustedRoot, times: tuple[datetime, ...], *, ignore_tlog: bool
) -> LogEvidence:
    try:
        return verify_log_entry(entry, logged, root, times)
    except (UnknownLogError, NotCheckableError) as error:
        if not ignore_tlog:
            raise
        return LogEvidence(text=f"not checked: {error.reason}", time=None)
