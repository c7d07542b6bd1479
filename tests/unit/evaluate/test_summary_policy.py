"""The one answer under a trust policy: not verified before not satisfied before not determined."""

from __future__ import annotations

import pytest

from compliance.errors import ExitCode
from compliance.evaluate.rollup import summarise
from compliance.model.outcome import (
    Check,
    CheckResult,
    Failed,
    Observation,
    ObservationKind,
    Outcome,
    Passed,
    Severity,
    Trait,
    Unknown,
)
from compliance.model.verification import PolicyAnswer, PolicyState

_SEEN = Observation(summary="seen.", kind=ObservationKind.NOTE)
_OUTCOMES: dict[str, Outcome] = {
    "passed": Passed(observations=(_SEEN,)),
    "failed": Failed(observations=(_SEEN,)),
    "unknown": Unknown(reason="not read"),
}


def result(word: str) -> CheckResult:
    check = Check(
        id="RM-X",
        title="t",
        trait=Trait.REMOVED,
        severity=Severity.HIGH,
        rationale="r",
        looks_at="l",
        proves="p",
        remediation="r",
        run=lambda _: _OUTCOMES[word],
    )
    return CheckResult(check=check, outcome=_OUTCOMES[word])


def policy(state: PolicyState) -> PolicyAnswer:
    return PolicyAnswer(digest="sha256:0", files=(), image="x", expires=None, state=state, reason="r")


@pytest.mark.parametrize(
    ("word", "state", "code"),
    [
        ("passed", None, ExitCode.SATISFIED),
        ("passed", PolicyState.HELD, ExitCode.SATISFIED),
        ("passed", PolicyState.UNDETERMINED, ExitCode.NOT_DETERMINED),
        ("passed", PolicyState.NOT_HELD, ExitCode.NOT_VERIFIED),
        ("failed", PolicyState.HELD, ExitCode.NOT_SATISFIED),
        ("failed", PolicyState.UNDETERMINED, ExitCode.NOT_SATISFIED),
        ("failed", PolicyState.NOT_HELD, ExitCode.NOT_VERIFIED),
        ("unknown", PolicyState.HELD, ExitCode.NOT_DETERMINED),
        ("unknown", PolicyState.UNDETERMINED, ExitCode.NOT_DETERMINED),
        ("unknown", PolicyState.NOT_HELD, ExitCode.NOT_VERIFIED),
    ],
)
def test_the_worst_answer_wins(word: str, state: PolicyState | None, code: ExitCode) -> None:
    answer = None if state is None else policy(state)
    assert summarise((result(word),), Severity.HIGH, policy=answer).outcome is code
