"""``hullmark fleet diff``: what changed in the fleet between two of its runs."""

from __future__ import annotations

import json
from argparse import Namespace
from contextlib import closing
from typing import TYPE_CHECKING

from compliance.cli import fleet_options, options, output
from compliance.cli.parser import Parser
from compliance.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from reports.fleet_document import FleetChanges

SUMMARY = "what changed between two runs: new, fixed, waived, gone, moved"
DESCRIPTION = (
    "Compare two runs of the fleet, the newest with the one before unless told otherwise. Fixed is only what was "
    "assessed again and passes now. Exits 0 where nothing changed, 10 where something did, 11 where nothing did but "
    "that something can't be determined any more."
)
FORMATS = ("table", "json", "markdown")


def arguments(parser: Parser) -> None:
    """The fleet, the runs, and where to write."""
    fleet_options.add_fleet(parser)
    parser.add_argument(
        "runs", metavar="RUN", nargs="*", help="one run: what it changed; two: from the first to the second; or latest"
    )
    options.add_output(parser, ", ".join(FORMATS))


def run(values: Namespace) -> int:
    """Compare, write. The exit code is the answer."""
    from compliance.fleet.report import fleet_changes

    targets = output.parse_targets(values.output, FORMATS, "table")
    color = output.use_color(values.color)
    if len(values.runs) > 2:
        raise UsageError("more than two runs", code="usage")
    *before, after = values.runs or ["latest"]
    fleet = fleet_options.fleet_of(values)
    with closing(fleet_options.store_of(values, fleet)) as store:
        changes = fleet_changes(store, fleet.name, before[0] if before else None, after)
    for target in targets:
        output.write(target, _render(target, fleet.name, changes, color=color))
    return _exit_code(changes)


def _exit_code(changes: FleetChanges) -> ExitCode:
    lost = "no-longer-determined"
    told = {kind for kind, number in changes["counts"].items() if number} - {"still-open", "still-waived", lost}
    moved = {kind for kind, number in changes["imageCounts"].items() if number} - {lost}
    if told or moved:
        return ExitCode.NOT_SATISFIED
    unsure = changes["counts"].get(lost) or changes["imageCounts"].get(lost)
    return ExitCode.NOT_DETERMINED if unsure else ExitCode.SATISFIED


def _render(target: output.Target, fleet: str, changes: FleetChanges, *, color: bool) -> bytes:
    match target.format:
        case "json":
            return (json.dumps(changes, ensure_ascii=False, indent=2) + "\n").encode()
        case "markdown":
            from reports.fleet_markdown import render_changes

            return render_changes(fleet, changes)
        case _:
            from reports.fleet_table import DEFAULT_WIDTH
            from reports.fleet_table import render_changes as render_table

            width = output.terminal_width() if target.file is None else DEFAULT_WIDTH
            return render_table(fleet, changes, color=color and target.file is None, width=width).encode()
