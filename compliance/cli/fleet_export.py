"""``hullmark fleet export``: the tables of a fleet's history, for other tools."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from compliance.cli import fleet_options
from compliance.cli.parser import Parser
from compliance.errors import ExitCode, UsageError
from compliance.model.fleet import Run, RunState

SUMMARY = "write the history's tables as Parquet files"
DESCRIPTION = (
    "Write runs, images, checks, findings, packages, controls, waivers and layers, each as one Parquet file, for "
    "notebooks and other tools. The same history gives the same bytes."
)


def arguments(parser: Parser) -> None:
    """The store, where to, and of which runs."""
    fleet_options.add_store(parser)
    parser.add_argument("--parquet", metavar="DIR", required=True, help="the folder that gets the files")
    parser.add_argument(
        "--run", metavar="N", default="all", help="a number, latest, or all that ended (default), of each fleet"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="only errors")


def run(values: Namespace) -> int:
    """Write, and tell how much."""
    from compliance.store.parquet_export import export

    name, store = fleet_options.named_store(values)
    with closing(store):
        rows = export(store, Path(values.parquet), _chosen(list(store.runs(name)), values.run))
    if not values.quiet:
        sys.stdout.write("".join(f"{table}.parquet: {number} rows\n" for table, number in rows.items()))
    return ExitCode.SATISFIED


def _chosen(runs: Sequence[Run], choice: str) -> list[Run]:
    ended = [one for one in runs if one.state is RunState.ENDED]
    if choice == "all":
        return ended
    if choice == "latest":
        return list({one.fleet: one for one in sorted(ended, key=lambda one: one.number)}.values())
    found = [one for one in runs if str(one.number) == choice]
    if not found:
        raise UsageError(f"there is no run {choice!r}", code="run-missing", hint="a number, latest, or all")
    return found
