"""IM-WWFILE: no file that everybody may write."""

from __future__ import annotations

from compliance.model.evidence import Evidence
from compliance.model.outcome import Check, Failed, Outcome, Passed, Severity, Trait
from controls.observe import count, coverage, file_observation, mode_text, not_wholly_read

WRITE_BY_OTHERS = 0o002


def run(evidence: Evidence) -> Outcome:
    """Regular files only: links have no mode, and devices like /dev/null are meant to be written."""
    tree = evidence.filesystem
    found = [
        file_observation(
            evidence,
            entry,
            f"The file is world-writable (mode {mode_text(entry.mode)}).",
            value=mode_text(entry.mode),
            method="mode",
        )
        for entry in tree.files()
        if entry.mode & WRITE_BY_OTHERS
    ]
    if found:
        return Failed(observations=tuple(found))
    if not tree.wholly_read:
        return not_wholly_read(tree)
    files = count(len(tree.files()), "regular file")
    return Passed(observations=(coverage(evidence, f"none of {files} is world-writable"),))


CHECK = Check(
    id="IM-WWFILE",
    title="No world-writable files",
    trait=Trait.IMMUTABLE,
    severity=Severity.HIGH,
    rationale="A file that every user may write can be changed by any process of the container, whatever user it "
    "runs as.",
    looks_at="The mode of every regular file of the merged file tree. Links and devices are left out.",
    proves="A pass proves that no regular file grants write permission to all users. Files that their owner, a group "
    "or an ACL may write are asked for by IM-USERWR.",
    remediation="Take the permission away in the layer that ships the file (chmod o-w FILE, COPY --chmod=).",
    run=run,
    references=("inode(7)",),
)
