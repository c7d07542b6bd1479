"""How a fleet stands in one run: what was assessed and what not, and counts of outcomes over images. No verdicts.

The denominators are the population's, never those of what could be assessed: an image without an assessment, and a
reference without an image, stay in every count as what they are. So with less evidence the number of satisfied
images and of passed checks can only fall.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from compliance.fleet.alike import alike, alike_by, once
from compliance.fleet.run_rows import FleetImage, RunRows
from compliance.fleet.standing import Standing, standing_of
from compliance.model.fleet import AssessmentRecord, CheckRow, ControlRow, ItemState, Member

IMAGE_OUTCOMES = ("satisfied", "not-satisfied", "not-verified", "not-determined")
SEVERITIES = ("critical", "high", "medium", "low")
CONTROL_STATUSES = ("satisfied", "supported", "not-applicable", "undetermined", "contradicted")
NOT_ASSESSED = "not-assessed"
NOT_RUN = "not-run"
UNRESOLVED = "unresolved"
"""The code of a reference that led to no image."""
NO_OUTCOME = "no-outcome"
"""The code of an image that a run has no outcome of: it is still open, or was cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What was to be assessed and what was. `images` are distinct; `unresolved` references have none.

    assessed + reused + not_determined = images. `oldest` is the time of the oldest assessment that was used again;
    `reasons` counts the codes of the images and references without an assessment.
    """

    references: int
    unresolved: int
    images: int
    assessed: int
    reused: int
    not_determined: int
    oldest: datetime | None
    reasons: Mapping[str, int]

    @property
    def whole(self) -> bool:
        """Whether everything that was to be assessed was."""
        return not (self.unresolved or self.not_determined)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The whole fleet, a group of it, or all that is one owner's.

    `outcomes` are images, and unresolved references as not determined. `failed` are failures that count and that
    no waiver covers, by severity, one for each image and check; `undetermined` such answers, of assessed images.
    """

    name: str
    owners: tuple[str, ...]
    coverage: Coverage
    outcomes: Mapping[str, int]
    failed: Mapping[str, int]
    waived: int
    undetermined: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPosture:
    """One check over all images. `counts` by Standing, and NOT_RUN and NOT_ASSESSED; they add up to the images and
    unresolved references. `severity` is the worst that it has in any image."""

    check: str
    trait: str
    severity: str
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPosture:
    """One control over all images: `counts` by status, and NOT_RUN and NOT_ASSESSED; `waived` of the contradicted."""

    framework: str
    control: str
    title: str
    counts: Mapping[str, int]
    waived: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One framework in one group: every control in every image and unresolved reference, by status.

    Where an image was not assessed, all controls that the framework has in the group are NOT_ASSESSED for it.
    """

    group: str
    framework: str
    counts: Mapping[str, int]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A reference without an assessment: which, and why. `digest` is None where it led to no image."""

    group: str
    owner: str
    reference: str
    digest: str | None
    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Posture:
    """All of it. `worst` are the keys of the images with failures, the worst first (see `worst_first`)."""

    total: Part
    groups: tuple[Part, ...]
    owners: tuple[Part, ...]
    checks: tuple[CheckPosture, ...]
    controls: tuple[ControlPosture, ...]
    cells: tuple[Cell, ...]
    missing: tuple[Missing, ...] = field(repr=False)
    worst: tuple[tuple[str, str], ...] = field(repr=False)


def posture(rows: RunRows) -> Posture:
    """The posture of one run."""
    return Posture(
        total=_part("", rows.images, rows.unresolved),
        groups=_parts(rows, lambda member: member.group),
        owners=_parts(rows, lambda member: member.owner),
        checks=check_postures(rows),
        controls=_controls(rows),
        cells=_cells(rows),
        missing=tuple(_missing(rows)),
        worst=tuple(image.item.key for image in worst_first(rows.images)),
    )


def total(rows: RunRows) -> Part:
    """The counts over the whole fleet alone, as a trend needs them of every run."""
    return _part("", rows.images, rows.unresolved)


def failures(checks: Iterable[CheckRow]) -> Mapping[str, int]:
    """The failures that count and that no waiver covers, by severity."""
    counts = Counter(row.severity for row in checks if standing_of(row) is Standing.FAILED)
    return {severity: counts[severity] for severity in SEVERITIES}


def worst_first(images: Iterable[FleetImage]) -> list[FleetImage]:
    """The images with failures that count and that no waiver covers: most critical ones first, then high, and so on;
    where all are equal, most references first: so the first place is where work does most."""
    counted = once(failures)
    failed = [(counted(image.record.checks), image) for image in images if image.record is not None]
    found = [(counts, image) for counts, image in failed if any(counts.values())]
    found.sort(
        key=lambda pair: (
            *(-pair[0][severity] for severity in SEVERITIES),
            -len(pair[1].references),
            pair[1].references,
            pair[1].item.key,
        )
    )
    return [image for _, image in found]


def _parts(rows: RunRows, of: Callable[[Member], str]) -> tuple[Part, ...]:
    images: dict[str, list[FleetImage]] = {}
    missing: dict[str, list[Member]] = {}
    for image in rows.images:
        for name in dict.fromkeys(of(member) for member in image.members):
            images.setdefault(name, []).append(image)
    for member in rows.unresolved:
        missing.setdefault(of(member), []).append(member)
    return tuple(_part(name, images.get(name, ()), missing.get(name, ()), of) for name in sorted({*images, *missing}))


def _part(
    name: str,
    images: Sequence[FleetImage],
    unresolved: Sequence[Member],
    of: Callable[[Member], str] = lambda _: "",
) -> Part:
    members = [member for image in images for member in image.members if of(member) == name]
    outcomes = Counter({"not-determined": len(unresolved)})
    failed: Counter[str] = Counter()
    standings: Counter[Standing] = Counter()
    for image in images:
        outcomes[_outcome(image)] += 1
    for checks, number in alike(image.record.checks for image in images if image.record is not None):
        for severity, count in failures(checks).items():
            failed[severity] += count * number
        for row in checks:
            standings[standing_of(row)] += number if row.counts else 0
    return Part(
        name=name,
        owners=tuple(sorted({member.owner for member in (*members, *unresolved)})),
        coverage=_coverage(images, members, unresolved),
        outcomes={word: outcomes[word] for word in IMAGE_OUTCOMES},
        failed={severity: failed[severity] for severity in SEVERITIES},
        waived=standings[Standing.WAIVED],
        undetermined=standings[Standing.UNDETERMINED],
    )


def _outcome(image: FleetImage) -> str:
    """The image's outcome; without an assessment, or with a word that is not known here, not determined."""
    word = "not-determined" if image.record is None else image.record.outcome
    return word if word in IMAGE_OUTCOMES else "not-determined"


def _coverage(images: Sequence[FleetImage], members: Sequence[Member], unresolved: Sequence[Member]) -> Coverage:
    reasons: Counter[str] = Counter()
    if unresolved:
        reasons[UNRESOLVED] = len(unresolved)
    states: Counter[ItemState] = Counter()
    oldest: list[datetime] = []
    for image in images:
        if image.record is None or image.outcome is None:
            states[ItemState.NOT_DETERMINED] += 1
            reasons[_code(image)] += 1
        else:
            states[image.outcome.state] += 1
            if image.outcome.state is ItemState.REUSED:
                oldest.append(image.record.assessed_at)
    return Coverage(
        references=len({(member.group, member.reference) for member in (*members, *unresolved)}),
        unresolved=len(unresolved),
        images=len(images),
        assessed=states[ItemState.ASSESSED],
        reused=states[ItemState.REUSED],
        not_determined=states[ItemState.NOT_DETERMINED],
        oldest=min(oldest, default=None),
        reasons=dict(sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))),
    )


def _code(image: FleetImage) -> str:
    return NO_OUTCOME if image.outcome is None else image.outcome.code or "not-determined"


def _missing(rows: RunRows) -> Iterator[Missing]:
    for member in rows.unresolved:
        yield _missing_one(member, None, UNRESOLVED, member.reason or "it led to no image")
    for image in rows.images:
        if image.record is None:
            told = None if image.outcome is None else image.outcome.reason
            reason = told or "the run has no outcome of it"
            for member in {(one.group, one.reference): one for one in image.members}.values():
                yield _missing_one(member, image.item.digest, _code(image), reason)


def _missing_one(member: Member, digest: str | None, code: str, reason: str) -> Missing:
    return Missing(
        group=member.group, owner=member.owner, reference=member.reference, digest=digest, code=code, reason=reason
    )


def _records(rows: RunRows) -> list[AssessmentRecord]:
    return [image.record for image in rows.images if image.record is not None]


def check_postures(rows: RunRows) -> tuple[CheckPosture, ...]:
    """Every check that was run, in the order of severity, then of how many images fail, then of the name."""
    counts: dict[str, Counter[str]] = {}
    traits: dict[str, str] = {}
    severities: dict[str, str] = {}
    records = _records(rows)
    assessed = len(records)
    for checks, number in alike(record.checks for record in records):
        for row in checks:
            counts.setdefault(row.check, Counter())[standing_of(row)] += number
            traits.setdefault(row.check, row.trait)
            severities[row.check] = min(row.severity, severities.get(row.check, row.severity), key=_rank)
    absent = len(rows.images) - assessed + len(rows.unresolved)
    words = [standing.value for standing in Standing]
    found = [
        CheckPosture(
            check=check,
            trait=traits[check],
            severity=severities[check],
            counts={
                **{word: number[word] for word in words},
                NOT_RUN: assessed - number.total(),
                NOT_ASSESSED: absent,
            },
        )
        for check, number in counts.items()
    ]
    return tuple(sorted(found, key=lambda one: (_rank(one.severity), -one.counts[Standing.FAILED], one.check)))


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def _controls(rows: RunRows) -> tuple[ControlPosture, ...]:
    counts: dict[tuple[str, str], Counter[str]] = {}
    titles: dict[tuple[str, str], str] = {}
    waived: Counter[tuple[str, str]] = Counter()
    records = _records(rows)
    assessed = len(records)
    for controls, number in alike(record.controls for record in records):
        for row in controls:
            key = (row.framework, row.control)
            titles.setdefault(key, row.title)
            counts.setdefault(key, Counter())[_status(row.status)] += number
            waived[key] += number if row.waived else 0
    absent = len(rows.images) - assessed + len(rows.unresolved)
    return tuple(
        ControlPosture(
            framework=key[0],
            control=key[1],
            title=titles[key],
            counts={
                **{status: number[status] for status in CONTROL_STATUSES},
                NOT_RUN: assessed - number.total(),
                NOT_ASSESSED: absent,
            },
            waived=waived[key],
        )
        for key, number in counts.items()
    )


def _status(word: str) -> str:
    return word if word in CONTROL_STATUSES else "undetermined"


def _cells(rows: RunRows) -> tuple[Cell, ...]:
    counts: dict[tuple[str, str], Counter[str]] = {}
    controls: dict[tuple[str, str], set[str]] = {}
    absent: Counter[str] = Counter(member.group for member in rows.unresolved)
    found: list[tuple[str, tuple[ControlRow, ...]]] = []
    for image in rows.images:
        if image.record is None:
            absent.update(image.groups)
        else:
            found += [(group, image.record.controls) for group in image.groups]
    for group, some, number in alike_by(found):
        for row in some:
            key = (group, row.framework)
            counts.setdefault(key, Counter())[_status(row.status)] += number
            controls.setdefault(key, set()).add(row.control)
    return tuple(
        Cell(
            group=group,
            framework=framework,
            counts={
                **{status: number[status] for status in CONTROL_STATUSES},
                NOT_ASSESSED: absent[group] * len(controls[group, framework]),
            },
        )
        for (group, framework), number in sorted(counts.items())
    )
