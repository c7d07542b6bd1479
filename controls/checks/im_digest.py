"""IM-DIGEST: the image and its base are named by digest."""

from __future__ import annotations

import re
from collections.abc import Iterable

from compliance.errors import FormatError
from compliance.formats.signed_json import JsonObject
from compliance.model.evidence import Evidence
from compliance.model.outcome import (
    Check,
    Failed,
    NotApplicable,
    Observation,
    Outcome,
    Passed,
    Severity,
    Trait,
    Unknown,
)
from compliance.model.reference import Scheme
from controls.observe import config_observation, note
from controls.statements import PROVENANCE, attestations, predicate, trusted
from controls.variant import claims

BASE_DIGEST, BASE_NAME = "org.opencontainers.image.base.digest", "org.opencontainers.image.base.name"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_IMAGE_URI = re.compile(r"(?:pkg:(?:docker|oci)/|docker://|oci://)")
_ARCHIVES = (Scheme.OCI_ARCHIVE, Scheme.DOCKER_ARCHIVE)


def run(evidence: Evidence) -> Outcome:
    """The reference the user gave, then the base image by annotation or provenance."""
    reference = evidence.image.reference
    if reference.scheme in (Scheme.DIR, Scheme.ROOTFS_TAR):
        return NotApplicable(reason="a root filesystem is named by a path; it has no manifest with a digest")
    own = {evidence.image.digest, evidence.image.index_digest}
    if reference.digest is None and reference.scheme not in _ARCHIVES:
        return Failed(observations=(config_observation(_unpinned(reference.tag), str(reference)),))
    if reference.digest is not None and reference.digest not in own:
        return Failed(
            observations=(
                config_observation(f"The reference names {reference.digest}, the image is {evidence.image.digest}."),
            )
        )
    base = tuple(_base(evidence))
    if reference.digest is None:
        return Unknown(
            reason="an archive file is not a reference by which an image is deployed, so whether that one is pinned "
            "can't be seen",
            observations=base,
        )
    pinned = config_observation(f"The reference pins the image by {reference.digest}.", str(reference))
    if not base:
        return Unknown(
            reason=f"the base image can't be shown: no {BASE_DIGEST}, and no verified provenance with an image among "
            "its dependencies",
            observations=(pinned,),
        )
    return Passed(observations=(pinned, *base))


def _unpinned(tag: str | None) -> str:
    if tag is None:
        return "The reference has neither digest nor tag, so it stands for whatever image is there."
    return f"The reference names the tag {tag!r}, which can be moved to another image, and no digest."


def _base(evidence: Evidence) -> Iterable[Observation]:
    """What names the base image by digest: an annotation (an unsigned claim), or verified provenance."""
    claimed = claims(evidence.image)
    digest = claimed.get(BASE_DIGEST, "")
    if _DIGEST.fullmatch(digest):
        name = claimed.get(BASE_NAME)
        of = f" of {name}" if name else ""
        yield config_observation(f"{BASE_DIGEST} claims, unsigned, the base image {digest}{of}.", digest)
    for attestation in attestations(evidence, PROVENANCE):
        said = predicate(attestation) if trusted(evidence, attestation) else None
        for uri, pin in _images(said) if said is not None else ():
            yield note(f"Verified provenance names the image {uri} with the digest {pin} among what it was built from.")


def _images(said: JsonObject) -> Iterable[tuple[str, str]]:
    """Images with their digests among the dependencies of SLSA provenance v1 or v0.2."""
    try:
        definition = said.member("buildDefinition") if said.has("buildDefinition") else said
        found = (*definition.members("resolvedDependencies"), *said.members("materials"))
        pins = [(dependency.text("uri", ""), dependency.texts("digest").get("sha256")) for dependency in found]
    except FormatError:
        return
    for uri, pin in pins:
        if pin is not None and _IMAGE_URI.match(uri) and _DIGEST.fullmatch(f"sha256:{pin}"):
            yield uri[:300], f"sha256:{pin}"


CHECK = Check(
    id="IM-DIGEST",
    title="Image pinned by digest; base pinned by digest",
    trait=Trait.IMMUTABLE,
    severity=Severity.MEDIUM,
    rationale="A tag can be moved to another image at any time; a digest cannot, so only an image and a base named "
    "by digest are the ones that were examined.",
    looks_at="The image reference that was assessed, the annotations or labels org.opencontainers.image.base.digest "
    "and base.name, and the dependencies in verified SLSA provenance (v1 or v0.2).",
    proves="A pass proves that the assessed reference holds this image's digest and that a digest of a base image is "
    "stated. An annotation is an unsigned claim; which reference a deployment uses is not seen here, and which of "
    "several images in provenance is the base is not told by it.",
    remediation="Refer to the image as NAME@sha256:…, write FROM NAME@sha256:… and keep the base annotations.",
    run=run,
    references=("OCI image-spec annotations.md", "slsa.dev provenance v1: resolvedDependencies"),
)
