"""OCI image layouts, in a folder or in an archive."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from compliance.errors import ComplianceError, IntegrityError, SourceError
from compliance.formats import oci
from compliance.ingest.blobs import Blobs, blob_name, read_blob, read_small
from compliance.ingest.limits import DEFAULT_LIMITS, Limits
from compliance.ingest.manifest_store import Listed
from compliance.ingest.referrers import bundle_files
from compliance.ingest.selection import Selection
from compliance.model.image import Descriptor, Image, Layer
from compliance.model.reference import ImageReference, Platform

UNLISTED_SIZE_MAX = 2**16
"""Bytes up to which an unlisted blob is looked at: referrer manifests are about 1 KiB."""


class OciLayout:
    """A Source over an OCI image layout (image-layout.md), and the ManifestStore it is selected from."""

    holder = "layout"
    remote = False

    def __init__(self, reference: ImageReference, blobs: Blobs, path: Path, limits: Limits = DEFAULT_LIMITS) -> None:
        """`path` is where the layout lies, for messages and for bundle files beside it."""
        self._reference = reference
        self._blobs = blobs
        self._path = path
        self._limits = limits

    def image(self, platform: Platform | None) -> Image:
        """See Source. Bundle files in the layout's folder or beside it are attached too."""
        notices: list[str] = []
        image = Selection(self, self._reference, self._limits, notices).image(platform)
        files = bundle_files(self._path, self._limits, notices)
        return replace(image, attached=(*image.attached, *files), notices=tuple(notices))

    def open_layer(self, layer: Layer) -> BinaryIO:
        """See Source."""
        return self._blobs.open(blob_name(layer.digest))

    def close(self) -> None:
        """See Source."""
        self._blobs.close()

    def tops(self) -> tuple[Descriptor, ...]:
        """See ManifestStore."""
        content = read_small(self._blobs, "index.json", self._limits.manifest_bytes)
        index = oci.parse_manifest_or_index(content, oci.OCI_INDEX)
        if not isinstance(index, oci.Index):
            raise SourceError("index.json is no image index", code="manifest-invalid", where=str(self._reference))
        return index.manifests

    def manifest(self, descriptor: Descriptor) -> bytes:
        """See ManifestStore."""
        return read_blob(self._blobs, descriptor.digest, self._limits.manifest_bytes)

    def blob(self, digest: str, limit: int) -> bytes:
        """See ManifestStore."""
        return read_blob(self._blobs, digest, limit)

    def layer_size(self, descriptor: Descriptor) -> int:
        """See ManifestStore: a cheap look before a long read."""
        with self._blobs.open(blob_name(descriptor.digest)) as stream:
            size = stream.seek(0, 2)
        if size != descriptor.size:
            raise IntegrityError(
                f"a layer has {size} bytes, its descriptor says {descriptor.size}",
                code="digest-mismatch",
                where=descriptor.digest,
                hint="the copy is cut off or was changed; get the image again",
            )
        return size

    def unlisted(self, listed: tuple[Listed, ...], digests: Collection[str], notices: list[str]) -> Iterator[Listed]:
        """See ManifestStore: blobs that index.json does not list, as cosign save leaves them.

        Any blob may look like a manifest and be none, so one that can't be read as such is no notice.
        """
        known = {item.descriptor.digest for item in listed}
        small = (name for name, size in self._blobs.sizes() if size <= UNLISTED_SIZE_MAX and name not in known)
        for digest in itertools.islice(small, self._limits.attached_artifacts):
            try:
                content = self.blob(digest, UNLISTED_SIZE_MAX)
                if not content.startswith(b"{") or b'"subject"' not in content:
                    continue
                manifest = oci.parse_manifest_or_index(content, oci.OCI_MANIFEST)
            except ComplianceError:
                continue
            subject = manifest.subject if isinstance(manifest, oci.Manifest) else None
            if subject is not None and subject.digest in digests:
                descriptor = Descriptor(media_type=oci.OCI_MANIFEST, digest=digest, size=len(content))
                yield Listed(descriptor=descriptor, top=descriptor, index=None, depth=0)
