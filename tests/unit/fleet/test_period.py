"""An audit window: its runs, the gaps between them, and a sample that can be drawn again."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from compliance.fleet.period import Gap, Period, PeriodReader
from compliance.fleet.run_rows import RunRows
from tests.builders.fleet_rows import DAY, NOON, check, member, record, rows

HEAD = "ab" * 32


def ended(number: int, letters: str = "a", slot: datetime | None = None) -> RunRows:
    """A run that began at noon of the day with its number, of images named by letters."""
    digests = [f"sha256:{letter * 64}" for letter in letters]
    records = [record(digest, check("passed"), outcome="satisfied") for digest in digests]
    members = tuple(member(digest, reference=f"registry:r.example/{digest[7]}:1") for digest in digests)
    plain = rows(number, *records, members=members)
    return replace(plain, run=replace(plain.run, chain=HEAD, slot=slot))


def window(*runs: RunRows, slots: list[datetime] | None = None, days: int = 10, size: int = 25) -> Period:
    reader = PeriodReader(NOON, NOON + DAY * days)
    for one in runs:
        if reader.holds(one.run):
            reader.add(one)
    return reader.period(slots, size)


DAILY = [NOON + DAY * number for number in range(1, 11)]


def test_a_run_for_each_due_time_leaves_no_gap() -> None:
    found = window(*(ended(number) for number in range(1, 11)), slots=DAILY)
    assert (found.due, found.gaps, len(found.runs)) == (10, (), 10)


def test_missed_runs_in_a_row_are_one_gap_until_the_next_run() -> None:
    found = window(*(ended(number) for number in (1, 2, 6, 7, 8, 9)), slots=DAILY)
    assert found.gaps == (
        Gap(since=NOON + DAY * 3, until=NOON + DAY * 6, missed=3),
        Gap(since=NOON + DAY * 10, until=NOON + DAY * 10, missed=1),
    )
    assert found.longest_seconds == 4 * 86_400


def test_a_late_run_for_a_slot_and_an_early_one_before_the_next_are_none_missed() -> None:
    late = ended(3, slot=NOON + DAY * 2)
    found = window(ended(1), late, slots=[NOON + DAY, NOON + DAY * 2])
    assert found.gaps == ()


def test_without_a_schedule_no_run_is_missed_but_the_longest_time_is_told() -> None:
    found = window(ended(2), ended(9))
    assert (found.due, found.gaps, found.longest_seconds) == (None, (), 7 * 86_400)


def test_runs_outside_the_window_are_not_in_it() -> None:
    found = window(*(ended(number) for number in range(1, 20)), days=5)
    assert [one.run.number for one in found.runs] == [1, 2, 3, 4, 5]


def test_the_sample_follows_its_rule() -> None:
    letters = "abcdef0123456789"
    found = window(ended(1, letters), size=5)
    expected = sorted(hashlib.sha256(f"{HEAD}:sha256:{letter * 64}:p".encode()).hexdigest() for letter in letters)
    assert [one.rank for one in found.sample] == expected[:5]
    assert found.population == len(letters)
    assert found.seed == HEAD


def test_a_larger_sample_begins_with_the_smaller_one() -> None:
    letters = "abcdef0123456789"
    small, large = (window(ended(1, letters), size=size).sample for size in (3, 9))
    assert large[:3] == small


def test_the_sample_is_of_all_images_of_the_window_also_of_those_not_assessed() -> None:
    gone, unsure = ended(1, "a"), rows(2, members=(member("sha256:" + "b" * 64),), lost=("sha256:" + "b" * 64,))
    found = window(gone, unsure)
    assert {(one.digest[7], one.runs, one.outcome) for one in found.sample} == {
        ("a", (1,), "satisfied"),
        ("b", (2,), "not-determined"),
    }


def test_a_window_without_a_run_has_no_seed_and_no_sample() -> None:
    found = window(slots=DAILY)
    assert (found.seed, found.sample, found.runs) == (None, (), ())
    assert found.gaps == (Gap(since=DAILY[0], until=NOON + DAY * 10, missed=10),)
    assert found.longest_seconds == 10 * 86_400


@pytest.mark.parametrize("moment", [NOON, NOON + DAY * 10])
def test_both_ends_belong_to_the_window(moment: datetime) -> None:
    reader = PeriodReader(NOON, NOON + DAY * 10)
    run = replace(ended(1).run, started=moment)
    assert reader.holds(run)
    assert not reader.holds(replace(run, started=NOON - timedelta(seconds=1)))
