"""Layers applied in order: the tree that a container sees (OCI image-spec, layer.md, "Applying Changesets")."""

from __future__ import annotations

from collections.abc import Mapping

from compliance.ingest.layers import LayerContents, LayerEntry
from compliance.model.filesystem import Captured, FileEntry, FileKind, FileTree, Residue, Unkept, Unread


class TreeBuilder:
    """Takes layers lowest first; `finish` gives the merged tree.

    A whiteout hides only lower layers, whatever its place in the archive. An entry below a path that is a link
    or a file in a lower layer makes a directory of that path, as overlay file systems do.
    """

    def __init__(self) -> None:
        """An empty root."""
        self._entries: dict[str, FileEntry] = {"": FileEntry("", FileKind.DIRECTORY, 0o755, 0, 0, 0, 0, 0)}
        self._children: dict[str, dict[str, None]] = {"": {}}
        self._kept: dict[int, dict[str, object]] = {}
        self._asked: dict[str, tuple[str, ...]] = {}
        self._residue: dict[tuple[str, int], Residue] = {}
        self._unread: list[Unread] = []
        self._unkept: list[Unkept] = []
        self._inode = 0
        self.notices: list[str] = []

    def apply(self, contents: LayerContents) -> None:
        """Put one layer on top."""
        index = contents.layer.index
        # A hard link may lead to a file that this layer's own whiteout takes away.
        links = {entry.hard_link for entry in contents.entries if entry.hard_link is not None}
        lower = {path: self._entries[path] for path in links if path in self._entries}
        for directory in contents.opaque:
            for child in tuple(self._children.get(directory, ())):
                self._remove(child, index)
        for path in contents.whiteouts:
            self._remove(path, index)
        for entry in contents.entries:
            self._add(entry, index, lower)
        self._unread.extend(contents.unread)
        self._unkept.extend(contents.unkept)
        self.notices.extend(contents.notices)

    def finish(self) -> FileTree:
        """The merged tree. Unread places of files that an upper layer hides are no gaps in it."""
        entries = {path: self._entries[path] for path in sorted(self._entries)}
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
            entries,
            captured={name: tuple(items) for name, items in captured.items()},
            unread=unread,
            unkept=tuple(unkept),
            residue=tuple(self._residue[key] for key in sorted(self._residue)),
        )

    def _matters(self, item: Unread | Unkept) -> bool:
        """Whether a gap is in the merged tree: not if another layer hid or replaced its file."""
        entry = self._entries.get(item.path)
        hidden = item.layer is not None and (item.path, item.layer) in self._residue
        return not hidden and (entry is None or item.layer is None or entry.layer == item.layer)

    def _add(self, entry: LayerEntry, layer: int, lower: Mapping[str, FileEntry]) -> None:
        path = entry.path
        if not path and entry.kind is not FileKind.DIRECTORY:
            self.notices.append("unsafe-path: an entry that replaces the root was refused")
            return
        old = self._entries.get(path)
        target: FileEntry | None = None
        if entry.hard_link is not None:
            target = self._entries.get(entry.hard_link) or lower.get(entry.hard_link)
            if target is None or target.kind is FileKind.DIRECTORY:
                self.notices.append(f"broken-link: /{path} is a hard link to /{entry.hard_link}, which is not there")
                self._unread.append(Unread(path=path, reason="hard link to a file that is not there", layer=layer))
                return
            if entry.hard_link == path:
                return
        if old is not None and not (old.kind is FileKind.DIRECTORY and entry.kind is FileKind.DIRECTORY):
            self._remove(path, layer)
        self._parents(path, layer)
        if target is not None:
            new = target._replace(path=path)
        else:
            self._inode += 1
            inode = old.inode if old is not None and old.kind is entry.kind is FileKind.DIRECTORY else self._inode
            new = FileEntry(
                path,
                entry.kind,
                entry.mode,
                entry.uid,
                entry.gid,
                entry.size,
                layer,
                inode,
                entry.link,
                entry.read.sha256,
                entry.read.facts,
                entry.capability,
                entry.acl,
                entry.read.md5,
                entry.read.sha1,
            )
            if entry.kept:
                self._kept[inode] = dict(entry.kept)
        if entry.kept:
            self._asked[path] = tuple(name for name, _ in entry.kept)
        else:
            self._asked.pop(path, None)
        self._entries[path] = new
        if path:
            self._children[_parent(path)][path] = None
        if entry.kind is FileKind.DIRECTORY:
            self._children.setdefault(path, {})

    def _parents(self, path: str, layer: int) -> None:
        """Directories above `path` that no entry told of: root's, mode 0755, as every runtime makes them."""
        parent = _parent(path)
        if not path or parent in self._children:
            return
        self._parents(parent, layer)
        if parent in self._entries:
            self.notices.append(f"/{parent}: a link or file of a lower layer became a directory")
            self._remove(parent, layer)
        self._inode += 1
        self._entries[parent] = FileEntry(parent, FileKind.DIRECTORY, 0o755, 0, 0, 0, layer, self._inode)
        self._children[parent] = {}
        if parent:
            self._children[_parent(parent)][parent] = None

    def _remove(self, path: str, layer: int) -> None:
        """Take `path` and everything below it out of the tree; what lower layers ship of it is residue."""
        if path not in self._entries or not path:
            return
        self._children[_parent(path)].pop(path, None)
        todo = [path]
        while todo:
            here = todo.pop()
            entry = self._entries.pop(here)
            todo.extend(self._children.pop(here, ()))
            self._asked.pop(here, None)
            if entry.kind is FileKind.REGULAR and entry.layer < layer:
                key = (here, entry.layer)
                self._residue[key] = Residue(
                    path=here, layer=entry.layer, hidden_by=layer, size=entry.size, sha256=entry.sha256
                )


def _parent(path: str) -> str:
    return path[: path.rfind("/")] if "/" in path else ""
