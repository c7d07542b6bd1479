"""A schedule means the same times to us, to APScheduler and to systemd: generated expressions, one after the other."""

from __future__ import annotations

import re
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compliance.fleet.cron import Cron, parse_cron
from tests.builders.program import program

START = datetime(2026, 1, 30, 22, 57, tzinfo=UTC)
_COUNT = 4


def field(least: int, most: int) -> st.SearchStrategy[str]:
    number = st.integers(least, most)
    span = st.tuples(number, number).map(lambda pair: (min(pair), max(pair)))
    item = st.one_of(
        number.map(str),
        span.map(lambda pair: f"{pair[0]}-{pair[1]}"),
        st.tuples(span, st.integers(1, most)).map(lambda both: f"{both[0][0]}-{both[0][1]}/{both[1]}"),
        st.integers(1, most).map(lambda step: f"*/{step}"),
    )
    return st.one_of(st.just("*"), st.lists(item, min_size=1, max_size=3).map(",".join))


expressions = st.one_of(
    st.tuples(field(0, 59), field(0, 23), field(1, 28), field(1, 12), st.just("*")),
    st.tuples(field(0, 59), field(0, 23), st.just("*"), field(1, 12), field(0, 7)),
    st.tuples(field(0, 59), field(0, 23), st.sampled_from(["29", "30", "31", "29-31"]), st.just("*"), st.just("*")),
).map(" ".join)


def expected(cron: Cron) -> list[datetime]:
    """By the definition: every minute is looked at, days that can't be are passed over."""
    found: list[datetime] = []
    day = START.replace(hour=0, minute=0)
    while len(found) < _COUNT:
        if day.day in cron.days and day.month in cron.months and day.weekday() in cron.weekdays:
            times = (day.replace(hour=hour, minute=minute) for hour in cron.hours for minute in cron.minutes)
            found += [time for time in times if time > START]
        day += timedelta(days=1)
    return found[:_COUNT]


@given(expressions)
@settings(max_examples=150)
def test_apscheduler_reads_what_is_written_as_it_was_meant(text: str) -> None:
    trigger = pytest.importorskip("apscheduler.triggers.cron").CronTrigger
    cron = parse_cron(text)
    made = trigger.from_crontab(str(cron), timezone=UTC)
    times: list[datetime] = []
    while len(times) < _COUNT:
        after = times[-1] if times else START
        times.append(made.get_next_fire_time(after if times else None, after + timedelta(seconds=1)))
    assert times == expected(cron)


@given(st.lists(expressions, min_size=8, max_size=8))
@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
def test_systemd_begins_at_the_same_times(texts: list[str]) -> None:
    crons = [parse_cron(text) for text in texts]
    told = subprocess.run(
        [
            program("systemd-analyze"),
            "calendar",
            f"--base-time={START:%Y-%m-%d %H:%M:%S} UTC",
            f"--iterations={_COUNT}",
            *(cron.on_calendar("UTC") for cron in crons),
        ],
        capture_output=True,
        text=True,
        env={"TZ": "UTC", "PATH": "/usr/bin:/bin", "SYSTEMD_COLORS": "0"},
        check=True,
    )
    times = re.findall(r"(?:Next elapse|Iter(?:ation|\.) #\d+): \w+ (\d+-\d+-\d+ \d+:\d+:\d+) UTC", told.stdout)
    assert len(times) == _COUNT * len(crons), told.stdout
    read = [datetime.fromisoformat(time).replace(tzinfo=UTC) for time in times]
    assert read == [time for cron in crons for time in expected(cron)]
