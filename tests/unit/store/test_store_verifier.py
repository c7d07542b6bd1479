"""Whatever is changed in a store behind its back, `verify` names it."""

# ruff: noqa: S608 - SQL of the tests' own making

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Column, Table

from compliance.model.fleet import Mistrust, Run
from compliance.store import schema
from compliance.store.fleet_store import open_fleet_store
from compliance.store.sql_store import SqlFleetStore
from tests.builders.fleet_documents import FLEET, member, new_run, two_runs
from tests.builders.postgresql import PostgreSQL

# What differs from run to run or from moment to moment, and no digest covers.
_UNCOVERED = {"attempts", "wall_seconds", "cpu_seconds", "peak_bytes"}
_COVERED = [table for table in schema.metadata.sorted_tables if table.name != "leases"]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[Run, Run]]:
    """A store with two runs in it, and them."""
    file = tmp_path_factory.mktemp("history") / "fleet.db"
    with closing(open_fleet_store(str(file))) as store:
        runs = two_runs(store)
        assert list(store.verify()) == []
        assert all(store.sizes()[table.name] for table in _COVERED), "a table without rows shows nothing"
    return file, runs


Tampered = Callable[..., list[Mistrust]]


@pytest.fixture
def tampered(history: tuple[Path, tuple[Run, Run]], tmp_path: Path) -> Tampered:
    """What `verify` says of a copy that some SQL was done to."""

    def after(*statements: str, head: str | None = None) -> list[Mistrust]:
        file = tmp_path / "fleet.db"
        shutil.copy(history[0], file)
        shutil.copytree(f"{history[0]}.blobs", f"{file}.blobs", dirs_exist_ok=True)
        with closing(sqlite3.connect(file)) as connection:
            triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
            for (name,) in triggers:
                connection.execute(f"DROP TRIGGER {name}")
            for statement in statements:
                connection.execute(statement)
            connection.commit()
        with closing(open_fleet_store(str(file), create=False)) as store:
            return list(store.verify({} if head is None else {FLEET: head}))

    return after


def _columns() -> Iterator[tuple[Table, Column[object]]]:
    for table in _COVERED:
        for column in table.columns:
            if column.name not in _UNCOVERED and (table.name, column.name) != ("runs", "pk"):
                yield table, column


def _another(column: Column[object]) -> str:
    """SQL for another value of the same kind."""
    name = f'"{column.name}"'
    if column.name == "content":
        return f"{name} = zeroblob(32)"
    if column.type.python_type is bool:
        return f"{name} = NOT {name}"
    if column.name == "state":
        return f"{name} = CASE {name} WHEN 'assessed' THEN 'reused' ELSE 'assessed' END"
    if isinstance(column.type, type(schema.TEXT_C)):
        return f"{name} = coalesce({name}, '') || '1'"
    return f"{name} = coalesce({name}, 0) + 1000"


@pytest.mark.parametrize(
    ("table", "column"), [pytest.param(*pair, id=f"{pair[0]}-{pair[1].name}") for pair in _columns()]
)
def test_an_edited_value_is_named(tampered: Tampered, table: Table, column: Column[object]) -> None:
    key = next(iter(table.primary_key.columns)).name
    first = f"{key} = (SELECT min({key}) FROM {table})"
    if len(table.primary_key.columns) == 2:
        second = list(table.primary_key.columns)[1].name
        first += f" AND {second} = (SELECT min({second}) FROM {table} WHERE {first})"
    found = tampered("PRAGMA foreign_keys = OFF", f"UPDATE {table} SET {_another(column)} WHERE {first}")
    assert found
    assert any(_names(table, mistrust) for mistrust in found), found


def _names(table: Table, mistrust: Mistrust) -> bool:
    """Whether it leads to the table: by its name, or by that of what the rows belong to."""
    words = {
        "runs": ("run ",),
        "run_members": ("members", "outcome"),
        "outcomes": ("outcomes", "outcome "),
        "assessments": ("assessment",),
        "assessment_lists": ("assessment", "lists"),
    }.get(table.name, (table.name.removesuffix("_entries"), "lists", "outcomes"))
    return any(word in f"{mistrust.where}: {mistrust.reason}" for word in words)


@pytest.mark.parametrize("table", _COVERED, ids=str)
def test_a_removed_row_is_named(tampered: Tampered, table: Table) -> None:
    key = next(iter(table.primary_key.columns)).name
    found = tampered("PRAGMA foreign_keys = OFF", f"DELETE FROM {table} WHERE {key} = (SELECT min({key}) FROM {table})")
    assert any(_names(table, mistrust) for mistrust in found), found


@pytest.mark.parametrize("table", _COVERED, ids=str)
def test_an_added_row_is_named(tampered: Tampered, table: Table) -> None:
    columns = [column.name for column in table.columns]
    values = {name: f'"{name}"' for name in columns}
    for column in table.primary_key.columns:
        values[column.name] = f"(SELECT max({column.name}) + 1 FROM {table})"
    values |= {"content": "randomblob(32)"} if "content" in values else {}
    values |= {"number": "number + 10", "slot": "NULL"} if table.name == "runs" else {}
    values |= {"id": "'00'"} if table.name == "assessments" else {}
    names = ", ".join(f'"{name}"' for name in columns)
    chosen = ", ".join(values[name] for name in columns)
    found = tampered("PRAGMA foreign_keys = OFF", f"INSERT INTO {table} ({names}) SELECT {chosen} FROM {table} LIMIT 1")
    assert any(_names(table, mistrust) for mistrust in found), found


def test_an_added_row_with_a_right_digest_is_named_too(tampered: Tampered) -> None:
    from compliance.store.canonical import content_of

    values = ("sha256:aa", "policy", "reference")
    content = content_of("items", values).hex()
    found = tampered(f"INSERT INTO items (content, digest, policy, reference) VALUES (x'{content}', {str(values)[1:]}")
    assert [mistrust.reason for mistrust in found] == ["added, or cut off: nothing refers to it"]


def test_reordered_runs_are_named(tampered: Tampered) -> None:
    found = tampered(
        "UPDATE runs SET number = 99 WHERE number = 1",
        "UPDATE runs SET number = 1 WHERE number = 2",
        "UPDATE runs SET number = 2 WHERE number = 99",
    )
    assert {f"run 1 of {FLEET}", f"run 2 of {FLEET}"} <= {mistrust.where for mistrust in found}


def test_members_that_changed_places_between_runs_are_named(tampered: Tampered) -> None:
    found = tampered(
        "UPDATE run_members SET run = 99 WHERE run = 1",
        "UPDATE run_members SET run = 1 WHERE run = 2",
        "UPDATE run_members SET run = 2 WHERE run = 99",
    )
    assert {f"run {number} of {FLEET}: members" for number in (1, 2)} <= {mistrust.where for mistrust in found}


def test_a_removed_outcome_is_named_with_its_digest(tampered: Tampered) -> None:
    found = tampered("DELETE FROM outcomes WHERE run = 2 AND state = 'not-determined'")
    assert any(mistrust.reason == "removed" and "outcome sha256:" in mistrust.where for mistrust in found)


def test_a_cut_off_newest_run_shows_only_against_a_head_from_elsewhere(
    tampered: Tampered, history: tuple[Path, tuple[Run, Run]]
) -> None:
    first, second = history[1]
    cut = (
        "DELETE FROM outcomes WHERE run = 2",
        "DELETE FROM run_members WHERE run = 2",
        "DELETE FROM runs WHERE pk = 2",
        "DELETE FROM items WHERE pk NOT IN (SELECT item FROM outcomes)",
        "DELETE FROM members WHERE pk NOT IN (SELECT member FROM run_members)",
        "DELETE FROM assessment_lists WHERE assessment NOT IN (SELECT assessment FROM outcomes)",
        "DELETE FROM assessments WHERE pk NOT IN (SELECT assessment FROM outcomes)",
        "DELETE FROM lists WHERE pk NOT IN (SELECT list FROM assessment_lists)",
        *(f"DELETE FROM {kind.entries} WHERE list NOT IN (SELECT pk FROM lists)" for kind in schema.KINDS),
        *(f"DELETE FROM {kind.name} WHERE pk NOT IN (SELECT row FROM {kind.entries})" for kind in schema.KINDS),
    )
    assert tampered(*cut) == []
    assert tampered(*cut, head=first.chain) == []
    (only,) = tampered(*cut, head=second.chain)
    assert (only.where, "head" in only.reason) == (FLEET, True)
    assert tampered(head=second.chain) == tampered(head=first.chain) == []


def test_a_fleet_that_is_gone_shows_against_its_head(tampered: Tampered, tmp_path: Path) -> None:
    with closing(open_fleet_store(str(tmp_path / "empty.db"))) as store:
        assert [mistrust.where for mistrust in store.verify({FLEET: "00"})] == [FLEET]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE runs SET started = 'soon'",
        "UPDATE runs SET started = 99999999999999999999",
        "UPDATE outcomes SET state = 'perfect'",
        "UPDATE assessments SET observations = 'many'",
        "UPDATE packages SET name = x'ff'",
        "UPDATE members SET origin = 'a' || char(0) || 'b'",
        "UPDATE controls SET waived = 7",
        "UPDATE lists SET kind = 'no such kind' WHERE pk = 1",
        "UPDATE assessments SET assessed_at = 'never'",
    ],
)
def test_values_that_make_no_sense_are_named_and_never_a_traceback(tampered: Tampered, statement: str) -> None:
    assert tampered(statement)


def _blob(store: SqlFleetStore, number: int = 0) -> Path:
    name = sorted(sha256 for _, sha256, _ in store.blobs.files() if sha256)[number]
    return Path(store.blobs.place.name, name[:2], f"{name}.zst")


@pytest.mark.parametrize("what", ["removed", "edited", "emptied", "swapped"])
def test_each_blob_that_is_not_what_it_was_is_named(tmp_path: Path, what: str) -> None:
    with closing(open_fleet_store(str(tmp_path / "fleet.db"))) as store:
        two_runs(store)
        names = sorted(sha256 for _, sha256, _ in store.blobs.files() if sha256)
        for number, name in enumerate(names):
            blob, other = _blob(store, number), _blob(store, number - 1)
            kept = blob.read_bytes()
            changed = {"edited": kept[:-9] + bytes(9), "emptied": b"", "swapped": other.read_bytes()}
            blob.unlink() if what == "removed" else blob.write_bytes(changed[what])
            with closing(open_fleet_store(str(tmp_path / "fleet.db"))) as anew:
                assert any(name in f"{found.where} {found.reason}" for found in anew.verify())
            blob.write_bytes(kept)
        assert list(store.verify()) == []


def test_a_stray_file_among_the_blobs_is_named_and_an_unused_blob_is_none(tmp_path: Path) -> None:
    with closing(open_fleet_store(str(tmp_path / "fleet.db"))) as store:
        two_runs(store)
        store.put_blob(b"kept before a crash, never recorded")
        assert list(store.verify()) == []
        (Path(store.blobs.place.name) / "notes.txt").write_text("x")
        (only,) = store.verify()
        assert only.where.endswith("notes.txt")


def test_an_open_run_is_no_mistrust(store: SqlFleetStore) -> None:
    two_runs(store)
    store.begin(new_run(), [member(0), member(1)])
    assert list(store.verify()) == []


def test_postgresql_is_held_against_the_same_rules(cluster: PostgreSQL, tmp_path: Path) -> None:
    store = open_fleet_store(cluster.url("tampered"), str(tmp_path))
    two_runs(store)
    with store.database.writing() as connection:
        for table in ("packages", "run_members", "runs"):
            connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        connection.exec_driver_sql("UPDATE packages SET version = '9' WHERE pk = (SELECT min(pk) FROM packages)")
        connection.exec_driver_sql(
            "DELETE FROM run_members WHERE run = 2 AND member = (SELECT max(member) FROM run_members)"
        )
        connection.exec_driver_sql("UPDATE runs SET tool = 'other' WHERE pk = 1")
    places = {mistrust.where for mistrust in store.verify()}
    store.close()
    assert {"packages 1", f"run 2 of {FLEET}: members", f"run 1 of {FLEET}"} <= places
