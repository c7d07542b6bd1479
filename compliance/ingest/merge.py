"""Layers applied in order: the tree that a container sees (OCI image-spec, layer.md, "Applying Changesets")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise, starmap
from operator import attrgetter, lt
from types import MappingProxyType

from compliance.ingest.layers import Kept, LayerContents
from compliance.model.filesystem import (
    Captured,
    FileAttributes,
    FileEntry,
    FileKind,
    FileSecrets,
    FileTree,
    Residue,
    Unkept,
    Unread,
)


class TreeBuilder:
    """Takes layers lowest first; `finish` gives the merged tree.

    A whiteout hides only lower layers, whatever its place in the archive. An entry below a path that is a link
    or a file in a lower layer makes a directory of that path, as overlay file systems do.
    """

    def __init__(self) -> None:
        """An empty root."""
        self._entries: dict[str, FileEntry] = {"": _directory("", 0, 0)}
        self._children: dict[str, dict[str, None]] | None = None
        self._kept: dict[int, dict[str, object]] = {}
        self._asked: dict[str, tuple[str, ...]] = {}
        self._residue: dict[tuple[str, int], Residue] = {}
        self._unread: list[Unread] = []
        self._unkept: list[Unkept] = []
        self._secrets: list[FileSecrets] | None = []
        self._implied = 0
        self.notices: list[str] = []

    def apply(self, contents: LayerContents) -> None:
        """Put one layer on top."""
        index = contents.layer.index
        # A hard link may lead to a file that this layer's own whiteout takes away.
        links = contents.hard_links
        lower = {path: self._entries[path] for path in links.values() if path in self._entries}
        for directory in contents.opaque:
            for child in tuple(self._below().get(directory, ())):
                self._remove(child, index)
        for path in contents.whiteouts:
            self._remove(path, index)
        kept = contents.kept
        for number, entry in enumerate(contents.entries):
            if number in links or number in kept or entry.path in self._entries:
                self._add(entry, index, links.get(number), kept.get(number, ()), lower)
            else:
                self._put(entry, index)
        self._unread.extend(contents.unread)
        self._unkept.extend(contents.unkept)
        if contents.secrets is None:
            self._secrets = None
        elif self._secrets is not None:
            self._secrets.extend(contents.secrets)
        self.notices.extend(contents.notices)

    def finish(self) -> FileTree:
        """The merged tree. Unread places of files that an upper layer hides are no gaps in it."""
        self._children = None
        entries = self._entries
        if not all(starmap(lt, pairwise(entries))):
            in_order = sorted(entries.values(), key=attrgetter("path"))
            entries.clear()  # never two tables at a time
            entries.update((entry.path, entry) for entry in in_order)
        unread = tuple(item for item in self._unread if self._matters(item))
        unkept = [item for item in self._unkept if self._matters(item)]
        captured: dict[str, list[Captured]] = {}
        for path in sorted(self._asked):
            entry = entries[path]
            kept = self._kept.get(entry.inode, {})
            whole = next((value for value in kept.values() if isinstance(value, bytes)), None)
            for name in self._asked[path]:
                value = kept.get(name, whole)
                if value is not None:
                    captured.setdefault(name, []).append(Captured(entry=entry, value=value))
                elif entry.size:
                    reason = "a hard link to a file whose content was not kept"
                    unkept.append(Unkept(path=path, request=name, reason=reason, layer=entry.layer))
        return FileTree(
            MappingProxyType(entries),
            captured={name: tuple(items) for name, items in captured.items()},
            unread=unread,
            unkept=tuple(unkept),
            residue=tuple(self._residue[key] for key in sorted(self._residue)),
            secrets=None if self._secrets is None else tuple(self._secrets),
        )

    def _matters(self, item: Unread | Unkept) -> bool:
        """Whether a gap is in the merged tree: not if another layer hid or replaced its file."""
        entry = self._entries.get(item.path)
        hidden = item.layer is not None and (item.path, item.layer) in self._residue
        return not hidden and (entry is None or item.layer is None or entry.layer == item.layer)

    def _add(
        self, entry: FileEntry, layer: int, hard_link: str | None, kept: Kept, lower: Mapping[str, FileEntry]
    ) -> None:
        path = entry.path
        if not path and entry.kind is not FileKind.DIRECTORY:
            self.notices.append("unsafe-path: an entry that replaces the root was refused")
            return
        old = self._entries.get(path)
        target: FileEntry | None = None
        if hard_link is not None:
            target = self._entries.get(hard_link) or lower.get(hard_link)
            if target is None or target.kind is FileKind.DIRECTORY:
                self.notices.append(f"broken-link: /{path} is a hard link to /{hard_link}, which is not there")
                self._unread.append(Unread(path=path, reason="hard link to a file that is not there", layer=layer))
                return
            if hard_link == path:
                return
        if old is not None and not (old.kind is FileKind.DIRECTORY and entry.kind is FileKind.DIRECTORY):
            self._remove(path, layer)
        if target is not None:
            entry = replace(target, path=path)
        elif kept:
            self._kept[entry.inode] = dict(kept)
        if kept:
            self._asked[path] = tuple(name for name, _ in kept)
        else:
            self._asked.pop(path, None)
        self._put(entry, layer)

    def _put(self, entry: FileEntry, layer: int) -> None:
        path = entry.path
        above = self._entries.get(_parent(path))
        if above is None or above.kind is not FileKind.DIRECTORY:
            self._parents(path, layer)
        self._entries[path] = entry
        if self._children is not None:
            if path:
                self._children[_parent(path)][path] = None
            if entry.kind is FileKind.DIRECTORY:
                self._children.setdefault(path, {})

    def _parents(self, path: str, layer: int) -> None:
        """Directories above `path` that no entry told of: root's, mode 0755, as every runtime makes them."""
        parent = _parent(path)
        above = self._entries.get(parent)
        if not path or (above is not None and above.kind is FileKind.DIRECTORY):
            return
        self._parents(parent, layer)
        if above is not None:
            self.notices.append(f"/{parent}: a link or file of a lower layer became a directory")
            self._remove(parent, layer)
        self._implied -= 1
        self._put(_directory(parent, layer, self._implied), layer)

    def _below(self) -> dict[str, dict[str, None]]:
        """What is directly below each directory; made only when a directory is taken away, and kept from then on."""
        if self._children is None:
            self._children = {path: {} for path, entry in self._entries.items() if entry.kind is FileKind.DIRECTORY}
            for path in self._entries:
                if path:
                    self._children[_parent(path)][path] = None
        return self._children

    def _remove(self, path: str, layer: int) -> None:
        """Take `path` and everything below it out of the tree; what lower layers ship of it is residue."""
        gone = self._entries.get(path)
        if gone is None or not path:
            return
        children: dict[str, dict[str, None]] = {}
        if self._children is not None or gone.kind is FileKind.DIRECTORY:
            children = self._below()
            children[_parent(path)].pop(path, None)
        todo = [path]
        while todo:
            here = todo.pop()
            entry = self._entries.pop(here)
            todo.extend(children.pop(here, ()))
            self._asked.pop(here, None)
            if entry.kind is FileKind.REGULAR and entry.layer < layer:
                key = (here, entry.layer)
                self._residue[key] = Residue(
                    path=here, layer=entry.layer, hidden_by=layer, size=entry.size, sha256=entry.sha256
                )


def _directory(path: str, layer: int, inode: int) -> FileEntry:
    """One that no entry told of: root's, mode 0755, as every runtime makes them."""
    return FileEntry(path, FileKind.DIRECTORY, 0, inode, FileAttributes(mode=0o755, uid=0, gid=0, layer=layer))


def _parent(path: str) -> str:
    return path[: path.rfind("/")] if "/" in path else ""
