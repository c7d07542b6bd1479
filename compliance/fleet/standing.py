"""How every image reference of a run stands with every check: what runs are compared by.

The thing that is followed from run to run is a *place*: a reference in a group. The digest behind it may change, and
then the place is judged by the image that is behind it now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from compliance.fleet.run_rows import FleetImage, RunRows
from compliance.model.fleet import AssessmentRecord, CheckRow, Run

Place = tuple[str, str]
"""Group and reference."""


class Standing(StrEnum):
    """What a check says about a place in one run, the worst first: of several images behind it the worst counts.

    Only a pass ends a failure. That a check does not apply, does not count or gave no answer is none.
    """

    FAILED = "failed"
    WAIVED = "waived"  # failed, and somebody accepted it
    UNDETERMINED = "undetermined"  # unknown, errored, not run; or the image was not assessed or not found
    UNCOUNTED = "uncounted"  # failed, and has no bearing on the image's outcome
    NOT_APPLICABLE = "not-applicable"
    PASSED = "passed"


_WORST = {standing: rank for rank, standing in enumerate(Standing)}
FAILING = frozenset({Standing.FAILED, Standing.WAIVED})
"""A failure that is there, accepted or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckStanding:
    """One check at one place."""

    standing: Standing
    severity: str
    waiver: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceStanding:
    """One place in one run.

    `assessments` are the ids of the records behind it, `assessed_at` the time of the oldest of them; where one of its
    images has none, `whole` is False, and no check is passed here.
    """

    place: Place
    owner: str
    digests: tuple[str, ...]
    assessments: tuple[str, ...]
    assessed_at: datetime | None
    whole: bool
    reason: str | None
    checks: Mapping[str, CheckStanding] = field(repr=False)
    expired: frozenset[str] = frozenset()

    def of(self, check: str) -> CheckStanding:
        """How it stands with `check`; undetermined where that was not run."""
        return self.checks.get(check, _NOT_RUN)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStandings:
    """All places of one run."""

    run: Run
    places: Mapping[Place, PlaceStanding] = field(repr=False)


_NOT_RUN = CheckStanding(standing=Standing.UNDETERMINED, severity="low")
NOT_THERE = "no image could be found behind it"


_Known = dict[int, tuple[tuple[CheckRow, ...], Mapping[str, CheckStanding]]]


class StandingReader:
    """Makes standings run by run; what the same rows say (see alike.py) is worked out once.

    Rows that a run does not have are forgotten: later ones that do have them are read again.
    """

    def __init__(self) -> None:
        self._known: _Known = {}
        self._before: _Known = {}
        self._shared: dict[tuple[Standing, str, str | None], CheckStanding] = {}

    def standings(self, rows: RunRows) -> RunStandings:
        """The standings of one run."""
        self._before, self._known = self._known, {}
        found: dict[Place, list[FleetImage]] = {}
        owners: dict[Place, str] = {}
        for image in rows.images:
            for member in image.members:
                place = (member.group, member.reference)
                owners.setdefault(place, member.owner)
                images = found.setdefault(place, [])
                if not images or images[-1] is not image:
                    images.append(image)
        missing = {(member.group, member.reference): member for member in rows.unresolved}
        for place, member in missing.items():
            owners.setdefault(place, member.owner)
        return RunStandings(
            run=rows.run,
            places={
                place: self._place(place, owners[place], found.get(place, ()), missing.get(place) is not None)
                for place in sorted(owners)
            },
        )

    def _place(self, place: Place, owner: str, images: Iterable[FleetImage], lost: bool) -> PlaceStanding:
        images = tuple(images)
        records = [image.record for image in images if image.record is not None]
        whole = bool(records) and len(records) == len(images) and not lost
        checks = [self._checks(record) for record in records]
        return PlaceStanding(
            place=place,
            owner=owner,
            digests=tuple(sorted({image.item.digest for image in images})),
            assessments=tuple(sorted(record.id for record in records)),
            assessed_at=min((record.assessed_at for record in records), default=None),
            whole=whole,
            reason=None if whole else _why(images),
            checks=checks[0] if whole and len(checks) == 1 else _folded(checks, whole=whole),
            expired=frozenset(
                waiver.id for record in records for waiver in record.waivers if waiver.state == "expired"
            ),
        )

    def _checks(self, record: AssessmentRecord) -> Mapping[str, CheckStanding]:
        rows = record.checks
        known = self._known.get(id(rows)) or self._before.get(id(rows))
        if known is None:
            known = (rows, {row.check: self._check(row) for row in rows})
        self._known[id(rows)] = known  # the rows too: while they are there no others get their id
        return known[1]

    def _check(self, row: CheckRow) -> CheckStanding:
        key = (standing_of(row), row.severity, row.waiver)
        if key not in self._shared:
            self._shared[key] = CheckStanding(standing=key[0], severity=row.severity, waiver=row.waiver)
        return self._shared[key]


def standing_of(row: CheckRow) -> Standing:
    """What one answer amounts to; a word that is not known here is no answer."""
    match row.outcome:
        case "failed" if row.waiver is not None:
            return Standing.WAIVED
        case "failed":
            return Standing.FAILED if row.counts else Standing.UNCOUNTED
        case "passed":
            return Standing.PASSED
        case "not-applicable":
            return Standing.NOT_APPLICABLE
        case _:
            return Standing.UNDETERMINED


def _folded(checks: list[Mapping[str, CheckStanding]], *, whole: bool) -> Mapping[str, CheckStanding]:
    """The worst of several images for each check; a check that one of them lacks passes at none."""
    folded: dict[str, CheckStanding] = {}
    for check in sorted({check for found in checks for check in found}):
        answers = [found.get(check, _NOT_RUN) for found in checks]
        if not whole:
            answers.append(_NOT_RUN)
        folded[check] = min(answers, key=lambda answer: _WORST[answer.standing])
    return folded


def _why(images: tuple[FleetImage, ...]) -> str:
    for image in images:
        if image.record is None:
            if image.outcome is None:
                return "it has no outcome in this run"
            return image.outcome.reason or image.outcome.code or "its assessment is not in the store"
    return NOT_THERE
