"""The merged file tree of an image: what a container sees, with the facts read from each file's bytes.

Paths are relative to the image's root without a leading slash (``usr/bin/env``; the root is ``""``), decoded
from the tar's bytes as UTF-8 with ``surrogateescape``; `display_path` makes one fit to print.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Final, NamedTuple

LINK_HOPS_MAX = 40
"""Symbolic links followed in one look-up, as the Linux kernel does (path_resolution(7))."""


PATH_MAX = 4096
"""Characters of a path or of a link's target: Linux opens no longer one."""


class FileKind(IntEnum):
    """The type of a tar entry, as far as a file system has it."""

    REGULAR = 0
    DIRECTORY = 1
    SYMLINK = 2
    CHARACTER_DEVICE = 3
    BLOCK_DEVICE = 4
    FIFO = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class GoBuildInfo:
    """What the Go linker left in an executable (debug/buildinfo). Modules are (path, version, sum)."""

    go_version: str
    path: str
    main: tuple[str, str, str]
    modules: tuple[tuple[str, str, str], ...]
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ElfProtections:
    """How a program or a library is built against the misuse of memory errors, as its headers and symbols tell.

    `relro` is full | partial | none: partial leaves the table of lazily bound functions writable. A stack without
    PT_GNU_STACK is executable where the machine's loader makes it so; None where that is not known. `stack_protector`
    and `fortified` are told by imported symbols: None for what imports none that could tell (static programs, C
    libraries without checked functions), and False proves only that nothing in the file calls them. `made_by` is go
    or rust, whose compilers have other means.
    """

    pie: bool
    relro: str
    executable_stack: bool | None
    writable_code: bool
    text_relocations: bool
    stack_protector: bool | None
    fortified: bool | None
    made_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ElfFacts:
    """What an ELF file says of itself (System V gABI, ch. 4 and 5).

    `file_type` is executable | shared | relocatable | core | other; `runnable` tells an executable, static or
    not, from a shared library (entry point and PT_INTERP, or ET_EXEC, or DF_1_PIE). `dlopen_names` are the
    lib*.so* strings in it, with "*" as the last when there are more than are kept. `problem` is set when the
    headers are damaged: the other fields then hold what could be read. `protections` are told by an examination for
    evidence, of programs and libraries whose headers are whole.
    """

    file_type: str
    machine: int
    bits: int
    runnable: bool
    interpreter: str | None = None
    soname: str | None = None
    needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    build_id: str | None = None
    dlopen_names: tuple[str, ...] = ()
    go: GoBuildInfo | None = None
    package_note: str | None = None  # JSON of .note.package
    rust_audit: bytes | None = None  # section .dep-v0, zlib-compressed JSON
    sections_stripped: bool = False
    problem: str | None = None
    protections: ElfProtections | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """What one reading of a regular file's bytes told. Plain data files have none of these (no FileFacts).

    `markers` are the ids of content-marker rules that hold for it (see controls/knowledge/markers.yaml);
    `applets` the command names in a multi-call binary's table; `packer` names a packer (UPX) that hides
    content, so markers prove nothing there.
    """

    elf: ElfFacts | None = None
    shebang: str | None = None  # first line without "#!", at most 256 bytes
    markers: tuple[str, ...] = ()
    applets: tuple[str, ...] = ()
    packer: str | None = None
    zip_app: bool = False


@dataclass(frozen=True, slots=True)
class FileAttributes:
    """What a file system keeps of an entry beside its content: the same for nearly all, so that they share one.

    `layer` is the index of the layer that wrote it; `capability` the raw security.capability xattr; `acl` true when a
    POSIX ACL xattr may grant more than the mode says.
    """

    mode: int  # permission bits with setuid, setgid, sticky: & 0o7777
    uid: int
    gid: int
    layer: int
    capability: bytes = b""
    acl: bool = False


class FileReading(NamedTuple):
    """What an entry's content told when it was read: of a regular file digests (hex) and facts, of a link its target.

    `md5` and `sha1` are there where a package database may record them (see ingest.layers), else "". Entries that tell
    nothing share one.
    """

    sha256: str = ""
    md5: str = ""
    sha1: str = ""
    facts: FileFacts | None = None
    link: str = ""


NOT_READ = FileReading()


@dataclass(slots=True, unsafe_hash=True)
class FileEntry:
    """One name in the merged tree. `inode` is shared by hard links, which are alike in everything but their path.

    Small and quickly made, as images have up to millions: 80 bytes beside path and inode. That is why it is not frozen,
    which would make making one four times as long; nothing may change one all the same.
    """

    path: Final[str]
    kind: Final[FileKind]
    size: Final[int]
    inode: Final[int]
    attributes: Final[FileAttributes]
    reading: Final[FileReading] = NOT_READ

    @property
    def mode(self) -> int:
        """Permission bits with setuid, setgid and sticky: at most 0o7777."""
        return self.attributes.mode

    @property
    def uid(self) -> int:
        """The owner."""
        return self.attributes.uid

    @property
    def gid(self) -> int:
        """The owning group."""
        return self.attributes.gid

    @property
    def layer(self) -> int:
        """The index of the layer that wrote it."""
        return self.attributes.layer

    @property
    def capability(self) -> bytes:
        """The raw security.capability xattr, empty for nearly all."""
        return self.attributes.capability

    @property
    def acl(self) -> bool:
        """Whether a POSIX ACL xattr may grant more than the mode says."""
        return self.attributes.acl

    @property
    def link(self) -> str:
        """The target of a symbolic link, "" for others."""
        return self.reading.link

    @property
    def sha256(self) -> str:
        """Of a regular file's content, in hex; "" for others and for what could not be read."""
        return self.reading.sha256

    @property
    def md5(self) -> str:
        """As sha256, where a package database may record it."""
        return self.reading.md5

    @property
    def sha1(self) -> str:
        """As sha256, where a package database may record it."""
        return self.reading.sha1

    @property
    def facts(self) -> FileFacts | None:
        """What a program's bytes told."""
        return self.reading.facts

    @property
    def executable(self) -> bool:
        """A regular file that somebody may execute."""
        return self.kind is FileKind.REGULAR and bool(self.mode & 0o111)

    @property
    def program(self) -> bool:
        """A file that can be executed, by its mode and what it begins with, or a shared library."""
        facts = self.facts
        return facts is not None and (facts.elf is not None or (facts.shebang is not None and self.executable))

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A place whose bytes could not all be read, so that nothing can be said to be absent there."""

    path: str
    reason: str
    layer: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unkept:
    """A file whose bytes were read and examined, but whose content a request did not get (too large, malformed)."""

    path: str
    request: str
    reason: str
    layer: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Residue:
    """A regular file that a lower layer ships and an upper layer hides: gone from the tree, not from the image."""

    path: str
    layer: int
    hidden_by: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A secret in some bytes, told by kind and place and never by value.

    `rule` is the id of the rule that found it and `kind` what it is; `offset` counts bytes, `line` lines from 1 where
    they could be counted. `sha256` (hex) is that of the secret alone (of a key's decoded body), None where the secret
    could be guessed from it. `reason` says why it is only possibly a secret, `published` why everybody has it already;
    `expires` is when it ends by its own word, in seconds since 1970.
    """

    rule: str
    kind: str
    offset: int
    line: int | None = None
    sha256: str | None = None
    reason: str | None = None
    published: str | None = None
    expires: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSecrets:
    """The secrets in a file that layer `layer` ships, whether or not an upper layer hides it.

    `unsearched` says what of the file was not looked through.
    """

    path: str
    layer: int
    found: tuple[Secret, ...]
    unsearched: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """A file's content, or what a request reduced it to, kept while the layer was read."""

    entry: FileEntry
    value: object


class FileTree:
    """The merged tree: what `entries` lists, in path order, and look-ups as a container's kernel makes them.

    An absent path means absent only if `unread` is empty: ask `wholly_read`.
    """

    def __init__(
        self,
        entries: Mapping[str, FileEntry],
        *,
        captured: Mapping[str, tuple[Captured, ...]] | None = None,
        unread: tuple[Unread, ...] = (),
        unkept: tuple[Unkept, ...] = (),
        residue: tuple[Residue, ...] = (),
        secrets: tuple[FileSecrets, ...] | None = None,
    ) -> None:
        """`entries` by path, sorted (copied unless they can't be changed); `captured` by request name.

        `secrets` are those of all layers, None where they were not looked for.
        """
        fixed = entries if isinstance(entries, MappingProxyType) else MappingProxyType(dict(entries))
        self.entries: Mapping[str, FileEntry] = fixed
        self.unread = unread
        self.unkept = unkept
        self.residue = residue
        self.secrets = secrets
        self._captured = dict(captured or {})
        self._children: dict[str, list[str]] | None = None
        self._names: dict[int, tuple[str, ...]] | None = None
        self._bytes: dict[int, bytes] | None = None
        self._regular: list[FileEntry] | None = None
        self._files: tuple[FileEntry, ...] | None = None
        self._called: dict[str, list[FileEntry]] | None = None

    @property
    def wholly_read(self) -> bool:
        """Whether every regular file was read to its end: the condition for saying that something is absent."""
        return not self.unread

    def __iter__(self) -> Iterator[FileEntry]:
        """Every entry, in path order."""
        return iter(self.entries.values())

    def __len__(self) -> int:
        """Number of entries, directories included."""
        return len(self.entries)

    def regular(self) -> Sequence[FileEntry]:
        """Every name of a regular file, in path order; hard links come once for each name."""
        if self._regular is None:
            self._regular = [entry for entry in self.entries.values() if entry.kind is FileKind.REGULAR]
        return self._regular

    def files(self) -> tuple[FileEntry, ...]:
        """Every regular file once, by the first of its names: one inode, one finding."""
        if self._files is None:
            first: dict[int, FileEntry] = {}
            for entry in self.regular():
                first.setdefault(entry.inode, entry)
            self._files = tuple(first.values())
        return self._files

    def called(self) -> Mapping[str, Sequence[FileEntry]]:
        """The names of regular files by their last component, each in path order."""
        if self._called is None:
            self._called = {}
            for entry in self.regular():
                self._called.setdefault(entry.path[entry.path.rfind("/") + 1 :], []).append(entry)
        return self._called

    def get(self, path: str) -> FileEntry | None:
        """The entry at exactly `path` (leading slash allowed); links are not followed."""
        return self.entries.get(path.strip("/"))

    def resolve(self, path: str) -> FileEntry | None:
        """The file at the end of `path` as a process in the container would open it.

        Links are followed in every part, absolute targets and ``..`` stay inside the root, and after
        LINK_HOPS_MAX links the answer is None (ELOOP), as it is for a path that does not exist.
        """
        place = self.real_path(path)
        return None if place is None else self.entries.get(place)

    def real_path(self, path: str) -> str | None:
        """The path without links that `path` leads to, whether or not its last part exists; None on a loop.

        None too for a path or a link longer than PATH_MAX: nothing can follow it.
        """
        if len(path) > PATH_MAX:
            return None
        todo = [part for part in reversed(path.split("/")) if part]
        done: list[str] = []
        hops = 0
        while todo:
            part = todo.pop()
            if part == ".":
                continue
            if part == "..":
                if done:
                    done.pop()
                continue
            here = "/".join((*done, part))
            entry = self.entries.get(here)
            if entry is None or entry.kind is not FileKind.SYMLINK:
                done.append(part)
                continue
            hops += 1
            if hops > LINK_HOPS_MAX or len(entry.link) > PATH_MAX:
                return None
            if entry.link.startswith("/"):
                done = []
            todo.extend(piece for piece in reversed(entry.link.split("/")) if piece)
        return "/".join(done)

    def children(self, directory: str) -> tuple[FileEntry, ...]:
        """The entries directly inside `directory` (a real path), in name order."""
        if self._children is None:
            self._children = {}
            for path in self.entries:
                if path:
                    self._children.setdefault(posixpath.dirname(path), []).append(path)
        return tuple(self.entries[path] for path in self._children.get(directory.strip("/"), ()))

    def names(self, entry: FileEntry) -> tuple[str, ...]:
        """Every path of the same inode, `entry.path` among them: one file, all its names."""
        if self._names is None:
            names: dict[int, list[str]] = {}
            for other in self.regular():
                names.setdefault(other.inode, []).append(other.path)
            self._names = {inode: tuple(paths) for inode, paths in names.items() if len(paths) > 1}
        return self._names.get(entry.inode, (entry.path,))

    def captured(self, request: str) -> tuple[Captured, ...]:
        """What the request of that name kept, in path order; hidden files are not among it."""
        return self._captured.get(request, ())

    def content(self, path: str) -> bytes | None:
        """The bytes of the regular file that `path` leads to, if some request kept them whole; else None."""
        if self._bytes is None:
            kept = (item for items in self._captured.values() for item in items)
            self._bytes = {item.entry.inode: item.value for item in kept if isinstance(item.value, bytes)}
        entry = self.resolve(path)
        return None if entry is None else self._bytes.get(entry.inode)


def display_path(path: str) -> str:
    """`path` as printable text with a leading slash: undecodable bytes and control characters as ``\\xNN``."""
    if path.isprintable():
        return "/" + path
    out = []
    for char in path:
        code = ord(char)
        if 0xDC80 <= code <= 0xDCFF:
            out.append(f"\\x{code - 0xDC00:02x}")
        elif code < 0x20 or 0x7F <= code < 0xA0 or code in (0x2028, 0x2029) or 0xD800 <= code <= 0xDFFF:
            out.append(f"\\x{code:02x}")
        elif 0x202A <= code <= 0x202E or 0x2066 <= code <= 0x2069:
            out.append(f"\\u{code:04x}")  # bidirectional overrides would reorder what a reader sees
        else:
            out.append(char)
    return "/" + "".join(out)
