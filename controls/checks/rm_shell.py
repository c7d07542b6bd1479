"""RM-SHELL: no program of the image reads and runs commands."""

from __future__ import annotations

from compliance.model.evidence import Evidence
from compliance.model.outcome import Check, Outcome, Severity, Trait
from controls.detection import conclude, detect
from controls.embedded import embedded_interpreters


def run(evidence: Evidence) -> Outcome:
    """Shells by content, applet table, name; shells compiled into Go programs are noted."""
    return conclude(evidence, detect(evidence, "shells"), notes=embedded_interpreters(evidence))


CHECK = Check(
    id="RM-SHELL",
    title="No command shell in a runtime image",
    trait=Trait.REMOVED,
    severity=Severity.HIGH,
    rationale="With a shell in the image, a bug that writes a file or injects an argument becomes a way to run any "
    "command, and many ready-made exploits begin by starting one.",
    looks_at="Every regular file of the merged file tree, whatever its name and mode: content markers of known shells "
    "in ELF files and in scripts, in what UPX packed too, the applet tables of BusyBox and Toybox, the main package "
    "of Go programs, and then the file names, hard links and symbolic links that lead to a program. A script that a "
    "shell runs is none.",
    proves="A pass proves that every regular file of the merged tree was read and that none holds a shell known to "
    "the marker rules or bears the name of one. It does not prove that no program can run others: interpreters are "
    "RM-INTERP, and a shell that nobody knows, or one made unrecognisable on purpose, is not seen.",
    remediation="Build the runtime stage from a base without a shell and copy only the application into it; remove "
    "BusyBox as a whole, since it is a shell even without a link named sh. Files without execute permission count too.",
    run=run,
    references=("System V gABI, chapter 4", "execve(2)"),
)
