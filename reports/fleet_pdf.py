"""The fleet report as PDF/A-3a and PDF/UA-1, of a bounded number of pages whatever the fleet.

What a page can't hold is counted where it is left out, and is in fleet.json and fleet.csv, which are attached.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from importlib import resources
from types import MappingProxyType
from typing import cast

from reports import audit_charts, fleet_csv, fleet_document, wording
from reports import fleet_wording as words
from reports.audit_charts import AMBER, GREEN, GREY, PURPLE, RED
from reports.audit_page import AttachedFile
from reports.branding import NO_BRANDING, Branding
from reports.findings import SEVERITIES
from reports.fleet_document import FleetDocument, FleetPart, HeatCell
from reports.page_templates import environment
from reports.pdf import printable, printable_branding, write_pdf
from reports.text import anchor, shortened

_GROUPS_MAX, _OWNERS_MAX, _CHECKS_MAX, _WORST_MAX = 40, 25, 80, 40
_BASES_MAX, _WAIVERS_MAX, _MISSING_MAX, _CHANGES_MAX = 20, 30, 40, 15
_FRAMEWORKS_MAX, _CONTROLS_MAX, _RUNS_MAX, _OLDEST_MAX, _SAMPLE_MAX = 12, 12, 26, 8, 60
_HEAT_COLUMNS = 7
"""Frameworks side by side; more make another table."""

_SEVERITY_COLORS = {"critical": "#7d0f0a", "high": "#cf4a3f", "medium": "#dc9a2c", "low": "#9fb1bf"}
_OUTCOME_COLORS = {"satisfied": GREEN, "not-satisfied": RED, "not-verified": PURPLE, "not-determined": AMBER}
_AGE_COLORS = ("#9fb1bf", "#dc9a2c", "#cf4a3f", "#7d0f0a")
_HEAT = ("#eef4f0", "#fdf0ee", "#fbdcd8", "#f6bdb6", "#ee988f", "#e4756a")
_NO_FILES: Mapping[str, bytes] = MappingProxyType({})


def render(
    document: FleetDocument, *, attachments: Mapping[str, bytes] = _NO_FILES, branding: Branding = NO_BRANDING
) -> bytes:
    """The report with `attachments` by file name; fleet.json and fleet.csv always are among them.

    Not for several threads at once: they wait for each other, as reports.pdf says.
    """
    own = {"fleet.json": fleet_document.render(document), "fleet.csv": fleet_csv.render(document)}
    files = tuple(AttachedFile(name=name, content=content) for name, content in sorted({**own, **attachments}.items()))
    identifier = hashlib.sha256(b"".join(file.sha256.encode() for file in files)).digest()[:16]
    page = _html(cast(FleetDocument, printable(_shown(document))), files, printable_branding(branding))
    return write_pdf(page, files, document["run"]["effective"], identifier, branding)


def _shown(document: FleetDocument) -> FleetDocument:
    """The document without the images that no page names: of a large fleet they are most of it."""
    worst = document["worst"][:_WORST_MAX]
    missing = [image for image in document["images"] if image["assessment"] is None][: _MISSING_MAX + 1]
    shown: FleetDocument = {**document, "images": [*(document["images"][place] for place in worst), *missing]}
    shown["worst"] = list(range(len(worst)))
    return shown


def _html(document: FleetDocument, files: Sequence[AttachedFile], branding: Branding) -> str:
    run = document["run"]
    values = {
        "document": document,
        "branding": branding,
        "files": files,
        "words": words,
        "marks": wording.MARKS,
        "severities": SEVERITIES,
        "minute": wording.minute,
        "size": wording.size,
        "count": wording.count,
        "shortened": shortened,
        "anchor": anchor,
        "css": (resources.files("reports") / "templates" / "fleet.css").read_text(encoding="utf-8"),
        "title": branding.title or f"Fleet report: {document['fleet']}, run {run['number']}",
        "tool": f"{document['tool']['name']} {document['tool']['version']}",
        "headline": words.headline(document),
        "chapters": _chapters(document),
        "cover_bar": _outcome_bar(document["total"], 650, 16),
        "groups": [_part(part) for part in document["groups"][:_GROUPS_MAX]],
        "owners": [_part(part) for part in document["owners"][:_OWNERS_MAX]],
        "limits": {
            "groups": _GROUPS_MAX,
            "owners": _OWNERS_MAX,
            "checks": _CHECKS_MAX,
            "worst": _WORST_MAX,
            "bases": _BASES_MAX,
            "waivers": _WAIVERS_MAX,
            "missing": _MISSING_MAX,
            "changes": _CHANGES_MAX,
            "controls": _CONTROLS_MAX,
            "frameworks": _FRAMEWORKS_MAX,
            "runs": _RUNS_MAX,
            "oldest": _OLDEST_MAX,
            "sample": _SAMPLE_MAX,
        },
        "trend": _trend(document),
        "heat": _heat(document),
        "frameworks": _frameworks(document),
        "checks": _checks(document),
        "ageing": _ageing(document),
        "changes": _changes(document),
        "missing": _missing(document),
    }
    return environment(branding.templates).get_template("fleet.html.j2").render(values)


def _chapters(document: FleetDocument) -> list[tuple[str, str]]:
    found = [
        ("summary", "Summary"),
        ("changes", "What changed"),
        ("first", "What to do first"),
        ("groups", "Groups and owners"),
        ("trend", "Trend"),
        ("frameworks", "Frameworks"),
        ("ageing", "Ageing"),
        ("checks", "Checks"),
        ("worst", "Worst images"),
        ("missing", "Not assessed"),
        ("waivers", "Waivers"),
        ("glossary", "Glossary"),
    ]
    if document["period"] is not None:
        found.insert(1, ("period", "Audit window"))
    return found


def _outcome_bar(part: FleetPart, width: float, height: float) -> object:
    counts = [(word, part["outcomes"][word]) for word in words.SHOWN_OUTCOMES]
    told = ", ".join(f"{number} {words.OUTCOMES[word]}" for word, number in counts)
    return audit_charts.parts_bar(
        [(_OUTCOME_COLORS[word], number) for word, number in counts], told, width=width, height=height
    )


def _part(part: FleetPart) -> dict[str, object]:
    return {
        "name": shortened(part["name"], 60) or "nobody",
        "owners": ", ".join(shortened(owner, 50) for owner in part["owners"][:2]),
        "images": words.total_images(part),
        "bar": _outcome_bar(part, 150, 8),
        "outcomes": ", ".join(
            f"{part['outcomes'][word]:,} {words.OUTCOMES[word]}"
            for word in words.SHOWN_OUTCOMES
            if part["outcomes"][word]
        ),
        "failed": words.failed_counts(part["failed"]),
        "waived": part["waived"],
    }


def _trend(document: FleetDocument) -> dict[str, object]:
    shown = document["trend"][-_RUNS_MAX:]
    outcomes = [
        [(_OUTCOME_COLORS[word], run["outcomes"][word]) for word in reversed(words.SHOWN_OUTCOMES)] for run in shown
    ]
    failed = [[(_SEVERITY_COLORS[word], run["failed"][word]) for word in reversed(SEVERITIES)] for run in shown]
    return {
        "rows": list(reversed(shown)),
        "more": len(document["trend"]) - len(shown),
        "outcomes": audit_charts.columns(outcomes, "Images by outcome in each run", width=310, height=110),
        "failed": audit_charts.columns(failed, "Unwaived failures by severity in each run", width=310, height=110),
    }


def _heat(document: FleetDocument) -> list[dict[str, object]]:
    """Tables of as many frameworks as go side by side."""
    cells = {(cell["group"], cell["framework"]): cell for cell in document["heat"]}
    names = [(framework["id"], framework["name"]) for framework in document["frameworks"][:_FRAMEWORKS_MAX]]
    return [
        {
            "names": [shortened(name, 40) for _, name in part],
            "rows": [
                {
                    "group": shortened(group["name"], 40),
                    "cells": [_cell(cells.get((group["name"], identifier))) for identifier, _ in part],
                }
                for group in document["groups"][:_GROUPS_MAX]
            ],
        }
        for part in (names[place : place + _HEAT_COLUMNS] for place in range(0, len(names), _HEAT_COLUMNS))
    ]


def _cell(cell: HeatCell | None) -> dict[str, object] | None:
    if cell is None:
        return None
    share = words.heat_share(cell)
    return {"share": share, "color": _HEAT[sum(share > limit for limit in (0, 5, 15, 30, 50))]}


def _frameworks(document: FleetDocument) -> list[dict[str, object]]:
    return [
        {
            "name": framework["name"],
            "version": framework["version"],
            "caveats": [shortened(caveat, 300) for caveat in framework["caveats"][:2]],
            "total": len(framework["controls"]),
            "rows": found[:_CONTROLS_MAX],
            "more": len(found) - _CONTROLS_MAX,
        }
        for framework in document["frameworks"][:_FRAMEWORKS_MAX]
        for found in (
            sorted(
                (control for control in framework["controls"] if control["counts"]["contradicted"]),
                key=lambda control: -control["counts"]["contradicted"],
            ),
        )
    ]


def _checks(document: FleetDocument) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for check in document["checks"][:_CHECKS_MAX]:
        counts = check["counts"]
        absent = counts["not-assessed"] + counts["not-run"]
        parts = [
            (RED, counts["failed"]),
            (PURPLE, counts["waived"]),
            (AMBER, counts["undetermined"]),
            ("#d3dae1", absent),
            (GREEN, counts["passed"]),
            (GREY, counts["not-applicable"] + counts["uncounted"]),
        ]
        title = f"{counts['failed']} failed, {counts['waived']} waived, {counts['passed']} passed"
        rows.append(
            {
                **check,
                "absent": absent,
                "bar": audit_charts.parts_bar(parts, title, width=120, height=7),
            }
        )
    return rows


def _ageing(document: FleetDocument) -> list[dict[str, object]]:
    most = max((part["open"] for part in document["ageing"]["bySeverity"]), default=0)
    return [
        {
            **part,
            "bar": audit_charts.parts_bar(
                [*zip(_AGE_COLORS, part["byAge"], strict=True), ("#e8edf1", most - part["open"])],
                ", ".join(f"{number} {age}" for number, age in zip(part["byAge"], words.AGES, strict=True)),
                width=170,
                height=8,
            ),
        }
        for part in document["ageing"]["bySeverity"]
    ]


def _changes(document: FleetDocument) -> list[dict[str, object]]:
    changes = document["changes"]
    if changes is None:
        return []
    order = {severity: place for place, severity in enumerate(SEVERITIES)}
    parts: list[dict[str, object]] = []
    for kind, word in words.CHANGES.items():
        found = [one for one in changes["findings"] if one["kind"] == kind]
        found.sort(key=lambda one: order.get(one["severity"], len(order)))
        if found:
            parts.append(
                {
                    "title": word.capitalize(),
                    "meaning": words.CHANGE_MEANINGS[kind],
                    "rows": found[:_CHANGES_MAX],
                    "total": len(found),
                    "more": len(found) - _CHANGES_MAX,
                }
            )
    return parts


def _missing(document: FleetDocument) -> dict[str, object]:
    rows = [
        (words.name(one["reference"]), one["group"], words.reason("unresolved"), one["reason"])
        for one in document["unresolved"]
    ]
    rows += [
        (
            words.image_name(image),
            ", ".join(image["groups"]),
            words.reason(image["code"] or "not-determined"),
            image["reason"] or "",
        )
        for image in document["images"]
        if image["assessment"] is None
    ]
    total = len(document["unresolved"]) + document["total"]["coverage"]["notDetermined"]
    return {"rows": rows[:_MISSING_MAX], "total": total, "more": total - min(len(rows), _MISSING_MAX)}
