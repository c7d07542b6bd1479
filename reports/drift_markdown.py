"""A comparison in GitHub-flavoured Markdown, for a CI job's page or a pull request."""

from __future__ import annotations

from reports import drift_wording
from reports.drift_document import AreaDocument, DriftDocument
from reports.markdown import escape

_LISTED_MAX = 20


def render(document: DriftDocument) -> bytes:
    """The answer, the two sides, a table of counts, and the differences by area."""
    outcome = drift_wording.OUTCOMES[document["summary"]["outcome"]]
    lines = [f"## Hullmark diff: {outcome}", "", drift_wording.verdict_sentence(document), ""]
    for label, side in (("Before", document["before"]), ("After", document["after"])):
        platform = f", {escape(side['platform'])}" if side["platform"] else ""
        lines.append(f"- {label}: {escape(side['reference'])} ({side['kind']}{platform}) {escape(side['digest'])}")
    for label, text in (
        ("Layers", drift_wording.layers_sentence(document)),
        ("What the runtime user can change", drift_wording.writable_sentence(document)),
        ("Carried", drift_wording.carried_sentence(document)),
        ("Normal at run time", drift_wording.normal_sentence(document)),
    ):
        if text is not None:
            lines.append(f"- {label}: {escape(text)}")
    if document["areas"]:
        lines += ["", "| Area | Added | Removed | Changed |", "| --- | ---: | ---: | ---: |"]
        lines += [
            f"| {drift_wording.AREAS[area['area']]} | {area['added']} | {area['removed']} | {area['changed']} |"
            for area in document["areas"]
        ]
    for area in document["areas"]:
        lines += _area(area, drift_wording.AREAS[area["area"]])
    for area in document["normalAtRunTime"]:
        lines += _area(area, "Normal at run time")
    for title, sentences in (("Not compared", document["notCompared"]), ("Not read", document["unread"])):
        if sentences:
            lines += ["", f"### {title}", "", *(f"- {escape(text)}" for text in sentences[:_LISTED_MAX])]
    return ("\n".join(lines) + "\n").encode()


def _area(area: AreaDocument, title: str) -> list[str]:
    lines = ["", f"### {title}", ""]
    for difference in drift_wording.ordered(area)[:_LISTED_MAX]:
        told = drift_wording.told(area["area"], difference)
        subject = escape(drift_wording.cut(difference["subject"]))
        lines.append(f"- {difference['change']} **{subject}**" + (f": {escape(told)}" if told else ""))
    more = drift_wording.area_total(area) - min(len(area["differences"]), _LISTED_MAX)
    return [*lines, f"- +{more:,} more"] if more > 0 else lines
