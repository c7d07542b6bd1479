"""Runs over a real registry, a real store and real processes: killed, hurt, repeated, spread over a cluster."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from compliance.model.fleet import ItemState, RunState
from compliance.store.fleet_store import open_fleet_store
from tests.builders.dask_cluster import dask_cluster
from tests.builders.fleet_images import PushedImage, asked, fleet_file, push_images, read
from tests.builders.postgresql import postgresql
from tests.builders.registry_server import docker_registry

EFFECTIVE = "2026-11-01T00:00:00+00:00"
IMAGES = 12
KILLS = 20


@dataclass(frozen=True, kw_only=True)
class House:
    """A registry with images, and the store that one undisturbed run over them made."""

    registry: Path
    host: str
    url: str
    images: tuple[PushedImage, ...]
    digest: str


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    registry = folder / "registry"
    registry.mkdir()
    with docker_registry(registry) as server:
        images = push_images(server, folder / "images", IMAGES)
        fleet = fleet_file(folder, [image.reference for image in images])
        store = folder / "store.db"
        assert run_to_end(fleet, store, folder / "cache").returncode == 0
        yield House(registry=registry, host=server.host, url=server.url, images=images, digest=digest_of(store))


@pytest.fixture
def fleet(house: House, tmp_path: Path) -> Path:
    return fleet_file(tmp_path, [image.reference for image in house.images])


def command(fleet: Path, store: Path | str, blobs: Path, scheduler: str = "") -> list[str]:
    return [sys.executable, "-m", "tests.builders.fleet_run", str(fleet), str(store), str(blobs), EFFECTIVE, scheduler]


def start(fleet: Path, store: Path | str, cache: Path, scheduler: str = "") -> subprocess.Popen[str]:
    blobs = Path(f"{fleet.parent / 'store.db'}.blobs")
    return subprocess.Popen(
        command(fleet, store, blobs, scheduler),
        env={**os.environ, "HULLMARK_CACHE_DIR": str(cache)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_to_end(fleet: Path, store: Path | str, cache: Path, scheduler: str = "") -> subprocess.CompletedProcess[str]:
    with start(fleet, store, cache, scheduler) as process:
        out, err = process.communicate(timeout=300)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def digest_of(store: Path | str, blobs: Path | None = None) -> str:
    with closing(open_fleet_store(str(store), None if blobs is None else str(blobs), create=False)) as opened:
        assert list(opened.verify()) == []
        return opened.digest()


def test_a_run_killed_at_any_moment_comes_to_the_same_store(house: House, fleet: Path, tmp_path: Path) -> None:
    """Killed so early and so often that every part of a run is hit: its beginning, its images, its end."""
    dice = random.Random(10)  # noqa: S311 - moments, no secrets
    store, cache = tmp_path / "store.db", tmp_path / "cache"
    killed, done_before = 0, 0
    for _ in range(KILLS):
        with start(fleet, store, cache) as process:
            assert process.stdout is not None
            # Up to two more images are recorded, then it is killed at some moment of the next; fewer in all than
            # there are, so that the run never comes to its end before the last kill.
            lines = dice.randrange(3) if killed % 4 == 3 else 0
            for _ in range(lines):
                process.stdout.readline()
            time.sleep(dice.uniform(0.0, 0.7) if lines == 0 else dice.uniform(0.0, 0.2))
            alive = process.poll() is None
            process.kill()
        killed += alive
        if store.is_file() and not alive:
            break
        done_before = max(done_before, recorded(store))
    ended = run_to_end(fleet, store, cache)
    assert ended.returncode == 0, ended.stderr
    assert digest_of(store) == house.digest
    assert killed == KILLS
    assert done_before > 0  # there was something to be lost


def recorded(store: Path) -> int:
    """Images that an open run has an outcome of; none where the store is not made yet."""
    try:
        with closing(open_fleet_store(str(store), create=False)) as opened:
            run = opened.open_run("tests")
            return 0 if run is None else sum(1 for _ in opened.outcomes(run))
    except Exception:  # noqa: BLE001 - killed while it was made
        return 0


def test_a_hurt_image_is_not_determined_and_the_run_ends(house: House, tmp_path: Path, shared: Path) -> None:
    """A layer that is cut off, a bomb that takes too long, and a layer that is another than its manifest says."""
    hostile = shared / "fixtures" / "hostile"
    references = [
        house.images[0].reference,
        f"oci-dir:{hostile / 'truncated-tar'}",
        f"oci-dir:{hostile / 'gzip-bomb-512-mib'}",
        f"oci-dir:{hostile / 'swapped-layer'}",
    ]
    fleet = fleet_file(tmp_path, references, limits='{"time": "1s", "memory": "256MiB"}')
    store = tmp_path / "store.db"
    ended = run_to_end(fleet, store, tmp_path / "cache")
    assert ended.returncode == 0, ended.stderr
    with closing(open_fleet_store(str(store), create=False)) as opened:
        (run,) = opened.runs()
        codes = {outcome.item.reference: outcome.code for outcome in opened.outcomes(run)}
        unresolved = [member for member in opened.members(run) if member.digest is None]
        assert run.state is RunState.ENDED
        assert list(opened.verify()) == []
    named = {Path(reference.partition("@")[0]).name: code for reference, code in codes.items()}
    assert named.get("gzip-bomb-512-mib") == "timed-out", codes
    assert named["truncated-tar"] == "layer-corrupt"
    assert [Path(member.reference).name for member in unresolved] == ["swapped-layer"]


def test_an_image_whose_process_is_killed_is_not_determined_and_the_others_are(
    house: House, fleet: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store.db"
    with start(fleet, store, tmp_path / "cache") as process:
        victim = image_process(process.pid)
        victim.kill()
        _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    with closing(open_fleet_store(str(store), create=False)) as opened:
        (run,) = opened.runs()
        found = [outcome for outcome in opened.outcomes(run) if outcome.state is ItemState.NOT_DETERMINED]
        assert [(one.code, one.reason) for one in found] == [("crashed", "its process was ended by SIGKILL")]
        assert sum(1 for _ in opened.outcomes(run)) == IMAGES


def image_process(root: int) -> psutil.Process:
    """A process that has an image in hand: its parents are a keeper, the template, and the run."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for process in psutil.Process(root).children(recursive=True):
            try:
                if [parent.pid for parent in process.parents()[:3]][-1:] == [root] and len(process.parents()) > 3:
                    return process
            except psutil.NoSuchProcess:
                continue
        time.sleep(0.005)
    raise AssertionError("no image was in hand")


def test_a_second_run_reads_only_what_changed(house: House, tmp_path: Path) -> None:
    """Counted by the registry: of all other images it is asked for the digest, and for nothing else."""
    folder = tmp_path / "registry"
    folder.mkdir()
    with docker_registry(folder) as server:
        images = push_images(server, tmp_path / "images", IMAGES)
        fleet = fleet_file(tmp_path, [image.reference for image in images])
        store, cache = tmp_path / "store.db", tmp_path / "cache"
        assert run_to_end(fleet, store, cache).returncode == 0
        layers = read(folder, "blobs")
        assert set(layers.values()) == {1}  # every config and layer once, however many images share it
        changed = push_images(server, tmp_path / "images", IMAGES, edition="2", numbers=(3, 7))
        before = len(asked(folder))
        ended = run_to_end(fleet, store, cache)
        since = asked(folder)[before:]
    assert ended.returncode == 0, ended.stderr
    assert sorted(line.split()[0] for line in ended.stdout.splitlines()) == ["assessed"] * 2 + ["reused"] * 10
    gets = [path for method, path, status in since if method == "GET" and status == 200]
    assert sum("/manifests/sha256:" in path for path in gets) == 2
    assert sum("/blobs/" in path for path in gets) == 4  # a config and the one new layer of each
    assert {path.rpartition("/")[2] for path in gets if "/manifests/" in path} == {one.digest for one in changed}
    assert len([path for method, path, _ in since if method == "HEAD"]) == IMAGES


def test_a_cluster_that_loses_a_worker_in_the_middle_comes_to_the_same_store(
    house: House, fleet: Path, tmp_path: Path
) -> None:
    store, cache = tmp_path / "store.db", tmp_path / "cache"
    with dask_cluster(tmp_path, cache) as (address, processes), start(fleet, store, cache, address) as process:
        assert process.stdout is not None
        for _ in range(4):
            process.stdout.readline()
        victim = image_process(processes[1].pid)
        processes[1].kill()
        victim.wait(30)  # what it had in hand ends with it
        _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert digest_of(store) == house.digest


def test_a_cluster_whose_scheduler_dies_leaves_a_run_that_goes_on_here(
    house: House, fleet: Path, tmp_path: Path
) -> None:
    store, cache = tmp_path / "store.db", tmp_path / "cache"
    with dask_cluster(tmp_path, cache) as (address, processes), start(fleet, store, cache, address) as process:
        assert process.stdout is not None
        process.stdout.readline()
        processes[0].kill()
        _, err = process.communicate(timeout=120)
        assert process.returncode != 0
        assert "scheduler" in err
    assert run_to_end(fleet, store, cache).returncode == 0
    assert digest_of(store) == house.digest


def test_an_interrupt_ends_a_run_cleanly_and_the_next_goes_on(house: House, fleet: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "HULLMARK_CACHE_DIR": str(tmp_path / "cache")}
    hullmark = [sys.executable, "-m", "compliance.cli.main", "fleet", "run", str(fleet), "--log", "json"]
    hullmark += ["--effective-time", EFFECTIVE, "--store", str(tmp_path / "store.db")]
    with subprocess.Popen(
        hullmark, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        while '"event": "image"' not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "not ended: the next run continues it" in out
    # The lease was given back: the next run begins at once.
    begun = time.monotonic()
    ended = subprocess.run(hullmark, env=environment, capture_output=True, text=True, timeout=300)
    assert ended.returncode in (10, 11), ended.stderr
    assert "waiting-for-lease" not in ended.stderr
    assert digest_of(tmp_path / "store.db") == house.digest
    assert begun


def test_a_database_that_goes_away_and_comes_back_is_waited_for(house: House, fleet: Path, tmp_path: Path) -> None:
    with postgresql() as server:
        blobs, url = tmp_path / "store.db.blobs", server.url("fleet")
        with start(fleet, url, tmp_path / "cache") as process:
            assert process.stdout is not None
            for _ in range(3):
                process.stdout.readline()
            server.stop()
            time.sleep(2)
            server.start()
            _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        assert digest_of(url, blobs) == house.digest


FULL_THEN_LARGER = """
set -eu
mount -t tmpfs -o size=60k tmpfs "$BLOBS"
"$@" 2> "$OUT/full" || echo $? > "$OUT/code"
mount -o remount,size=100m "$BLOBS"
"$@" 2> "$OUT/larger" || echo $? > "$OUT/code-larger"
cp -r "$BLOBS" "$OUT/blobs"
"""
"""In a mount namespace of its own: what is mounted goes with it, however it ends."""


def test_a_full_disk_is_one_line_and_the_store_is_whole(house: House, tmp_path: Path) -> None:
    """The place for documents is a file system of a few pages."""
    own = ["unshare", "--mount", "--map-root-user"]
    if subprocess.run([*own, "mount", "-t", "tmpfs", "tmpfs", str(tmp_path)], capture_output=True).returncode != 0:
        pytest.skip("no file system can be mounted here")
    blobs, out = tmp_path / "small", tmp_path / "out"
    blobs.mkdir()
    out.mkdir()
    fleet = fleet_file(tmp_path, [image.reference for image in house.images], limits='{"attempts": 1}')
    store = out / "store.db"
    hullmark = [sys.executable, "-m", "compliance.cli.main", "fleet", "run", str(fleet), "-q"]
    hullmark += ["--effective-time", EFFECTIVE, "--store", str(store), "--blobs", str(blobs)]
    environment = {"HULLMARK_CACHE_DIR": str(tmp_path / "cache"), "BLOBS": str(blobs), "OUT": str(out)}
    subprocess.run(
        [*own, "sh", "-c", FULL_THEN_LARGER, "sh", *hullmark],
        env={**os.environ, **environment}, check=True, timeout=300, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    said = (out / "full").read_text()
    assert (out / "code").read_text() == "1\n"
    assert said.startswith("hullmark: disk-full: ")
    assert said.count("\n") == 1
    assert (out / "code-larger").read_text() == "10\n", (out / "larger").read_text()
    assert digest_of(store, out / "blobs") != house.digest  # the limits stand in the fleet file; all of it holds
    with closing(open_fleet_store(str(store), str(out / "blobs"), create=False)) as opened:
        (run,) = opened.runs()
        assert (run.state, sum(1 for _ in opened.outcomes(run))) == (RunState.ENDED, IMAGES)
