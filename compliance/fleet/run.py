"""A run: the population resolved once, each of its items assessed once, what became of it recorded, the run ended.

A run that is ended at any point, however brutally, is continued by the next one: its population stands, what is
recorded is kept, and only the rest is done. Only this process writes rows; workers leave documents in the blobs before
their answer comes here, so no row names a document that is not there.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from compliance.errors import ComplianceError, StoreError, UsageError
from compliance.fleet.group_policy import GroupPolicy, group_policy
from compliance.fleet.item_assessment import failure_of
from compliance.fleet.item_list import keep_items, kept_items
from compliance.fleet.job import Answer, Blobs, Bounds, Failure, Job, Trouble
from compliance.fleet.lease import LEASE_SECONDS, Clock, Lease
from compliance.fleet.population import resolve
from compliance.fleet.run_watcher import RunWatcher
from compliance.ingest.source import parse_reference
from compliance.model.fleet import Cost, FleetStore, Item, ItemOutcome, ItemState, Run, RunState
from compliance.model.reference import Platform
from compliance.pipeline import TOOL, Stage, Watcher, policy_name, tool_version

if TYPE_CHECKING:
    from compliance.fleet.executors.executor import Executor
    from compliance.fleet.fleet_file import Fleet
    from compliance.ingest.layer_cache import LayerCache
    from compliance.ingest.registry_options import RegistryOptions

PAUSES = (5.0, 30.0, 120.0, 300.0)
"""Seconds before the second, third … try of an image; the transport has tried three times more within each."""
PAUSE_MAX = 900.0
"""Seconds that a registry may ask us to wait; whoever asks for more is asked again after this."""
AHEAD = 2
"""Jobs handed out for each slot: the next one lies there when a slot falls free."""
_GLANCE = 0.5
"""Seconds between two looks whether we are to stop."""

_UNSTORABLE = frozenset(("text-unstorable",))
"""What a store refuses because of the image, and not because of itself."""


def run_fleet(
    fleet: Fleet,
    store: FleetStore,
    *,
    now: datetime,
    effective: datetime | None = None,
    slot: datetime | None = None,
    executor: Executor,
    cache: LayerCache | None,
    registry: RegistryOptions,
    blobs: Blobs,
    watcher: RunWatcher | None = None,
    stop: threading.Event | None = None,
    lease_seconds: float = LEASE_SECONDS,
) -> Run:
    """Run the fleet, or continue its open run; the run as it is afterwards, open only where `stop` was set.

    `now` is the clock. With an `effective` time that is another, the run is made as of then, and every time that is
    recorded is that one: the same population gives the same rows, byte for byte. `slot` is the time that a new run was
    scheduled for. The caller closes `executor` and `store`. Raises PolicyError, UsageError, StoreError (``run-taken``,
    ``lease-lost``, …), ComplianceError (``run-busy``: another process is at work; ``worker-failed``), and
    KeyboardInterrupt where `stop` was set before there was a run.
    """
    watcher = watcher or RunWatcher()
    stop = stop or threading.Event()
    clock = Clock(now)
    lease = Lease(store, fleet.name, clock, lease_seconds)
    with lease.held(watcher.waiting, stop):
        begun = _continued(fleet, store, effective) or _begun(
            fleet, store, now, effective, slot, registry, _Resolving(watcher, stop)
        )
        work = _Work(
            fleet=fleet,
            store=store,
            begun=begun,
            executor=executor,
            cache=cache,
            # Come back later rather than record that something was not to be had just now.
            registry=replace(registry, whole=True),
            blobs=blobs,
            lease=lease,
            watcher=watcher,
            stop=stop,
        )
        if not work.do():
            return begun.run
        lease.demand()
        as_of_then = begun.run.started == begun.run.effective and effective not in (None, now)
        ended = store.end(begun.run, begun.run.effective if as_of_then else clock.now().replace(microsecond=0))
        watcher.ended(ended)
        return ended


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    """An open run, its items, and the policies that they are held against."""

    run: Run
    items: tuple[Item, ...]
    policies: Mapping[str, GroupPolicy]
    resumed: bool


class _Resolving(Watcher):
    """Hears how far the resolving is, and ends it when we are to stop: nothing is recorded yet."""

    def __init__(self, watcher: Watcher, stop: threading.Event) -> None:
        self._watcher = watcher
        self._stop = stop

    def stage(self, stage: Stage) -> None:
        """See Watcher."""
        self._watcher.stage(stage)

    def advance(self, stored_bytes: int) -> None:
        """See Watcher."""
        if self._stop.is_set():
            raise KeyboardInterrupt
        self._watcher.advance(stored_bytes)


def _begun(
    fleet: Fleet,
    store: FleetStore,
    now: datetime,
    effective: datetime | None,
    slot: datetime | None,
    registry: RegistryOptions,
    watcher: Watcher,
) -> _Begun:
    from controls.definitions import shipped_definitions

    moment = effective or now
    population = resolve(fleet, effective=moment, registry=registry, watcher=watcher)
    run = store.begin(
        Run(
            fleet=fleet.name,
            number=0,
            state=RunState.OPEN,
            fleet_digest=fleet.digest,
            tool=f"{TOOL} {tool_version()}",
            controls_digest=shipped_definitions(None).library.digest,
            started=moment,
            effective=moment,
            population=keep_items(store, population.items),
            slot=slot,
        ),
        population.members,
    )
    return _Begun(run=run, items=population.items, policies=population.policies, resumed=False)


def _continued(fleet: Fleet, store: FleetStore, effective: datetime | None) -> _Begun | None:
    """The open run, if there is one, under the policies that the fleet has now: only equal ones are of use to it."""
    run = store.open_run(fleet.name)
    if run is None:
        return None
    if effective not in (None, run.effective):
        raise UsageError(
            f"run {run.number} is not ended, and is as of {run.effective:%Y-%m-%dT%H:%M:%SZ}",
            code="run-open",
            where=fleet.name,
            hint="continue it without --effective-time, or with that one",
        )
    items = tuple(kept_items(store, run.population))
    return _Begun(run=run, items=items, policies=_policies_now(fleet, store, run, items), resumed=True)


def _policies_now(fleet: Fleet, store: FleetStore, run: Run, items: Iterable[Item]) -> Mapping[str, GroupPolicy]:
    """By digest, what the groups hold the items against now: where a file was changed, it is another policy."""
    bases = {group.name: group_policy(fleet, group, run.effective) for group in fleet.groups}
    led = {(member.digest, member.policy): (member.group, member.platform) for member in store.members(run)}
    policies: dict[str, GroupPolicy] = {}
    for item in items:
        group, platform = led.get(item.key, ("", None))
        if item.policy in policies or group not in bases:
            continue
        policy = bases[group] if platform is None else bases[group].for_platform(Platform.parse(platform))
        policy = policy.for_image(policy_name(parse_reference(item.reference)))
        policies[policy.digest] = policy
    return policies


def in_working_order(items: Iterable[Item]) -> list[Item]:
    """One image of each repository first, then the rest.

    Images of one repository mostly share their lower layers. So those that are worked on at the same time at first
    have little in common, and those that come later find what they share in the cache.
    """
    first: list[Item] = []
    rest: list[Item] = []
    before = ""
    for item in sorted(items, key=lambda item: (item.reference, item.key)):
        repository = item.reference.partition("@")[0]
        (rest if repository == before else first).append(item)
        before = repository
    return first + rest


class _Work:
    """What is left of a run, while it is done."""

    def __init__(
        self,
        *,
        fleet: Fleet,
        store: FleetStore,
        begun: _Begun,
        executor: Executor,
        cache: LayerCache | None,
        registry: RegistryOptions,
        blobs: Blobs,
        lease: Lease,
        watcher: RunWatcher,
        stop: threading.Event,
    ) -> None:
        from compliance.ingest.limits import DEFAULT_LIMITS

        self._store = store
        self._run = begun.run
        self._policies = begun.policies
        self._executor = executor
        self._lease = lease
        self._watcher = watcher
        self._stop = stop
        self._attempts = fleet.limits.attempts
        self._not_before = begun.run.effective - timedelta(seconds=fleet.limits.reuse_seconds)
        self._job = partial(
            Job,
            effective=begun.run.effective,
            registry=registry,
            limits=DEFAULT_LIMITS,
            bounds=Bounds(seconds=fleet.limits.image_seconds, memory=fleet.limits.image_bytes),
            cache=cache,
            blobs=blobs,
        )
        recorded = {outcome.item.key for outcome in store.outcomes(begun.run)}
        self._waiting = deque(in_working_order(item for item in begun.items if item.key not in recorded))
        self._later: list[tuple[float, int, _Try]] = []
        self._flying = 0
        self._landed: SimpleQueue[tuple[_Try, Future[Answer]]] = SimpleQueue()
        self._order = 0
        watcher.begun(begun.run, len(begun.items), len(recorded), resumed=begun.resumed)

    def do(self) -> bool:
        """Do it; False when we were told to stop before it was done."""
        while self._waiting or self._later or self._flying:
            if self._stop.is_set():
                return False
            self._lease.demand()
            self._hand_out()
            self._settle()
        return True

    def _hand_out(self) -> None:
        """As many jobs as keep all slots at work: those whose pause is over first."""
        room = AHEAD * max(1, self._executor.slots())
        while self._flying < room:
            if self._later and self._later[0][0] <= time.monotonic():
                self._submit(heapq.heappop(self._later)[2])
            elif self._waiting:
                self._begin(self._waiting.popleft())
            else:
                return

    def _begin(self, item: Item) -> None:
        """Reuse what an earlier run found, or assess."""
        known = self._store.reusable(item, not_before=self._not_before, not_after=self._run.effective)
        if known is not None:
            self._record(ItemOutcome(item=item, state=ItemState.REUSED, assessment=known))
        elif item.policy not in self._policies:
            failure = Failure(
                trouble=Trouble.IMAGE,
                code="policy-changed",
                reason="what its group is held against was changed after the run had begun; the next run assesses it",
            )
            self._record(_not_determined(item, failure))
        else:
            self._submit(_Try(item=item, number=1))

    def _submit(self, attempt: _Try) -> None:
        job = self._job(item=attempt.item, policy=self._policies[attempt.item.policy])
        future = self._executor.submit(job)
        self._flying += 1
        future.add_done_callback(lambda done: self._landed.put((attempt, done)))

    def _settle(self) -> None:
        """Take what has come back, waiting a moment for the first of it."""
        timeout = _GLANCE if self._flying else self._pause()
        try:
            attempt, future = self._landed.get(timeout=timeout)
        except Empty:
            return
        self._flying -= 1
        self._take(attempt, future.result())

    def _pause(self) -> float:
        """Until something is to be done again, when nothing else is going on."""
        if not self._later:
            return 0.001
        return min(_GLANCE, max(0.001, self._later[0][0] - time.monotonic()))

    def _take(self, attempt: _Try, answer: Answer) -> None:
        attempt = attempt.with_usage(answer)
        failure = answer.failure
        if failure is None:
            self._assessed(attempt, answer)
        elif failure.trouble is Trouble.IMAGE:
            self._record(_not_determined(attempt.item, failure, attempt.cost))
        elif attempt.number < self._attempts:
            self._try_later(attempt, failure)
        elif failure.trouble is Trouble.MOMENT:
            self._record(_not_determined(attempt.item, failure, attempt.cost))
        else:
            raise (StoreError if failure.trouble is Trouble.STORE else ComplianceError)(
                failure.reason, code=failure.code, hint="what was recorded is whole; the next run continues this one"
            )

    def _try_later(self, attempt: _Try, failure: Failure) -> None:
        seconds = PAUSES[min(attempt.number, len(PAUSES)) - 1]
        if failure.pause is not None:
            seconds = min(max(seconds, failure.pause), PAUSE_MAX)
        self._order += 1
        heapq.heappush(self._later, (time.monotonic() + seconds, self._order, attempt.next()))
        self._watcher.again(attempt.item, failure, seconds)

    def _assessed(self, attempt: _Try, answer: Answer) -> None:
        record = answer.record
        if record is None:
            raise ComplianceError("a worker answered neither with a record nor with a reason", code="worker-failed")
        outcome = ItemOutcome(item=attempt.item, state=ItemState.ASSESSED, assessment=record.id, cost=attempt.cost)
        try:
            self._store.record(self._run, outcome, record)
        except StoreError as error:
            if error.code not in _UNSTORABLE:
                raise
            self._record(_not_determined(attempt.item, replace(failure_of(error), trouble=Trouble.IMAGE), attempt.cost))
        else:
            self._watcher.recorded(outcome)

    def _record(self, outcome: ItemOutcome) -> None:
        self._store.record(self._run, outcome, None)
        self._watcher.recorded(outcome)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Try:
    """The `number`th try of an item, and what all its tries took so far."""

    item: Item
    number: int
    cost: Cost | None = None

    def next(self) -> _Try:
        """The one after it."""
        return replace(self, number=self.number + 1)

    def with_usage(self, answer: Answer) -> _Try:
        """With what this try took."""
        cost = self.cost or Cost(attempts=0, wall_seconds=0.0, cpu_seconds=0.0, peak_bytes=0)
        used = answer.usage
        return replace(
            self,
            cost=Cost(
                attempts=self.number,
                wall_seconds=cost.wall_seconds + used.wall_seconds,
                cpu_seconds=cost.cpu_seconds + used.cpu_seconds,
                peak_bytes=max(cost.peak_bytes, used.peak_bytes),
            ),
        )


def _not_determined(item: Item, failure: Failure, cost: Cost | None = None) -> ItemOutcome:
    return ItemOutcome(item=item, state=ItemState.NOT_DETERMINED, code=failure.code, reason=failure.reason, cost=cost)
