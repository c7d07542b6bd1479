"""``hullmark fleet status``: how far the open run is, and what the last ones came to."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from contextlib import closing
from typing import TYPE_CHECKING

from compliance.cli import fleet_options, output
from compliance.cli.parser import Parser
from compliance.errors import ExitCode

if TYPE_CHECKING:
    from compliance.fleet.run_summary import RunSummary

SUMMARY = "the open and the last runs: population, coverage, outcome, chain"
DESCRIPTION = "Show the fleet's newest runs: what was to be assessed, was, and was not, and where the chain ends."


def arguments(parser: Parser) -> None:
    """The fleet and how much of its history."""
    fleet_options.add_fleet(parser)
    parser.add_argument("--last", type=int, metavar="N", default=1, help="so many of the newest runs (default 1)")
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(values: Namespace) -> int:
    """Look and tell. 0, whatever the runs came to; 11 where there is none."""
    from compliance.cli.fleet_summary import summary_lines
    from compliance.fleet.run_summary import run_summary

    fleet = fleet_options.fleet_of(values)
    with closing(fleet_options.store_of(values, fleet)) as store:
        runs = sorted(store.runs(fleet.name), key=lambda one: one.number)
        summaries = [run_summary(store, one) for one in runs[-max(1, values.last) :]]
        head = store.head(fleet.name)
    if values.json:
        shape = {"fleet": fleet.name, "runs": len(runs), "head": head, "newest": [_json(one) for one in summaries]}
        sys.stdout.write(json.dumps(shape, indent=2, ensure_ascii=False) + "\n")
    else:
        lines = [line for one in summaries for line in summary_lines(one)]
        lines.append(f"{len(runs)} runs in all; the chain ends in {head or 'nothing'}")
        sys.stdout.write("".join(f"{output.printable(line)}\n" for line in lines))
    return ExitCode.SATISFIED if runs else ExitCode.NOT_DETERMINED


def _json(summary: RunSummary) -> dict[str, object]:
    run = summary.run
    return {
        "number": run.number,
        "state": run.state.value,
        "effectiveTime": _time(run.effective),
        "startedAt": _time(run.started),
        "finishedAt": _time(run.finished),
        "slot": _time(run.slot),
        "references": summary.references,
        "images": summary.images,
        "recorded": summary.recorded,
        "unresolved": dict(sorted(summary.unresolved.items())),
        "states": {state.value: count for state, count in sorted(summary.states.items())},
        "outcomes": dict(sorted(summary.outcomes.items())),
        "notDetermined": [
            {"reference": outcome.item.reference, "code": outcome.code, "reason": outcome.reason}
            for outcome in summary.without
        ],
        "population": run.population,
        "chain": run.chain,
    }


def _time(moment: object) -> str | None:
    from datetime import UTC, datetime

    if not isinstance(moment, datetime):
        return None
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
