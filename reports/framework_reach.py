"""How far the checks reach into each framework: the image alone, other evidence, or not at all, and what was left out.

No control is missing in silence: what no check bears on is named by the part of its framework that it is in, with
the reason why an image can't tell.
"""

from __future__ import annotations

from collections.abc import Mapping

from reports import findings, wording
from reports.document import Check, Control, Document, Framework
from reports.text import anchor, shortened, stopped

REACHES = ("image", "other-evidence", "none")
"""From far to not at all."""
_LABELS_MAX, _PARTS_MAX = 400, 40

View = dict[str, object]


def coverage(document: Document) -> dict[str, object]:
    """What the templates need for the chapter: each framework's controls by reach, and what checks ask for besides."""
    checks = {check["id"]: check for check in document["checks"]}
    found = {reach(control, checks) for control in document["controls"]}
    reaches = tuple(one for one in REACHES if one in found)
    return {
        "coverage": [_framework(document, framework, checks, reaches) for framework in document["frameworks"]],
        "reaches": [wording.REACHES[one] for one in reaches],
        "asks_for": [
            {
                "id": check["id"],
                "anchor": f"check-{anchor(check['id'])}",
                "needs": stopped(shortened(check["needs"] or "")),
                "outcome": check["outcome"],
                "word": wording.OUTCOMES[check["outcome"]],
            }
            for check in document["checks"]
            if check["needs"] is not None
        ],
    }


def reach(control: Control, checks: Mapping[str, Check]) -> str:
    """How far checks reach the control: by the best of those that were run."""
    run = [checks[mapped["check"]] for mapped in control["mapping"] if mapped["check"] in checks]
    if any(check["needs"] is None for check in run):
        return "image"
    return "other-evidence" if run else "none"


def _framework(document: Document, framework: Framework, checks: Mapping[str, Check], reaches: tuple[str, ...]) -> View:
    labels: dict[str, list[str]] = {one: [] for one in REACHES}
    for control in findings.of_framework(document, framework["id"]):
        labels[reach(control, checks)].append(shortened(control["label"], 40))
    return {
        "anchor": f"framework-{anchor(framework['id'])}",
        "title": shortened(f"{framework['name']} {framework['version']}".strip(), 120),
        "counts": [len(labels[one]) for one in reaches],
        "parts": [
            {"reach": wording.REACHES[one], "number": len(found), "labels": _listed(found)}
            for one, found in labels.items()
            if found
        ],
        "left_out": [
            {"what": shortened(part["what"]), "why": stopped(shortened(part["why"]))}
            for part in framework["leftOut"][:_PARTS_MAX]
        ],
        "more_left_out": len(framework["leftOut"]) - _PARTS_MAX,
    }


def _listed(labels: list[str]) -> str:
    more = f" and {len(labels) - _LABELS_MAX:,} more" if len(labels) > _LABELS_MAX else ""
    return ", ".join(labels[:_LABELS_MAX]) + more
