"""Where the files of an evidence bundle lie: in a folder, which is read without following any link, or in memory."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from compliance.errors import StoreError, VerificationError
from compliance.formats.plain_text import plain_text
from compliance.store.bundle_manifest import FILE_SIZE_MAX, FILES_MAX


class BundleFiles(Protocol):
    """The files of a bundle."""

    @property
    def paths(self) -> frozenset[str]:
        """The path of each."""
        ...

    def read(self, path: str, size_max: int) -> bytes:
        """The bytes of one of them, at most one more than `size_max`. Raises VerificationError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderFiles:
    """Those below a folder, as they were when it was looked through."""

    directory: Path
    paths: frozenset[str]

    def read(self, path: str, size_max: int) -> bytes:
        """See BundleFiles; a link in the place of a file is refused."""
        try:
            descriptor = os.open(self.directory / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            raise _unreadable(path, error) from None
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_size > FILE_SIZE_MAX:
                raise VerificationError("it is too large, or no plain file", code="limit-exceeded", where=path)
            try:
                return file.read(size_max + 1)
            except OSError as error:
                raise _unreadable(path, error) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryFiles:
    """Those that were read already, out of a PDF or an artifact."""

    files: Mapping[str, bytes] = field(repr=False)

    @property
    def paths(self) -> frozenset[str]:
        """See BundleFiles."""
        return frozenset(self.files)

    def read(self, path: str, size_max: int) -> bytes:
        """See BundleFiles."""
        return self.files[path][: size_max + 1]


def folder_files(directory: Path) -> FolderFiles:
    """The files of the bundle in `directory`.

    Raises StoreError where there is no folder, VerificationError for links and devices in it: they could lead
    anywhere.
    """
    if directory.is_symlink() or not directory.is_dir():
        raise StoreError("no evidence bundle: not a folder", code="bundle-missing", where=str(directory))
    paths: set[str] = set()
    folders = [""]
    while folders:
        folder = folders.pop()
        with os.scandir(directory / folder) as entries:
            for entry in entries:
                path = f"{folder}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    folders.append(f"{path}/")
                elif entry.is_file(follow_symlinks=False):
                    paths.add(path)
                else:
                    raise VerificationError(
                        "an evidence bundle holds plain files only", code="path-unsafe", where=plain_text(path)
                    )
                if len(paths) + len(folders) > 2 * FILES_MAX:
                    raise VerificationError(f"more than {2 * FILES_MAX} files", code="limit-exceeded")
    return FolderFiles(directory=directory, paths=frozenset(paths))


def _unreadable(path: str, error: OSError) -> VerificationError:
    return VerificationError(f"it can't be read: {error.strerror}", code="bundle-unreadable", where=path)
