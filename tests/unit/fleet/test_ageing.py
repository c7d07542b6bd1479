"""How old failures are: from the first run that saw them, whatever was not seen in between."""

from __future__ import annotations

from collections.abc import Iterable

from compliance.fleet.ageing import Ageing, ageing
from compliance.fleet.run_rows import RunRows
from compliance.fleet.standing import Standing, StandingReader
from tests.builders.fleet_rows import DAY, NOON, A, check, member, record, rows

_DAY = 86_400


def aged(*history: RunRows) -> Ageing:
    reader = StandingReader()
    return ageing(reader.standings(one) for one in history)


def seen(outcomes: Iterable[str | None]) -> list[RunRows]:
    """Runs a day apart, each with an assessment of its own; None: the image was not assessed, "-": it was away."""
    history = []
    for number, outcome in enumerate(outcomes, 1):
        if outcome is None:
            history.append(rows(number, lost=(A,)))
        elif outcome == "-":
            history.append(rows(number, members=()))
        else:
            history.append(rows(number, record(A, check(outcome), at=NOON + DAY * number, name=str(number))))
    return history


def test_a_failure_is_as_old_as_the_first_run_that_saw_it() -> None:
    (one,) = aged(*seen(["passed", "failed", "failed", "failed"])).open
    assert (one.first.run, one.seconds) == (2, 2 * _DAY)


def test_not_being_seen_makes_it_no_younger() -> None:
    for gap in (None, "-", "unknown", "not-applicable"):
        (one,) = aged(*seen(["failed", gap, "failed"])).open
        assert one.first.run == 1


def test_only_a_pass_ends_it_and_then_it_has_a_time_to_fix() -> None:
    found = aged(*seen(["failed", "failed", "passed"]))
    assert found.open == ()
    assert [(one.first.run, one.fixed.run, one.seconds) for one in found.fixed] == [(1, 3, 2 * _DAY)]
    assert [(part.fixed, part.median_fix_seconds) for part in found.by_severity if part.severity == "high"] == [
        (1, 2 * _DAY)
    ]


def test_what_comes_back_after_a_fix_is_young_again() -> None:
    found = aged(*seen(["failed", "passed", "failed"]))
    assert [one.first.run for one in found.open] == [3]
    assert len(found.fixed) == 1


def test_what_is_neither_fixed_nor_seen_waits() -> None:
    for last, standing in ((None, "undetermined"), ("-", "undetermined"), ("not-applicable", "not-applicable")):
        found = aged(*seen(["failed", last]))
        assert (found.open, found.fixed) == ((), ())
        assert [one.standing for one in found.waiting] == [Standing(standing)]


def test_a_fix_that_is_seen_after_a_gap_counts_from_the_run_that_sees_it() -> None:
    (one,) = aged(*seen(["failed", None, "passed"])).fixed
    assert (one.fixed.run, one.seconds) == (3, 2 * _DAY)


def test_a_waived_failure_is_told_apart_and_keeps_its_age() -> None:
    first = rows(1, record(A, check("failed")))
    second = rows(2, record(A, check("failed", waiver="W1"), at=NOON + DAY, name="2"))
    found = aged(first, second)
    assert found.open == ()
    assert [(one.first.run, one.standing) for one in found.waived] == [(1, Standing.WAIVED)]


def test_ages_are_counted_in_classes_and_medians_are_none_of_nothing() -> None:
    history = [rows(number, record(A, check("failed"))) for number in (1, 9, 40)]
    (high,) = (part for part in aged(*history).by_severity if part.severity == "high")
    assert (high.open, high.by_age, high.median_open_seconds) == (1, (0, 0, 1, 0), 39 * _DAY)
    assert (high.fixed, high.median_fix_seconds) == (0, None)
    assert [part.median_open_seconds for part in aged().by_severity] == [None] * 4


def test_the_lower_of_two_middle_ones_is_the_median() -> None:
    other = "registry:r.example/other:1"
    first = rows(1, record(A, check("failed")), members=(member(A),))
    second = rows(4, record(A, check("failed")), members=(member(A), member(A, reference=other)))
    third = rows(5, record(A, check("failed")), members=(member(A), member(A, reference=other)))
    (high,) = (part for part in aged(first, second, third).by_severity if part.severity == "high")
    assert (high.open, high.median_open_seconds) == (2, _DAY)
