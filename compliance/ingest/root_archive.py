"""A root filesystem as one tar (``rootfs-tar:PATH``), as ``docker export`` writes it: no manifest, config or layers."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

from compliance.errors import FormatError, SourceError
from compliance.formats.tar import TarReader
from compliance.ingest.compression import Inflater
from compliance.ingest.directory import ROOTFS_TYPE, RootFilesystem
from compliance.ingest.file_part import FilePart
from compliance.ingest.layers import LayerContents, LayerReader
from compliance.ingest.limits import DEFAULT_LIMITS, Limits
from compliance.model.image import Layer
from compliance.model.reference import ImageReference

_OF_ROOT = frozenset(
    ".dockerenv bin boot dev etc home lib lib64 media mnt opt proc root run sbin srv sys tmp usr var".split()  # noqa: SIM905
)
"""Names at the top of a root filesystem (filesystem hierarchy standard 3.0), none of which an image archive has."""
_OF_IMAGE = frozenset(("blobs", "index.json", "manifest.json", "oci-layout", "repositories"))


class RootArchive(RootFilesystem):
    """One in a tar, which is streamed."""

    def __init__(self, reference: ImageReference) -> None:
        """Raises SourceError (``not-found``) when there is no such file."""
        super().__init__(reference)
        if not self.root.is_file():
            raise SourceError("no such file", code="not-found", where=reference.target)

    def contents(self, reader: LayerReader) -> LayerContents:
        """The whole archive as if it were one layer. Raises FormatError, LimitError, SourceError."""
        try:
            with self.root.open("rb") as stream:
                size = os.fstat(stream.fileno()).st_size
                layer = Layer(index=0, digest="", diff_id="", media_type=ROOTFS_TYPE, size=size)
                return reader.read_root(layer, FilePart(stream, 0, size), str(self._reference))
        except OSError as error:
            raise SourceError(
                f"can't read the archive: {error.strerror or error}", code="not-found", where=str(self.root)
            ) from None


def is_root_archive(path: Path, limits: Limits = DEFAULT_LIMITS) -> bool:
    """Whether the tar at `path` is a root filesystem: the first name that only one of the two has decides.

    Not so for what is no tar, and for names that neither has. Raises LimitError, OSError.
    """
    with (
        path.open("rb") as stream,
        closing(
            Inflater(
                stream,
                limit=limits.archive_bytes,
                limit_name="archive_bytes",
                ratio=limits.inflation_ratio,
                where=str(path),
            )
        ) as inflater,
    ):
        try:
            for count, entry in enumerate(TarReader(inflater)):
                top = entry.name.removeprefix("./").lstrip("/").partition("/")[0]
                if top in _OF_ROOT or count >= limits.archive_members:
                    return top in _OF_ROOT
                if top in _OF_IMAGE:
                    return False
        except FormatError:
            return False
    return False
