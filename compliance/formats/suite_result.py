"""Results of test suites: in-toto test-result v0.1, CTRF, JUnit XML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from compliance.errors import FormatError
from compliance.formats.plain_text import plain_text
from compliance.formats.predicate_values import counted, inner, line, lines
from compliance.formats.signed_json import JsonObject
from compliance.formats.xml_events import walk

TEST_RESULT = "https://in-toto.io/attestation/test-result/"
SCOUT_TESTS = "https://scout.docker.com/tests/"
FAILING_MAX = 200
"""Names of failing tests that are kept; all are counted."""

_OWN_OUTCOMES = "hullmarkOutcomes"  # the member that reports/attestation.py adds to our own
_OWN_TOOL = "pkg:generic/hullmark@"
_CODE = "statement-invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteResult:
    """How many tests passed, passed with warnings, failed, or were not run; `failing` names some that failed.

    `declared_failed` is the suite's own word that it failed, whatever its lists say. `own` marks this tool's
    results of its own checks: they say nothing about how the software in the image works.
    """

    form: str
    tool: str
    passed: int
    warned: int
    failed: int
    not_run: int
    failing: tuple[str, ...]
    declared_failed: bool = False
    own: bool = False

    @property
    def summary(self) -> str:
        """The result in one line."""
        what = "check results of this tool itself" if self.own else f"test results ({self.form})"
        warned = f", {self.warned:,} with warnings" if self.warned else ""
        skipped = f", {self.not_run:,} not run" if self.not_run else ""
        by = f" by {self.tool}" if self.tool and not self.own else ""
        return f"{what}{by}: {self.passed:,} passed{warned}, {self.failed:,} failed{skipped}"


def read_test_result(predicate: JsonObject) -> SuiteResult:
    """in-toto/attestation, predicates/test-result.md. Raises FormatError for a result it does not know."""
    result = line(predicate, "result", 40)
    if result not in ("PASSED", "WARNED", "FAILED"):
        raise predicate.wrong("result", "PASSED, WARNED or FAILED")
    configuration = predicate.members("configuration")
    passed, warned, failed = (lines(predicate, f"{kind}Tests", 200) for kind in ("passed", "warned", "failed"))
    return SuiteResult(
        form="in-toto",
        tool=line(predicate, "url", 200),
        passed=len(passed),
        warned=len(warned),
        failed=len(failed),
        not_run=0,
        failing=failed[:FAILING_MAX],
        declared_failed=result == "FAILED",
        own=predicate.has(_OWN_OUTCOMES) or any(line(item, "uri").startswith(_OWN_TOOL) for item in configuration),
    )


def read_ctrf(report: JsonObject) -> SuiteResult:
    """The Common Test Report Format. The summary and the list of tests: whichever has more failures counts.

    Raises FormatError, also where the summary has no number of failures.
    """
    results = report.member("results")
    summary = results.member("summary")
    failing = [item for item in results.members("tests") if line(item, "status", 40) == "failed"]
    counts = {key: summary.number(key, 0) for key in ("passed", "pending", "skipped", "other")}
    return SuiteResult(
        form="CTRF",
        tool=line(inner(results, "tool"), "name", 100),
        passed=counts["passed"],
        warned=0,
        failed=max(summary.number("failed"), len(failing)),
        not_run=counts["pending"] + counts["skipped"] + counts["other"],
        failing=tuple(line(item, "name", 200) for item in failing[:FAILING_MAX]),
    )


class _Cases:
    """Counts the test cases of a JUnit file by what stands inside them."""

    def __init__(self) -> None:
        self.root = ""
        self.tool = ""
        self.total = self.failed = self.skipped = 0
        self.failing: list[str] = []
        self._case: str | None = None
        self._verdict = ""

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if not self.root:
            self.root = name
            self.tool = plain_text(attributes.get("name", ""), 100)
        if name == "testcase":
            self._case = plain_text(f"{attributes.get('classname', '')} {attributes.get('name', '')}", 200)
            self._verdict = ""
        elif self._case is not None and name in ("failure", "error"):
            self._verdict = "failed"
        elif self._case is not None and name == "skipped" and not self._verdict:
            self._verdict = "skipped"

    def end(self, name: str, text: str) -> None:
        if name != "testcase" or self._case is None:
            return
        self.total += 1
        self.failed += self._verdict == "failed"
        self.skipped += self._verdict == "skipped"
        if self._verdict == "failed" and len(self.failing) < FAILING_MAX:
            self.failing.append(self._case)
        self._case = None


def read_junit(content: bytes) -> SuiteResult:
    """JUnit's XML as the many tools write it: each test case counts by its own elements. Raises FormatError."""
    cases = _Cases()
    walk(content, cases)
    if cases.root not in ("testsuites", "testsuite"):
        raise FormatError("not a JUnit file", code=_CODE, where=f"<{cases.root[:80]}>")
    return SuiteResult(
        form="JUnit",
        tool=cases.tool,
        passed=cases.total - cases.failed - cases.skipped,
        warned=0,
        failed=cases.failed,
        not_run=cases.skipped,
        failing=tuple(cases.failing),
    )


def total(result: SuiteResult) -> str:
    """``12 tests``: those that ran."""
    return counted(result.passed + result.warned + result.failed, "test")
