"""The programs of a merged tree, each once: ELF files, scripts and other executable files, with all their names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from compliance.model.filesystem import ElfFacts, FileEntry, FileKind, FileTree

LINKS_MAX = 50_000
"""Symbolic links that are followed to find the names of programs, in one tree."""

_PROGRAM_FOLDERS = frozenset({"bin", "sbin", "libexec", "busybox", "games"})
# fmt: off
_DATA_FOLDERS = frozenset({
    "lib", "lib32", "lib64", "libx32", "share", "etc", "var", "include", "src", "doc", "docs", "man", "locale",
    "node_modules", "site-packages", "dist-packages", "test", "tests", "testdata", "examples", "completions",
    "proc", "sys", "dev",
})
# fmt: on


@dataclass(frozen=True, slots=True)
class Program:
    """One inode that may be a program. `paths` are its names in the tree, hard links included, in path order."""

    entry: FileEntry
    paths: tuple[str, ...]

    @property
    def elf(self) -> ElfFacts | None:
        """What its ELF headers say, if it has them."""
        return self.entry.facts.elf if self.entry.facts is not None else None


class Programs:
    """All programs of one tree and the symbolic links that could be names of theirs."""

    def __init__(self, tree: FileTree) -> None:
        """Goes through `tree` once."""
        self.tree = tree
        self.elf = 0
        self.scripts = 0
        self.links_cut = False
        self._links: dict[str, list[str]] = {}
        self._targets: dict[str, int | None] = {}
        self._folders: dict[str, bool] = {}
        found: dict[int, tuple[FileEntry, list[str]]] = {}
        for entry in tree:
            if entry.kind is FileKind.REGULAR:
                if entry.mode & 0o111 or entry.facts is not None:
                    self._regular(entry, found)
            elif entry.kind is FileKind.SYMLINK and self.is_program_place(entry.path):
                self._links.setdefault(entry.name, []).append(entry.path)
        self.regular = len(tree.files())
        self.all: tuple[Program, ...] = tuple(Program(entry, tuple(paths)) for entry, paths in found.values())

    def _regular(self, entry: FileEntry, found: dict[int, tuple[FileEntry, list[str]]]) -> None:
        facts = entry.facts
        if facts is None and not self.is_program_place(entry.path):
            return
        known = found.get(entry.inode)
        if known is not None:
            known[1].append(entry.path)
            return
        found[entry.inode] = (entry, [entry.path])
        if facts is not None:
            self.elf += facts.elf is not None
            self.scripts += facts.shebang is not None

    def is_program_place(self, path: str) -> bool:
        """Whether a file there is meant to be started: in a bin folder, or in none that holds data."""
        folder = path.rpartition("/")[0]
        known = self._folders.get(folder)
        if known is None:
            parts = folder.split("/")
            known = parts[-1] in _PROGRAM_FOLDERS or _DATA_FOLDERS.isdisjoint(parts)
            self._folders[folder] = known
        return known

    def links(self, wanted: Callable[[str], bool]) -> dict[int, list[str]]:
        """Symbolic links in program places whose name is `wanted`, by the inode of the regular file they lead to."""
        out: dict[int, list[str]] = {}
        for name, paths in self._links.items():
            if not wanted(name):
                continue
            for path in paths:
                inode = self._target(path)
                if inode is not None:
                    out.setdefault(inode, []).append(path)
        return out

    def _target(self, path: str) -> int | None:
        if path not in self._targets:
            if len(self._targets) >= LINKS_MAX:
                self.links_cut = True
                return None
            entry = self.tree.resolve(path)
            regular = entry is not None and entry.kind is FileKind.REGULAR
            self._targets[path] = entry.inode if entry is not None and regular else None
        return self._targets[path]


_known: WeakKeyDictionary[FileTree, Programs] = WeakKeyDictionary()


def programs(tree: FileTree) -> Programs:
    """The programs of `tree`, gathered once for all checks."""
    found = _known.get(tree)
    if found is None:
        found = _known[tree] = Programs(tree)
    return found
