"""Which slots are due and which were missed: the same answer for whoever looks at the same store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from compliance.fleet.cron import parse_cron
from compliance.fleet.occurrences import Occurrences
from compliance.fleet.slots import Timetable
from compliance.model.fleet import Run, RunState

PRESENT, EARLIER = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-{text}").replace(tzinfo=UTC)


def timetable(*, catch_up: bool = True, since: str = "01T00:30", jitter: float = 0, fleet: str = "shop") -> Timetable:
    return Timetable(
        fleet=fleet,
        occurrences=Occurrences(cron=parse_cron("0 3 * * *"), timezone=ZoneInfo("UTC")),
        fleet_digest=PRESENT,
        since=at(since),
        jitter=timedelta(seconds=jitter),
        grace=timedelta(minutes=10),
        catch_up=catch_up,
    )


def runs(*slots: str | None, digest: str = PRESENT) -> list[Run]:
    return [
        Run(
            fleet="shop",
            number=number,
            state=RunState.ENDED,
            fleet_digest=digest,
            tool="hullmark 0",
            controls_digest="sha256:" + "c" * 64,
            started=at(slot or "01T12:00"),
            effective=at(slot or "01T12:00"),
            population="p",
            slot=None if slot is None else at(slot),
        )
        for number, slot in enumerate(slots, 1)
    ]


DUE: tuple[tuple[list[Run], str, bool, str | None, str], ...] = (
    # runs, now, catch up, slot, why
    ([], "01T02:59", True, None, "before the first"),
    ([], "01T03:00", True, "01T03:00", "on time"),
    ([], "01T03:10", False, "01T03:00", "within its grace"),
    ([], "01T03:11", True, "01T03:00", "late, and run all the same"),
    ([], "01T03:11", False, None, "late, and left out"),
    (runs("01T03:00"), "01T03:01", True, None, "it has a run"),
    (runs("01T03:00"), "04T03:05", True, "04T03:00", "away for two days"),
    (runs("01T03:00"), "04T03:05", False, "04T03:00", "the newest is in time"),
    (runs("01T03:00"), "04T09:00", True, "04T03:00", "one for all of them"),
    (runs("01T03:00"), "04T09:00", False, None, "none for any of them"),
    (runs("01T03:00", "03T03:00"), "03T03:01", True, None, "what is older than a run is not made up for"),
    (runs("01T03:00", None), "02T03:00", True, "02T03:00", "a run by hand takes no slot"),
    (runs("27T03:00", digest=EARLIER), "29T04:00", True, None, "made under another fleet file"),
)


@pytest.mark.parametrize(("known", "now", "catch_up", "slot", "why"), DUE)
def test_what_is_due(known: Sequence[Run], now: str, catch_up: bool, slot: str | None, why: str) -> None:
    since = "29T03:30" if why.startswith("made under") else "01T00:30"
    found = timetable(catch_up=catch_up, since=since).due(known, at(now))
    assert found == (None if slot is None else at(slot)), why


def test_a_slot_without_a_run_is_missed_once_its_time_is_over_and_stays_so() -> None:
    table = timetable(since="04T12:00")
    known = runs("01T03:00", "03T03:00")
    assert table.missed(known, at("03T12:00")) == (at("02T03:00"),)
    assert table.missed(known, at("04T03:10")) == (at("02T03:00"),)
    assert table.missed(known, at("04T03:11")) == (at("02T03:00"), at("04T03:00"))
    assert table.missed(runs("01T03:00", "03T03:00", "04T03:00"), at("04T03:11")) == (at("02T03:00"),)


def test_what_ran_under_another_fleet_file_says_nothing_about_this_schedule() -> None:
    known = [*runs("01T03:00", digest=EARLIER), *runs("03T03:00")]
    assert timetable(since="04T12:00").missed(known, at("04T12:00")) == (at("04T03:00"),)


def test_jitter_is_the_same_everywhere_and_within_its_bound() -> None:
    begun = {fleet: timetable(jitter=600, fleet=fleet).start(at("02T03:00")) for fleet in ("a", "b", "c", "d")}
    assert begun == {fleet: timetable(jitter=600, fleet=fleet).start(at("02T03:00")) for fleet in begun}
    assert len(set(begun.values())) == 4
    assert all(at("02T03:00") <= start < at("02T03:10") for start in begun.values())


def test_a_slot_is_not_due_before_its_jitter_is_over() -> None:
    table = timetable(jitter=600)
    start = table.start(at("02T03:00"))
    second = timedelta(seconds=1)
    known = runs("01T03:00")
    assert table.due(known, start - second) is None
    assert table.due(known, start) == at("02T03:00")
    assert table.next(start - second) == start
    assert table.next(start) == table.start(at("03T03:00"))
    assert table.missed(known, start + timedelta(minutes=10)) == ()
    assert table.missed(known, start + timedelta(minutes=10) + second) == (at("02T03:00"),)
