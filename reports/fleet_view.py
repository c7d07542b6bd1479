"""What stands in the HTML fleet report, and in which words. The layout is in ``templates/html/fleet.html.j2``."""

from __future__ import annotations

from collections.abc import Sequence

from reports import fleet_wording as words
from reports import html_charts, wording
from reports.findings import SEVERITIES
from reports.fleet_document import (
    ChangedFinding,
    FleetBase,
    FleetCheck,
    FleetDocument,
    FleetImage,
    FleetPart,
    FleetPeriod,
    FleetWaiver,
    TrendRun,
)
from reports.text import anchor, opening, shortened

IMAGES_MAX = 2_000
"""Images of the page; the worst ones."""
ROWS_MAX = 300
ROWS_SHOWN = 10
_REFERENCES_MAX = 8
_CHECKS_MAX = 60
_RUNS_MAX = 60
_SAMPLE_MAX = 200

View = dict[str, object]


def view(document: FleetDocument) -> View:
    """The values that the template prints."""
    return {
        "document": document,
        "words": words,
        "marks": wording.MARKS,
        "severities": SEVERITIES,
        "rows_shown": ROWS_SHOWN,
        "title": f"Fleet {shortened(document['fleet'], 120)}",
        "headline": words.headline(document),
        "failures": words.failures_sentence(document["total"]),
        "coverage": words.coverage_sentence(document["total"]["coverage"]),
        "numbers": _numbers(document),
        "bar": _outcome_bar(document["total"]),
        "facts": _facts(document),
        "first": _first(document),
        "groups": [_part(part) for part in document["groups"]],
        "owners": [_part(part) for part in document["owners"]],
        "trend": _trend(document["trend"]),
        "heat": _heat(document),
        "ageing": _ageing(document),
        "changes": _changes(document),
        "bases": [_base(base) for base in document["bases"]["bases"][:ROWS_MAX]],
        "checks": [_check(check, document) for check in document["checks"]],
        "images": _images(document),
        "missing": _missing(document),
        "waivers": [_waiver(waiver) for waiver in document["waivers"][:ROWS_MAX]],
        "more_waivers": len(document["waivers"]) - ROWS_MAX,
        "period": None if document["period"] is None else _period(document["period"]),
        "glossary": words.GLOSSARY,
        "contents": _contents(document),
    }


def _contents(document: FleetDocument) -> list[tuple[str, str, int | None]]:
    """Anchor, title, and a number where one tells something."""
    found: list[tuple[str, str, int | None]] = [
        ("summary", "Summary", None),
        ("changes", "What changed", None),
        ("first", "What to do first", None),
        ("groups", "Groups and owners", len(document["groups"])),
        ("trend", "Trend", len(document["trend"])),
        ("frameworks", "Frameworks", len(document["frameworks"])),
        ("ageing", "Ageing", None),
        ("checks", "Checks", len(document["checks"])),
        ("images", "Images", len(document["images"])),
        ("missing", "Not assessed", len(document["unresolved"]) + document["total"]["coverage"]["notDetermined"]),
        ("waivers", "Waivers", len(document["waivers"])),
        ("verify", "How to verify", None),
        ("glossary", "Glossary", None),
    ]
    if document["period"] is not None:
        found.insert(1, ("period", "Audit window", None))
    return found


def _numbers(document: FleetDocument) -> list[View]:
    part = document["total"]
    numbers: list[View] = [
        {
            "number": part["outcomes"][word],
            "word": words.OUTCOMES[word],
            "status": word,
            "filter": word,
        }
        for word in words.SHOWN_OUTCOMES
        if part["outcomes"][word] or word != "not-verified"
    ]
    return numbers


def _outcome_bar(part: FleetPart) -> object:
    parts = [(word, part["outcomes"][word]) for word in words.SHOWN_OUTCOMES]
    label = ", ".join(f"{number} {words.OUTCOMES[word]}" for word, number in parts)
    return html_charts.stacked_bar(parts, label)


def _facts(document: FleetDocument) -> list[tuple[str, str, bool]]:
    run, store = document["run"], document["store"]
    ended = f" to {wording.minute(run['finished'])}" if run["finished"] else ""
    return [
        ("Run", f"{run['number']}, {words.chain(document)}", False),
        ("When", f"{wording.minute(run['started'])}{ended}", False),
        ("Assessed as of", wording.minute(run["effective"]), False),
        ("Tool", shortened(run["tool"], 200), False),
        ("Population", run["population"], True),
        ("Chain of the run", run["chain"] or "none", True),
        ("Head of the chain", store["head"] or "none", True),
        ("Store", store["digest"], True),
    ]


def _first(document: FleetDocument) -> View:
    failing = [check for check in document["checks"] if check["counts"]["failed"]]
    failing.sort(key=lambda check: (SEVERITIES.index(check["severity"]), -check["counts"]["failed"]))
    worst = [document["images"][place] for place in document["worst"][:5]]
    bases = document["bases"]
    return {
        "bases": [_base(base) for base in bases["bases"][:5]],
        "placed": f"{bases['placed']:,} of {bases['occurrences']:,}",
        "checks": [{**_check(check, document), "to_do": opening(check["remediation"], 180)} for check in failing[:5]],
        "images": [_worst(image) for image in worst],
        "more_images": len(document["worst"]) - len(worst),
    }


def _worst(image: FleetImage) -> View:
    return {
        "name": shortened(words.image_name(image), 160),
        "anchor": _image_anchor(image),
        "failed": words.failed_counts(words.image_failures(image)),
        "owners": ", ".join(shortened(owner, 80) for owner in image["owners"]),
    }


def _part(part: FleetPart) -> View:
    return {
        "name": shortened(part["name"], 120) or "nobody",
        "key": anchor(part["name"]),
        "owners": ", ".join(shortened(owner, 80) for owner in part["owners"]),
        "images": words.total_images(part),
        "bar": _outcome_bar(part),
        "outcomes": [(word, part["outcomes"][word]) for word in words.SHOWN_OUTCOMES if part["outcomes"][word]],
        "failed": [(word, part["failed"][word]) for word in SEVERITIES if part["failed"][word]],
        "waived": part["waived"],
        "coverage": words.coverage_sentence(part["coverage"]),
    }


def _trend(trend: Sequence[TrendRun]) -> View:
    shown = list(trend[-_RUNS_MAX:])
    runs = [[(word, run["outcomes"][word]) for word in reversed(words.SHOWN_OUTCOMES)] for run in shown]
    failed = [[(f"severity-{word}", run["failed"][word]) for word in reversed(SEVERITIES)] for run in shown]
    return {
        "outcomes": html_charts.columns(runs, "Images by outcome in each run; the table below has the numbers"),
        "failed": html_charts.columns(failed, "Unwaived failures by severity in each run; the table has the numbers"),
        "rows": [
            {
                "number": run["number"],
                "date": run["started"][:10],
                "images": run["coverage"]["images"] + run["coverage"]["unresolved"],
                "outcomes": [run["outcomes"][word] for word in words.SHOWN_OUTCOMES],
                "failed": [run["failed"][word] for word in SEVERITIES],
                "new": run["new"],
                "fixed": run["fixed"],
            }
            for run in reversed(shown)
        ],
        "first": shown[0] if shown else None,
        "last": shown[-1] if shown else None,
        "more": len(trend) - len(shown),
    }


def _heat(document: FleetDocument) -> View:
    cells = {(cell["group"], cell["framework"]): cell for cell in document["heat"]}
    frameworks = document["frameworks"]
    return {
        "frameworks": [
            {"name": shortened(framework["name"], 60), "anchor": f"framework-{anchor(framework['id'])}"}
            for framework in frameworks
        ],
        "rows": [
            {
                "group": shortened(part["name"], 80),
                "cells": [
                    None
                    if (cell := cells.get((part["name"], framework["id"]))) is None
                    else {
                        "share": words.heat_share(cell),
                        "level": _level(words.heat_share(cell)),
                        "title": words.heat_title(cell),
                    }
                    for framework in frameworks
                ],
            }
            for part in document["groups"]
        ],
        "details": [
            {
                "name": framework["name"],
                "version": framework["version"],
                "anchor": f"framework-{anchor(framework['id'])}",
                "caveats": [shortened(caveat, 600) for caveat in framework["caveats"]],
                "contradicted": sum(bool(control["counts"]["contradicted"]) for control in framework["controls"]),
                "controls": [
                    {
                        "label": control["label"],
                        "title": shortened(control["title"], 240),
                        "bar": html_charts.stacked_bar(_statuses(control["counts"]), _told(control["counts"])),
                        "contradicted": control["counts"]["contradicted"],
                        "told": _told(control["counts"]),
                    }
                    for control in sorted(framework["controls"], key=lambda control: -control["counts"]["contradicted"])
                ],
            }
            for framework in frameworks
        ],
    }


def _level(share: int) -> int:
    """Which of the six tints a percentage has."""
    return sum(share > limit for limit in (0, 5, 15, 30, 50))


_STATUSES = (
    ("contradicted", "contradicted"),
    ("undetermined", "undetermined"),
    ("not-assessed", "not-assessed"),
    ("supported", "supported"),
    ("satisfied", "satisfied"),
    ("not-applicable", "not-applicable"),
)


def _statuses(counts: dict[str, int]) -> list[tuple[str, int]]:
    return [(name, counts[key]) for key, name in _STATUSES]


def _told(counts: dict[str, int]) -> str:
    named = {**wording.STATUSES, "not-assessed": "not assessed"}
    return ", ".join(f"{counts[key]:,} {named[key]}" for key, _ in _STATUSES if counts[key]) or "none"


def _ageing(document: FleetDocument) -> View:
    ageing = document["ageing"]
    most = max((part["open"] for part in ageing["bySeverity"]), default=0)
    return {
        "rows": [
            {
                "severity": part["severity"],
                "open": part["open"],
                "bar": html_charts.stacked_bar(
                    [
                        *((f"age{place}", number) for place, number in enumerate(part["byAge"])),
                        ("nothing", most - part["open"]),
                    ],
                    f"{part['severity']}: "
                    + ", ".join(f"{number} {age}" for number, age in zip(part["byAge"], words.AGES, strict=True)),
                ),
                "told": " · ".join(
                    f"{age}: {number:,}" for number, age in zip(part["byAge"], words.AGES, strict=True) if number
                ),
                "median_open": words.duration(part["medianOpen"]),
                "fixed": part["fixed"],
                "median_fix": words.duration(part["medianFix"]),
            }
            for part in ageing["bySeverity"]
        ],
        "oldest": [
            {
                "check": old["check"],
                "severity": old["severity"],
                "reference": shortened(words.name(old["reference"]), 160),
                "group": shortened(old["group"], 80),
                "since": f"run {old['since']}, {old['sinceTime'][:10]}",
                "age": words.duration(old["seconds"]),
            }
            for old in ageing["oldest"]
        ],
        "runs": ageing["runs"],
        "waiting": ageing["waiting"],
    }


def _changes(document: FleetDocument) -> View | None:
    changes = document["changes"]
    if changes is None:
        return None
    return {
        "sentence": words.changes_sentence(changes),
        "references": words.image_changes_sentence(changes),
        "before": changes["before"],
        "numbers": [
            {
                "kind": kind,
                "word": word,
                "number": changes["counts"].get(kind, 0),
                "meaning": words.CHANGE_MEANINGS[kind],
            }
            for kind, word in words.CHANGES.items()
            if changes["counts"].get(kind) or kind in ("new", "fixed", "still-open")
        ],
        "parts": [
            {
                "kind": kind,
                "title": words.CHANGES[kind].capitalize(),
                "meaning": words.CHANGE_MEANINGS[kind],
                "total": len(found),
                "rows": [_finding(one) for one in found[:ROWS_MAX]],
                "more": len(found) - ROWS_MAX,
            }
            for kind in words.CHANGES
            if (found := _gravest(one for one in changes["findings"] if one["kind"] == kind))
        ],
        "images": [
            {
                "kind": kind,
                "title": words.IMAGE_CHANGES[kind].capitalize(),
                "total": len(moved),
                "rows": [
                    {
                        "reference": shortened(words.name(one["reference"]), 160),
                        "group": shortened(one["group"], 80),
                        "before": ", ".join(wording.short_digest(value) for value in one["before"][:3]),
                        "after": ", ".join(wording.short_digest(value) for value in one["after"][:3]),
                        "reason": shortened(one["reason"] or "", 240),
                    }
                    for one in moved[:ROWS_MAX]
                ],
                "more": len(moved) - ROWS_MAX,
            }
            for kind in words.IMAGE_CHANGES
            if (moved := [one for one in changes["images"] if one["kind"] == kind])
        ],
    }


def _gravest(found: object) -> list[ChangedFinding]:
    rows: list[ChangedFinding] = list(found)  # type: ignore[call-overload]
    return sorted(
        rows,
        key=lambda one: SEVERITIES.index(one["severity"]) if one["severity"] in SEVERITIES else len(SEVERITIES),
    )


def _finding(one: ChangedFinding) -> View:
    before = {None: "its image was not there", "undetermined": "not determined before"}.get(one["before"], "")
    return {
        "check": one["check"],
        "severity": one["severity"],
        "reference": shortened(words.name(one["reference"]), 160),
        "group": shortened(one["group"], 80),
        "note": shortened(one["reason"] or (before if one["kind"] == "new" else ""), 240),
    }


def _base(base: FleetBase) -> View:
    return {
        "name": shortened(words.base_name(base), 120),
        "effect": words.base_effect(base),
        "cleared": base["cleared"],
        "images": base["images"],
        "findings": base["findings"],
        "checks": base["checks"][:_CHECKS_MAX],
        "groups": ", ".join(shortened(group, 60) for group in base["groups"][:_REFERENCES_MAX]),
        "created_by": shortened(base["createdBy"] or "", 160),
        "layer": base["layers"][-1],
        "layers": len(base["layers"]),
        "on": None if base["parent"] is None else base["parent"],
        "examples": [shortened(words.name(name), 120) for name in base["examples"]],
    }


def _check(check: FleetCheck, document: FleetDocument) -> View:
    counts = check["counts"]
    total = words.total_images(document["total"])
    parts = [
        ("failed", counts["failed"]),
        ("waived", counts["waived"]),
        ("unknown", counts["undetermined"]),
        ("not-assessed", counts["not-assessed"] + counts["not-run"]),
        ("passed", counts["passed"]),
        ("not-applicable", counts["not-applicable"] + counts["uncounted"]),
    ]
    told = {
        "failed": "failed",
        "waived": "waived",
        "unknown": "undetermined",
        "not-assessed": "not assessed or not run",
    }
    told |= {"passed": "passed", "not-applicable": "not applicable or not counted"}
    label = ", ".join(f"{number:,} {told[name]}" for name, number in parts if number)
    return {
        "id": check["id"],
        "anchor": f"check-{anchor(check['id'])}",
        "title": shortened(check["title"], 200),
        "severity": check["severity"],
        "failed": counts["failed"],
        "share": f"{counts['failed']:,} of {total:,}",
        "label": label,
        "bar": html_charts.stacked_bar(parts, f"{check['id']}: {label}"),
        "rationale": shortened(check["rationale"], 600),
        "remediation": shortened(check["remediation"], 800),
    }


def _image_anchor(image: FleetImage) -> str:
    return f"image-{anchor(image['digest'])[-20:]}-{anchor(image['policy'])[-8:]}"


def _images(document: FleetDocument) -> View:
    worst = [document["images"][place] for place in document["worst"]]
    others = set(range(len(document["images"]))) - set(document["worst"])
    order = {"not-verified": 0, "not-satisfied": 1, "not-determined": 2, "satisfied": 3}
    rest = sorted(
        (document["images"][place] for place in others),
        key=lambda image: (order.get(image["outcome"], 2), image["references"]),
    )
    images = [*worst, *rest]
    shown = images[:IMAGES_MAX]
    outcomes = [word for word in words.SHOWN_OUTCOMES if any(image["outcome"] == word for image in shown)]
    checks = sorted({check["check"] for image in shown for check in image["failed"]})
    return {
        "rows": [_image(image) for image in shown],
        "more": len(images) - len(shown),
        "outcomes": [(word, words.OUTCOMES[word]) for word in outcomes],
        "groups": sorted({group for image in shown for group in image["groups"]}),
        "owners": sorted({owner for image in shown for owner in image["owners"]}),
        "checks": checks,
    }


def _image(image: FleetImage) -> View:
    failures = words.image_failures(image)
    references = [shortened(words.name(name), 200) for name in image["references"]]
    state = words.STATES.get(image["state"], image["state"])
    assessed = f"{state} {image['assessedAt'][:10]}" if image["assessedAt"] else state
    return {
        "anchor": _image_anchor(image),
        "name": references[0] if references else image["digest"],
        "references": references[1:_REFERENCES_MAX],
        "more_references": len(references) - _REFERENCES_MAX,
        "digest": image["digest"],
        "outcome": image["outcome"],
        "word": words.OUTCOMES.get(image["outcome"], image["outcome"]),
        "groups": image["groups"],
        "owners": image["owners"],
        "failures": [(word, number) for word, number in failures.items() if number],
        "facts": [
            fact
            for fact in (
                assessed,
                image["distribution"],
                f"user {image['user']}" if image["user"] else None,
                image["platform"],
                f"profile {image['profile']}" if image["profile"] else None,
            )
            if fact
        ],
        "reason": shortened(image["reason"], 400) if image["reason"] else None,
        "failed": [
            {
                "id": check["check"],
                "severity": check["severity"],
                "note": ", ".join(
                    part
                    for part in (
                        wording.count(check["findings"], "observation"),
                        f"since run {check['since']} ({check['sinceTime'][:10]})",
                        f"waived by {shortened(check['waiver'], 60)}" if check["waiver"] else None,
                        None if check["counts"] else "does not count",
                    )
                    if part
                ),
            }
            for check in sorted(image["failed"], key=lambda check: SEVERITIES.index(check["severity"]))
        ][:_CHECKS_MAX],
        "undetermined": image["undetermined"][:_CHECKS_MAX],
        "passed": image["passed"],
        "assessment": image["assessment"],
        "checks": [check["check"] for check in image["failed"]],
    }


def _missing(document: FleetDocument) -> View:
    rows = [
        {
            "reference": shortened(words.name(one["reference"]), 160),
            "group": shortened(one["group"], 80),
            "owner": shortened(one["owner"], 80),
            "why": words.reason("unresolved"),
            "reason": shortened(one["reason"], 300),
        }
        for one in document["unresolved"]
    ]
    rows += [
        {
            "reference": shortened(words.image_name(image), 160),
            "group": ", ".join(image["groups"]),
            "owner": ", ".join(image["owners"]),
            "why": words.reason(image["code"] or "not-determined"),
            "reason": shortened(image["reason"] or "", 300),
        }
        for image in document["images"]
        if image["assessment"] is None
    ]
    return {"rows": rows[:ROWS_MAX], "more": len(rows) - ROWS_MAX, "total": len(rows)}


def _waiver(waiver: FleetWaiver) -> View:
    left = waiver["daysLeft"]
    end = "without an end"
    if waiver["expires"]:
        end = f"until {waiver['expires'][:10]}"
        if left is not None:
            end += f" ({wording.count(left, 'day')} left)" if left >= 0 else f" ({wording.count(-left, 'day')} ago)"
    return {
        "id": shortened(waiver["id"], 80),
        "check": waiver["check"],
        "status": words.WAIVER_STATUS[waiver["standing"]],
        "word": words.WAIVER_STANDINGS[waiver["standing"]],
        "reason": shortened(waiver["reason"], 600),
        "approver": shortened(waiver["approver"], 120),
        "ticket": shortened(waiver["ticket"] or "", 80),
        "end": end,
        "applied": wording.count(waiver["applied"], "image"),
    }


def _period(period: FleetPeriod) -> View:
    return {
        "since": wording.minute(period["since"]),
        "until": wording.minute(period["until"]),
        "sentence": words.gaps_sentence(period),
        "runs": ", ".join(str(number) for number in period["runs"]),
        "number": len(period["runs"]),
        "gaps": [
            (wording.minute(gap["since"]), wording.minute(gap["until"]), gap["missed"])
            for gap in period["gaps"][:ROWS_MAX]
        ],
        "population": period["population"],
        "rule": period["rule"],
        "seed": period["seed"],
        "sample": [
            {
                "number": number,
                "name": shortened(words.name(one["references"][0]), 160) if one["references"] else "",
                "digest": one["digest"],
                "outcome": one["outcome"],
                "word": words.OUTCOMES.get(one["outcome"], one["outcome"]),
                "runs": ", ".join(str(run) for run in one["runs"]),
                "assessment": one["assessment"] or "none",
            }
            for number, one in enumerate(period["sample"][:_SAMPLE_MAX], 1)
        ],
        "more": len(period["sample"]) - _SAMPLE_MAX,
    }
