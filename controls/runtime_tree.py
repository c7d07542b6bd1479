"""The file tree of a runtime image in the making: the target's entries, and what is copied onto them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from compliance.model.advice import RUNTIME_UID
from compliance.model.filesystem import FileAttributes, FileEntry, FileKind, FileTree
from controls.load_closure import REQUEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One COPY: from `source` in the build stage to `target`, in tree form. `writable` gives it to the runtime user.

    `group` is what it is: application, library, data, writable.
    """

    source: str
    target: str
    group: str
    writable: bool = False


@dataclass(slots=True)
class RuntimeTree:
    """What a runtime image will hold. `ours` are the copied entries by path, as they will be; `copies` by target."""

    base: FileTree | None
    entries: dict[str, FileEntry] = field(default_factory=dict)
    ours: dict[str, FileEntry] = field(default_factory=dict)
    copies: dict[str, Copy] = field(default_factory=dict)
    _tree: FileTree | None = None

    def __post_init__(self) -> None:
        self.entries = dict(self.base.entries) if self.base is not None else {"": folder_entry("")}

    def put(self, copy: Copy, entries: Iterable[FileEntry], *, opened: bool = False) -> None:
        """Note a copy and the entries that it brings; `opened` ones are made readable, and writable for root alone."""
        if copy.target in self.copies:
            return
        self.copies[copy.target] = copy
        self._tree = None
        owner = RUNTIME_UID if copy.writable else 0
        for entry in entries:
            path = copy.target + entry.path[len(copy.source) :]
            mode = _opened(entry) if opened else entry.mode
            # negative, so that no inode of the target's is among them
            attributes = replace(entry.attributes, uid=owner, gid=owner, mode=mode, capability=b"")
            mine = replace(entry, path=path, inode=-entry.inode - 1, attributes=attributes)
            self.entries[path] = self.ours[path] = mine
        above = posixpath.dirname(copy.target)
        while above and above not in self.entries:
            self.entries[above] = folder_entry(above)
            above = posixpath.dirname(above)

    def put_file(self, entry: FileEntry, path: str, group: str) -> None:
        """One file under the path at which it is looked up."""
        self.put(Copy(source=entry.path, target=self.place(path), group=group), [entry])

    def place(self, path: str) -> str:
        """Where `path` is in the target: folders that are links there are followed, as COPY follows them."""
        above, name = posixpath.split(path)
        real = self.base.real_path(above) if self.base is not None else above
        return posixpath.join(real or above, name)

    def tree(self) -> FileTree:
        """The tree as it is now, with the target's configuration of the dynamic loader."""
        if self._tree is None:
            kept = self.base.captured(REQUEST.name) if self.base is not None else ()
            self._tree = FileTree(dict(sorted(self.entries.items())), captured={REQUEST.name: kept})
        return self._tree

    def programs(self) -> list[FileEntry]:
        """The ELF files among what was copied."""
        return [entry for entry in self.ours.values() if is_elf(entry)]

    def holds_code(self, path: str) -> bool:
        """Whether a copied program, library or script is in or below `path`."""
        below = (entry for entry in self.ours.values() if inside(entry.path, path))
        return any(entry.facts is not None or entry.executable for entry in below)


def folder_entry(path: str) -> FileEntry:
    """A directory as COPY makes those above its target: root's, mode 0755."""
    attributes = FileAttributes(mode=0o755, uid=0, gid=0, layer=0)
    return FileEntry(path=path, kind=FileKind.DIRECTORY, size=0, inode=-1, attributes=attributes)


def inside(path: str, folder: str) -> bool:
    """Whether `path` is `folder` or below it."""
    return path == folder or path.startswith(folder + "/")


def is_elf(entry: FileEntry) -> bool:
    """Whether it is an ELF file."""
    return entry.kind is FileKind.REGULAR and entry.facts is not None and entry.facts.elf is not None


def is_closed(entry: FileEntry) -> bool:
    """Whether root's file would not be readable for others, or be writable for others or its group."""
    if entry.kind is FileKind.DIRECTORY:
        return entry.mode & 0o027 != 0o005
    if entry.kind is not FileKind.REGULAR:
        return False
    return not entry.mode & 0o004 or bool(entry.mode & 0o022) or bool(entry.mode & 0o111 and not entry.mode & 0o001)


def _opened(entry: FileEntry) -> int:
    """The mode after ``chmod a+rX,go-w``."""
    if entry.kind is FileKind.SYMLINK:
        return entry.mode
    search = 0o111 if entry.kind is FileKind.DIRECTORY or entry.mode & 0o111 else 0
    return (entry.mode | 0o444 | search) & ~0o022
