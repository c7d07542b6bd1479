"""The fleet report for the terminal: how the images stand, what changed, what to do first, and the groups."""

from __future__ import annotations

import io
from collections.abc import Collection
from typing import TYPE_CHECKING

from reports import fleet_wording as words
from reports import terminal, wording
from reports.findings import SEVERITIES
from reports.fleet_document import FleetChanges, FleetDocument
from reports.text import shortened

if TYPE_CHECKING:
    from rich.console import Console

DEFAULT_WIDTH = 80
_ROWS_MAX = 8
_CHANGES_MAX = 5
_DIFF_MAX = 25
_TOLD = ("new", "waiver-ended", "fixed")
"""The kinds of changes that the report lists; the others it counts."""
_STYLES = {
    "not-satisfied": "red",
    "not-verified": "red",
    "not-determined": "yellow",
    "satisfied": "green",
}
_CHANGE_STYLES = {"new": "red", "waiver-ended": "red", "fixed": "green", "no-longer-determined": "yellow"}


def render(document: FleetDocument, *, color: bool = False, width: int = DEFAULT_WIDTH) -> str:
    """The report as text of `width` columns, with ANSI colours when `color`. Colour repeats what the words say."""
    from rich.text import Text

    out = io.StringIO()
    console = terminal.console(out, color=color, width=width)
    run = document["run"]
    title = f"Fleet {shortened(document['fleet'], 40)}, run {run['number']}, {wording.minute(run['started'])}"
    console.print(Text(title, style="bold"))
    console.print(_counts(document))
    console.print(Text(words.failures_sentence(document["total"])))
    console.print(Text(words.coverage_sentence(document["total"]["coverage"]), style="dim"))
    if document["period"] is not None:
        console.print(Text(words.gaps_sentence(document["period"])))
    console.print()
    if document["changes"] is not None:
        _changes(console, document["changes"], _TOLD, _CHANGES_MAX)
    _groups(console, document)
    _first(console, document)
    _waivers(console, document)
    console.print(Text(f"Chain {run['chain'] or 'none'}", style="dim"))
    return _lines(out)


def render_changes(fleet: str, changes: FleetChanges, *, color: bool = False, width: int = DEFAULT_WIDTH) -> str:
    """What changed between two runs, likewise."""
    from rich.text import Text

    out = io.StringIO()
    console = terminal.console(out, color=color, width=width)
    title = f"Fleet {shortened(fleet, 40)}, run {changes['before']} to run {changes['after']}"
    console.print(Text(title, style="bold"))
    _changes(console, changes, words.CHANGES, _DIFF_MAX)
    return _lines(out)


def _lines(out: io.StringIO) -> str:
    return "\n".join(line.rstrip() for line in out.getvalue().rstrip("\n").split("\n")) + "\n"


def _counts(document: FleetDocument) -> object:
    from rich.text import Text

    parts: list[Text | tuple[str, str]] = [Text(f"{words.total_images(document['total']):,} images: ")]
    shown = [word for word in words.SHOWN_OUTCOMES if document["total"]["outcomes"][word]]
    for place, word in enumerate(shown):
        parts.append((f"{document['total']['outcomes'][word]:,} {words.OUTCOMES[word]}", f"bold {_STYLES[word]}"))
        parts.append(Text(", " if place < len(shown) - 1 else ""))
    return Text.assemble(*parts)


def _changes(console: Console, changes: FleetChanges, kinds: Collection[str], most: int) -> None:
    from rich.text import Text

    console.print(Text(words.changes_sentence(changes)))
    console.print(Text(words.image_changes_sentence(changes), style="dim"))
    order = {severity: place for place, severity in enumerate(SEVERITIES)}
    for kind in (kind for kind in words.CHANGES if kind in kinds):
        found = [one for one in changes["findings"] if one["kind"] == kind]
        found.sort(key=lambda one: order.get(one["severity"], len(order)))
        if found:
            console.print(Text(f"{words.CHANGES[kind].capitalize()} ({len(found):,})", style="bold underline"))
        for one in found[:most]:
            mark = (f"{words.CHANGE_MARKS[kind]} ", _CHANGE_STYLES.get(kind, "default"))
            line = Text.assemble(mark, f"{one['check']} {one['severity']}  ", words.name(one["reference"]))
            line.append(f"  {one['reason']}" if one["reason"] else "", style="dim")
            console.print(line)
        if (more := len(found) - most) > 0:
            console.print(Text(f"+{more:,} more; -o json lists them", style="dim"))
    console.print()


def _groups(console: Console, document: FleetDocument) -> None:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, header_style="bold")
    table.add_column("Group", overflow="fold", ratio=1)
    for name in ("Images", "Not sat.", "Not det.", "Sat.", "Critical", "High"):
        table.add_column(name, justify="right", no_wrap=True)
    for part in document["groups"]:
        outcomes = part["outcomes"]
        table.add_row(
            shortened(part["name"], 60),
            f"{words.total_images(part):,}",
            f"{outcomes['not-satisfied'] + outcomes['not-verified']:,}",
            f"{outcomes['not-determined']:,}",
            f"{outcomes['satisfied']:,}",
            f"{part['failed']['critical']:,}",
            f"{part['failed']['high']:,}",
        )
    console.print(table)
    console.print()


def _first(console: Console, document: FleetDocument) -> None:
    from rich.text import Text

    bases = document["bases"]["bases"]
    if bases:
        console.print(Text("Fix once, clear many", style="bold underline"))
    for base in bases[:4]:
        told = f": mending it {words.base_effect(base)} ({', '.join(base['checks'][:6])})"
        console.print(Text.assemble((words.base_name(base), "bold"), told))
    if document["worst"]:
        console.print()
        console.print(Text("Worst images", style="bold underline"))
    for place in document["worst"][:_ROWS_MAX]:
        image = document["images"][place]
        counts = words.failed_counts(words.image_failures(image))
        console.print(Text.assemble((counts, "red"), f"  {words.image_name(image)}"))
    if (more := len(document["worst"]) - _ROWS_MAX) > 0:
        console.print(Text(f"+{more:,} more with failures; -o csv lists them", style="dim"))
    console.print()


def _waivers(console: Console, document: FleetDocument) -> None:
    from rich.text import Text

    urgent = [one for one in document["waivers"] if one["standing"] in ("expired", "expiring", "orphaned")]
    if not urgent:
        return
    console.print(Text("Waivers to look at", style="bold underline"))
    for waiver in urgent[:_ROWS_MAX]:
        until = f", {waiver['expires'][:10]}" if waiver["expires"] else ""
        line = f"{waiver['id']} ({waiver['check']}): {words.WAIVER_STANDINGS[waiver['standing']]}{until}"
        console.print(Text(shortened(line, 200)))
    console.print()
