"""The long-running server: schedules and dashboard of some fleets in one process, until it is told to stop."""

from __future__ import annotations

import os
import secrets
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from compliance.errors import ComplianceError
from compliance.fleet.fleet_file import Fleet
from compliance.fleet.scheduler import Child, Event, Scheduler
from compliance.model.fleet import FleetStore, Run

if TYPE_CHECKING:
    from compliance.fleet.dashboard.app import Dashboard
    from compliance.fleet.dashboard.server import Server

TICK_SECONDS = 0.5
WARM_SECONDS = 20.0
"""How often what the first pages show is read ahead; where no run has ended since, that is one question."""
PATIENCE_SECONDS = 5.0
"""How long a page or a look at the schedule waits for a database that is away; the next one tries again."""

SECRET_VARIABLES = ("HULLMARK_DASHBOARD_TOKEN", "HULLMARK_PROXY_SECRET")
"""What is the dashboard's own: no run gets to see it."""

Tell = Callable[[str, Mapping[str, object]], None]
"""An event's name and its facts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a fleet's history is: as `open_fleet_store` takes it."""

    url: str
    blobs: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHost:
    """Starts runs as processes of this program, and tells whoever wants to hear of them when they have ended.

    `options` are further ones of ``fleet run``. A process gets a session of its own: a key pressed at the terminal
    ends the server, and the server then ends the run.
    """

    place: Callable[[Fleet], Place]
    tell_of: Tell
    options: Sequence[str] = ()
    create: bool = True
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)

    def open_store(self, fleet: Fleet) -> FleetStore:
        """See Host."""
        from compliance.store.fleet_store import open_fleet_store

        place = self.place(fleet)
        return open_fleet_store(place.url, place.blobs, create=self.create, patience=PATIENCE_SECONDS)

    def launch(self, fleet: Fleet, slot: datetime | None) -> Child:
        """See Host."""
        place = self.place(fleet)
        variables = {name: value for name, value in self.environment.items() if name not in SECRET_VARIABLES}
        # In the environment and not among the arguments, which any user of the machine can read.
        variables["HULLMARK_FLEET_STORE"] = place.url
        if place.blobs is not None:
            variables["HULLMARK_FLEET_BLOBS"] = place.blobs
        command = [sys.executable, "-P", "-m", "compliance.cli.main", "fleet", "run", str(fleet.path), "--no-progress"]
        if slot is not None:
            command += ["--slot", f"{slot.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"]
        return subprocess.Popen(  # noqa: S603 - our own program
            [*command, *self.options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=variables,
            start_new_session=True,
        )

    def finished(self, fleet: Fleet, store: FleetStore, run: Run) -> None:
        """See Host."""
        if not fleet.notify:
            return
        from compliance.fleet.change_summary import change_summary
        from compliance.fleet.notify import notify

        summary = change_summary(store, run)
        for delivery in notify(fleet.notify, summary, environment=self.environment, now=datetime.now(UTC)):
            facts = {"fleet": fleet.name, "run": run.number, "target": delivery.target, "attempts": delivery.attempts}
            if delivery.reason is None:
                self.tell_of("notified", facts)
            else:
                self.tell_of("notification-failed", {**facts, "reason": delivery.reason})

    def tell(self, event: Event, fleet: str, facts: Mapping[str, object]) -> None:
        """See Host."""
        self.tell_of(event.value, {"fleet": fleet, **facts})


class Service:
    """Runs until `stop` is set. `read` gives the fleets, at the start and whenever `reload` is set."""

    def __init__(
        self,
        scheduler: Scheduler,
        read: Callable[[], Sequence[Fleet]],
        tell: Tell,
        *,
        schedules: bool = True,
        dashboard: Dashboard | None = None,
        server: Server | None = None,
    ) -> None:
        """Without `schedules` nothing is started, and others are expected to do so."""
        self._scheduler = scheduler
        self._read = read
        self._tell = tell
        self._schedules = schedules
        self._dashboard = dashboard
        self._server = server
        self.stop = threading.Event()
        self.reload = threading.Event()
        self._something = threading.Event()

    def ask_to_stop(self) -> None:
        """For a signal handler."""
        self.stop.set()
        self._something.set()

    def ask_to_reload(self) -> None:
        """For a signal handler."""
        self.reload.set()
        self._something.set()

    def run(self) -> None:
        """Until `ask_to_stop`. Raises ComplianceError where the fleets can't be read at the start."""
        try:
            self._load()
            if self._server is not None:
                self._server.start()
                threading.Thread(target=self._keep_warm, name="warm", daemon=True).start()
            while not self.stop.is_set():
                if self.reload.is_set():
                    self.reload.clear()
                    self._reload()
                if self._schedules:
                    self._scheduler.tick(datetime.now(UTC))
                if self._server is not None and not self._server.alive:
                    raise ComplianceError("the dashboard ended", code="dashboard-ended")
                self._something.wait(TICK_SECONDS)
                self._something.clear()
        finally:
            self._tell("stopping", {})
            self._scheduler.stop()
            if self._server is not None:
                self._server.stop()
            if self._dashboard is not None:
                self._dashboard.close()

    def _load(self) -> None:
        fleets = self._read()
        self._scheduler.load(fleets, datetime.now(UTC))
        if self._dashboard is not None:
            self._dashboard.load(fleets)

    def _keep_warm(self) -> None:
        while self._dashboard is not None and not self.stop.is_set():
            self._dashboard.warm()
            self.stop.wait(WARM_SECONDS)

    def _reload(self) -> None:
        """What was there before is kept where the new can't be read."""
        try:
            self._load()
        except ComplianceError as error:
            self._tell("reload-failed", {"code": error.code, "reason": str(error)})
        else:
            self._tell("reloaded", {})


def holder() -> str:
    """A name of this scheduler for the store, different from all others."""
    return f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}/serve"


def split_options(text: str | None) -> tuple[str, ...]:
    """Options of ``fleet run``, written as in a shell. Raises ComplianceError."""
    from compliance.errors import UsageError

    try:
        return tuple(shlex.split(text or ""))
    except ValueError as error:
        raise UsageError(f"not options: {error}", code="usage", where="--run-options") from None


@contextmanager
def signals(service: Service) -> Iterator[None]:
    """SIGTERM and SIGINT stop `service`, SIGHUP makes it read its fleets again. For the main thread."""
    import signal

    wanted = {
        signal.SIGTERM: service.ask_to_stop,
        signal.SIGINT: service.ask_to_stop,
        signal.SIGHUP: service.ask_to_reload,
    }
    before = {number: signal.signal(number, lambda *_, act=act: act()) for number, act in wanted.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
