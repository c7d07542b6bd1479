"""Cron expressions: five fields, read strictly, and written so that every scheduler takes them to mean the same.

Two things mean different times to different schedulers, and are never written: weekdays as numbers (cron counts from
Sunday, APScheduler from Monday), and a day of the month beside a weekday (cron takes either, systemd and APScheduler
both).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CRON_WEEKDAYS: Final = ("sun", *WEEKDAYS)
"""By cron's numbers; 7 is Sunday once more."""
_DAYS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_EXPRESSION_MAX: Final = 200
_MACROS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_ITEM = re.compile(r"(?:(\*)|([a-z]+|[0-9]{1,2})(?:-([a-z]+|[0-9]{1,2}))?)(?:/([0-9]{1,2}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """The minutes, hours, days, months and weekdays (0 is Monday) at which it is time. All of a field means any."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]

    def __str__(self) -> str:
        """The expression in the form that every scheduler reads alike."""
        weekdays = ",".join(WEEKDAYS[day] for day in self.weekdays) if len(self.weekdays) < 7 else "*"
        return " ".join(
            (
                _written(self.minutes, 0, 59, "-"),
                _written(self.hours, 0, 23, "-"),
                _written(self.days, 1, 31, "-"),
                _written(self.months, 1, 12, "-"),
                weekdays,
            )
        )

    def on_calendar(self, timezone: str) -> str:
        """The same as systemd's calendar event (systemd.time(7)) in `timezone`, an IANA name."""
        weekdays = ",".join(WEEKDAYS[day].capitalize() for day in self.weekdays)
        day = f"*-{_written(self.months, 1, 12, '..')}-{_written(self.days, 1, 31, '..')}"
        time = f"{_written(self.hours, 0, 23, '..')}:{_written(self.minutes, 0, 59, '..')}:00"
        return " ".join((*((weekdays,) if len(self.weekdays) < 7 else ()), day, time, timezone))


def parse_cron(text: str) -> Cron:
    """Read ``MINUTE HOUR DAY MONTH WEEKDAY`` or ``@daily`` and its like. Raises ValueError saying what is wrong."""
    if len(text) > _EXPRESSION_MAX:
        raise ValueError(f"more than {_EXPRESSION_MAX} characters")
    words = _MACROS.get(text.strip().lower(), text).lower().split()
    if len(words) != 5:
        raise ValueError("not five fields: minute, hour, day of the month, month, day of the week")
    numbers = {name: index for index, name in enumerate(_MONTHS, 1)}
    weekdays = {name: index for index, name in enumerate(_CRON_WEEKDAYS[:7])}
    cron = Cron(
        minutes=_field("minute", words[0], 0, 59, {}),
        hours=_field("hour", words[1], 0, 23, {}),
        days=_field("day of the month", words[2], 1, 31, {}),
        months=_field("month", words[3], 1, 12, numbers),
        weekdays=tuple(
            sorted({WEEKDAYS.index(_CRON_WEEKDAYS[day]) for day in _field("weekday", words[4], 0, 7, weekdays)})
        ),
    )
    if len(cron.days) < 31 and len(cron.weekdays) < 7:
        raise ValueError("a day of the month beside a weekday: some schedulers take either, others both")
    if all(day > _DAYS[month - 1] for day in cron.days for month in cron.months):
        raise ValueError("a day that none of the months has")
    return cron


def _field(what: str, text: str, least: int, most: int, names: dict[str, int]) -> tuple[int, ...]:
    found: set[int] = set()
    for item in text.split(","):
        parts = _ITEM.fullmatch(item)
        if parts is None:
            raise ValueError(f"{item!r} is no {what}")
        first = least if parts[1] else _number(what, parts[2], least, most, names)
        last = most if parts[1] else first if parts[3] is None else _number(what, parts[3], least, most, names)
        step = int(parts[4] or 1)
        if not parts[1] and parts[3] is None and parts[4] is not None:
            raise ValueError(f"{item!r}: a step needs a range or a star")
        if parts[3] == "sun" and first > last:
            last = most  # fri-sun: the week's end is its beginning too
        if first > last or step < 1:
            raise ValueError(f"{item!r} holds no {what}")
        found.update(range(first, last + 1, step))
    return tuple(sorted(found))


def _number(what: str, text: str, least: int, most: int, names: dict[str, int]) -> int:
    number = names.get(text, int(text) if text.isdigit() else -1)
    if not least <= number <= most:
        raise ValueError(f"{text!r} is no {what}")
    return number


def _written(values: tuple[int, ...], least: int, most: int, dash: str) -> str:
    """A star for all of them, else runs and single numbers."""
    if len(values) == most - least + 1:
        return "*"
    runs: list[list[int]] = []
    for value in values:
        if runs and runs[-1][-1] == value - 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    return ",".join(f"{run[0]}{dash}{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
