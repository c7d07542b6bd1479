"""Observations as the checks write them: a sentence, and what points at the bytes behind it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from compliance.model.evidence import Evidence
from compliance.model.filesystem import FileEntry, FileKind, FileTree, display_path
from compliance.model.outcome import Observation, ObservationKind, Unknown


def count(number: int, noun: str, plural: str | None = None) -> str:
    """``1 file``, ``1,940 files``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def file_observation(
    evidence: Evidence,
    entry: FileEntry,
    summary: str,
    *,
    value: str | None = None,
    method: str | None = None,
    kind: ObservationKind = ObservationKind.FILE,
) -> Observation:
    """An observation about one file, with all its names, its layer, its digest and its owner."""
    names = evidence.filesystem.names(entry)
    return Observation(
        summary=summary,
        kind=kind,
        path=entry.path,
        names=tuple(name for name in names if name != entry.path),
        layer=entry.layer,
        sha256=entry.sha256 or None,
        package=evidence.inventory.owner(*names),
        value=value,
        method=method,
        size=entry.size if entry.kind is FileKind.REGULAR else None,
    )


def config_observation(summary: str, value: str | None = None) -> Observation:
    """An observation about the image config."""
    return Observation(summary=summary, kind=ObservationKind.CONFIG, value=value, method="image config")


def note(summary: str) -> Observation:
    """Something to know that decides nothing."""
    return Observation(summary=summary, kind=ObservationKind.NOTE)


def coverage(evidence: Evidence, finding: str) -> Observation:
    """What a pass rests on: ``1,940 entries in 1 layer: no regular file is setuid``."""
    layers = len(evidence.image.layers)
    read = count(len(evidence.filesystem), "entry", "entries")
    where = f" in {count(layers, 'layer')}" if layers else ""
    return Observation(summary=f"{read}{where}: {finding}.", kind=ObservationKind.COVERAGE, method="merged file tree")


def once(tree: FileTree, entries: Iterable[FileEntry]) -> Iterator[FileEntry]:
    """`entries` without further names of a regular file that already came: one inode, one finding."""
    seen: set[int] = set()
    for entry in entries:
        if entry.kind is FileKind.REGULAR:
            if entry.inode in seen:
                continue
            seen.add(entry.inode)
        yield entry


def not_wholly_read(tree: FileTree, observations: tuple[Observation, ...] = ()) -> Unknown:
    """The outcome of a search that found nothing in a tree that was not wholly read."""
    first = tree.unread[0]
    more = f" and {count(len(tree.unread) - 1, 'more place')}" if len(tree.unread) > 1 else ""
    return Unknown(
        reason=f"nothing was found, but {display_path(first.path)}{more} could not be read: {first.reason}",
        observations=observations,
    )


def mode_text(mode: int) -> str:
    """Permission bits in octal, ``0755`` or ``4755``."""
    return f"{mode:04o}"
