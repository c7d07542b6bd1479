"""IM-USERWR: the user that the container runs as can't change what it runs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from compliance.model.evidence import Evidence, Variant
from compliance.model.filesystem import FileEntry, FileKind, FileTree, display_path
from compliance.model.outcome import (
    Check,
    Failed,
    NotApplicable,
    Observation,
    Outcome,
    Passed,
    Severity,
    Trait,
    Unknown,
)
from controls.accounts import CannotStart, Identity, Undetermined, run_as
from controls.observe import config_observation, count, coverage, file_observation, mode_text, not_wholly_read, once
from controls.writability import KERNEL, Writability, inside, is_code, is_configuration

CODE, CONFIGURATION = "program or library", "configuration file"


def run(evidence: Evidence) -> Outcome:
    """Code and configuration against the permissions of the default user, directories above them included."""
    who = run_as(evidence)
    match who:
        case Undetermined():
            return Unknown(reason=who.reason)
        case CannotStart():
            return Unknown(reason=f"{who.reason}, so what it could write is not defined")
        case Identity() if who.root:
            return _root(evidence, who)
        case Identity() if who.groups_problem:
            return Unknown(reason=who.groups_problem)
    surface = _surface(evidence.filesystem, Writability(evidence.filesystem, who))
    found = (*_folder_findings(evidence, surface, who), *_file_findings(evidence, surface, who))
    uncertain = tuple(
        file_observation(
            evidence, entry, "An ACL here or in a directory above may grant write permission.", method="POSIX ACL"
        )
        for entry in once(evidence.filesystem, surface.uncertain)
    )
    if found:
        return Failed(observations=(*found, *uncertain))
    if uncertain:
        reason = f"{count(len(uncertain), 'file')} of code or configuration may be writable through an ACL"
        return Unknown(reason=reason, observations=uncertain)
    if not evidence.filesystem.wholly_read:
        return not_wholly_read(evidence.filesystem)
    looked = f"{count(surface.looked[CODE], CODE, 'programs and libraries')} and "
    looked += count(surface.looked[CONFIGURATION], CONFIGURATION)
    return Passed(observations=(coverage(evidence, f"{who} can change or replace none of {looked}"),))


def _root(evidence: Evidence, who: Identity) -> Outcome:
    files = sum(1 for entry in evidence.filesystem.files() if _kind(entry))
    seen = config_observation(
        f"The default user is root (uid 0), who can write all code and configuration: {count(files, 'file')}.",
        who.spec or None,
    )
    if evidence.profile.variant is not Variant.RUNTIME:
        reason = f"a {evidence.profile.variant} image may run as root by design"
        return NotApplicable(reason=reason, observations=(seen,))
    return Failed(observations=(seen,))


@dataclass(slots=True)
class _Surface:
    """What was looked at, and what of it can be changed: by directory, or file by file."""

    looked: Counter[str] = field(default_factory=Counter)
    folders: dict[str, Counter[str]] = field(default_factory=dict)
    files: list[FileEntry] = field(default_factory=list)
    uncertain: list[FileEntry] = field(default_factory=list)


def _kind(entry: FileEntry) -> str | None:
    kind = CODE if is_code(entry) else CONFIGURATION if is_configuration(entry) else None
    return None if kind is None or inside(entry.path, KERNEL) else kind


def _surface(tree: FileTree, writability: Writability) -> _Surface:
    surface = _Surface()
    for entry in tree:
        kind = _kind(entry)
        if entry.kind is FileKind.SYMLINK:
            target = tree.resolve(entry.path)
            kind = _kind(target) if target is not None and not inside(entry.path, KERNEL) else None
        if kind is None:
            continue
        surface.looked[kind] += 1
        access = writability.access(entry)
        if access.control is not None:
            surface.folders.setdefault(access.control, Counter())[kind] += 1
        elif access.by_file:
            surface.files.append(entry)
        elif access.uncertain:
            surface.uncertain.append(entry)
    return surface


def _folder_findings(evidence: Evidence, surface: _Surface, who: Identity) -> tuple[Observation, ...]:
    found = []
    for path, kinds in sorted(surface.folders.items()):
        entry = evidence.filesystem.entries[path]
        below = " and ".join(count(kinds[kind], kind, plural) for kind, plural in _PLURALS.items() if kinds[kind])
        found.append(
            file_observation(
                evidence,
                entry,
                f"{_how(entry, who)}, so {below} in or below {display_path(path)} can be replaced.",
                value=mode_text(entry.mode),
                method="owner and mode",
            )
        )
    return tuple(found)


_PLURALS = {CODE: "programs or libraries", CONFIGURATION: "configuration files"}


def _file_findings(evidence: Evidence, surface: _Surface, who: Identity) -> tuple[Observation, ...]:
    return tuple(
        file_observation(evidence, entry, f"{_how(entry, who)}.", value=mode_text(entry.mode), method="owner and mode")
        for entry in once(evidence.filesystem, surface.files)
    )


def _how(entry: FileEntry, who: Identity) -> str:
    """Why `who` can write: as owner, through a group, or as everybody can."""
    what = "directory" if entry.kind is FileKind.DIRECTORY else "file"
    mode = mode_text(entry.mode)
    if entry.uid == who.uid:
        return f"uid {who.uid} owns the {what} (mode {mode}) and may write it or change its mode"
    if entry.gid == who.gid or entry.gid in who.groups:
        return f"uid {who.uid} may write the {what} through group {entry.gid} (mode {mode})"
    return f"uid {who.uid} may write the {what} as any user may (mode {mode})"


CHECK = Check(
    id="IM-USERWR",
    title="Runtime user cannot write code, libraries or configuration",
    trait=Trait.IMMUTABLE,
    severity=Severity.HIGH,
    rationale="If the process can change the code or configuration it runs from, a flaw in it can be made "
    "permanent: the change takes effect at the next start, or for another user.",
    looks_at="Owner, group, mode and ACL flag of every program, library, script, module and archive of code, of every "
    "file below /etc, of links to them, and of all directories above, seen as the default user with its groups.",
    proves="A pass proves that the default user can neither write such a file, nor change its mode as owner, nor "
    "replace it through a directory above. Code is told by execute permission, content and file name; code under an "
    "unusual name without execute permission is not among it, nor is what a volume brings at run time.",
    remediation="Let root own code and configuration and take the write permission of group and others away "
    "(COPY --chown=0:0 --chmod=), the directories above included.",
    run=run,
    references=("path_resolution(7)", "unlink(2)", "acl(5)"),
)
