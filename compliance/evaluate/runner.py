"""Runs checks on evidence. A check that breaks is a result of its own, never the end of the run."""

from __future__ import annotations

from collections.abc import Iterable

from compliance.model.evidence import Evidence
from compliance.model.outcome import (
    AnyOutcome,
    Check,
    CheckResult,
    Errored,
    Failed,
    NotApplicable,
    Passed,
    Unknown,
)


def run_checks(checks: Iterable[Check], evidence: Evidence) -> tuple[CheckResult, ...]:
    """One result for each check, in the order given."""
    return tuple(CheckResult(check=check, outcome=_outcome(check, evidence)) for check in checks)


def _outcome(check: Check, evidence: Evidence) -> AnyOutcome:
    try:
        outcome: object = check.run(evidence)
    except Exception as error:  # noqa: BLE001 - a bug in one check must not hide what the others found
        return Errored(reason=f"the check broke ({type(error).__name__}: {error}); this is a fault of the tool")
    if not isinstance(outcome, Passed | Failed | NotApplicable | Unknown):
        return Errored(reason=f"the check gave no outcome but {type(outcome).__name__}; this is a fault of the check")
    return outcome
