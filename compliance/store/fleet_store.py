"""The memory of a fleet: SQLite or PostgreSQL beside content-addressed blobs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from compliance.errors import StoreError

if TYPE_CHECKING:
    from compliance.store.database import Database
    from compliance.store.sql_store import SqlFleetStore

PATIENCE_SECONDS = 20.0

_MAGIC = b"SQLite format 3\0"


def open_fleet_store(
    url: str, blobs: str | None = None, *, create: bool = True, patience: float = PATIENCE_SECONDS
) -> SqlFleetStore:
    """The store at `url`: an SQLAlchemy URL (``postgresql://…``, ``sqlite:///…``) or the path of an SQLite file.

    `blobs` is a folder or an fsspec URL; beside an SQLite file the default is ``<file>.blobs``. With `create` it is
    made, or brought to this version's schema, where need be. A database that can't be reached is asked again for
    `patience` seconds. Raises StoreError, in one line.
    """
    try:
        from compliance.store.database import Database, database_url, extra_missing
        from compliance.store.sql_store import SqlFleetStore
    except ImportError:
        raise StoreError(
            "a fleet's store needs libraries that are not installed",
            code="extra-missing",
            hint="install hullmark[fleet]",
        ) from None
    from compliance.store.blobs import open_blobs

    address = database_url(url)
    sqlite = address.drivername.startswith("sqlite")
    if blobs is None:
        if not sqlite:
            raise StoreError(
                "a store in a server's database needs a place for its blobs",
                code="blobs-unset",
                hint="name a folder or an fsspec URL with --blobs",
            )
        blobs = f"{address.database}.blobs"
    if sqlite:
        _check_file(Path(str(address.database)), create=create)
    database = Database(address, patience)
    try:
        _bring_to_head(database, create=create)
        return SqlFleetStore(
            database,
            open_blobs(blobs),
            reopen=(_reopened, (address.render_as_string(hide_password=False), blobs, patience)),
        )
    except ImportError:
        raise extra_missing(database.name) from None
    except BaseException:
        database.close()
        raise


def _reopened(url: str, blobs: str, patience: float) -> SqlFleetStore:
    return open_fleet_store(url, blobs, create=False, patience=patience)


def _check_file(file: Path, *, create: bool) -> None:
    if not create and not file.is_file():
        raise StoreError("there is no store", code="store-missing", where=str(file), hint="hullmark fleet run makes it")
    if _is_something_else(file):
        raise StoreError("a file that is no SQLite database", code="store-unknown", where=str(file))
    if not file.parent.is_dir():
        raise StoreError("the store's folder does not exist", code="store-missing", where=str(file.parent))


def _is_something_else(file: Path) -> bool:
    """Whether there is a file that SQLite did not make: a short one it would take for an empty database."""
    try:
        with file.open("rb") as opened:
            return opened.read(len(_MAGIC)) not in (_MAGIC, b"")
    except FileNotFoundError:
        return False
    except OSError:
        return True


def _bring_to_head(database: Database, *, create: bool) -> None:
    from compliance.store.database import HEAD, newer

    version = database.version()
    if version == HEAD:
        return
    if create:
        database.migrate()
    elif version is None:
        raise StoreError(
            "there is no store in this database",
            code="store-missing",
            where=database.name,
            hint="hullmark fleet run makes it",
        )
    elif version > HEAD:
        raise newer(database.name)
    else:
        raise StoreError(
            "the store is of an older version",
            code="store-older",
            where=database.name,
            hint="hullmark fleet run updates it",
        )
