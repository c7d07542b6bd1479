"""What in-toto's result predicates (test-result v0.1, svr v0.2) say for each outcome of a check.

One mapping for who writes such an attestation and who compares one with its assessment.
"""

from __future__ import annotations

from collections.abc import Mapping

RESULT_LISTS = ("passedTests", "warnedTests", "failedTests")
PROPERTY_PREFIX = "HULLMARK_"
"""Before a check's id, with _ for -, in the properties of a simple verification result."""

_LIST_OF = {
    "passed": "passedTests",
    "failed": "failedTests",
    "unknown": "warnedTests",  # neither passed nor failed: a policy that asks for passes must not find them
    "errored": "warnedTests",
}


def result_lists(outcomes: Mapping[str, str]) -> dict[str, list[str]]:
    """The checks of `outcomes` (id to outcome word) by list, sorted; one that does not apply is in none.

    A waiver moves nothing: a failure that is accepted is a failure.
    """
    lists: dict[str, list[str]] = {name: [] for name in RESULT_LISTS}
    for check, outcome in sorted(outcomes.items()):
        name = _LIST_OF.get(outcome)
        if name is not None:
            lists[name].append(check)
    return lists


def overall_result(lists: Mapping[str, list[str]]) -> str:
    """FAILED with a failure, else PASSED with passes alone; nothing at all is WARNED, for nothing was shown."""
    if lists["failedTests"]:
        return "FAILED"
    return "PASSED" if lists["passedTests"] and not lists["warnedTests"] else "WARNED"


def property_of(check: str) -> str:
    """The property that says that `check` passed: ``HULLMARK_RM_SHELL``."""
    return PROPERTY_PREFIX + check.replace("-", "_")
