"""A root filesystem in a folder (``dir:PATH``): no manifest, no config, no layers; what it lacks is unknown."""

from __future__ import annotations

import hashlib
import os
import stat
from abc import ABC, abstractmethod
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from compliance.errors import SourceError
from compliance.ingest.layers import Found, Kept, LayerContents, LayerReader
from compliance.ingest.lookout import settled
from compliance.model.filesystem import NOT_READ, FileKind, FileTree, Unread
from compliance.model.image import Image, Layer
from compliance.model.reference import ImageReference, Platform

ROOTFS_TYPE = "application/vnd.hullmark.rootfs.listing.v1"

_KINDS = {
    stat.S_IFREG: FileKind.REGULAR,
    stat.S_IFDIR: FileKind.DIRECTORY,
    stat.S_IFLNK: FileKind.SYMLINK,
    stat.S_IFCHR: FileKind.CHARACTER_DEVICE,
    stat.S_IFBLK: FileKind.BLOCK_DEVICE,
    stat.S_IFIFO: FileKind.FIFO,
}


class RootFilesystem(ABC):
    """A Source without layers: `contents` gives the whole of it instead of `open_layer`."""

    remote = False

    def __init__(self, reference: ImageReference) -> None:
        """Of the folder or file that `reference` names."""
        self.root = Path(reference.target)
        self._reference = reference

    def image(self, platform: Platform | None) -> Image:
        """See Source. `digest` is empty until the tree has been read: `digest_of` computes it."""
        return root_image(self._reference, platform)

    def open_layer(self, layer: Layer) -> BinaryIO:
        """Never called: there are no layers."""
        raise SourceError("a root filesystem has no layers", code="no-layers", where=str(self._reference))

    def close(self) -> None:  # noqa: B027 - there is nothing to do
        """Nothing is held open."""

    @abstractmethod
    def contents(self, reader: LayerReader) -> LayerContents:
        """All of it as if it were one layer. Raises FormatError, LimitError, SourceError."""


class RootDirectory(RootFilesystem):
    """One in a folder."""

    def __init__(self, reference: ImageReference) -> None:
        """Raises SourceError (``not-found``) when there is no such folder."""
        super().__init__(reference)
        if not self.root.is_dir():
            raise SourceError("no such folder", code="not-found", where=reference.target)

    def contents(self, reader: LayerReader) -> LayerContents:
        """The whole folder as if it were one layer; other file systems mounted inside are not entered."""
        layer = Layer(index=0, digest="", diff_id="", media_type=ROOTFS_TYPE, size=0)
        found = reader.found(layer.index)
        inodes: dict[tuple[int, int], str] = {}
        device = self.root.stat().st_dev

        def refused(error: OSError) -> None:
            inside = os.path.relpath(error.filename or str(self.root), self.root)
            found.unread.append(Unread(path=inside, reason=f"can't be listed: {error.strerror}", layer=0))

        for where, folders, files in os.walk(self.root, onerror=refused):
            folders.sort()
            reader.count_entries(len(folders) + len(files))
            for name in sorted([*folders, *files]):
                full = f"{where}/{name}"
                inside = os.path.relpath(full, self.root)
                try:
                    facts = os.lstat(full)
                except OSError as error:
                    found.unread.append(Unread(path=inside, reason=f"can't be read: {error.strerror}", layer=0))
                    continue
                if facts.st_dev != device:
                    found.unread.append(Unread(path=inside, reason="another file system is mounted here", layer=0))
                    if name in folders:
                        folders.remove(name)
                    continue
                self._entry(full, inside, facts, inodes, reader, found)
                if stat.S_ISDIR(facts.st_mode) and reader.deepest(inside):
                    reason = "what lies in it is beyond the limit path_parts"
                    found.unread.append(Unread(path=inside, reason=reason, layer=0))
                    folders.remove(name)
        return found.contents(layer)

    def _entry(
        self,
        full: str,
        inside: str,
        facts: os.stat_result,
        inodes: dict[tuple[int, int], str],
        reader: LayerReader,
        found: Found,
    ) -> None:
        kind = _KINDS.get(stat.S_IFMT(facts.st_mode))
        if kind is None:
            return  # a socket: it exists only while its owner runs
        hard_link = None
        reading = NOT_READ
        kept: Kept = ()
        if kind is FileKind.REGULAR:
            key = (facts.st_dev, facts.st_ino)
            hard_link = inodes.get(key) if facts.st_nlink > 1 else None
            inodes.setdefault(key, inside)
            if hard_link is None:
                try:
                    with _open_regular(full) as stream:
                        looked, kept = reader.file(inside, facts.st_size, stream, 0, found)
                        reading = settled(looked)
                except OSError as error:
                    found.unread.append(Unread(path=inside, reason=f"can't be read: {error.strerror}", layer=0))
            else:
                kept = reader.asked(inside)
        found.add(
            0,
            inside,
            kind,
            stat.S_IMODE(facts.st_mode),
            facts.st_uid,
            facts.st_gid,
            facts.st_size if kind is FileKind.REGULAR else 0,
            link=str(Path(full).readlink()) if kind is FileKind.SYMLINK else "",
            hard_link=hard_link,
            read=reading,
            kept=kept,
            capability=_xattr(full, "security.capability") if kind is FileKind.REGULAR else b"",
            acl=bool(_xattr(full, "system.posix_acl_access")) if kind is not FileKind.SYMLINK else False,
        )


def root_image(reference: ImageReference, platform: Platform | None) -> Image:
    """A root filesystem as an image: neither manifest nor config nor layers, and no digest yet."""
    return Image(
        reference=reference,
        digest="",
        media_type=ROOTFS_TYPE,
        platform=platform,
        manifest=b"",
        config_digest=None,
        config_bytes=b"",
        config=None,
        layers=(),
    )


def digest_of(tree: FileTree) -> str:
    """The digest of a listing: one line an entry, in path order; equal trees have equal digests, read from wherever."""
    listing = hashlib.sha256()
    for entry in tree:
        facts = (entry.path, str(int(entry.kind)), f"{entry.mode:o}", str(entry.uid), str(entry.gid), entry.link)
        line = "\0".join((*facts, entry.sha256, tree.names(entry)[0], entry.capability.hex())) + "\n"
        listing.update(line.encode("utf-8", "surrogateescape"))
    return f"sha256:{listing.hexdigest()}"


def _open_regular(path: str) -> BufferedReader:
    """Open without following a link and without waiting for a FIFO that took the file's place."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    return os.fdopen(handle, "rb")


def _xattr(path: str, name: str) -> bytes:
    try:
        return os.getxattr(path, name, follow_symlinks=False)
    except OSError:
        return b""
