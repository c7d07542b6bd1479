"""The words in which reports say what the document's short words mean, the same in every format."""

from __future__ import annotations

from reports import findings
from reports.document import Control, Document, Observation, PolicyRequirement
from reports.text import shortened

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
TRAIT_MEANINGS = {
    "removed": "Shells, package managers, compilers and other tools that a running service does not need are gone.",
    "nonroot": "The program starts as an ordinary user, and nothing in the image helps it to become root.",
    "immutable": "The user that the program runs as cannot change what is run.",
    "purpose": "The image holds what its declared purpose needs, no more, and its releases are supported.",
    "drift": "Every executable is accounted for, and files are as their packages delivered them.",
    "supply": "Every byte is covered by a digest; who built and signed it is verified.",
}
MARKS = {
    "passed": "✓",
    "failed": "×",  # noqa: RUF001
    "unknown": "?",
    "errored": "!",
    "not-applicable": "–",  # noqa: RUF001
    "contradicted": "×",  # noqa: RUF001
    "undetermined": "?",
    "supported": "+",
    "satisfied": "✓",
    "not-satisfied": "×",  # noqa: RUF001
    "not-determined": "?",
    "not-verified": "×",  # noqa: RUF001
    "verified": "✓",
    "invalid": "×",  # noqa: RUF001
    "unchecked": "?",
    "unsigned": "?",
}
"""One character beside each outcome, status, verdict or state of a signature, for whoever sees no colours."""
_BASELINES = ("low", "moderate", "high")
_TERMS = (
    ("Attestation", "A signed statement about an image digest: how it was built, what is in it, what a scan found."),
    ("Check", "One question to the image with one of five outcomes: passed, failed, not applicable, unknown, errored."),
    ("Control", "A requirement of a published framework. Checks bear on it; they rarely cover it."),
    ("Digest", "A cryptographic hash of bytes. Two images with the same digest are the same image."),
    ("Errored", "The check itself broke. Counts as not determined."),
    ("Layer", "One of the archives that are laid over each other to make the image's file system."),
    ("Merged tree", "The file system as a container sees it, after all layers are laid over each other."),
    ("Observation", "One fact that a check saw, with the place in the image where it can be seen again."),
    ("Package URL (purl)", "The name of a package with its type and version, as pkg:deb/debian/bash@5.2.15."),
    ("Profile", "What the image is held against: runtime is the strictest; dev and sdk images carry tools on purpose."),
    ("SBOM", "Software bill of materials: the list of the packages in the image, {sbom}."),
    ("Unknown", "The evidence does not suffice. Less evidence never makes a pass."),
    ("Waiver", "A failure that somebody accepted, with a reason and an end. It stays a failure in this report."),
)
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
    "file": "a file named on the command line",
    "label": "a label of the image says so, which is an unsigned claim",
    "tag": "read from the tag, which is an unsigned claim",
    "default": "the default, the strictest",
}
SIGNATURE_VERDICTS = {"verified": "verified", "invalid": "INVALID", "unchecked": "not checked", "unsigned": "unsigned"}


ABOUT_IMAGE = {
    "this-image": "It names this image;",
    "another-image": "It names another image, so it does not count;",
    "not-stated": "It names no image;",
}
"""What a report that was given as a file says it is about; the digest of its bytes follows."""


POLICY_STATES = {"held": "holds", "not-held": "DOES NOT HOLD", "undetermined": "undetermined"}


WAIVER_STATES = {
    "applied": "accepts a failure",
    "surplus": "accepts nothing: another waiver covers the failure already",
    "not-all": "accepts nothing: the check failed at other paths too",
    "no-failure": "accepts nothing: the check did not fail",
    "no-check": "accepts nothing: there is no such check",
    "expired": "accepts nothing: it has expired",
    "not-yet": "accepts nothing: it does not hold yet",
    "other-image": "accepts nothing: it is about another image",
}


_GIVEN_BY = {
    "profile": "--profile",
    "framework": "--framework",
    "overlay": "--framework",
    "checks": "--checks",
    "plugin": "--checks",
    "waivers": "--waivers",
}


def given_options(document: Document) -> list[str]:
    """The options by which the user said what the image is held against, to repeat them."""
    options: list[str] = []
    if document["profile"]["source"] == "flag":
        options += ["--profile", document["profile"]["variant"]]
    for file in document["definitions"]:
        if file["role"] in _GIVEN_BY:
            name = file["name"].partition(" (")[0] if file["role"] == "plugin" else file["name"]
            options += [_GIVEN_BY[file["role"]], name]
    return options


def requirement(requirement: PolicyRequirement) -> str:
    """One requirement of a trust policy in words: ``signature by release or backup``."""
    return f"{' or '.join(requirement['what'])} by {' or '.join(requirement['signers'])}"


def count(number: int, one: str, many: str | None = None) -> str:
    """``1 check``, ``2 checks``, ``12,345 files``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def verdict_sentence(document: Document) -> str:
    """Why the verdict is what it is, in one sentence, from the document's own numbers."""
    summary = document["summary"]
    decisive = findings.SEVERITIES[: findings.SEVERITIES.index(summary["failOn"]) + 1]
    failures = sum(check["severity"] in decisive for check in findings.counted(findings.failed(document)))
    open_ones = sum(check["severity"] in decisive for check in findings.counted(findings.undetermined(document)))
    level = "critical severity" if len(decisive) == 1 else f"{summary['failOn']} severity or above"
    rest = len(document["checks"]) - summary["counted"]
    apart = f" {count(rest, 'check does', 'checks do')} not count." if rest else ""
    policy = document["verification"]["policy"]
    match summary["outcome"]:
        case "not-satisfied":
            also = f", and {count(open_ones, 'more', 'more')} could not be determined" if open_ones else ""
            return f"{count(failures, 'check')} of {level} failed{also}.{apart}"
        case "not-determined" if open_ones:
            return (
                f"{count(open_ones, 'check')} of {level} could not be determined; none failed without a waiver.{apart}"
            )
        case "not-determined" if policy is not None and policy["state"] != "held":
            return f"Whether the trust policy holds could not be determined: {policy['reason']}."
        case "not-determined":
            return f"No check{' that counts' if rest else ''} passed or failed, so that nothing is shown.{apart}"
        case "not-verified" if policy is not None:
            return f"The trust policy does not hold: {policy['reason']}."
        case "not-verified":
            return "The image or its evidence does not verify."
        case _:
            every = "every one of them that counts" if rest else "every one of them"
            return f"No check of {level} failed without a waiver, and {every} could be determined.{apart}"


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


def glossary(sbom: str) -> tuple[tuple[str, str], ...]:
    """The terms of a report with what they mean; `sbom` says where its bill of materials is."""
    return tuple((term, meaning.format(sbom=sbom)) for term, meaning in _TERMS)


def demand(document: Document) -> str:
    """Whose signatures were demanded, in words."""
    demanded, policy = document["verification"]["demand"], document["verification"]["policy"]
    if policy is not None:
        return (
            f"Verified means: by a signer whom the trust policy {policy['digest']} names for it. The policy knows the "
            f"image as {shortened(policy['image'])}. Nobody else is trusted."
        )
    if not demanded["made"]:
        return "No key and no identity was named to verify against, so that nothing is trusted here."
    named = (
        ("key", demanded["keyId"]),
        ("identity", demanded["identity"]),
        ("identity matching", demanded["identityRegexp"]),
        ("issuer", demanded["issuer"]),
        ("issuer matching", demanded["issuerRegexp"]),
    )
    words = ", ".join(f"{what} {shortened(value)}" for what, value in named if value)
    return f"Verified means: by the signer that the assessment was told to trust ({words}). Nobody else is trusted."


def read(document: Document) -> str:
    """How much of the image was read, in words."""
    coverage = document["coverage"]
    residue = coverage["residue"]
    hidden = (
        f" Lower layers hold {count(residue['files'], 'further file')} ({size(residue['bytes'])}) that "
        "upper ones hide: a container does not see them, but whoever has the image does."
        if residue["files"]
        else " No file of a lower layer is hidden by an upper one."
    )
    return (
        f"{count(coverage['entries'], 'entry', 'entries')} in the merged tree, among them "
        f"{count(coverage['files'], 'regular file')} of {size(coverage['bytes'])} in all; "
        f"{coverage['executables']:,} of them may be executed. "
        + ("Every one was read to its end." if coverage["whollyRead"] else "Not all could be read: see Limits.")
        + hidden
    )


def baselines(control: Control) -> str:
    """The baselines of a control; those of a framework without any have no text."""
    named = control["baselines"]
    if named is None:
        return ""
    for place, lowest in enumerate(_BASELINES):
        if set(named) == set(_BASELINES[place:]):
            return f"{lowest} and up" if len(named) > 1 else f"{lowest} only"
    return ", ".join(named) or "no baseline"
