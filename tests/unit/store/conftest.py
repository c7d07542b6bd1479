"""Databases for the tests of the fleet's store."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from compliance.store.fleet_store import open_fleet_store
from compliance.store.sql_store import SqlFleetStore
from tests.builders.postgresql import PostgreSQL, postgresql

_NUMBERS = count(1)


@pytest.fixture(scope="session")
def cluster() -> Iterator[PostgreSQL]:
    """A PostgreSQL for all tests of a session; each takes a database of its own."""
    with postgresql() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """Where a store may be made: its database and its blobs."""
    blobs = str(tmp_path / "blobs")
    if request.param == "sqlite":
        return str(tmp_path / "fleet.db"), blobs
    cluster: PostgreSQL = request.getfixturevalue("cluster")
    return cluster.url(f"one_{next(_NUMBERS)}"), blobs


Reopen = Callable[[], SqlFleetStore]


@pytest.fixture
def reopen(place: tuple[str, str]) -> Iterator[Reopen]:
    """Opens that store, each time anew."""
    opened: list[SqlFleetStore] = []

    def again() -> SqlFleetStore:
        opened.append(open_fleet_store(*place, patience=0.5))
        return opened[-1]

    yield again
    for each in opened:
        each.close()


@pytest.fixture
def store(reopen: Reopen) -> SqlFleetStore:
    """A new store on each database."""
    return reopen()
