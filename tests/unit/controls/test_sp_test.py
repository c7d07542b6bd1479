"""SP-TEST: test results of others, and never our own."""

from __future__ import annotations

from typing import Any

import pytest

from compliance.formats.intoto import read_statement
from compliance.model.outcome import Failed, Outcome, Passed, Unknown
from compliance.model.verification import Attestation, Demand, Verdict
from controls.checks.sp_test import CHECK
from reports.assessment_json import document
from reports.attestation import results_statement
from tests.builders import others_reports as others
from tests.builders.assessment import assessment
from tests.builders.others_reports import attestation, file, told


def outcome(*attested: Attestation, **more: Any) -> Outcome:
    return others.outcome(CHECK, *attested, **more)


@pytest.mark.parametrize(
    "found",
    [
        attestation(others.TESTS, others.ctrf(3, skipped=1)),
        attestation(others.TEST_RESULT, others.suite_result(passed=("a", "b"))),
        attestation(others.TEST_RESULT, others.suite_result("WARNED", passed=(), warnedTests=["a"])),
    ],
)
def test_verified_results_without_failures_pass(found: Attestation) -> None:
    result = outcome(found)
    assert isinstance(result, Passed)
    assert "none failed" in told(result)


@pytest.mark.parametrize(
    "found",
    [
        attestation(others.TESTS, others.ctrf(3, 1)),
        attestation(others.TEST_RESULT, others.suite_result("FAILED", failed=("stops 0",))),
        attestation(others.TEST_RESULT, others.suite_result("PASSED", failed=("stops 0",))),
    ],
)
def test_a_failed_test_fails_and_is_named(found: Attestation) -> None:
    result = outcome(found)
    assert isinstance(result, Failed)
    assert "Failed: stops 0." in told(result)
    assert isinstance(outcome(attestation(others.TESTS, others.ctrf()), found), Failed)


def test_a_suite_that_says_it_failed_fails_without_names() -> None:
    assert isinstance(outcome(attestation(others.TEST_RESULT, others.suite_result("FAILED", passed=()))), Failed)


@pytest.mark.parametrize(
    "found",
    [
        attestation(others.TESTS, others.ctrf(0)),
        attestation(others.TESTS, others.ctrf(0, skipped=4)),
        attestation(others.TEST_RESULT, others.suite_result(passed=())),
    ],
)
def test_no_test_run_is_no_pass(found: Attestation) -> None:
    result = outcome(found)
    assert isinstance(result, Unknown)
    assert "does not say that any test was run" in result.reason


def test_our_own_results_are_as_if_they_were_not_there() -> None:
    own = read_statement(results_statement(document(assessment())))
    found = attestation(others.TEST_RESULT, dict(own.predicate.values))
    for verdict in Verdict:
        result = outcome(attestation(others.TEST_RESULT, dict(own.predicate.values), verdict))
        assert isinstance(result, Unknown)
        assert "none was found" in result.reason
    assert isinstance(outcome(found, attestation(others.TESTS, others.ctrf())), Passed)


def test_the_signer_and_the_subject_decide_whether_it_is_heard() -> None:
    good = attestation(others.TESTS, others.ctrf())
    assert isinstance(outcome(), Unknown)
    assert isinstance(outcome(good, demand=Demand()), Unknown)
    assert isinstance(outcome(attestation(others.TESTS, others.ctrf(), Verdict.INVALID)), Failed)
    assert isinstance(outcome(attestation(others.TESTS, others.ctrf(1, 1), Verdict.UNCHECKED)), Unknown)
    assert isinstance(outcome(attestation(others.TESTS, others.ctrf(1, 1), subject=others.OTHER), good), Passed)


def test_files_can_fail_it_and_not_pass_it() -> None:
    for good, bad in (
        (file(others.ctrf()), file(others.ctrf(1, 1))),
        (file(others.junit(("a", ""))), file(others.junit(("a", "failure")))),
    ):
        result = outcome(files=[good])
        assert isinstance(result, Unknown)
        assert "is unsigned" in result.reason
        assert isinstance(outcome(attestation(others.TESTS, others.ctrf()), files=[bad]), Failed)
