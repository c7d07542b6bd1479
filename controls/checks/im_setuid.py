"""IM-SETUID: no program changes its user or group when it starts."""

from __future__ import annotations

from compliance.model.evidence import Evidence
from compliance.model.filesystem import FileEntry, FileKind
from compliance.model.outcome import Check, Failed, Observation, ObservationKind, Outcome, Passed, Severity, Trait
from controls.observe import coverage, file_observation, mode_text, not_wholly_read, once

SETUID, SETGID = 0o4000, 0o2000


def run(evidence: Evidence) -> Outcome:
    """Regular files only: the mode of a symbolic link means nothing, and on a directory setgid only inherits."""
    tree = evidence.filesystem
    found: list[Observation] = []
    notes: list[Observation] = []
    for entry in once(tree, [entry for entry in tree if entry.mode & (SETUID | SETGID)]):
        if entry.executable:
            found.append(
                file_observation(evidence, entry, _sentence(entry), value=mode_text(entry.mode), method="mode")
            )
        elif entry.kind is FileKind.REGULAR:
            summary = f"The mode {mode_text(entry.mode)} has a setuid or setgid bit, but nobody may execute the file."
            notes.append(file_observation(evidence, entry, summary, kind=ObservationKind.NOTE, method="mode"))
        elif entry.kind is FileKind.DIRECTORY and entry.mode & SETGID:
            summary = f"New files in this setgid directory get the group {entry.gid}; that starts nothing."
            notes.append(file_observation(evidence, entry, summary, kind=ObservationKind.NOTE, method="mode"))
    if found:
        return Failed(observations=(*found, *notes))
    if not tree.wholly_read:
        return not_wholly_read(tree, tuple(notes))
    return Passed(observations=(coverage(evidence, "no executable regular file is setuid or setgid"), *notes))


def _sentence(entry: FileEntry) -> str:
    parts = []
    if entry.mode & SETUID:
        parts.append(f"setuid, so it runs as uid {entry.uid}")
    if entry.mode & SETGID:
        parts.append(f"setgid, so it runs with group {entry.gid}")
    return f"The program is {' and '.join(parts)}, whoever starts it."


CHECK = Check(
    id="IM-SETUID",
    title="No setuid or setgid executables",
    trait=Trait.IMMUTABLE,
    severity=Severity.HIGH,
    rationale="A program with the setuid bit runs as its owner, as a rule root, whoever starts it: the classic way "
    "from an unprivileged user back to uid 0.",
    looks_at="The mode of every entry of the merged file tree. Symbolic links have no mode of their own and are left "
    "out; setgid directories are listed as notes.",
    proves="A pass proves that no regular file that anybody may execute has a setuid or setgid bit in the merged tree. "
    "A bit that a lower layer had and an upper one took away is not live, and not counted.",
    remediation="Clear the bits in the layer that ships the file (chmod u-s,g-s FILE), or remove the package.",
    run=run,
    references=("execve(2)", "inode(7)"),
)
