"""A real Podman and a real Docker engine, each started here, keep every promise of a source."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from compliance.errors import SourceError
from compliance.ingest.source import open_source, parse_reference
from compliance.model.reference import Platform
from tests.builders.layout import docker_archive
from tests.conformance import test_sources as sources

SECONDS_TO_START = 60


@dataclass(frozen=True, kw_only=True)
class Running:
    """An engine that listens, with the archive that was loaded into it as `sample`."""

    scheme: str
    variable: str
    socket: Path
    archive: Path

    def reference(self, name: str = "sample") -> str:
        return f"{self.scheme}:{name}"


class _Api(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("engine", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(60)
        self.sock.connect(str(self._path))


def _missing(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def _podman(folder: Path) -> list[str]:
    """Its own storage, plain copies: overlay mounts need rights that a sandbox has not."""
    return [
        *("podman", "--root", str(folder / "root"), "--runroot", str(folder / "run"), "--storage-driver", "vfs"),
        *("system", "service", "--time=0", f"unix://{folder}/engine.sock"),
    ]


def _docker(folder: Path) -> list[str]:
    """Its own storage and state; no network is set up, as nothing is run."""
    return [
        *("dockerd", "--host", f"unix://{folder}/engine.sock", "--data-root", str(folder / "root")),
        *("--exec-root", str(folder / "run"), "--pidfile", str(folder / "pid"), "--storage-driver", "vfs"),
        *("--bridge", "none", "--iptables=false", "--ip6tables=false"),
    ]


@contextmanager
def _running(command: list[str], folder: Path) -> Iterator[Path]:
    """The engine's socket, once it answers; the engine is ended by its own process id."""
    path, log = folder / "engine.sock", folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + SECONDS_TO_START
        while not _answers(path):
            if process.poll() is not None or time.monotonic() > deadline:
                _missing(f"{command[0]} does not start: {log.read_text(errors='replace')[-600:]}")
            time.sleep(0.05)
        yield path
    finally:
        process.terminate()
        process.wait(60)


def _answers(path: Path) -> bool:
    api = _Api(path)
    try:
        api.request("GET", "/_ping")
        return api.getresponse().status == 200
    except OSError:
        return False
    finally:
        api.close()


def _load(path: Path, archive: Path) -> None:
    api = _Api(path)
    try:
        api.request("POST", "/images/load?quiet=1", archive.read_bytes(), {"Content-Type": "application/x-tar"})
        response = api.getresponse()
        answer = response.read().decode()
        assert response.status == 200, answer
        assert "sample:latest" in answer, answer
    finally:
        api.close()


ENGINES = {
    "podman": ("podman", "CONTAINER_HOST", _podman),
    "docker": ("dockerd", "DOCKER_HOST", _docker),
}


@pytest.fixture(scope="module", params=list(ENGINES))
def running(request: pytest.FixtureRequest) -> Iterator[Running]:
    program, variable, command = ENGINES[request.param]
    if shutil.which(program) is None:
        _missing(f"{program} is not installed")
    folder = Path(tempfile.mkdtemp(prefix="engine"))  # a socket's path has 107 bytes at most
    try:
        with _running(command(folder), folder) as path:
            archive = docker_archive(folder / "sample.tar", (sources.LOWER, sources.UPPER), config=sources.CONFIG)
            _load(path, archive)
            yield Running(scheme=request.param, variable=variable, socket=path, archive=archive)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def engine(running: Running, monkeypatch: pytest.MonkeyPatch) -> Running:
    """The engine, as its own environment variable tells of it."""
    monkeypatch.setenv(running.variable, f"unix://{running.socket}")
    return running


class TestEveryEngine(sources.EverySource):
    @pytest.fixture
    def make(self, engine: Running) -> Callable[[Path], str]:
        """The image that every source holds, as this engine names it."""
        return lambda _: engine.reference()


def test_image_is_the_one_that_was_loaded(engine: Running) -> None:
    image, _ = sources.read(engine.reference())
    loaded, _ = sources.read(f"docker-archive:{engine.archive}")
    assert image.digest == loaded.digest
    assert image.config_bytes == loaded.config_bytes
    assert [layer.diff_id for layer in image.layers] == [layer.diff_id for layer in loaded.layers]


def test_image_is_found_by_tag_and_by_id(engine: Running) -> None:
    by_name, _ = sources.read(engine.reference("sample:latest"))
    identity = by_name.digest.removeprefix("sha256:")
    assert by_name.tag == "latest"
    assert sources.read(engine.reference(identity))[0].digest == by_name.digest
    assert sources.read(engine.reference(identity[:12]))[0].digest == by_name.digest
    assert sources.read(engine.reference(by_name.digest))[0].digest == by_name.digest


def test_image_that_is_not_there_says_how_to_get_it(engine: Running) -> None:
    with pytest.raises(SourceError) as caught:
        sources.read(engine.reference("nothing:1"))
    assert caught.value.code == "no-image"
    assert f"{engine.scheme} pull nothing:1" in str(caught.value)


def test_other_platform_is_refused(engine: Running) -> None:
    with pytest.raises(SourceError) as caught:
        sources.read(engine.reference(), Platform.parse("linux/s390x"))
    assert caught.value.code in ("no-platform", "engine-failed", "no-image")


def test_the_engine_is_not_asked_again_for_layers(engine: Running) -> None:
    source = open_source(parse_reference(engine.reference()))
    try:
        image = source.image(None)
        moved = engine.socket.rename(engine.socket.with_suffix(".away"))
        try:
            for layer in reversed(image.layers):
                with source.open_layer(layer) as stream:
                    assert len(stream.read()) == layer.size
        finally:
            moved.rename(engine.socket)
    finally:
        source.close()
