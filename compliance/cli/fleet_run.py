"""``hullmark fleet run``: assess every image of a fleet, or go on where a run was cut off."""

from __future__ import annotations

import os
import signal
import sys
import threading
from argparse import Namespace
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from compliance.cli import fleet_options, options, output, signing
from compliance.cli.parser import Parser
from compliance.errors import UsageError

if TYPE_CHECKING:
    from types import FrameType

    from compliance.fleet.executors.executor import Executor
    from compliance.fleet.fleet_file import Fleet
    from compliance.model.fleet import FleetStore, Run
    from compliance.sign.signer import Signer

SUMMARY = "assess every image of the fleet; continues a run that was cut off"
DESCRIPTION = (
    "Resolve every reference of the fleet to a digest, assess each image once in a process of its own, and record what "
    "became of it. A run that was cut off at any point is continued: its population stands, and what is recorded is "
    "kept. The exit code is the worst over all images: 12 where one does not verify, else 10 where one is not "
    "satisfied, else 11 where one is not determined."
)

INTERRUPTED = 130
STORE_PATIENCE = 120.0
"""Seconds that a database may be away in the middle of a run."""


def arguments(parser: Parser) -> None:
    """The fleet, where to work, who signs, what to write."""
    fleet_options.add_fleet(parser)
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="images at the same time; default: the fleet file's, else one a core"
    )
    parser.add_argument(
        "--scheduler", metavar="URL", help="assess on the workers of this Dask cluster (tcp://HOST:PORT)"
    )
    options.add_time(parser)
    parser.add_argument(
        "--slot", metavar="RFC3339", type=options.parse_time, help="the time this run was scheduled for: taken once"
    )
    fleet_options.add_registry(parser)
    signing.add_signer(parser)
    parser.add_argument(
        "--bundle", metavar="FILE", help="where to write the signature of the run's chain, beside the store's blobs"
    )
    parser.add_argument(
        "-o",
        "--output",
        action="append",
        metavar="FORMAT[=FILE]",
        help="a report on the run when it has ended, as of fleet report: json, html, pdf, csv, markdown, oscal-ar; may "
        "be repeated",
    )
    parser.add_argument(
        "--notify", action="store_true", help="tell whom the fleet file names of what changed, when the run has ended"
    )
    fleet_options.add_chat(parser)
    parser.add_argument(
        "--log",
        choices=("auto", "json"),
        default="auto",
        help="json: one JSON object a line on stderr for whatever happens; -v does so where nobody watches",
    )


def run(values: Namespace) -> int:
    """Run, sign, say what came out. The exit code is the verdict."""
    from compliance.cli.fleet_progress import run_watcher
    from compliance.cli.fleet_summary import summary_lines
    from compliance.fleet.run import run_fleet
    from compliance.fleet.run_summary import run_summary
    from compliance.model.fleet import RunState

    if values.jobs is not None and values.jobs < 1:
        raise UsageError(f"not a number of images: {values.jobs}", code="usage", where="--jobs")
    if values.bundle is not None and values.sign_key is None:
        raise UsageError("--bundle is the signature's place", code="usage", hint="add --sign-key")
    targets = _targets(values)
    fleet = fleet_options.fleet_of(values)
    signer = signing.signer_of(values)
    watcher = run_watcher(quiet=values.quiet, verbose=values.verbose, no_progress=values.no_progress, log=values.log)
    with (
        closing(fleet_options.store_of(values, fleet, create=True, patience=STORE_PATIENCE)) as store,
        closing(_executor(values, fleet)) as executor,
        closing(watcher),
        _stopped_by_signals() as stop,
    ):
        done = run_fleet(
            fleet,
            store,
            now=fleet_options.now(),
            effective=options.effective_time(values),
            slot=values.slot,
            executor=executor,
            cache=fleet_options.cache_of(values),
            registry=fleet_options.registry_of(values),
            blobs=store.blobs,
            watcher=watcher,
            stop=stop,
        )
        watcher.close()
        summary = run_summary(store, done)
        lines = [*summary_lines(summary)]
        if done.state is RunState.ENDED:
            lines += [] if signer is None else _signed(store, done, signer, values.bundle)
            _report(store, fleet, targets)
            lines += _notified(store, fleet, done) if values.notify else []
    if done.state is RunState.OPEN or all(target.file is not None for target in targets):
        sys.stdout.write("".join(f"{output.printable(line)}\n" for line in lines))
    if done.state is RunState.OPEN:
        output.say("hullmark: interrupted; what is recorded is whole, and the next run goes on from it")
        return INTERRUPTED
    return summary.exit_code


def _targets(values: Namespace) -> tuple[output.Target, ...]:
    """What to report, if anything; known before the run is made, so that a wrong word does not cost one."""
    if not values.output:
        return ()
    from reports.fleet_exporter import FORMATS

    return output.parse_targets(values.output, FORMATS, "table")


def _notified(store: FleetStore, fleet: Fleet, ended: Run) -> Iterator[str]:
    """Tell of the changes; a line for each target that was told, or why it was not."""
    if not fleet.notify:
        return
    from compliance.fleet.change_summary import change_summary
    from compliance.fleet.notify import notify

    summary = change_summary(store, ended)
    for delivery in notify(fleet.notify, summary, environment=os.environ, now=fleet_options.now()):
        told = "told" if delivery.reason is None else f"not told: {delivery.reason}"
        yield f"notification: {delivery.target}: {told}"


def _report(store: FleetStore, fleet: Fleet, targets: tuple[output.Target, ...]) -> None:
    if not targets:
        return
    from compliance.fleet.report import fleet_report
    from compliance.pipeline import TOOL, tool_version
    from reports.fleet_exporter import FORMATS

    document = fleet_report(store, fleet.name, tool={"name": TOOL, "version": tool_version()}, schedule=fleet.schedule)
    for target in targets:
        output.write(target, FORMATS[target.format].render(document))


def _executor(values: Namespace, fleet: Fleet) -> Executor:
    if values.scheduler is not None:
        from compliance.fleet.executors.dask_cluster import DaskCluster

        return DaskCluster(values.scheduler)
    from compliance.fleet.executors.local import LocalPool

    return LocalPool(values.jobs or fleet.limits.jobs)


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """An event that the first SIGINT or SIGTERM sets; the second ends what does not listen to it."""
    stop = threading.Event()

    def heard(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, heard) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _signed(store: FleetStore, run: Run, signer: Signer, file: str | None) -> Iterator[str]:
    """Sign the end of the chain; the bundle lies in the blobs, and where it was asked for."""
    from compliance.fleet.chain_statement import chain_statement

    bundle = signer.sign_statement(chain_statement(run))
    digest = store.put_blob(bundle)
    if file is not None:
        output.write(output.Target(format="bundle", file=Path(file)), bundle)
    yield f"  signed      by {signer.name}; bundle sha256:{digest}"
