"""The base images that a user approves, looked up: their digests, and their layers for the assessed platform."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

from compliance.errors import ComplianceError
from compliance.ingest.limits import DEFAULT_LIMITS, Limits
from compliance.ingest.registry_options import RegistryOptions
from compliance.ingest.source import DEFAULT_REGISTRY, open_source, parse_reference
from compliance.model.evidence import ApprovedBase
from compliance.model.image import Image
from compliance.model.reference import ImageReference, Scheme, is_digest

_ADDRESSED = (Scheme.OCI_DIR, Scheme.OCI_ARCHIVE, Scheme.REGISTRY)
"""Places where another image can be asked for by its digest."""


def approved_base(
    named: str, image: Image, *, limits: Limits = DEFAULT_LIMITS, registry: RegistryOptions = DEFAULT_REGISTRY
) -> ApprovedBase:
    """The image that `named`, a reference or a digest, stands for, as a possible base of `image`.

    A digest is looked for beside `image`. What can't be read is a `problem` of the answer, not an error: a list of
    approved images outlives some of them. Raises UsageError when `named` is neither reference nor digest.
    """
    reference = _beside(named, image) if is_digest(named) else parse_reference(named)
    digest = named if is_digest(named) else reference.digest if reference is not None else None
    known = (digest,) if digest is not None else ()
    if digest is not None and image.base is not None and image.base.digest == digest:
        return ApprovedBase(named=named, digests=known, diff_ids=image.base.diff_ids)
    if reference is None:
        return ApprovedBase(named=named, digests=known, problem="only its digest is known, and no place to read it")
    try:
        with closing(open_source(reference, limits=limits, registry=registry)) as source:
            found = source.image(image.platform)
    except ComplianceError as error:
        return ApprovedBase(named=named, digests=known, problem=str(error))
    digests = dict.fromkeys(one for one in (*known, found.digest, found.index_digest) if one)
    return ApprovedBase(
        named=named,
        digests=tuple(digests),
        diff_ids=tuple(layer.diff_id for layer in found.layers),
        problem=None if found.layers else "it has no layers",
    )


def _beside(digest: str, image: Image) -> ImageReference | None:
    reference = image.reference
    return replace(reference, tag=None, digest=digest) if reference.scheme in _ADDRESSED else None
