"""Content-addressed blobs in a folder or inside a tar archive."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from compliance.errors import IntegrityError, SourceError
from compliance.ingest.file_part import FilePart
from compliance.ingest.limits import exceeded
from compliance.model.reference import is_digest


class Blobs(Protocol):
    """Files by name, and blobs by digest under ``blobs/ALGORITHM/HEX`` (OCI image-layout)."""

    def open(self, name: str) -> BinaryIO:
        """The file called `name`, e.g. ``index.json``. Raises SourceError (``blob-missing``)."""
        ...

    def names(self) -> frozenset[str]:
        """The names of files at the top, for sniffing."""
        ...

    def sizes(self) -> Iterator[tuple[str, int]]:
        """Digest and size in bytes of every blob, in the order of the digests."""
        ...

    def close(self) -> None:
        """Release files."""
        ...


def read_small(blobs: Blobs, name: str, limit: int) -> bytes:
    """A whole file that is not covered by a digest. Raises LimitError above `limit` bytes."""
    with blobs.open(name) as stream:
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise exceeded("manifest_bytes or attached_bytes", f"a file of more than {limit} bytes", name)
    return content


def read_blob(blobs: Blobs, digest: str, limit: int) -> bytes:
    """A whole blob, digest compared before it is handed on.

    Raises SourceError (``blob-missing``), IntegrityError (``digest-mismatch``), LimitError.
    """
    content = read_small(blobs, blob_name(digest), limit)
    check_digest(content, digest)
    return content


def check_digest(content: bytes, digest: str) -> None:
    """Compare. Raises IntegrityError (``digest-mismatch``)."""
    algorithm, _, wanted = digest.partition(":")
    found = hashlib.new(algorithm, content).hexdigest()
    if found != wanted:
        raise IntegrityError(
            f"a blob does not hash to its digest: {algorithm}:{found} instead",
            code="digest-mismatch",
            where=digest,
            hint="the image was changed or damaged after it was built; get it again from its source",
        )


def blob_name(digest: str) -> str:
    """The place of a blob. Raises SourceError (``digest-invalid``) for anything that is no digest."""
    if not is_digest(digest):
        raise SourceError("not a digest", code="digest-invalid", where=digest[:120])
    return "blobs/" + digest.replace(":", "/")


class DirectoryBlobs:
    """Blobs in a folder on disk. Only regular files are opened."""

    def __init__(self, root: Path) -> None:
        """`root` is the layout's folder."""
        self._root = root

    def open(self, name: str) -> BinaryIO:
        """See Blobs."""
        try:
            handle = os.open(self._root / name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise missing(name, str(self._root), error.strerror) from None
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            os.close(handle)
            raise missing(name, str(self._root), "not a regular file")
        stream = io.FileIO(handle, closefd=True)  # unbuffered: reads are large
        return FilePart(stream, 0, status.st_size, owns=True)

    def names(self) -> frozenset[str]:
        """See Blobs."""
        try:
            return frozenset(entry.name for entry in self._root.iterdir())
        except OSError as error:
            raise SourceError(
                f"can't read the image: {error.strerror}", code="not-found", where=str(self._root)
            ) from None

    def sizes(self) -> Iterator[tuple[str, int]]:
        """See Blobs."""
        for folder in sorted((self._root / "blobs").glob("*")):
            for path in sorted(folder.iterdir()):
                digest = f"{folder.name}:{path.name}"
                if is_digest(digest) and path.is_file():
                    yield digest, path.stat().st_size

    def close(self) -> None:
        """Nothing is held open."""


def missing(name: str, where: str, why: str | None = None) -> SourceError:
    """The error for a file that a layout or archive should hold."""
    code = "no-image" if name in ("index.json", "manifest.json") else "blob-missing"
    return SourceError(
        f"{'a blob' if name.startswith('blobs/') else name} is missing from the image ({why or 'no such file'})",
        code=code,
        where=f"{where}/{name}",
        hint="the copy is incomplete; get the image again",
    )
