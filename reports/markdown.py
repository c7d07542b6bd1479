"""A short summary in GitHub-flavoured Markdown, for a CI job's page or a pull request."""

from __future__ import annotations

import re

from reports import findings, wording
from reports.document import Check, Document, Observation

_CHECKS_MAX = 10
_OBSERVATIONS_MAX = 3
_SPECIAL = re.compile(r"[\\`*_{}\[\]<>&#|~@!$'\"]|(?<=[A-Za-z])://|(?<![\w.])www\.")


def render(document: Document) -> bytes:
    """Verdict, what failed first, what could not be determined, and counts by trait and framework."""
    subject = document["subject"]
    lines = [
        f"## Hullmark: {wording.VERDICTS[document['summary']['outcome']]}",
        "",
        wording.verdict_sentence(document),
        "",
        f"- Image: {escape(subject['reference'])}",
        f"- Digest: {escape(subject['digest'])}",
        f"- Platform: {escape(subject['platform'] or 'not stated')}, profile {document['profile']['id']}",
        f"- Assessed: {wording.minute(document['effectiveTime'])} by {escape(document['tool']['name'])} "
        f"{escape(document['tool']['version'])}",
        "",
        "| Trait | Failed | Unknown | Errored | Passed | Not applicable |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        *(_trait_row(document, trait) for trait in findings.TRAITS),
    ]
    lines += _section("Failed", findings.failed(document))
    lines += _section("Failed, but waived", findings.waived(document))
    lines += _section("Not determined", findings.counted(findings.undetermined(document)))
    lines += _section("Not determined, and does not count", findings.uncounted(findings.undetermined(document)))
    if document["frameworks"]:
        lines += [
            "",
            "### Controls",
            "",
            "| Framework | Contradicted | Undetermined | Supported | Satisfied | Not applicable |",
        ]
        lines += ["| --- | ---: | ---: | ---: | ---: | ---: |", *_framework_rows(document)]
    return ("\n".join(lines) + "\n").encode()


def escape(text: str) -> str:
    """`text` so that Markdown and HTML show it as it is: no markup, table cell, mention or link comes of it."""
    return _SPECIAL.sub(lambda match: "".join(f"&#{ord(char)};" for char in match.group()), text)


def _trait_row(document: Document, trait: str) -> str:
    counts = findings.outcome_counts(findings.of_trait(document, trait))
    cells = (str(counts[outcome]) for outcome in findings.OUTCOMES)
    return f"| {wording.TRAITS[trait]} | {' | '.join(cells)} |"


def _framework_rows(document: Document) -> list[str]:
    rows = []
    for framework in document["frameworks"]:
        counts = findings.status_counts(findings.of_framework(document, framework["id"]))
        cells = (str(counts[status]) for status in findings.STATUSES)
        rows.append(f"| {escape(framework['name'])} {escape(framework['version'])} | {' | '.join(cells)} |")
    return rows


def _section(heading: str, checks: list[Check]) -> list[str]:
    if not checks:
        return []
    lines = ["", f"### {heading}", ""]
    for check in checks[:_CHECKS_MAX]:
        lines.append(f"- **{escape(check['id'])}** ({check['severity']}) {escape(check['title'])}")
        lines += [f"  - {_observation(observation)}" for observation in findings.telling(check)[:_OBSERVATIONS_MAX]]
        if (more := len(check["observations"]) - _OBSERVATIONS_MAX) > 0:
            lines.append(f"  - +{more} more")
        if check["reason"]:
            lines.append(f"  - {escape(check['reason'])}")
        if check["uncounted"]:
            lines.append(f"  - Does not count: {escape(check['uncounted'])}")
        if check["waiver"]:
            waiver = check["waiver"]
            until = f", until {escape(waiver['expires'])}" if waiver["expires"] else ""
            lines.append(f"  - Waived by {escape(waiver['approver'])}{until}: {escape(waiver['reason'])}")
        elif check["outcome"] == "failed":
            lines.append(f"  - To do: {escape(check['remediation'])}")
    if (more := len(checks) - _CHECKS_MAX) > 0:
        lines.append(f"- +{wording.count(more, 'more check')}")
    return lines


def _observation(observation: Observation) -> str:
    path, summary = wording.seen(observation)
    return (f"{escape(path)}: " if path else "") + escape(summary)
