"""How long failures have been open, and how long fixes took: every run of the history, oldest first.

A failure is open from the first run that saw it until a run that has assessed the image again and in which the check
passes. Not being seen is no end: an image that was away, or could not be determined, comes back as old as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median_low

from compliance.fleet.changes import is_fix
from compliance.fleet.posture import SEVERITIES
from compliance.fleet.standing import FAILING, Place, PlaceStanding, RunStandings, Standing

AGES = (7, 30, 90)
"""Days at which a failure enters the next class of age."""

_DAY = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A run, and the time at which it started."""

    run: int
    time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFailure:
    """A failure that no run has shown to be fixed. `standing` is that of the last run: failed, waived, or what came
    in its place without being a fix."""

    place: Place
    check: str
    severity: str
    standing: Standing
    first: Sighting
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedFailure:
    """A failure that was fixed, `seconds` after a run first saw it: an upper bound, as runs are not all the time."""

    place: Place
    check: str
    severity: str
    first: Sighting
    fixed: Sighting
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SeverityAge:
    """The failures of one severity. `by_age` counts the open ones up to 7, 30 and 90 days old, and older.

    Medians are None of nothing; where their number is even, the lower one of the middle two. Open are those that
    failed in the last run without a waiver.
    """

    severity: str
    open: int
    by_age: tuple[int, int, int, int]
    median_open_seconds: int | None
    fixed: int
    median_fix_seconds: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ageing:
    """As of the last run: `waiting` are neither fixed nor seen failing there."""

    runs: int
    at: datetime | None
    open: tuple[OpenFailure, ...] = field(repr=False)
    waived: tuple[OpenFailure, ...] = field(repr=False)
    waiting: tuple[OpenFailure, ...] = field(repr=False)
    fixed: tuple[FixedFailure, ...] = field(repr=False)
    by_severity: tuple[SeverityAge, ...]

    def first_seen(self) -> Mapping[tuple[Place, str], Sighting]:
        """Since when each failure of the last run is known."""
        return {(one.place, one.check): one.first for one in (*self.open, *self.waived)}


@dataclass(slots=True, kw_only=True)
class _Episode:
    first: Sighting
    seen: PlaceStanding
    severity: str


class AgeingReader:
    """Takes the runs of a fleet one by one, oldest first."""

    def __init__(self) -> None:
        self._episodes: dict[tuple[Place, str], _Episode] = {}
        self._fixed: list[FixedFailure] = []
        self._last: RunStandings | None = None
        self._runs = 0

    def add(self, standings: RunStandings) -> None:
        """The next run."""
        sighting = Sighting(run=standings.run.number, time=standings.run.started)
        for (place, check), episode in list(self._episodes.items()):
            now = standings.places.get(place)
            if now is not None and is_fix(episode.seen, now, check):
                self._fixed.append(_fixed(place, check, episode, sighting))
                del self._episodes[place, check]
        for place, now in standings.places.items():
            for check, answer in now.checks.items():
                if answer.standing not in FAILING:
                    continue
                known = self._episodes.get((place, check))
                if known is None:
                    self._episodes[place, check] = _Episode(first=sighting, seen=now, severity=answer.severity)
                else:
                    known.seen, known.severity = now, answer.severity
        self._last = standings
        self._runs += 1

    def ageing(self) -> Ageing:
        """Where it stands after the last of them."""
        failures = [self._open(place, check, episode) for (place, check), episode in sorted(self._episodes.items())]
        opened = tuple(one for one in failures if one.standing is Standing.FAILED)
        return Ageing(
            runs=self._runs,
            at=None if self._last is None else self._last.run.started,
            open=opened,
            waived=tuple(one for one in failures if one.standing is Standing.WAIVED),
            waiting=tuple(one for one in failures if one.standing not in FAILING),
            fixed=tuple(self._fixed),
            by_severity=tuple(_by_severity(severity, opened, self._fixed) for severity in SEVERITIES),
        )

    def _open(self, place: Place, check: str, episode: _Episode) -> OpenFailure:
        assert self._last is not None  # noqa: S101 - there are no episodes before the first run
        now = self._last.places.get(place)
        return OpenFailure(
            place=place,
            check=check,
            severity=episode.severity,
            standing=Standing.UNDETERMINED if now is None else now.of(check).standing,
            first=episode.first,
            seconds=_seconds(episode.first.time, self._last.run.started),
        )


def ageing(history: Iterable[RunStandings]) -> Ageing:
    """The ageing after `history`, oldest run first."""
    reader = AgeingReader()
    for standings in history:
        reader.add(standings)
    return reader.ageing()


def _fixed(place: Place, check: str, episode: _Episode, at: Sighting) -> FixedFailure:
    return FixedFailure(
        place=place,
        check=check,
        severity=episode.severity,
        first=episode.first,
        fixed=at,
        seconds=_seconds(episode.first.time, at.time),
    )


def _seconds(since: datetime, until: datetime) -> int:
    """Never less than nothing, whatever clocks said."""
    return max(int((until - since).total_seconds()), 0)


def _by_severity(severity: str, opened: Iterable[OpenFailure], fixed: Iterable[FixedFailure]) -> SeverityAge:
    ages = [one.seconds for one in opened if one.severity == severity]
    times = [one.seconds for one in fixed if one.severity == severity]
    classes = [sum(age > limit * _DAY for limit in AGES) for age in ages]
    return SeverityAge(
        severity=severity,
        open=len(ages),
        by_age=(classes.count(0), classes.count(1), classes.count(2), classes.count(3)),
        median_open_seconds=median_low(ages) if ages else None,
        fixed=len(times),
        median_fix_seconds=median_low(times) if times else None,
    )
