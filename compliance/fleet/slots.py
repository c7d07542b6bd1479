"""Which slots of a schedule are due and which were missed: from the schedule, the runs in the store, and the time.

Nothing is remembered beside the store: a scheduler that was away, and another one on another machine, come to the same
answer. A slot is done once a run has it; the store lets only one run have it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

from compliance.fleet.occurrences import Occurrences
from compliance.model.fleet import Run

SLOTS_MAX = 1000
"""Missed slots that are told apart; a schedule of every minute has as many in 17 hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """One fleet's schedule, and since when it is watched.

    `fleet_digest` is that of the fleet file: runs made under another one say nothing about this schedule. A slot that
    begins within `grace` (plus its jitter) is in time. One that is later is missed, unless `catch_up` says that the
    newest of those is run all the same.
    """

    fleet: str
    occurrences: Occurrences
    fleet_digest: str
    since: datetime
    jitter: timedelta
    grace: timedelta
    catch_up: bool

    def due(self, runs: Iterable[Run], now: datetime) -> datetime | None:
        """The slot that is to be run at `now`: the newest that has come since the last run. `runs` are the fleet's."""
        taken, beginning = self._taken(runs)
        last = max(taken, default=beginning)
        waiting = [
            slot
            for slot in self.occurrences.between(beginning, now, SLOTS_MAX)
            if last < slot and self.start(slot) <= now
        ]
        return waiting[-1] if waiting and (self.catch_up or not self._late(waiting[-1], now)) else None

    def missed(self, runs: Iterable[Run], now: datetime) -> tuple[datetime, ...]:
        """The slots that no run began within their time, and none has by now; oldest first."""
        taken, beginning = self._taken(runs)
        slots = self.occurrences.between(beginning, now, SLOTS_MAX)
        return tuple(slot for slot in slots if slot not in taken and self._late(slot, now))

    def next(self, now: datetime) -> datetime:
        """When the next slot after `now` is to begin, jitter included."""
        return min(start for slot in self._around(now) if (start := self.start(slot)) > now)

    def start(self, slot: datetime) -> datetime:
        """The slot, moved by its jitter: the same on every machine, another for each fleet and slot."""
        if not self.jitter:
            return slot
        word = hashlib.sha256(f"{self.fleet}\0{slot.isoformat()}".encode()).digest()[:8]
        return slot + self.jitter * (int.from_bytes(word) / 2**64)

    def _around(self, now: datetime) -> Iterable[datetime]:
        """Slots, at least one of which begins later than `now`."""
        for slot in self.occurrences.following(now - self.jitter):
            yield slot
            if slot > now:
                return

    def _taken(self, runs: Iterable[Run]) -> tuple[frozenset[datetime], datetime]:
        """The slots that runs have, and the moment since when every slot of this schedule is known to be one."""
        scheduled = [(run.slot, run.fleet_digest) for run in runs if run.slot is not None]
        same = takewhile(lambda run: run[1] == self.fleet_digest, reversed(scheduled))
        return frozenset(slot for slot, _ in scheduled), min((self.since, *(slot for slot, _ in same)))

    def _late(self, slot: datetime, now: datetime) -> bool:
        return self.start(slot) + self.grace < now
