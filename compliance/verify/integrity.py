"""The digests of an image that reading it recomputed."""

from __future__ import annotations

import hashlib

from compliance.errors import IntegrityError
from compliance.model.image import Image
from compliance.model.verification import Integrity


def integrity_of(image: Image, *, layers_read: bool) -> Integrity:
    """The digests that reading `image` recomputed from its bytes; those of layers only when they were read.

    Manifest and config are hashed again here. Raises IntegrityError where one differs.
    """
    checked: list[tuple[str, str]] = []
    if image.index_digest is not None:
        checked.append(("index", image.index_digest))
    if image.config is None:
        checked.append(("listing of the root file system", image.digest))
    elif image.digest != image.config_digest:
        checked.append(("manifest", _same(image.digest, image.manifest, "manifest")))
    if image.config_digest is not None:
        checked.append(("config", _same(image.config_digest, image.config_bytes, "config")))
    for layer in image.layers if layers_read else ():
        checked.append((f"layer {layer.index + 1}", layer.digest))
        if layer.diff_id != layer.digest:
            checked.append((f"layer {layer.index + 1}, uncompressed", layer.diff_id))
    return Integrity(checked=tuple(checked))


def _same(digest: str, content: bytes, what: str) -> str:
    algorithm, _, value = digest.partition(":")
    if hashlib.new(algorithm, content).hexdigest() != value:
        raise IntegrityError(f"the {what} does not hash to its digest", code="digest-mismatch", where=digest)
    return digest
