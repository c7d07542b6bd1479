"""Attestations as evidence: which are about this image, how far they are to be believed, and what they say."""

from __future__ import annotations

from compliance.errors import FormatError
from compliance.formats.intoto import read_statement
from compliance.formats.predicates import Said, understand
from compliance.formats.signed_json import JsonObject
from compliance.model.evidence import Evidence
from compliance.model.outcome import Failed, Observation, ObservationKind, Outcome, Passed, Unknown
from compliance.model.verification import Attestation, Signature, Signer, Verdict

PROVENANCE = ("https://slsa.dev/provenance/",)
SBOM = ("https://spdx.dev/Document", "https://cyclonedx.org/bom")
"""Beginnings of predicate types: versions are appended to them."""


def attestations(evidence: Evidence, types: tuple[str, ...]) -> tuple[Attestation, ...]:
    """The attestations of those predicate types that name this image's digest, or its index's, as subject."""
    own = {evidence.image.digest, evidence.image.index_digest} - {None}
    return tuple(
        attestation
        for attestation in evidence.verification.attestations
        if attestation.predicate_type.startswith(types) and not own.isdisjoint(attestation.subjects)
    )


def trusted(evidence: Evidence, attestation: Attestation) -> bool:
    """Whether it verifies for a signer that was demanded for its kind; without a demand anybody's would verify."""
    return attestation.verdict is Verdict.VERIFIED and evidence.verification.demand.covers(attestation.what)


def predicate(attestation: Attestation) -> JsonObject | None:
    """What the statement says; None when it can't be read as one."""
    try:
        return read_statement(attestation.statement).predicate
    except FormatError:
        return None


def understood(attestation: Attestation) -> tuple[Said, ...]:
    """What the attestation states; nothing for a predicate type that is not read. Raises FormatError."""
    return understand(read_statement(attestation.statement))


def signer_text(signer: Signer) -> str:
    """The signer in words: identity and issuer, or key."""
    if signer.identity:
        return f"{signer.identity} (issuer {signer.issuer or 'not stated'})"
    return f"the key {signer.key_id}" if signer.key_id else "nobody that was verified"


def signed_observation(item: Signature | Attestation, what: str) -> Observation:
    """One signature or attestation with its verdict, signer and log evidence."""
    if item.verdict is Verdict.VERIFIED:
        summary = f"{what} verifies for {signer_text(item.signer)}; transparency: {item.transparency}."
    else:
        summary = f"{what} is {item.verdict}: {item.reason}."
    return Observation(
        summary=summary,
        kind=ObservationKind.SIGNATURE,
        value=item.material,
        method=f"{item.kind}, {item.found_in}",
    )


def judge_signed(evidence: Evidence, items: tuple[Signature, ...] | tuple[Attestation, ...], what: str) -> Outcome:
    """The rule for everything signed: one that verifies for a demanded signer passes, whoever signed the others.

    Nothing there, nothing demanded or nothing checked is unknown; only invalid ones are a failure.
    """
    verification = evidence.verification
    unreadable = tuple(
        Observation(summary=f"Material at {where} can't be read: {why}.", kind=ObservationKind.SIGNATURE)
        for where, why in verification.unreadable
    )
    seen = (*(signed_observation(item, what) for item in items), *unreadable)
    if not items:
        about = "there is material that can't be read" if unreadable else "none was found with the image"
        return Unknown(reason=f"{what}: {about}", observations=unreadable)
    covered = [item for item in items if verification.demand.covers(item.what)]
    if not covered:
        reason = f"{what}: {len(items)} found, but no key or identity was named that it should be by"
        return Unknown(reason=reason, observations=seen)
    verdicts = {item.verdict for item in covered}
    if Verdict.VERIFIED in verdicts:
        return Passed(observations=seen)
    if Verdict.INVALID in verdicts:
        return Failed(observations=seen)
    return Unknown(reason=f"{what}: {covered[0].reason}", observations=seen)
