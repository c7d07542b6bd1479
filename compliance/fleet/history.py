"""A fleet's runs up to one of them, read once, oldest first: what trends, ageing, changes and periods come from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from compliance.errors import UsageError
from compliance.fleet.ageing import Ageing, AgeingReader
from compliance.fleet.changes import Changes, FindingChangeKind, changes
from compliance.fleet.period import PeriodReader
from compliance.fleet.posture import CheckPosture, Part, check_postures, total
from compliance.fleet.run_rows import RunRows, read_run, run_rows
from compliance.fleet.standing import RunStandings, StandingReader
from compliance.model.fleet import AssessmentRecord, FleetStore, Run, RunState

LATEST = "latest"


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun:
    """One run in the trend; `new` and `fixed` are failures, compared with the run before it."""

    run: Run
    part: Part
    checks: tuple[CheckPosture, ...]
    new: int
    fixed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Everything up to the run that `rows` are of. `changes` is None where it is the first."""

    rows: RunRows = field(repr=False)
    past: tuple[PastRun, ...]
    ageing: Ageing
    changes: Changes | None
    before: Run | None


def ended_runs(store: FleetStore, fleet: str) -> tuple[Run, ...]:
    """The runs that ended, oldest first. Raises UsageError where there is none."""
    runs = tuple(run for run in store.runs(fleet) if run.state is RunState.ENDED)
    if not runs:
        raise UsageError("no run of the fleet has ended", code="run-missing", where=fleet, hint="hullmark fleet run")
    return runs


def chosen_run(runs: tuple[Run, ...], wanted: str) -> Run:
    """The run with the number `wanted`, or the newest. Raises UsageError."""
    if wanted == LATEST:
        return runs[-1]
    for run in runs:
        if str(run.number) == wanted:
            return run
    raise UsageError(
        f"no run {wanted} that has ended", code="run-missing", hint=f"latest, or a number up to {runs[-1].number}"
    )


def last_within(runs: tuple[Run, ...], since: datetime, until: datetime) -> Run:
    """The newest run that began from `since` to `until`. Raises UsageError where there is none."""
    if since > until:
        raise UsageError("--from is later than --to", code="usage")
    within = [run for run in runs if since <= run.started <= until]
    if not within:
        raise UsageError("no run began in that time", code="run-missing", hint="hullmark fleet status lists the runs")
    return within[-1]


def read_history(store: FleetStore, fleet: str, last: Run, period: PeriodReader | None = None) -> History:
    """Read the runs up to `last`; those within its window are given to `period` too. Raises StoreError."""
    reader, ages = StandingReader(), AgeingReader()
    slim = SlimReader(store)
    past: list[PastRun] = []
    before: RunStandings | None = None
    changed: Changes | None = None
    previous: Run | None = None
    whole = read_run(store, last)
    for run in _until(store, fleet, last):
        rows = whole if run.number == last.number else slim.read(run)
        now = reader.standings(rows)
        previous = None if before is None else before.run
        changed = None if before is None else changes(before, now)
        ages.add(now)
        past.append(_past(rows, changed))
        if period is not None and period.holds(run):
            period.add(rows)
        before = now
    return History(rows=whole, past=tuple(past), ageing=ages.ageing(), changes=changed, before=previous)


def compare_runs(store: FleetStore, before: Run, after: Run) -> Changes:
    """What changed between any two runs. Raises StoreError."""
    reader, slim = StandingReader(), SlimReader(store)
    return changes(reader.standings(slim.read(before)), reader.standings(slim.read(after)))


class SlimReader:
    """Reads of runs how checks stand and what waivers came to, and each assessment once."""

    def __init__(self, store: FleetStore) -> None:
        self._store = store
        self._known: dict[str, AssessmentRecord] = {}

    def read(self, run: Run) -> RunRows:
        """The rows of `run`."""
        outcomes = tuple(self._store.outcomes(run))
        named = {outcome.assessment for outcome in outcomes if outcome.assessment is not None}
        if not named <= self._known.keys():
            for record in self._store.assessments(run, kinds=("checks", "waivers")):
                self._known.setdefault(record.id, record)
        # What this run does not name is forgotten: a later one that does reads it again.
        self._known = {identifier: self._known[identifier] for identifier in named if identifier in self._known}
        return run_rows(run, self._store.members(run), outcomes, self._known.values())


def _until(store: FleetStore, fleet: str, last: Run) -> Iterator[Run]:
    for run in ended_runs(store, fleet):
        if run.number <= last.number:
            yield run


def _past(rows: RunRows, changed: Changes | None) -> PastRun:
    return PastRun(
        run=rows.run,
        part=total(rows),
        checks=check_postures(rows),
        new=0 if changed is None else changed.counts[FindingChangeKind.NEW],
        fixed=0 if changed is None else changed.counts[FindingChangeKind.FIXED],
    )
