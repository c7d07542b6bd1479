"""A comparison for the terminal: the answer on top, then what changed, most important first."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from reports import drift_wording, terminal
from reports.drift_document import AreaDocument, DriftDocument, SideDocument

if TYPE_CHECKING:
    from rich.console import Console

DEFAULT_WIDTH = 80
_LISTED_MAX = 12
_SENTENCES_MAX = 10
_LABEL_WIDTH = 9  # with a digest after it a line has exactly 80 columns
_OUTCOME_STYLES = {
    "same": "bold white on green",
    "different": "bold white on red",
    "not-determined": "bold black on yellow",
}
_MARK_STYLES = {"added": "green", "removed": "red", "changed": "yellow"}


def render(document: DriftDocument, *, color: bool = False, width: int = DEFAULT_WIDTH) -> str:
    """The comparison as text of `width` columns, with ANSI colours when `color`."""
    from rich.text import Text

    out = io.StringIO()
    console = terminal.console(out, color=color, width=width)
    outcome = document["summary"]["outcome"]
    verdict = Text(f" {drift_wording.OUTCOMES[outcome]} ", style=_OUTCOME_STYLES[outcome])
    console.print(Text.assemble(verdict, "  ", drift_wording.verdict_sentence(document)))
    console.print()
    _facts(console, document)
    for area in document["areas"]:
        _area(console, area, drift_wording.area_title(area))
    for area in document["normalAtRunTime"]:
        _area(console, area, f"Normal at run time: {drift_wording.area_counts(area)}")
    _sentences(console, "Not compared", document["notCompared"])
    _sentences(console, "Not read", document["unread"])
    return "\n".join(line.rstrip() for line in out.getvalue().rstrip("\n").split("\n")) + "\n"


def _facts(console: Console, document: DriftDocument) -> None:
    from rich.table import Table

    facts = Table.grid(padding=0)
    facts.add_column(width=_LABEL_WIDTH, style="dim")
    facts.add_column(overflow="fold")
    for label, side in (("Before", document["before"]), ("After", document["after"])):
        facts.add_row(label, _side(side))
        facts.add_row("", side["digest"])
    for label, text in (
        ("Layers", drift_wording.layers_sentence(document)),
        ("Writable", drift_wording.writable_sentence(document)),
        ("Carried", drift_wording.carried_sentence(document)),
        ("Run time", drift_wording.normal_sentence(document)),
    ):
        if text is not None:
            facts.add_row(label, text)
    console.print(facts)
    console.print()


def _side(side: SideDocument) -> str:
    platform = f", {side['platform']}" if side["platform"] else ""
    return f"{side['reference']} ({side['kind']}{platform})"


def _area(console: Console, area: AreaDocument, title: str) -> None:
    from rich.padding import Padding
    from rich.text import Text

    console.print(Text(title, style="bold underline"))
    for difference in drift_wording.ordered(area)[:_LISTED_MAX]:
        told = drift_wording.told(area["area"], difference)
        mark = (f"{drift_wording.MARKS[difference['change']]} ", _MARK_STYLES[difference["change"]])
        line = Text.assemble(mark, drift_wording.cut(difference["subject"]))
        if told and len(line) + len(told) + 2 <= console.width:
            line.append(f"  {told}", style="dim")
            console.print(line)
            continue
        console.print(line)
        if told:
            console.print(Padding(Text(told, style="dim"), (0, 0, 0, 4)))
    more = drift_wording.area_total(area) - min(len(area["differences"]), _LISTED_MAX)
    if more > 0:
        console.print(Padding(Text(f"+{more:,} more; -o json lists them", style="dim"), (0, 0, 0, 2)))
    console.print()


def _sentences(console: Console, title: str, sentences: list[str]) -> None:
    from rich.text import Text

    if not sentences:
        return
    console.print(Text(title, style="bold underline"))
    for text in sentences[:_SENTENCES_MAX]:
        console.print(Text(f"? {text}"))
    if (more := len(sentences) - _SENTENCES_MAX) > 0:
        console.print(Text(f"+{more} more; -o json lists them", style="dim"))
    console.print()
