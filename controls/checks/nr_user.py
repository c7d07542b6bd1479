"""NR-USER: the default user is not root."""

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
from controls.accounts import ACCOUNT_FILES, CannotStart, Identity, Undetermined, run_as


def run(evidence: Evidence) -> Outcome:
    """Resolve USER; root by any spelling fails, and so does a user that nobody can start as."""
    who = run_as(evidence)
    observed = _observed(evidence, who)
    if evidence.profile.variant is not Variant.RUNTIME:
        reason = f"a {evidence.profile.variant} image may run as root by design"
        return NotApplicable(reason=reason, observations=(observed,))
    match who:
        case Undetermined():
            return Unknown(reason=who.reason)
        case Identity() if not who.root:
            return Passed(observations=(observed,))
        case _:
            return Failed(observations=(observed,))


def _observed(evidence: Evidence, who: Identity | CannotStart | Undetermined) -> Observation:
    config = evidence.image.config
    spec = config.user if config is not None else None
    if not isinstance(who, Identity):
        return Observation(
            summary=f"{who.reason}.", kind=ObservationKind.CONFIG, value=spec, method="image config and /etc/passwd"
        )
    if not who.spec:
        summary = "The image config sets no USER, so a container runs as uid 0 (root)."
    elif who.root:
        summary = f"USER {who.spec!r} is uid 0 (root){_found(who)}."
    else:
        gid = "" if who.groups_problem else f", gid {who.gid}"
        summary = f"USER {who.spec!r} is uid {who.uid}{gid}{_found(who)}."
    return Observation(summary=summary, kind=ObservationKind.CONFIG, value=spec, method="image config and /etc/passwd")


def _found(who: Identity) -> str:
    if who.numeric or not who.spec.partition(":")[0]:
        return ""
    return " by the first matching line of /etc/passwd in the merged file tree"


CHECK = Check(
    id="NR-USER",
    title="Default user is not root",
    trait=Trait.NONROOT,
    severity=Severity.HIGH,
    rationale="Without a user namespace, uid 0 in the container is uid 0 on the host: one flaw in the kernel or the "
    "runtime, or one mount too many, and the process is the host's root.",
    looks_at="config.User, and /etc/passwd and /etc/group of the merged file tree as a container runtime reads them.",
    proves="A pass proves that a container started without overrides has a user id other than 0. It does not prove "
    "that the orchestrator keeps that user, nor that nothing in the image raises privilege again "
    "(IM-SETUID, IM-FCAP and NR-SUDO ask that).",
    remediation="Set USER to a numeric user id above 0, for example USER 65532:65532, as the last USER instruction.",
    run=run,
    requests=(ACCOUNT_FILES,),
    references=("moby/sys user.GetExecUser", "containerd oci.WithUser", "OCI image-spec config.md: config.User"),
)
