"""SP-SIG: somebody named in advance signed this image."""

from __future__ import annotations

from compliance.model.evidence import Evidence
from compliance.model.outcome import Check, Outcome, Severity, Trait
from controls.statements import judge_signed


def run(evidence: Evidence) -> Outcome:
    """Signatures only: an attestation never makes an image look signed."""
    return judge_signed(evidence, evidence.verification.signatures, "Signature of the image")


CHECK = Check(
    id="SP-SIG",
    title="Image signature verifies for an expected identity",
    trait=Trait.SUPPLY,
    severity=Severity.CRITICAL,
    rationale="A digest tells that an image is unchanged, not whose it is; a signature by an expected identity does.",
    looks_at="Signatures found with the image (cosign tags, referrers, bundles), verified against the key or identity "
    "that was named.",
    proves="A pass proves that the named key or identity signed this image's digest, with the transparency evidence "
    "that the observation tells. It does not prove that the signer was entitled to, or what the image does.",
    remediation="Sign the digest with the expected key or identity, and name it when assessing (--key, "
    "--certificate-identity with --certificate-oidc-issuer).",
    run=run,
    references=("cosign signature spec", "Sigstore bundle format"),
)
