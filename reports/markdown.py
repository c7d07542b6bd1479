"""A short summary in GitHub-flavoured Markdown, for a CI job's page or a pull request."""

from __future__ import annotations

import re

from reports import findings, wording
from reports.document import Check, Document, Observation, Signature
from reports.text import shortened

_CHECKS_MAX = 10
"""Checks of a section that are told in full; the others have a line each, folded away."""
_LINES_MAX = 100
_OBSERVATIONS_MAX = 3
_FRAMEWORKS_MAX = 40
_PLACES_MAX = 10
_SIZE_MAX = 900_000
"""Bytes; GitHub takes a step's summary up to 1 MiB and shows nothing of a larger one."""

_SPECIAL = re.compile(r"[\\`*_{}\[\]<>&#|~@!$'\"]|(?<=[A-Za-z]):(?=//)|(?<![\w.])www\.|:(?=[\w+-]+:)")
_LIVELY = frozenset("@#:")
_BREAK = "&#8288;"  # a word joiner: no width, no break


def render(document: Document) -> bytes:
    """Verdict, what failed first, what could not be determined, signatures, and counts by trait and framework."""
    for folded in (True, False):
        content = ("\n".join(_lines(document, folded=folded)) + "\n").encode()
        if len(content) <= _SIZE_MAX:
            break
    return content


def _lines(document: Document, *, folded: bool) -> list[str]:
    subject = document["subject"]
    lines = [
        f"## Hullmark: {wording.VERDICTS[document['summary']['outcome']]}",
        "",
        _short(wording.verdict_sentence(document), 600),
        "",
        f"- Image: {_short(subject['reference'])}",
        f"- Digest: {escape(subject['digest'])}",
        f"- Platform: {_short(subject['platform'] or 'not stated')}, profile {_short(document['profile']['id'])}",
        f"- Assessed: {wording.minute(document['effectiveTime'])} by {escape(document['tool']['name'])} "
        f"{escape(document['tool']['version'])}",
        "",
        "| Trait | Failed | Unknown | Errored | Passed | Not applicable |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        *(_trait_row(document, trait) for trait in findings.TRAITS),
    ]
    undetermined = findings.undetermined(document)
    lines += _section("Failed", findings.failed(document), folded)
    lines += _section("Failed, but waived", findings.waived(document), folded)
    lines += _section("Not determined", findings.counted(undetermined), folded)
    if folded:
        lines += _folded("Not determined, and does not count", findings.uncounted(undetermined))
        lines += _folded("Passed", [check for check in document["checks"] if check["outcome"] == "passed"])
        lines += _folded("Not applicable", [one for one in document["checks"] if one["outcome"] == "not-applicable"])
    lines += _unread(document)
    lines += _signed(document)
    lines += _baseline(document)
    return lines + _frameworks(document)


def escape(text: str) -> str:
    """`text` so that Markdown and HTML show it as it is: no markup, table cell, mention or link comes of it.

    Some renderers look for mentions, issue numbers, addresses and emoji in what is left after the escapes are undone:
    there a character without width parts them.
    """
    return _SPECIAL.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    found = match.group()
    return "".join(f"&#{ord(char)};" for char in found) + (_BREAK if found in _LIVELY or len(found) > 1 else "")


def _short(text: str, limit: int = 240) -> str:
    """The text of an image, cut and escaped: an escaped character is up to six bytes long."""
    return escape(shortened(text, limit))


def _trait_row(document: Document, trait: str) -> str:
    counts = findings.outcome_counts(findings.of_trait(document, trait))
    cells = (str(counts[outcome]) for outcome in findings.OUTCOMES)
    return f"| {wording.TRAITS[trait]} | {' | '.join(cells)} |"


def _frameworks(document: Document) -> list[str]:
    if not document["frameworks"]:
        return []
    lines = [
        "",
        "### Controls",
        "",
        "| Framework | Contradicted | Undetermined | Supported | Satisfied | Not applicable |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for framework in document["frameworks"][:_FRAMEWORKS_MAX]:
        counts = findings.status_counts(findings.of_framework(document, framework["id"]))
        cells = (str(counts[status]) for status in findings.STATUSES)
        lines.append(f"| {_short(framework['name'])} {_short(framework['version'])} | {' | '.join(cells)} |")
    if (more := len(document["frameworks"]) - _FRAMEWORKS_MAX) > 0:
        lines += ["", f"+{wording.count(more, 'more framework')}"]
    return lines


def _section(heading: str, checks: list[Check], folded: bool) -> list[str]:
    """The first checks in full, and the others in a block that can be opened."""
    if not checks:
        return []
    lines = ["", f"### {heading} ({len(checks)})", ""]
    for check in checks[:_CHECKS_MAX]:
        lines += _check(check)
    rest = checks[_CHECKS_MAX:]
    if rest and folded:
        return lines + _folded(wording.count(len(rest), "more check"), rest, count=False)
    return [*lines, f"- +{wording.count(len(rest), 'more check')}"] if rest else lines


def _check(check: Check) -> list[str]:
    lines = [f"- **{_short(check['id'])}** ({check['severity']}) {_short(check['title'])}"]
    lines += [f"  - {_observation(observation)}" for observation in findings.telling(check)[:_OBSERVATIONS_MAX]]
    if (more := len(check["observations"]) - _OBSERVATIONS_MAX) > 0:
        lines.append(f"  - +{more:,} more")
    if check["reason"]:
        lines.append(f"  - {_short(check['reason'], 600)}")
    if check["uncounted"]:
        lines.append(f"  - Does not count: {_short(check['uncounted'])}")
    if check["waiver"]:
        waiver = check["waiver"]
        until = f", until {_short(waiver['expires'])}" if waiver["expires"] else ""
        lines.append(f"  - Waived by {_short(waiver['approver'])}{until}: {_short(waiver['reason'], 600)}")
    elif check["outcome"] == "failed":
        lines.append(f"  - To do: {_short(check['remediation'], 600)}")
    return lines


def _folded(heading: str, checks: list[Check], *, count: bool = True) -> list[str]:
    """One line for each check, in a block that can be opened."""
    if not checks:
        return []
    number = f" ({len(checks)})" if count else ""
    lines = ["", f"<details><summary>{heading}{number}</summary>", ""]
    lines += ["| Check | Severity | What must hold | Said |", "| --- | --- | --- | --- |"]
    for check in checks[:_LINES_MAX]:
        cells = (_short(check["id"]), check["severity"], _short(check["title"], 120), _said(check))
        lines.append(f"| {' | '.join(cells)} |")
    if (more := len(checks) - _LINES_MAX) > 0:
        lines += ["", f"+{wording.count(more, 'more check')}"]
    return [*lines, "", "</details>"]


def _said(check: Check) -> str:
    if check["uncounted"] or check["reason"]:
        return _short(check["uncounted"] or check["reason"] or "", 200)
    seen = findings.telling(check)
    return _observation(seen[0], 160) + (f" (+{len(seen) - 1:,} more)" if len(seen) > 1 else "") if seen else ""


def _observation(observation: Observation, limit: int = 240) -> str:
    path, summary = wording.seen(observation)
    return (f"{_short(path, limit)}: " if path else "") + _short(summary, limit)


def _unread(document: Document) -> list[str]:
    places = [*document["coverage"]["unread"], *document["inventory"]["unknowns"]]
    if not places:
        return []
    lines = ["", f"### Not read or not understood ({len(places)})", ""]
    lines += [f"- {_short(place['path'])}: {_short(place['reason'])}" for place in places[:_PLACES_MAX]]
    return [*lines, f"- +{len(places) - _PLACES_MAX:,} more"] if len(places) > _PLACES_MAX else lines


def _signed(document: Document) -> list[str]:
    verification = document["verification"]
    lines = [_signature("signature", one) for one in verification["signatures"]]
    for one in verification["attestations"]:
        states = f" It states: {_short(one['summary'])}" if one["summary"] else ""
        lines.append(_signature(f"attestation {one['predicateType']}", one) + states)
    lines += [
        f"- not understood: {_short(one['where'])}: {_short(one['reason'])}" for one in verification["unreadable"]
    ]
    for report in document["suppliedReports"]:
        said = _short(report["summary"] or report["reason"] or "")
        lines.append(f"- file {_short(report['name'])}, unsigned: {said}")
    more = len(lines) - 2 * _PLACES_MAX
    lines = [*lines[: 2 * _PLACES_MAX], f"- +{more:,} more"] if more > 0 else lines
    policy = verification["policy"]
    if policy is not None:
        lines.append(f"- trust policy {wording.POLICY_STATES[policy['state']]}: {_short(policy['reason'])}")
    return ["", "### Signatures and attestations", "", *lines] if lines else []


def _signature(what: str, signature: Signature) -> str:
    word = wording.SIGNATURE_VERDICTS[signature["verdict"]]
    by = f", by {_short(signature['identity'])}" if signature["verified"] and signature["identity"] else ""
    return f"- {_short(what)}: {word}{by}. {_short(signature['reason'])}"


def _baseline(document: Document) -> list[str]:
    baseline = document["baseline"]
    if baseline is None:
        return []
    since = wording.count(baseline["differences"], "difference")
    text = f"{since} since {_short(baseline['reference'])}, {baseline['material']:,} of them material."
    return ["", "### Changed since the baseline", "", text]
