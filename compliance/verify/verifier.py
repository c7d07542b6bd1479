"""Verify the signatures and attestations attached to an image, offline.

The steps are those of the Sigstore client specification, for cosign's older layers too; sigstore-python's parts
do Merkle proofs, checkpoints, certificate timestamps and keyrings. Where its own verifier is laxer than the
specification or reads less, see compliance/verify/trusted_root.py, transparency.py and material.py.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509

from compliance.errors import ComplianceError, IntegrityError, UsageError
from compliance.formats.plain_text import plain_text
from compliance.formats.public_key import (
    PublicKey,
    digest_signature_holds,
    key_id,
    load_public_key,
    signature_holds,
    subject_public_key_info,
    usable,
)
from compliance.model.image import Image
from compliance.model.verification import (
    Attestation,
    Demand,
    Integrity,
    Signature,
    Signer,
    Verdict,
    Verification,
)
from compliance.verify.certificate import certificate_signer, verify_certificate
from compliance.verify.material import Material, Unreadable, materials
from compliance.verify.refusal import NotCheckableError, RejectedError
from compliance.verify.timestamp import timestamp_time
from compliance.verify.transparency import Logged, verify_log_entry
from compliance.verify.trusted_root import TrustedRoot

__all__ = ["integrity_of", "load_public_key", "verify_image"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trust:
    """What to check with. `subjects` maps the digests that are this image to what they are."""

    demand: Demand
    key: PublicKey | None
    root: TrustedRoot | None
    ignore_tlog: bool
    now: datetime
    subjects: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Proof:
    """What was proved: who signed, by what log evidence, since when."""

    signer: Signer
    transparency: str
    signed_at: datetime | None
    subject: str


_NOBODY = Signer()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judgement:
    verdict: Verdict
    reason: str
    signer: Signer = _NOBODY
    transparency: str = "none"
    signed_at: str | None = None


def verify_image(
    image: Image,
    demand: Demand,
    *,
    key: PublicKey | None,
    trusted_root: bytes | None,
    ignore_tlog: bool,
    now: datetime,
    layers_read: bool = False,
) -> Verification:
    """Check everything attached to `image`; an image without signatures is a result, not an error.

    With a demand, `verified` means: by the demanded signer. Without one it means only that the cryptography
    holds, and the reason says so; nobody is trusted by that. `ignore_tlog` lets a signature count that no
    transparency log holds; then nothing shows when a key or certificate was misused. `now` is only compared with
    the times of signing, to say so where one lies after it. `layers_read` says that the image's layers were read
    to their end, so that their digests were recomputed; else none is claimed.

    Raises UsageError for a demand that can't be checked, FormatError for a trusted root that is none.
    """
    _check_demand(demand)
    trust = _Trust(
        demand=demand,
        key=key,
        root=None if trusted_root is None else TrustedRoot(trusted_root),
        ignore_tlog=ignore_tlog,
        now=now,
        subjects=_subjects(image),
    )
    signatures: list[Signature] = []
    attestations: list[Attestation] = []
    unreadable: list[tuple[str, str]] = []
    for material in materials(image):
        if isinstance(material, Unreadable):
            unreadable.append((material.found_in, material.reason))
            continue
        judgement = _judge(material, trust)
        if material.is_signature:
            signatures.append(_signature(material, judgement))
        else:
            attestations.append(_attestation(material, judgement))
    return Verification(
        integrity=integrity_of(image, layers_read=layers_read),
        demand=demand,
        signatures=tuple(signatures),
        attestations=tuple(attestations),
        unreadable=tuple(unreadable),
    )


def integrity_of(image: Image, *, layers_read: bool) -> Integrity:
    """The digests that reading `image` recomputed from its bytes; those of layers only when they were read.

    Manifest and config are hashed again here. Raises IntegrityError where one differs.
    """
    checked: list[tuple[str, str]] = []
    if image.index_digest is not None:
        checked.append(("index", image.index_digest))
    if image.config is None:
        checked.append(("listing of the root file system", image.digest))
    elif image.digest != image.config_digest:
        checked.append(("manifest", _same(image.digest, image.manifest, "manifest")))
    if image.config_digest is not None:
        checked.append(("config", _same(image.config_digest, image.config_bytes, "config")))
    for layer in image.layers if layers_read else ():
        checked.append((f"layer {layer.index + 1}", layer.digest))
        if layer.diff_id != layer.digest:
            checked.append((f"layer {layer.index + 1}, uncompressed", layer.diff_id))
    return Integrity(checked=tuple(checked))


def _same(digest: str, content: bytes, what: str) -> str:
    algorithm, _, value = digest.partition(":")
    if hashlib.new(algorithm, content).hexdigest() != value:
        raise IntegrityError(f"the {what} does not hash to its digest", code="digest-mismatch", where=digest)
    return digest


def _subjects(image: Image) -> Mapping[str, str]:
    subjects = {image.digest: "this image"}
    if image.index_digest is not None:
        subjects.setdefault(image.index_digest, "the index that lists this image")
    return subjects


def _check_demand(demand: Demand) -> None:
    """An identity is only one together with who vouches for it: anyone may run an issuer that says the same."""
    identity = demand.identity or demand.identity_regexp
    issuer = demand.issuer or demand.issuer_regexp
    if bool(identity) is not bool(issuer):
        raise UsageError(
            "a certificate identity is demanded without its issuer, or an issuer without an identity",
            code="demand-incomplete",
            hint="give both --certificate-identity and --certificate-oidc-issuer, or their -regexp forms",
        )
    for pattern in (demand.identity_regexp, demand.issuer_regexp):
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise UsageError(f"not a regular expression: {error}", code="regexp-invalid", where=pattern) from None


def _judge(material: Material, trust: _Trust) -> _Judgement:
    """Prove what can be proved, then hold it against the demand. Whatever hostile bytes raise is a rejection."""
    try:
        proof = _prove(material, trust)
        _meet_demand(proof.signer, trust.demand)
    except RejectedError as error:
        return _Judgement(verdict=Verdict.INVALID, reason=error.reason, signer=error.signer)
    except NotCheckableError as error:
        return _Judgement(verdict=Verdict.UNCHECKED, reason=error.reason)
    except ComplianceError as error:
        return _Judgement(verdict=Verdict.INVALID, reason=f"malformed: {error}")
    except Exception as error:  # noqa: BLE001
        # The parsers of ASN.1, X.509 and JSON below raise types that nobody lists.
        return _Judgement(verdict=Verdict.INVALID, reason=f"malformed: {plain_text(repr(error), 200)}")
    return _Judgement(
        verdict=Verdict.VERIFIED,
        reason=_reason(proof, trust),
        signer=proof.signer,
        transparency=proof.transparency,
        signed_at=None if proof.signed_at is None else _rfc3339(proof.signed_at),
    )


def _prove(material: Material, trust: _Trust) -> _Proof:
    """The steps of verification (client spec, "Verification"). Raises RejectedError or NotCheckableError."""
    # 1. It is about this image: for any other digest a good signature means nothing here.
    subject = next((what for digest, what in trust.subjects.items() if digest in material.subjects), None)
    if subject is None:
        raise RejectedError("it is about another image: " + plain_text(", ".join(material.subjects), 200))
    # 2. What to check it with. A key never stands in for a certificate, nor the other way round.
    if material.certificate is None:
        return _prove_by_key(material, trust, subject)
    return _prove_by_certificate(material, material.certificate, trust, subject)


def _prove_by_key(material: Material, trust: _Trust, subject: str) -> _Proof:
    if trust.key is None:
        raise NotCheckableError("it was made with a key, and no key was given")
    # 3. The signature.
    signature = _good_signature(material, trust.key)
    signer = Signer(key_id=key_id(trust.key))
    # 4. The transparency log, which only the user may leave aside.
    if trust.ignore_tlog:
        said = "not checked, as asked" if material.log_entries else "none"
        return _Proof(signer=signer, transparency=said, signed_at=None, subject=subject)
    if not material.log_entries:
        raise RejectedError("no transparency log holds it (it counts only when the log is to be ignored)", signer)
    if trust.root is None:
        raise NotCheckableError("it is in a transparency log, and no trusted root was given to check that with")
    verifier = subject_public_key_info(trust.key)
    times, transparency = _log_evidence(material, signature, verifier, trust.root)
    return _Proof(signer=signer, transparency=transparency, signed_at=min(times, default=None), subject=subject)


def _prove_by_certificate(material: Material, certificate: bytes, trust: _Trust, subject: str) -> _Proof:
    if trust.root is None:
        raise NotCheckableError("it was made with a certificate, and no trusted root was given")
    if trust.demand.made and not (trust.demand.identity or trust.demand.identity_regexp):
        raise NotCheckableError("it was made with a certificate, and a key was demanded")
    leaf = x509.load_der_x509_certificate(certificate)
    # 3. The signature.
    signature = _good_signature(material, usable(leaf.public_key()))
    # 4. When it was made, and that a log holds it.
    if not material.log_entries and not trust.ignore_tlog:
        raise RejectedError("no transparency log holds it (it counts only when the log is to be ignored)")
    times, transparency = _log_evidence(material, signature, certificate, trust.root)
    # 5. The certificate, at each of those times.
    verify_certificate(leaf, times, trust.root)
    # 6. To whom it was issued.
    return _Proof(signer=certificate_signer(leaf), transparency=transparency, signed_at=min(times), subject=subject)


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
    material: Material, signature: bytes, verifier: bytes, root: TrustedRoot
) -> tuple[tuple[datetime, ...], str]:
    """All proved times, and the log evidence in words. Every timestamp and every entry there must verify."""
    if len(set(material.timestamps)) != len(material.timestamps):
        raise RejectedError("the same timestamp twice")
    # cosign stamps the signature; for old attestations some versions stamp the whole envelope.
    stamped = (signature, material.envelope) if material.envelope else (signature,)
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
    found = [verify_log_entry(entry, logged, root, times) for entry in material.log_entries]
    promised = tuple(evidence.time for evidence in found if evidence.time is not None)
    return (*times, *promised), "; ".join(evidence.text for evidence in found) or "none"


def _meet_demand(signer: Signer, demand: Demand) -> None:
    """Whether `signer` is who was demanded. Keys are met already: the demanded one is what was checked with."""
    if signer.key_id is not None or not demand.made:
        return
    identity, issuer = signer.identity or "", signer.issuer or ""
    if not (
        _matches(identity, demand.identity, demand.identity_regexp)
        and _matches(issuer, demand.issuer, demand.issuer_regexp)
    ):
        raise RejectedError(f"signed by {identity} (issuer {issuer}), who is not the demanded signer", signer)


def _matches(value: str, exact: str | None, regexp: str | None) -> bool:
    """Both, where both are given. As in cosign a regular expression may match any part: anchor it with ^ and $."""
    if exact is not None and value != exact:
        return False
    return regexp is None or re.search(regexp, value) is not None


def _reason(proof: _Proof, trust: _Trust) -> str:
    signer = proof.signer
    who = f"key {signer.key_id}" if signer.key_id is not None else f"{signer.identity} (issuer {signer.issuer})"
    text = f"about {proof.subject}, signed by {who}"
    if not trust.demand.made and trust.key is None:
        text += "; no signer was demanded, so this says who signed, not that they may"
    if proof.signed_at is not None and proof.signed_at > trust.now:
        text += "; signed after the time of this assessment"
    return text


def _rfc3339(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _signature(material: Material, judgement: _Judgement) -> Signature:
    return Signature(
        kind=material.kind,
        verdict=judgement.verdict,
        signer=judgement.signer,
        transparency=judgement.transparency,
        reason=judgement.reason,
        material=material.digest,
        found_in=material.found_in,
        signed_at=judgement.signed_at,
    )


def _attestation(material: Material, judgement: _Judgement) -> Attestation:
    assert material.statement is not None  # noqa: S101  else it is a signature
    return Attestation(
        kind=material.kind,
        predicate_type=plain_text(material.statement.predicate_type),
        verdict=judgement.verdict,
        signer=judgement.signer,
        transparency=judgement.transparency,
        reason=judgement.reason,
        material=material.digest,
        found_in=material.found_in,
        subjects=material.subjects,
        signed_at=judgement.signed_at,
        statement=material.payload,
    )
