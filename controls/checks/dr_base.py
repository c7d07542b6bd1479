"""DR-BASE: the lower layers are the base image's."""

from __future__ import annotations

import hashlib
import re

from compliance.model.evidence import Evidence
from compliance.model.filesystem import display_path
from compliance.model.image import BaseImage, Layer
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
from controls.observe import config_observation, count, note
from controls.variant import DHI, claims

CHAIN_LABEL = f"{DHI}chain-id"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LISTED_MAX = 200


def run(evidence: Evidence) -> Outcome:
    """The claimed base's own layers, else the chain id of a label, against the layers from the lowest up."""
    image = evidence.image
    if image.config is None:
        return NotApplicable(reason="a root filesystem has no layers")
    if image.base is not None:
        return _over_base(evidence, image.base)
    claimed = claims(image).get(CHAIN_LABEL, "")
    if not claimed:
        return Unknown(
            reason="neither the claimed base image lies with this one, nor does a label say which layers it has"
        )
    if not _DIGEST.fullmatch(claimed):
        return Unknown(reason=f"the label {CHAIN_LABEL} is no digest: {claimed[:80]!r}")
    chain = chain_ids(image.layers)
    if claimed not in chain:
        seen = config_observation(
            f"The label {CHAIN_LABEL} claims {claimed}, the chain id of none of the {count(len(chain), 'layer')}.",
            claimed,
        )
        return Failed(observations=(seen,))
    base = chain.index(claimed) + 1
    seen = config_observation(
        f"The lowest {base} of {count(len(chain), 'layer')} have the chain id {claimed} of the label, a claim.",
        claimed,
    )
    return Passed(observations=(seen, *_hidden(evidence, base)))


def _over_base(evidence: Evidence, base: BaseImage) -> Outcome:
    """Whether the layers of the base image, whose manifest is at hand, are the lowest of this image."""
    layers = tuple(layer.diff_id for layer in evidence.image.layers)
    lowest = layers[: len(base.diff_ids)]
    if not base.diff_ids or lowest != base.diff_ids:
        same = sum(1 for ours, theirs in zip(lowest, base.diff_ids, strict=False) if ours == theirs)
        seen = config_observation(
            f"The image claims the base {base.digest}, but only {same} of its {count(len(base.diff_ids), 'layer')} are "
            "at the same place in this image.",
            base.digest,
        )
        return Failed(observations=(seen,))
    seen = config_observation(
        f"The lowest {len(lowest)} of {count(len(layers), 'layer')} are those of the claimed base image {base.digest}, "
        "whose manifest and config lie with the image and hash to their digests.",
        base.digest,
    )
    return Passed(observations=(seen, *_hidden(evidence, len(lowest))))


def chain_ids(layers: tuple[Layer, ...]) -> list[str]:
    """The chain id of every stack of layers from the lowest up (OCI image-spec config.md, layer ChainID)."""
    chain: list[str] = []
    for layer in layers:
        text = f"{chain[-1]} {layer.diff_id}" if chain else layer.diff_id
        chain.append(f"sha256:{hashlib.sha256(text.encode()).hexdigest()}" if chain else text)
    return chain


def _hidden(evidence: Evidence, base: int) -> tuple[Observation, ...]:
    """Files of the base that a later layer deletes or replaces."""
    hidden = [item for item in evidence.filesystem.residue if item.layer < base <= item.hidden_by]
    listed = tuple(
        Observation(
            summary=f"Layer {item.hidden_by} deletes or replaces {display_path(item.path)} of the base image.",
            kind=ObservationKind.RESIDUE,
            path=item.path,
            layer=item.layer,
            sha256=item.sha256,
            size=item.size,
            method="layers",
        )
        for item in hidden[:_LISTED_MAX]
    )
    more = len(hidden) - len(listed)
    return (*listed, note(f"{count(more, 'more file')} of the base are deleted or replaced.")) if more else listed


CHECK = Check(
    id="DR-BASE",
    title="Base layers are those of the claimed base image",
    trait=Trait.DRIFT,
    severity=Severity.HIGH,
    rationale="An image that claims a base is trusted for the work that went into that base; the claim holds only "
    "if the layers of the base are in it unchanged.",
    looks_at="The annotation org.opencontainers.image.base.digest and the manifest of that digest, where it lies with "
    "the image; else the label com.docker.dhi.chain-id, which images derived from a Docker Hardened Image inherit, and "
    "the chain ids computed over rootfs.diff_ids; the files of those layers that later layers delete or replace.",
    proves="A pass proves that the lowest layers are byte for byte those of the claimed base image, or those whose "
    "chain id the label claims. Annotation and label are unsigned: that the base is an approved one has to be looked "
    "up (SP-BASE).",
    remediation="Build FROM the base image without squashing or rewriting its layers, and keep its labels.",
    run=run,
    references=("OCI image-spec config.md: layer ChainID",),
)
