"""The sentences that reports share."""

from dataclasses import replace

import pytest

from compliance.errors import ExitCode
from compliance.model.outcome import Severity
from reports import assessment_json, findings, wording
from reports.document import Check
from tests.builders.assessment import assessment


def sentence(outcome: ExitCode, fail_on: Severity = Severity.HIGH, keep: tuple[str, ...] = ()) -> str:
    plain = assessment()
    results = tuple(result for result in plain.results if not keep or result.word in keep)
    summary = replace(plain.summary, outcome=outcome, fail_on=fail_on)
    return wording.verdict_sentence(
        assessment_json.document(replace(plain, results=results, summary=summary, controls=()))
    )


@pytest.mark.parametrize(
    ("outcome", "fail_on", "keep", "text"),
    [
        (
            ExitCode.NOT_SATISFIED,
            Severity.HIGH,
            (),
            "4 checks of high severity or above failed, and 1 more could not be determined. 1 check does not count.",
        ),
        (
            ExitCode.NOT_SATISFIED,
            Severity.CRITICAL,
            ("failed",),
            "1 check of critical severity failed.",
        ),
        (
            ExitCode.NOT_DETERMINED,
            Severity.MEDIUM,
            ("unknown", "errored"),
            "2 checks of medium severity or above could not be determined; none failed without a waiver. "
            "1 check does not count.",
        ),
        (
            ExitCode.NOT_DETERMINED,
            Severity.HIGH,
            ("not-applicable",),
            "No check passed or failed, so that nothing is shown.",
        ),
        (
            ExitCode.SATISFIED,
            Severity.LOW,
            ("passed",),
            "No check of low severity or above failed without a waiver, and every one of them could be determined.",
        ),
    ],
)
def test_the_verdict_is_explained(outcome: ExitCode, fail_on: Severity, keep: tuple[str, ...], text: str) -> None:
    assert sentence(outcome, fail_on, keep) == text


def test_a_check_that_does_not_count_is_told_apart_and_comes_last() -> None:
    plain = assessment()
    first = replace(plain.results[0], uncounted="it was left out")
    document = assessment_json.document(replace(plain, results=(first, *plain.results[1:])))
    assert [check["id"] for check in findings.failed(document)][-1] == "RM-SHELL"
    assert wording.verdict_sentence(document).startswith("3 checks of high severity or above failed")
    assert "2 checks do not count" in wording.verdict_sentence(document)


def test_the_gravest_failure_comes_first() -> None:
    document = assessment_json.document(assessment())
    severities = [check["severity"] for check in findings.failed(document)]
    assert severities == sorted(severities, key=findings.SEVERITIES.index)
    assert [check["id"] for check in findings.waived(document)] == ["IM-HEALTH"]


def test_the_most_telling_observations_come_first_and_coverage_last() -> None:
    check = assessment_json.document(assessment())["checks"][0]
    possible, present = check["observations"][-1], check["observations"][0]
    assert possible["verdict"] == "possible"
    coverage = {**present, "kind": "coverage", "verdict": None}
    mixed: Check = {**check, "observations": [coverage, possible, present]}  # type: ignore[list-item]
    assert findings.telling(mixed) == [present, possible, coverage]
    passed: Check = {**mixed, "outcome": "passed"}
    assert findings.telling(passed) == passed["observations"]


def test_a_path_is_not_said_twice() -> None:
    observation = assessment_json.document(assessment())["checks"][0]["observations"][0]
    assert wording.seen(observation) == ("/usr/bin/bash", "ELF executable with the markers of a shell")
    observation["summary"] = "/usr/bin/bash is a shell"
    assert wording.seen(observation) == ("", "/usr/bin/bash is a shell")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1_500, "1.5 kB"),
        (29_126_484, "29.1 MB"),
        (3 * 10**12, "3,000.0 GB"),
    ],
)
def test_sizes(number: int, text: str) -> None:
    assert wording.size(number) == text


def test_counts() -> None:
    assert wording.count(1, "file") == "1 file"
    assert wording.count(12_345, "entry", "entries") == "12,345 entries"


def test_short_digests_keep_their_algorithm() -> None:
    assert wording.short_digest("sha256:" + "ab" * 32) == "sha256:abababababab"
