"""Check results rolled up to controls, and to the answer for the image."""

from datetime import UTC, datetime

import pytest

from compliance.errors import ExitCode
from compliance.evaluate.rollup import roll_up, summarise
from compliance.model.assessment import ControlResult
from compliance.model.control import Control, ControlLibrary, ControlStatus, Framework, MappedCheck, Relation
from compliance.model.outcome import (
    AnyOutcome,
    CheckResult,
    Errored,
    Failed,
    NotApplicable,
    Observation,
    ObservationKind,
    OutcomeWord,
    Passed,
    Severity,
    Trait,
    Unknown,
    Waiver,
)
from controls.loader import load_library
from tests.builders.assessment import check

SEEN = (Observation(summary="It was looked at.", kind=ObservationKind.NOTE),)
OUTCOMES: dict[str, AnyOutcome] = {
    "passed": Passed(observations=SEEN),
    "failed": Failed(observations=SEEN),
    "waived": Failed(observations=SEEN),
    "not-applicable": NotApplicable(reason="it does not arise"),
    "unknown": Unknown(reason="a layer is missing"),
    "errored": Errored(reason="it broke"),
}


def result(name: str, word: str, severity: Severity = Severity.HIGH) -> CheckResult:
    """A result of the check `name`; the word "waived" is a failure under a waiver."""
    accepted = Waiver(
        id="W-1", check=name, reason="accepted", approver="the owner", created=datetime(2026, 1, 1, tzinfo=UTC)
    )
    waiver = accepted if word == "waived" else None
    return CheckResult(check=check(name, f"No {name}", Trait.REMOVED, severity), outcome=OUTCOMES[word], waiver=waiver)


def library(**relations: Relation) -> ControlLibrary:
    """One control, with the checks A, B, C in the relations given."""
    control = Control(
        id="one",
        label="1",
        title="One",
        verbatim=False,
        confirmed=True,
        source="a test",
        checks=tuple(
            MappedCheck(check=name, relation=relation, rationale="So it is.") for name, relation in relations.items()
        ),
    )
    framework = Framework(id="f", name="F", version="1", source="a test", controls=(control,))
    return ControlLibrary(frameworks=(framework,), digest="sha256:" + "0" * 64)


def rolled(words: str, **relations: Relation) -> ControlResult:
    """The control of `library(**relations)` for ``A=passed B=unknown``."""
    found = [result(name, word) for name, word in (pair.split("=") for pair in words.split())]
    (only,) = roll_up(library(**relations), found)
    return only


EQUAL, PART, EVIDENCE = Relation.SATISFIES, Relation.PARTIALLY_SUPPORTS, Relation.PROVIDES_EVIDENCE_FOR


@pytest.mark.parametrize(
    ("words", "status", "waived"),
    [
        ("A=passed B=passed", ControlStatus.SATISFIED, False),
        ("A=passed B=not-applicable", ControlStatus.SATISFIED, False),
        ("A=not-applicable B=passed", ControlStatus.SUPPORTED, False),
        ("A=not-applicable B=not-applicable", ControlStatus.NOT_APPLICABLE, False),
        ("A=failed B=passed", ControlStatus.CONTRADICTED, False),
        ("A=passed B=failed", ControlStatus.CONTRADICTED, False),
        ("A=failed B=unknown", ControlStatus.CONTRADICTED, False),
        ("A=failed B=not-applicable", ControlStatus.CONTRADICTED, False),
        ("A=failed", ControlStatus.CONTRADICTED, False),
        ("A=waived B=passed", ControlStatus.CONTRADICTED, True),
        ("A=waived B=not-applicable", ControlStatus.CONTRADICTED, True),
        ("A=waived B=waived", ControlStatus.CONTRADICTED, True),
        ("A=waived B=failed", ControlStatus.CONTRADICTED, False),
        ("A=waived B=unknown", ControlStatus.CONTRADICTED, False),
        ("A=waived B=errored", ControlStatus.CONTRADICTED, False),
        ("A=waived", ControlStatus.CONTRADICTED, False),
        ("A=passed B=unknown", ControlStatus.UNDETERMINED, False),
        ("A=passed B=errored", ControlStatus.UNDETERMINED, False),
        ("A=unknown B=not-applicable", ControlStatus.UNDETERMINED, False),
        ("A=passed", ControlStatus.UNDETERMINED, False),
        ("B=passed", ControlStatus.UNDETERMINED, False),
        ("A=not-applicable", ControlStatus.UNDETERMINED, False),
        ("", ControlStatus.UNDETERMINED, False),
        ("X=failed", ControlStatus.UNDETERMINED, False),
    ],
)
def test_a_check_that_satisfies_and_one_that_is_evidence(words: str, status: ControlStatus, waived: bool) -> None:
    only = rolled(words, A=EQUAL, B=EVIDENCE)
    assert (only.status, only.waived) == (status, waived)


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("A=passed B=passed", ControlStatus.SUPPORTED),
        ("A=passed B=not-applicable", ControlStatus.SUPPORTED),
        ("A=failed B=passed", ControlStatus.CONTRADICTED),
        ("A=passed B=unknown", ControlStatus.UNDETERMINED),
    ],
)
def test_without_a_relation_that_satisfies_a_pass_only_supports(words: str, status: ControlStatus) -> None:
    assert rolled(words, A=PART, B=EVIDENCE).status is status


def test_a_control_without_checks_is_undetermined() -> None:
    assert rolled("A=passed").status is ControlStatus.UNDETERMINED


def test_the_checks_of_a_control_are_those_run_in_the_order_of_the_mapping() -> None:
    assert rolled("C=passed X=passed A=failed", A=PART, B=PART, C=PART).checks == ("A", "C")


def test_two_results_of_one_check_are_a_bug_of_the_caller() -> None:
    twice = [result("A", "failed"), result("A", "passed")]
    with pytest.raises(ValueError, match="two results"):
        roll_up(library(A=PART), twice)
    with pytest.raises(ValueError, match="two results"):
        summarise(twice, Severity.HIGH)


def test_every_control_of_the_library_is_answered_once_in_its_order() -> None:
    real = load_library()
    names = {mapped.check for one in real.frameworks for control in one.controls for mapped in control.checks}
    answers = roll_up(real, [result(name, "passed") for name in sorted(names)])
    expected = [(one.id, control.id) for one in real.frameworks for control in one.controls]
    assert [(answer.framework.id, answer.control.id) for answer in answers] == expected
    satisfied = [(answer.framework.id, answer.control.id) for answer in answers if answer.status == "satisfied"]
    assert satisfied == [
        ("cis-docker", "4.1"),
        ("cis-docker", "4.6"),
        ("cis-docker", "4.8"),
        ("disa-container-image-guide", "NONPRIV (CCI-002235)"),
        ("disa-container-image-guide", "PERMS (CCI-002235)"),
        ("disa-container-image-guide", "SSHD (CCI-000381)"),
        ("sbom-minimum", "2021 data fields"),
        ("owasp-scvs", "2.1"),
        ("owasp-docker", "RULE #2"),
    ]
    assert {answer.status for answer in answers} == {ControlStatus.SATISFIED, ControlStatus.SUPPORTED}


LOW, MEDIUM, HIGH, CRITICAL = Severity


@pytest.mark.parametrize(
    ("found", "outcome", "worst"),
    [
        ([("passed", CRITICAL), ("not-applicable", HIGH)], ExitCode.SATISFIED, None),
        ([("failed", HIGH), ("passed", HIGH)], ExitCode.NOT_SATISFIED, HIGH),
        ([("failed", CRITICAL), ("failed", LOW)], ExitCode.NOT_SATISFIED, CRITICAL),
        ([("failed", MEDIUM), ("passed", HIGH)], ExitCode.SATISFIED, MEDIUM),
        ([("waived", CRITICAL), ("passed", HIGH)], ExitCode.SATISFIED, None),
        ([("waived", CRITICAL), ("failed", LOW)], ExitCode.SATISFIED, LOW),
        ([("failed", HIGH), ("unknown", CRITICAL)], ExitCode.NOT_SATISFIED, HIGH),
        ([("failed", MEDIUM), ("unknown", HIGH)], ExitCode.NOT_DETERMINED, MEDIUM),
        ([("passed", HIGH), ("errored", CRITICAL)], ExitCode.NOT_DETERMINED, None),
        ([("passed", HIGH), ("unknown", MEDIUM)], ExitCode.SATISFIED, None),
        ([("passed", HIGH), ("errored", LOW)], ExitCode.SATISFIED, None),
        ([("unknown", LOW)], ExitCode.NOT_DETERMINED, None),
        ([("not-applicable", CRITICAL)], ExitCode.NOT_DETERMINED, None),
        ([], ExitCode.NOT_DETERMINED, None),
    ],
)
def test_the_answer_at_high(found: list[tuple[str, Severity]], outcome: ExitCode, worst: Severity | None) -> None:
    results = [result(f"C-{place}", word, severity) for place, (word, severity) in enumerate(found)]
    summary = summarise(results, Severity.HIGH)
    assert (summary.outcome, summary.worst, summary.fail_on) == (outcome, worst, Severity.HIGH)


@pytest.mark.parametrize("word", ["failed", "unknown", "errored"])
@pytest.mark.parametrize("severity", Severity)
@pytest.mark.parametrize("fail_on", Severity)
def test_the_threshold_is_the_same_for_failures_and_for_open_questions(
    word: str, severity: Severity, fail_on: Severity
) -> None:
    results = [result("A", word, severity), result("B", "passed", CRITICAL)]
    reached = ExitCode.NOT_SATISFIED if word == "failed" else ExitCode.NOT_DETERMINED
    assert summarise(results, fail_on).outcome is (reached if severity >= fail_on else ExitCode.SATISFIED)


def test_a_waiver_does_not_cover_what_was_not_found_out() -> None:
    unknown = CheckResult(
        check=result("A", "unknown").check, outcome=OUTCOMES["unknown"], waiver=result("A", "waived").waiver
    )
    summary = summarise([unknown, result("B", "passed")], Severity.HIGH)
    assert summary.outcome is ExitCode.NOT_DETERMINED


@pytest.mark.parametrize(("severity", "outcome"), [(CRITICAL, ExitCode.NOT_DETERMINED), (MEDIUM, ExitCode.SATISFIED)])
def test_an_expected_check_without_a_result_counts_as_unknown(severity: Severity, outcome: ExitCode) -> None:
    here, gone = result("A", "passed"), result("B", "failed", severity)
    assert summarise([here], Severity.HIGH, expected=[here.check, gone.check]).outcome is outcome


def test_all_words_are_counted_waived_failures_among_the_failed() -> None:
    words = ["passed", "passed", "failed", "waived", "unknown", "errored"]
    summary = summarise([result(f"C-{place}", word) for place, word in enumerate(words)], Severity.HIGH)
    assert dict(summary.counts) == {
        OutcomeWord.PASSED: 2,
        OutcomeWord.FAILED: 2,
        OutcomeWord.NOT_APPLICABLE: 0,
        OutcomeWord.UNKNOWN: 1,
        OutcomeWord.ERRORED: 1,
    }
    assert list(summary.counts) == list(OutcomeWord)
