"""The engine source against servers that answer wrongly, and places where no engine listens."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import socketserver
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from compliance.errors import ComplianceError, FormatError, IntegrityError, LimitError, SourceError, UsageError
from compliance.ingest import engine as module
from compliance.ingest.engine import ENGINES, EngineImage, sockets
from compliance.ingest.limits import Limits
from compliance.ingest.source import open_source, parse_reference
from compliance.model.image import Image
from compliance.model.reference import Platform, Scheme
from tests.builders.layout import archived, docker_archive, simple_image

NODES = ({"etc/a": "lower"}, {"etc/b": "upper"})


@dataclass(kw_only=True)
class Answers:
    """What the server sends: status and body for each of the two requests, and what it was asked."""

    identity: object
    export: bytes
    inspect_status: int = 200
    export_status: int = 200
    inspect: bytes | None = None
    cut_at: int | None = None
    asked: list[str] = field(default_factory=list)

    def body(self, path: str) -> tuple[int, bytes]:
        if path.endswith("/json"):
            told = json.dumps({"Id": self.identity}).encode()
            return self.inspect_status, told if self.inspect is None else self.inspect
        return self.export_status, self.export


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    answers: Answers


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        answers = self.server.answers
        answers.asked.append(self.path)
        status, body = answers.body(urlsplit(self.path).path)
        self.send_response(status)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"%x\r\n" % len(body) if body else b"")
        if answers.cut_at is not None and not self.path.endswith("/json"):
            self.wfile.write(body[: answers.cut_at])
            self.close_connection = True
            return
        self.wfile.write(body + b"\r\n0\r\n\r\n" if body else b"0\r\n\r\n")

    def address_string(self) -> str:
        return "test"

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder with a short name: a socket's path has 107 bytes at most."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture
def serve(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Answers], None]]:
    """Start a server on the socket that DOCKER_HOST names."""
    servers: list[_Server] = []

    def start(answers: Answers) -> None:
        path = place / "engine.sock"
        server = _Server(str(path), _Handler)
        server.answers = answers
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def good(tmp_path: Path) -> Answers:
    """An archive as docker save writes it, and its image's ID."""
    archive = docker_archive(tmp_path / "image.tar", NODES)
    source = open_source(parse_reference(f"docker-archive:{archive}"))
    try:
        identity = source.image(None).digest
    finally:
        source.close()
    return Answers(identity=identity, export=archive.read_bytes())


def read(reference: str = "docker:sample", limits: Limits | None = None, platform: str | None = None) -> Image:
    source = EngineImage(parse_reference(reference), limits or Limits())
    try:
        image = source.image(Platform.parse(platform) if platform else None)
        for layer in image.layers:
            with source.open_layer(layer) as stream:
                assert f"sha256:{hashlib.sha256(stream.read()).hexdigest()}" == layer.diff_id
        return image
    finally:
        source.close()


def refused(error: type[ComplianceError], code: str, **how: Any) -> ComplianceError:
    with pytest.raises(error) as caught:
        read(**how)
    assert caught.value.code == code
    assert "\n" not in str(caught.value)
    return caught.value


class TestAnswers:
    def test_image_is_exported_by_its_id_and_keeps_the_reference(
        self, serve: Callable[[Answers], None], tmp_path: Path
    ) -> None:
        answers = good(tmp_path)
        serve(answers)
        image = read("docker:team/sample:1")
        assert str(image.reference) == "docker:team/sample:1"
        assert (image.digest, image.tag, len(image.layers)) == (answers.identity, "1", 2)
        assert answers.asked[0] == "/images/team/sample:1/json"
        assert parse_qs(urlsplit(answers.asked[1]).query) == {"names": [answers.identity]}

    def test_id_without_algorithm_is_a_sha256(self, serve: Callable[[Answers], None], tmp_path: Path) -> None:
        answers = good(tmp_path)
        answers.identity = str(answers.identity).removeprefix("sha256:")
        serve(answers)
        assert read().digest == f"sha256:{answers.identity}"

    def test_platform_is_asked_of_the_engine_and_compared(
        self, serve: Callable[[Answers], None], tmp_path: Path
    ) -> None:
        answers = good(tmp_path)
        serve(answers)
        read(platform="linux/amd64")
        told = parse_qs(urlsplit(answers.asked[1]).query)["platform"][0]
        assert json.loads(told) == {"os": "linux", "architecture": "amd64"}
        refused(SourceError, "no-platform", platform="linux/s390x")

    def test_export_with_an_oci_layout_is_identified_by_its_manifest(
        self, serve: Callable[[Answers], None], tmp_path: Path
    ) -> None:
        archive = archived(simple_image(tmp_path / "layout", NODES, compression=""), tmp_path / "image.tar")
        source = open_source(parse_reference(f"oci-archive:{archive}"))
        digest = source.image(None).digest
        source.close()
        serve(Answers(identity=digest, export=archive.read_bytes()))
        assert read().digest == digest
        assert read(f"docker:sample@{digest}").reference.digest == digest

    def test_digest_that_the_export_can_not_prove_is_refused(
        self, serve: Callable[[Answers], None], tmp_path: Path
    ) -> None:
        serve(good(tmp_path))
        error = refused(SourceError, "digest-unproved", reference=f"docker:sample@sha256:{'0' * 64}")
        assert "registry:sample@DIGEST" in str(error)

    def test_other_image_than_told_does_not_verify(self, serve: Callable[[Answers], None], tmp_path: Path) -> None:
        answers = good(tmp_path)
        answers.identity = f"sha256:{'0' * 64}"
        serve(answers)
        refused(IntegrityError, "digest-mismatch")

    def test_missing_image_says_how_to_get_it(self, serve: Callable[[Answers], None], tmp_path: Path) -> None:
        answers = good(tmp_path)
        answers.inspect_status = 404
        serve(answers)
        assert "docker pull sample" in str(refused(SourceError, "no-image"))

    def test_image_removed_between_the_requests_is_missing(
        self, serve: Callable[[Answers], None], tmp_path: Path
    ) -> None:
        answers = good(tmp_path)
        answers.export_status = 404
        serve(answers)
        refused(SourceError, "no-image")

    def test_other_failure_carries_the_engines_words_on_one_line(
        self, serve: Callable[[Answers], None], tmp_path: Path
    ) -> None:
        answers = good(tmp_path)
        answers.inspect_status, answers.inspect = 500, b'{"message": "disk\\n\\u001b[31mgone"}'
        serve(answers)
        error = str(refused(SourceError, "engine-failed"))
        assert "500" in error
        assert "disk" in error
        assert "\x1b" not in error

    @pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"Id": 7}', b'{"Id": "../../etc"}', b'{"Id": null}'])
    def test_answer_without_an_id_is_invalid(
        self, serve: Callable[[Answers], None], tmp_path: Path, body: bytes
    ) -> None:
        answers = good(tmp_path)
        answers.inspect = body
        serve(answers)
        refused(FormatError, "engine-answer-invalid")

    @pytest.mark.parametrize("cut_at", [0, 700, 10_000])
    def test_export_that_breaks_off_is_refused(
        self, serve: Callable[[Answers], None], tmp_path: Path, cut_at: int
    ) -> None:
        answers = good(tmp_path)
        answers.cut_at = cut_at
        serve(answers)
        refused(SourceError, "engine-failed")

    def test_export_that_is_no_archive_is_refused(self, serve: Callable[[Answers], None], tmp_path: Path) -> None:
        answers = good(tmp_path)
        answers.export = b"hello" * 1000
        serve(answers)
        refused(FormatError, "archive-corrupt")

    def test_damaged_layer_does_not_hash_to_its_diff_id(self, serve: Callable[[Answers], None], tmp_path: Path) -> None:
        answers = good(tmp_path)
        answers.export = answers.export.replace(b"upper", b"UPPER")
        serve(answers)
        with pytest.raises(AssertionError):
            read()

    @pytest.mark.parametrize("over", [0, 1])
    def test_export_above_archive_bytes_is_refused(
        self, serve: Callable[[Answers], None], tmp_path: Path, over: int
    ) -> None:
        answers = good(tmp_path)
        serve(answers)
        limits = Limits(archive_bytes=len(answers.export) - over)
        if over:
            assert "archive_bytes" in str(refused(LimitError, "limit-exceeded", limits=limits))
        else:
            assert read(limits=limits).digest == answers.identity

    def test_description_above_manifest_bytes_is_refused(
        self, serve: Callable[[Answers], None], tmp_path: Path
    ) -> None:
        answers = good(tmp_path)
        answers.inspect = json.dumps({"Id": answers.identity}).encode().ljust(1000)
        serve(answers)
        assert "manifest_bytes" in str(refused(LimitError, "limit-exceeded", limits=Limits(manifest_bytes=999)))

    def test_silent_engine_is_given_up(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "ANSWER_SECONDS", 0.05)
        monkeypatch.setenv("DOCKER_HOST", f"unix://{place}/silent.sock")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"{place}/silent.sock")
            listener.listen()
            assert "no answer in time" in str(refused(SourceError, "engine-failed"))


class TestSockets:
    def test_variable_names_the_only_socket(self) -> None:
        assert sockets(ENGINES[Scheme.DOCKER], {"DOCKER_HOST": "unix:///run/x.sock"}) == ("/run/x.sock",)
        assert sockets(ENGINES[Scheme.PODMAN], {"CONTAINER_HOST": "unix:///run/y.sock"}) == ("/run/y.sock",)

    def test_usual_places_are_tried_in_order(self) -> None:
        environment = {"XDG_RUNTIME_DIR": "/run/user/7", "HOME": "/home/me"}
        assert sockets(ENGINES[Scheme.DOCKER], environment) == (
            "/var/run/docker.sock",
            "/run/user/7/docker.sock",
            "/home/me/.docker/run/docker.sock",
        )
        assert sockets(ENGINES[Scheme.PODMAN], environment) == (
            "/run/user/7/podman/podman.sock",
            "/run/podman/podman.sock",
        )
        assert sockets(ENGINES[Scheme.PODMAN], {})[0] == f"/run/user/{os.getuid()}/podman/podman.sock"

    @pytest.mark.parametrize("address", ["tcp://host:2375", "ssh://me@host", "npipe:////./pipe/docker_engine", "x"])
    def test_address_that_is_no_unix_socket_is_refused(self, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DOCKER_HOST", address)
        assert "DOCKER_HOST=unix://" in str(refused(SourceError, "engine-unsupported"))

    def test_engine_that_does_not_run_is_told_with_every_place(
        self, place: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("CONTAINER_HOST", raising=False)
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(place))
        (place / "podman").mkdir()
        with socket.socket(socket.AF_UNIX) as left:  # bound, and nobody listens: what a killed engine leaves
            left.bind(f"{place}/podman/podman.sock")
            monkeypatch.setattr(module, "ENGINES", {Scheme.PODMAN: _only(ENGINES[Scheme.PODMAN], "/nowhere/p.sock")})
            error = str(refused(SourceError, "engine-unreachable", reference="podman:sample"))
        assert f"{place}/podman/podman.sock (nobody listens)" in error
        assert "/nowhere/p.sock (not there)" in error
        assert "podman system service" in error

    def test_second_place_is_used_when_nobody_listens_at_the_first(
        self, serve: Callable[[Answers], None], tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        serve(good(tmp_path))
        monkeypatch.delenv("DOCKER_HOST")
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(place))
        (place / "engine.sock").rename(place / "docker.sock")
        dead = _only(ENGINES[Scheme.DOCKER], "/nowhere/d.sock", first=True)
        monkeypatch.setattr(module, "ENGINES", {Scheme.DOCKER: dead})
        assert len(read().layers) == 2

    def test_file_at_the_sockets_place_is_told(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (place / "file").touch()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{place}/file")
        assert "not a socket" in str(refused(SourceError, "engine-unreachable"))

    def test_path_too_long_for_a_socket_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DOCKER_HOST", f"unix:///{'x' * 200}")
        assert "too long" in str(refused(SourceError, "engine-unreachable"))

    def test_socket_of_somebody_else_says_whom_to_be(
        self, serve: Callable[[Answers], None], tmp_path: Path, place: Path
    ) -> None:
        serve(good(tmp_path))
        place.chmod(0o711)
        (place / "engine.sock").chmod(0)
        me = os.geteuid()
        if me == 0:
            os.seteuid(65534)
        try:
            error = refused(SourceError, "engine-refused")
        finally:
            os.seteuid(me)
        assert "join its group" in str(error)


def _only(engine: module.Engine, other: str, *, first: bool = False) -> module.Engine:
    """`engine` at the place under the runtime directory and at `other`."""
    from dataclasses import replace

    mine = next(path for path in engine.sockets if path.startswith("{runtime}"))
    return replace(engine, sockets=(other, mine) if first else (mine, other))


@pytest.mark.parametrize(
    "name", ["../images", "a/../b", "/etc/x", "a b", "a?names=b", "a#b", "a\nb", "-x", "a//b", "a%2e", "ä"]
)
def test_name_that_could_be_another_request_is_refused(name: str) -> None:
    reference = parse_reference(f"docker:{name}")
    with pytest.raises(UsageError) as caught:
        EngineImage(reference)
    assert caught.value.code == "reference-invalid"


@pytest.mark.parametrize(
    "name", ["a", "A1b2", "host:5000/a/b_c:t.1", f"sha256:{'a' * 64}", f"x/y@sha256:{'0' * 64}", "a__b/c--d"]
)
def test_name_as_engines_write_it_is_asked_for_as_it_is(name: str) -> None:
    assert EngineImage(parse_reference(f"podman:{name}"))._name == name
