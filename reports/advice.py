"""Compatibility advice as a document, and that document as a table, as Markdown and as a Dockerfile."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any, TypedDict

from compliance.model.advice import Advice, CompatibilityAdvice, Impact, Obstacle, Place, Subject
from compliance.model.filesystem import display_path
from reports import terminal, wording
from reports.markdown import escape
from reports.redaction import redact
from reports.text import clean, sentence

if TYPE_CHECKING:
    from rich.console import Console

SCHEMA_VERSION = "1"
PLACES_SHOWN = 4
DEFAULT_WIDTH = 80


class PlaceDocument(TypedDict):
    """Where an advice comes from; keys that do not apply are null."""

    path: str | None
    layer: int | None
    line: int | None
    config: str | None
    dockerfileLine: int | None
    package: str | None
    text: str | None


class AdviceItem(TypedDict):
    """One advice."""

    id: str
    impact: str
    what: str
    places: list[PlaceDocument]
    wayOut: str


class ObstacleDocument(TypedDict):
    """One line that a shell script can't be unfolded for."""

    place: PlaceDocument
    reason: str
    wayOut: str


class SubjectDocument(TypedDict):
    """An image."""

    reference: str
    digest: str
    platform: str | None


class GapDocument(TypedDict):
    """Something not determined."""

    what: str
    decisive: bool


class ProposalDocument(TypedDict):
    """The Dockerfile; `complete` is false where obstacles keep it from having an entry point."""

    dockerfile: str
    complete: bool
    obstacles: list[ObstacleDocument]
    leftOut: list[str]
    runWith: list[str]


class AdviceDocument(TypedDict):
    """The format `json` of ``hullmark advise``."""

    schemaVersion: str
    subject: SubjectDocument
    target: SubjectDocument | None
    dockerfile: str | None
    summary: dict[str, Any]
    advice: list[AdviceItem]
    gaps: list[GapDocument]
    proposal: ProposalDocument | None
    debugging: list[str]


def document(advice: CompatibilityAdvice) -> AdviceDocument:
    """The document of `advice`, with what may be a secret withheld. Texts are one line each, fit to print."""
    proposal = advice.proposal
    return AdviceDocument(
        schemaVersion=SCHEMA_VERSION,
        subject=_subject(advice.subject),
        target=_subject(advice.target) if advice.target is not None else None,
        dockerfile=advice.dockerfile,
        summary={
            "outcome": _outcome(advice),
            **{_key(impact): sum(one.impact is impact for one in advice.advice) for impact in reversed(Impact)},
            "notDetermined": len(advice.gaps),
        },
        advice=[_item(one) for one in advice.advice],
        gaps=[GapDocument(what=_text(gap.what), decisive=gap.decisive) for gap in advice.gaps],
        proposal=None
        if proposal is None
        else ProposalDocument(
            dockerfile="\n".join(clean(redact(line)) for line in proposal.text.split("\n")),
            complete=not proposal.obstacles,
            obstacles=[_obstacle(one) for one in proposal.obstacles],
            leftOut=[_text(text) for text in proposal.left_out],
            runWith=[_text(text) for text in proposal.run_with],
        ),
        debugging=list(advice.debugging),
    )


def _outcome(advice: CompatibilityAdvice) -> str:
    if any(one.impact is Impact.BREAKS for one in advice.advice):
        return "breaks"
    return "not-determined" if any(gap.decisive for gap in advice.gaps) else "nothing-breaks"


def _key(impact: Impact) -> str:
    first, *rest = str(impact).split(" ")
    return first + "".join(word.capitalize() for word in rest)


def _subject(subject: Subject) -> SubjectDocument:
    return SubjectDocument(reference=_text(subject.reference), digest=subject.digest, platform=subject.platform)


def _item(one: Advice) -> AdviceItem:
    return AdviceItem(
        id=one.id,
        impact=_key(one.impact),
        what=_text(one.what),
        places=[_place(place) for place in one.places],
        wayOut=_text(one.way_out),
    )


def _obstacle(one: Obstacle) -> ObstacleDocument:
    return ObstacleDocument(place=_place(one.place), reason=_text(one.reason), wayOut=_text(one.way_out))


def _place(place: Place) -> PlaceDocument:
    return PlaceDocument(
        path=display_path(place.path) if place.path is not None else None,
        layer=place.layer,
        line=place.line,
        config=place.config,
        dockerfileLine=place.dockerfile_line,
        package=place.package,
        text=_text(place.text) if place.text is not None else None,
    )


def _text(text: str) -> str:
    return sentence(redact(text))


def render_json(shape: AdviceDocument) -> bytes:
    """The document itself."""
    return (json.dumps(shape, indent=2, ensure_ascii=False) + "\n").encode()


def render_dockerfile(shape: AdviceDocument) -> bytes:
    """The proposed Dockerfile; a comment where there is none."""
    proposal = shape["proposal"]
    return (
        proposal["dockerfile"] if proposal is not None else "# No proposal: the image has no configuration.\n"
    ).encode()


_HEADINGS = {
    "breaks": "Breaks",
    "mayBreak": "May break",
    "improve": "To improve",
}
_VERDICTS = {
    "breaks": "BREAKS",
    "not-determined": "NOT DETERMINED",
    "nothing-breaks": "NOTHING BREAKS",
}


def where(place: PlaceDocument) -> str:
    """``/entrypoint.sh:12 (layer 3), Dockerfile:7``: the place in a few words."""
    parts = []
    if place["path"] is not None:
        line = f":{place['line']}" if place["line"] is not None else ""
        layer = f" (layer {place['layer'] + 1})" if place["layer"] is not None else ""
        parts.append(f"{place['path']}{line}{layer}")
    if place["config"] is not None:
        parts.append(f"image config {place['config']}")
    if place["path"] is None and place["package"] is not None:
        parts.append(place["package"])
    if place["dockerfileLine"] is not None:
        parts.append(f"Dockerfile:{place['dockerfileLine']}")
    return ", ".join(parts)


def _shown(place: PlaceDocument) -> str:
    place_text, text = where(place), place["text"] or (place["package"] if place["path"] is not None else None)
    return f"{place_text}: {text}" if place_text and text else place_text or text or ""


def verdict(shape: AdviceDocument) -> str:
    """One sentence for the whole."""
    summary = shape["summary"]
    target = shape["target"]["reference"] if shape["target"] is not None else "a bare hardened runtime"
    counts = f"{summary['breaks']} break, {summary['mayBreak']} may break, {summary['improve']} to improve"
    return f"Moving to {target}: {counts}; {wording.count(summary['notDetermined'], 'question')} left open."


def render_table(shape: AdviceDocument, *, color: bool = False, width: int = DEFAULT_WIDTH) -> bytes:
    """For a terminal: the verdict, the advice by impact, obstacles, open questions, the Dockerfile."""
    from rich.padding import Padding
    from rich.text import Text

    out = io.StringIO()
    console = terminal.console(out, color=color, width=width)
    style = {"breaks": "bold white on red", "not-determined": "bold black on yellow"}.get(
        shape["summary"]["outcome"], "bold white on green"
    )
    console.print(Text.assemble((f" {_VERDICTS[shape['summary']['outcome']]} ", style), "  ", verdict(shape)))
    console.print(Text(f"{shape['subject']['reference']} {shape['subject']['digest']}", style="dim"))
    for impact, heading in _HEADINGS.items():
        items = [one for one in shape["advice"] if one["impact"] == impact]
        if items:
            console.print(Text(f"\n{heading} ({len(items)})", style="bold underline"))
        for one in items:
            console.print(Text.assemble((f"{one['id']}  ", "bold"), one["what"]))
            for place in one["places"][:PLACES_SHOWN]:
                console.print(Padding(Text(_shown(place), style="cyan"), (0, 0, 0, 4)))
            if (more := len(one["places"]) - PLACES_SHOWN) > 0:
                console.print(Padding(Text(f"+{more} more", style="dim"), (0, 0, 0, 4)))
            console.print(Padding(Text.assemble(("Way out: ", "bold"), one["wayOut"]), (0, 0, 0, 2)))
    _obstacles(console, shape)
    _listing(console, "Not determined", [gap["what"] for gap in shape["gaps"]])
    proposal = shape["proposal"]
    if proposal is not None:
        _listing(console, "Not copied", proposal["leftOut"])
        console.print(Text("\nProposed Dockerfile (-o dockerfile=FILE)", style="bold underline"))
        console.print(Text(proposal["dockerfile"].rstrip("\n")), soft_wrap=True)
        console.print(Text(f"\nRun it with {' '.join(proposal['runWith'])}", style="bold"))
    _listing(console, "Looking into a running container", shape["debugging"])
    return "\n".join(line.rstrip() for line in out.getvalue().split("\n")).encode()


def _obstacles(console: Console, shape: AdviceDocument) -> None:
    from rich.padding import Padding
    from rich.text import Text

    proposal = shape["proposal"]
    if proposal is None or not proposal["obstacles"]:
        return
    console.print(
        Text(f"\nObstacles to an entry point without a shell ({len(proposal['obstacles'])})", style="bold underline")
    )
    for one in proposal["obstacles"]:
        console.print(Text.assemble((f"{_shown(one['place'])}", "cyan")))
        console.print(Padding(Text(f"{one['reason']}. Way out: {one['wayOut']}."), (0, 0, 0, 4)))


def _listing(console: Console, heading: str, lines: list[str]) -> None:
    from rich.padding import Padding
    from rich.text import Text

    if lines:
        console.print(Text(f"\n{heading}", style="bold underline"))
    for line in lines:
        console.print(Padding(Text(f"- {line}"), (0, 0, 0, 0)))


def render_markdown(shape: AdviceDocument) -> bytes:
    """For a pull request or a page."""
    lines = [f"## Hullmark advice: {_VERDICTS[shape['summary']['outcome']]}", "", escape(verdict(shape)), ""]
    lines.append(f"- Image: {escape(shape['subject']['reference'])} {escape(shape['subject']['digest'])}")
    if shape["target"] is not None:
        lines.append(f"- Target: {escape(shape['target']['reference'])} {escape(shape['target']['digest'])}")
    if shape["dockerfile"] is not None:
        lines.append(f"- Dockerfile: {escape(shape['dockerfile'])}")
    for impact, heading in _HEADINGS.items():
        items = [one for one in shape["advice"] if one["impact"] == impact]
        if items:
            lines += ["", f"### {heading}", ""]
        for one in items:
            lines.append(f"- **{escape(one['id'])}** {escape(one['what'])}")
            lines += [f"  - {escape(_shown(place))}" for place in one["places"][:PLACES_SHOWN]]
            if (more := len(one["places"]) - PLACES_SHOWN) > 0:
                lines.append(f"  - +{more} more")
            lines.append(f"  - Way out: {escape(one['wayOut'])}")
    proposal = shape["proposal"]
    if proposal is not None and proposal["obstacles"]:
        lines += ["", "### Obstacles to an entry point without a shell", ""]
        lines += [
            f"- {escape(_shown(one['place']))}: {escape(one['reason'])}. Way out: {escape(one['wayOut'])}."
            for one in proposal["obstacles"]
        ]
    lines += _markdown_list("Not determined", [gap["what"] for gap in shape["gaps"]])
    if proposal is not None:
        lines += _markdown_list("Not copied", proposal["leftOut"])
        fence = "`" * max(3, _longest_run(proposal["dockerfile"]) + 1)
        lines += ["", "### Proposed Dockerfile", "", f"{fence}dockerfile", proposal["dockerfile"].rstrip("\n"), fence]
        lines += ["", f"Run it with {escape(' '.join(proposal['runWith']))}"]
    lines += _markdown_list("Looking into a running container", shape["debugging"])
    return ("\n".join(lines) + "\n").encode()


def _markdown_list(heading: str, items: list[str]) -> list[str]:
    return ["", f"### {heading}", "", *(f"- {escape(item)}" for item in items)] if items else []


def _longest_run(text: str) -> int:
    """The longest run of backticks: a fence has to be longer."""
    longest = run = 0
    for char in text:
        run = run + 1 if char == "`" else 0
        longest = max(longest, run)
    return longest
