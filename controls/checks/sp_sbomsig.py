"""SP-SBOMSIG: the SBOM is signed, and about this image."""

from __future__ import annotations

from compliance.model.evidence import Evidence
from compliance.model.outcome import Check, Outcome, Severity, Trait
from controls.statements import SBOM, attestations, judge_signed


def run(evidence: Evidence) -> Outcome:
    """Attestations of an SPDX or CycloneDX predicate type whose subject is this digest."""
    return judge_signed(evidence, attestations(evidence, SBOM), "SBOM attestation about this digest")


CHECK = Check(
    id="SP-SBOMSIG",
    title="SBOM is signed and bound to this digest",
    trait=Trait.SUPPLY,
    severity=Severity.MEDIUM,
    rationale="An SBOM that nobody signed can be replaced by anyone who can write to the registry, and nobody can "
    "be held to what it says.",
    looks_at="Attestations found with the image whose predicate type is SPDX or CycloneDX and whose subject is the "
    "image's or its index's digest, verified against the key or identity that was named.",
    proves="A pass proves that the named signer attested an SBOM about this digest. Whether that SBOM is complete "
    "(SP-SBOM) and true is another question.",
    remediation="Attest the SBOM (hullmark attest, or cosign attest --type cyclonedx) with the expected key.",
    run=run,
    references=("in-toto attestation: predicates cyclonedx, spdx2, spdx3",),
)
