"""When a schedule is due: the days on which clocks change, and order without end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.errors import UsageError
from compliance.fleet.cron import parse_cron
from compliance.fleet.fleet_file import Schedule
from compliance.fleet.occurrences import Occurrences, occurrences

BERLIN, NEW_YORK, LORD_HOWE, APIA, ST_JOHNS, CAIRO = (
    "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "America/St_Johns", "Africa/Cairo"
)  # fmt: skip

CHANGES = (
    # expression, time zone, later than (UTC), the next ones (UTC), why
    ("30 2 * * *", BERLIN, "2026-03-28T00:00", ("28T01:30", "29T01:00", "30T00:30"), "left out: due at the gap's end"),
    ("0 2 * * *", BERLIN, "2026-03-28T12:00", ("29T01:00", "30T00:00"), "the gap begins there, and is over at once"),
    ("0,30 2 * * *", BERLIN, "2026-03-28T12:00", ("29T01:00", "30T00:00"), "two that are left out are due once"),
    ("0 3 * * *", BERLIN, "2026-03-28T12:00", ("29T01:00", "30T01:00"), "the first time after the gap"),
    ("30 2 * * *", BERLIN, "2026-10-24T12:00", ("25T00:30", "26T01:30"), "comes twice: due the first time only"),
    ("0 3 * * *", BERLIN, "2026-10-24T12:00", ("25T02:00", "26T02:00"), "after the repeated hour"),
    ("30 2 * * *", BERLIN, "2026-10-25T00:45", ("26T01:30",), "between the two"),
    ("*/30 * * * *", BERLIN, "2026-03-29T00:15", ("29T00:30", "29T01:00", "29T01:30"), "an interval sees no gap"),
    ("*/30 * * * *", BERLIN, "2026-10-24T23:45", ("25T00:00", "25T00:30", "25T01:00", "25T01:30", "25T02:00"), "nor"),
    ("30 2 * * *", NEW_YORK, "2026-03-07T12:00", ("08T07:00", "09T06:30"), "west of Greenwich"),
    ("30 1 * * *", NEW_YORK, "2026-10-31T12:00", ("01T05:30", "02T06:30"), "west of Greenwich"),
    ("15 2 * * *", LORD_HOWE, "2026-10-02T18:00", ("03T15:30", "04T15:15"), "a gap of half an hour"),
    ("45 1 * * *", LORD_HOWE, "2026-04-03T18:00", ("04T14:45", "05T15:15"), "half an hour that comes twice"),
    ("30 12 * * *", APIA, "2011-12-29T00:00", ("29T22:30", "30T10:00", "30T22:30"), "a whole day is left out"),
    ("0 0 * * *", CAIRO, "2024-04-24T12:00", ("24T22:00", "25T22:00", "26T21:00"), "a day that begins at one"),
    ("30 23 * * *", ST_JOHNS, "2005-10-29T12:00", ("30T02:00", "31T03:00"), "back over midnight, into yesterday"),
    ("0 0 29 2 *", "UTC", "2096-03-01T00:00", ("29T00:00",), "2100 is no leap year"),
    ("0 3 * * 0", "UTC", "2026-11-24T00:00", ("29T03:00",), "0 is Sunday"),
    ("0 3 * * 1-5", "UTC", "2026-11-20T00:00", ("20T03:00", "23T03:00", "24T03:00"), "from Monday to Friday"),
)


def table(expression: str, zone: str) -> Occurrences:
    return Occurrences(cron=parse_cron(expression), timezone=ZoneInfo(zone))


@pytest.mark.parametrize(("expression", "zone", "after", "expected", "why"), CHANGES)
def test_clocks_that_change(expression: str, zone: str, after: str, expected: tuple[str, ...], why: str) -> None:
    found = table(expression, zone).following(datetime.fromisoformat(after).replace(tzinfo=UTC))
    assert tuple(f"{one:%dT%H:%M}" for one in islice(found, len(expected))) == expected, why


ZONES = st.sampled_from((BERLIN, NEW_YORK, LORD_HOWE, APIA, ST_JOHNS, CAIRO, "UTC", "Asia/Kolkata"))
MOMENTS = st.integers(946_684_800, 1_893_456_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
EXPRESSIONS = st.sampled_from(("* * * * *", "*/7 * * * *", "30 2 * * *", "0,15 0-3 * * *", "59 23 * * *", "5 1 * * 0"))


@given(EXPRESSIONS, ZONES, MOMENTS)
def test_they_come_in_order_each_once_and_later_than_asked(expression: str, zone: str, moment: datetime) -> None:
    found = list(islice(table(expression, zone).following(moment), 50))
    assert found == sorted(set(found))
    assert found[0] > moment


@given(EXPRESSIONS, ZONES, MOMENTS, st.integers(0, 40))
def test_who_looks_later_sees_the_same(expression: str, zone: str, moment: datetime, skipped: int) -> None:
    """Two schedulers that were started at different times agree on every slot."""
    found = list(islice(table(expression, zone).following(moment), 60))
    assert list(islice(table(expression, zone).following(found[skipped]), 59 - skipped)) == found[skipped + 1 :]


@given(ZONES.filter(lambda zone: zone != APIA), MOMENTS)
def test_a_time_of_day_comes_once_a_day(zone: str, moment: datetime) -> None:
    """Where no day is left out."""
    found = list(islice(table("30 2 * * *", zone).following(moment), 400))
    gaps = {later - earlier for earlier, later in pairwise(found)}
    assert all(timedelta(hours=22) < gap < timedelta(hours=26) for gap in gaps)


def test_only_the_newest_of_many_are_kept() -> None:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    found = table("* * * * *", "UTC").between(begin, begin + timedelta(days=20), 10)
    assert found[-1] == begin + timedelta(days=20)
    assert len(found) == 10


@pytest.mark.parametrize("schedule", [Schedule(cron="0 0 30"), Schedule(cron="@daily", timezone="../etc/passwd")])
def test_a_schedule_that_cannot_be_followed_is_an_error(schedule: Schedule) -> None:
    with pytest.raises(UsageError, match="can't be followed"):
        occurrences(schedule)
