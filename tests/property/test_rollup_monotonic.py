"""Less evidence never improves a result: what happens when outcomes become unknown, or results go missing."""

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from compliance.errors import ExitCode
from compliance.evaluate.rollup import roll_up, summarise
from compliance.model.control import Control, ControlLibrary, ControlStatus, Framework, MappedCheck, Relation
from compliance.model.outcome import (
    AnyOutcome,
    Check,
    CheckResult,
    Errored,
    Failed,
    NotApplicable,
    Observation,
    ObservationKind,
    Passed,
    Severity,
    Trait,
    Unknown,
    Waiver,
)
from tests.builders.assessment import check

NAMES = tuple("ABCDE")
SEEN = (Observation(summary="It was looked at.", kind=ObservationKind.NOTE),)
OUTCOMES: tuple[AnyOutcome, ...] = (
    Passed(observations=SEEN),
    Failed(observations=SEEN),
    NotApplicable(reason="it does not arise"),
    Unknown(reason="a layer is missing"),
    Errored(reason="it broke"),
)
OPEN = OUTCOMES[3:]


def waiver(name: str) -> Waiver:
    made = datetime(2026, 1, 1, tzinfo=UTC)
    return Waiver(id=f"W-{name}", check=name, reason="accepted", approver="the owner", created=made)


severities = st.sampled_from(tuple(Severity))
checks = st.tuples(
    *(st.builds(check, st.just(name), st.just(name), st.sampled_from(Trait), severities) for name in NAMES)
)


@st.composite
def assessed(draw: st.DrawFn) -> tuple[tuple[Check, ...], list[CheckResult]]:
    """The checks that count, and a result of each check, be it counted or not."""
    expected = draw(checks)
    found = [
        CheckResult(
            check=one,
            outcome=draw(st.sampled_from(OUTCOMES)),
            waiver=waiver(one.id) if draw(st.booleans()) else None,
            uncounted=draw(st.sampled_from((None, None, "nobody asked"))),
        )
        for one in expected
    ]
    return tuple(result.check for result in found if result.counts), found


@st.composite
def with_less(draw: st.DrawFn, found: list[CheckResult]) -> list[CheckResult]:
    """`found` with any number of outcomes turned into unknown or errored, and any number of results gone."""
    less = []
    for result in found:
        change = draw(st.sampled_from(("keep", "keep", "open", "drop")))
        if change == "drop":
            continue
        outcome = draw(st.sampled_from(OPEN)) if change == "open" else result.outcome
        less.append(replace(result, outcome=outcome))
    return less


@st.composite
def controls(draw: st.DrawFn) -> ControlLibrary:
    """A framework whose controls name any of the checks in any relation."""
    mapped = st.lists(
        st.builds(
            MappedCheck, check=st.sampled_from(NAMES), relation=st.sampled_from(Relation), rationale=st.just("So.")
        ),
        min_size=1,
        unique_by=lambda line: line.check,
    )
    made = tuple(
        Control(
            id=str(place), label="", title="", verbatim=False, confirmed=True, source="", checks=tuple(draw(mapped))
        )
        for place in range(draw(st.integers(1, 4)))
    )
    return ControlLibrary(frameworks=(Framework(id="f", name="", version="", source="", controls=made),), digest="")


@given(controls(), assessed(), st.data())
def test_with_less_evidence_a_control_keeps_its_status_or_becomes_undetermined(
    library: ControlLibrary, run: tuple[tuple[Check, ...], list[CheckResult]], data: st.DataObject
) -> None:
    found = run[1]
    before, after = roll_up(library, found), roll_up(library, data.draw(with_less(found)))
    for was, now in zip(before, after, strict=True):
        assert now.status in {was.status, ControlStatus.UNDETERMINED}
        assert was.waived or not now.waived


@given(assessed(), severities, st.data())
def test_with_less_evidence_an_image_is_never_satisfied_that_was_not(
    run: tuple[tuple[Check, ...], list[CheckResult]], fail_on: Severity, data: st.DataObject
) -> None:
    expected, found = run
    before = summarise(found, fail_on, expected)
    after = summarise(data.draw(with_less(found)), fail_on, expected)
    if before.outcome is not ExitCode.SATISFIED:
        assert after.outcome is not ExitCode.SATISFIED
    if before.outcome is ExitCode.NOT_DETERMINED:
        assert after.outcome is ExitCode.NOT_DETERMINED


@given(controls(), assessed(), st.data())
def test_the_order_of_results_changes_nothing(
    library: ControlLibrary, run: tuple[tuple[Check, ...], list[CheckResult]], data: st.DataObject
) -> None:
    expected, found = run
    shuffled = data.draw(st.permutations(found))
    assert roll_up(library, shuffled) == roll_up(library, found)
    assert summarise(shuffled, Severity.HIGH, expected) == summarise(found, Severity.HIGH, expected)


@given(controls(), assessed())
def test_a_control_is_favoured_only_where_every_mapped_check_gave_an_answer_and_none_failed(
    library: ControlLibrary, run: tuple[tuple[Check, ...], list[CheckResult]]
) -> None:
    outcomes = {result.check.id: result.outcome for result in run[1]}
    for answer in roll_up(library, run[1]):
        mine = {mapped.check: outcomes[mapped.check] for mapped in answer.control.checks}
        favoured = answer.status in {ControlStatus.SATISFIED, ControlStatus.SUPPORTED}
        assert favoured == (
            all(isinstance(outcome, Passed | NotApplicable) for outcome in mine.values())
            and any(isinstance(outcome, Passed) for outcome in mine.values())
        )
        if answer.status is ControlStatus.SATISFIED:
            assert any(
                mapped.relation is Relation.SATISFIES and isinstance(mine[mapped.check], Passed)
                for mapped in answer.control.checks
            )


@given(assessed(), severities)
def test_no_waiver_makes_an_open_question_go_away(
    run: tuple[tuple[Check, ...], list[CheckResult]], fail_on: Severity
) -> None:
    waived = [replace(result, waiver=waiver(result.check.id)) for result in run[1]]
    worthy = [result for result in waived if result.counts and isinstance(result.outcome, Unknown | Errored)]
    if any(result.check.severity >= fail_on for result in worthy):
        assert summarise(waived, fail_on).outcome is ExitCode.NOT_DETERMINED


@given(assessed(), severities, st.data())
def test_what_does_not_count_has_no_bearing_on_the_answer(
    run: tuple[tuple[Check, ...], list[CheckResult]], fail_on: Severity, data: st.DataObject
) -> None:
    expected, found = run
    other = [
        result if result.counts else replace(result, outcome=data.draw(st.sampled_from(OUTCOMES))) for result in found
    ]
    before, after = summarise(found, fail_on, expected), summarise(other, fail_on, expected)
    assert (before.outcome, before.worst) == (after.outcome, after.worst)
    assert before.outcome is summarise([result for result in found if result.counts], fail_on, expected).outcome


@given(assessed(), severities, st.data())
def test_an_image_is_never_satisfied_by_asking_more(
    run: tuple[tuple[Check, ...], list[CheckResult]], fail_on: Severity, data: st.DataObject
) -> None:
    """Once satisfied, whatever counts besides: unless nothing counted that was decided, which is no satisfaction."""
    expected, found = run
    more = [replace(result, uncounted=None) if data.draw(st.booleans()) else result for result in found]
    before = summarise(found, fail_on, expected)
    after = summarise(more, fail_on, tuple(result.check for result in more if result.counts))
    if before.outcome is ExitCode.NOT_SATISFIED:
        assert after.outcome is ExitCode.NOT_SATISFIED
    if (
        after.outcome is ExitCode.SATISFIED
        and before.counts
        and any(result.counts and isinstance(result.outcome, Passed | Failed) for result in found)
    ):
        assert before.outcome is ExitCode.SATISFIED
