"""A fleet of N images from real bases: what a run costs, cold, warm, over a cluster, and when ten changed.

    python -m tests.benchmarks.fleet_bases                  # as root on Debian, once: builds the bases
    python -m tests.benchmarks.fleet --images 100 1000 --cluster

Makes N images, each a base and one small layer of its own, pushes them to Debian's docker-registry on loopback, and
runs ``hullmark fleet run`` over them, for each N in turn:

cold      nothing cached, nothing stored
warm      layers cached, nothing stored
cluster   the same over a Dask cluster of two workers, one of which is killed by SIGKILL when half of the images are
          done; its store has to have the digest of the warm run's
again     everything stored, ten tags moved to another image: those are read, the report tells of those
report    ``hullmark fleet report`` and ``fleet diff`` over the runs there are

Whatever is not as it should be ends the benchmark.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from compliance.store.fleet_store import open_fleet_store
from tests.benchmarks import fleet_bases
from tests.builders.dask_cluster import dask_cluster
from tests.builders.evidence import directory, file
from tests.builders.fleet_images import asked, fleet_file
from tests.builders.layout import digest, gzipped, layer_tar
from tests.builders.registry_push import OCI_MANIFEST, Pusher
from tests.builders.registry_server import Server, docker_registry

CHECKOUT = Path(__file__).resolve().parents[2]
BASES_MIN = 12
CHANGED = 10
TIMES = ("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z")
"""As of which everything happens: what is recorded is the same however long it took."""


@dataclass(frozen=True, kw_only=True)
class Base:
    """A base image whose blobs are in the registry: its manifest and config as documents."""

    name: str
    manifest: dict[str, Any]
    config: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class House:
    """The registry, where it writes its log, and the bases in it."""

    server: Server
    folder: Path
    bases: tuple[Base, ...]
    jobs: int | None

    def base(self, number: int) -> Base:
        """That of an image."""
        return self.bases[number % len(self.bases)]


@dataclass(kw_only=True)
class Measured:
    """What one run cost. `cpu_seconds` are those of the images' own processes, `rest_seconds` those of all others: the
    one that writes the store, those that start the images', and a cluster's."""

    name: str
    images: int
    assessed: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    rest_seconds: float = 0.0
    peak_bytes: int = 0
    requests: int = 0
    layers: int = 0

    def row(self) -> str:
        """A line of the table."""
        per = self.assessed or self.images
        return (
            f"{self.name:<18} {self.images:>6} {self.assessed:>8} {self.seconds:>9.1f} "
            f"{self.images / self.seconds * 3600:>9,.0f} {self.cpu_seconds / per:>8.3f} "
            f"{self.rest_seconds / per:>8.3f} {self.peak_bytes / 2**20:>8.0f} {self.requests / self.images:>8.2f} "
            f"{self.layers:>7}"
        )


HEAD = (
    f"{'run':<18} {'images':>6} {'assessed':>8} {'seconds':>9} {'images/h':>9} {'CPU s/im':>8} {'CPU s/im':>8} "
    f"{'peak MiB':>8} {'requests':>8} {'layers':>7}\n"
    f"{'':<18} {'':>6} {'':>8} {'':>9} {'':>9} {'(own)':>8} {'(rest)':>8} {'(tree)':>8} {'an image':>8} {'read':>7}"
)


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[60])
    parser.add_argument("--bases", type=Path, nargs="*", help="OCI layouts (default: those of fleet_bases)")
    parser.add_argument("--jobs", type=int, default=None)
    parser.add_argument("--cluster", action="store_true", help="over two Dask workers too, one of them killed")
    parser.add_argument("--folder", type=Path, default=None, help="work here, and leave what was made")
    given = parser.parse_args(arguments)
    layouts = {path.name: path for path in given.bases} if given.bases else fleet_bases.layouts()
    if len(layouts) < BASES_MIN:
        sys.stderr.write(f"{len(layouts)} bases of {BASES_MIN}: python -m tests.benchmarks.fleet_bases builds them\n")
        return 2
    with _folder(given.folder) as folder:
        (folder / "registry").mkdir()
        with docker_registry(folder / "registry") as server:
            bases = tuple(push_base(server, name, layout) for name, layout in layouts.items())
            say(f"{len(bases)} bases: {', '.join(base.name for base in bases)}")
            say(HEAD)
            house = House(server=server, folder=folder, bases=bases, jobs=given.jobs)
            costs = [series(house, count, cluster=given.cluster) for count in given.images]
        for what in ("cold", "warm"):
            told = [f"{cost[what].cpu_seconds / cost[what].images:.3f} s at {cost[what].images:,}" for cost in costs]
            say(f"CPU an image, {what}: {', '.join(told)}")
    return 0


def series(house: House, count: int, *, cluster: bool) -> Mapping[str, Measured]:
    """All runs over so many images."""
    references = [push_variant(house.server, house.base(number), number, "1") for number in range(count)]
    place = house.folder / f"fleet-{count}"
    place.mkdir()
    fleet = fleet_file(place, references, groups=4, name=f"bench-{count}")
    found: dict[str, Measured] = {}

    def told(measured: Measured) -> None:
        found[measured.name.partition(",")[0]] = measured
        say(measured.row())

    told(measure("cold", house, fleet, place / "cold.db", count))
    told(measure("warm", house, fleet, place / "warm.db", count))
    digests = {name: store_digest(place / f"{name}.db") for name in ("cold", "warm")}
    if cluster:
        told(over_cluster(house, fleet, place, count))
        digests["cluster"] = store_digest(place / "cluster.db")
    if len(set(digests.values())) > 1:
        raise SystemExit(f"the stores differ: {digests}")
    chain, whole = digests["warm"]
    say(f"  {', '.join(digests)}: the same chain {chain[:16]}…, the same store {whole[:16]}…; everything holds")
    changed = sorted(random.Random(count).sample(range(count), min(CHANGED, count)))  # noqa: S311 - which, no secret
    for number in changed:
        push_variant(house.server, house.base(number), number, "2")
    told(again := measure("again, ten changed", house, fleet, place / "warm.db", count, time_of=TIMES[1]))
    demand_changes(again, fleet, place / "warm.db", {references[number] for number in changed})
    for verb, arguments in (("report", ["-o", f"json={place / 'report.json'}"]), ("status", []), ("diff", [])):
        seconds, code = reading(verb, fleet, place / "warm.db", arguments)
        say(f"  fleet {verb}: {seconds:.2f} s of CPU, exit code {code}")
    return found


def measure(
    name: str,
    house: House,
    fleet: Path,
    store: Path,
    count: int,
    *,
    flags: Sequence[str] = (),
    others: Sequence[int] = (),
    time_of: str = TIMES[0],
    at: Callable[[int], None] = lambda _: None,
) -> Measured:
    """One run of the command, its whole tree of processes watched, and `others` (their ids) with it.

    `at` is called with the number of images that are done, whenever it grows.
    """
    measured = Measured(name=name, images=count)
    before = len(asked(house.folder / "registry"))
    own = ["--jobs", str(house.jobs)] if house.jobs and not flags else []
    command = ["run", str(fleet), "--store", str(store), "--log", "json", "--effective-time", time_of, *own, *flags]
    spent = _children_seconds() + _seconds_of(others)
    begun = time.monotonic()
    events: list[dict[str, Any]] = []
    with started(command, fleet, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        watching = threading.Thread(target=_watch, args=(process, others, measured))
        watching.start()
        done = 0
        for line in process.stderr:
            if line.startswith("{"):
                events.append(json.loads(line))
                if events[-1]["event"] == "image":
                    done += 1
                    at(done)
        code = process.wait()
        measured.seconds = time.monotonic() - begun
        watching.join()
    measured.rest_seconds = _children_seconds() + _seconds_of(others) - spent
    if code not in (0, 10, 11):
        raise SystemExit(f"the run ended with {code}: {events[-1:]}")
    images = [event for event in events if event["event"] == "image"]
    measured.assessed = sum(event["state"] == "assessed" for event in images)
    measured.cpu_seconds = sum(event.get("cpuSeconds", 0.0) for event in images)
    lost = [event for event in images if event["state"] == "not-determined"]
    if len(images) != count or lost:
        raise SystemExit(f"{len(images)} of {count} images, {len(lost)} not determined: {lost[:3]}")
    requests = asked(house.folder / "registry")[before:]
    measured.requests = len(requests)
    blobs = sum(method == "GET" and "/blobs/" in path and status == 200 for method, path, status in requests)
    measured.layers = max(blobs - measured.assessed, 0)  # one is the config
    return measured


def over_cluster(house: House, fleet: Path, place: Path, count: int) -> Measured:
    """The same on two workers, one of which is killed in the middle with all that it has in hand."""
    with dask_cluster(place, place / "cache") as (address, processes):
        victim = processes[1]

        def kill(done: int) -> None:
            if done == count // 2:
                victim.send_signal(signal.SIGKILL)

        others = [process.pid for process in processes]
        flags = ["--scheduler", address]
        measured = measure(
            "cluster, one killed", house, fleet, place / "cluster.db", count, flags=flags, others=others, at=kill
        )
        if victim.wait(20) != -signal.SIGKILL:
            raise SystemExit("the worker was not killed")
    return measured


def demand_changes(again: Measured, fleet: Path, store: Path, changed: set[str]) -> None:
    """Only what changed was read, and the report says exactly that. Raises SystemExit."""
    if (again.assessed, again.layers) != (len(changed), len(changed)):
        raise SystemExit(f"{again.assessed} assessed, {again.layers} layers read, where {len(changed)} changed")
    command = ["diff", str(fleet), "--store", str(store), "-o", "json"]
    with started(command, fleet, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        out, err = process.communicate()
    if process.returncode not in (0, 10):
        raise SystemExit(f"fleet diff ended with {process.returncode}: {err}")
    told = json.loads(out)
    moved = {one["reference"] for one in told["images"]}
    kinds = {one["kind"] for one in told["images"]}
    if (moved, kinds) != (changed, {"moved"}):
        raise SystemExit(f"fleet diff tells of {sorted(moved)} ({kinds}), where these changed: {sorted(changed)}")
    say(f"  {len(changed)} changed: {again.layers} layers read; fleet diff names these {len(moved)} and no others")


def store_digest(store: Path) -> tuple[str, str]:
    """The end of the chain and the digest of everything. Raises SystemExit where something does not hold."""
    with closing(open_fleet_store(str(store), create=False)) as opened:
        wrong = list(opened.verify())
        (run,) = opened.runs()
        if wrong or run.chain is None:
            raise SystemExit(f"{store.name} does not hold: {wrong[:3]}")
        return run.chain, opened.digest()


def reading(verb: str, fleet: Path, store: Path, arguments: Sequence[str]) -> tuple[float, int]:
    """CPU seconds and exit code of a command that reads the store."""
    before = _children_seconds()
    command = [verb, str(fleet), "--store", str(store), *arguments]
    with started(command, fleet, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        process.wait()
    return _children_seconds() - before, process.returncode


def started(command: Sequence[str], fleet: Path, *, stdout: int, stderr: int) -> subprocess.Popen[str]:
    """``hullmark fleet …`` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "compliance.cli.main", "fleet", *command],
        cwd=CHECKOUT,
        env={**os.environ, "HULLMARK_CACHE_DIR": str(fleet.parent / "cache")},
        stdout=stdout,
        stderr=stderr,
        text=True,
    )


def say(line: str) -> None:
    """On stdout, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _children_seconds() -> float:
    """CPU time of all processes that ended and were waited for, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _seconds_of(processes: Sequence[int]) -> float:
    """CPU time of processes that run, and of their children that ended. What a killed one used is lost."""
    total = 0.0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            used = psutil.Process(process).cpu_times()
            total += used.user + used.system + used.children_user + used.children_system
    return total


def _watch(process: subprocess.Popen[str], others: Sequence[int], measured: Measured) -> None:
    """The memory of the whole tree, each shared page counted once (PSS), several times a second."""
    while process.poll() is None:
        total = 0
        for root in (process.pid, *others):
            with contextlib.suppress(psutil.Error):
                found = psutil.Process(root)
                for one in (found, *found.children(recursive=True)):
                    with contextlib.suppress(psutil.Error):
                        total += one.memory_full_info().pss
        measured.peak_bytes = max(measured.peak_bytes, total)
        time.sleep(0.3)


def push_base(server: Server, name: str, layout: Path) -> Base:
    """Push what images on this base are made of."""
    pusher = Pusher(url=server.url, name=f"bench/{name}")
    manifest = _manifest(layout)
    for layer in manifest["layers"]:
        pusher.blob(_blob(layout, layer["digest"]))
    return Base(name=name, manifest=manifest, config=json.loads(_blob(layout, manifest["config"]["digest"])))


def push_variant(server: Server, base: Base, number: int, edition: str) -> str:
    """One image: the base and a small layer; its reference."""
    pusher = Pusher(url=server.url, name=f"bench/{base.name}")
    own = {"srv": directory(), "srv/app.conf": file(f"image {number}, edition {edition}\n" * 20)}
    tar = layer_tar(own)
    layer = pusher.blob(gzipped(tar), "application/vnd.oci.image.layer.v1.tar+gzip")
    rootfs = base.config["rootfs"]
    config = {**base.config, "rootfs": {**rootfs, "diff_ids": [*rootfs["diff_ids"], digest(tar)]}}
    config.pop("history", None)
    described = pusher.blob(json.dumps(config).encode(), base.manifest["config"]["mediaType"])
    manifest = {**base.manifest, "config": described, "layers": [*base.manifest["layers"], layer]}
    pusher.manifest(json.dumps(manifest).encode(), manifest.get("mediaType", OCI_MANIFEST), f"v{number}")
    return f"registry:{server.host}/bench/{base.name}:v{number}"


def _manifest(layout: Path) -> dict[str, Any]:
    """The first image's manifest, through an index if need be."""
    found: dict[str, Any] = json.loads((layout / "index.json").read_bytes())
    while "manifests" in found:
        found = json.loads(_blob(layout, found["manifests"][0]["digest"]))
    return found


def _blob(layout: Path, name: str) -> bytes:
    return (layout / "blobs" / name.replace(":", "/")).read_bytes()


@contextlib.contextmanager
def _folder(named: Path | None) -> Iterator[Path]:
    if named is not None:
        named.mkdir(parents=True)
        yield named
        return
    folder = Path(tempfile.mkdtemp(prefix="hullmark-fleet-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
