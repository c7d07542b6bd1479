"""SC-VARIANT: the image is what it says it is."""

from __future__ import annotations

import re
from collections.abc import Iterable

from compliance.model.evidence import Evidence, ProfileSource, Variant
from compliance.model.outcome import Check, Failed, Observation, Outcome, Passed, Severity, Trait, Unknown
from controls.accounts import CannotStart, Identity, Undetermined, run_as
from controls.detection import Detection, Finding, Presence, detect, observations
from controls.observe import config_observation, count, not_wholly_read, note
from controls.variant import DHI, claims

SHELL_LABEL, MANAGER_LABEL, ROOT_LABEL = f"{DHI}shell", f"{DHI}package-manager", f"{DHI}runtime-root-required"
TOGETHER = {
    "apt": frozenset(("apt", "dpkg")),
    "dnf": frozenset(("dnf", "rpm")),
    "yum": frozenset(("dnf", "rpm")),
    "microdnf": frozenset(("dnf", "rpm")),
    "tdnf": frozenset(("dnf", "rpm")),
    "zypper": frozenset(("zypper", "rpm")),
    "busybox": frozenset(("busybox", "dash", "sh", "ash")),
    "bash": frozenset(("bash", "sh")),
    "dash": frozenset(("dash", "sh")),
}
"""The tools that come with what a label names: a name of the label to ids of tools."""


def run(evidence: Evidence) -> Outcome:
    """A runtime image against shells, package managers and root, less what its labels declare; others are noted."""
    shells, managers = detect(evidence, "shells"), detect(evidence, "os-package-managers")
    who = run_as(evidence)
    if evidence.profile.variant is not Variant.RUNTIME:
        return _with_tools(evidence, (shells, managers))
    labels = claims(evidence.image)
    found = [
        *_undeclared(evidence, shells, labels.get(SHELL_LABEL, ""), SHELL_LABEL),
        *_undeclared(evidence, managers, labels.get(MANAGER_LABEL, ""), MANAGER_LABEL),
        *_root(who, labels.get(ROOT_LABEL, "")),
    ]
    stated = config_observation(_stated(evidence), evidence.profile.declared)
    if found:
        return Failed(observations=(stated, *found))
    unsure = _unsure(evidence, (shells, managers), who)
    if unsure is not None:
        return unsure
    allowed = [f"{key}={labels[key]}" for key in (SHELL_LABEL, MANAGER_LABEL, ROOT_LABEL) if labels.get(key)]
    notes = (note(f"Allowed by its own, unsigned labels: {', '.join(allowed)}."),) if allowed else ()
    kept = "no shell or package manager but those it declares" if allowed else "no shell, no package manager, no root"
    return Passed(
        observations=(stated, config_observation(f"In it: {kept}."), *notes, shells.coverage, managers.coverage)
    )


def _stated(evidence: Evidence) -> str:
    profile = evidence.profile
    if profile.source is ProfileSource.DEFAULT:
        return "Nothing declares what the image is for, so it is held against a runtime image, the strictest."
    if profile.source is ProfileSource.FLAG:
        return f"The image is held against the variant {profile.variant}, as the command asks."
    if profile.source is ProfileSource.FILE:
        return f"The image is held against the variant {profile.variant}, as the profile given for it says."
    return f"The image says of itself, unsigned, that it is for {profile.variant} ({profile.declared})."


def _certain(detection: Detection) -> list[Finding]:
    return [f for f in detection.findings if not f.observe and f.presence is not Presence.POSSIBLE]


def _undeclared(evidence: Evidence, detection: Detection, label: str, key: str) -> Iterable[Observation]:
    """Tools that the label does not name. A label that is empty or absent declares none."""
    names = {name for name in re.split(r"[\s,;+/]+", label.lower()) if name}
    declared = names.union(*(TOGETHER.get(name, frozenset()) for name in names))
    undeclared = [finding for finding in _certain(detection) if not declared.intersection(finding.tools)]
    if undeclared and label:
        yield config_observation(f"The label {key} declares only {label!r}.", label)
    yield from observations(evidence, detection.kind, undeclared)


def _root(who: Identity | CannotStart | Undetermined, label: str) -> Iterable[Observation]:
    if isinstance(who, Identity) and who.root and label != "true":
        said = f"USER {who.spec!r} is root" if who.spec else "No USER is set, so it runs as root"
        yield config_observation(f"{said}, which no label {ROOT_LABEL}=true declares.", who.spec or None)


def _unsure(
    evidence: Evidence, detections: tuple[Detection, ...], who: Identity | CannotStart | Undetermined
) -> Unknown | None:
    possible = tuple(
        seen
        for detection in detections
        for seen in observations(
            evidence, detection.kind, [f for f in detection.findings if f.presence is Presence.POSSIBLE]
        )
    )
    if not evidence.filesystem.wholly_read:
        return not_wholly_read(evidence.filesystem, possible)
    if possible:
        return Unknown(reason=f"{count(len(possible), 'file')} may be such a tool", observations=possible)
    if detections[0].unjudged:
        return Unknown(
            reason="the content of some programs is hidden, so it can't be told what they are",
            observations=detections[0].unjudged,
        )
    return None if isinstance(who, Identity) else Unknown(reason=who.reason)


def _with_tools(evidence: Evidence, detections: tuple[Detection, ...]) -> Outcome:
    """A dev or sdk image may have all of it; one that has none of it is stricter than it says."""
    tools = [f"{count(len(_certain(detection)), detection.kind.noun)}" for detection in detections]
    return Passed(
        observations=(
            config_observation(_stated(evidence), evidence.profile.declared),
            config_observation(
                f"A {evidence.profile.variant} image may hold tools and run as root; {', '.join(tools)}."
            ),
            *(detection.coverage for detection in detections),
        )
    )


CHECK = Check(
    id="SC-VARIANT",
    title="Declared variant matches the content",
    trait=Trait.PURPOSE,
    severity=Severity.HIGH,
    rationale="A label or tag tells users what to expect of an image, and tools which rules to apply. Such words "
    "are unsigned and are inherited by derived images, so they have to be held against the content.",
    looks_at="The variant by label or tag (runtime where nothing says so), the labels com.docker.dhi.shell, "
    ".package-manager and .runtime-root-required, and against them the shells and package managers found in the merged "
    "file tree and the user that USER resolves to.",
    proves="A pass proves that a runtime image has no shell, no OS package manager and no root but those its labels "
    "declare; for a dev or sdk image, which may hold anything, only what it says of itself. Labels and tags are "
    "unsigned claims. Other promises of a variant (fips, compat) are not checked here.",
    remediation="Remove what the variant does not allow, or declare it: the labels named, or the variant dev or sdk.",
    run=run,
    references=("Docker Hardened Images: labels of public definitions",),
)
