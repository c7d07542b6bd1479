"""What an auditor asks about a window of time: which runs there were, when there should have been one, and a sample.

The sample is drawn by a rule that anybody can follow again: images in the order of the SHA-256 of the seed, a colon,
their digest, a colon, and their policy, in hex; the first so many. The seed is the head of the hash chain at the last
run of the window, which nobody knows before that run has ended and nobody can change without the chain telling.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from compliance.fleet.posture import Part, total
from compliance.fleet.run_rows import RunRows
from compliance.model.fleet import Run

SAMPLE = 25
"""Images of a sample, unless told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodRun:
    """One run of the window and its counts."""

    run: Run
    part: Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A stretch in which runs were due and none began: `missed` of them, the first of which at `since`.

    `until` is when the next run began, or the end of the window.
    """

    since: datetime
    until: datetime
    missed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """One image of the sample. `rank` is the digest by which it was chosen; `runs` are those it is in, and
    `assessment` the last one made of it in the window."""

    digest: str
    policy: str
    rank: str
    references: tuple[str, ...]
    groups: tuple[str, ...]
    runs: tuple[int, ...]
    outcome: str
    assessment: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The window, both ends included. `due` is None where no schedule says when runs were due, and then there are no
    `gaps`; `longest_seconds` is the longest time without the begin of a run in any case. `seed` is None without runs.
    """

    since: datetime
    until: datetime
    runs: tuple[PeriodRun, ...]
    due: int | None
    gaps: tuple[Gap, ...]
    longest_seconds: int
    seed: str | None
    population: int
    sample: tuple[Sampled, ...] = field(repr=False)


class PeriodReader:
    """Takes the ended runs of a window one by one, oldest first."""

    def __init__(self, since: datetime, until: datetime) -> None:
        self._since, self._until = since, until
        self._runs: list[PeriodRun] = []
        self._seen: dict[tuple[str, str], _Seen] = {}

    def holds(self, run: Run) -> bool:
        """Whether `run` began within the window."""
        return self._since <= run.started <= self._until

    def add(self, rows: RunRows) -> None:
        """The next run."""
        self._runs.append(PeriodRun(run=rows.run, part=total(rows)))
        for image in rows.images:
            seen = self._seen.setdefault(image.item.key, _Seen())
            seen.references |= dict.fromkeys(image.references)
            seen.groups |= dict.fromkeys(image.groups)
            seen.runs.append(rows.run.number)
            if image.record is not None:
                seen.outcome, seen.assessment = image.record.outcome, image.record.id

    def period(self, slots: Sequence[datetime] | None, size: int = SAMPLE) -> Period:
        """The window; `slots` are the times in it at which runs were due, None where no schedule says."""
        began = [one.run.started for one in self._runs]
        seed = next((one.run.chain for one in reversed(self._runs) if one.run.chain is not None), None)
        edges = [self._since, *began, self._until]
        return Period(
            since=self._since,
            until=self._until,
            runs=tuple(self._runs),
            due=None if slots is None else len(slots),
            gaps=() if slots is None else tuple(_gaps(slots, [one.run for one in self._runs], self._until)),
            longest_seconds=max(int((after - before).total_seconds()) for before, after in pairwise(edges)),
            seed=seed,
            population=len(self._seen),
            sample=() if seed is None else tuple(self._sample(seed, size)),
        )

    def _sample(self, seed: str, size: int) -> Iterator[Sampled]:
        ranked = sorted((rank(seed, *key), key) for key in self._seen)
        for place, key in ranked[:size]:
            seen = self._seen[key]
            yield Sampled(
                digest=key[0],
                policy=key[1],
                rank=place,
                references=tuple(seen.references),
                groups=tuple(seen.groups),
                runs=tuple(seen.runs),
                outcome=seen.outcome,
                assessment=seen.assessment,
            )


@dataclass(slots=True)
class _Seen:
    references: dict[str, None] = field(default_factory=dict)
    groups: dict[str, None] = field(default_factory=dict)
    runs: list[int] = field(default_factory=list)
    outcome: str = "not-determined"
    assessment: str | None = None


def rank(seed: str, digest: str, policy: str) -> str:
    """The place of an image in the order of a sample."""
    return hashlib.sha256(f"{seed}:{digest}:{policy}".encode()).hexdigest()


def _gaps(slots: Sequence[datetime], runs: Sequence[Run], until: datetime) -> Iterator[Gap]:
    """Runs of due times with no run that was for them, or that began before the next was due."""
    taken = {run.slot for run in runs if run.slot is not None}
    began = sorted(run.started for run in runs)
    missed: list[datetime] = []
    for slot, following in zip(slots, (*slots[1:], None), strict=True):
        end = len(began) if following is None else bisect_left(began, following)
        kept = slot in taken or bisect_left(began, slot) < end
        if not kept:
            missed.append(slot)
        elif missed:
            yield Gap(since=missed[0], until=min(_next(began, missed[-1], slot), until), missed=len(missed))
            missed = []
    if missed:
        yield Gap(since=missed[0], until=_next(began, missed[-1], until), missed=len(missed))


def _next(began: Sequence[datetime], after: datetime, otherwise: datetime) -> datetime:
    place = bisect_right(began, after)
    return began[place] if place < len(began) else otherwise
