"""What it costs to read a fleet's store: a report, what changed, how far it is, and every page of the dashboard.

    python -m tests.benchmarks.fleet_reading FLEET.yaml --store FILE

CPU seconds of one process that has everything imported. Each page is asked twice of a dashboard of its own: the first
look, whichever page it is at, reads the run's rows, unless the dashboard has read them ahead.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from compliance.fleet.change_summary import change_summary
from compliance.fleet.dashboard.access import Access
from compliance.fleet.fleet_file import Fleet, read_fleet
from compliance.fleet.history import ended_runs
from compliance.fleet.report import fleet_report
from compliance.fleet.run_summary import run_summary
from compliance.store.fleet_store import open_fleet_store
from reports.fleet_document import FleetTool
from reports.fleet_exporter import FORMATS
from tests.builders.dashboard import served

PAGES = (
    *("", "images", "images?outcome=not-satisfied&sort=oldest", "checks", "controls", "waivers", "bases", "changes"),
    *("runs", "downloads"),
)
TOOL: FleetTool = {"name": "hullmark", "version": "benchmark"}

T = TypeVar("T")


def main() -> None:
    """Read and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fleet", type=Path)
    parser.add_argument("--store", type=Path, required=True)
    values = parser.parse_args()
    fleet = replace(read_fleet(values.fleet), store=str(values.store.resolve()), blobs=None)
    with closing(open_fleet_store(str(fleet.store), create=False)) as store:
        runs = ended_runs(store, fleet.name)
        told = run_summary(store, runs[-1])
        sys.stdout.write(f"{len(runs)} runs, {told.images} images in the last\n")
        document = measured("report, its facts", lambda: fleet_report(store, fleet.name, tool=TOOL))
        for name in ("json", "html", "csv", "markdown"):
            measured(f"report, written as {name}", lambda name=name: FORMATS[name].render(document))  # type: ignore[misc]
        measured("digest of the store", store.digest)
        measured("what changed, as it is notified", lambda: change_summary(store, runs[-1]))
        measured("how far a run is", lambda: run_summary(store, runs[-1]))
    look(fleet)


def look(fleet: Fleet) -> None:
    """Every page."""
    for page in PAGES:
        address = f"/fleets/{fleet.name}/{page}".rstrip("/")
        with served([fleet], Access(addresses=False), warm=False, now=lambda: datetime.now(UTC)) as dashboard:
            for what in ("first look", "again"):
                answer = measured(f"{what:<10} /{page}", lambda address=address: dashboard.ask(address))  # type: ignore[misc]
                if answer.status != 200:
                    raise SystemExit(f"{address}: {answer.status}")
    with served([fleet], Access(addresses=False), warm=False) as dashboard:
        measured("what a dashboard reads ahead", dashboard.dashboard.warm)


def measured(what: str, action: Callable[[], T]) -> T:
    """What `action` gives, and on a line the CPU time it took in all threads."""
    began = time.process_time()
    result = action()
    sys.stdout.write(f"{what:<56}{time.process_time() - began:>8.3f} s\n")
    sys.stdout.flush()
    return result


if __name__ == "__main__":
    main()
