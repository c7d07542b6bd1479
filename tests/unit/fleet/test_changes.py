"""What counts as new, fixed, gone: above all that less evidence is never a fix."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compliance.fleet.changes import Changes, FindingChangeKind, ImageChangeKind, changes
from compliance.fleet.run_rows import RunRows
from compliance.fleet.standing import Standing, StandingReader
from compliance.model.fleet import CheckRow, WaiverRow
from tests.builders.fleet_rows import DAY, NOON, A, B, check, member, record, rows, run


def compared(before: RunRows, after: RunRows) -> Changes:
    reader = StandingReader()
    return changes(reader.standings(before), reader.standings(after))


def kind(before: RunRows, after: RunRows) -> FindingChangeKind | None:
    """What became of the one check; None where it fails on neither side."""
    found = [one for one, number in compared(before, after).counts.items() if number]
    assert len(found) <= 1
    return found[0] if found else None


FAILS = rows(1, record(A, check("failed")))


def later(*checks: CheckRow, digest: str = A, waivers: tuple[WaiverRow, ...] = ()) -> RunRows:
    return rows(2, record(digest, *checks, at=NOON + DAY, name="2", waivers=waivers))


def test_a_pass_in_a_later_assessment_is_a_fix() -> None:
    assert kind(FAILS, later(check("passed"))) is FindingChangeKind.FIXED


def test_a_pass_of_another_image_behind_the_same_reference_is_a_fix() -> None:
    found = compared(FAILS, later(check("passed"), digest=B))
    assert found.counts[FindingChangeKind.FIXED] == 1
    assert [one.kind for one in found.images] == [ImageChangeKind.MOVED]
    assert (found.images[0].before, found.images[0].after) == ((A,), (B,))


@pytest.mark.parametrize(
    ("after", "expected", "reason"),
    [
        (later(check("unknown")), FindingChangeKind.UNDETERMINED, "the check gave no answer"),
        (later(check("errored")), FindingChangeKind.UNDETERMINED, "the check gave no answer"),
        (later(check("a word of tomorrow")), FindingChangeKind.UNDETERMINED, "the check gave no answer"),
        (later(check("passed", name="RM-LIB")), FindingChangeKind.UNDETERMINED, "the check was not run"),
        (later(), FindingChangeKind.UNDETERMINED, "the check was not run"),
        (rows(2, lost=(A,)), FindingChangeKind.UNDETERMINED, "it took too long"),
        (rows(2, members=(member(None),)), FindingChangeKind.UNDETERMINED, "no image could be found behind it"),
        (rows(2, members=(member(A),)), FindingChangeKind.UNDETERMINED, "it has no outcome in this run"),
        (later(check("not-applicable")), FindingChangeKind.NOT_APPLICABLE, None),
        (later(check("failed", counts=False)), FindingChangeKind.UNCOUNTED, None),
        (rows(2, members=()), FindingChangeKind.GONE, None),
        (later(check("failed")), FindingChangeKind.STILL_OPEN, None),
        (later(check("failed", waiver="W1")), FindingChangeKind.WAIVED, None),
    ],
)
def test_nothing_but_a_later_pass_is_a_fix(after: RunRows, expected: FindingChangeKind, reason: str | None) -> None:
    found = compared(FAILS, after)
    assert [one for one, number in found.counts.items() if number] == [expected]
    assert found.counts[FindingChangeKind.FIXED] == 0
    if reason is not None:
        assert found.findings[0].reason == reason


def test_a_pass_in_an_assessment_older_than_the_failure_is_no_fix() -> None:
    """A tag that was moved back to an image assessed long before."""
    before = rows(2, record(A, check("failed"), at=NOON + DAY))
    after = rows(3, record(B, check("passed"), at=NOON))
    found = compared(before, after)
    assert found.counts[FindingChangeKind.FIXED] == 0
    assert found.findings[0].kind is FindingChangeKind.UNDETERMINED
    assert found.findings[0].reason == "it passes in an assessment that is older than the failure"


def test_one_of_several_images_behind_a_reference_still_failing_is_no_fix() -> None:
    before = rows(1, record(A, check("failed")), record(B, check("passed")))
    after = rows(2, record(A, check("passed"), at=NOON + DAY, name="2"), record(B, check("failed"), name="2"))
    assert kind(before, after) is FindingChangeKind.STILL_OPEN


def test_one_of_several_images_not_assessed_is_no_fix() -> None:
    before = rows(1, record(A, check("failed")), record(B, check("passed")))
    after = rows(2, record(A, check("passed"), at=NOON + DAY, name="2"), lost=(B,))
    assert kind(before, after) is FindingChangeKind.UNDETERMINED


def test_a_reference_that_is_also_not_resolved_is_no_fix() -> None:
    """One platform of an image was found, another not."""
    fixed = record(A, check("passed"), at=NOON + DAY, name="2")
    assert kind(FAILS, rows(2, fixed, members=(member(A), member(None)))) is FindingChangeKind.UNDETERMINED


@pytest.mark.parametrize(
    ("before", "told"),
    [
        (rows(1, record(A, check("passed"))), Standing.PASSED),
        (rows(1, record(A, check("not-applicable"))), Standing.NOT_APPLICABLE),
        (rows(1, record(A, check("unknown"))), Standing.UNDETERMINED),
        (rows(1, lost=(A,)), Standing.UNDETERMINED),
        (rows(1, members=()), None),
    ],
)
def test_what_fails_now_and_did_not_before_is_new_and_says_what_was(before: RunRows, told: Standing | None) -> None:
    found = compared(before, later(check("failed")))
    assert [(one.kind, one.before) for one in found.findings] == [(FindingChangeKind.NEW, told)]


def waiver(state: str) -> WaiverRow:
    return WaiverRow(
        id="W1", check="RM-SHELL", state=state, approver="a", reason="r", ticket=None, created="", expires=None
    )


def test_a_waiver_that_ran_out_opens_the_failure_again() -> None:
    before = rows(1, record(A, check("failed", waiver="W1")))
    found = compared(before, later(check("failed"), waivers=(waiver("expired"),)))
    assert [(one.kind, one.reason) for one in found.findings] == [
        (FindingChangeKind.WAIVER_ENDED, "the waiver has expired")
    ]
    taken_away = compared(before, later(check("failed")))
    assert taken_away.findings[0].reason == "the waiver no longer covers it"


def test_a_waived_failure_that_passes_is_fixed_and_one_that_stays_is_counted_only() -> None:
    before = rows(1, record(A, check("failed", waiver="W1")))
    assert kind(before, later(check("passed"))) is FindingChangeKind.FIXED
    found = compared(before, later(check("failed", waiver="W1")))
    assert (found.counts[FindingChangeKind.STILL_WAIVED], found.findings) == (1, ())


def test_images_appear_go_get_lost_and_come_back() -> None:
    whole = rows(1, record(A, check("passed")))
    nothing = rows(2, members=())
    lost = rows(2, lost=(A,))
    kinds = [
        [one.kind for one in compared(*pair).images]
        for pair in ((nothing, whole), (whole, nothing), (whole, lost), (lost, whole), (whole, whole))
    ]
    expected = [ImageChangeKind.APPEARED, ImageChangeKind.GONE, ImageChangeKind.LOST, ImageChangeKind.FOUND]
    assert kinds == [*([one] for one in expected), []]


def test_the_same_assessment_taken_over_changes_nothing() -> None:
    again = replace(FAILS, run=run(2))
    found = compared(FAILS, again)
    assert (found.assessed_again, found.findings, found.images) == (0, (), ())
    assert found.counts[FindingChangeKind.STILL_OPEN] == 1


def test_a_reference_in_two_groups_is_followed_in_each() -> None:
    before = rows(1, record(A, check("failed")), members=(member(A), member(A, group="h")))
    after = rows(2, record(A, check("passed"), at=NOON + DAY, name="2"), members=(member(A),))
    found = {one.group: one.kind for one in compared(before, after).findings}
    assert found == {"g": FindingChangeKind.FIXED, "h": FindingChangeKind.GONE}
