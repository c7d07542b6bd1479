"""NR-SUDO: nothing that is made to raise privilege."""

from __future__ import annotations

import re
from collections.abc import Iterable

from compliance.model.evidence import Evidence
from compliance.model.filesystem import FileEntry, FileKind, FileTree
from compliance.model.outcome import Check, Failed, Observation, Outcome, Passed, Severity, Trait
from compliance.model.request import ContentRequest
from controls.observe import coverage, file_observation, mode_text, not_wholly_read

RAISES = frozenset(
    ("sudo", "sudoedit", "su", "doas", "pkexec", "runuser", "newgrp", "sg", "gpasswd", "chsh", "sudo-rs", "su-rs")
)
"""Programs that give another identity to somebody who is not root, or change what an account may do."""
ROOT_ONLY = frozenset(("gosu", "su-exec", "setpriv", "s6-setuidgid", "setuidgid", "capsh"))
"""Programs that only lower the privilege root has."""

_RULES = ContentRequest(name="sudo-rules", globs=("etc/sudoers", "etc/sudoers.d/*", "etc/doas.conf", "etc/doas.d/*"))
_PASSWORDLESS = re.compile(rb"^[^#\n]*(?:\bNOPASSWD\s*:|\bpermit\b[^#\n]*\bnopass\b)", re.MULTILINE)


def run(evidence: Evidence) -> Outcome:
    """Programs by name, links to them, and rules that ask for no password."""
    tree = evidence.filesystem
    runnable = list(_runnable(tree, RAISES | ROOT_ONLY))
    found = [*_programs(evidence, runnable), *_rules(evidence)]
    notes = tuple(
        file_observation(
            evidence, entry, f"{entry.name} only lowers the privilege of a process that is root already.", method="name"
        )
        for entry in runnable
        if entry.name in ROOT_ONLY
    )
    if found:
        return Failed(observations=(*found, *notes))
    if not tree.wholly_read:
        return not_wholly_read(tree, notes)
    names = ", ".join(sorted(RAISES))
    return Passed(observations=(coverage(evidence, f"no runnable file is named {names}"), *notes))


def _runnable(tree: FileTree, names: frozenset[str]) -> Iterable[FileEntry]:
    for path in [path for path in tree.entries if path[path.rfind("/") + 1 :] in names]:
        entry = tree.entries[path]
        if entry.kind is FileKind.DIRECTORY:
            continue
        target = tree.resolve(path)
        if target is not None and target.executable:
            yield entry


def _programs(evidence: Evidence, runnable: Iterable[FileEntry]) -> Iterable[Observation]:
    for entry in (entry for entry in runnable if entry.name in RAISES):
        target = evidence.filesystem.resolve(entry.path) or entry
        leads = f", a link to /{target.path}," if entry.kind is FileKind.SYMLINK else ""
        bits = f" setuid to uid {target.uid}" if target.mode & 0o4000 else " with file capabilities"
        power = bits if target.mode & 0o4000 or target.capability else ""
        yield file_observation(
            evidence,
            entry,
            f"{entry.name}{leads} can be run{power}.",
            value=f"mode {mode_text(target.mode)}",
            method="name",
        )


def _rules(evidence: Evidence) -> Iterable[Observation]:
    for kept in evidence.filesystem.captured(_RULES.name):
        if isinstance(kept.value, bytes) and _PASSWORDLESS.search(kept.value):
            yield file_observation(
                evidence, kept.entry, "A rule in this file raises privilege without a password.", method="content"
            )


CHECK = Check(
    id="NR-SUDO",
    title="No privilege-raising helpers",
    trait=Trait.NONROOT,
    severity=Severity.HIGH,
    rationale="Running as a user other than root gains nothing where that user can become root by a helper that is "
    "made for it.",
    looks_at="The names of all executable files and links of the merged file tree, and the rules in /etc/sudoers, "
    "/etc/sudoers.d and /etc/doas.conf.",
    proves="A pass proves that no runnable file has the name of a known privilege-raising helper and that no such rule "
    "asks for no password. A helper under another name is found only if it has a setuid bit or capabilities "
    "(IM-SETUID, IM-FCAP).",
    remediation="Remove the packages that ship them (sudo, util-linux, passwd, shadow) from the final stage.",
    run=run,
    requests=(_RULES,),
    references=("sudoers(5)", "doas.conf(5)"),
)
