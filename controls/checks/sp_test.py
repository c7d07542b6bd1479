"""SP-TEST: somebody tested the software in this image, and no test failed."""

from __future__ import annotations

from compliance.formats.suite_result import SCOUT_TESTS, TEST_RESULT, SuiteResult
from compliance.model.evidence import Evidence
from compliance.model.outcome import Check, Failed, Outcome, Passed, Severity, Trait, Unknown
from controls.observe import count
from controls.testimony import Testimony, docket, judge, listed, note_about

LISTED_MAX = 200


def run(evidence: Evidence) -> Outcome:
    """Every test result about this digest but this tool's own: its checks test no function of the software."""
    return judge(
        evidence,
        docket(evidence, SuiteResult, (TEST_RESULT, SCOUT_TESTS), counts=lambda result: not result.own),
        "Test result about this digest",
        weigh=_weigh,
        reservation=lambda _: None,  # the digest is what was tested: results about it do not age
    )


def _weigh(testimony: Testimony[SuiteResult]) -> Outcome:
    result = testimony.said
    if result.failed or result.declared_failed:
        failing = (note_about(f"Failed: {name}.") for name in result.failing)
        said = note_about(f"{count(result.failed, 'test')} failed; the suite says of itself that it failed.")
        total = said if result.declared_failed else note_about(f"{count(result.failed, 'test')} failed.")
        return Failed(observations=(total, *listed(failing, LISTED_MAX)))
    ran = result.passed + result.warned
    if not ran:
        return Unknown(reason="it does not say that any test was run")
    warned = f", {result.warned:,} of them with warnings" if result.warned else ""
    skipped = f"; {count(result.not_run, 'test')} did not run" if result.not_run else ""
    return Passed(observations=(note_about(f"{count(ran, 'test')} passed{warned}, none failed{skipped}."),))


CHECK = Check(
    id="SP-TEST",
    title="Test results attested",
    trait=Trait.SUPPLY,
    severity=Severity.LOW,
    rationale="An image can be hardened until it no longer works; attested tests of the built image show that "
    "somebody tried it, and what they tried.",
    looks_at="Attestations about this digest that carry test results (in-toto test-result, CTRF), verified against the "
    "key or identity that was named; CTRF and JUnit files. This tool's own results are passed over.",
    proves="A pass proves that the named signer attested results of at least one test about this digest, and that none "
    "failed; tests that did not run are counted. It does not prove what the tests cover. A report that nobody signed "
    "can make the check fail, and never makes it pass.",
    remediation="Test the built image, not its source, and attest the results about its digest (in-toto test-result or "
    "CTRF).",
    run=run,
    references=("in-toto attestation: predicate test-result", "Common Test Report Format"),
)
