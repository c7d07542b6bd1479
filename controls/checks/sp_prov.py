"""SP-PROV: signed provenance says where and how this image was built."""

from __future__ import annotations

from dataclasses import replace

from compliance.errors import FormatError
from compliance.model.evidence import Evidence
from compliance.model.outcome import Check, Observation, ObservationKind, Outcome, Passed, Severity, Trait
from compliance.model.verification import Attestation
from controls.statements import PROVENANCE, attestations, judge_signed, predicate, trusted


def run(evidence: Evidence) -> Outcome:
    """SLSA provenance of any version about this digest, and the builder it names."""
    found = attestations(evidence, PROVENANCE)
    outcome = judge_signed(evidence, found, "Build provenance about this digest")
    if not isinstance(outcome, Passed):
        return outcome
    builders = tuple(_builder(attestation) for attestation in found if trusted(evidence, attestation))
    return replace(outcome, observations=(*outcome.observations, *builders))


def _builder(attestation: Attestation) -> Observation:
    """The builder by the statement of a verified attestation: SLSA v1 runDetails.builder, v0.2 builder."""
    said = predicate(attestation)
    try:
        place = said.member("runDetails") if said is not None and said.has("runDetails") else said
        builder = place.member("builder").text("id") if place is not None else None
    except FormatError:
        builder = None
    named = f"names the builder {builder}" if builder else "names no builder"
    return Observation(
        summary=f"The verified provenance ({attestation.predicate_type}) {named}; no list of builders was given to "
        "compare it with.",
        kind=ObservationKind.SIGNATURE,
        value=builder,
        method=attestation.predicate_type,
    )


CHECK = Check(
    id="SP-PROV",
    title="Build provenance present, signed, about this digest",
    trait=Trait.SUPPLY,
    severity=Severity.HIGH,
    rationale="Where and how it was built.",
    looks_at="Attestations found with the image whose predicate type is SLSA provenance and whose subject is the "
    "image's or its index's digest, verified against the key or identity that was named; the builder they name.",
    proves="A pass proves that the named signer attested provenance about this digest. Which SLSA level it reaches is "
    "not claimed: that takes a list of trusted builders to compare the builder with.",
    remediation="Let the build platform attest SLSA provenance for the digest, and name its identity when assessing.",
    run=run,
    references=("slsa.dev provenance v1 and v0.2",),
)
