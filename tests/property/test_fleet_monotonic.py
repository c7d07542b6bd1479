"""Less evidence never makes a fleet look better: no fix comes of it, and no count of a good outcome grows."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from compliance.fleet.ageing import ageing
from compliance.fleet.changes import FindingChangeKind, changes
from compliance.fleet.posture import posture
from compliance.fleet.run_rows import RunRows, run_rows
from compliance.fleet.standing import StandingReader
from compliance.model.fleet import AssessmentRecord, CheckRow, ItemOutcome, ItemState, Member
from tests.builders.fleet_rows import DAY, NOON, check, member, record, rows

_WORDS = ("passed", "failed", "waived", "unknown", "errored", "not-applicable", "uncounted")
_CHECKS = ("RM-SHELL", "RM-LIB", "NR-USER")
_DIGESTS = tuple(f"sha256:{letter * 64}" for letter in "abc")
_REFERENCES = tuple(f"registry:r.example/{name}:1" for name in ("one", "two", "three"))


def _row(name: str, word: str) -> CheckRow:
    if word == "waived":
        return check("failed", name=name, waiver="W1")
    return check("failed", name=name, counts=False) if word == "uncounted" else check(word, name=name)


def _outcome(checks: list[CheckRow]) -> str:
    """As an assessment has it: open questions and failures keep an image from being satisfied."""
    counted = [row for row in checks if row.counts]
    if any(row.outcome == "failed" and row.waiver is None for row in counted):
        return "not-satisfied"
    if any(row.outcome in ("unknown", "errored") for row in counted) or not counted:
        return "not-determined"
    return "satisfied"


@st.composite
def _runs(draw: st.DrawFn, number: int) -> RunRows:
    records = []
    lost = []
    for digest in _DIGESTS:
        words = draw(st.lists(st.sampled_from(_WORDS), min_size=len(_CHECKS), max_size=len(_CHECKS)))
        checks = [_row(name, word) for name, word in zip(_CHECKS, words, strict=True)]
        if draw(st.booleans()):
            at = NOON + DAY * draw(st.integers(0, number))
            name = f"{number}{words}"
            records.append(replace(record(digest, *checks, at=at, outcome=_outcome(checks)), id=f"{digest}{name}{at}"))
        else:
            lost.append(digest)
    members = tuple(
        member(draw(st.sampled_from((*_DIGESTS, None))), reference=reference)
        for reference in draw(st.lists(st.sampled_from(_REFERENCES), unique=True))
    )
    named = {one.digest for one in members}
    kept = [one for one in records if one.digest in named]
    return rows(number, *kept, members=members, lost=tuple(digest for digest in lost if digest in named))


@st.composite
def _less(draw: st.DrawFn, whole: RunRows) -> RunRows:
    """The same run with evidence taken away: answers, assessments, outcomes, digests. Its population stays."""
    records: list[AssessmentRecord] = []
    outcomes: list[ItemOutcome] = []
    for outcome in whole.outcomes:
        held = whole.records.get(outcome.assessment or "")
        match draw(st.sampled_from(("keep", "keep", "blur", "lose", "drop", "misplace"))) if held else "keep":
            case "blur" if held is not None:
                checks = [
                    replace(row, outcome="unknown", waiver=None, counts=True) if draw(st.booleans()) else row
                    for row in held.checks
                    if draw(st.integers(0, 4))
                ]
                asked = [*checks, *(replace(row, outcome="unknown") for row in held.checks if row not in checks)]
                blurred = replace(held, id=held.id + "less", checks=tuple(checks), outcome=_outcome(asked))
                records.append(blurred)
                outcomes.append(replace(outcome, assessment=blurred.id))
            case "lose":
                outcomes.append(replace(outcome, state=ItemState.NOT_DETERMINED, assessment=None, code="crashed"))
            case "drop":
                pass
            case "misplace":
                outcomes.append(outcome)
            case _:
                outcomes.append(outcome)
                records += [held] if held else []
    members: list[Member] = [
        replace(one, digest=None, reason="gone") if one.digest and not draw(st.integers(0, 5)) else one
        for one in whole.members
    ]
    return run_rows(whole.run, members, outcomes, records)


@st.composite
def _pairs(draw: st.DrawFn) -> tuple[list[RunRows], list[RunRows]]:
    whole = [draw(_runs(number)) for number in (1, 2, 3)]
    return whole, [*whole[:2], draw(_less(whole[2]))]


@given(_pairs())
def test_taking_evidence_from_the_last_run_never_adds_a_fix(pair: tuple[list[RunRows], list[RunRows]]) -> None:
    fixed = []
    for history in pair:
        reader = StandingReader()
        standings = [reader.standings(one) for one in history]
        found = changes(standings[1], standings[2])
        ended = {(one.group, one.reference, one.check) for one in found.findings if one.kind is FindingChangeKind.FIXED}
        aged = {(*one.place, one.check, one.fixed.run) for one in ageing(standings).fixed}
        assert len(ended) == found.counts[FindingChangeKind.FIXED]
        fixed.append((ended, aged))
    (more, more_aged), (less, less_aged) = fixed
    assert less <= more
    assert less_aged <= more_aged


@given(_pairs())
def test_nor_does_it_improve_a_number_of_the_posture(pair: tuple[list[RunRows], list[RunRows]]) -> None:
    more, less = (posture(history[2]) for history in pair)
    assert less.total.outcomes["satisfied"] <= more.total.outcomes["satisfied"]
    assert less.total.outcomes["not-determined"] >= more.total.outcomes["not-determined"]
    for before, after in zip(more.groups, less.groups, strict=True):
        assert after.outcomes["satisfied"] <= before.outcomes["satisfied"]
        assert sum(after.outcomes.values()) >= sum(before.outcomes.values())
    passed = {one.check: one.counts["passed"] for one in more.checks}
    for one in less.checks:
        assert one.counts["passed"] <= passed[one.check]
    assert less.total.coverage.assessed <= more.total.coverage.assessed
    assert less.total.coverage.references == more.total.coverage.references


@given(_pairs(), st.data())
def test_nor_does_taking_it_from_any_run(pair: tuple[list[RunRows], list[RunRows]], data: st.DataObject) -> None:
    """A failure that was never seen can't be fixed either."""
    whole, _ = pair
    less = [data.draw(_less(one)) for one in whole]
    fixed = []
    for history in (whole, less):
        reader = StandingReader()
        found = changes(*(reader.standings(one) for one in history[1:]))
        fixed.append(
            {(one.group, one.reference, one.check) for one in found.findings if one.kind is FindingChangeKind.FIXED}
        )
    assert fixed[1] <= fixed[0]
