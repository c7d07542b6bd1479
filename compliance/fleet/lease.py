"""The right to work on a fleet: one process has it at a time, and loses it soon after it is gone."""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from compliance.errors import ComplianceError, StoreError
from compliance.model.fleet import FleetStore

LEASE_SECONDS = 30.0
"""After the last sign of life, the fleet is free again. Three signs fit into it."""
_LOOKS = 0.5
"""Seconds between two looks whether the other is done."""


class Clock:
    """The time that has gone by since one moment: not set back when somebody sets the machine's."""

    def __init__(self, now: datetime) -> None:
        """It is `now`."""
        self._now = now
        self._begun = time.monotonic()

    def now(self) -> datetime:
        """It is."""
        return self._now + timedelta(seconds=time.monotonic() - self._begun)


class Lease:
    """Held by a thread of its own, which tells the store that we live."""

    def __init__(self, store: FleetStore, fleet: str, clock: Clock, seconds: float) -> None:
        """Not taken yet."""
        self._store = store
        self._fleet = fleet
        self._clock = clock
        self._seconds = seconds
        self._holder = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"
        self._valid_until = 0.0
        self._lost = False
        self._done = threading.Event()

    def demand(self) -> None:
        """Raise StoreError (``lease-lost``) if another is at work by now: the rest is theirs to do.

        One that ran out while the store could not be reached is taken again, if nobody else was faster.
        """
        if not self._lost and time.monotonic() > self._valid_until:
            self._lost = not self._hold()
        if self._lost:
            raise StoreError(
                "another run of this fleet took over, as this one gave no sign of life for too long",
                code="lease-lost",
                where=self._fleet,
                hint="what was recorded is whole, and the other run goes on from it",
            )

    @contextmanager
    def held(self, waiting: Callable[[float], None], stop: threading.Event) -> Iterator[None]:
        """Have it. Waits for one that may be dead, and says so, until `stop` is set.

        Raises ComplianceError (``run-busy``), KeyboardInterrupt.
        """
        self._take(waiting, stop)
        keeper = threading.Thread(target=self._keep, name="lease", daemon=True)
        keeper.start()
        try:
            yield
        finally:
            self._done.set()
            keeper.join()
            if not self._lost:
                self._store.release(self._fleet, self._holder)

    def _take(self, waiting: Callable[[float], None], stop: threading.Event) -> None:
        until = time.monotonic() + self._seconds + _LOOKS
        told = False
        while not self._hold():
            if time.monotonic() > until:
                raise ComplianceError(
                    "another run of this fleet is at work",
                    code="run-busy",
                    where=self._fleet,
                    hint="hullmark fleet status shows how far it is",
                )
            if not told:
                waiting(self._seconds)
                told = True
            if stop.wait(min(_LOOKS, self._seconds / 4)):
                raise KeyboardInterrupt

    def _hold(self) -> bool:
        begun = time.monotonic()
        held = self._store.hold(self._fleet, self._holder, now=self._clock.now(), seconds=self._seconds)
        if held:
            self._valid_until = begun + self._seconds
        return held

    def _keep(self) -> None:
        while not self._done.wait(self._seconds / 3):
            try:
                if not self._hold():
                    self._lost = True
                    return
            except StoreError:
                continue  # the next try may reach it; until then the lease runs
