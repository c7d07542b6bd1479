"""IM-ROFS: everything the runtime user can write is a volume or temporary."""

from __future__ import annotations

from compliance.model.evidence import Evidence, Variant
from compliance.model.filesystem import FileEntry, FileTree, display_path
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
from controls.observe import config_observation, count, file_observation, mode_text, not_wholly_read
from controls.writability import KERNEL, TEMPORARY, Writability, inside


def run(evidence: Evidence) -> Outcome:
    """The directories that the default user can write, less declared volumes and temporary directories."""
    config = evidence.image.config
    who = run_as(evidence)
    if config is None or isinstance(who, Undetermined):
        return Unknown(reason=who.reason if isinstance(who, Undetermined) else "there is no image config")
    if isinstance(who, CannotStart):
        return Unknown(reason=f"{who.reason}, so what it could write is not defined")
    if who.root:
        return _root(evidence, who)
    if who.groups_problem:
        return Unknown(reason=who.groups_problem)
    tree = evidence.filesystem
    volumes = tuple(tree.real_path(volume) or "" for volume in config.volumes)
    temporary = tuple({*TEMPORARY, *(tree.real_path(path) or path for path in TEMPORARY)})
    writable = list(Writability(tree, who).writable_folders())
    left = [entry for entry in writable if not inside(entry.path, (*volumes, *temporary))]
    if left:
        return Failed(observations=_topmost(evidence, left, who))
    uncertain = [entry for entry in tree if entry.acl and not inside(entry.path, (*volumes, *temporary, *KERNEL))]
    if uncertain:
        first = display_path(uncertain[0].path)
        return Unknown(reason=f"ACLs may make {count(len(uncertain), 'more path')} writable, {first} the first")
    if not tree.wholly_read:
        return not_wholly_read(tree)
    return Passed(observations=(_passed(tree, writable, volumes, who),))


def _root(evidence: Evidence, who: Identity) -> Outcome:
    seen = config_observation(
        "The default user is root (uid 0), to whom every directory is writable, so none stands out as meant for it.",
        who.spec or None,
    )
    if evidence.profile.variant is not Variant.RUNTIME:
        return NotApplicable(
            reason=f"a {evidence.profile.variant} image may run as root by design", observations=(seen,)
        )
    return Failed(observations=(seen,))


def _topmost(evidence: Evidence, entries: list[FileEntry], who: Identity) -> tuple[Observation, ...]:
    """One observation for each writable directory that is not below another one."""
    found = []
    top: FileEntry | None = None
    for entry in entries:
        if (top is not None and inside(entry.path, (top.path,))) or (top is not None and not top.path):
            continue
        top = entry
        below = sum(1 for other in entries if other is not entry and inside(other.path, (entry.path,)))
        more = f" and {count(below, 'directory', 'directories')} below it" if below else ""
        found.append(
            file_observation(
                evidence,
                entry,
                f"uid {who.uid} can write this directory{more}, which is neither a declared volume nor temporary: "
                "with a read-only root filesystem a process that writes here fails.",
                value=mode_text(entry.mode),
                method="owner and mode",
            )
        )
    return tuple(found)


def _passed(tree: FileTree, writable: list[FileEntry], volumes: tuple[str, ...], who: Identity) -> Observation:
    places = ", ".join(display_path(entry.path) for entry in writable[:10]) or "none"
    more = f" and {count(len(writable) - 10, 'more')}" if len(writable) > 10 else ""
    return config_observation(
        f"Of {count(len(tree), 'entry', 'entries')}, uid {who.uid} can write only in {places}{more}, "
        + ("which are temporary or in declared volumes." if volumes else "which are temporary.")
        if writable
        else f"Of {count(len(tree), 'entry', 'entries')}, uid {who.uid} can write in no directory.",
        ", ".join(display_path(volume) for volume in volumes) or None,
    )


CHECK = Check(
    id="IM-ROFS",
    title="Can run with a read-only root filesystem",
    trait=Trait.IMMUTABLE,
    severity=Severity.MEDIUM,
    rationale="A read-only root filesystem keeps a running container what its image is, but it can be switched on "
    "only where the application writes nowhere else than to volumes and temporary places.",
    looks_at="Owner, group and mode of every directory of the merged file tree as the default user sees them, and "
    "config.Volumes.",
    proves="A pass proves that the default user can write in no directory but declared volumes and temporary ones, so "
    "nothing it may write is lost by a read-only root filesystem with those mounted. It does not prove that the "
    "container runs read-only, which the orchestrator decides; and a failure does not prove that it could not.",
    remediation="Declare the directories that must be written as VOLUME; take the write permission away from others.",
    run=run,
    references=("path_resolution(7)",),
)
