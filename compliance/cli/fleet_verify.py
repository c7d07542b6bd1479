"""``hullmark fleet verify``: does the history still hold?"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING

from compliance.cli import fleet_options, output
from compliance.cli.parser import Parser
from compliance.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from compliance.store.sql_store import SqlFleetStore

SUMMARY = "check the history: the chain over its runs, every row, every blob"
DESCRIPTION = (
    "Check that a store holds what was put into it: each run against its link of the chain, each row against its "
    "digest and the documents that it follows from, each blob against its name. A line for each thing that does not "
    "hold. That the newest runs were not cut off shows only a head from elsewhere, such as one in a signed report. "
    "Exit code 0 it holds, 12 it does not."
)


def arguments(parser: Parser) -> None:
    """The store, and heads that are known."""
    fleet_options.add_store(parser)
    parser.add_argument(
        "--head",
        action="append",
        metavar="[FLEET=]HEX",
        default=[],
        help="a chain that is known from elsewhere, by which the fleet's history must have come (repeatable)",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="only the exit code and errors")


def run(values: Namespace) -> int:
    """Check, tell, and answer with the exit code."""
    name, store = fleet_options.named_store(values)
    with closing(store):
        heads = _heads(values.head, name, store)
        wrong = 0
        for mistrust in store.verify(heads):
            wrong += 1
            if not values.quiet:
                sys.stdout.write(f"{output.printable(f'{mistrust.where}: {mistrust.reason}')}\n")
        if not values.quiet:
            sys.stdout.write(f"{output.printable(_summary(store, wrong))}\n")
    return ExitCode.NOT_VERIFIED if wrong else ExitCode.SATISFIED


def _heads(given: list[str], name: str | None, store: SqlFleetStore) -> Mapping[str, str]:
    """By fleet. Without a fleet's name it is that of the fleet file, or of the only fleet in the store."""
    heads: dict[str, str] = {}
    for text in given:
        fleet, _, head = text.rpartition("=")
        if not head or set(head) - set("0123456789abcdef"):
            raise UsageError("not a head: a chain is hexadecimal", code="head-invalid", where=text)
        if not fleet:
            fleet = name or _only(store)
        if heads.setdefault(fleet, head) != head:
            raise UsageError("two heads for one fleet", code="head-invalid", where=fleet, hint="give the newest")
    return heads


def _only(store: SqlFleetStore) -> str:
    fleets = sorted({run.fleet for run in store.runs()})
    if len(fleets) != 1:
        raise UsageError(
            f"the store holds {len(fleets)} fleets", code="fleet-unset", hint="--head FLEET=HEX says whose head it is"
        )
    return fleets[0]


def _summary(store: SqlFleetStore, wrong: int) -> str:
    sizes = store.sizes()
    held = ", ".join(f"{sizes[name]} {name}" for name in ("runs", "outcomes", "assessments", "blobs"))
    heads = "; ".join(
        f"{fleet} ends in {store.head(fleet) or 'no run yet'}" for fleet in sorted({run.fleet for run in store.runs()})
    )
    verdict = "everything holds" if not wrong else f"{wrong} things do not hold"
    return f"{verdict}: {held}; {heads or 'no fleet'}"
