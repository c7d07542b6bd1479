"""A fleet whose documents lie in an object store that speaks S3."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from compliance.errors import StoreError
from compliance.store.blobs import open_blobs
from compliance.store.fleet_store import open_fleet_store
from tests.builders.fleet_documents import documents
from tests.builders.fleet_images import fleet_file, push_images
from tests.builders.object_store import BUCKET, ObjectStore, object_store
from tests.builders.registry_server import docker_registry

IMAGES = 6
TIME = "2026-11-01T00:00:00Z"


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with object_store(tmp_path_factory.mktemp("objects")) as started, pytest.MonkeyPatch.context() as environment:
        for name, value in started.environment.items():
            environment.setenv(name, value)
        yield started


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A fleet of which one run has ended, with its documents below `prefix` of the bucket; `here` has a folder."""

    fleet: Path
    store: Path
    prefix: str
    here: Path

    @property
    def blobs(self) -> str:
        return f"s3://{BUCKET}/{self.prefix}"

    def key(self, sha256: str) -> str:
        return f"{self.prefix}/{sha256[:2]}/{sha256}.zst"


def fleet_command(verb: str, fleet: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "compliance.cli.main", "fleet", verb, str(fleet), *arguments]
    environment = {**os.environ, "HULLMARK_CACHE_DIR": str(fleet.parent / "cache")}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def ran(remote: ObjectStore, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("ran")
    (folder / "registry").mkdir()
    with docker_registry(folder / "registry") as server:
        images = push_images(server, folder / "images", IMAGES)
        fleet = fleet_file(folder, [image.reference for image in images])
        made = Ran(fleet=fleet, store=folder / "far.db", prefix="team/fleet", here=folder / "near.db")
        for store, blobs in ((made.store, ("--blobs", made.blobs)), (made.here, ())):
            done = fleet_command("run", fleet, "--store", str(store), *blobs, "--effective-time", TIME)
            assert done.returncode in (10, 11), done.stderr
    return made


def verified(ran: Ran) -> tuple[int, list[str]]:
    done = fleet_command("verify", ran.fleet, "--store", str(ran.store), "--blobs", ran.blobs)
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def a_document(ran: Ran) -> str:
    with closing(open_fleet_store(str(ran.store), ran.blobs, create=False)) as store:
        (run,) = store.runs()
        return next(record.id for record in store.assessments(run, kinds=()))


def test_a_run_into_a_bucket_keeps_what_a_run_into_a_folder_keeps(ran: Ran) -> None:
    with (
        closing(open_fleet_store(str(ran.store), ran.blobs, create=False)) as far,
        closing(open_fleet_store(str(ran.here), create=False)) as near,
    ):
        assert far.digest() == near.digest()
        assert {name for _, name, _ in far.blobs.files()} == {name for _, name, _ in near.blobs.files()}
        for _, name, _ in near.blobs.files():
            assert far.blob(str(name)) == near.blob(str(name))
    code, (summary, signatures) = verified(ran)
    assert code == 0
    assert summary.startswith("everything holds: 1 runs")
    assert signatures.endswith("no chain is signed")


def test_a_flipped_bit_in_an_object_is_found(ran: Ran, remote: ObjectStore) -> None:
    name = a_document(ran)
    whole = remote.object(ran.key(name))
    remote.put(ran.key(name), whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    try:
        code, lines = verified(ran)
    finally:
        remote.put(ran.key(name), whole)
    assert code == 12
    assert any(name in line and "damaged" in line for line in lines[:-2]), lines
    assert verified(ran)[0] == 0


def test_an_object_that_is_gone_is_found(ran: Ran, remote: ObjectStore) -> None:
    name = a_document(ran)
    whole = remote.object(ran.key(name))
    remote.remove(ran.key(name))
    try:
        code, lines = verified(ran)
    finally:
        remote.put(ran.key(name), whole)
    assert code == 12
    assert any(name in line and "missing" in line for line in lines[:-2]), lines


def test_an_object_of_another_name_is_found(ran: Ran, remote: ObjectStore) -> None:
    remote.put(f"{ran.prefix}/notes.txt", b"not ours")
    try:
        code, lines = verified(ran)
    finally:
        remote.remove(f"{ran.prefix}/notes.txt")
    assert code == 12
    assert lines[0] == f"{ran.blobs}/notes.txt: added: no blob has such a name"


def test_documents_come_back_and_are_kept_once_whoever_asks(remote: ObjectStore) -> None:
    blobs = open_blobs(f"s3://{BUCKET}/once")
    kept = [part for number in range(6) for part in documents(number)]
    names = [blobs.put(part) for part in kept]
    assert names == [hashlib.sha256(part).hexdigest() for part in kept]
    before = list(blobs.files())
    anew = open_blobs(f"s3://{BUCKET}/once")
    assert [anew.put(part) for part in kept] == names
    assert list(anew.files()) == before
    assert [anew.get(name) for name in names] == kept
    assert sum(size for _, _, size in before) < sum(map(len, kept)) / 4


def test_what_others_write_or_remove_is_seen_at_once(remote: ObjectStore) -> None:
    mine, theirs = open_blobs(f"s3://{BUCKET}/seen"), open_blobs(f"s3://{BUCKET}/seen")
    assert list(mine.files()) == []
    name = theirs.put(b"written by another")
    assert [found for _, found, _ in mine.files()] == [name]
    assert mine.get(name) == b"written by another"
    remote.remove(f"seen/{name[:2]}/{name}.zst")
    assert list(mine.files()) == []
    assert mine.put(b"written by another") == name
    assert theirs.get(name) == b"written by another"


def test_a_bucket_that_is_not_there_is_not_made(remote: ObjectStore) -> None:
    for _ in range(2):
        with pytest.raises(StoreError) as caught:
            open_blobs("s3://mistyped/fleet").put(b"content")
        assert caught.value.code == "blobs-refuse"
        assert str(caught.value).count("\n") == 0


def test_an_object_store_that_does_not_answer_is_one_line(tmp_path: Path) -> None:
    program = """
from compliance.errors import StoreError
from compliance.store.blobs import open_blobs
try:
    open_blobs("s3://evidence/fleet").put(b"content")
except StoreError as error:
    print(error.code)
"""
    environment = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **environment, "AWS_MAX_ATTEMPTS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.stdout, done.stderr) == ("blobs-refuse\n", "")
