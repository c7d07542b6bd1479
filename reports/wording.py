"""The words in which reports say what the document's short words mean, the same in every format."""

from __future__ import annotations

from reports import findings
from reports.document import Document, Observation

VERDICTS = {
    "satisfied": "SATISFIED",
    "not-satisfied": "NOT SATISFIED",
    "not-determined": "NOT DETERMINED",
    "not-verified": "NOT VERIFIED",
}
TRAITS = {
    "removed": "Components removed",
    "nonroot": "Non-root",
    "immutable": "Immutable",
    "purpose": "Purpose-scoped",
    "drift": "No drift",
    "supply": "Supply chain",
}
OUTCOMES = {
    "passed": "passed",
    "failed": "failed",
    "not-applicable": "not applicable",
    "unknown": "unknown",
    "errored": "errored",
}
STATUSES = {
    "satisfied": "satisfied",
    "supported": "supported",
    "contradicted": "contradicted",
    "undetermined": "undetermined",
    "not-applicable": "not applicable",
}
STATUS_MEANINGS = {
    "contradicted": "A failed check is evidence against the control, waived or not.",
    "undetermined": "A check that bears on the control was not run or gave no answer; none failed.",
    "supported": "Passed checks support the control as far as their relation to it says; that does not satisfy it.",
    "satisfied": "A passed check asks of the image exactly what the control asks of an image.",
    "not-applicable": "The question does not arise for this image.",
}
RELATION_MEANINGS = {
    "satisfies": "The check tests what the control asks of an image.",
    "partially supports": "What the check tests lies within the control; the control asks for more.",
    "provides evidence for": "Check and control overlap; a person must judge.",
}
PROFILE_SOURCES = {
    "flag": "named on the command line",
    "label": "a label of the image says so, which is an unsigned claim",
    "tag": "read from the tag, which is an unsigned claim",
    "default": "the default, the strictest",
}
SIGNATURE_VERDICTS = {"verified": "verified", "invalid": "INVALID", "unchecked": "not checked"}


def count(number: int, one: str, many: str | None = None) -> str:
    """``1 check``, ``2 checks``, ``12,345 files``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def verdict_sentence(document: Document) -> str:
    """Why the verdict is what it is, in one sentence, from the document's own numbers."""
    summary = document["summary"]
    decisive = findings.SEVERITIES[: findings.SEVERITIES.index(summary["failOn"]) + 1]
    failures = sum(check["severity"] in decisive for check in findings.failed(document))
    open_ones = sum(check["severity"] in decisive for check in findings.undetermined(document))
    level = "critical severity" if len(decisive) == 1 else f"{summary['failOn']} severity or above"
    match summary["outcome"]:
        case "not-satisfied":
            also = f", and {count(open_ones, 'more', 'more')} could not be determined" if open_ones else ""
            return f"{count(failures, 'check')} of {level} failed{also}."
        case "not-determined" if open_ones:
            return f"{count(open_ones, 'check')} of {level} could not be determined; none failed without a waiver."
        case "not-determined":
            return "No check passed or failed, so that nothing is shown."
        case "not-verified":
            return "The image or its evidence does not verify."
        case _:
            return f"No check of {level} failed without a waiver, and every one of them could be determined."


def seen(observation: Observation) -> tuple[str, str]:
    """Where and what: the path, or nothing when the sentence names it anyway, and the sentence."""
    path, summary = observation["path"] or "", observation["summary"]
    return ("" if path in summary else path), summary


def size(number: int) -> str:
    """Bytes in the unit a person would choose, in powers of 1000."""
    amount = float(number)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            break
        amount /= 1000
    return f"{number:,} {'byte' if number == 1 else 'bytes'}" if unit == "bytes" else f"{amount:,.1f} {unit}"


def short_digest(digest: str, length: int = 12) -> str:
    """The first hex digits of a digest, with its algorithm: enough to tell two apart, not to verify."""
    algorithm, _, digits = digest.partition(":")
    return f"{algorithm}:{digits[:length]}" if digits else digest[:length]


def minute(time: str) -> str:
    """An RFC 3339 time to the minute: ``2026-11-01 12:00 UTC``."""
    return f"{time[:10]} {time[11:16]} UTC"
