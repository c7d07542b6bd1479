"""From check results to controls, and to the one answer for the image.

Less evidence never improves either. Precisely: when an outcome becomes unknown or errored, or a result is
missing, then each control keeps its status or becomes undetermined, a failure that no waiver covered does not
become a waived one, and the summary never becomes satisfied if it was not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from compliance.errors import ExitCode
from compliance.model.assessment import ControlResult, Summary
from compliance.model.control import Control, ControlLibrary, ControlStatus, Relation
from compliance.model.outcome import Check, CheckResult, OutcomeWord, Severity
from compliance.model.verification import PolicyAnswer, PolicyState

_UNDETERMINED = frozenset({OutcomeWord.UNKNOWN, OutcomeWord.ERRORED})
_DECIDED = frozenset({OutcomeWord.PASSED, OutcomeWord.FAILED})


def roll_up(library: ControlLibrary, results: Sequence[CheckResult]) -> tuple[ControlResult, ...]:
    """What `results` say about every control of `library`, in its order.

    One failure contradicts a control, waived or not; a mapped check that was not run, or gave no answer, leaves
    it undetermined; passes make it supported, and satisfied only through a relation that says so.
    Raises ValueError for two results of one check.
    """
    by_check = _by_check(results)
    return tuple(
        ControlResult(
            framework=framework,
            control=control,
            status=_status(control, by_check),
            checks=tuple(mapped.check for mapped in control.checks if mapped.check in by_check),
            waived=_waived(control, by_check),
        )
        for framework in library.frameworks
        for control in framework.controls
    )


def summarise(
    results: Sequence[CheckResult],
    fail_on: Severity,
    expected: Collection[Check] = (),
    *,
    policy: PolicyAnswer | None = None,
) -> Summary:
    """The answer for the image: not verified, else not satisfied, else not determined, else satisfied.

    Not verified is what a trust `policy` does not accept: all other answers would be about an image that is not
    the one that was asked for. What the policy leaves undetermined leaves the image so, failures aside.

    Only results that count are weighed, and `expected` are checks that do. Failures that no waiver covers and
    outcomes that are unknown or errored count from the severity `fail_on` up; a check of `expected` without a result
    counts as unknown. Nothing is satisfied where none of them passed or failed at all. `worst` is the highest severity
    among failures that count and that no waiver covers, below `fail_on` too. Raises ValueError for two results of one
    check.
    """
    by_check = _by_check(results)
    counted = [result for result in results if result.counts]
    failures = [result.check.severity for result in counted if _fails(result) and result.waiver is None]
    open_questions = [result.check.severity for result in counted if result.word in _UNDETERMINED]
    open_questions += [check.severity for check in expected if check.id not in by_check]
    words = [result.word for result in counted]
    if policy is not None and policy.state is PolicyState.NOT_HELD:
        outcome = ExitCode.NOT_VERIFIED
    elif any(severity >= fail_on for severity in failures):
        outcome = ExitCode.NOT_SATISFIED
    elif (
        any(severity >= fail_on for severity in open_questions)
        or _DECIDED.isdisjoint(words)
        or (policy is not None and policy.state is not PolicyState.HELD)
    ):
        outcome = ExitCode.NOT_DETERMINED
    else:
        outcome = ExitCode.SATISFIED
    return Summary(
        outcome=outcome,
        counts=MappingProxyType({word: sum(one.word is word for one in results) for word in OutcomeWord}),
        worst=max(failures, default=None),
        fail_on=fail_on,
    )


def _status(control: Control, by_check: Mapping[str, CheckResult]) -> ControlStatus:
    found = [by_check[mapped.check] for mapped in control.checks if mapped.check in by_check]
    if any(_fails(result) for result in found):
        return ControlStatus.CONTRADICTED
    if not _all_answered(control, by_check):
        return ControlStatus.UNDETERMINED
    passed = {result.check.id for result in found if result.word is OutcomeWord.PASSED}
    if not passed:
        return ControlStatus.NOT_APPLICABLE
    if any(mapped.relation is Relation.SATISFIES and mapped.check in passed for mapped in control.checks):
        return ControlStatus.SATISFIED
    return ControlStatus.SUPPORTED


def _waived(control: Control, by_check: Mapping[str, CheckResult]) -> bool:
    """Whether failures are all that stands against `control`, and a waiver covers each of them.

    A check without an answer could be a failure without a waiver: then it does not hold.
    """
    failures = [by_check[m.check] for m in control.checks if m.check in by_check and _fails(by_check[m.check])]
    covered = all(result.waiver is not None for result in failures)
    return bool(failures) and covered and _all_answered(control, by_check)


def _all_answered(control: Control, by_check: Mapping[str, CheckResult]) -> bool:
    """Whether every mapped check was run and gave an answer; with no mapped check at all nothing was asked."""
    answers = [by_check.get(mapped.check) for mapped in control.checks]
    return bool(answers) and all(answer is not None and answer.word not in _UNDETERMINED for answer in answers)


def _fails(result: CheckResult) -> bool:
    return result.word is OutcomeWord.FAILED


def _by_check(results: Sequence[CheckResult]) -> Mapping[str, CheckResult]:
    by_check = {result.check.id: result for result in results}
    if len(by_check) != len(results):
        raise ValueError("two results of one check")
    return by_check
