"""Options that the verbs of ``hullmark fleet`` share: the fleet, its store, the time, how chatty to be."""

from __future__ import annotations

from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from compliance.cli import options
from compliance.cli.parser import Parser
from compliance.errors import UsageError

if TYPE_CHECKING:
    from compliance.fleet.fleet_file import Fleet
    from compliance.ingest.layer_cache import LayerCache
    from compliance.ingest.registry_options import RegistryOptions
    from compliance.store.sql_store import SqlFleetStore

STORE_NAME = "hullmark-fleet.db"
"""The store beside the fleet file where nobody names another."""


def add_fleet(parser: Parser) -> None:
    """FLEET.yaml and where its history lies."""
    parser.add_argument("fleet", metavar="FLEET.yaml", help="the fleet: which images, and what they are held against")
    add_history(parser)


def add_store(parser: Parser) -> None:
    """Where a history lies: as FLEET.yaml says, or --store without it."""
    parser.add_argument(
        "fleet", metavar="FLEET.yaml", nargs="?", help="the fleet whose history it is; not needed with --store"
    )
    add_history(parser)


def add_history(parser: Parser) -> None:
    """The store and its blobs."""
    # Their names in the environment are HULLMARK_FLEET_STORE and HULLMARK_FLEET_BLOBS.
    parser.add_argument(
        "--store",
        dest="fleet_store",
        metavar="URL",
        help="the history: a SQLite file, or a database by URL (postgresql://…); default: the fleet file's store:, "
        f"else {STORE_NAME} beside it",
    )
    parser.add_argument(
        "--blobs",
        dest="fleet_blobs",
        metavar="URL",
        help="where its documents lie: a folder, or an fsspec URL (s3://…); default: the fleet file's blobs:, else "
        "beside the SQLite file",
    )


def add_registry(parser: Parser) -> None:
    """How images are reached: the network, and the cache of layers."""
    parser.add_argument("--no-cache", action="store_true", help="neither use nor fill the layer cache")
    options.add_registry(parser)


def add_chat(parser: Parser) -> None:
    """How much is told on stderr."""
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress, no notices; errors and data stay")
    parser.add_argument("-v", "--verbose", action="store_true", help="more detail on stderr")
    parser.add_argument("--no-progress", action="store_true", help="no progress bars")


def fleet_of(values: Namespace) -> Fleet:
    """The fleet that was named, read and checked. Raises UsageError, PolicyError."""
    from compliance.fleet.fleet_file import read_fleet

    return read_fleet(Path(values.fleet))


def store_of(values: Namespace, fleet: Fleet, *, create: bool = False, patience: float = 20.0) -> SqlFleetStore:
    """The fleet's store, to be closed by the caller. Raises StoreError where it is not there and not to be made.

    A database that can't be reached is asked again for `patience` seconds.
    """
    from compliance.store.fleet_store import open_fleet_store

    url, blobs = store_place(values, fleet)
    return open_fleet_store(url, blobs, create=create, patience=patience)


def store_place(values: Namespace, fleet: Fleet) -> tuple[str, str | None]:
    """The URLs, or paths from the root, of the fleet's store and its blobs."""
    url = values.fleet_store or fleet.store or str(fleet.path.parent / STORE_NAME)
    blobs = values.fleet_blobs or fleet.blobs
    return _absolute(url), None if blobs is None else _absolute(blobs)


def named_store(values: Namespace) -> tuple[str | None, SqlFleetStore]:
    """What `add_store` gathered: the fleet's name where a fleet file was given, and the store. Never made here."""
    if values.fleet is not None:
        fleet = fleet_of(values)
        return fleet.name, store_of(values, fleet)
    if not values.fleet_store:
        raise UsageError("whose history?", code="store-unset", hint="give FLEET.yaml, or --store URL")
    from compliance.store.fleet_store import open_fleet_store

    blobs = values.fleet_blobs
    return None, open_fleet_store(
        _absolute(values.fleet_store), None if blobs is None else _absolute(blobs), create=False
    )


def _absolute(place: str) -> str:
    """A path from the root: workers may have another working folder."""
    return place if "://" in place else str(Path(place).absolute())


def registry_of(values: Namespace) -> RegistryOptions:
    """What `add_registry` gathered about registries."""
    return options.registry_options(values)


def cache_of(values: Namespace) -> LayerCache | None:
    """The user's cache of layers, unless it is not wanted."""
    from compliance.ingest.layer_cache import default_cache

    return None if values.no_cache else default_cache()


def now() -> datetime:
    """The single clock of a command, read once."""
    return datetime.now(UTC).replace(microsecond=0)


def effective_of(values: Namespace, moment: datetime) -> datetime:
    """``--effective-time``, else SOURCE_DATE_EPOCH, else `moment`."""
    return options.effective_time(values) or moment
