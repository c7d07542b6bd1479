"""A fleet of N images from real bases: what a run costs, cold, warm, and when ten changed.

``python -m tests.benchmarks.fleet --images 1000`` makes N images, each a base and one small layer of its own, pushes
them to Debian's docker-registry on loopback, runs ``hullmark fleet run`` over them, and prints a table. With
``--images 100 300 1000`` it does so for each number, to show whether the cost of an image stays flat.

Cold: nothing cached, nothing stored. Warm: layers cached, nothing stored. Again: everything stored, ten images changed.
Bases are OCI layouts: those of ``--bases FOLDER …`` (each a layout, or a folder with ``oci/``), by default what the
other benchmarks made under ``.bench/images`` and the samples; where there are fewer than twelve, each becomes several
by a layer of 64 files of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.builders.evidence import directory, file
from tests.builders.fleet_images import asked, fleet_file
from tests.builders.layout import digest, gzipped, layer_tar
from tests.builders.registry_push import OCI_MANIFEST, Pusher
from tests.builders.registry_server import Server, docker_registry

CHECKOUT = Path(__file__).resolve().parents[2]
BASES_MIN = 12
CHANGED = 10
SIZE_MAX = 500 * 2**20
"""Bytes of a base that nobody named."""


@dataclass(frozen=True, kw_only=True)
class Base:
    """A base image whose blobs are in the registry: its manifest and config as documents, its files' size."""

    name: str
    manifest: dict[str, Any]
    config: dict[str, Any]


@dataclass(kw_only=True)
class Measured:
    """What one run cost."""

    name: str
    images: int
    assessed: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0
    requests: int = 0
    layers: int = 0
    codes: dict[int, int] = field(default_factory=dict)

    def row(self) -> str:
        """A line of the table."""
        per = self.assessed or self.images
        return (
            f"{self.name:<18} {self.images:>6} {self.assessed:>8} {self.seconds:>9.1f} {self.seconds / per:>8.3f} "
            f"{self.images / self.seconds * 3600:>9,.0f} {self.cpu_seconds / per:>8.3f} "
            f"{self.peak_bytes / 2**20:>8.0f} {self.requests / self.images:>8.1f} {self.layers:>7}"
        )


HEAD = (
    f"{'run':<18} {'images':>6} {'assessed':>8} {'seconds':>9} {'s/image':>8} {'images/h':>9} {'CPU s/im':>8} "
    f"{'peak MiB':>8} {'requests':>8} {'layers':>7}\n"
    f"{'':<18} {'':>6} {'':>8} {'':>9} {'':>8} {'':>9} {'':>8} {'(tree)':>8} {'an image':>8} {'read':>7}"
)


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[60])
    parser.add_argument("--bases", type=Path, nargs="*", default=None)
    parser.add_argument("--jobs", type=int, default=None)
    parser.add_argument("--scheduler", default=None, help="the address of a Dask scheduler")
    parser.add_argument("--folder", type=Path, default=None, help="work here, and leave what was made")
    given = parser.parse_args(arguments)
    layouts = list(found_bases(given.bases))
    if not layouts:
        sys.stderr.write("no base images: name OCI layouts with --bases\n")
        return 2
    with _folder(given.folder) as folder:
        (folder / "registry").mkdir(exist_ok=True)
        with docker_registry(folder / "registry") as server:
            bases = push_bases(server, layouts)
            print(f"{len(bases)} bases: {', '.join(base.name for base in bases)}")  # noqa: T201
            print(HEAD)  # noqa: T201
            for count in given.images:
                for measured in series(server, folder, bases, count, given.jobs, given.scheduler):
                    print(measured.row(), flush=True)  # noqa: T201
    return 0


def series(
    server: Server, folder: Path, bases: Sequence[Base], count: int, jobs: int | None, scheduler: str | None
) -> Iterator[Measured]:
    """Cold, warm, and again with ten changed."""
    references = [push_variant(server, bases[number % len(bases)], number, "1") for number in range(count)]
    place = folder / f"fleet-{count}"
    place.mkdir()
    fleet = fleet_file(place, references, groups=4, name=f"bench-{count}")
    flags = ["--jobs", str(jobs)] if jobs else []
    flags += ["--scheduler", scheduler] if scheduler else []
    cache = place / "cache"
    yield measure("cold", folder, fleet, place / "cold.db", cache, count, flags)
    yield measure("warm", folder, fleet, place / "warm.db", cache, count, flags)
    for number in random.Random(count).sample(range(count), min(CHANGED, count)):  # noqa: S311 - which, no secret
        push_variant(server, bases[number % len(bases)], number, "2")
    yield measure(f"again, {CHANGED} changed", folder, fleet, place / "warm.db", cache, count, flags)


def measure(
    name: str, folder: Path, fleet: Path, store: Path, cache: Path, count: int, flags: Sequence[str]
) -> Measured:
    """One run of the command, its whole tree of processes watched."""
    measured = Measured(name=name, images=count)
    before = len(asked(folder / "registry"))
    command = [sys.executable, "-m", "compliance.cli.main", "fleet", "run", str(fleet), "--store", str(store)]
    begun = time.monotonic()
    with (
        (fleet.parent / f"{name.partition(',')[0]}.jsonl").open("w+") as log,
        subprocess.Popen(
            [*command, "--log", "json", *flags],
            cwd=CHECKOUT,
            env={**os.environ, "HULLMARK_CACHE_DIR": str(cache)},
            stdout=subprocess.DEVNULL,
            stderr=log,
        ) as process,
    ):
        watching = threading.Thread(target=_watch, args=(process, measured))
        watching.start()
        code = process.wait()
        measured.seconds = time.monotonic() - begun
        watching.join()
        log.seek(0)
        events = [json.loads(line) for line in log if line.startswith("{")]
    if code not in (0, 10, 11):
        raise SystemExit(f"the run ended with {code}: {events[-1:]}")
    images = [event for event in events if event["event"] == "image"]
    measured.assessed = sum(event["state"] == "assessed" for event in images)
    measured.cpu_seconds = sum(event.get("cpuSeconds", 0.0) for event in images)
    lost = [event for event in images if event["state"] == "not-determined"]
    if len(images) != count or lost:
        raise SystemExit(f"{len(images)} of {count} images, {len(lost)} not determined: {lost[:3]}")
    requests = asked(folder / "registry")[before:]
    measured.requests = len(requests)
    measured.layers = (
        sum(method == "GET" and "/blobs/" in path and status == 200 for method, path, status in requests)
        - measured.assessed
    )  # one is the config
    return measured


def _watch(process: subprocess.Popen[bytes], measured: Measured) -> None:
    """The memory of the whole tree, each shared page counted once (PSS), several times a second."""
    while process.poll() is None:
        total = 0
        with contextlib.suppress(psutil.Error):
            root = psutil.Process(process.pid)
            for one in (root, *root.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    total += one.memory_full_info().pss
        measured.peak_bytes = max(measured.peak_bytes, total)
        time.sleep(0.3)


def found_bases(named: Sequence[Path] | None) -> Iterator[Path]:
    """OCI layouts of one image each; without any named, those of a size that a registry's pushes take in a minute."""
    places = named or [*sorted((CHECKOUT / ".bench" / "images").glob("*")), *sorted(CHECKOUT.glob("examples/images/*"))]
    for place in places:
        for layout in (place, place / "oci"):
            if (layout / "index.json").is_file():
                size = sum(blob.stat().st_size for blob in (layout / "blobs").glob("*/*"))
                if named or size <= SIZE_MAX:
                    yield layout
                break


def push_bases(server: Server, layouts: Sequence[Path]) -> tuple[Base, ...]:
    """Push what the images are made of; where there are too few bases, several of each."""
    bases: list[Base] = []
    for number in range(max(BASES_MIN, len(layouts))):
        layout = layouts[number % len(layouts)]
        name = layout.name if layout.name != "oci" else layout.parent.name
        pusher = Pusher(url=server.url, name=f"bench/{name}-{number}")
        manifest = _manifest(layout)
        config = json.loads(_blob(layout, manifest["config"]["digest"]))
        for layer in manifest["layers"]:
            pusher.blob(_blob(layout, layer["digest"]))
        base = Base(name=f"{name}-{number}", manifest=manifest, config=config)
        if number >= len(layouts):
            files = {f"opt/base-{number}": directory()} | {
                f"opt/base-{number}/file-{index}": file(f"{number} {index}\n" * 100) for index in range(64)
            }
            base = _with_layer(pusher, base, layer_tar(files))
        bases.append(base)
    return tuple(bases)


def push_variant(server: Server, base: Base, number: int, edition: str) -> str:
    """One image: the base and a small layer; its reference."""
    pusher = Pusher(url=server.url, name=f"bench/{base.name}")
    own = {"srv": directory(), "srv/app.conf": file(f"image {number}, edition {edition}\n" * 20)}
    made = _with_layer(pusher, base, layer_tar(own))
    config = pusher.blob(json.dumps(made.config).encode(), made.manifest["config"]["mediaType"])
    manifest = {**made.manifest, "config": config}
    pusher.manifest(json.dumps(manifest).encode(), manifest.get("mediaType", OCI_MANIFEST), f"v{number}")
    return f"registry:{server.host}/bench/{base.name}:v{number}"


def _with_layer(pusher: Pusher, base: Base, tar: bytes) -> Base:
    layer = pusher.blob(gzipped(tar), "application/vnd.oci.image.layer.v1.tar+gzip")
    rootfs = base.config["rootfs"]
    config = {**base.config, "rootfs": {**rootfs, "diff_ids": [*rootfs["diff_ids"], digest(tar)]}}
    config.pop("history", None)
    return Base(name=base.name, manifest={**base.manifest, "layers": [*base.manifest["layers"], layer]}, config=config)


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
