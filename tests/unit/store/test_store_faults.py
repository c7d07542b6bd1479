"""Two at once, a database that goes away, a full disk: what was written stays whole, and the error is one line."""

import pickle
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Timer

import pytest

from compliance.errors import StoreError
from compliance.model.fleet import RunState
from compliance.store.database import HEAD
from compliance.store.fleet_store import open_fleet_store
from compliance.store.schema import VERSION_TABLE, metadata
from compliance.store.sql_store import SqlFleetStore
from tests.builders.fleet_documents import (
    FLEET,
    START,
    assess,
    documents,
    fill,
    item,
    member,
    new_run,
    two_runs,
)
from tests.builders.postgresql import PostgreSQL

CHECKOUT = Path(__file__).resolve().parents[3]


def refused(code: str, action: Callable[[], object]) -> StoreError:
    with pytest.raises(StoreError) as caught:
        action()
    assert caught.value.code == code, caught.value
    assert "\n" not in str(caught.value)
    return caught.value


def at_once(script: str, *arguments: str, times: int = 3) -> list[str]:
    """What each of some processes printed, that were started together and waited for each other's import."""
    command = [sys.executable, "-c", f"import sys\nfrom tests.builders.fleet_documents import *\n{_GATE}\n{script}"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    started = [
        subprocess.Popen([*command, *arguments], cwd=CHECKOUT, text=True, **pipes)  # type: ignore[call-overload]
        for _ in range(times)
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", process.communicate()[1]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    outputs = []
    for process in started:
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        outputs.append(output.strip())
    return outputs


_GATE = """
from compliance.errors import StoreError
from compliance.store.fleet_store import open_fleet_store
from compliance.store import database, sql_store
print("ready", flush=True)
sys.stdin.readline()
"""


def test_processes_that_open_a_new_database_at_once_all_find_it_made(place: tuple[str, str]) -> None:
    opened = at_once("store = open_fleet_store(*sys.argv[1:])\nprint(store.sizes()['runs'])", *place)
    assert opened == ["0"] * 3
    with closing(open_fleet_store(*place, create=False)) as store:
        assert list(store.verify()) == []


def test_of_processes_that_begin_a_run_for_one_slot_exactly_one_wins(place: tuple[str, str]) -> None:
    open_fleet_store(*place).close()
    script = """
store = open_fleet_store(*sys.argv[1:])
try:
    print("begun", store.begin(new_run(slot=START), [member(number) for number in range(50)]).number)
except StoreError as error:
    print(error.code)
"""
    assert sorted(at_once(script, *place)) == ["begun 1", "run-taken", "run-taken"]
    with closing(open_fleet_store(*place)) as store:
        (run,) = store.runs()
        assert len(list(store.members(run))) == 50


def test_of_processes_that_begin_without_a_slot_one_wins_too(place: tuple[str, str]) -> None:
    open_fleet_store(*place).close()
    script = """
store = open_fleet_store(*sys.argv[1:])
try:
    print("begun", store.begin(new_run(), [member(0)]).number)
except StoreError as error:
    print(error.code)
"""
    assert sorted(at_once(script, *place)) == ["begun 1", "run-open", "run-open"]


def test_processes_that_record_the_same_images_at_once_keep_each_once(place: tuple[str, str]) -> None:
    with closing(open_fleet_store(*place)) as store:
        store.begin(new_run(), map(member, range(12)))
    script = """
store = open_fleet_store(*sys.argv[1:])
run = store.open_run(FLEET)
for number in range(12):
    assess(store, run, number)
"""
    at_once(script, *place)
    with closing(open_fleet_store(*place)) as store:
        run = store.open_run(FLEET)
        assert run is not None
        store.end(run, START)
        assert store.sizes()["assessments"] == 12
        assert list(store.verify()) == []


def test_threads_share_a_store(store: SqlFleetStore) -> None:
    run = store.begin(new_run(), map(member, range(12)))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: assess(store, run, number % 12), range(24)))
    assert store.end(run, START).state is RunState.ENDED
    assert list(store.verify()) == []


def test_a_store_travels_to_another_process_by_its_urls(store: SqlFleetStore) -> None:
    two_runs(store)
    travelled: SqlFleetStore = pickle.loads(pickle.dumps(store))  # noqa: S301 - our own
    assert travelled.digest() == store.digest()
    travelled.close()


def test_a_server_that_was_restarted_between_calls_is_not_noticed(cluster: PostgreSQL, tmp_path: Path) -> None:
    store = open_fleet_store(cluster.url("restarted"), str(tmp_path), patience=30)
    run = store.begin(new_run(), map(member, range(3)))
    assess(store, run, 0)
    cluster.stop()
    cluster.start()
    assess(store, run, 1)
    cluster.stop()
    back = Timer(1.0, cluster.start)
    back.start()
    assess(store, run, 2)  # asked again until it is there
    back.join()
    assert store.end(run, START).state is RunState.ENDED
    assert list(store.verify()) == []
    store.close()


def test_a_server_that_is_gone_is_one_line_and_the_store_is_whole_afterwards(
    cluster: PostgreSQL, tmp_path: Path
) -> None:
    url = cluster.url("gone")
    store = open_fleet_store(url, str(tmp_path), patience=0.3)
    run = store.begin(new_run(), map(member, range(2)))
    assess(store, run, 0)
    before = store.digest()
    cluster.stop()
    for action in (
        lambda: assess(store, run, 1),
        lambda: store.begin(new_run(fleet="other"), [member(0)]),
        lambda: list(store.runs()),
        lambda: store.end(run, START),
        lambda: store.hold(FLEET, "a", now=START, seconds=1),
        lambda: open_fleet_store(url, str(tmp_path), patience=0.1),
    ):
        refused("database-unreachable", action)
    cluster.start()
    assert store.digest() == before
    assess(store, run, 1)
    store.end(run, START)
    assert list(store.verify()) == []
    store.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # psycopg's, of the cursor that was cut
def test_rows_that_stop_coming_are_an_error_and_never_an_end(cluster: PostgreSQL, tmp_path: Path) -> None:
    store = open_fleet_store(cluster.url("cut"), str(tmp_path), patience=0.2)
    run = store.begin(new_run(), map(member, range(5000)))
    rows = store.members(run)
    next(rows)
    cluster.stop()
    refused("database-unreachable", lambda: list(rows))
    cluster.start()
    assert len(list(store.members(run))) == 5000
    store.close()


def test_a_password_is_in_no_error(tmp_path: Path) -> None:
    url = "postgresql://someone:s3cret@127.0.0.1:1/nowhere"
    assert "s3cret" not in str(
        refused("database-unreachable", lambda: open_fleet_store(url, str(tmp_path), patience=0))
    )
    refused("blobs-unset", lambda: open_fleet_store(url))
    unknown = refused("store-unknown", lambda: open_fleet_store("mysql://someone:s3cret@host/name"))
    assert "s3cret" not in str(unknown)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"a small file system can't be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("blobs_too", [True, False], ids=["database and blobs", "database alone"])
def test_a_full_disk_is_one_line_and_the_store_is_whole(small_disk: Path, tmp_path: Path, blobs_too: bool) -> None:
    blobs = str((small_disk if blobs_too else tmp_path) / "blobs")
    store = open_fleet_store(str(small_disk / "fleet.db"), blobs)
    run = store.begin(new_run(), map(member, range(400)))

    def until_it_is_full(store: SqlFleetStore, begin: int) -> None:
        for number in range(begin, 400):
            assess(store, run, number, findings=150)

    refused("disk-full", lambda: until_it_is_full(store, 0))
    recorded = len(list(store.outcomes(run)))
    assert recorded > 3
    store.close()

    with closing(open_fleet_store(str(small_disk / "fleet.db"), blobs)) as anew:
        assert len(list(anew.outcomes(run))) == recorded
        assert list(anew.verify()) == []
        refused("disk-full", lambda: until_it_is_full(anew, recorded))
        subprocess.run(["mount", "-o", "remount,size=200m", str(small_disk)], check=True)
        assess(anew, run, recorded, findings=150)
        assert list(anew.verify()) == []


def test_the_schema_that_migrations_make_is_the_one_that_is_used(store: SqlFleetStore) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with store.database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_the_newest_migration_is_the_one_that_is_expected() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(CHECKOUT / "compliance" / "store" / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_a_store_of_a_newer_version_is_refused_and_left_as_it_is(store: SqlFleetStore, place: tuple[str, str]) -> None:
    fill(store)
    with store.database.writing() as connection:
        connection.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")  # noqa: S608
    before = store.digest()
    for create in (True, False):
        error = refused("store-newer", lambda create=create: open_fleet_store(*place, create=create))  # type: ignore[misc]
        assert "newer version" in str(error)
    assert store.digest() == before


@pytest.mark.parametrize("content", [b"not a database, but long enough to be read as the beginning of one" * 20, b"x"])
def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "fleet.db"
    file.write_bytes(content)
    refused("store-unknown", lambda: open_fleet_store(str(file)))
    assert file.read_bytes() == content


def test_a_database_of_another_program_is_not_touched_when_it_is_only_read(tmp_path: Path) -> None:
    file = tmp_path / "other.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE packages (name TEXT)")
    before = file.read_bytes()
    refused("store-missing", lambda: open_fleet_store(str(file), create=False))
    refused("database-refuses", lambda: open_fleet_store(str(file)))
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("packages",)]
    assert before[:16] == file.read_bytes()[:16]


def test_a_folder_that_does_not_exist_is_said(tmp_path: Path) -> None:
    refused("store-missing", lambda: open_fleet_store(str(tmp_path / "nowhere" / "fleet.db")))


@pytest.mark.parametrize(
    ("library", "extra"),
    [("sqlalchemy", "fleet"), ("alembic", "fleet"), ("psycopg", "fleet"), ("fsspec", "fleet"), ("s3fs", "s3")],
)
def test_a_missing_extra_is_one_line(library: str, extra: str, tmp_path: Path) -> None:
    script = f"""
import sys
sys.modules[{library!r}] = None
from compliance.errors import StoreError
from compliance.store.fleet_store import open_fleet_store
url = "postgresql://127.0.0.1:1/x" if {library!r} == "psycopg" else {str(tmp_path / "fleet.db")!r}
blobs = dict(fsspec="memory://x", s3fs="s3://bucket/fleet").get({library!r}, {str(tmp_path / "blobs")!r})
try:
    open_fleet_store(url, blobs)
except StoreError as error:
    print(error.code, error)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=CHECKOUT, capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.startswith("extra-missing")
    assert f"install hullmark[{extra}]" in done.stdout
    assert done.stdout.count("\n") == 1


def test_bytes_kept_before_a_crash_are_found_when_the_run_goes_on(store: SqlFleetStore) -> None:
    run = store.begin(new_run(), [member(0)])
    for part in documents(0):
        store.put_blob(part)
    assert [one.item for one in store.outcomes(run)] == []
    assess(store, run, 0)
    assert [one.item for one in store.outcomes(run)] == [item(0)]
    assert store.sizes()["blobs"] == 2
