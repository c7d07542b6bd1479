"""Profiles: which checks decide the answer, how much they weigh, and that what was found decides neither."""

from __future__ import annotations

import pytest

from compliance.errors import ExitCode
from compliance.evaluate.rollup import summarise
from compliance.model.evidence import AgeLimits, Variant
from compliance.model.outcome import Check, CheckResult, Failed, Observation, ObservationKind, Passed, Severity, Unknown
from controls.asking import HOW
from controls.loader import check_catalog
from controls.profile import CheckProfile, read_profile, shipped_profile
from controls.registry import CHECKS

SEEN = (Observation(summary="It was looked at.", kind=ObservationKind.NOTE),)
RUNTIME = shipped_profile(Variant.RUNTIME)


def own(text: str) -> CheckProfile:
    return read_profile("acme.yaml", f"schema: 1\nid: acme\n{text}".encode(), check_catalog())


def summary(profile: CheckProfile, asked: tuple[str, ...] = (), /, **outcomes: Passed | Failed | Unknown) -> ExitCode:
    """The answer where every check passes but those of `outcomes`, by id with underscores."""
    given = {name.replace("_", "-"): outcome for name, outcome in outcomes.items()}
    checks = profile.weighed(CHECKS)
    results = [CheckResult(check=check, outcome=given.get(check.id, Passed(observations=SEEN))) for check in checks]
    marked = profile.marked(results, CHECKS, asked)
    return summarise(marked, Severity.HIGH, profile.counted(checks, asked)).outcome


UNKNOWN, FAILED = Unknown(reason="nothing was attached"), Failed(observations=SEEN)


@pytest.mark.parametrize("variant", Variant)
def test_exactly_the_checks_on_what_others_made_wait_to_be_asked_for(variant: Variant) -> None:
    profile = shipped_profile(variant)
    assert profile.variant is variant
    assert {check.id for check in CHECKS} - {check.id for check in profile.counted(CHECKS, ())} == set(HOW)
    assert profile.counted(CHECKS, HOW) == CHECKS


@pytest.mark.parametrize("check", sorted(HOW))
def test_what_nobody_asked_for_has_no_bearing_and_what_was_asked_for_has(check: str) -> None:
    name = check.replace("-", "_")
    serious = next(one for one in CHECKS if one.id == check).severity >= Severity.HIGH
    for outcome, answer in ((UNKNOWN, ExitCode.NOT_DETERMINED), (FAILED, ExitCode.NOT_SATISFIED)):
        assert summary(RUNTIME, **{name: outcome}) is ExitCode.SATISFIED
        assert summary(RUNTIME, (check,), **{name: outcome}) is (answer if serious else ExitCode.SATISFIED)


def test_what_looks_at_the_image_itself_counts_unasked() -> None:
    assert summary(RUNTIME, RM_SHELL=FAILED) is ExitCode.NOT_SATISFIED
    assert summary(RUNTIME, RM_SHELL=UNKNOWN) is ExitCode.NOT_DETERMINED
    assert summary(RUNTIME, SP_INTEGRITY=UNKNOWN) is ExitCode.NOT_DETERMINED


def test_why_a_check_does_not_count_is_told_and_how_to_ask_for_it() -> None:
    assert RUNTIME.uncounted("SP-BASE", ()) == "not asked for (by --approved-base)"
    assert RUNTIME.uncounted("SP-BASE", ("SP-BASE",)) is None
    left_out = own("checks:\n  - {check: RM-SHELL, counts: never, because: Our shell is part of the service.}\n")
    assert left_out.uncounted("RM-SHELL", ()) == "the profile acme leaves it out: Our shell is part of the service."
    assert summary(left_out, RM_SHELL=FAILED) is ExitCode.SATISFIED


def test_a_profile_may_demand_what_others_only_answer_when_asked() -> None:
    strict = own("checks:\n  - {check: SP-VULN, counts: always}\n")
    assert summary(strict, SP_VULN=UNKNOWN) is ExitCode.NOT_DETERMINED
    assert strict.uncounted("SP-VEX", ()) is not None


def test_a_severity_is_replaced_and_the_check_s_own_is_kept_beside_it() -> None:
    heavy = own("checks:\n  - {check: SC-LABEL, severity: critical, because: We look images up by it.}\n")
    (check,) = (one for one in heavy.weighed(CHECKS) if one.id == "SC-LABEL")
    assert check.severity is Severity.CRITICAL
    (marked,) = heavy.marked([CheckResult(check=check, outcome=FAILED)], CHECKS, ())
    assert (marked.own_severity, marked.counts) == (Severity.LOW, True)
    assert summary(heavy, SC_LABEL=FAILED) is ExitCode.NOT_SATISFIED
    assert summary(RUNTIME, SC_LABEL=FAILED) is ExitCode.SATISFIED


def test_a_profile_extends_runtime_unless_it_says_otherwise() -> None:
    assert own("").variant is Variant.RUNTIME
    assert own("extends: sdk\n").variant is Variant.SDK
    assert own("extends: dev\nvariant: sdk\n").variant is Variant.SDK
    assert own("").ages == AgeLimits()
    assert own("ages:\n  vulnerability-scan: 7\n").ages == AgeLimits(vulnerability_scan=7)


def test_an_entry_says_only_what_it_changes() -> None:
    first = own("extends: dev\nchecks:\n  - {check: IM-SETUID, counts: always}\n")
    setuid = [check for check in first.weighed(CHECKS) if check.id == "IM-SETUID"]
    assert [check.severity for check in setuid] == [Severity.MEDIUM]


def test_a_check_that_no_profile_names_counts() -> None:
    new = Check(
        id="ACME-1", title="t", trait=CHECKS[0].trait, severity=Severity.HIGH, rationale="r.", looks_at="l.",
        proves="p.", remediation="r.", run=lambda _: UNKNOWN,
    )  # fmt: skip
    assert RUNTIME.counted((new,), ()) == (new,)
