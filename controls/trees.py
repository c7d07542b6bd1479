"""Many files of one sort told as few observations: one a folder, with their number and size."""

from __future__ import annotations

from collections.abc import Iterable
from weakref import WeakKeyDictionary

from compliance.formats.globs import PathMatcher, PathTable
from compliance.model.evidence import Evidence
from compliance.model.filesystem import FileEntry, FileTree, display_path
from compliance.model.outcome import Observation, ObservationKind
from controls.knowledge import PathSort, path_sorts
from controls.observe import count

FOLDERS_MAX = 200
KINDS = ("caches", "debug-symbols", "development-residue", "docs")
"""The files of knowledge whose sorts are told apart at once: four checks ask, the paths are walked once."""


def sums_of(evidence: Evidence, sorts: tuple[PathSort, ...]) -> tuple[Observation, ...]:
    """Regular files of those sorts that are not empty, a file counting for the first sort only."""
    tree = evidence.filesystem
    if tree not in _known:
        _known[tree] = _files_of(tree, tuple(path_sorts(name) for name in KINDS))
    found = _known[tree] if all(sort in _known[tree] for sort in sorts) else _files_of(tree, (sorts,))
    out: list[Observation] = []
    for sort in sorts:
        out.extend(folder_sums(evidence, found[sort], sort.what, depth=sort.depth))
    return tuple(out)


def _files_of(tree: FileTree, kinds: tuple[tuple[PathSort, ...], ...]) -> dict[PathSort, list[FileEntry]]:
    """The files of each sort in one pass over the tree; of the sorts of one kind a file is of the first that fits."""
    found: dict[PathSort, list[FileEntry]] = {sort: [] for sorts in kinds for sort in sorts}
    table = PathTable(
        ((number, found[sort], PathMatcher(sort.exempt) if sort.exempt else None), sort.globs)
        for number, sorts in enumerate(kinds)
        for sort in sorts
    )
    for entry in tree.regular():
        if not entry.size:
            continue
        done = -1
        for number, files, exempt in table.owners(entry.path):
            if number != done and (exempt is None or not exempt.matches(entry.path)):
                files.append(entry)
                done = number
    return found


_known: WeakKeyDictionary[FileTree, dict[PathSort, list[FileEntry]]] = WeakKeyDictionary()


def folder_sums(
    evidence: Evidence,
    entries: Iterable[FileEntry],
    what: str,
    *,
    depth: int,
    kind: ObservationKind = ObservationKind.FILE,
    verdict: str = "present",
) -> tuple[Observation, ...]:
    """`entries` summed by the first `depth` parts of their folder; `size` is that of the sum, in bytes.

    A file with several names counts once. Past FOLDERS_MAX folders the rest is one observation.
    """
    sums: dict[str, dict[int, FileEntry]] = {}
    seen: set[int] = set()
    for entry in entries:
        if entry.inode not in seen:
            seen.add(entry.inode)
            folder = "/".join(entry.path.split("/")[:-1][:depth])
            sums.setdefault(folder, {})[entry.inode] = entry
    groups = list(sums.items())
    out = [_sum(evidence, folder, tuple(some.values()), what, kind, verdict) for folder, some in groups[:FOLDERS_MAX]]
    rest = [entry for _, some in groups[FOLDERS_MAX:] for entry in some.values()]
    if rest:
        size = sum(entry.size for entry in rest)
        more = count(len(groups) - FOLDERS_MAX, "more folder")
        summary = f"{more} with {count(len(rest), 'file')} of {what}, {count(size, 'byte')}."
        out.append(Observation(summary=summary, kind=kind, method="path", verdict=verdict, size=size))
    return tuple(out)


def _sum(
    evidence: Evidence, folder: str, entries: tuple[FileEntry, ...], what: str, kind: ObservationKind, verdict: str
) -> Observation:
    size = sum(entry.size for entry in entries)
    layers = {entry.layer for entry in entries}
    owners = {evidence.inventory.owner(*evidence.filesystem.names(entry)) for entry in entries}
    alone = entries[0] if len(entries) == 1 else None
    path = folder if alone is None else alone.path
    holds = f"{count(len(entries), 'file')}, " if alone is None else ""
    return Observation(
        summary=f"{display_path(path)}: {what}, {holds}{count(size, 'byte')}.",
        kind=kind,
        path=path,
        layer=layers.pop() if len(layers) == 1 else None,
        sha256=None if alone is None else alone.sha256,
        package=owners.pop() if len(owners) == 1 else None,
        method="path",
        verdict=verdict,
        size=size,
    )
