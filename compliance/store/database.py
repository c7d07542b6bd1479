"""The database of a fleet store: connecting, one transaction, errors in one line, asking again, and its schema."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Executable, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from compliance.errors import StoreError
from compliance.store.schema import VERSION_TABLE

HEAD = "0001"
"""The newest migration under ``migrations/versions``; a test compares."""

BUSY_SECONDS = 60.0
"""How long SQLite waits for another writer."""

_MIGRATION_LOCK = 0x48554C4C  # any number, the same in every process: pg_advisory_xact_lock
_ROWS_AT_ONCE = 1000

STREAMED = {"stream_results": True}
"""For a statement whose rows are many: PostgreSQL hands them out from a cursor."""

# PostgreSQL, appendix A: what another attempt may well not meet again.
_TRANSIENT_STATES = ("08", "40", "53300", "55P03", "57P")

_FULL = ("disk is full", "No space left", "could not extend file")

T = TypeVar("T")


class Unique(Exception):  # noqa: N818 - no error yet: its catcher says what was there already
    """A row that is there already."""


class Database:
    """One database and its pool of connections. Safe to share among threads, and after a fork."""

    def __init__(self, url: URL, patience: float) -> None:
        self.url = url
        self.name = url.render_as_string(hide_password=True)
        self._patience = patience
        self._engine = _engine(url)
        self._process = os.getpid()

    @property
    def is_sqlite(self) -> bool:
        """Whether it is an SQLite file."""
        return self._engine.dialect.name == "sqlite"

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that writes nothing. Raises StoreError."""
        with self._refusals(), self._connect() as connection, connection.begin():
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that writes all or nothing. Raises StoreError, Unique."""
        with self._refusals(), self._connect().execution_options(writing=True) as connection, connection.begin():
            yield connection

    def patiently(self, action: Callable[[], T]) -> T:
        """What `action`, which may be done twice, gives; done again while the database can't be reached."""
        until = time.monotonic() + self._patience
        pause = 0.05
        while True:
            try:
                return action()
            except StoreError as error:
                if error.code != "database-unreachable" or time.monotonic() + pause > until:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, 2.0)

    def rows(self, query: Executable) -> Iterator[Any]:
        """The rows of `query` as they come, in bounded memory. Asked again only before the first."""
        with contextlib.ExitStack() as stack:
            batches = self.patiently(lambda: self._begin(query, stack))
            with self._refusals():
                for batch in batches:
                    yield from batch

    def _begin(self, query: Executable, stack: contextlib.ExitStack) -> Iterator[Sequence[Any]]:
        with contextlib.ExitStack() as own:
            connection = own.enter_context(self.reading())
            with self._refusals():
                result = own.enter_context(contextlib.closing(connection.execute(query, execution_options=STREAMED)))
                batches = result.partitions(_ROWS_AT_ONCE)
            stack.push(own.pop_all())
        return batches

    def version(self) -> str | None:
        """The schema's version; None where there is no store."""
        return self.patiently(self._version)

    def _version(self) -> str | None:
        with self.reading() as connection:
            if not self._engine.dialect.has_table(connection, VERSION_TABLE):
                return None
            version: str | None = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608
            return version

    def migrate(self) -> None:
        """Bring the schema to this version's, one process at a time. Raises StoreError."""
        from alembic import command
        from alembic.config import Config
        from alembic.util import CommandError

        if self.is_sqlite:
            self._keep_log()
        with self.writing() as connection:
            if not self.is_sqlite:  # SQLite's writing transaction is the lock already
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
            config = Config()
            config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, "head")
            except CommandError:
                raise newer(self.name) from None

    def _keep_log(self) -> None:
        """Write-ahead logging, which the file remembers: readers and a writer do not wait for each other."""
        until = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                with contextlib.closing(sqlite3.connect(str(self.url.database), timeout=BUSY_SECONDS)) as connection:
                    connection.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                # SQLite does not wait for the lock that this change takes.
                if "locked" not in str(error) or time.monotonic() > until:
                    raise self._refusal(error) from None
                time.sleep(0.02)
            except sqlite3.Error as error:
                raise self._refusal(error) from None

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose(close=os.getpid() == self._process)

    def _connect(self) -> Connection:
        if os.getpid() != self._process:  # a connection has one process
            self._engine.dispose(close=False)
            self._process = os.getpid()
        return self._engine.connect()

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError as error:
            if _is_unique(error):
                raise Unique from None
            raise self._refusal(error.orig) from None
        except PoolTimeoutError as error:
            raise self._refusal(error, unreachable=True) from None
        except DBAPIError as error:
            raise self._refusal(error.orig, unreachable=_may_pass(error)) from None
        except SQLAlchemyError as error:
            raise self._refusal(error) from None

    def _refusal(self, error: BaseException | None, *, unreachable: bool = False) -> StoreError:
        said = next(iter(str(error).strip().splitlines()), type(error).__name__)
        if unreachable:
            return StoreError(
                f"the database can't be reached: {said}",
                code="database-unreachable",
                where=self.name,
                hint="start it, and run the same command again: what was written is whole",
            )
        if any(words in said for words in _FULL):
            return StoreError(
                f"the disk is full: {said}",
                code="disk-full",
                where=self.name,
                hint="make room, and run the same command again: what was written is whole",
            )
        return StoreError(f"the database refuses: {said}", code="database-refuses", where=self.name)


def database_url(text: str) -> URL:
    """An SQLAlchemy URL as it is, PostgreSQL's with psycopg 3; anything else is the path of an SQLite file.

    Raises StoreError for a URL of another database.
    """
    if "://" not in text:
        return URL.create("sqlite", database=text)
    try:
        url = make_url(text)
        if url.drivername in ("postgresql", "postgres"):
            url = url.set(drivername="postgresql+psycopg")
        known = url.drivername in ("sqlite", "sqlite+pysqlite", "postgresql+psycopg")
    except ArgumentError:
        known = False
    if not known or (url.drivername.startswith("sqlite") and url.database in (None, "", ":memory:")):
        raise StoreError(
            "not a store: neither the path of an SQLite file nor a postgresql:// URL",
            code="store-unknown",
            where=text.partition("://")[0] + "://…",  # the rest may hold a password
        )
    return url


def newer(where: str) -> StoreError:
    """The refusal of a schema that this version does not know."""
    return StoreError(
        "the store was made by a newer version of hullmark", code="store-newer", where=where, hint="update hullmark"
    )


def _engine(url: URL) -> Engine:
    sqlite = url.drivername.startswith("sqlite")
    arguments: dict[str, Any] = {"timeout": BUSY_SECONDS} if sqlite else {"connect_timeout": 10}
    try:
        engine = create_engine(url, connect_args=arguments, pool_pre_ping=not sqlite)
    except (NoSuchModuleError, ImportError):
        raise extra_missing(url.drivername) from None
    if sqlite:
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def extra_missing(where: str) -> StoreError:
    """The refusal where a library of the extra is not installed."""
    return StoreError(
        "a fleet's store needs libraries that are not installed",
        code="extra-missing",
        where=where,
        hint="install hullmark[fleet]",
    )


def _set_up_sqlite(connection: sqlite3.Connection, record: object) -> None:
    """Durable to the last commit; transactions are ours to begin (sqlite3 would begin them too late)."""
    connection.isolation_level = None
    for pragma in ("foreign_keys=ON", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes its lock at once: one that began to read could not wait for it."""
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _is_unique(error: IntegrityError) -> bool:
    state = getattr(error.orig, "sqlstate", None)
    name = getattr(error.orig, "sqlite_errorname", "")
    return state == "23505" or name in ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY")


def _may_pass(error: DBAPIError) -> bool:
    """Whether another attempt may succeed. What has no SQLSTATE never reached the server."""
    if isinstance(error.orig, sqlite3.Error):
        return False
    state = getattr(error.orig, "sqlstate", None)
    if state is None:
        return error.connection_invalidated or type(error.orig).__name__ == "OperationalError"
    return str(state).startswith(_TRANSIENT_STATES)
