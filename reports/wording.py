"""The words in which reports say what the document's short words mean, the same in every format."""

from __future__ import annotations

import re
import shlex

from reports import findings
from reports.document import Control, Document, Observation, PolicyRequirement
from reports.language import Words, say
from reports.text import shortened

VERDICTS = Words(
    {
        "satisfied": "SATISFIED",
        "not-satisfied": "NOT SATISFIED",
        "not-determined": "NOT DETERMINED",
        "not-verified": "NOT VERIFIED",
    }
)
TRAITS = Words(
    {
        "removed": "Components removed",
        "nonroot": "Non-root",
        "immutable": "Immutable",
        "purpose": "Purpose-scoped",
        "drift": "No drift",
        "supply": "Supply chain",
    }
)
TRAIT_MEANINGS = Words(
    {
        "removed": "Shells, package managers, compilers and other tools that a running service does not need are gone.",
        "nonroot": "The program starts as an ordinary user, and nothing in the image helps it to become root.",
        "immutable": "The user that the program runs as cannot change what is run.",
        "purpose": "The image holds what its declared purpose needs, no more, and its releases are supported.",
        "drift": "Every executable is accounted for, and files are as their packages delivered them.",
        "supply": "Every byte is covered by a digest; who built and signed it is verified.",
    }
)
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
TERMS = Words(
    {
        "Attestation": "A signed statement about an image digest: how it was built, what is in it, what a scan found.",
        "Check": "One question to the image with one of five outcomes: passed, failed, not applicable, unknown, "
        "errored.",
        "Control": "A requirement of a published framework. Checks bear on it; they rarely cover it.",
        "Digest": "A cryptographic hash of bytes. Two images with the same digest are the same image.",
        "Errored": "The check itself broke. Counts as not determined.",
        "Layer": "One of the archives that are laid over each other to make the image's file system.",
        "Merged tree": "The file system as a container sees it, after all layers are laid over each other.",
        "Observation": "One fact that a check saw, with the place in the image where it can be seen again.",
        "Package URL (purl)": "The name of a package with its type and version, as pkg:deb/debian/bash@5.2.15.",
        "Profile": "What the image is held against: runtime is the strictest; dev and sdk images carry tools on "
        "purpose.",
        "SBOM": "Software bill of materials: the list of the packages in the image, {sbom}.",
        "Unknown": "The evidence does not suffice. Less evidence never makes a pass.",
        "Waiver": "A failure that somebody accepted, with a reason and an end. It stays a failure in this report.",
    }
)
OUTCOMES = Words(
    {
        "passed": "passed",
        "failed": "failed",
        "not-applicable": "not applicable",
        "unknown": "unknown",
        "errored": "errored",
    }
)
STATUSES = Words(
    {
        "satisfied": "satisfied",
        "supported": "supported",
        "contradicted": "contradicted",
        "undetermined": "undetermined",
        "not-applicable": "not applicable",
    }
)
STATUS_MEANINGS = Words(
    {
        "contradicted": "A failed check is evidence against the control, waived or not. Where it says by overlap only, "
        "check and control merely overlap: a person must judge whether it counts.",
        "undetermined": "A check that bears on the control was not run or gave no answer; none failed.",
        "supported": "Passed checks support the control as far as their relation to it says; that does not satisfy it.",
        "satisfied": "A passed check asks of the image exactly what the control asks of an image.",
        "not-applicable": "The question does not arise for this image.",
    }
)
RELATION_MEANINGS = Words(
    {
        "satisfies": "The check tests what the control asks of an image.",
        "partially supports": "What the check tests lies within the control; the control asks for more.",
        "provides evidence for": "Check and control overlap; a person must judge.",
    }
)
PROFILE_SOURCES = Words(
    {
        "flag": "named on the command line",
        "file": "a file named on the command line",
        "label": "a label of the image says so, which is an unsigned claim",
        "tag": "read from the tag, which is an unsigned claim",
        "default": "the default, the strictest",
    }
)
SIGNATURE_VERDICTS = Words(
    {"verified": "verified", "invalid": "INVALID", "unchecked": "not checked", "unsigned": "unsigned"}
)


ABOUT_IMAGE = Words(
    {
        "this-image": "It names this image;",
        "another-image": "It names another image, so it does not count;",
        "not-stated": "It names no image;",
    }
)
"""What a report that was given as a file says it is about; the digest of its bytes follows."""


POLICY_STATES = Words({"held": "holds", "not-held": "DOES NOT HOLD", "undetermined": "undetermined"})


WAIVER_STATES = Words(
    {
        "applied": "accepts a failure",
        "surplus": "accepts nothing: another waiver covers the failure already",
        "not-all": "accepts nothing: the check failed at other paths too",
        "no-failure": "accepts nothing: the check did not fail",
        "no-check": "accepts nothing: there is no such check",
        "expired": "accepts nothing: it has expired",
        "not-yet": "accepts nothing: it does not hold yet",
        "other-image": "accepts nothing: it is about another image",
    }
)


SEVERITY_LEVELS = Words(
    {
        "critical": "critical severity",
        "high": "high severity or above",
        "medium": "medium severity or above",
        "low": "low severity or above",
    }
)
VERDICT_SENTENCES = Words(
    {
        "failed": "{failures} of {level} failed.",
        "failed-and-open": "{failures} of {level} failed, and {number} more could not be determined.",
        "open": "{open} of {level} could not be determined; none failed without a waiver.",
        "policy-open": "Whether the trust policy holds could not be determined: {reason}.",
        "nothing": "No check passed or failed, so that nothing is shown.",
        "nothing-counts": "No check that counts passed or failed, so that nothing is shown.",
        "policy-not-held": "The trust policy does not hold: {reason}.",
        "unverified": "The image or its evidence does not verify.",
        "satisfied": "No check of {level} failed without a waiver, and every one of them could be determined.",
        "satisfied-of-counted": "No check of {level} failed without a waiver, and every one of them that counts "
        "could be determined.",
        "apart-one": "{number} check does not count.",
        "apart": "{number} checks do not count.",
    }
)
NOUNS = Words({"check": "check", "checks": "checks"})
TERM_NAMES = Words({term: term for term in TERMS})
RELATIONS = Words({relation: relation for relation in RELATION_MEANINGS})
OVERLAP = Words({"overlap": "by overlap only"})
REACHES = Words(
    {
        "image": "the image alone",
        "other-evidence": "only with other evidence",
        "none": "no check was run",
    }
)
"""How far checks reach a control: what it takes for them to speak for or against it."""
CHAPTERS = Words(
    {
        "summary": "Summary",
        "image": "The image",
        "results": "Results by promise",
        "findings": "Findings",
        "failed": "Failed checks",
        "undetermined": "Checks not determined",
        "passed": "Passed checks",
        "controls": "Controls",
        "coverage": "Coverage of the frameworks",
        "coverage-short": "Coverage",
        "signatures": "Signatures and attestations",
        "limits": "Limits of what was proved",
        "verify": "How to verify this report",
        "glossary": "Glossary and sources",
    }
)
PLACES = Words({"pdf": "attached as sbom.cdx.json if made", "html": "in the evidence as sbom.cdx.json"})
TABLES = (
    VERDICTS,
    TRAITS,
    TRAIT_MEANINGS,
    OUTCOMES,
    STATUSES,
    STATUS_MEANINGS,
    RELATIONS,
    RELATION_MEANINGS,
    OVERLAP,
    PROFILE_SOURCES,
    SIGNATURE_VERDICTS,
    ABOUT_IMAGE,
    POLICY_STATES,
    WAIVER_STATES,
    REACHES,
    CHAPTERS,
    TERMS,
    TERM_NAMES,
    PLACES,
    SEVERITY_LEVELS,
    VERDICT_SENTENCES,
    NOUNS,
)
"""All of them, for whoever puts them into another language."""


PLACEHOLDER = re.compile(r"\{([a-z]+)\}")
_GIVEN_BY = {
    "profile": "--profile",
    "framework": "--framework",
    "overlay": "--framework",
    "checks": "--checks",
    "plugin": "--checks",
    "waivers": "--waivers",
}


def reproduce(document: Document) -> str:
    """The command that makes the assessment again; for a re-evaluation the one that it was made from."""
    made_from = document["reevaluation"]
    time = document["effectiveTime"] if made_from is None else made_from["assessedAt"]
    command = ["hullmark", "assess", document["subject"]["reference"], "--effective-time", time]
    made = shlex.join([*command, *given_options(document), "-o", "json"])
    again = f" > then.json; hullmark report then.json --effective-time {document['effectiveTime']} -o json"
    return made if made_from is None else made + again


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


def reevaluated(document: Document) -> str:
    """What has to be said first of a re-evaluation; nothing of an assessment of the image itself."""
    made_from = document["reevaluation"]
    if made_from is None:
        return ""
    number = len(made_from["reopened"])
    reopened = f", and {count(number, 'check')} whose answer depends on the date became unknown" if number else ""
    was = VERDICTS[made_from["outcome"]].lower()
    return (
        f"Re-evaluation as of {minute(document['effectiveTime'])} of the assessment of "
        f"{minute(made_from['assessedAt'])}, which was {was}: waivers were applied again{reopened}; the image was "
        "not read again. "
    )


def verdict_sentence(document: Document) -> str:
    """Why the verdict is what it is, from the document's own numbers; first of all that it is a re-evaluation."""
    return reevaluated(document) + _verdict_sentence(document)


def _verdict_sentence(document: Document) -> str:
    summary = document["summary"]
    decisive = findings.SEVERITIES[: findings.SEVERITIES.index(summary["failOn"]) + 1]
    failures = sum(check["severity"] in decisive for check in findings.counted(findings.failed(document)))
    open_ones = sum(check["severity"] in decisive for check in findings.counted(findings.undetermined(document)))
    rest = len(document["checks"]) - summary["counted"]
    policy = document["verification"]["policy"]
    sentence = "unverified"
    match summary["outcome"]:
        case "not-satisfied":
            sentence = "failed-and-open" if open_ones else "failed"
        case "not-determined" if open_ones:
            sentence = "open"
        case "not-determined" if policy is not None and policy["state"] != "held":
            sentence = "policy-open"
        case "not-determined":
            sentence = "nothing-counts" if rest else "nothing"
        case "not-verified" if policy is not None:
            sentence = "policy-not-held"
        case "satisfied":
            sentence = "satisfied-of-counted" if rest else "satisfied"
    told = filled(
        VERDICT_SENTENCES[sentence],
        failures=f"{failures:,} {NOUNS['check' if failures == 1 else 'checks']}",
        open=f"{open_ones:,} {NOUNS['check' if open_ones == 1 else 'checks']}",
        number=f"{open_ones:,}",
        level=SEVERITY_LEVELS[summary["failOn"]],
        reason="" if policy is None else policy["reason"],
    )
    apart = VERDICT_SENTENCES["apart-one" if rest == 1 else "apart"] if rest and "policy" not in sentence else ""
    return f"{told} {filled(apart, number=f'{rest:,}')}".rstrip()


def filled(text: str, **values: str) -> str:
    """`text` with each ``{name}`` replaced; it may be a translator's, so that nothing else in it is looked at."""
    return PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), text)


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
    return tuple((TERM_NAMES[term], meaning.replace("{sbom}", say(sbom))) for term, meaning in TERMS.items())


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


def bearing(control: Control) -> str:
    """How the checks that decide a control's status bear on it; nothing where none decides.

    A failed check that lies within the control needs no such word: it is a counter-example.
    """
    relation = control["relation"]
    if relation is None or control["status"] not in ("satisfied", "supported", "contradicted"):
        return ""
    if control["status"] == "contradicted":
        return OVERLAP["overlap"] if relation == "provides evidence for" else ""
    return RELATIONS[relation]
