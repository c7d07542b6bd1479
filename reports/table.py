"""The terminal's report: the verdict and what to do first on top, then what failed, and the rest in counts."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from reports import findings, terminal, wording
from reports.document import Check, Document, Signature

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

DEFAULT_WIDTH = 80
_OBSERVATIONS_MAX = 3
_PLACES_MAX = 3
_LABEL_WIDTH = 9  # with a digest after it a line has exactly 80 columns

_OUTCOME_MARKS = {"passed": "✓", "failed": "×", "not-applicable": "–", "unknown": "?", "errored": "!"}  # noqa: RUF001
_OUTCOME_STYLES = {
    "passed": "green",
    "failed": "red",
    "not-applicable": "dim",
    "unknown": "yellow",
    "errored": "magenta",
}
_VERDICT_STYLES = {
    "satisfied": "bold white on green",
    "not-satisfied": "bold white on red",
    "not-determined": "bold black on yellow",
    "not-verified": "bold white on red",
}
_SEVERITY_STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "default"}


def render(document: Document, *, color: bool = False, width: int = DEFAULT_WIDTH) -> str:
    """The report as text of `width` columns, with ANSI colours when `color`. Colour repeats what the words say."""

    out = io.StringIO()
    console = terminal.console(out, color=color, width=width)
    _verdict(console, document)
    _subject(console, document)
    _traits(console, document)
    _checks(console, "Failed", findings.failed(document))
    _checks(console, "Failed, but waived", findings.waived(document))
    _idle_waivers(console, document)
    _checks(console, "Not determined", findings.counted(findings.undetermined(document)))
    _apart(console, findings.uncounted(findings.undetermined(document)))
    _unread(console, document)
    _signatures(console, document)
    _frameworks(console, document)
    _last_line(console, document)
    return "\n".join(line.rstrip() for line in out.getvalue().split("\n"))


def _verdict(console: Console, document: Document) -> None:
    from rich.text import Text

    outcome = document["summary"]["outcome"]
    verdict = Text(f" {wording.VERDICTS[outcome]} ", style=_VERDICT_STYLES[outcome])
    console.print(Text.assemble(verdict, "  ", wording.verdict_sentence(document)))
    failed, undetermined = findings.failed(document), findings.undetermined(document)
    if outcome == "not-determined" and findings.counted(undetermined):
        first = undetermined[0]
        lead, text = "Find out first: ", first["reason"] or first["title"]
    elif failed:
        first = failed[0]
        lead, text = "Do first: ", first["remediation"]
    else:
        console.print()
        return
    console.print(Text.assemble((lead, "bold"), f"{first['id']} ({first['severity']}). ", text))
    console.print()


def _subject(console: Console, document: Document) -> None:
    subject, profile, coverage = document["subject"], document["profile"], document["coverage"]
    facts = _grid(_LABEL_WIDTH)
    facts.add_row("Image", subject["reference"])
    facts.add_row("Digest", subject["digest"])
    facts.add_row("Platform", subject["platform"] or "not stated")
    facts.add_row("Profile", f"{profile['id']} ({wording.PROFILE_SOURCES[profile['source']]})")
    system = document["inventory"]["distribution"]
    facts.add_row("System", "no os-release in the image" if system is None else system["prettyName"] or system["id"])
    read = f"{wording.count(coverage['files'], 'file')}, {wording.size(coverage['bytes'])}"
    layers = wording.count(len(subject["layers"]), "layer")
    whole = "all read to the end" if coverage["whollyRead"] else "NOT all read: see below"
    facts.add_row("Files", f"{read} in {layers}, {whole}")
    facts.add_row("Packages", _packages(document))
    baseline = document["baseline"]
    if baseline is not None:
        since = wording.count(baseline["differences"], "difference")
        facts.add_row("Baseline", f"{baseline['reference']}: {since} since, {baseline['material']:,} of them material")
    facts.add_row("Time", wording.minute(document["effectiveTime"]))
    console.print(facts)
    console.print()


def _packages(document: Document) -> str:
    inventory = document["inventory"]
    types = sorted(inventory["byType"].items(), key=lambda item: (-item[1], item[0]))
    return ", ".join([f"{number:,} {name}" for name, number in types]) or "none found"


def _traits(console: Console, document: Document) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("Trait")
    for outcome in findings.OUTCOMES:
        table.add_column(f"{_OUTCOME_MARKS[outcome]} {wording.OUTCOMES[outcome]}", justify="right")
    for trait in findings.TRAITS:
        counts = findings.outcome_counts(findings.of_trait(document, trait))
        cells = [
            Text(str(counts[one]), style=_OUTCOME_STYLES[one] if counts[one] else "dim") for one in findings.OUTCOMES
        ]
        table.add_row(wording.TRAITS[trait], *cells)
    console.print(table)
    console.print()


def _checks(console: Console, heading: str, checks: list[Check]) -> None:
    if not checks:
        return
    _heading(console, f"{heading} ({len(checks)})")
    for check in checks:
        _check(console, check)
    console.print()


def _check(console: Console, check: Check) -> None:
    from rich.text import Text

    style = _OUTCOME_STYLES[check["outcome"]]
    line = Text.assemble(
        (f"{_OUTCOME_MARKS[check['outcome']]} ", style),
        (f"{check['id']} ", "bold"),
        (f"{check['severity']}  ", _SEVERITY_STYLES[check["severity"]]),
        check["title"],
    )
    console.print(_hanging(line, 0))
    if check["uncounted"]:
        console.print(_hanging(Text(f"does not count: {check['uncounted']}", style="dim"), 4))
    if check["reason"]:
        console.print(_hanging(Text(check["reason"]), 4))
    for observation in findings.telling(check)[:_OBSERVATIONS_MAX]:
        path, summary = wording.seen(observation)
        console.print(_hanging(Text.assemble((f"{path}: " if path else "", "cyan"), summary), 4))
    if (more := len(check["observations"]) - _OBSERVATIONS_MAX) > 0:
        console.print(_hanging(Text(f"+{more} more", style="dim"), 4))
    if check["waiver"]:
        waiver = check["waiver"]
        until = f" until {waiver['expires']}" if waiver["expires"] else ""
        signed = f"signed by {waiver['signer']}" if waiver["signer"] else "unsigned"
        console.print(_hanging(Text(f"waived by {waiver['approver']}{until}: {waiver['reason']} ({signed})"), 4))
    elif check["outcome"] == "failed":
        console.print(_hanging(Text.assemble(("To do: ", "bold"), check["remediation"]), 4))


_IDLE = {
    "expired": "has expired",
    "not-yet": "does not hold yet",
    "not-all": "does not cover all that the check found",
    "no-failure": "has no failure to cover",
    "no-check": "is about no check that was run",
    "surplus": "is not needed, as another covers the failure",
}


def _idle_waivers(console: Console, document: Document) -> None:
    """Waivers about this image that accept nothing here."""
    from rich.text import Text

    idle = [use for use in document["waivers"] if use["state"] in _IDLE]
    if not idle:
        return
    _heading(console, f"Waivers that accept nothing here ({len(idle)})")
    for use in idle:
        console.print(_hanging(Text(f"{use['waiver']['id']} for {use['check']} {_IDLE[use['state']]}"), 0))
    console.print()


def _apart(console: Console, checks: list[Check]) -> None:
    """Open questions that the verdict does not rest on, by why they do not."""
    from rich.text import Text

    if not checks:
        return
    _heading(console, f"Not determined, and does not count ({len(checks)})")
    for reason in dict.fromkeys(check["uncounted"] for check in checks):
        ids = ", ".join(check["id"] for check in checks if check["uncounted"] == reason)
        console.print(_hanging(Text.assemble((f"{ids}: ", "bold"), reason or ""), 0))
    console.print()


def _unread(console: Console, document: Document) -> None:
    from rich.text import Text

    places = [(place["path"], place["reason"]) for place in document["coverage"]["unread"]]
    places += [(place["path"], place["reason"]) for place in document["inventory"]["unknowns"]]
    if not places:
        return
    _heading(console, f"Not read or not understood ({len(places)})")
    for path, reason in places[:_PLACES_MAX]:
        console.print(_hanging(Text.assemble(("? ", "yellow"), (f"{path}: ", "cyan"), reason), 0))
    if (more := len(places) - _PLACES_MAX) > 0:
        console.print(_hanging(Text(f"+{more} more", style="dim"), 4))
    console.print()


_STATE_MARKS = {"held": "✓", "not-held": "×", "undetermined": "?"}  # noqa: RUF001


def _signatures(console: Console, document: Document) -> None:
    from rich.text import Text

    verification = document["verification"]
    lines = [_signed("signature", one) for one in verification["signatures"]]
    for attestation in verification["attestations"]:
        states = f"; it states: {attestation['summary']}" if attestation["summary"] else ""
        lines.append(_signed(f"attestation {attestation['predicateType']}", attestation) + states)
    lines += [f"? {one['where']}: {one['reason']}" for one in verification["unreadable"]]
    lines += [
        f"? file {one['name']}, unsigned: {one['summary'] or one['reason']}" for one in document["suppliedReports"]
    ]
    _heading(console, "Signatures and attestations")
    for line in lines or ["none found"]:
        console.print(Text(line))
    policy = verification["policy"]
    if policy is not None:
        for one in policy["requirements"]:
            console.print(Text(f"{_STATE_MARKS[one['state']]} {wording.requirement(one)}: {one['reason']}"))
        console.print(Text(f"trust policy {wording.POLICY_STATES[policy['state']]}: {policy['reason']}"))
    elif not verification["demand"]["made"]:
        console.print(Text("No key and no identity was named, so nothing is trusted.", style="dim"))
    console.print()


def _signed(what: str, signature: Signature) -> str:
    if not signature["verified"]:
        mark = "×" if signature["verdict"] == "invalid" else "?"  # noqa: RUF001
        return f"{mark} {what}: {wording.SIGNATURE_VERDICTS[signature['verdict']]}, {signature['reason']}"
    key = f"key {signature['keyId'][:12]}" if signature["keyId"] else "a named key"
    return f"✓ {what}: verified, by {signature['identity'] or key}"


def _frameworks(console: Console, document: Document) -> None:
    from rich.table import Table

    if not document["frameworks"]:
        return
    _heading(console, "Controls that this bears on")
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("")
    for heading in ("contradicted", "undetermined", "supported"):
        table.add_column(heading, justify="right")
    for framework in document["frameworks"]:
        counts = findings.status_counts(findings.of_framework(document, framework["id"]))
        supported = counts["supported"] + counts["satisfied"]
        name = f"{framework['name']} {framework['version']}".strip()
        table.add_row(name, str(counts["contradicted"]), str(counts["undetermined"]), str(supported))
    console.print(table)
    console.print()


def _last_line(console: Console, document: Document) -> None:
    """The verdict again: after a long report the end is what is on the screen."""
    from rich.text import Text

    outcome = document["summary"]["outcome"]
    sentence = wording.verdict_sentence(document)
    console.print(Text.assemble((f" {wording.VERDICTS[outcome]} ", _VERDICT_STYLES[outcome]), "  ", sentence))


def _heading(console: Console, text: str) -> None:
    from rich.text import Text

    console.print(Text(text, style="bold underline"))


def _grid(label_width: int) -> Table:
    from rich.table import Table

    grid = Table.grid(padding=0)
    grid.add_column(width=label_width, style="dim")
    grid.add_column(overflow="fold")
    return grid


def _hanging(text: RenderableType, indent: int) -> RenderableType:
    from rich.padding import Padding

    return Padding(text, (0, 0, 0, indent))
