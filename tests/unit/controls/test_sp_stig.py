"""SP-STIG: benchmark results of others."""

from __future__ import annotations

from typing import Any

import pytest

from compliance.model.outcome import Failed, Outcome, Passed, Unknown
from compliance.model.verification import Attestation, Demand, Verdict
from controls.checks.sp_stig import CHECK
from tests.builders import others_reports as others
from tests.builders.others_reports import attestation, file, told

GOOD = others.xccdf(("a", "pass"), ("b", "pass"), ("ssh_off", "notchecked"), ("c", "notapplicable"))


def scan(report: str | None, *args: float, verdict: Verdict = Verdict.VERIFIED) -> Attestation:
    return attestation(others.STIG, others.stig(report, *args), verdict)


def outcome(*attested: Attestation, **more: Any) -> Outcome:
    return others.outcome(CHECK, *attested, **more)


def test_the_whole_score_passes_and_what_was_not_checked_is_listed() -> None:
    result = outcome(scan(GOOD))
    assert isinstance(result, Passed)
    text = told(result)
    assert "Docker Hardened Image STIG 1: the score is 100 of 100." in text
    assert "1 notapplicable, 1 notchecked, 2 pass" in text
    assert "not checked: ssh_off." in text


def test_a_lower_score_or_a_failed_rule_fails() -> None:
    low = outcome(scan(others.xccdf(("a", "pass"), ("b", "fail"), score="50"), 50))
    assert isinstance(low, Failed)
    assert "the score is 50 of 100" in told(low)
    assert "the rule b failed" in told(low)
    unweighted = others.xccdf(("a", "pass"), ("b", "fail"))
    assert isinstance(outcome(scan(unweighted)), Failed)
    assert isinstance(outcome(scan(None, 99.5)), Failed)


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (others.xccdf(("a", "pass"), ("b", "error")), "1 rule ended in an error"),
        (others.xccdf(("a", "notchecked")), "no rule passed"),
        (others.xccdf(("a", "pass"), end="2026-06-01T00:00:00"), "more than 90"),
        (others.xccdf(("a", "pass"), end=""), "does not say when"),
        (None, "does not say when"),
    ],
)
def test_a_result_that_shows_too_little_is_unknown(report: str | None, said: str) -> None:
    result = outcome(scan(report))
    assert isinstance(result, Unknown)
    assert said in result.reason


def test_a_profile_without_score_is_unknown() -> None:
    bare = [{"name": "p", "summary": {}, "output": []}]
    result = outcome(attestation(others.STIG, bare))
    assert isinstance(result, Unknown)
    assert "does not say when a result was made" in result.reason
    scored = others.xccdf(("a", "pass"))
    without = scored[: scored.index("<score")] + "</TestResult></Benchmark>"
    result = outcome(attestation(others.STIG, [others.stig(without)[0] | {"summary": {}}]))
    assert isinstance(result, Unknown)
    assert "it states no score" in result.reason


def test_the_signer_decides_whether_it_is_heard() -> None:
    assert isinstance(outcome(), Unknown)
    assert isinstance(outcome(scan(GOOD), demand=Demand()), Unknown)
    assert isinstance(outcome(scan(GOOD, verdict=Verdict.INVALID)), Failed)
    assert isinstance(outcome(scan(GOOD, verdict=Verdict.UNCHECKED)), Unknown)


def test_files_can_fail_it_and_not_pass_it() -> None:
    result = outcome(files=[file(GOOD, "oscap.xml")])
    assert isinstance(result, Unknown)
    assert "the file oscap.xml is unsigned" in result.reason
    failing = others.xccdf(("a", "fail"), score="0")
    assert isinstance(outcome(files=[file(failing)]), Failed)
    other = others.xccdf(("a", "fail"), score="0", target=f"app@{others.OTHER}")
    refused = outcome(scan(GOOD), files=[file(other, "other.xml")])
    assert isinstance(refused, Passed)
    assert "The file other.xml (XCCDF results) is about another image" in told(refused)
