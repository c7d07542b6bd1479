"""The words in which a fleet report is told, the same in every format. Counts and shares, never a verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reports import findings
from reports.fleet_document import (
    Coverage,
    FleetBase,
    FleetChanges,
    FleetDocument,
    FleetImage,
    FleetPart,
    FleetPeriod,
    HeatCell,
)
from reports.wording import count, minute

OUTCOMES = {
    "satisfied": "satisfied",
    "not-satisfied": "not satisfied",
    "not-verified": "not verified",
    "not-determined": "not determined",
}
"""Of images, in the order of charts."""
SHOWN_OUTCOMES = ("not-satisfied", "not-verified", "not-determined", "satisfied")
STATES = {"assessed": "assessed", "reused": "taken over", "not-determined": "not assessed"}
CODES = {
    "unresolved": "the reference led to no image",
    "no-outcome": "the run ended before it",
    "timed-out": "it took too long",
    "out-of-memory": "it needed too much memory",
    "crashed": "the assessment crashed",
    "internal-error": "a fault of the tool",
    "worker-lost": "whoever watched over it was killed",
    "policy-changed": "what it is held against had changed",
    "registry-unreachable": "the registry did not answer",
    "registry-failed": "the registry failed",
    "rate-limited": "the registry wanted fewer requests",
    "digest-mismatch": "bytes do not hash to their digest",
    "not-determined": "it could not be determined",
}
CHANGES = {
    "new": "new",
    "waiver-ended": "waiver ended",
    "fixed": "fixed",
    "still-open": "still open",
    "waived": "waived",
    "still-waived": "still waived",
    "no-longer-determined": "no longer determined",
    "gone": "gone with its image",
    "no-longer-applies": "no longer applies",
    "no-longer-counts": "no longer counts",
}
CHANGE_MEANINGS = {
    "new": "It fails now, and did not, or was not looked at, in the run before.",
    "waiver-ended": "It was accepted, and is not any more.",
    "fixed": "The image was assessed again, and the check passes.",
    "still-open": "It failed in the run before and fails now.",
    "waived": "It fails, and a waiver accepts it since this run.",
    "still-waived": "It fails, and a waiver accepts it as before.",
    "no-longer-determined": "It failed, and now there is no answer. That is no fix.",
    "gone": "It failed, and its reference is no longer in the population. That is no fix.",
    "no-longer-applies": "It failed, and the check does not apply to the image any more. That is no fix.",
    "no-longer-counts": "It fails, and the check does not count for the image any more. That is no fix.",
}
CHANGE_MARKS = {
    "new": "+",
    "waiver-ended": "+",
    "fixed": "✓",
    "still-open": "×",  # noqa: RUF001
    "waived": "~",
    "still-waived": "~",
    "no-longer-determined": "?",
    "gone": "–",  # noqa: RUF001
    "no-longer-applies": "–",  # noqa: RUF001
    "no-longer-counts": "–",  # noqa: RUF001
}
IMAGE_CHANGES = {
    "appeared": "appeared",
    "gone": "gone",
    "moved": "another image behind the reference",
    "no-longer-determined": "no longer determined",
    "determined-again": "determined again",
}
WAIVER_STANDINGS = {
    "expired": "expired",
    "expiring": "runs out soon",
    "in-force": "in force",
    "orphaned": "accepts nothing",
    "not-yet": "not in force yet",
}
WAIVER_STATUS = {
    "expired": "failed",
    "expiring": "unknown",
    "in-force": "passed",
    "orphaned": "not-applicable",
    "not-yet": "not-applicable",
}
"""The status by whose mark and colour each is shown."""
AGES = ("up to 7 days", "8 to 30 days", "31 to 90 days", "older")
WORST_ORDER = (
    "Most unwaived failures of critical severity first, then of high, medium and low; where all are equal, what most "
    "references lead to."
)
BASE_MEANING = (
    "Images with the same lowest layers share what lies in them. Mend the base once, build on it again, and the "
    "failures below are gone from all of these images; what has observations elsewhere too is not counted."
)
AGE_MEANING = (
    "A failure is as old as the first run that saw it, counted by reference, whatever image was behind it meanwhile. "
    "The time to fix is from there to the run that saw the check pass, of fixed ones only: those still open are not "
    "in its median."
)
HEAT_MEANING = (
    "Every control of a framework in every image of a group: the share that a failed check contradicts. What was not "
    "assessed stays in the whole, so a cell can't get better by being looked at less."
)
NOT_A_VERDICT = (
    "This report counts what was found in the images with the digests that it names, in one run. It says of no image, "
    "group or framework that it is compliant: it gives the evidence for and against controls, and says what is missing."
)
GLOSSARY = (
    ("Fleet", "The images that a file names by group, each with an owner and with what it is held against."),
    ("Population", "Every reference that the file led to when a run began, with the digest it had at that moment."),
    ("Image", "What one digest names, under one policy. It is assessed once however many references lead to it."),
    (
        "Taken over",
        "The assessment of an earlier run, of the same bytes under the same policy, not older than allowed.",
    ),
    (
        "Not determined",
        "Nothing is known of it: it could not be found, read, or assessed to its end. It stays in every count.",
    ),
    ("Failure", "One check that failed in one image and counts. A waiver accepts a failure and does not end it."),
    ("Fixed", "A failure whose image was assessed again with the check passing. Nothing else is a fix."),
    ("Chain", "A digest over a run, all that it found, and the run before it: removed or edited history shows."),
)


def name(reference: str) -> str:
    """A reference without the prefix that says nothing."""
    return reference.removeprefix("registry:")


def total_images(part: FleetPart) -> int:
    """Images, and references that led to none."""
    return part["coverage"]["images"] + part["coverage"]["unresolved"]


def headline(document: FleetDocument) -> str:
    """How the images stand, in one sentence."""
    part = document["total"]
    outcomes = part["outcomes"]
    told = [
        f"{outcomes[word]:,} {'is' if outcomes[word] == 1 else 'are'} {OUTCOMES[word]}"
        for word in SHOWN_OUTCOMES
        if outcomes[word]
    ]
    return f"Of {count(total_images(part), 'image')}, {_listed(told)}." if told else "There are no images."


def failures_sentence(part: FleetPart) -> str:
    """How many failures there are."""
    told = [f"{part['failed'][word]:,} {word}" for word in findings.SEVERITIES if part["failed"][word]]
    waived = f"; {count(part['waived'], 'more is', 'more are')} waived" if part["waived"] else ""
    open_ones = (
        f"; {count(part['undetermined'], 'answer')} could not be determined in assessed images"
        if part["undetermined"]
        else ""
    )
    return f"Unwaived failures: {_listed(told) or 'none'}{waived}{open_ones}."


def coverage_sentence(coverage: Coverage) -> str:
    """What was to be assessed, was, and wasn't."""
    lead = (
        f"{count(coverage['references'], 'reference')} led to {count(coverage['images'], 'image')}: "
        f"{coverage['assessed']:,} assessed in this run, {coverage['reused']:,} taken over from earlier runs"
    )
    if coverage["oldestReused"]:
        lead += f" (the oldest of {minute(coverage['oldestReused'])})"
    lead += f", {coverage['notDetermined']:,} not assessed."
    if coverage["unresolved"]:
        lead += f" {count(coverage['unresolved'], 'reference')} led to no image."
    return lead


def reason(code: str) -> str:
    """A code in words; one that is not known here as it is."""
    return CODES.get(code, code.replace("-", " "))


def reasons_sentence(coverage: Coverage) -> str:
    """Why images were not assessed, with how many."""
    return _listed([f"{one['number']:,} × {reason(one['code'])}" for one in coverage["reasons"]])  # noqa: RUF001


def changes_sentence(changes: FleetChanges) -> str:
    """What became of failures, as counts, those that are nothing left out."""
    told = [f"{changes['counts'][kind]:,} {word}" for kind, word in CHANGES.items() if changes["counts"].get(kind)]
    return f"Failures since run {changes['before']} ({minute(changes['beforeStarted'])}): {_listed(told) or 'none'}."


def image_changes_sentence(changes: FleetChanges) -> str:
    """What became of references, as counts."""
    told = [
        f"{changes['imageCounts'][kind]:,} {word}"
        for kind, word in IMAGE_CHANGES.items()
        if changes["imageCounts"].get(kind)
    ]
    return (
        f"References: {_listed(told) or 'all as they were'}; {count(changes['assessedAgain'], 'reference')} of "
        f"{changes['references']:,} assessed again."
    )


def duration(seconds: int | None) -> str:
    """A time in the unit a person would choose; a dash for none."""
    if seconds is None:
        return "–"  # noqa: RUF001
    for length, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= length:
            return count(seconds // length, unit)
    return count(seconds, "second")


def failed_counts(failed: Mapping[str, int]) -> str:
    """``3 critical, 12 high``; a dash for none."""
    return ", ".join(f"{failed[word]:,} {word}" for word in findings.SEVERITIES if failed[word]) or "–"  # noqa: RUF001


def image_failures(image: FleetImage) -> dict[str, int]:
    """The failures of one image that count and have no waiver, by severity."""
    counts = dict.fromkeys(findings.SEVERITIES, 0)
    for check in image["failed"]:
        if check["counts"] and check["waiver"] is None and check["severity"] in counts:
            counts[check["severity"]] += 1
    return counts


def image_name(image: FleetImage) -> str:
    """The first reference to an image, and how many there are besides."""
    first = name(image["references"][0]) if image["references"] else image["digest"]
    more = len(image["references"]) - 1
    return f"{first} (+{more:,})" if more > 0 else first


def base_name(base: FleetBase) -> str:
    """What a base can be called: an image of the fleet that is exactly it, else where it comes from."""
    if base["itself"]:
        return name(base["itself"][0])
    layers = f"{count(len(base['layers']), 'layer')} up to {base['layers'][-1][:19]}"
    return f"{base['distribution']}, {layers}" if base["distribution"] else layers


def base_effect(base: FleetBase) -> str:
    """What mending it does."""
    return f"clears {count(base['cleared'], 'failure')} in {count(base['images'], 'image')}"


def heat_share(cell: HeatCell) -> int:
    """The percentage of controls contradicted, rounded up: what is not nothing is not shown as nothing."""
    total = sum(cell["counts"].values())
    return -(-100 * cell["counts"]["contradicted"] // total) if total else 0


def heat_title(cell: HeatCell) -> str:
    """A cell in words."""
    counts = cell["counts"]
    total = sum(counts.values())
    unsure = counts["undetermined"] + counts["not-assessed"]
    return f"{counts['contradicted']:,} of {total:,} contradicted, {unsure:,} not determined"


def gaps_sentence(period: FleetPeriod) -> str:
    """Whether runs were missed."""
    longest = f"The longest time without the begin of a run is {duration(period['longestSeconds'])}."
    if period["due"] is None:
        return f"The fleet file has no schedule, so that nothing says when runs were due. {longest}"
    missed = sum(gap["missed"] for gap in period["gaps"])
    lead = f"By the schedule ({period['schedule']}) {count(period['due'], 'run was', 'runs were')} due; "
    return f"{lead}{f'{missed:,} did not begin' if missed else 'each began'}. {longest}"


def chain(document: FleetDocument) -> str:
    """Whether the reported run is the head of the chain, in words."""
    run, store = document["run"], document["store"]
    if run["chain"] == store["head"]:
        return "the newest run of the store"
    return "not the newest run of the store"


def _listed(parts: Iterable[str]) -> str:
    parts = list(parts)
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
