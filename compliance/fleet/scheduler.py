"""Starting runs when they are due, for one fleet or several, for as long as it is let.

Every run is a process of its own (``hullmark fleet run --slot TIME``): one that crashes, hangs or fills the memory ends
alone. Nothing is remembered here that matters: which slots are done and which run is open is in the store, so several
schedulers may look after one fleet. The store gives a slot to one run only, and its lease to one process only; the
others say so and go on looking. An open run whose lease ran out is continued by whoever sees it first.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from compliance.errors import ComplianceError, ExitCode
from compliance.fleet.fleet_file import Fleet
from compliance.fleet.occurrences import occurrences
from compliance.fleet.slots import Timetable
from compliance.model.fleet import FleetStore, Run, RunState

GRACE_SECONDS = 300.0
"""How much later than its slot a run may begin without the slot being missed."""
POLL_SECONDS = 15.0
"""How often the store is asked whether an open run has been left alone."""
STOP_SECONDS = 30.0
"""What a run that is told to stop may take for it before it is killed: it can be continued from any point."""

_ANSWERS = frozenset({ExitCode.SATISFIED, ExitCode.NOT_SATISFIED, ExitCode.NOT_DETERMINED, ExitCode.NOT_VERIFIED})
_BACK_OFF = timedelta(seconds=30)
_BACK_OFF_MAX = timedelta(minutes=15)
_PROBE_SECONDS = 2.0


class Child(Protocol):
    """The process of a run, as subprocess.Popen has it."""

    def poll(self) -> int | None:
        """Its exit code, once it has ended; a negative one is the signal that ended it."""

    def terminate(self) -> None:
        """Ask it to stop."""

    def kill(self) -> None:
        """Stop it."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises subprocess.TimeoutExpired."""


class Event(StrEnum):
    """What a scheduler tells of, each with the facts that belong to it."""

    WATCHING = "watching"
    STARTED = "run-started"
    CONTINUED = "run-continued"
    FINISHED = "run-finished"
    ENDED_EARLY = "run-ended-early"
    ELSEWHERE = "run-elsewhere"
    MISSED = "slots-missed"
    TROUBLE = "trouble"
    STOPPED = "run-stopped"


class Host(Protocol):
    """What a scheduler needs of the place that it works in."""

    def open_store(self, fleet: Fleet) -> FleetStore:
        """The fleet's store. Raises StoreError."""

    def launch(self, fleet: Fleet, slot: datetime | None) -> Child:
        """Start a run over `fleet` for `slot`, or continue the open one."""

    def finished(self, fleet: Fleet, store: FleetStore, run: Run) -> None:
        """A run that this scheduler started has ended. Raises ComplianceError."""

    def tell(self, event: Event, fleet: str, facts: Mapping[str, object]) -> None:
        """Something happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetState:
    """How a fleet stands with its schedule, for whoever looks on. `trouble` is what went wrong last, if it still is."""

    fleet: Fleet
    timetable: Timetable | None
    next_start: datetime | None
    running_since: datetime | None = None
    failures: int = 0
    trouble: str | None = None


@dataclass(slots=True, kw_only=True)
class _Watch:
    """One fleet that is looked after."""

    state: FleetState
    store: FleetStore | None = None
    child: Child | None = None
    slot: datetime | None = None
    continued: int | None = None
    """The number of the open run that the child was started to continue."""
    look_at: datetime | None = None
    leaving: bool = False
    """It is no longer among the fleets, and stays until its run is over."""
    said_elsewhere: int | None = None
    said_missed: datetime | None = None

    @property
    def fleet(self) -> Fleet:
        return self.state.fleet

    def is_for(self, run: Run) -> bool:
        """Whether the child was started for that run."""
        return run.number == self.continued or (self.slot is not None and run.slot == self.slot)


class Scheduler:
    """Looks after fleets. `load`, `tick` and `stop` are called by one thread; `states` by any."""

    def __init__(
        self,
        host: Host,
        *,
        holder: str,
        grace: float = GRACE_SECONDS,
        poll: float = POLL_SECONDS,
        catch_up: bool = True,
    ) -> None:
        """`holder` names this scheduler to the store. With `catch_up`, the newest slot that was missed is run late."""
        self._host = host
        self._holder = holder
        self._grace = timedelta(seconds=grace)
        self._poll = timedelta(seconds=poll)
        self._catch_up = catch_up
        self._watches: dict[str, _Watch] = {}
        self._lock = threading.Lock()
        self._states: tuple[FleetState, ...] = ()

    @property
    def states(self) -> tuple[FleetState, ...]:
        """Every fleet, in the order in which they were given."""
        with self._lock:
            return self._states

    @property
    def busy(self) -> bool:
        """Whether a run that was started here is going on."""
        return any(watch.child is not None for watch in self._watches.values())

    def load(self, fleets: Sequence[Fleet], now: datetime) -> None:
        """Look after these fleets from now on. A run of one that is no longer among them goes on to its end."""
        watches: dict[str, _Watch] = {}
        for fleet in fleets:
            known = self._watches.pop(fleet.name, None)
            timetable = self._timetable(fleet, None if known is None else known.state.timetable, now)
            following = None if timetable is None else timetable.next(now)
            if known is None:
                watch = _Watch(state=FleetState(fleet=fleet, timetable=timetable, next_start=following))
            else:
                watch = known
                watch.leaving = False
                if (known.fleet.store, known.fleet.blobs) != (fleet.store, fleet.blobs):
                    _close(known)
                watch.state = replace(known.state, fleet=fleet, timetable=timetable, next_start=following)
            watches[fleet.name] = watch
            self._host.tell(Event.WATCHING, fleet.name, {"next": following})
        for name, watch in self._watches.items():
            if watch.child is None:
                _close(watch)
            else:
                watch.leaving = True
                watch.state = replace(watch.state, timetable=None, next_start=None)
                watches[name] = watch
        self._watches = watches
        self._publish()

    def tick(self, now: datetime) -> None:
        """Do what is due. What goes wrong over one fleet is told, and tried again; the others do not notice."""
        for name, watch in tuple(self._watches.items()):
            try:
                self._look(watch, now)
            except ComplianceError as error:
                self._trouble(watch, f"{error.code}: {error}", now)
            except Exception as error:  # noqa: BLE001 - a fault over one fleet must not end the schedules of the others
                self._trouble(watch, f"internal error: {type(error).__name__}: {error}", now)
            if watch.leaving and watch.child is None:
                _close(watch)
                del self._watches[name]
        self._publish()

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Stop the runs that were started here. They stay open, and are continued by the next that looks."""
        running = [watch for watch in self._watches.values() if watch.child is not None]
        for watch in running:
            if watch.child is not None:
                watch.child.terminate()
        for watch in running:
            if watch.child is not None:
                _wait_or_kill(watch.child, seconds)
                watch.child = None
                self._host.tell(Event.STOPPED, watch.fleet.name, {"slot": watch.slot})
        for watch in self._watches.values():
            _close(watch)
        self._publish()

    def _timetable(self, fleet: Fleet, known: Timetable | None, now: datetime) -> Timetable | None:
        """What was watched before under the same schedule is watched since then."""
        if fleet.schedule is None:
            return None
        found = occurrences(fleet.schedule)
        jitter = timedelta(seconds=fleet.schedule.jitter_seconds)
        return Timetable(
            fleet=fleet.name,
            occurrences=found,
            fleet_digest=fleet.digest,
            since=known.since if known is not None and known.occurrences == found else now,
            jitter=jitter,
            grace=self._grace,
            catch_up=self._catch_up,
        )

    def _look(self, watch: _Watch, now: datetime) -> None:
        """The next step with one fleet."""
        if watch.child is not None:
            code = watch.child.poll()
            if code is None:
                return
            watch.child = None
            watch.state = replace(watch.state, running_since=None)
            self._child_ended(watch, code, now)
        if watch.leaving or (watch.look_at is not None and now < watch.look_at):
            return
        store = self._store(watch)
        runs = list(store.runs(watch.fleet.name))
        opened = next((run for run in runs if run.state is RunState.OPEN), None)
        if opened is not None:
            self._continue(watch, store, opened, now)
        elif watch.state.timetable is not None:
            self._start(watch, watch.state.timetable, runs, now)
        following = self._following(watch, now)
        watch.state = replace(watch.state, next_start=following)
        soon = now + self._poll
        watch.look_at = soon if following is None else min(soon, following)

    def _store(self, watch: _Watch) -> FleetStore:
        if watch.store is None:
            watch.store = self._host.open_store(watch.fleet)
        return watch.store

    def _continue(self, watch: _Watch, store: FleetStore, opened: Run, now: datetime) -> None:
        """Go on with an open run, unless somebody is at it."""
        if self._is_held(watch, store, now):
            self._say_elsewhere(watch, opened)
        else:
            self._launch(watch, Event.CONTINUED, opened.slot, now, {"run": opened.number}, opened)

    def _start(self, watch: _Watch, timetable: Timetable, runs: Sequence[Run], now: datetime) -> None:
        """Begin the run of a slot that is due, and say which ones will have none."""
        slot = timetable.due(runs, now)
        self._say_missed(watch, timetable, runs, slot, now)
        if slot is None:
            watch.state = replace(watch.state, failures=0, trouble=None)
        else:
            late = (now - timetable.start(slot)).total_seconds()
            self._launch(watch, Event.STARTED, slot, now, {"late": round(late)})

    def _say_missed(
        self, watch: _Watch, timetable: Timetable, runs: Sequence[Run], slot: datetime | None, now: datetime
    ) -> None:
        """Once for each slot that went by since the last run, or since we look; `slot` is run late."""
        if watch.said_missed is None:
            watch.said_missed = max((run.slot for run in runs if run.slot is not None), default=timetable.since)
        missed = [one for one in timetable.missed(runs, now) if one > watch.said_missed and one != slot]
        if missed:
            watch.said_missed = missed[-1]
            facts = {"count": len(missed), "first": missed[0], "last": missed[-1]}
            self._host.tell(Event.MISSED, watch.fleet.name, facts)

    def _launch(
        self,
        watch: _Watch,
        event: Event,
        slot: datetime | None,
        now: datetime,
        facts: Mapping[str, object],
        opened: Run | None = None,
    ) -> None:
        watch.slot, watch.continued = slot, None if opened is None else opened.number
        watch.child = self._host.launch(watch.fleet, slot)
        watch.state = replace(watch.state, running_since=now)
        self._host.tell(event, watch.fleet.name, {"slot": slot, **facts})

    def _child_ended(self, watch: _Watch, code: int, now: datetime) -> None:
        """What became of the run is read in the store: the process may have been killed after its last word.

        Told of is only the run that it was started for. Others that ended meanwhile are another scheduler's to tell.
        """
        store = self._store(watch)
        runs = list(store.runs(watch.fleet.name))
        if code in _ANSWERS:
            watch.look_at = None
            watch.state = replace(watch.state, failures=0, trouble=None)
            for run in runs:
                if run.state is RunState.ENDED and watch.is_for(run):
                    facts = {"run": run.number, "slot": run.slot, "code": code}
                    self._host.tell(Event.FINISHED, watch.fleet.name, facts)
                    self._host.finished(watch.fleet, store, run)
            return
        taken = next((run for run in runs if watch.is_for(run)), None)
        if taken is not None and (taken.state is RunState.ENDED or self._is_held(watch, store, now)):
            self._say_elsewhere(watch, taken)  # another scheduler was faster
            return
        self._host.tell(Event.ENDED_EARLY, watch.fleet.name, {"slot": watch.slot, "code": code})
        self._trouble(watch, f"the run ended early: {_ended(code)}", now)

    def _is_held(self, watch: _Watch, store: FleetStore, now: datetime) -> bool:
        """Whether a process has the fleet's lease. It is taken for a moment to learn that; there is no other way."""
        probe = f"{self._holder} (looking)"
        if not store.hold(watch.fleet.name, probe, now=now, seconds=_PROBE_SECONDS):
            return True
        store.release(watch.fleet.name, probe)
        return False

    def _say_elsewhere(self, watch: _Watch, run: Run) -> None:
        watch.state = replace(watch.state, failures=0, trouble=None)
        if watch.said_elsewhere != run.number:
            watch.said_elsewhere = run.number
            self._host.tell(Event.ELSEWHERE, watch.fleet.name, {"run": run.number, "slot": run.slot})

    def _trouble(self, watch: _Watch, reason: str, now: datetime) -> None:
        """Say it once, and try again later; each time a little later, until it goes well."""
        if watch.state.trouble != reason:
            self._host.tell(Event.TROUBLE, watch.fleet.name, {"reason": reason})
        wait = min(_BACK_OFF * 2 ** min(watch.state.failures, 10), _BACK_OFF_MAX)
        following = self._following(watch, now)
        watch.state = replace(watch.state, failures=watch.state.failures + 1, trouble=reason, next_start=following)
        watch.look_at = now + wait

    def _following(self, watch: _Watch, now: datetime) -> datetime | None:
        timetable = watch.state.timetable
        return None if timetable is None else timetable.next(now)

    def _publish(self) -> None:
        states = tuple(watch.state for watch in self._watches.values())
        with self._lock:
            self._states = states


def _wait_or_kill(child: Child, seconds: float) -> None:
    try:
        child.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _close(watch: _Watch) -> None:
    if watch.store is not None:
        watch.store.close()
        watch.store = None


def _ended(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
