"""SC-LABEL: the image says where it comes from."""

from __future__ import annotations

from compliance.model.evidence import Evidence
from compliance.model.outcome import Check, Failed, NotApplicable, Outcome, Passed, Severity, Trait
from controls.observe import config_observation
from controls.variant import claims

PREFIX = "org.opencontainers.image."
WANTED = ("source", "revision", "created", "version", "licenses", "base.name", "base.digest", "vendor")


def run(evidence: Evidence) -> Outcome:
    """The pre-defined annotation keys, in the manifest's annotations or the config's labels."""
    if evidence.image.config is None:
        return NotApplicable(reason="a root filesystem has neither annotations nor labels")
    said = claims(evidence.image)
    there = [
        config_observation(f"{PREFIX}{key} is {said[PREFIX + key]!r}, an unsigned claim.", said[PREFIX + key])
        for key in WANTED
        if said.get(PREFIX + key, "").strip()
    ]
    missing = [
        config_observation(f"{PREFIX}{key} is neither an annotation nor a label.")
        for key in WANTED
        if not said.get(PREFIX + key, "").strip()
    ]
    return Failed(observations=(*missing, *there)) if missing else Passed(observations=tuple(there))


CHECK = Check(
    id="SC-LABEL",
    title="Identity annotations present",
    trait=Trait.PURPOSE,
    severity=Severity.LOW,
    rationale="Source, revision and version tell from what an image was built and whom to ask; without them a "
    "finding in production cannot be traced to a commit.",
    looks_at="The manifest's annotations and the config's labels for the org.opencontainers.image keys source, "
    "revision, created, version, licenses, base.name, base.digest and vendor.",
    proves="A pass proves that all eight are there. They are unsigned claims: that they are true is not looked at.",
    remediation="Set the annotations while building (docker build --label, or the builder's annotation option).",
    run=run,
    references=("OCI image-spec annotations.md: pre-defined annotation keys",),
)
