"""SP-BASE: the image is built on a base that somebody approved."""

from __future__ import annotations

from collections.abc import Iterator

from compliance.errors import FormatError
from compliance.formats.provenance import read_provenance
from compliance.model.evidence import ApprovedBase, Evidence
from compliance.model.outcome import (
    Check,
    Failed,
    NotApplicable,
    Observation,
    ObservationKind,
    Outcome,
    Passed,
    Severity,
    Trait,
    Unknown,
)
from compliance.model.reference import is_digest
from controls.observe import config_observation, count, note
from controls.statements import PROVENANCE, attestations, predicate, signer_text, trusted
from controls.variant import claims

BASE_DIGEST, BASE_NAME = "org.opencontainers.image.base.digest", "org.opencontainers.image.base.name"
_IMAGE_URIS = ("pkg:docker/", "pkg:oci/", "docker://", "oci://")


def run(evidence: Evidence) -> Outcome:
    """By layers, then by verified provenance; labels and annotations are claims and decide nothing."""
    image, approved = evidence.image, evidence.approved_bases
    if image.config is None:
        return NotApplicable(reason="a root filesystem has no layers, so no base image")
    if not approved:
        return Unknown(reason="no approved base image was named (--approved-base IMAGE or DIGEST)")
    layers = tuple(layer.diff_id for layer in image.layers)
    proven = tuple(
        _stands_on(base, len(layers)) for base in approved if base.diff_ids and _lowest(layers, base.diff_ids)
    )
    if proven:
        return Passed(observations=proven)
    unread = tuple(base for base in approved if not base.diff_ids)
    notes = (*_claimed(evidence), *map(_unread, unread))
    built_from = dict(_built_from(evidence))
    known = {digest for base in approved for digest in base.digests}
    if built_from and built_from.keys() <= known:
        return Passed(observations=(*built_from.values(), *notes))
    foreign = tuple(_foreign(evidence, layers)) or _none_approved(built_from, known)
    if foreign and not unread:
        return Failed(observations=(*foreign, *notes))
    return Unknown(reason=_why(evidence, unread, bool(foreign)), observations=(*foreign, *built_from.values(), *notes))


def _lowest(layers: tuple[str, ...], base: tuple[str, ...]) -> bool:
    return layers[: len(base)] == base


def _stands_on(base: ApprovedBase, layers: int) -> Observation:
    return config_observation(
        f"The lowest {len(base.diff_ids)} of {count(layers, 'layer')} are those of the approved base {base.named}.",
        next(iter(base.digests), None),
    )


def _foreign(evidence: Evidence, layers: tuple[str, ...]) -> Iterator[Observation]:
    """The base that the layers show, when it is none that is approved: its own manifest and config were read."""
    base = evidence.image.base
    if base is not None and base.diff_ids and _lowest(layers, base.diff_ids):
        yield config_observation(
            f"The lowest {len(base.diff_ids)} of {count(len(layers), 'layer')} are those of {base.digest}, which is "
            "not among the approved bases.",
            base.digest,
        )


def _none_approved(built_from: dict[str, Observation], known: set[str]) -> tuple[Observation, ...]:
    """The images of verified provenance, if none of them is approved: whichever is the base, it is not."""
    return () if known.intersection(built_from) else tuple(built_from.values())


def _built_from(evidence: Evidence) -> Iterator[tuple[str, Observation]]:
    """Images that verified provenance names, by digest. Which of several is the base it does not tell."""
    for attestation in attestations(evidence, PROVENANCE):
        said = predicate(attestation) if trusted(evidence, attestation) else None
        if said is None:
            continue
        try:
            dependencies = read_provenance(said, attestation.predicate_type).dependencies
        except FormatError:
            continue
        for item in dependencies:
            if item.uri.startswith(_IMAGE_URIS) and is_digest(item.digest):
                yield (
                    item.digest,
                    Observation(
                        summary=f"Provenance by {signer_text(attestation.signer)} names the image {item.uri[:300]} "
                        f"with {item.digest} among what it was built from.",
                        kind=ObservationKind.SIGNATURE,
                        value=item.digest,
                        method=attestation.predicate_type,
                    ),
                )


def _claimed(evidence: Evidence) -> Iterator[Observation]:
    claimed = claims(evidence.image)
    named = [claimed[key] for key in (BASE_NAME, BASE_DIGEST) if claimed.get(key)]
    if named:
        yield note(f"A label or annotation claims, unsigned, the base {', '.join(named)}.")


def _unread(base: ApprovedBase) -> Observation:
    return note(f"The layers of the approved base {base.named} could not be compared: {base.problem}.")


def _why(evidence: Evidence, unread: tuple[ApprovedBase, ...], foreign: bool) -> str:
    if unread:
        shown = "the base shown is none of those that could be compared" if foreign else "the base can't be shown"
        return f"{shown}, and the layers of {count(len(unread), 'approved base')} are not at hand: {unread[0].problem}"
    claimed = claims(evidence.image).get(BASE_DIGEST) or claims(evidence.image).get(BASE_NAME)
    only = f"only an unsigned claim names one ({claimed[:200]})" if claimed else "nothing names one"
    return (
        "the layers are not those of an approved base, as after squashing or on another base; which base it is can't "
        f"be shown: {only}"
    )


CHECK = Check(
    id="SP-BASE",
    title="Base image is on the approved list",
    trait=Trait.SUPPLY,
    severity=Severity.HIGH,
    rationale="Most of an image is its base: who approves bases decides with them which operating system, which "
    "patches and which maintainer all images rest on.",
    looks_at="The base images named with --approved-base, their manifests and configs where they can be read; the "
    "image's layers by diffID from the lowest up; the base image that lies beside it; the images that verified SLSA "
    "provenance was built from; base labels and annotations, as unsigned claims.",
    proves="A pass proves that the lowest layers are, byte for byte, all layers of an approved base, or that every "
    "image that provenance of the named signer lists is approved. Layers that a further base puts above it are not "
    "told from the application's. It does not prove that the approved base is free of faults, or the newest.",
    remediation="Build FROM an approved base by digest, without squashing its layers, or have the base approved and "
    "name it with --approved-base.",
    run=run,
    references=("NIST SP 800-190, 4.1.5", "OCI image-spec config.md: rootfs.diff_ids", "slsa.dev provenance v1"),
)
