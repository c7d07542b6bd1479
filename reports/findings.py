"""What a reader wants to see first, picked from the document. Counting and ordering only: no verdict is made here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from reports.document import Check, Control, Document, Observation

SEVERITIES = ("critical", "high", "medium", "low")
OUTCOMES = ("failed", "unknown", "errored", "passed", "not-applicable")
STATUSES = ("contradicted", "undetermined", "supported", "satisfied", "not-applicable")
TRAITS = ("removed", "nonroot", "immutable", "purpose", "drift", "supply")


def failed(document: Document) -> list[Check]:
    """The failed checks without a waiver, those that count before the others, the gravest first."""
    return _gravest_first(check for check in document["checks"] if check["outcome"] == "failed" and not check["waiver"])


def waived(document: Document) -> list[Check]:
    """The failed checks that a waiver covers, in the same order."""
    return _gravest_first(check for check in document["checks"] if check["outcome"] == "failed" and check["waiver"])


def undetermined(document: Document) -> list[Check]:
    """The checks that could not be determined (unknown, errored), in the same order."""
    return _gravest_first(check for check in document["checks"] if check["outcome"] in ("unknown", "errored"))


def counted(checks: Iterable[Check]) -> list[Check]:
    """Those of `checks` that the answer for the image rests on."""
    return [check for check in checks if check["counts"]]


def uncounted(checks: Iterable[Check]) -> list[Check]:
    """Those of `checks` that have no bearing on the answer."""
    return [check for check in checks if not check["counts"]]


def of_trait(document: Document, trait: str) -> list[Check]:
    """The checks of one trait in report order."""
    return [check for check in document["checks"] if check["trait"] == trait]


def outcome_counts(checks: Iterable[Check]) -> Counter[str]:
    """How many of `checks` had each outcome."""
    return Counter(check["outcome"] for check in checks)


def of_framework(document: Document, framework: str) -> list[Control]:
    """The controls of one framework in their order."""
    return [control for control in document["controls"] if control["framework"] == framework]


def status_counts(controls: Iterable[Control]) -> Counter[str]:
    """How many of `controls` have each status."""
    return Counter(control["status"] for control in controls)


def telling(check: Check) -> list[Observation]:
    """The observations of a check in the order in which they tell most about its outcome.

    Those of a failure: what was certainly seen, what is only possible, what was noted, and last how much was read.
    """
    if check["outcome"] == "passed":
        return check["observations"]
    return sorted(check["observations"], key=_weight)


def _weight(observation: Observation) -> int:
    if observation["kind"] == "coverage":
        return 4
    return {"dormant": 1, "possible": 2, "absent": 3}.get(observation["verdict"] or "present", 0)


def _gravest_first(checks: Iterable[Check]) -> list[Check]:
    return sorted(checks, key=lambda check: (not check["counts"], SEVERITIES.index(check["severity"])))
