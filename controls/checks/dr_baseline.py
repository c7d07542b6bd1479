"""DR-BASELINE: nothing changed since the image that was approved."""

from __future__ import annotations

from compliance.model.drift import IMMATERIAL, PATH_AREAS, Area, Aspect, Difference, Drift
from compliance.model.evidence import Evidence
from compliance.model.filesystem import display_path
from compliance.model.outcome import (
    Check,
    Failed,
    Observation,
    ObservationKind,
    Outcome,
    Passed,
    Severity,
    Trait,
    Unknown,
)
from controls.observe import count, note

LISTED_MAX = 500
_KINDS = {
    Area.PACKAGES: ObservationKind.PACKAGE,
    Area.ACCOUNTS: ObservationKind.ACCOUNT,
    **dict.fromkeys(PATH_AREAS, ObservationKind.FILE),
}
_WORDS = {
    Area.START: "How it starts",
    Area.PRIVILEGES: "Privileged program",
    Area.EXECUTABLES: "Program",
    Area.WRITABLE: "Writable by the runtime user",
    Area.ACCOUNTS: "Account",
    Area.PACKAGES: "Package",
    Area.PORTS: "Port",
    Area.ENVIRONMENT: "Environment",
    Area.VOLUMES: "Volume",
    Area.CONFIGURATION: "Configuration",
    Area.FILES: "File",
    Area.LAYERS: "Layers",
    Area.LABELS: "Label",
    Area.METADATA: "Metadata",
}
_UNTOLD = frozenset({Area.ENVIRONMENT, Area.LABELS, Area.METADATA})
"""Areas whose values are not repeated: they may be secrets, or long."""


def run(evidence: Evidence) -> Outcome:
    """Every difference from the baseline, labels and metadata as notes."""
    drift = evidence.drift
    if drift is None:
        return Unknown(reason="no baseline was given to compare with (--baseline IMAGE)")
    about = note(f"Compared with the baseline {drift.before.reference}, {drift.before.digest}.")
    changed = tuple(_observations(drift, material=True))
    notes = tuple(_observations(drift, material=False))
    if changed:
        return Failed(observations=(about, *changed, *notes))
    gaps = (*drift.unread, *drift.not_compared)
    if gaps:
        more = f" and {count(len(gaps) - 1, 'more gap')}" if len(gaps) > 1 else ""
        return Unknown(
            reason=f"nothing differs in what could be compared, but not everything could be: {gaps[0]}{more}",
            observations=(about, *notes),
        )
    return Passed(observations=(about, _same(evidence, drift), *notes))


def _same(evidence: Evidence, drift: Drift) -> Observation:
    entries = count(len(evidence.filesystem), "entry", "entries")
    packages = count(len(evidence.inventory.packages), "package")
    same = "the very image" if drift.before.digest == drift.after.digest else "another image"
    return Observation(
        summary=f"The baseline is {same}: {entries} of the file tree, {packages}, accounts and start configuration are "
        "the same in both.",
        kind=ObservationKind.COVERAGE,
        value=drift.before.digest,
        method="drift",
    )


def _observations(drift: Drift, *, material: bool) -> list[Observation]:
    """One observation a difference; those past LISTED_MAX are counted."""
    areas = [area for area in drift.areas if (area.area not in IMMATERIAL) is material]
    listed = [_observation(difference) for area in areas for difference in area.differences][:LISTED_MAX]
    more = sum(area.total for area in areas) - len(listed)
    if more:
        listed.append(note(f"{count(more, 'more difference')}; hullmark diff -o json lists them."))
    return listed


def _observation(difference: Difference) -> Observation:
    in_tree = difference.area in PATH_AREAS
    subject = display_path(difference.subject) if in_tree else difference.subject
    told = "" if difference.area in _UNTOLD else ", ".join(map(_aspect, difference.aspects))
    more = "; ".join(part for part in (told, difference.note) if part)
    return Observation(
        summary=f"{_WORDS[difference.area]} {difference.change}: {subject}{f' ({more})' if more else ''}.",
        kind=ObservationKind.NOTE
        if difference.area in IMMATERIAL
        else _KINDS.get(difference.area, ObservationKind.CONFIG),
        path=difference.subject if in_tree else None,
        names=difference.names,
        package=difference.package,
        value=difference.change.value,
        method="drift",
    )


def _aspect(aspect: Aspect) -> str:
    if aspect.before is not None and aspect.after is not None:
        return f"{aspect.name} {_text(aspect.before)} → {_text(aspect.after)}"
    return f"{aspect.name} {_text(aspect.before or aspect.after or '')}"


def _text(value: str | tuple[str, ...]) -> str:
    text = value if isinstance(value, str) else " ".join(value)
    return text if len(text) <= 200 else f"{text[:200]}…"


CHECK = Check(
    id="DR-BASELINE",
    title="No unexplained change from the approved baseline image",
    trait=Trait.DRIFT,
    severity=Severity.MEDIUM,
    rationale="Approval was given to one image: in any later one every difference has to be wanted by somebody, or "
    "it is drift, whether by a rebuild from moving sources or by an intruder.",
    looks_at="The image and the one named with --baseline, both read in full: packages, programs, accounts, ports, "
    "environment, how a container starts, setuid, setgid and file capabilities, what the runtime user can change, "
    "configuration below /etc, every other file, and layers. Labels, build steps and times are told and not judged.",
    proves="A pass proves that nothing of it differs between the two digests that are named. It does not prove that "
    "the baseline was good, or approved by anybody: whoever names it says so. A failure lists what changed, wanted or "
    "not.",
    remediation="Explain each difference: if all are wanted, approve the new digest as the baseline; else build again "
    "from pinned sources and find where the change comes from.",
    run=run,
    references=("NIST SP 800-53 CM-2, CM-3", "hullmark diff"),
)
