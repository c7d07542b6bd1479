"""Waivers over a whole fleet: which accept something, which soon will not, and which never did."""

from __future__ import annotations

from datetime import timedelta

import pytest

from compliance.fleet.accepted import WaiverStanding, fleet_waivers
from compliance.model.fleet import WaiverRow
from tests.builders.fleet_rows import NOON, A, B, check, member, record, rows


def row(state: str, days: int | None = 100) -> WaiverRow:
    end = None if days is None else (NOON + timedelta(days=days)).isoformat().replace("+00:00", "Z")
    return WaiverRow(
        id="W1",
        check="RM-SHELL",
        state=state,
        approver="a",
        reason="r",
        ticket=None,
        created="2026-01-01T00:00:00Z",
        expires=end,
    )


@pytest.mark.parametrize(
    ("states", "days", "expected"),
    [
        (("applied",), 31, WaiverStanding.IN_FORCE),
        (("applied",), 30, WaiverStanding.EXPIRING),
        (("applied",), 0, WaiverStanding.EXPIRING),
        (("applied",), None, WaiverStanding.IN_FORCE),
        (("applied", "other-image"), 100, WaiverStanding.IN_FORCE),
        (("expired",), -1, WaiverStanding.EXPIRED),
        (("applied",), -1, WaiverStanding.EXPIRED),
        (("no-failure", "other-image"), 100, WaiverStanding.ORPHANED),
        (("no-check",), 5, WaiverStanding.ORPHANED),
        (("not-yet",), 100, WaiverStanding.NOT_YET),
    ],
)
def test_what_a_waiver_amounts_to(states: tuple[str, ...], days: int | None, expected: WaiverStanding) -> None:
    records = [
        record(digest, check("failed"), waivers=(row(state, days),))
        for digest, state in zip((A, B), states, strict=False)
    ]
    (found,) = fleet_waivers(rows(1, *records).images, NOON)
    assert (found.standing, found.applied, found.days_left) == (expected, states.count("applied"), days)


def test_an_end_that_is_no_time_is_no_end_and_no_error() -> None:
    from dataclasses import replace

    odd = replace(row("applied"), expires="next year")
    (found,) = fleet_waivers(rows(1, record(A, check("failed"), waivers=(odd,))).images, NOON)
    assert (found.standing, found.days_left) == (WaiverStanding.IN_FORCE, None)


def test_the_most_urgent_comes_first_and_unassessed_images_have_none() -> None:
    given = (row("applied", 90), row("applied", 9), row("expired", -3), row("no-failure", 8))
    records = record(A, check("failed"), waivers=given)
    found = fleet_waivers(rows(1, records, members=(member(A), member(B)), lost=(B,)).images, NOON)
    assert [one.standing for one in found] == [
        WaiverStanding.EXPIRED,
        WaiverStanding.EXPIRING,
        WaiverStanding.IN_FORCE,
        WaiverStanding.ORPHANED,
    ]
