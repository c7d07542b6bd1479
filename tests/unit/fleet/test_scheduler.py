"""The scheduler against a real store: what it starts, what it leaves to others, and what it says."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from compliance.errors import ExitCode, StoreError
from compliance.fleet.fleet_file import Fleet, Schedule
from compliance.fleet.scheduler import Event, Scheduler
from compliance.model.fleet import FleetStore, Run, RunState
from compliance.store.fleet_store import open_fleet_store

BEGIN = datetime(2026, 11, 1, 2, 59, tzinfo=UTC)
FIRST = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


@dataclass(eq=False)
class Process:
    """A run that goes on until the test says how it ends."""

    code: int | None = None
    terminated: bool = False
    killed: bool = False
    stubborn: bool = False

    def poll(self) -> int | None:
        return self.code

    def terminate(self) -> None:
        self.terminated = True
        if not self.stubborn:
            self.code = 130

    def kill(self) -> None:
        self.killed, self.code = True, -9

    def wait(self, timeout: float | None = None) -> int:
        if self.code is None:
            raise subprocess.TimeoutExpired("run", timeout or 0)
        return self.code


@dataclass
class House:
    """A host whose runs are begun and ended by the test, in a store on disk."""

    file: Path
    stack: ExitStack
    started: list[tuple[str, datetime | None, Process]] = field(default_factory=list)
    told: list[tuple[Event, Mapping[str, object]]] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    on_launch: Callable[[Fleet, datetime | None], None] = lambda fleet, slot: None
    away: bool = False

    def open_store(self, fleet: Fleet) -> FleetStore:
        if self.away:
            raise StoreError("the database does not answer", code="store-unreachable")
        store = open_fleet_store(str(self.file))
        self.stack.callback(store.close)
        return store

    def launch(self, fleet: Fleet, slot: datetime | None) -> Process:
        self.on_launch(fleet, slot)
        process = Process()
        self.started.append((fleet.name, slot, process))
        return process

    def finished(self, fleet: Fleet, store: FleetStore, run: Run) -> None:
        self.done.append(run.number)

    def tell(self, event: Event, fleet: str, facts: Mapping[str, object]) -> None:
        self.told.append((event, facts))

    def events(self) -> list[Event]:
        return [event for event, _ in self.told]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with ExitStack() as stack:
        yield House(file=tmp_path / "fleet.db", stack=stack)


def fleet(name: str = "shop", cron: str | None = "0 3 * * *") -> Fleet:
    schedule = None if cron is None else Schedule(cron=cron)
    return Fleet(name=name, path=Path("FLEET.yaml"), digest="sha256:" + "f" * 64, groups=(), schedule=schedule)


def scheduler(house: House, *fleets: Fleet, catch_up: bool = True, name: str = "first") -> Scheduler:
    made = Scheduler(house, holder=name, grace=600, catch_up=catch_up)
    made.load(fleets or (fleet(),), BEGIN)
    return made


def begin(store: FleetStore, slot: datetime | None, name: str = "shop") -> Run:
    started = slot or BEGIN
    return store.begin(
        Run(
            fleet=name,
            number=0,
            state=RunState.OPEN,
            fleet_digest="sha256:" + "f" * 64,
            tool="hullmark 0",
            controls_digest="sha256:" + "c" * 64,
            started=started,
            effective=started,
            population="",
            slot=slot,
        ),
        (),
    )


def do(house: House, slot: datetime | None, name: str = "shop") -> None:
    """A whole run, as the process would have done it."""
    store = house.open_store(fleet(name))
    store.end(begin(store, slot, name), (slot or BEGIN) + 5 * SECOND)


def test_a_run_is_started_for_its_slot_once_and_not_before(house: House) -> None:
    made = scheduler(house)
    made.tick(FIRST - SECOND)
    assert house.started == []
    made.tick(FIRST)
    made.tick(FIRST + SECOND)
    [(name, slot, process)] = house.started
    assert (name, slot) == ("shop", FIRST)
    do(house, FIRST)
    process.code = ExitCode.NOT_SATISFIED
    for seconds in range(2, 100, 7):
        made.tick(FIRST + seconds * SECOND)
    assert len(house.started) == 1
    assert house.done == [1]
    assert house.events() == [Event.WATCHING, Event.STARTED, Event.FINISHED]
    assert made.states[0].next_start == FIRST + DAY


def test_runs_do_not_overlap_and_the_slot_that_waited_is_run_afterwards(house: House) -> None:
    made = scheduler(house)
    made.tick(FIRST)
    made.tick(FIRST + DAY + 60 * SECOND)
    assert len(house.started) == 1, "the first is still going on"
    do(house, FIRST)
    house.started[0][2].code = 0
    made.tick(FIRST + DAY + 120 * SECOND)
    assert [slot for _, slot, _ in house.started] == [FIRST, FIRST + DAY]


def test_what_was_missed_is_said_once_and_the_newest_is_run_late(house: House) -> None:
    do(house, FIRST)
    made = scheduler(house)
    late = FIRST + 3 * DAY + timedelta(hours=5)
    made.tick(late)
    made.tick(late + SECOND)
    assert [slot for _, slot, _ in house.started] == [FIRST + 3 * DAY]
    [missed] = [facts for event, facts in house.told if event is Event.MISSED]
    assert missed == {"count": 2, "first": FIRST + DAY, "last": FIRST + 2 * DAY}


def test_without_catching_up_it_waits_for_the_next_slot(house: House) -> None:
    do(house, FIRST)
    made = scheduler(house, catch_up=False)
    late = FIRST + 3 * DAY + timedelta(hours=5)
    for seconds in (0, 20, 40):
        made.tick(late + seconds * SECOND)
    assert house.started == []
    [missed] = [facts for event, facts in house.told if event is Event.MISSED]
    assert missed["count"] == 3
    made.tick(FIRST + 4 * DAY)
    assert [slot for _, slot, _ in house.started] == [FIRST + 4 * DAY]


def test_an_open_run_that_nobody_holds_is_continued(house: House) -> None:
    store = house.open_store(fleet())
    begin(store, FIRST)
    assert store.hold("shop", "another", now=FIRST, seconds=30)
    made = scheduler(house)
    made.tick(FIRST + 5 * SECOND)
    made.tick(FIRST + 25 * SECOND)
    assert house.started == []
    assert house.events().count(Event.ELSEWHERE) == 1
    made.tick(FIRST + 50 * SECOND)
    assert [slot for _, slot, _ in house.started] == [FIRST]
    assert house.events()[-1] is Event.CONTINUED


def test_one_who_was_slower_says_so_and_goes_on(house: House) -> None:
    """The other has the slot; our process found it taken."""
    made = scheduler(house)
    made.tick(FIRST)
    do(house, FIRST)
    house.started[0][2].code = ExitCode.TOOL_FAILED
    made.tick(FIRST + 40 * SECOND)
    assert house.events()[-1] is Event.ELSEWHERE
    assert made.states[0].trouble is None
    assert house.done == [], "the other tells of its run"
    made.tick(FIRST + DAY)
    assert [slot for _, slot, _ in house.started] == [FIRST, FIRST + DAY]


def test_a_run_that_crashes_is_tried_again_with_pauses_that_grow(house: House) -> None:
    made = scheduler(house)
    moments: list[float] = []
    for seconds in range(0, 600, 2):
        made.tick(FIRST + seconds * SECOND)
        if len(house.started) > len(moments):
            moments.append(seconds)
            house.started[-1][2].code = -11
    assert {slot for _, slot, _ in house.started} == {FIRST}
    pauses = [later - earlier for earlier, later in pairwise(moments)]
    assert pauses == sorted(pauses)
    assert 30 <= pauses[0] <= 40
    assert pauses[-1] >= 120
    assert made.states[0].trouble == "the run ended early: signal 11"
    do(house, FIRST)
    house.started[-1][2].code = None
    made.tick(FIRST + 700 * SECOND)
    house.started[-1][2].code = 0
    made.tick(FIRST + 702 * SECOND)
    made.tick(FIRST + 2000 * SECOND)
    assert made.states[0].trouble is None


def test_a_store_that_is_away_is_trouble_of_its_fleet_alone(house: House, tmp_path: Path) -> None:
    made = scheduler(house)
    house.away = True
    made.tick(FIRST)
    made.tick(FIRST + SECOND)
    assert house.events().count(Event.TROUBLE) == 1
    assert made.states[0].trouble == "store-unreachable: the database does not answer"
    house.away = False
    made.tick(FIRST + 35 * SECOND)
    assert [slot for _, slot, _ in house.started] == [FIRST]


def test_a_fault_over_one_fleet_does_not_reach_another(house: House) -> None:
    def broken(fleet: Fleet, slot: datetime | None) -> None:
        if fleet.name == "broken":
            raise RuntimeError("no such program")

    house.on_launch = broken
    made = scheduler(house, fleet("broken"), fleet("shop"))
    made.tick(FIRST)
    assert [name for name, _, _ in house.started] == ["shop"]
    assert [state.trouble for state in made.states] == ["internal error: RuntimeError: no such program", None]


def test_a_fleet_without_a_schedule_starts_nothing_but_its_open_run_is_continued(house: House) -> None:
    made = scheduler(house, fleet(cron=None))
    made.tick(FIRST + DAY)
    assert house.started == []
    begin(house.open_store(fleet()), None)
    made.tick(FIRST + DAY + 60 * SECOND)
    assert [slot for _, slot, _ in house.started] == [None]


def test_loading_again_keeps_runs_that_are_going_on_and_takes_the_new_schedule(house: House) -> None:
    made = scheduler(house)
    made.tick(FIRST)
    [(_, _, process)] = house.started
    made.load([fleet(cron="30 4 * * *"), fleet("other", "0 5 * * *")], FIRST + SECOND)
    assert not process.terminated
    assert [state.next_start for state in made.states] == [
        FIRST.replace(hour=4, minute=30),
        FIRST.replace(hour=5),
    ]
    do(house, FIRST)
    process.code = 0
    made.tick(FIRST + 60 * SECOND)
    assert house.done == [1]
    made.tick(FIRST.replace(hour=4, minute=30))
    assert [slot for _, slot, _ in house.started] == [FIRST, FIRST.replace(hour=4, minute=30)]


def test_a_fleet_that_is_no_longer_named_is_let_go_when_its_run_is_over(house: House) -> None:
    made = scheduler(house)
    made.tick(FIRST)
    made.load([fleet("other")], FIRST + SECOND)
    assert [state.fleet.name for state in made.states] == ["other", "shop"]
    do(house, FIRST)
    house.started[0][2].code = 0
    made.tick(FIRST + DAY)
    assert house.done == [1]
    assert [name for name, _, _ in house.started] == ["shop", "other"]
    assert [state.fleet.name for state in made.states] == ["other"]


def test_a_slot_that_was_due_before_the_schedule_was_known_is_none(house: House) -> None:
    made = Scheduler(house, holder="late", grace=600)
    made.load([fleet()], FIRST + timedelta(hours=1))
    made.tick(FIRST + timedelta(hours=2))
    assert house.started == []


def test_stopping_ends_runs_and_kills_what_does_not_listen(house: House) -> None:
    made = scheduler(house, fleet("polite"), fleet("stubborn"))
    made.tick(FIRST)
    polite, stubborn = (process for _, _, process in house.started)
    stubborn.stubborn = True
    made.stop(0.01)
    assert polite.terminated
    assert not polite.killed
    assert stubborn.killed
    assert house.events()[-2:] == [Event.STOPPED, Event.STOPPED]
    assert not made.busy


def test_jitter_moves_the_start_and_not_the_slot(house: House) -> None:
    jittered = replace(fleet(), schedule=Schedule(cron="0 3 * * *", jitter_seconds=600))
    made = scheduler(house, jittered)
    start = made.states[0].next_start
    assert start is not None
    assert FIRST < start < FIRST + timedelta(minutes=10)
    made.tick(start - SECOND)
    assert house.started == []
    made.tick(start)
    assert [slot for _, slot, _ in house.started] == [FIRST]
