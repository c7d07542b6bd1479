"""The fleet report in GitHub-flavoured Markdown: a short summary for a CI job's page, an issue, or a mail."""

from __future__ import annotations

from collections.abc import Iterable

from reports import fleet_wording as words
from reports import wording
from reports.findings import SEVERITIES
from reports.fleet_document import ChangedFinding, FleetChanges, FleetDocument, FleetPart
from reports.markdown import escape
from reports.text import opening, shortened

_ROWS_MAX = 15
_GROUPS_MAX = 60
_TEXT_MAX = 160


def render(document: FleetDocument) -> bytes:
    """How the images stand, what changed, what to do first, groups, what was not assessed, and waivers."""
    run = document["run"]
    lines = [
        f"## Fleet {_cell(document['fleet'])}: run {run['number']}",
        "",
        f"**{words.headline(document)}** {words.failures_sentence(document['total'])}",
        "",
        f"- {words.coverage_sentence(document['total']['coverage'])}",
        f"- Run {run['number']} of {wording.minute(run['started'])}, {words.chain(document)}; chain `{run['chain']}`",
    ]
    lines += _period(document)
    lines += [] if document["changes"] is None else changes(document["changes"])
    lines += _first(document)
    lines += _parts(document["groups"])
    lines += _frameworks(document)
    lines += _ageing(document)
    lines += _missing(document)
    lines += _waivers(document)
    lines += ["", words.NOT_A_VERDICT]
    return ("\n".join(lines) + "\n").encode()


def render_changes(fleet: str, changed: FleetChanges) -> bytes:
    """What changed between two runs, alone."""
    lines = [f"## Fleet {_cell(fleet)}: run {changed['before']} to run {changed['after']}", *changes(changed)]
    return ("\n".join(lines) + "\n").encode()


def changes(changed: FleetChanges) -> list[str]:
    """What changed, the gravest first, a table for each kind that is not as it was."""
    lines = [
        "",
        f"### Since run {changed['before']}",
        "",
        f"{words.changes_sentence(changed)} {words.image_changes_sentence(changed)}",
    ]
    for kind, word in words.CHANGES.items():
        found = [one for one in changed["findings"] if one["kind"] == kind]
        if found:
            lines += ["", f"<details><summary>{word.capitalize()} ({len(found):,})</summary>", ""]
            lines += [
                f"{words.CHANGE_MEANINGS[kind]}",
                "",
                *_table(("Check", "Reference", "Group", "Note"), _rows(found)),
            ]
            lines += ["", "</details>"]
    for kind, word in words.IMAGE_CHANGES.items():
        moved = [one for one in changed["images"] if one["kind"] == kind]
        if moved:
            named = ", ".join(_cell(words.name(one["reference"])) for one in moved[:_ROWS_MAX])
            more = f" and {len(moved) - _ROWS_MAX:,} more" if len(moved) > _ROWS_MAX else ""
            lines += ["", f"{word.capitalize()} ({len(moved):,}): {named}{more}"]
    return lines


def _rows(found: list[ChangedFinding]) -> list[tuple[str, ...]]:
    order = {severity: place for place, severity in enumerate(SEVERITIES)}
    found = sorted(found, key=lambda one: order.get(one["severity"], len(order)))
    rows: list[tuple[str, ...]] = [
        (f"{one['check']} ({one['severity']})", words.name(one["reference"]), one["group"], one["reason"] or "")
        for one in found[:_ROWS_MAX]
    ]
    if (more := len(found) - len(rows)) > 0:
        rows.append((f"{more:,} more", "see fleet.json", "", ""))
    return rows


def _first(document: FleetDocument) -> list[str]:
    lines: list[str] = []
    bases = document["bases"]["bases"]
    if bases:
        lines += ["", "### Fix once, clear many", ""]
        lines += _table(
            ("Shared base", "Mending it", "Failing in it"),
            [(words.base_name(base), words.base_effect(base), ", ".join(base["checks"])) for base in bases[:5]],
        )
    failing = [check for check in document["checks"] if check["counts"]["failed"]]
    if failing:
        lines += ["", "### Gravest failing checks", ""]
        lines += _table(
            ("Check", "Images", "What to do"),
            [
                (
                    f"{check['id']} ({check['severity']})",
                    f"{check['counts']['failed']:,} of {words.total_images(document['total']):,}",
                    opening(check["remediation"], 140),
                )
                for check in failing[:8]
            ],
        )
    if document["worst"]:
        images = [document["images"][place] for place in document["worst"][:10]]
        lines += ["", "### Worst images", "", words.WORST_ORDER, ""]
        lines += _table(
            ("Image", "Unwaived failures", "Owner"),
            [
                (words.image_name(image), words.failed_counts(words.image_failures(image)), ", ".join(image["owners"]))
                for image in images
            ],
        )
    return lines


def _parts(parts: list[FleetPart]) -> list[str]:
    rows = [
        (
            part["name"],
            ", ".join(part["owners"]),
            f"{words.total_images(part):,}",
            *(f"{part['outcomes'][word]:,}" for word in words.SHOWN_OUTCOMES),
            words.failed_counts(part["failed"]),
            f"{part['waived']:,}",
        )
        for part in parts[:_GROUPS_MAX]
    ]
    outcomes = (words.OUTCOMES[word].capitalize() for word in words.SHOWN_OUTCOMES)
    return ["", "### Groups", "", *_table(("Group", "Owner", "Images", *outcomes, "Unwaived failures", "Waived"), rows)]


def _frameworks(document: FleetDocument) -> list[str]:
    if not document["heat"]:
        return []
    cells = {(cell["group"], cell["framework"]): cell for cell in document["heat"]}
    frameworks = document["frameworks"]
    rows = []
    for part in document["groups"][:_GROUPS_MAX]:
        found = (cells.get((part["name"], framework["id"])) for framework in frameworks)
        rows.append((part["name"], *("–" if cell is None else f"{words.heat_share(cell)} %" for cell in found)))  # noqa: RUF001
    return [
        "",
        "### Controls contradicted",
        "",
        words.HEAT_MEANING,
        "",
        *_table(("Group", *(framework["name"] for framework in frameworks)), rows),
    ]


def _ageing(document: FleetDocument) -> list[str]:
    rows = [
        (
            part["severity"],
            f"{part['open']:,}",
            *(f"{number:,}" for number in part["byAge"]),
            words.duration(part["medianOpen"]),
            f"{words.duration(part['medianFix'])} (n = {part['fixed']:,})",
        )
        for part in document["ageing"]["bySeverity"]
    ]
    head = ("Severity", "Open", *(age.capitalize() for age in words.AGES), "Median age", "Median time to fix")
    return ["", "### Ageing", "", words.AGE_MEANING, "", *_table(head, rows)]


def _missing(document: FleetDocument) -> list[str]:
    images = [image for image in document["images"] if image["assessment"] is None]
    rows = [(words.name(one["reference"]), one["group"], one["reason"]) for one in document["unresolved"]]
    rows += [(words.image_name(image), ", ".join(image["groups"]), image["reason"] or "") for image in images]
    if not rows:
        return []
    more = [f"{len(rows) - _ROWS_MAX:,} more: see fleet.json"] if len(rows) > _ROWS_MAX else []
    return ["", "### Not assessed", "", *_table(("Reference", "Group", "Why"), rows[:_ROWS_MAX]), *more]


def _waivers(document: FleetDocument) -> list[str]:
    urgent = [one for one in document["waivers"] if one["standing"] != "in-force"]
    if not document["waivers"]:
        return []
    rows = [
        (
            waiver["id"],
            waiver["check"],
            words.WAIVER_STANDINGS[waiver["standing"]],
            (waiver["expires"] or "no end")[:10],
            wording.count(waiver["applied"], "image"),
        )
        for waiver in [*urgent, *(one for one in document["waivers"] if one["standing"] == "in-force")][:_ROWS_MAX]
    ]
    return ["", "### Waivers", "", *_table(("Waiver", "Check", "State", "Until", "Accepts in"), rows)]


def _period(document: FleetDocument) -> list[str]:
    period = document["period"]
    if period is None:
        return []
    return [
        f"- Audit window {wording.minute(period['since'])} to {wording.minute(period['until'])}: "
        f"{wording.count(len(period['runs']), 'run')}. {escape(words.gaps_sentence(period))}",
        f"- Sample of {len(period['sample']):,} of {period['population']:,} images, seed `{period['seed']}`: "
        "see fleet.json",
    ]


def _table(head: Iterable[str], rows: Iterable[tuple[str, ...]]) -> list[str]:
    names = [_cell(name) for name in head]
    return [
        f"| {' | '.join(names)} |",
        f"| {' | '.join('---' for _ in names)} |",
        *(f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows),
    ]


def _cell(text: str) -> str:
    return escape(shortened(text, _TEXT_MAX))
