"""JUnit XML, as CI systems read it: one suite for each trait, one case for each check.

A failure is a failed check that counts and that no waiver covers. What was waived, does not count, does not apply or
could not be determined is skipped, with the reason as its text; JUnit knows no other word for it. A check that broke is
an error. Valid by Jenkins' schema, and by that of Ant where no case is skipped, which that one does not know.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from reports import findings, wording
from reports.document import Check, Document, Observation
from reports.text import stopped

OBSERVATIONS_MAX = 100
"""Observations in the text of one failure; the rest is counted."""

_NOT_XML = re.compile("[\ufffe\uffff]")


def render(document: Document) -> bytes:
    """The suites as UTF-8. Nothing is timed, so that equal documents give equal bytes."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>"]
    traits = [trait for trait in findings.TRAITS if findings.of_trait(document, trait)]
    for place, trait in enumerate(traits):
        lines += _suite(document, trait, place)
    lines.append("</testsuites>")
    return ("\n".join(lines) + "\n").encode()


def _suite(document: Document, trait: str, place: int) -> Iterator[str]:
    checks = findings.of_trait(document, trait)
    kinds = Counter(_kind(check) for check in checks)
    yield _tag(
        "testsuite",
        name=wording.TRAITS[trait],
        package=f"hullmark.{trait}",
        id=str(place),
        tests=str(len(checks)),
        failures=str(kinds["failure"]),
        errors=str(kinds["error"]),
        **({"skipped": str(kinds["skipped"])} if kinds["skipped"] else {}),
        time="0",
        timestamp=document["effectiveTime"][:19],
        hostname="localhost",
    )
    subject = document["subject"]
    properties = (
        ("image", subject["reference"]),
        ("digest", subject["digest"]),
        ("platform", subject["platform"] or "not stated"),
        ("profile", document["profile"]["id"]),
        ("outcome", document["summary"]["outcome"]),
        *_reevaluation(document),
    )
    yield "<properties>"
    for name, value in properties:
        yield _tag("property", end="/", name=name, value=value)
    yield "</properties>"
    for check in checks:
        yield from _case(check, trait)
    yield "<system-out/><system-err/>"
    yield "</testsuite>"


def _reevaluation(document: Document) -> tuple[tuple[str, str], ...]:
    made_from = document["reevaluation"]
    return () if made_from is None else (("re-evaluation of the assessment of", made_from["assessedAt"]),)


def _kind(check: Check) -> str:
    """The JUnit element that a check's case holds; "" for a pass."""
    match check["outcome"]:
        case "passed":
            return ""
        case "errored":
            return "error"
        case "failed" if check["counts"] and check["waiver"] is None:
            return "failure"
        case _:
            return "skipped"


def _case(check: Check, trait: str) -> Iterator[str]:
    kind = _kind(check)
    name = f"{check['id']} ({check['severity']}) {check['title']}"
    case = {"classname": f"hullmark.{trait}", "name": name, "time": "0"}
    if not kind:
        yield _tag("testcase", end="/", **case)
        return
    yield _tag("testcase", **case)
    if kind == "skipped":
        yield f"<skipped>{_text(_told(check))}</skipped>"
    else:
        yield f"{_tag(kind, type=check['severity'], message=_message(check))}{_text(_told(check))}</{kind}>"
    yield "</testcase>"


def _message(check: Check) -> str:
    if check["reason"]:
        return check["reason"]
    seen = findings.telling(check)
    more = f" (and {len(seen) - 1:,} more)" if len(seen) > 1 else ""
    return _line(seen[0]) + more if seen else check["title"]


def _told(check: Check) -> str:
    """Why, what was seen, and what to do: one fact a line."""
    waiver = check["waiver"]
    lines = []
    if check["outcome"] == "failed" and waiver is not None:
        until = f" until {waiver['expires']}" if waiver["expires"] else ""
        lines.append(f"failed, but waived by {waiver['approver']}{until}: {waiver['reason']}")
    elif check["outcome"] == "failed" and check["uncounted"]:
        lines.append(f"failed, but does not count: {check['uncounted']}")
    elif check["outcome"] != "failed":
        lines.append(f"{wording.OUTCOMES[check['outcome']]}: {check['reason'] or 'no reason was given'}")
        if check["uncounted"]:
            lines.append(f"does not count: {check['uncounted']}")
    seen = findings.telling(check)
    lines += [_line(item) for item in seen[:OBSERVATIONS_MAX]]
    if len(seen) > OBSERVATIONS_MAX:
        lines.append(f"+{len(seen) - OBSERVATIONS_MAX:,} more")
    if check["outcome"] == "failed":
        lines.append(f"To do: {check['remediation']}")
    return "\n".join(lines)


def _line(item: Observation) -> str:
    path, summary = wording.seen(item)
    return (f"{path}: " if path else "") + stopped(summary)


def _tag(element: str, /, end: str = "", **attributes: str) -> str:
    values = "".join(f" {key}={quoteattr(_xml(value))}" for key, value in attributes.items())
    return f"<{element}{values}{end}>"


def _text(text: str) -> str:
    return escape(_xml(text))


def _xml(text: str) -> str:
    """`text` without the two characters that XML 1.0 cannot hold and that no cleaning took out (production 2)."""
    return _NOT_XML.sub(lambda match: f"\\u{ord(match.group()):04x}", text)
