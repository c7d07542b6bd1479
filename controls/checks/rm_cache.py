"""RM-CACHE: nothing left over from building, in the tree or hidden in a lower layer."""

from __future__ import annotations

from collections.abc import Iterable

from compliance.model.evidence import Evidence
from compliance.model.filesystem import FileKind, Residue, display_path
from compliance.model.outcome import Check, Failed, Observation, ObservationKind, Outcome, Passed, Severity, Trait
from controls.knowledge import path_sorts
from controls.observe import count, coverage, not_wholly_read, note
from controls.trees import sums_of

_RESIDUE_MAX = 200


def run(evidence: Evidence) -> Outcome:
    """Caches, lists and logs in the merged tree; files that a later layer deletes but the image still ships."""
    tree = evidence.filesystem
    deleted: list[Residue] = []
    replaced: list[Residue] = []
    for residue in tree.residue:
        now = tree.get(residue.path)
        (deleted if now is None or now.kind is not FileKind.REGULAR else replaced).append(residue)
    found = (*sums_of(evidence, path_sorts("caches")), *_hidden(deleted))
    notes = _replaced(replaced)
    if found:
        return Failed(observations=(*found, *notes))
    if not tree.wholly_read:
        return not_wholly_read(tree, notes)
    covered = coverage(evidence, "no package cache, list or log, and no file that a later layer deletes")
    return Passed(observations=(covered, *notes))


def _hidden(deleted: Iterable[Residue]) -> tuple[Observation, ...]:
    ordered = sorted(deleted, key=lambda residue: (-residue.size, residue.path, residue.layer))
    out = [
        Observation(
            summary=f"{display_path(residue.path)} is deleted by layer {residue.hidden_by}, but layer {residue.layer} "
            f"still ships it: {count(residue.size, 'byte')}.",
            kind=ObservationKind.RESIDUE,
            path=residue.path,
            layer=residue.layer,
            sha256=residue.sha256,
            method="layers",
            verdict="present",
            size=residue.size,
        )
        for residue in ordered[:_RESIDUE_MAX]
    ]
    rest = ordered[_RESIDUE_MAX:]
    if rest:
        size = sum(residue.size for residue in rest)
        summary = f"{count(len(rest), 'more deleted file')} that lower layers still ship, {count(size, 'byte')}."
        out.append(Observation(summary=summary, kind=ObservationKind.RESIDUE, method="layers", size=size))
    return tuple(out)


def _replaced(replaced: list[Residue]) -> tuple[Observation, ...]:
    """Files with a newer version above: every layered build has some, and the old version stays readable."""
    if not replaced:
        return ()
    size = sum(residue.size for residue in replaced)
    files = count(len(replaced), "file")
    return (note(f"{files} of lower layers, replaced by newer ones, are still shipped: {count(size, 'byte')}."),)


CHECK = Check(
    id="RM-CACHE",
    title="No package caches, lists or logs left behind",
    trait=Trait.REMOVED,
    severity=Severity.LOW,
    rationale="Caches, lists and logs of the build make the image larger and tell how and from where it was built; "
    "a file that a later layer deletes is still there for whoever pulls the image.",
    looks_at="Files that are not empty at the usual places of package caches, package lists, users' caches, wheels and "
    "/var/log in the merged file tree, and every file of a lower layer that a later layer deletes. It holds for dev "
    "and sdk images too.",
    proves="A pass proves that every layer was read, that those places are empty, and that no layer deletes a file "
    "that a lower one ships. A cache at an unusual place is not seen; file contents are not looked at.",
    remediation="Clean up in the build step that makes the files (apt-get clean; rm -rf /var/lib/apt/lists/*), use "
    "cache mounts, or copy the finished root filesystem into an empty stage, which leaves no lower layer.",
    run=run,
    references=("OCI image-spec layer.md: whiteouts", "Docker build: cache mounts"),
)
