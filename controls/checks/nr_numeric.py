"""NR-NUMERIC: the user is given so that an orchestrator can enforce non-root."""

from __future__ import annotations

from compliance.model.evidence import Evidence, Variant
from compliance.model.outcome import Check, Failed, NotApplicable, Outcome, Passed, Severity, Trait, Unknown
from controls.accounts import CannotStart, Undetermined, run_as
from controls.observe import config_observation, note


def run(evidence: Evidence) -> Outcome:
    """A number passes; a name passes when it resolves, with the warning that the kubelet can't check it."""
    who = run_as(evidence)
    if isinstance(who, Undetermined):
        return Unknown(reason=who.reason)
    if isinstance(who, CannotStart):
        return Failed(observations=(config_observation(f"{who.reason}."),))
    if not who.spec:
        if evidence.profile.variant is not Variant.RUNTIME:
            return NotApplicable(reason=f"no USER is set, as a {evidence.profile.variant} image may do by design")
        return Failed(observations=(config_observation("The image config sets no USER that could be enforced."),))
    resolved = config_observation(f"USER {who.spec!r} is uid {who.uid}.", who.spec)
    if who.numeric:
        return Passed(observations=(resolved,))
    warning = note(
        f"USER {who.spec!r} is a name: a kubelet with runAsNonRoot refuses the container unless runAsUser is set."
    )
    return Passed(observations=(resolved, warning))


CHECK = Check(
    id="NR-NUMERIC",
    title="User is numeric (or resolves), so an orchestrator can enforce it",
    trait=Trait.NONROOT,
    severity=Severity.LOW,
    rationale="A kubelet does not read the image's /etc/passwd: told runAsNonRoot, it refuses a container whose "
    "USER is a name unless the pod gives a number, and a name means whoever that file says.",
    looks_at="config.User, and for a name /etc/passwd of the merged file tree.",
    proves="A pass proves that USER is a number, or a name found in the image's /etc/passwd. It does not prove that "
    "the user is not root (NR-USER asks that), and a name still needs runAsUser for runAsNonRoot.",
    remediation="Set USER to the numeric user id, for example USER 65532:65532.",
    run=run,
    references=("Kubernetes SecurityContext runAsNonRoot",),
)
