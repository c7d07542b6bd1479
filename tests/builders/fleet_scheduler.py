"""A scheduler with a schedule of seconds, as cron has none: ``FLEET.yaml STORE BLOBS PERIOD``, until SIGTERM.

All else is real: its runs are processes of ``hullmark fleet run``. It writes what it tells of as JSON lines.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import cast

from compliance.fleet.fleet_file import Fleet, read_fleet
from compliance.fleet.occurrences import Occurrences
from compliance.fleet.scheduler import Scheduler
from compliance.fleet.service import Place, RunHost, holder
from compliance.fleet.slots import Timetable

POLL_SECONDS = 1.0


@dataclass(frozen=True)
class EverySeconds:
    """Due whenever the seconds since the epoch are a multiple of `period`."""

    period: int

    def after(self, moment: datetime) -> datetime:
        return next(self.following(moment))

    def following(self, moment: datetime) -> Iterator[datetime]:
        number = int(moment.timestamp()) // self.period
        while True:
            number += 1
            yield datetime.fromtimestamp(number * self.period, UTC)

    def between(self, after: datetime, until: datetime, limit: int) -> tuple[datetime, ...]:
        return tuple(takewhile(lambda one: one <= until, self.following(after)))[-limit:]


class SecondsScheduler(Scheduler):
    """Has another idea of when its fleet is due."""

    def __init__(self, host: RunHost, period: int) -> None:
        super().__init__(host, holder=holder(), grace=3600, poll=POLL_SECONDS)
        self._due = cast(Occurrences, EverySeconds(period))

    def _timetable(self, fleet: Fleet, known: Timetable | None, now: datetime) -> Timetable | None:
        made = super()._timetable(fleet, known, now)
        return None if made is None else replace(made, occurrences=self._due)


def tell(event: str, facts: Mapping[str, object]) -> None:
    """One line."""
    sys.stdout.write(json.dumps({"event": event, **facts}, default=str) + "\n")
    sys.stdout.flush()


def main(path: str, store: str, blobs: str, period: str) -> None:
    """Until SIGTERM."""
    fleet = read_fleet(Path(path))
    host = RunHost(place=lambda fleet: Place(url=store, blobs=blobs), tell_of=tell)
    made = SecondsScheduler(host, int(period))
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    made.load([fleet], datetime.now(UTC) - timedelta(seconds=int(period)))
    while not stop.wait(0.1):
        made.tick(datetime.now(UTC))
    made.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
