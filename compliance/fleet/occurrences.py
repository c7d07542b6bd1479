"""When a cron expression is due in a time zone: instants that every scheduler agrees on, also when clocks change.

An instant is the `slot` of a run, so the same expression has to give the same ones everywhere:

- Where hours are named (``30 2 * * *``) a schedule means times of day. One that a change leaves out is due at the end
  of the gap, one that comes twice is due the first time only: neither is a day without it, nor one with two.
- Where any hour will do (``*/15 * * * *``) it means an interval: it follows the time that passes, so that both of the
  hours that look alike have their own.

APScheduler's CronTrigger (3.11) does not serve here: it gives a time that comes twice two instants, moves instants by
a jitter of its own on each machine, and does not tell a job which of them it runs for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

from compliance.errors import UsageError
from compliance.fleet.cron import Cron, parse_cron
from compliance.fleet.fleet_file import Schedule

_DAYS_SEARCHED = 366 * 9  # 29 February comes back after eight years at the most, over 2100
_LAST_DAY = date(9990, 1, 1)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrences:
    """One cron expression in one time zone."""

    cron: Cron
    timezone: ZoneInfo

    def after(self, moment: datetime) -> datetime:
        """The first instant later than `moment` (aware), in UTC. Raises UsageError where there is none."""
        return next(self.following(moment))

    def following(self, moment: datetime) -> Iterator[datetime]:
        """All instants later than `moment`, in order, without end. Raises UsageError where no more come."""
        day = moment.astimezone(self.timezone).date() - timedelta(days=1)  # clocks may go back over midnight
        waiting: set[datetime] = set()
        last_found = day
        while (day - last_found).days < _DAYS_SEARCHED and day < _LAST_DAY:
            waiting |= {instant for instant in self._on(day) if instant > moment}
            day += timedelta(days=1)
            midnight = datetime.combine(day, time(), self.timezone).astimezone(UTC)
            for instant in sorted(instant for instant in waiting if instant < midnight):
                yield instant
                waiting.discard(instant)
                last_found = day
        raise UsageError(f"the schedule {str(self.cron)!r} never comes", code="cron-never")

    def between(self, after: datetime, until: datetime, limit: int) -> tuple[datetime, ...]:
        """The instants later than `after` and not later than `until`; the newest `limit` of them."""
        return tuple(deque(takewhile(lambda instant: instant <= until, self.following(after)), maxlen=limit))

    def _on(self, day: date) -> set[datetime]:
        """The instants that belong to a local day."""
        cron = self.cron
        if day.month not in cron.months or day.day not in cron.days or day.weekday() not in cron.weekdays:
            return set()
        return {
            instant
            for hour in cron.hours
            for minute in cron.minutes
            for instant in self._instants(datetime.combine(day, time(hour, minute)))
        }

    def _instants(self, wall: datetime) -> tuple[datetime, ...]:
        """When the clocks of the time zone show `wall`: once, twice, or (between two instants) never."""
        first, second = (wall.replace(tzinfo=self.timezone, fold=fold).astimezone(UTC) for fold in (0, 1))
        any_hour = len(self.cron.hours) == 24
        if first == second:
            return (first,)
        if first < second:
            return (first, second) if any_hour else (first,)
        return () if any_hour else (self._change(second, first),)

    def _change(self, before: datetime, after: datetime) -> datetime:
        """The instant in ``(before, after]`` from which on the offset is another, to the second."""
        old = before.astimezone(self.timezone).utcoffset()
        while after - before > _SECOND:
            middle = before + _SECOND * ((after - before) // _SECOND // 2)
            if middle.astimezone(self.timezone).utcoffset() == old:
                before = middle
            else:
                after = middle
        return after


def occurrences(schedule: Schedule) -> Occurrences:
    """Those of a fleet's schedule. Raises UsageError (``schedule-invalid``)."""
    try:
        return Occurrences(cron=parse_cron(schedule.cron), timezone=ZoneInfo(schedule.timezone))
    except (KeyError, ValueError, OSError) as error:  # a ZoneInfo that is not known is a KeyError
        raise UsageError(f"the schedule can't be followed: {error}", code="schedule-invalid") from None
