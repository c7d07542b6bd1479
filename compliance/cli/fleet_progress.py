"""What a run over a fleet tells on stderr: a bar for whoever watches, JSON lines for whatever collects them."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from compliance.cli.output import printable, say
from compliance.fleet.run_watcher import RunWatcher
from compliance.model.fleet import ItemState, RunState

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn, Task, TaskID
    from rich.text import Text

    from compliance.fleet.job import Failure
    from compliance.model.fleet import Item, ItemOutcome, Run
    from compliance.pipeline import Stage

_RATE_SECONDS = 120.0
"""The rate is that of as long."""


def run_watcher(*, quiet: bool, verbose: bool, no_progress: bool, log: str) -> RunWatcher:
    """A bar on a terminal; JSON lines where they are asked for, or `verbose` and nobody watches; else silence."""
    watched = sys.stderr.isatty() and not no_progress
    if log == "json" or (verbose and not watched and log == "auto"):
        return JsonLines()
    if quiet:
        return RunWatcher()
    return FleetBar(verbose=verbose) if watched else Notices()


class Notices(RunWatcher):
    """Only what somebody may wonder about: why nothing happens, and that a run goes on where another was cut off."""

    def waiting(self, seconds: float) -> None:
        """See RunWatcher."""
        say(f"another process held this fleet last; waiting up to {seconds:.0f} s for it to end, or to be found dead")

    def begun(self, run: Run, items: int, recorded: int, *, resumed: bool) -> None:
        """See RunWatcher."""
        if resumed:
            say(f"run {run.number} is continued: {recorded:,} of {items:,} images are recorded")


class FleetBar(Notices):
    """Images done and in all, the rate, the time left, failures. Reused images are done too, but make no rate."""

    def __init__(self, *, verbose: bool) -> None:
        """With `verbose`, every image that fails is a line above the bar."""
        self._verbose = verbose
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._failed = 0
        self._begun = 0.0

    def stage(self, stage: Stage) -> None:
        """See Watcher: a bar over the references to resolve."""
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn

        self._show(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        self._task = self._add(stage.name, total=stage.total or None)

    def advance(self, stored_bytes: int) -> None:
        """See Watcher: so many references more."""
        if self._progress is not None and self._task is not None:
            self._progress.advance(self._task, stored_bytes)

    def begun(self, run: Run, items: int, recorded: int, *, resumed: bool) -> None:
        """See RunWatcher."""
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

        self.close()
        super().begun(run, items, recorded, resumed=resumed)
        self._show(
            TextColumn("run {task.fields[number]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("images"),
            _rate_column(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[failed]}"),
        )
        self._task = self._add("", total=items, completed=recorded, number=run.number, failed="none failed")

    def recorded(self, outcome: ItemOutcome) -> None:
        """See RunWatcher."""
        if self._progress is None or self._task is None:
            return
        if outcome.state is ItemState.NOT_DETERMINED:
            self._failed += 1
            self._progress.update(self._task, failed=f"{self._failed:,} not determined")
            if self._verbose:
                self._line(f"not determined: {outcome.item.reference}: {outcome.code}: {outcome.reason}")
        self._progress.advance(self._task)

    def again(self, item: Item, failure: Failure, seconds: float) -> None:
        """See RunWatcher."""
        if self._verbose:
            self._line(f"again in {seconds:.0f} s: {item.reference}: {failure.code}: {failure.reason}")

    def close(self) -> None:
        """See Watcher."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _show(self, *columns: ProgressColumn) -> None:
        """A bar of these columns in place of the one before."""
        from rich.console import Console
        from rich.progress import Progress

        self.close()
        self._progress = Progress(
            *columns, console=Console(stderr=True), transient=True, speed_estimate_period=_RATE_SECONDS
        )
        self._progress.start()

    def _add(self, description: str, **facts: Any) -> TaskID | None:
        return None if self._progress is None else self._progress.add_task(description, **facts)

    def _line(self, text: str) -> None:
        if self._progress is not None:
            self._progress.console.print(printable(text), markup=False, highlight=False, soft_wrap=True)


def _rate_column() -> ProgressColumn:
    from rich.progress import ProgressColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        """Images an hour, as of late."""

        def render(self, task: Task) -> Text:
            return Text("" if not task.speed else f"{task.speed * 3600:,.0f}/h", style="progress.data.speed")

    return Rate()


class JsonLines(RunWatcher):
    """One JSON object a line on stderr, with the time and the event's name."""

    def waiting(self, seconds: float) -> None:
        """See RunWatcher."""
        _log("waiting-for-lease", seconds=seconds)

    def stage(self, stage: Stage) -> None:
        """See Watcher."""
        _log("stage", name=stage.name, total=stage.total)

    def begun(self, run: Run, items: int, recorded: int, *, resumed: bool) -> None:
        """See RunWatcher."""
        _log(
            "run-continued" if resumed else "run-begun",
            fleet=run.fleet,
            run=run.number,
            effectiveTime=run.effective.isoformat(),
            images=items,
            recorded=recorded,
        )

    def recorded(self, outcome: ItemOutcome) -> None:
        """See RunWatcher."""
        cost = outcome.cost
        _log(
            "image",
            reference=outcome.item.reference,
            digest=outcome.item.digest,
            policy=outcome.item.policy,
            state=outcome.state.value,
            assessment=outcome.assessment,
            code=outcome.code,
            reason=outcome.reason,
            attempts=None if cost is None else cost.attempts,
            seconds=None if cost is None else round(cost.wall_seconds, 3),
            cpuSeconds=None if cost is None else round(cost.cpu_seconds, 3),
            peakBytes=None if cost is None else cost.peak_bytes,
        )

    def again(self, item: Item, failure: Failure, seconds: float) -> None:
        """See RunWatcher."""
        _log("again", reference=item.reference, code=failure.code, reason=failure.reason, seconds=seconds)

    def ended(self, run: Run) -> None:
        """See RunWatcher."""
        assert run.state is RunState.ENDED  # noqa: S101 - told so only then
        _log("run-ended", fleet=run.fleet, run=run.number, chain=run.chain)


def _log(event: str, **facts: object) -> None:
    """The time is the machine's: a log is about when things happened here, whatever the run is as of."""
    moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    shown = {"time": moment, "event": event, **{name: value for name, value in facts.items() if value is not None}}
    sys.stderr.write(json.dumps(shown) + "\n")
    sys.stderr.flush()
