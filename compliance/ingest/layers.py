"""One streaming pass over a layer: digests, entries, and only the contents that somebody asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import lru_cache, partial
from typing import TYPE_CHECKING, BinaryIO, Protocol

from compliance.errors import FormatError
from compliance.formats import tar
from compliance.formats.elf import MAGIC
from compliance.formats.globs import PathTable
from compliance.formats.literals import JointSearch
from compliance.ingest.compression import Inflater
from compliance.ingest.inflate import PLAIN
from compliance.ingest.inflate_process import WORTH_A_PROCESS, InflateProcess
from compliance.ingest.layer_secrets import LayerSecrets
from compliance.ingest.limits import Limits, exceeded
from compliance.ingest.lookout import WORTH_A_THREAD, Lookout
from compliance.model.filesystem import (
    NOT_READ,
    FileAttributes,
    FileEntry,
    FileFacts,
    FileKind,
    FileReading,
    FileSecrets,
    Unkept,
    Unread,
)
from compliance.model.image import Layer
from compliance.model.reference import algorithm_of
from compliance.model.request import ContentRequest

if TYPE_CHECKING:
    from compliance.formats.examine import Examines
    from compliance.formats.secrets import CompiledRule, FileRules, SecretSearch

SCRIPTS = "scripts"
"""Name of the implied request that keeps every small file starting with ``#!``."""

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"

_KINDS = {
    tar.REGULAR: FileKind.REGULAR,
    tar.DIRECTORY: FileKind.DIRECTORY,
    tar.SYMLINK: FileKind.SYMLINK,
    tar.CHARACTER: FileKind.CHARACTER_DEVICE,
    tar.BLOCK_DEVICE: FileKind.BLOCK_DEVICE,
    tar.FIFO: FileKind.FIFO,
}
_CAPABILITY = "security.capability"
_ACLS = ("system.posix_acl_access", "system.posix_acl_default")
PROGRAM_HEADS = (MAGIC, b"#!")
_UNPACKAGED = ("app/", "data/", "home/", "root/", "srv/", "tmp/", "usr/local/", "var/cache/", "var/www/", "workspace/")
"""Where no operating system package puts files: there md5 (700 MB/s) would only cost time."""
_SHA256 = ("sha256",)
_DPKG, _APK = ("etc/apt/", "etc/dpkg/", "var/lib/dpkg/"), ("etc/apk/", "lib/apk/", "usr/lib/apk/")
"""Where files tell which package database a layer has; those below etc come early in an archive."""
_EVERY = ("sha256", "md5", "sha1")
_HASHES = {
    name: partial(function, usedforsecurity=False)
    for name, function in (("sha256", hashlib.sha256), ("md5", hashlib.md5), ("sha1", hashlib.sha1))
}
_HEAD = 4
"""Bytes that tell whether a file is a program."""
_INODES = 32
"""Bits of an inode number below its layer's."""
_PIECE = 2**20
_HELD_MAX = 2**24
"""Bytes of a data file that may wait in memory to be digested; a larger one is digested as it streams by."""


Kept = tuple[tuple[str, object], ...]
"""By request name: a content, what it was reduced to, or None for a further name of a file that has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerContents:
    """What a layer changes: entries in archive order, names it hides in lower layers, directories it empties.

    By index of their entry: `hard_links` the path it shares its inode with, `kept` what requests got of it.
    `secrets` are by path; None when they were not looked for. `recorded` are the algorithms of package databases
    that showed in this layer or below it.
    """

    layer: Layer
    entries: tuple[FileEntry, ...]
    hard_links: Mapping[int, str]
    kept: Mapping[int, Kept]
    whiteouts: tuple[str, ...]
    opaque: tuple[str, ...]
    unread: tuple[Unread, ...]
    unkept: tuple[Unkept, ...]
    notices: tuple[str, ...]
    secrets: tuple[FileSecrets, ...] | None = None
    recorded: tuple[str, ...] = ()


@dataclass(slots=True)
class Found:
    """What was found in a layer so far."""

    entries: list[FileEntry] = field(default_factory=list)
    hard_links: dict[int, str] = field(default_factory=dict)
    kept: dict[int, Kept] = field(default_factory=dict)
    whiteouts: list[str] = field(default_factory=list)
    opaque: list[str] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    unkept: list[Unkept] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    later: list[tuple[int, Future[FileReading]]] = field(default_factory=list)  # by index in `entries`
    secrets: LayerSecrets | None = None
    recorded: set[str] = field(default_factory=set)

    def add(
        self,
        layer: int,
        path: str,
        kind: FileKind,
        mode: int,
        uid: int,
        gid: int,
        size: int,
        *,
        link: str = "",
        hard_link: str | None = None,
        read: FileReading | Future[FileReading] = NOT_READ,
        kept: Kept = (),
        capability: bytes = b"",
        acl: bool = False,
    ) -> None:
        """The next entry, with what its one reading told or will tell."""
        index = len(self.entries)
        if hard_link is not None:
            self.hard_links[index] = hard_link
        if kept:
            self.kept[index] = kept
        if isinstance(read, Future):
            self.later.append((index, read))
            read = NOT_READ
        if link:
            read = FileReading(link=link)
        attributes = _attributes(mode, uid, gid, layer, acl)
        if capability:
            attributes = replace(attributes, capability=capability)
        self.entries.append(FileEntry(path, kind, size, first_inode(layer) + index, attributes, read))

    def contents(self, layer: Layer) -> LayerContents:
        """All of it, when what was to be told later has been told."""
        for index, later in self.later:
            self.entries[index] = replace(self.entries[index], reading=later.result())
        return LayerContents(
            layer=layer,
            entries=tuple(self.entries),
            hard_links=self.hard_links,
            kept=self.kept,
            whiteouts=tuple(self.whiteouts),
            opaque=tuple(self.opaque),
            unread=tuple(self.unread),
            unkept=tuple(self.unkept),
            notices=tuple(self.notices),
            secrets=None if self.secrets is None else self.secrets.found(),
            recorded=tuple(sorted(self.recorded)),
        )

    def hides(self, path: str) -> bool:
        """Note a whiteout or an opaque marker; whether `path` was one."""
        name = path[path.rfind("/") + 1 :]
        if not name.startswith(WHITEOUT):
            return False
        if name == OPAQUE:
            self.opaque.append(path[: -len(OPAQUE)].rstrip("/"))
        elif not name.startswith(".wh..wh."):  # aufs' own bookkeeping files
            self.whiteouts.append(path[: len(path) - len(name)] + name[len(WHITEOUT) :])
        return True


def first_inode(layer: int) -> int:
    """The inode number of the first entry of a layer; those after it count on."""
    return (layer << _INODES) + 1


@lru_cache(maxsize=2**12)
def _attributes(mode: int, uid: int, gid: int, layer: int, acl: bool) -> FileAttributes:
    """One object for all entries that have the same, as images have millions."""
    return FileAttributes(mode, uid, gid, layer, acl=acl)


class Digests:
    """The digests of one file while it is read."""

    def __init__(self, algorithms: tuple[str, ...], content: bytes = b"") -> None:
        """`algorithms` are among sha256, md5 and sha1; `content` is how the file begins."""
        self._hashes = {name: _HASHES[name](content) for name in algorithms}

    def update(self, content: bytes | memoryview) -> None:
        """More of the file."""
        for one in self._hashes.values():
            one.update(content)

    def reading(self, facts: FileFacts | None) -> FileReading:
        """The digests with `facts`."""
        return FileReading(**{name: one.hexdigest() for name, one in self._hashes.items()}, facts=facts)


EMPTY_FILE = Digests(_EVERY).reading(None)
"""What is read of every empty file: said once, as images may have millions."""


class Reads(Enum):
    """How much of every file is wanted beyond what requests ask for."""

    EVIDENCE = "evidence"  # every file digested as package databases do, programs examined: what checks need
    FILES = "files"  # every file digested by every algorithm: what a list of them states
    INVENTORY = "inventory"  # sha256 of every file, and only those looked into that may state packages


class Readable(Protocol):
    """What a file's bytes are read from."""

    def read(self, size: int, /) -> bytes:
        """The next `size` bytes, fewer only at the end."""
        ...

    def read1(self, size: int, /) -> bytes | memoryview:
        """Some of the next bytes, at most `size`, none at the end; they are there until the next call."""
        ...

    def peek(self, size: int, /) -> bytes | None:
        """The first bytes, which stay where they are; None where that can't be done."""
        ...


class LayerReader:
    """Reads layers for a fixed set of requests. The contents it keeps are bounded over all its layers."""

    def __init__(
        self,
        requests: Sequence[ContentRequest],
        examiner: Examines,
        limits: Limits,
        progress: Callable[[int], None] | None = None,
        reads: Reads = Reads.EVIDENCE,
        secrets: SecretSearch | None = None,
    ) -> None:
        """Compile the requests."""
        self._reads = reads
        self._secrets = secrets
        self._lookout: Lookout[FileReading] = Lookout()
        self._process: InflateProcess | None = None
        by_path = () if secrets is None else secrets.by_path
        self._wanted: PathTable[ContentRequest | CompiledRule] = PathTable(
            [*((request, request.globs) for request in requests), *by_path]
        )
        self._examiner = examiner
        self._joint = None if secrets is None else JointSearch(examiner.literals, secrets.literals)
        self._limits = limits
        self._progress = progress
        self._entries_left = limits.entries
        self._bytes_left = limits.captured_bytes
        self._inflated_left = limits.image_bytes
        self.recorded: tuple[str, ...] = ()
        """Algorithms of the package databases of the layers so far: how the next one is read depends on it."""

    def close(self) -> None:
        """End the thread that looks at large files, and the process that inflates."""
        self._lookout.close()
        if self._process is not None:
            self._process.close()

    def _inflating(self, size: int) -> InflateProcess | None:
        """The process for a layer of `size` stored bytes; None where a thread does."""
        if size < WORTH_A_PROCESS:
            return None
        if self._process is None:
            try:
                self._process = InflateProcess()
            except OSError:
                return None
        return self._process if self._process.answers() else None

    def read(self, layer: Layer, stream: BinaryIO) -> LayerContents:
        """One layer. Both digests have been compared when this returns.

        Raises FormatError (``layer-corrupt``), IntegrityError (``digest-mismatch``), LimitError.
        """
        where = f"layer {layer.index + 1}, {layer.digest}"
        with closing(self._inflater(layer, stream, where)) as inflater:
            return self._read(layer, inflater, where)

    def read_root(self, layer: Layer, stream: BinaryIO, where: str) -> LayerContents:
        """A root filesystem that is one tar: no digest says what it should be, and it has no whiteouts, only files.

        Raises FormatError (``layer-corrupt``), LimitError.
        """
        with closing(self._inflater(layer, stream, where)) as inflater:
            reader = tar.TarReader(inflater)
            contents = self._located(layer, reader, where, whiteouts=False)
            inflater.finish(None, None)
        if reader.marked:
            return contents
        cut = Unread(path="", reason="the archive has no end mark: it may have been cut off", layer=layer.index)
        return replace(contents, unread=(*contents.unread, cut))

    def _inflater(self, layer: Layer, stream: BinaryIO, where: str) -> Inflater:
        whole_image = self._inflated_left < self._limits.layer_bytes
        return Inflater(
            stream,
            limit=self._inflated_left if whole_image else self._limits.layer_bytes,
            limit_name="image_bytes" if whole_image else "layer_bytes",
            ratio=self._limits.inflation_ratio,
            algorithms=(algorithm_of(layer.digest), algorithm_of(layer.diff_id)),
            where=where,
            progress=self._progress,
            process=self._inflating(layer.size),
        )

    def _located(self, layer: Layer, reader: tar.TarReader, where: str, *, whiteouts: bool = True) -> LayerContents:
        """What is in the tar; errors say where it is."""
        try:
            return self._entries(layer, reader, whiteouts=whiteouts)
        except FormatError as error:
            if error.where is None:
                raise FormatError(error.message, code=error.code, where=where, hint=error.hint) from None
            raise

    def _read(self, layer: Layer, inflater: Inflater, where: str) -> LayerContents:
        contents = self._located(layer, tar.TarReader(inflater), where)
        # docker save names layers by diffID only: a compressed one has no digest of its stored bytes to compare.
        nameless = layer.digest == layer.diff_id and inflater.compression != PLAIN
        inflater.finish(None if nameless else layer.digest, layer.diff_id)
        self._inflated_left -= inflater.inflated_size
        self.recorded = contents.recorded
        notices = list(contents.notices)
        if inflater.trailing:
            notices.append(f"{where}: bytes after the end of the compressed stream")
        if _says_otherwise(layer.media_type, inflater.compression):
            notices.append(f"{where}: media-type: {layer.media_type} but the bytes are {inflater.compression}")
        return replace(contents, notices=tuple(notices))

    def _entries(self, layer: Layer, reader: tar.TarReader, *, whiteouts: bool) -> LayerContents:
        found = self.found(layer.index)
        for member in reader:
            self.count_entries(1)
            path = self._safe_path(member.name, found.notices)
            if path is None:
                if member.type == tar.REGULAR:
                    reason = "unsafe path, or one beyond the limits path_bytes and path_parts"
                    found.unread.append(Unread(path=member.name[:200], reason=reason, layer=layer.index))
            elif not (whiteouts and WHITEOUT in path and found.hides(path)):
                self._entry(path, member, reader, layer.index, found)
        return found.contents(layer)

    def _entry(self, path: str, member: tar.TarEntry, reader: tar.TarReader, layer: int, found: Found) -> None:
        hard_link: str | None = None
        kind = _KINDS.get(member.type)
        if member.type == tar.HARD_LINK:
            kind, hard_link = FileKind.REGULAR, self._safe_path(member.link, found.notices)
            if hard_link is None:
                found.unread.append(Unread(path=path, reason="hard link to an unsafe path", layer=layer))
                return
        if kind is FileKind.SYMLINK and len(member.link) > self._limits.path_bytes:
            reason = "symbolic link with a target beyond the limit path_bytes"
            found.notices.append(f"/{path}: {reason} passed over")
            found.unread.append(Unread(path=path, reason=reason, layer=layer))
            return
        if kind is None:
            reason = f"tar entry of unknown type {member.type!r}"
            found.notices.append(f"/{path}: {reason} passed over")
            found.unread.append(Unread(path=path, reason=reason, layer=layer))
            return
        reading: FileReading | Future[FileReading] = NOT_READ
        kept: Kept = ()
        if hard_link is not None:
            kept = self.asked(path)
        elif kind is FileKind.REGULAR:
            reading, kept = self.file(path, member.size, reader, layer, found)
        xattrs = member.xattrs
        found.add(
            layer,
            path,
            kind,
            member.mode,
            member.uid,
            member.gid,
            member.size,
            link=member.link if kind is FileKind.SYMLINK else "",
            hard_link=hard_link,
            read=reading,
            kept=kept,
            capability=xattrs.get(_CAPABILITY, b"") if xattrs else b"",
            acl=any(name in xattrs for name in _ACLS) if xattrs else False,
        )

    def found(self, layer: int) -> Found:
        """What the layer of that index is collected in."""
        secrets = None if self._secrets is None else LayerSecrets(self._secrets, layer)
        return Found(secrets=secrets, recorded=set(self.recorded))

    def file(
        self, path: str, size: int, stream: Readable, layer: int, found: Found
    ) -> tuple[FileReading | Future[FileReading], Kept]:
        """Digests and facts (for a large file later), and kept contents of a file that `stream` hands out."""
        asking, rules = self._asked(path)
        if not size and not asking:
            return NOT_READ if self._reads is Reads.INVENTORY else EMPTY_FILE, ()
        whole = size <= max((request.max_size for request in asking), default=-1)
        examinable = size <= self._limits.examined_bytes
        algorithms = self._algorithms(path, found)
        examined = whole and examinable
        if not whole:
            found.unkept.extend(_too_large(path, size, request, layer) for request in asking)
            asking = ()
            head = stream.peek(_HEAD)
            program = head is None or head.startswith(PROGRAM_HEADS)
            examined = program and examinable
            if program and not examinable:
                bound = self._limits.examined_bytes
                reason = f"program of {size} bytes: above {bound} (examined_bytes) it is not examined"
                found.unread.append(Unread(path=path, reason=reason, layer=layer))
            if not examined and (self._secrets is None or size > _HELD_MAX):
                return _digested(algorithms, stream, path, rules, found.secrets), ()
        content = stream.read(size)
        kept = self._keep(path, content, asking, layer, found.unkept)
        if size < WORTH_A_THREAD:
            return self._look(content, algorithms, examined, path, rules, found.secrets), kept
        return self._lookout.look(content, self._look, algorithms, examined, path, rules, found.secrets), kept

    def _asked(self, path: str) -> tuple[tuple[ContentRequest, ...], FileRules]:
        """The requests for a file of that path, and the rules for secrets in it."""
        owners = self._wanted.owners(path)
        if not owners:
            return (), ()
        requests = tuple(one for one in owners if isinstance(one, ContentRequest))
        return requests, tuple(one for one in owners if not isinstance(one, ContentRequest))

    def _look(
        self,
        content: bytes,
        algorithms: tuple[str, ...],
        examined: bool,
        path: str,
        rules: FileRules,
        secrets: LayerSecrets | None,
    ) -> FileReading:
        """Examine and digest one file, and look for secrets in it."""
        markers = hits = None
        if self._joint is not None and examined and content.startswith(MAGIC):
            markers, hits = self._joint.few(content)
        facts = self._examiner.examine(content, markers) if examined else None
        if secrets is not None:
            secrets.add(path, content, rules, hits)
        return FileReading(
            hashlib.sha256(content).hexdigest(),
            _HASHES["md5"](content).hexdigest() if "md5" in algorithms else "",
            _HASHES["sha1"](content).hexdigest() if "sha1" in algorithms else "",
            facts,
        )

    def _algorithms(self, path: str, found: Found) -> tuple[str, ...]:
        """sha256; for evidence also what a package database may record of the file, as far as layers show which.

        Where this layer and those below it show none so far, or both kinds, files are digested as for both; a record
        that meets no digest of its kind stays undecided (DR-PKGVERIFY).
        """
        if self._reads is Reads.INVENTORY:
            return _SHA256
        if self._reads is Reads.FILES:
            return _EVERY
        if path.startswith(_UNPACKAGED):
            return _SHA256
        recorded = found.recorded
        if path.startswith(_DPKG):
            recorded.add("md5")
        elif path.startswith(_APK):
            recorded.add("sha1")
        return ("sha256", *recorded) if len(recorded) == 1 else _EVERY

    def count(self, contents: LayerContents) -> None:
        """Take a layer that was not read here for the one below the next, within the limits. Raises LimitError."""
        self.recorded = contents.recorded
        self.count_entries(len(contents.entries))
        for kept in contents.kept.values():
            self._bytes_left -= max((len(value) for _, value in kept if isinstance(value, bytes)), default=0)

    def count_entries(self, number: int) -> None:
        """Count entries against the limit. Raises LimitError."""
        self._entries_left -= number
        if self._entries_left < 0:
            raise exceeded("entries", f"more than {self._limits.entries} entries in all layers")

    def deepest(self, folder: str) -> bool:
        """Whether paths in `folder` would be beyond the limit path_parts."""
        return folder.count("/") >= self._limits.path_parts

    def asked(self, path: str) -> Kept:
        """The requests for `path` without content: for a further name of a file that was read by another."""
        return tuple((request.name, None) for request in self._asked(path)[0])

    def _keep(
        self, path: str, content: bytes, asking: tuple[ContentRequest, ...], layer: int, unkept: list[Unkept]
    ) -> Kept:
        kept: list[tuple[str, object]] = []
        whole = False
        for request in asking:
            if len(content) > request.max_size:
                unkept.append(_too_large(path, len(content), request, layer))
            elif request.reduce is None:
                kept.append((request.name, content))
                whole = True
            else:
                try:
                    kept.append((request.name, request.reduce(content)))
                except FormatError as error:
                    unkept.append(Unkept(path=path, request=request.name, reason=str(error), layer=layer))
        if content.startswith(b"#!") and len(content) <= self._limits.script_bytes:
            kept.append((SCRIPTS, content))
            whole = True
        if whole:
            self._bytes_left -= len(content)
            if self._bytes_left < 0:
                size = self._limits.captured_bytes
                message = f"more than {size} bytes of package databases and scripts"
                raise exceeded("captured_bytes", message, f"/{path}")
        return tuple(kept)

    def _safe_path(self, name: str, notices: list[str]) -> str | None:
        """`name` as a tree path; None (and a notice) for one that would leave the root or that nothing can open."""
        path = name
        if "//" in path or "./" in path or path.startswith("/") or path.endswith(("/", "/.", "/..")) or path == ".":
            parts = [part for part in path.split("/") if part not in ("", ".")]
            path = "/".join(parts)
        if path == ".." or path.startswith("../") or path.endswith("/..") or "/../" in path:
            notices.append(f"unsafe-path: an entry with .. in its name was refused: {_shown(name)}")
            return None
        if len(path) > self._limits.path_bytes or path.count("/") > self._limits.path_parts or "\0" in path:
            notices.append(f"unsafe-path: a name beyond path_bytes or path_parts was refused: {_shown(name)}")
            return None
        if not path.isprintable():
            notices.append(f"odd-name: {_shown(path)}")
        return path


def _digested(
    algorithms: tuple[str, ...], stream: Readable, path: str, rules: FileRules, secrets: LayerSecrets | None
) -> FileReading:
    """Digest a file that is not held as a whole, and look for secrets as it streams by."""
    if secrets is None and algorithms == _SHA256:  # most files of an inventory: digested where they lie
        digest = hashlib.sha256(stream.read1(_PIECE))
        while piece := stream.read1(_PIECE):
            digest.update(piece)
        return FileReading(digest.hexdigest())
    digests = Digests(algorithms)
    searched = None if secrets is None else secrets.reader(rules)
    while piece := stream.read1(_PIECE):
        digests.update(piece)
        if searched is not None:
            searched.feed(bytes(piece))
    if secrets is not None and searched is not None:
        secrets.read(path, searched)
    return digests.reading(None)


def _says_otherwise(media_type: str, compression: str) -> bool:
    said = media_type.rpartition("+")[2] if "+" in media_type else media_type.rpartition(".")[2]
    return said in ("gzip", "zstd", "tar") and said != {"plain": "tar"}.get(compression, compression)


def _too_large(path: str, size: int, request: ContentRequest, layer: int) -> Unkept:
    reason = f"{size} bytes: {request.name} reads at most {request.max_size}"
    return Unkept(path=path, request=request.name, reason=reason, layer=layer)


def _shown(name: str) -> str:
    return name[:120].encode("unicode_escape", "backslashreplace").decode("ascii")
