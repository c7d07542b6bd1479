"""A dashboard that answers on a socket, over real stores that hold a believable history."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from compliance.errors import ComplianceError
from compliance.fleet.dashboard.access import Access
from compliance.fleet.dashboard.app import Dashboard
from compliance.fleet.dashboard.server import Certificate, Server
from compliance.fleet.fleet_file import Fleet, Schedule
from compliance.fleet.scheduler import Child, Event, Scheduler
from compliance.model.fleet import FleetStore, Run, RunState
from compliance.store.fleet_store import open_fleet_store
from tests.builders import fleet_documents
from tests.builders.fleet import FleetInMemory
from tests.builders.fleet import fleet as made_fleet

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TOKEN = "a-token-that-nobody-guesses-0123456789"  # noqa: S105 - no secret of anything
SHOP, DOCUMENTS = "shop", fleet_documents.FLEET


def fleet(folder: Path, name: str, *, cron: str | None = None) -> Fleet:
    """A fleet whose store lies in `folder`; its runs are made by the tests."""
    return Fleet(
        name=name,
        path=folder / "FLEET.yaml",
        digest=made_fleet(images=1, runs=1).history[0][0].fleet_digest,
        groups=(),
        schedule=None if cron is None else Schedule(cron=cron),
        store=str(folder / f"{name}.db"),
    )


def copy_history(made: FleetInMemory, store: FleetStore, name: str) -> None:
    """Every run of `made`, as if it had been done with `store`."""
    for run, members, outcomes, records in made.history:
        known = {record.id: record for record in records}
        opened = replace(run, fleet=name, number=0, state=RunState.OPEN, finished=None, previous=None, chain=None)
        begun = store.begin(opened, members)
        for outcome in outcomes:
            store.record(begun, outcome, None if outcome.assessment is None else known[outcome.assessment])
        store.end(begun, run.finished or run.started)


def fill_stores(folder: Path, *, images: int = 40, runs: int = 4) -> tuple[Fleet, Fleet]:
    """A fleet of many images with a schedule, and a small one whose documents are whole."""
    many, whole = fleet(folder, SHOP, cron="0 3 * * mon"), fleet(folder, DOCUMENTS)
    with closing(open_fleet_store(str(many.store))) as store:
        copy_history(made_fleet(images=images, runs=runs), store, SHOP)
    with closing(open_fleet_store(str(whole.store))) as store:
        fleet_documents.two_runs(store)
    return many, whole


@dataclass(kw_only=True)
class NoRuns:
    """A host of a scheduler that starts nothing. `told` is what it was told."""

    told: list[tuple[Event, str, Mapping[str, object]]] = field(default_factory=list)

    def open_store(self, fleet: Fleet) -> FleetStore:
        return open_fleet_store(str(fleet.store), fleet.blobs, create=False, patience=0.2)

    def launch(self, fleet: Fleet, slot: datetime | None) -> Child:
        raise AssertionError("nothing is to be started here")

    def finished(self, fleet: Fleet, store: FleetStore, run: Run) -> None:
        raise AssertionError("nothing was started here")

    def tell(self, event: Event, fleet: str, facts: Mapping[str, object]) -> None:
        self.told.append((event, fleet, facts))


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass(frozen=True, kw_only=True)
class Served:
    """A dashboard that answers. `errors` are what its log would hold."""

    port: int
    dashboard: Dashboard
    errors: list[ComplianceError]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        body: bytes | None = None,
        host: str | None = None,
    ) -> Answer:
        """One request, sent as it is: no redirect is followed, no header is added but Host and Content-Length."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            given = list(headers.items() if isinstance(headers, Mapping) else headers)
            if host != "":
                connection.putheader("Host", host or f"127.0.0.1:{self.port}")
            for name, value in given:
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(status=answer.status, headers=found, body=answer.read())
        finally:
            connection.close()


@contextmanager
def served(
    fleets: Sequence[Fleet],
    access: Access,
    *,
    certificate: Certificate | None = None,
    now: Callable[[], datetime] = lambda: NOW,
    warm: bool = True,
) -> Iterator[Served]:
    """A dashboard over the stores of `fleets`, on a port of its own."""
    errors: list[ComplianceError] = []
    host = NoRuns()
    scheduler = Scheduler(host, holder="tests")
    scheduler.load(fleets, NOW)
    dashboard = Dashboard(
        access, open_store=host.open_store, states=lambda: scheduler.states, clock=now, tell=errors.append
    )
    server = Server(dashboard.app, certificate)
    port = server.bind("127.0.0.1", 0)
    dashboard.load(fleets)
    if warm:
        dashboard.warm()
    server.start()
    try:
        yield Served(port=port, dashboard=dashboard, errors=errors)
    finally:
        server.stop()
        dashboard.close()
