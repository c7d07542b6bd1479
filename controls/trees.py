"""Many files of one sort told as few observations: one a folder, with their number and size."""

from __future__ import annotations

from collections.abc import Iterable

from compliance.formats.globs import PathMatcher
from compliance.model.evidence import Evidence
from compliance.model.filesystem import FileEntry, display_path
from compliance.model.outcome import Observation, ObservationKind
from controls.knowledge import PathSort
from controls.observe import count

FOLDERS_MAX = 200


def sums_of(evidence: Evidence, sorts: tuple[PathSort, ...]) -> tuple[Observation, ...]:
    """Regular files of those sorts that are not empty, a file counting for the first sort only."""
    matchers = [(sort, PathMatcher(sort.globs), PathMatcher(sort.exempt)) for sort in sorts]
    anything = PathMatcher([glob for sort in sorts for glob in sort.globs])
    found: dict[PathSort, list[FileEntry]] = {sort: [] for sort in sorts}
    for entry in evidence.filesystem.regular():
        if not entry.size or not anything.matches(entry.path):
            continue
        for sort, wanted, exempt in matchers:
            if wanted.matches(entry.path) and not exempt.matches(entry.path):
                found[sort].append(entry)
                break
    out: list[Observation] = []
    for sort, entries in found.items():
        out.extend(folder_sums(evidence, entries, sort.what, depth=sort.depth))
    return tuple(out)


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
