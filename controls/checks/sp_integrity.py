"""SP-INTEGRITY: the bytes are those that the digests name."""

from __future__ import annotations

from compliance.model.evidence import Evidence
from compliance.model.outcome import (
    Check,
    NotApplicable,
    Observation,
    ObservationKind,
    Outcome,
    Passed,
    Severity,
    Trait,
    Unknown,
)
from controls.observe import count


def run(evidence: Evidence) -> Outcome:
    """Every digest of the image must be among those recomputed; one that differs ends the run before any check."""
    image = evidence.image
    if image.config is None:
        return NotApplicable(reason="a root filesystem has no manifest, config or layers with digests")
    checked = evidence.verification.integrity.checked
    wanted = {
        "manifest": image.digest,
        "config": image.config_digest,
        **{f"layer {layer.index}": layer.digest for layer in image.layers},
        **{f"layer {layer.index}, uncompressed": layer.diff_id for layer in image.layers},
    }
    recomputed = {digest for _, digest in checked}
    missing = [f"{what} ({digest})" for what, digest in wanted.items() if digest and digest not in recomputed]
    seen = tuple(
        Observation(
            summary=f"Recomputed from the bytes, and equal: {what}, {digest}.",
            kind=ObservationKind.NOTE,
            value=digest,
            method="recomputed digest",
        )
        for what, digest in checked
    )
    if missing:
        return Unknown(
            reason=f"{count(len(missing), 'digest')} not recomputed: {', '.join(missing[:5])}", observations=seen
        )
    return Passed(observations=seen)


CHECK = Check(
    id="SP-INTEGRITY",
    title="Manifest, config and layers hash to their digests",
    trait=Trait.SUPPLY,
    severity=Severity.CRITICAL,
    rationale="Everything else that is said of the image is said of bytes; only if these hash to the digest named "
    "is it said of that image.",
    looks_at="The bytes of manifest, config and every layer, stored and uncompressed, hashed while they are read.",
    proves="A pass proves that every byte that was assessed belongs to the image of the digest named. It does not "
    "prove who made it (SP-SIG asks that). A digest that differs never gets this far: it ends the run.",
    remediation="Fetch or push the image again; where a digest still differs, find out who changed the bytes.",
    run=run,
    references=("OCI image-spec descriptor.md: digests", "OCI image-spec config.md: rootfs.diff_ids"),
)
