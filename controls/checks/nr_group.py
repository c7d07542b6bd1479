"""NR-GROUP: the runtime user is in no privileged group."""

from __future__ import annotations

from compliance.model.evidence import Evidence, Variant
from compliance.model.outcome import (
    Check,
    Failed,
    NotApplicable,
    Observation,
    ObservationKind,
    Outcome,
    Passed,
    Severity,
    Trait,
    Unknown,
)
from controls.accounts import CannotStart, Identity, Undetermined, group_names, integer, run_as

PRIVILEGED = ("root", "shadow", "sudo", "wheel", "disk", "docker", "adm")
"""Groups that by convention read secrets, devices or logs, or may become root."""


def run(evidence: Evidence) -> Outcome:
    """The primary group and all supplementary groups against group 0 and the names in PRIVILEGED."""
    who = run_as(evidence)
    match who:
        case Undetermined():
            return Unknown(reason=who.reason)
        case CannotStart():
            return Failed(observations=(_observation(f"{who.reason}, so its groups are not defined."),))
        case Identity() if who.root and evidence.profile.variant is not Variant.RUNTIME:
            return NotApplicable(
                reason=f"a {evidence.profile.variant} image may run as root, and so in group 0, by design",
                observations=(_observation(f"The default user is {who}."),),
            )
        case Identity() if who.groups_problem:
            return Unknown(reason=who.groups_problem)
    names = group_names(evidence.filesystem)
    found = [_observation(_sentence(who, gid, names)) for gid in _ids(who) if _is_privileged(gid, names)]
    if found:
        return Failed(observations=tuple(found))
    return Passed(
        observations=(_observation(f"The default user is {who}: neither group 0 nor {', '.join(PRIVILEGED)}."),)
    )


def _ids(who: Identity) -> tuple[int, ...]:
    return tuple(dict.fromkeys((who.gid, *who.groups)))


def _is_privileged(gid: int, names: dict[int, str]) -> bool:
    return gid == 0 or names.get(gid) in PRIVILEGED


def _sentence(who: Identity, gid: int, names: dict[int, str]) -> str:
    name = f" ({names[gid]})" if gid in names else ""
    if gid != who.gid and gid == who.containerd_gid:
        why = "ends in a colon" if who.spec else "is not set"
        return f"The primary group of uid {who.uid} is {gid}{name} in containerd, since USER {why}."
    if gid != who.gid:
        which = ": containerd grants it beside the group that USER names" if who.spec.partition(":")[2] else ""
        return f"uid {who.uid} is a member of the group {gid}{name} by /etc/group{which}."
    return f"The primary group of uid {who.uid} is {gid}{name}{_because(who)}."


def _because(who: Identity) -> str:
    user, _, group = who.spec.partition(":")
    if group:
        return ", as USER says"
    if who.name is None and integer(user) is not None:
        return ": USER names no group, and without a line in /etc/passwd a runtime takes group 0"
    return " by /etc/passwd" if who.name is not None else ""


def _observation(summary: str) -> Observation:
    return Observation(summary=summary, kind=ObservationKind.ACCOUNT, method="image config, /etc/passwd and /etc/group")


CHECK = Check(
    id="NR-GROUP",
    title="Runtime user is not in root or a privileged group",
    trait=Trait.NONROOT,
    severity=Severity.MEDIUM,
    rationale="Group 0 owns most files of an image, and what it may write a user in group 0 may write; groups such "
    "as shadow, disk or docker read secrets, devices or the engine's socket. A platform that gives every container "
    "gid 0 needs a stated exception.",
    looks_at="config.User, and /etc/passwd and /etc/group of the merged file tree as a container runtime reads them.",
    proves="A pass proves that the default user has neither group 0 nor a group named root, shadow, sudo, wheel, disk, "
    "docker or adm, as primary or supplementary group, whether Docker or containerd starts it: after a group in USER "
    "containerd grants those of /etc/group as well. It does not cover groups that an orchestrator adds.",
    remediation="Name a group beside the user, for example USER 65532:65532; take the account out of the groups named.",
    run=run,
    references=("moby/sys user.GetExecUser", "containerd oci.WithUser and oci.WithAdditionalGIDs"),
)
