"""IM-WWDIR: no directory in which everybody may replace everybody's files."""

from __future__ import annotations

from compliance.model.evidence import Evidence
from compliance.model.filesystem import FileKind
from compliance.model.outcome import Check, Failed, ObservationKind, Outcome, Passed, Severity, Trait
from controls.observe import count, coverage, file_observation, mode_text, not_wholly_read
from controls.writability import STICKY, TEMPORARY

WRITE_BY_OTHERS = 0o002


def run(evidence: Evidence) -> Outcome:
    """World-writable directories: without the sticky bit a failure, with it a note outside the temporary ones."""
    tree = evidence.filesystem
    directories = [entry for entry in tree if entry.kind is FileKind.DIRECTORY]
    writable = [entry for entry in directories if entry.mode & WRITE_BY_OTHERS]
    found = [
        file_observation(
            evidence,
            entry,
            f"The directory is world-writable without the sticky bit (mode {mode_text(entry.mode)}): "
            "any user can remove or replace the files in it.",
            value=mode_text(entry.mode),
            method="mode",
        )
        for entry in writable
        if not entry.mode & STICKY
    ]
    notes = tuple(
        file_observation(
            evidence,
            entry,
            f"The directory is world-writable with the sticky bit (mode {mode_text(entry.mode)}), and none of the "
            "usual temporary ones.",
            value=mode_text(entry.mode),
            method="mode",
            kind=ObservationKind.NOTE,
        )
        for entry in writable
        if entry.mode & STICKY and entry.path not in TEMPORARY
    )
    if found:
        return Failed(observations=(*found, *notes))
    if not tree.wholly_read:
        return not_wholly_read(tree, notes)
    seen = count(len(directories), "directory", "directories")
    summary = f"none of {seen} is world-writable without the sticky bit"
    return Passed(observations=(coverage(evidence, summary), *notes))


CHECK = Check(
    id="IM-WWDIR",
    title="No world-writable directories without the sticky bit",
    trait=Trait.IMMUTABLE,
    severity=Severity.MEDIUM,
    rationale="In a directory that all may write and that has no sticky bit, any user can delete or replace the "
    "files of others; with the bit, only their owner can.",
    looks_at="The mode of every directory of the merged file tree.",
    proves="A pass proves that every directory listed in the layers that grants write permission to all users has the "
    "sticky bit. Directories that a layer only implies come into being as root's, mode 0755.",
    remediation="Set mode 1777 where everybody must write (chmod 1777 /tmp), else take the permission away.",
    run=run,
    references=("inode(7)", "unlink(2)"),
)
