"""Who can write what: permission bits, owners and directories seen from the user a container runs as.

Three things let a user change what a path leads to: write permission on the file, owning it (an owner may change
its mode at any time), and control of a directory above it, in which the file or the directory that holds it can
be replaced. A sticky directory gives that control only over what the user owns (unlink(2), rename(2)).
Read-only mounts and immutable flags are no part of an image.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from compliance.model.filesystem import FileEntry, FileKind, FileTree
from controls.accounts import Identity

READ, WRITE, SEARCH = 4, 2, 1
STICKY = 0o1000

TEMPORARY = ("tmp", "var/tmp", "run", "var/run", "dev/shm", "run/lock", "var/lock")
"""Directories that are writable by purpose and, as a rule, mounted over when a container starts."""
KERNEL = ("proc", "sys", "dev")
"""Mount points of the kernel's file systems: what an image has there is never seen by a container."""

_LIBRARY = re.compile(r"\.so(?:\.\d+)*$")
# fmt: off
_CODE_SUFFIXES = frozenset((
    "py", "pyc", "pth", "pyz", "whl", "js", "mjs", "cjs", "node", "rb", "pl", "pm", "php", "phar", "lua", "sh", "tcl",
    "jar", "war", "ear", "class", "dll", "exe", "wasm",
))
# fmt: on
_CODE_FOLDERS = re.compile(r"(?:^|/)(?:site-packages|dist-packages|node_modules)/")


def inside(path: str, folders: tuple[str, ...]) -> bool:
    """Whether `path` is one of `folders` or below one."""
    return path.startswith(_beginnings(folders)) or path in folders


@lru_cache(maxsize=64)
def _beginnings(folders: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{folder}/" for folder in folders)


def is_code(entry: FileEntry) -> bool:
    """Whether a regular file is something that is run, loaded or interpreted, told by mode, content and name."""
    if entry.kind is not FileKind.REGULAR:
        return False
    if entry.mode & 0o111 or entry.facts is not None:
        return True
    path = entry.path
    name = path[path.rfind("/") + 1 :]
    return (
        name[name.rfind(".") + 1 :] in _CODE_SUFFIXES
        or (".so" in name and _LIBRARY.search(name) is not None)
        or (("-packages/" in path or "node_modules/" in path) and _CODE_FOLDERS.search(path) is not None)
    )


def is_configuration(entry: FileEntry) -> bool:
    """Whether a regular file is below /etc."""
    return entry.kind is FileKind.REGULAR and entry.path.startswith("etc/")


def permitted(entry: FileEntry, who: Identity, wanted: int) -> bool:
    """What the mode alone grants: the first class that fits decides (path_resolution(7)); ACLs are not asked."""
    if who.root:
        return wanted != SEARCH or entry.kind is FileKind.DIRECTORY or bool(entry.mode & 0o111)
    if entry.uid == who.uid:
        return bool(entry.mode >> 6 & wanted)
    if entry.gid == who.gid or entry.gid in who.groups:
        return bool(entry.mode >> 3 & wanted)
    return bool(entry.mode & wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """What a user can do in one directory.

    `control` is the path of the topmost directory through which everything here can be replaced, None where
    there is none; `acl` tells that an ACL here or above may grant more than was computed.
    """

    reachable: bool
    writable: bool
    control: str | None
    acl: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How a file can be changed: `by_file` its own mode or owner, `control` the directory that gives it away."""

    by_file: bool
    control: str | None
    uncertain: bool

    @property
    def changes(self) -> bool:
        """Whether the user can change what the path leads to."""
        return self.by_file or self.control is not None


@dataclass(slots=True)
class Writability:
    """The file tree as one user sees it. For user id 0 everything is writable: ask `Identity.root` first."""

    tree: FileTree
    who: Identity
    _folders: dict[str, Folder] = field(default_factory=dict)

    def folder(self, path: str) -> Folder:
        """The directory at `path` (a real path). One that no layer lists is root's, mode 0755, as runtimes make it."""
        todo = []
        while path not in self._folders:
            todo.append(path)
            if not path:
                break
            path = posixpath.dirname(path)
        for place in reversed(todo):
            above = self._folders[posixpath.dirname(place)] if place else None
            self._folders[place] = self._compute(place, above)
        return self._folders[todo[0] if todo else path]

    def _compute(self, path: str, above: Folder | None) -> Folder:
        entry = self.tree.entries.get(path)
        reachable = above is None or above.reachable
        control = above.control if above else None
        acl = above.acl if above else False
        if entry is None:
            return Folder(reachable=reachable, writable=False, control=control, acl=acl)
        owned = entry.uid == self.who.uid
        searchable = reachable and (owned or permitted(entry, self.who, SEARCH))
        writable = searchable and (owned or permitted(entry, self.who, WRITE))
        if writable and control is None and (owned or not entry.mode & STICKY):
            control = path
        return Folder(reachable=searchable, writable=writable, control=control, acl=acl or entry.acl)

    def _replaceable(self, entry: FileEntry) -> bool:
        """Whether an entry of a writable directory can be replaced in it."""
        holder = self.tree.entries.get(posixpath.dirname(entry.path))
        sticky = holder is not None and bool(holder.mode & STICKY) and holder.uid != self.who.uid
        return not sticky or entry.uid == self.who.uid

    def access(self, entry: FileEntry) -> Access:
        """How the file or link `entry` can be changed."""
        holder = self.folder(posixpath.dirname(entry.path))
        control = holder.control
        own = entry.uid == self.who.uid or permitted(entry, self.who, WRITE)
        if entry.kind is FileKind.SYMLINK:  # has no permissions, but can be replaced
            own = False
            if control is None and holder.writable and self._replaceable(entry):
                control = posixpath.dirname(entry.path)
        return Access(by_file=holder.reachable and own, control=control, uncertain=holder.acl or entry.acl)

    def creatable(self, path: str) -> str | None:
        """The directory that lets the user make or replace `path` (which may not exist); None where none does."""
        place = path
        while place not in self.tree.entries and place:
            place = posixpath.dirname(place)
        folder = self.folder(place)
        if folder.control is not None:
            return folder.control
        return place if folder.writable else None

    def writable_folders(self) -> Iterator[FileEntry]:
        """The directories in which the user can make files, in path order; those below /proc, /sys, /dev left out."""
        for entry in self.tree:
            if entry.kind is not FileKind.DIRECTORY or inside(entry.path, KERNEL):
                continue
            folder = self.folder(entry.path)
            if folder.writable:
                yield entry
