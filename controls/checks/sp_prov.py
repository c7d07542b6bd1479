"""SP-PROV: signed provenance says where and how this image was built."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from compliance.errors import FormatError
from compliance.formats.predicate_values import counted
from compliance.formats.provenance import Provenance
from compliance.formats.verification_results import VERIFICATION_SUMMARY, VerificationSummary
from compliance.model.evidence import Evidence
from compliance.model.outcome import Check, Observation, ObservationKind, Outcome, Passed, Severity, Trait
from compliance.model.verification import Attestation, PolicyState, Signer
from controls.statements import PROVENANCE, attestations, judge_signed, signer_text, trusted, understood


def run(evidence: Evidence) -> Outcome:
    """SLSA provenance of any version about this digest: its builder and source, and the level that is shown."""
    found = attestations(evidence, PROVENANCE)
    outcome = judge_signed(evidence, found, "Build provenance about this digest")
    if not isinstance(outcome, Passed):
        return outcome
    told = (seen for attestation in found if trusted(evidence, attestation) for seen in _told(attestation, evidence))
    return replace(outcome, observations=(*outcome.observations, *told, *_summaries(evidence)))


def _told(attestation: Attestation, evidence: Evidence) -> Iterator[Observation]:
    """What a verified statement says of the build, and how far that reaches."""
    try:
        stated = next((one for one in understood(attestation) if isinstance(one, Provenance)), None)
    except FormatError as error:
        yield _observation(attestation, f"What the verified provenance says of the build can't be read: {error}.")
        return
    if stated is None:
        return
    named = f"names the builder {stated.builder}" if stated.builder else "names no builder"
    accepted = _accepted(attestation, evidence)
    yield _observation(
        attestation,
        f"The verified provenance {named}; {_COMPARED[accepted]}.",
        stated.builder or None,
    )
    source = stated.source
    if source is not None:
        revision = f" at {source.digest}" if source.digest else ", without a revision"
        yield _observation(attestation, f"It says that the image was built from {source.uri}{revision}.", source.digest)
    kind = f"The build is of type {stated.build_type or 'not stated'}"
    inputs = counted(len(stated.dependencies), "input")
    unpinned = sum(not item.digest for item in stated.dependencies)
    pinned = f", {unpinned:,} of them without a digest" if unpinned else ""
    yield _observation(attestation, f"{kind} and names {inputs}{pinned}.", stated.build_type or None)
    yield _observation(attestation, _level(stated, attestation.signer, accepted))


_COMPARED = {
    None: "no list of builders was given to compare it with",
    True: "that is one whom the trust policy accepts",
    False: "this is not what holds the trust policy's requirement on builders",
}
_HIGHER = {
    None: "no list of trusted builders was given",
    True: "the trust policy accepts this builder, and does not say that it is hosted or keeps builds apart",
    False: "the trust policy does not accept it as of one of its builders",
}


def _accepted(attestation: Attestation, evidence: Evidence) -> bool | None:
    """Whether it is what holds the trust policy's lists of builders; None where there is none for its kind."""
    policy = evidence.verification.policy
    answers = [answer for answer in policy.requirements if answer.builders] if policy is not None else []
    asked = [answer for answer in answers if attestation.what in answer.what]
    if not asked:
        return None
    return all(answer.state is PolicyState.HELD and attestation.material in answer.materials for answer in asked)


def _level(stated: Provenance, signer: Signer, accepted: bool | None) -> str:
    """The SLSA Build level that is shown. Level 1: there is provenance, and it says who built and how. No more.

    For level 2 the builder must be known as hosted and sign itself, for level 3 be known to keep builds apart:
    neither is in the statement. A trust policy names builders that are accepted, and no level of theirs.
    """
    if not (stated.builder and stated.build_type):
        return "No SLSA Build level is shown: the provenance does not say who built the image and how."
    if stated.builder == signer.identity:
        signed = "; it is signed by the builder that it names"
    else:
        signed = f"; it is signed by {signer_text(signer)}, not by the builder that it names"
    return f"SLSA Build level 1 is shown{signed}; levels 2 and 3 are not claimed: {_HIGHER[accepted]}."


def _summaries(evidence: Evidence) -> Iterator[Observation]:
    """Levels that a verified summary (VSA) states: its verifier's word, told as that."""
    for attestation in attestations(evidence, (VERIFICATION_SUMMARY,)):
        if not trusted(evidence, attestation):
            continue
        try:
            stated = [one for one in understood(attestation) if isinstance(one, VerificationSummary)]
        except FormatError:
            continue
        for one in stated:
            yield _observation(attestation, f"Verified, by {signer_text(attestation.signer)}: {one.summary}.")


def _observation(attestation: Attestation, summary: str, value: str | None = None) -> Observation:
    return Observation(summary=summary, kind=ObservationKind.SIGNATURE, value=value, method=attestation.predicate_type)


CHECK = Check(
    id="SP-PROV",
    title="Build provenance present, signed, about this digest",
    trait=Trait.SUPPLY,
    severity=Severity.HIGH,
    rationale="Provenance tells which builder made the image, from which source and how, so that a build on "
    "somebody's machine or from another repository can be told from the one intended.",
    looks_at="Attestations found with the image whose predicate type is SLSA provenance (v0.2 or v1) and whose subject "
    "is the image's or its index's digest, verified against the key or identity that was named; the builder, source "
    "and inputs that they name; verified SLSA verification summaries.",
    proves="A pass proves that the named signer attested provenance about this digest; where that says who built the "
    "image and how, it is SLSA Build level 1. Builder, source and inputs are what the signer says. Levels 2 and 3 are "
    "never claimed: no provenance shows that its builder is hosted and keeps builds apart. Whether a trust policy "
    "accepts the builder is told.",
    remediation="Let the build platform attest SLSA provenance for the digest, and name its identity when assessing.",
    run=run,
    references=("slsa.dev provenance v1 and v0.2", "slsa.dev Build track levels"),
)
