"""A run over a real store: what is recorded, what is tried again, what is reused, and what ends it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from compliance.errors import ComplianceError, StoreError, UsageError
from compliance.fleet import run as run_module
from compliance.fleet.fleet_file import read_fleet
from compliance.fleet.item_assessment import assess_item, options_of
from compliance.fleet.job import Answer, Failure, Job, Trouble
from compliance.fleet.run import in_working_order, run_fleet
from compliance.fleet.run_summary import run_summary
from compliance.fleet.run_watcher import RunWatcher
from compliance.ingest.registry_options import RegistryOptions
from compliance.model.fleet import Item, ItemOutcome, ItemState, Run, RunState
from compliance.store.fleet_store import open_fleet_store
from compliance.store.sql_store import SqlFleetStore
from tests.builders.fleet_images import fleet_file
from tests.builders.layout import Layout

NOW = datetime(2026, 11, 2, 8, 30, 15, tzinfo=UTC)
MOMENT = Failure(trouble=Trouble.MOMENT, code="rate-limited", reason="not now")
IMAGE = Failure(trouble=Trouble.IMAGE, code="crashed", reason="its process was ended by SIGSEGV")


class Here:
    """An Executor that assesses in this process, after it has answered with what was scripted for the image."""

    def __init__(self, script: Mapping[str, list[Answer | ComplianceError]] | None = None) -> None:
        self.script = {key: list(answers) for key, answers in (script or {}).items()}
        self.jobs: list[Job] = []
        self.before: Callable[[Job], None] = lambda job: None

    def slots(self) -> int:
        return 1

    def submit(self, job: Job) -> Future[Answer]:
        self.before(job)
        self.jobs.append(job)
        scripted = self.script.get(name_of(job.item), [])
        future: Future[Answer] = Future()
        answer = scripted.pop(0) if scripted else assess_item(job, options_of(job))
        if isinstance(answer, ComplianceError):
            future.set_exception(answer)
        else:
            future.set_result(answer)
        return future

    def close(self) -> None:
        pass

    @property
    def asked(self) -> list[str]:
        return [name_of(job.item) for job in self.jobs]


class Heard(RunWatcher):
    def __init__(self) -> None:
        self.outcomes: list[ItemOutcome] = []
        self.pauses: list[float] = []

    def recorded(self, outcome: ItemOutcome) -> None:
        self.outcomes.append(outcome)

    def again(self, item: Item, failure: Failure, seconds: float) -> None:
        self.pauses.append(seconds)


def name_of(item: Item) -> str:
    return Path(item.reference.partition("@")[0].partition(":")[2]).name


@pytest.fixture
def images(tmp_path: Path) -> dict[str, str]:
    """Three images on disk, by name."""
    found = {}
    for name in ("a", "b", "c"):
        Layout(root=tmp_path / name).add_image([{"app": f"{name}"}], config={"User": "1000"}, tag=None)
        found[name] = f"oci-dir:{tmp_path / name}"
    return found


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlFleetStore]:
    with closing(open_fleet_store(str(tmp_path / "store.db"))) as store:
        yield store


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "PAUSES", (0.01, 0.02))


class Fleets:
    """Runs over one fleet file, which a test may write anew."""

    def __init__(self, folder: Path, store: SqlFleetStore, images: Mapping[str, str]) -> None:
        self.folder, self.store = folder, store
        self.write(list(images.values()))

    def write(self, references: list[str], limits: str = "") -> None:
        self.path = fleet_file(self.folder, references, limits=limits)

    def run(
        self,
        executor: Here,
        *,
        now: datetime = NOW,
        effective: datetime | None = None,
        watcher: RunWatcher | None = None,
        stop: threading.Event | None = None,
        slot: datetime | None = None,
        lease_seconds: float = 30.0,
    ) -> Run:
        return run_fleet(
            read_fleet(self.path),
            self.store,
            now=now,
            effective=effective,
            slot=slot,
            executor=executor,
            cache=None,
            registry=RegistryOptions(),
            blobs=self.store.blobs,
            watcher=watcher,
            stop=stop,
            lease_seconds=lease_seconds,
        )

    def outcomes(self, run: Run) -> dict[str, ItemOutcome]:
        return {name_of(outcome.item): outcome for outcome in self.store.outcomes(run)}


@pytest.fixture
def fleets(tmp_path: Path, store: SqlFleetStore, images: dict[str, str]) -> Fleets:
    return Fleets(tmp_path, store, images)


def failed(failure: Failure) -> Answer:
    return Answer(failure=failure)


def test_every_image_is_assessed_once_and_the_run_ends_in_the_chain(fleets: Fleets, images: dict[str, str]) -> None:
    fleets.write([*images.values(), images["a"]])
    executor = Here()
    run = fleets.run(executor)
    assert sorted(executor.asked) == ["a", "b", "c"]
    assert (run.number, run.state, run.started, run.effective) == (1, RunState.ENDED, NOW, NOW)
    assert run.finished is not None
    assert run.finished >= NOW
    assert run.chain == fleets.store.head("tests")
    outcomes = fleets.outcomes(run)
    assert {outcome.state for outcome in outcomes.values()} == {ItemState.ASSESSED}
    assert all(outcome.cost is not None and outcome.cost.attempts == 1 for outcome in outcomes.values())
    assert list(fleets.store.verify()) == []
    summary = run_summary(fleets.store, run)
    assert (summary.references, summary.images, summary.recorded) == (4, 3, 3)


def test_an_effective_time_is_every_time_that_is_recorded(fleets: Fleets, tmp_path: Path) -> None:
    effective = NOW - timedelta(days=40)
    run = fleets.run(Here(), effective=effective)
    assert run.started == run.effective == run.finished == effective
    with closing(open_fleet_store(str(tmp_path / "other.db"))) as other:
        again = Fleets(tmp_path, other, {name: f"oci-dir:{tmp_path / name}" for name in "abc"})
        again.run(Here(), now=NOW + timedelta(hours=5), effective=effective)
        assert other.digest() == fleets.store.digest()


def test_what_may_pass_is_tried_again_and_then_counts(fleets: Fleets) -> None:
    heard = Heard()
    executor = Here({"b": [failed(MOMENT), failed(MOMENT)]})
    outcomes = fleets.outcomes(fleets.run(executor, watcher=heard))
    assert executor.asked.count("b") == 3
    assert outcomes["b"].state is ItemState.ASSESSED
    assert outcomes["b"].cost is not None
    assert outcomes["b"].cost.attempts == 3
    assert heard.pauses == [0.01, 0.02]


def test_what_does_not_pass_is_given_up_after_its_tries_and_tried_anew_by_the_next_run(fleets: Fleets) -> None:
    first = fleets.run(Here({"b": [failed(MOMENT)] * 3}))
    found = fleets.outcomes(first)["b"]
    assert (found.state, found.code, found.reason) == (ItemState.NOT_DETERMINED, "rate-limited", "not now")
    executor = Here()
    second = fleets.run(executor, now=NOW + timedelta(minutes=1))
    assert executor.asked == ["b"]
    states = {name: outcome.state for name, outcome in fleets.outcomes(second).items()}
    assert states == {"a": ItemState.REUSED, "b": ItemState.ASSESSED, "c": ItemState.REUSED}


def test_a_registry_that_asks_for_more_time_gets_it_within_bounds(
    fleets: Fleets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "PAUSE_MAX", 0.05)
    heard = Heard()
    waits = [Failure(trouble=Trouble.MOMENT, code="rate-limited", reason="", pause=pause) for pause in (0.03, 3600.0)]
    fleets.run(Here({"b": [failed(one) for one in waits]}), watcher=heard)
    assert heard.pauses == [0.03, 0.05]


def test_a_crash_is_recorded_and_not_tried_again(fleets: Fleets) -> None:
    executor = Here({"a": [failed(IMAGE)]})
    run = fleets.run(executor)
    found = fleets.outcomes(run)["a"]
    assert (found.state, found.code, found.reason) == (ItemState.NOT_DETERMINED, IMAGE.code, IMAGE.reason)
    assert executor.asked.count("a") == 1
    assert run.state is RunState.ENDED
    assert run_summary(fleets.store, run).exit_code in (10, 11)


def test_a_store_that_refuses_ends_the_run_which_stays_open_and_goes_on(fleets: Fleets) -> None:
    full = Failure(trouble=Trouble.STORE, code="disk-full", reason="the disk is full")
    with pytest.raises(StoreError) as caught:
        fleets.run(Here({"c": [failed(full)] * 3}))
    assert caught.value.code == "disk-full"
    opened = fleets.store.open_run("tests")
    assert opened is not None
    done = set(fleets.outcomes(opened))
    executor = Here()
    ended = fleets.run(executor, now=NOW + timedelta(minutes=9))
    assert (ended.number, ended.effective, ended.state) == (opened.number, NOW, RunState.ENDED)
    assert set(executor.asked) == {"a", "b", "c"} - done


def test_a_place_that_fails_is_no_image_s_fault(fleets: Fleets) -> None:
    with pytest.raises(ComplianceError) as caught:
        fleets.run(Here({"a": [ComplianceError("the scheduler is gone", code="scheduler-lost")]}))
    assert caught.value.code == "scheduler-lost"
    opened = fleets.store.open_run("tests")
    assert opened is not None
    assert "a" not in fleets.outcomes(opened)


def test_a_run_that_is_told_to_stop_is_open_and_whole(fleets: Fleets) -> None:
    stop = threading.Event()

    class Stops(RunWatcher):
        def recorded(self, outcome: ItemOutcome) -> None:
            stop.set()

    run = fleets.run(Here(), watcher=Stops(), stop=stop)
    assert (run.state, len(fleets.outcomes(run))) == (RunState.OPEN, 1)
    assert run_summary(fleets.store, run).exit_code in (10, 11)
    executor = Here()
    assert fleets.run(executor).number == run.number
    assert len(executor.asked) == 2


def test_a_run_that_is_told_to_stop_while_it_resolves_was_never_begun(fleets: Fleets) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(KeyboardInterrupt):
        fleets.run(Here(), stop=stop)
    assert list(fleets.store.runs()) == []
    assert fleets.run(Here()).number == 1  # and nobody holds the fleet


def test_a_continued_run_keeps_its_population_and_its_time(fleets: Fleets, images: dict[str, str]) -> None:
    executor = Here({"a": [ComplianceError("gone", code="scheduler-lost")]})
    with pytest.raises(ComplianceError):
        fleets.run(executor, effective=NOW - timedelta(days=1))
    layout = Layout(root=Path(images["b"].partition(":")[2]))
    layout.add_image([{"app": "another"}], config={"User": "1000"}, tag=None)
    with pytest.raises(UsageError) as caught:
        fleets.run(Here(), effective=NOW)
    assert caught.value.code == "run-open"
    ended = fleets.run(Here(), effective=NOW - timedelta(days=1))
    assert ended.finished == ended.effective == NOW - timedelta(days=1)
    # What lies there now is another image, which is not what the run is about.
    assert fleets.outcomes(ended)["b"].state is ItemState.ASSESSED or fleets.outcomes(ended)["b"].code == "no-image"


def test_what_images_are_held_against_may_change_under_an_open_run(fleets: Fleets, images: dict[str, str]) -> None:
    with pytest.raises(ComplianceError):
        fleets.run(Here({name: [ComplianceError("gone", code="scheduler-lost")] for name in images}))
    document = json.loads(fleets.path.read_text())
    for group in document["groups"].values():
        group["fail-on"] = "low"
    fleets.path.write_text(json.dumps(document))
    ended = fleets.run(Here())
    assert {outcome.code for outcome in fleets.outcomes(ended).values()} == {"policy-changed"}
    following = fleets.run(Here(), now=NOW + timedelta(hours=1))
    assert {outcome.state for outcome in fleets.outcomes(following).values()} == {ItemState.ASSESSED}


def test_assessments_are_reused_for_as_long_as_the_fleet_says_and_never_from_later(
    fleets: Fleets, images: dict[str, str]
) -> None:
    fleets.write(list(images.values()), limits='{"reuse": "1h"}')
    fleets.run(Here())
    asked = []
    for now in (NOW + timedelta(minutes=59), NOW + timedelta(minutes=61), NOW - timedelta(minutes=1)):
        executor = Here()
        fleets.run(executor, now=now)
        asked.append(len(executor.asked))
    assert asked == [0, 3, 3]


def test_a_slot_is_taken_once(fleets: Fleets) -> None:
    assert fleets.run(Here(), slot=NOW).slot == NOW
    with pytest.raises(StoreError) as caught:
        fleets.run(Here(), slot=NOW)
    assert caught.value.code == "run-taken"


def test_two_runs_of_one_fleet_do_not_work_at_once(fleets: Fleets, tmp_path: Path) -> None:
    inside, go_on = threading.Event(), threading.Event()
    executor = Here()

    def waits(job: Job) -> None:
        inside.set()
        go_on.wait(60)

    executor.before = waits
    first = threading.Thread(target=lambda: fleets.run(executor, lease_seconds=0.6))
    first.start()
    assert inside.wait(60)
    waited: list[float] = []

    class Waits(RunWatcher):
        def waiting(self, seconds: float) -> None:
            waited.append(seconds)

    with pytest.raises(ComplianceError) as caught:
        fleets.run(Here(), watcher=Waits(), lease_seconds=0.6)
    assert caught.value.code == "run-busy"
    assert waited == [0.6]
    go_on.set()
    first.join()
    assert fleets.run(Here(), now=NOW + timedelta(hours=1)).number == 2


def test_a_lease_that_ran_out_while_the_store_was_away_is_taken_again(
    fleets: Fleets, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold, away = fleets.store.hold, threading.Event()
    began: list[float] = []

    def held(fleet: str, holder: str, *, now: datetime, seconds: float) -> bool:
        if away.is_set() and time.monotonic() - began[0] < 1.0:
            raise StoreError("the database can't be reached", code="database-unreachable")
        return hold(fleet, holder, now=now, seconds=seconds)

    def goes_away(job: Job) -> None:
        if not away.is_set():
            began.append(time.monotonic())
            away.set()
            time.sleep(1.1)

    executor = Here()
    executor.before = goes_away
    monkeypatch.setattr(fleets.store, "hold", held)
    assert fleets.run(executor, lease_seconds=0.4).state is RunState.ENDED


def test_a_run_whose_lease_another_took_writes_no_more(fleets: Fleets) -> None:
    executor = Here()

    def taken(job: Job) -> None:
        # As if this process had been stopped for an hour.
        assert fleets.store.hold("tests", "another", now=NOW + timedelta(hours=1), seconds=3600)

    executor.before = taken
    executor.script = {name: [failed(MOMENT)] * 1000 for name in "abc"}
    fleets.write([f"oci-dir:{fleets.folder / name}" for name in "abc"], limits='{"attempts": 20}')
    with pytest.raises(StoreError) as caught:
        fleets.run(executor, lease_seconds=0.3)
    assert caught.value.code == "lease-lost"
    opened = fleets.store.open_run("tests")
    assert opened is not None


def test_an_image_whose_texts_no_database_holds_is_not_determined(
    fleets: Fleets, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = fleets.store.record

    def record(run: Run, outcome: ItemOutcome, assessment: object) -> None:
        if assessment is not None and name_of(outcome.item) == "c":
            raise StoreError("a text with a NUL character in it can't be stored", code="text-unstorable")
        recorded(run, outcome, assessment)  # type: ignore[arg-type]

    monkeypatch.setattr(fleets.store, "record", record)
    run = fleets.run(Here())
    assert fleets.outcomes(run)["c"].code == "text-unstorable"
    assert run.state is RunState.ENDED


def test_a_reference_that_leads_nowhere_counts_as_not_determined(fleets: Fleets, images: dict[str, str]) -> None:
    fleets.write([images["a"], "oci-dir:/nowhere"])
    summary = run_summary(fleets.store, fleets.run(Here()))
    assert (summary.images, sum(summary.unresolved.values())) == (1, 1)
    assert summary.exit_code in (10, 11)


def test_an_image_of_each_repository_comes_first() -> None:
    items = [
        Item(digest=f"sha256:{number}", policy="p", reference=f"registry:h/{name}@sha256:{number}")
        for number, name in enumerate(("b", "a", "a", "c", "b"))
    ]
    assert [item.reference[11] for item in in_working_order(items)] == ["a", "b", "c", "a", "b"]
