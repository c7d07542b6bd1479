"""Verify the signatures and attestations attached to an image, offline.

The steps are those of the Sigstore client specification, for cosign's older layers too; sigstore-python's parts
do Merkle proofs, checkpoints, certificate timestamps and keyrings. Where its own verifier is laxer than the
specification or reads less, see compliance/verify/trusted_root.py, transparency.py and material.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain

from compliance.errors import ComplianceError, UsageError
from compliance.formats.plain_text import plain_text
from compliance.formats.public_key import (
    PublicKey,
    key_id,
    load_public_key,
)
from compliance.model.image import Image
from compliance.model.verification import (
    Attestation,
    Demand,
    Signature,
    SignatureKind,
    Signer,
    Verdict,
    Verification,
)
from compliance.verify.integrity import integrity_of
from compliance.verify.material import Material, Unreadable, materials
from compliance.verify.proof import Means, Proof, prove, subject_of
from compliance.verify.refusal import NotCheckableError, RejectedError
from compliance.verify.trust_policy import TrustedSigner, TrustPolicy, judge
from compliance.verify.trusted_root import TrustedRoot

__all__ = ["load_public_key", "verify_by_policy", "verify_image"]


_NOBODY = Signer()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judgement:
    verdict: Verdict
    reason: str
    signer: Signer = _NOBODY
    transparency: str = "none"
    signed_at: str | None = None
    accepted_as: tuple[str, ...] = ()


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
    transparency log holds; then nothing shows when a key or certificate was misused. An entry or timestamp that is
    there and wrong is refused even then, if there is a trusted root to check it with. `now` is only compared with
    the times of signing, to say so where one lies after it. `layers_read` says that the image's layers were read
    to their end, so that their digests were recomputed; else none is claimed.

    Raises UsageError for a demand that can't be checked, FormatError for a trusted root that is none.
    """
    _check_demand(demand)
    means = Means(
        key=key,
        root=None if trusted_root is None else TrustedRoot(trusted_root),
        ignore_tlog=ignore_tlog,
        subjects=_subjects(image),
        keys_only=demand.made and not (demand.identity or demand.identity_regexp),
    )
    return _verification(image, demand, lambda material: _judge(material, means, demand, now), layers_read=layers_read)


def verify_by_policy(
    image: Image, name: str, policy: TrustPolicy, *, public_root: bytes, now: datetime, layers_read: bool = False
) -> Verification:
    """Check everything attached to `image` against what `policy` says of images called `name`.

    `verified` means: by a signer that the policy accepts for this kind of thing. Where it names none, it means
    only that the cryptography holds for one of its signers, as the reason says. Where no rule names the image,
    nobody is trusted. `public_root` is the trusted root of signers for whom the policy names none.

    Raises FormatError for a trusted root that is none.
    """
    named = policy.signers_for(name)
    everybody = tuple({signer.name: signer for signers in named.values() for signer in signers}.values())
    ways = _ways(everybody or tuple(policy.signers.values()), public_root, _subjects(image))
    found = _verification(
        image,
        Demand(by_policy=tuple(named)),
        lambda material: _judge_by_policy(material, ways, named.get(material.what), now),
        layers_read=layers_read,
    )
    return replace(found, policy=judge(policy, name, found))


def _verification(
    image: Image, demand: Demand, judged: Callable[[Material], _Judgement], *, layers_read: bool
) -> Verification:
    signatures: list[Signature] = []
    attestations: list[Attestation] = []
    unreadable: list[tuple[str, str]] = []
    for material in materials(image):
        if isinstance(material, Unreadable):
            unreadable.append((material.found_in, material.reason))
            continue
        judgement = _unsigned(material, image) or judged(material)
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


def _unsigned(material: Material, image: Image) -> _Judgement | None:
    """The judgement on what nobody signed; None for what has a signature."""
    if material.kind is not SignatureKind.IN_TOTO_UNSIGNED:
        return None
    try:
        about = f"about {subject_of(material, _subjects(image))}"
    except RejectedError as error:
        about = error.reason
    reason = f"{about}; signed by nobody: a claim of whoever could write where it lies"
    return _Judgement(verdict=Verdict.UNSIGNED, reason=reason)


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


def _judge(material: Material, means: Means, demand: Demand, now: datetime) -> _Judgement:
    """Prove what can be proved, then hold it against the demand. Whatever hostile bytes raise is a rejection."""
    try:
        proof = prove(material, means)
        _meet_demand(proof.signer, demand)
    except Exception as error:  # noqa: BLE001
        return _failure(error)
    reason = _reason(proof, now)
    if not demand.made and means.key is None:
        reason += "; no signer was demanded, so this says who signed, not that they may"
    return _success(proof, reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """One way to prove who signed, and the signers of a policy who are known by it: a key, or a trusted root."""

    means: Means
    signers: tuple[TrustedSigner, ...]


def _ways(signers: Iterable[TrustedSigner], public_root: bytes, subjects: Mapping[str, str]) -> tuple[_Way, ...]:
    """How to check for each of `signers`; those of one root and one rule about logs share the work."""
    groups: dict[tuple[bytes | None, bool, str | None], list[TrustedSigner]] = {}
    for signer in signers:
        held = None if signer.key is None else key_id(signer.key)
        # The public instance has no say in what a key signed that needs no log: it may be stamped by anybody.
        default = public_root if held is None or signer.log_required else None
        groups.setdefault((signer.trusted_root or default, signer.log_required, held), []).append(signer)
    roots = {root: None if root is None else TrustedRoot(root) for root in {root: None for root, _, _ in groups}}
    return tuple(
        _Way(
            means=Means(
                key=some[0].key,
                root=roots[root],
                ignore_tlog=not log_required,
                subjects=subjects,
            ),
            signers=tuple(some),
        )
        for (root, log_required, _), some in groups.items()
    )


def _judge_by_policy(
    material: Material, ways: tuple[_Way, ...], accepted: tuple[TrustedSigner, ...] | None, now: datetime
) -> _Judgement:
    """Who signed, by each way there is, and whether one of `accepted` did; None: the policy asks for no such thing."""
    keyed = material.certificate is None
    wanted = {signer.name for signer in accepted or ()}
    ours = [
        way
        for way in ways
        if (way.means.key is not None) is keyed and (accepted is None or wanted & {one.name for one in way.signers})
    ]
    proofs: list[Proof] = []
    names: dict[str, Proof] = {}
    failures: list[Exception] = []
    for way in ours:
        try:
            proof = prove(material, way.means)
        except Exception as error:  # noqa: BLE001
            failures.append(error)
            continue
        proofs.append(proof)
        names.update({one.name: proof for one in way.signers if one.name in wanted and one.accepts(proof.signer)})
    for name, proof in names.items():
        reason = _reason(proof, now)
        return replace(_success(proof, reason), accepted_as=(name, *(other for other in names if other != name)))
    for proof in proofs:
        reason = _reason(proof, now)
        if accepted is None:
            return _success(proof, f"{reason}; the policy names nobody to sign this, so nobody is trusted for it")
        return _failure(RejectedError(f"{reason}, whom the policy does not accept for this", proof.signer))
    return _failure(_most_telling(failures) or _no_way(keyed=keyed, asked=accepted is not None))


def _most_telling(failures: Iterable[Exception]) -> Exception | None:
    """The failure that got furthest: who signed is proved; else what could not be checked may be by anybody."""
    found = list(failures)
    proved = (error for error in found if isinstance(error, RejectedError) and error.signer != _NOBODY)
    unknown = (error for error in found if isinstance(error, NotCheckableError))
    return next(chain(proved, unknown, found), None)


def _no_way(*, keyed: bool, asked: bool) -> Exception:
    made = "it was made with a key" if keyed else "it was made with a certificate"
    other = "identities" if keyed else "keys"
    if asked:
        return RejectedError(f"{made}, and the policy accepts {other} alone for this")
    return NotCheckableError(f"{made}, and the policy names {other} alone")


def _success(proof: Proof, reason: str) -> _Judgement:
    return _Judgement(
        verdict=Verdict.VERIFIED,
        reason=reason,
        signer=proof.signer,
        transparency=proof.transparency,
        signed_at=None if proof.signed_at is None else _rfc3339(proof.signed_at),
    )


def _failure(error: Exception) -> _Judgement:
    """What an exception on the way says. Those that are not ours are of hostile bytes: nobody lists what the parsers
    of ASN.1, X.509 and JSON raise."""
    if isinstance(error, RejectedError):
        return _Judgement(verdict=Verdict.INVALID, reason=error.reason, signer=error.signer)
    if isinstance(error, NotCheckableError):
        return _Judgement(verdict=Verdict.UNCHECKED, reason=error.reason)
    if isinstance(error, ComplianceError):
        return _Judgement(verdict=Verdict.INVALID, reason=f"malformed: {error}")
    return _Judgement(verdict=Verdict.INVALID, reason=f"malformed: {plain_text(repr(error), 200)}")


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


def _reason(proof: Proof, now: datetime) -> str:
    signer = proof.signer
    who = f"key {signer.key_id}" if signer.key_id is not None else f"{signer.identity} (issuer {signer.issuer})"
    later = proof.signed_at is not None and proof.signed_at > now
    return f"about {proof.subject}, signed by {who}" + ("; signed after the time of this assessment" if later else "")


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
        accepted_as=judgement.accepted_as,
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
        accepted_as=judgement.accepted_as,
    )
