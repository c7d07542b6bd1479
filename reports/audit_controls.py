"""The chapter on controls: a map of all, then those that a check speaks for or against, and the others in brief."""

from __future__ import annotations

from collections.abc import Mapping

from reports import findings, wording
from reports.audit_charts import squares
from reports.document import Control, Document
from reports.text import anchor, control_anchor, shortened

_CHECKS_MAX = 6
"""Checks named for one control; the others are counted."""
_TOLD_MAX, _BRIEF_MAX = 320, 640
"""Controls told of in one line each, and controls that are only listed, in the whole chapter."""
_DECIDING: Mapping[str, tuple[str, ...]] = {
    "contradicted": ("failed",),
    "satisfied": ("passed",),
    "supported": ("passed",),
}
"""By status, the outcomes of the checks that make it; the other statuses are those of controls without an answer."""


def controls(document: Document) -> dict[str, object]:
    """What the template needs for the chapter."""
    outcomes = {check["id"]: check["outcome"] for check in document["checks"]}
    told, brief = _Room(_TOLD_MAX), _Room(_BRIEF_MAX)
    frameworks = [
        {
            "id": anchor(framework["id"]),
            "title": shortened(f"{framework['name']} {framework['version']}".strip(), 120),
            "caveats": shortened(" ".join(framework["caveats"]), 1_200),
            "source": shortened(framework["source"], 480),
            **_told(findings.of_framework(document, framework["id"]), outcomes, told, brief),
        }
        for framework in document["frameworks"]
    ]
    return {
        "statuses": [
            (status, wording.STATUSES[status], wording.STATUS_MEANINGS[status]) for status in findings.STATUSES
        ],
        "relations": tuple(wording.RELATION_MEANINGS.items()),
        "frameworks": frameworks,
        "told": frozenset(told.anchors),
    }


class _Room:
    """How many more controls can be printed, and the anchors of those that were."""

    def __init__(self, most: int) -> None:
        self.left = most
        self.anchors: list[str] = []

    def take(self, wanted: list[Control]) -> list[Control]:
        taken = wanted[: self.left]
        self.left -= len(taken)
        self.anchors += [control_anchor(control) for control in taken]
        return taken


def _told(found: list[Control], outcomes: Mapping[str, str], told: _Room, brief: _Room) -> dict[str, object]:
    counts = findings.status_counts(found)
    words = ", ".join(f"{counts[status]} {wording.STATUSES[status]}" for status in findings.STATUSES if counts[status])
    in_order = [status for status in findings.STATUSES for _ in range(counts[status])]
    groups = []
    for status in findings.STATUSES:
        of_status = [control for control in found if control["status"] == status]
        if of_status:
            groups.append(_group(status, of_status, outcomes, told if status in _DECIDING else brief))
    return {
        "counts": [counts[status] for status in findings.STATUSES],
        "counts_text": words or "no controls",
        "map": squares(in_order, words, side=7.5, columns=22) if in_order else "",
        "groups": groups,
    }


def _group(status: str, found: list[Control], outcomes: Mapping[str, str], room: _Room) -> dict[str, object]:
    """The controls of one status: with the checks that decide, where any do."""
    shown = room.take(found)
    return {
        "status": status,
        "word": f"{wording.STATUSES[status].capitalize()} ({len(found)})",
        "told": status in _DECIDING,
        "controls": [_line(control, outcomes) if status in _DECIDING else _brief(control) for control in shown],
        "more": len(found) - len(shown),
    }


def _line(control: Control, outcomes: Mapping[str, str]) -> dict[str, object]:
    deciding = [check for check in control["checks"] if outcomes.get(check) in _DECIDING[control["status"]]]
    notes = ("waived" if control["waived"] else "", wording.bearing(control), wording.baselines(control))
    return {
        **_brief(control),
        "notes": "; ".join(filter(None, notes)),
        "checks": deciding[:_CHECKS_MAX],
        "more_checks": len(deciding) - _CHECKS_MAX,
    }


def _brief(control: Control) -> dict[str, object]:
    unconfirmed = "" if control["confirmed"] else " (id or title not confirmed in the source)"
    return {
        "anchor": control_anchor(control),
        "label": shortened(control["label"], 40),
        "title": shortened(control["title"], 160) + unconfirmed,
    }
