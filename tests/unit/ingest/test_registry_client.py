"""Registries that are slow, broken or hostile: retried within bounds, or refused; never a wrong answer."""

from __future__ import annotations

import base64
import itertools
import json
import urllib.parse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from compliance.errors import ComplianceError, FormatError, IntegrityError, LimitError, SourceError
from compliance.formats.examine import Examiner
from compliance.ingest import referrers, registry_client, transport
from compliance.ingest.limits import DEFAULT_LIMITS
from compliance.ingest.read import Reading, read_tree
from compliance.ingest.registry import RegistryImage
from compliance.ingest.registry_client import Repository
from compliance.ingest.registry_name import parse_name
from compliance.ingest.registry_options import RegistryOptions
from compliance.model.image import AttachmentSource, Image
from tests.builders.layout import Layout, digest, layer_tar
from tests.builders.scripted_registry import Asked, Reply, ScriptedRegistry, scripted

NOISE = bytes(range(256)) * 4096 * 3
"""Three MiB that stay so: the layer is stored without compression."""


@pytest.fixture(autouse=True)
def clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that would have been made."""
    pauses: list[float] = []
    monkeypatch.setattr(transport, "sleep", pauses.append)
    return pauses


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(root=tmp_path / "image")
    made.add_image(({"data": NOISE},), compression="")
    return made


@pytest.fixture
def registry(layout: Layout) -> Iterator[ScriptedRegistry]:
    with scripted(layout.root) as running:
        yield running


def image_at(host: str, options: RegistryOptions | None = None, name: str = "x") -> RegistryImage:
    return RegistryImage(parse_name(f"{host}/{name}"), options or RegistryOptions())


def read(source: RegistryImage, size: int = 2**18) -> bytes:
    """The bytes of the only layer, in pieces."""
    try:
        (layer,) = source.image(None).layers
        with source.open_layer(layer) as stream:
            return b"".join(iter(lambda: stream.read(size), b""))
    finally:
        source.close()


def image_of(registry: ScriptedRegistry, options: RegistryOptions | None = None) -> Image:
    source = image_at(registry.host, options)
    try:
        return source.image(None)
    finally:
        source.close()


LAYER = layer_tar({"data": NOISE})


def layer_path() -> str:
    return f"/blobs/{digest(LAYER)}"


class TestBlobs:
    def test_honest_registry_gives_the_layer(self, registry: ScriptedRegistry, slept: list[float]) -> None:
        assert read(image_at(registry.host)) == LAYER
        assert slept == []

    @pytest.mark.parametrize("at", [0, 1, 1000, 2**20, len(LAYER) - 1])
    def test_dead_connection_is_resumed_where_it_ended(
        self, registry: ScriptedRegistry, at: int, slept: list[float]
    ) -> None:
        registry.times(1, layer_path(), Reply(body=LAYER[:at], declared=len(LAYER)))
        assert read(image_at(registry.host)) == LAYER
        first, second = registry.asked_for(layer_path())
        assert "range" not in first.headers
        assert second.headers.get("range") == (f"bytes={at}-" if at else None)
        assert slept == [0.5]

    def test_each_stretch_of_a_large_blob_has_its_own_tries(
        self, registry: ScriptedRegistry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(registry_client, "PROGRESS_MIN", 2**17)

        def dies_often(asked: Asked) -> Reply | None:
            if layer_path() not in asked.path:
                return None
            honest = registry.honest(asked)
            assert isinstance(honest.body, bytes)
            return Reply(
                status=honest.status, headers=honest.headers, body=honest.body[: 2**18], declared=len(honest.body)
            )

        registry.rules.append(dies_often)
        assert read(image_at(registry.host)) == LAYER
        assert len(registry.asked_for(layer_path())) == -(-len(LAYER) // 2**18)

    def test_blob_that_never_goes_on_is_given_up(self, registry: ScriptedRegistry, slept: list[float]) -> None:
        registry.times(1, layer_path(), Reply(body=LAYER[:1000], declared=len(LAYER)))
        empty = Reply(
            status=206,
            headers={"Content-Range": f"bytes 1000-{len(LAYER) - 1}/{len(LAYER)}"},
            declared=len(LAYER) - 1000,
        )
        registry.times(99, layer_path(), empty)
        with pytest.raises(SourceError, match="can't be reached"):
            read(image_at(registry.host))
        assert slept == [0.5, 2.0, 5.0]
        assert len(registry.asked_for(layer_path())) == 4

    def test_server_without_ranges_sends_the_whole_again(self, registry: ScriptedRegistry) -> None:
        registry.times(1, layer_path(), Reply(body=LAYER[:70_000], declared=len(LAYER)))
        registry.times(1, layer_path(), Reply(body=LAYER))
        assert read(image_at(registry.host)) == LAYER

    def test_other_part_than_asked_for_is_refused(self, registry: ScriptedRegistry) -> None:
        registry.times(1, layer_path(), Reply(body=LAYER[:1000], declared=len(LAYER)))
        told = {"Content-Range": f"bytes 0-{len(LAYER) - 1}/{len(LAYER)}"}
        registry.times(1, layer_path(), Reply(status=206, headers=told, body=LAYER))
        with pytest.raises(SourceError, match="another part"):
            read(image_at(registry.host))

    @pytest.mark.parametrize("cut", [None, 100_000], ids=["in one piece", "resumed"])
    def test_wrong_bytes_are_no_layer(self, registry: ScriptedRegistry, cut: int | None) -> None:
        """The digest goes on over all connections: what the second one brings is compared with the rest."""
        wrong = LAYER[:200_000] + b"!" + LAYER[200_001:]
        if cut is not None:
            registry.times(1, layer_path(), Reply(body=LAYER[:cut], declared=len(LAYER)))
            told = {"Content-Range": f"bytes {cut}-{len(LAYER) - 1}/{len(LAYER)}"}
            registry.times(1, layer_path(), Reply(status=206, headers=told, body=wrong[cut:]))
        registry.times(1, layer_path(), Reply(body=wrong))
        source = image_at(registry.host)
        with pytest.raises(IntegrityError, match="does not hash to its digest") as caught:
            read_tree(source, source.image(None), Reading(requests=(), examiner=Examiner(())))
        source.close()
        assert caught.value.code == "digest-mismatch"

    @pytest.mark.parametrize("resumed", [False, True])
    @pytest.mark.parametrize("found", [LAYER[:-1], LAYER + b"x", b""], ids=["shorter", "longer", "empty"])
    def test_blob_of_another_length_is_refused(self, registry: ScriptedRegistry, found: bytes, resumed: bool) -> None:
        if resumed:
            registry.times(1, layer_path(), Reply(body=LAYER[:1000], declared=len(LAYER)))
        registry.times(1, layer_path(), Reply(body=found))
        with pytest.raises(IntegrityError, match="its descriptor says") as caught:
            read(image_at(registry.host))
        assert caught.value.code == "digest-mismatch"

    def test_blob_that_is_longer_than_it_says_is_refused(self, registry: ScriptedRegistry) -> None:
        registry.times(1, layer_path(), Reply(body=[LAYER, b"more"]))
        with pytest.raises(IntegrityError, match=f"more than {len(LAYER)} bytes"):
            read(image_at(registry.host))

    def test_missing_blob_is_named(self, registry: ScriptedRegistry, slept: list[float]) -> None:
        registry.times(1, layer_path(), Reply(status=404))
        with pytest.raises(SourceError, match="missing") as caught:
            read(image_at(registry.host))
        assert caught.value.code == "blob-missing"
        assert digest(LAYER) in str(caught.value)
        assert slept == []

    def test_reader_that_stops_early_leaves_nothing_open(self, registry: ScriptedRegistry) -> None:
        source = image_at(registry.host)
        (layer,) = source.image(None).layers
        with source.open_layer(layer) as stream:
            assert stream.read(10) == LAYER[:10]
        source.close()

    def test_connection_is_used_again(self, registry: ScriptedRegistry) -> None:
        assert read(image_at(registry.host)) == LAYER
        assert len(registry.asked) > 3
        assert len({asked.port for asked in registry.asked}) == 1


class TestManifests:
    def test_wrong_bytes_under_a_digest_are_refused(self, registry: ScriptedRegistry) -> None:
        image = image_of(registry)
        registry.times(1, "/manifests/sha256:", Reply(body=image.manifest + b" "))
        source = RegistryImage(parse_name(f"{registry.host}/x@{image.digest}"), RegistryOptions())
        with pytest.raises(IntegrityError, match="does not hash to its digest"):
            source.image(None)
        source.close()

    def test_tag_is_compared_with_what_the_registry_says(self, registry: ScriptedRegistry) -> None:
        content = image_of(registry).manifest
        told = {"Docker-Content-Digest": digest(b"something else"), "Content-Type": "application/json"}
        registry.times(1, "/manifests/latest", Reply(headers=told, body=content))
        with pytest.raises(IntegrityError, match="does not hash to its digest"):
            image_of(registry)

    def test_registry_need_not_say_a_digest(self, registry: ScriptedRegistry) -> None:
        image = image_of(registry)
        registry.times(1, "/manifests/latest", Reply(body=image.manifest))
        assert image_of(registry).digest == digest(image.manifest) == image.digest

    def test_digest_that_is_none_is_refused(self, registry: ScriptedRegistry) -> None:
        told = {"Docker-Content-Digest": "sha256:../../x"}
        registry.times(1, "/manifests/latest", Reply(headers=told, body=image_of(registry).manifest))
        with pytest.raises(FormatError, match="digest that is none"):
            image_of(registry)

    def test_wrong_config_is_refused(self, registry: ScriptedRegistry) -> None:
        registry.times(1, "/blobs/", Reply(body=b"{}"))
        with pytest.raises(IntegrityError):
            image_of(registry)

    def test_endless_manifest_is_cut_off(self, registry: ScriptedRegistry) -> None:
        registry.times(1, "/manifests/latest", Reply(body=itertools.repeat(b" " * 2**16)))
        with pytest.raises(LimitError, match="more than 4194304 bytes"):
            image_of(registry)

    @pytest.mark.parametrize(
        "reply",
        [
            Reply(body=b"<html>"),
            Reply(body=b"[" * 100_000),
            Reply(body=b"\xff\xfe"),
            Reply(body=b"{}"),
            Reply(body=b'{"schemaVersion":1,"fsLayers":[],"signatures":[]}'),
            Reply(status=204),
            Reply(status=302),
            Reply(status=500, body=b'{"errors":[{"code":1}]}'),
            Reply(status=503, body=b'{"errors":{}}', headers={"Retry-After": "soon"}),
            Reply(raw=[b"garbage\r\n\r\n"]),
            Reply(raw=[b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"]),
            Reply(raw=[b"HTTP/1.1 200 OK\r\nContent-Length: 3, 4\r\n\r\nabcd"]),
            Reply(raw=[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"]),
            Reply(raw=[b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n"]),
            Reply(raw=[b"HTTP/1.1 200 OK\r\nX: " + b"y" * 2**17]),
            Reply(raw=[]),
            Reply(status=418, body=b'{"errors":[{"code":"TEA","message":"\x1b[31mred"}]}'),
        ],
    )
    def test_whatever_comes_is_one_clear_error(self, registry: ScriptedRegistry, reply: Reply) -> None:
        registry.times(99, "/manifests/latest", reply)
        with pytest.raises(ComplianceError) as caught:
            image_of(registry)
        assert str(caught.value).isprintable()

    def test_error_of_the_registry_is_quoted(self, registry: ScriptedRegistry) -> None:
        body = json.dumps({"errors": [{"code": "DENIED", "message": "not for you\n\x1b[31m"}]}).encode()
        registry.times(1, "/manifests/latest", Reply(status=403, body=body))
        with pytest.raises(SourceError, match=r"refuses access \(403\) \(DENIED: not for you") as caught:
            image_of(registry)
        assert caught.value.code == "access-denied"

    def test_more_requests_than_any_image_needs_are_not_made(
        self, registry: ScriptedRegistry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(registry_client, "REQUESTS_MAX", 1)
        with pytest.raises(LimitError):
            image_of(registry)

    def test_index_of_many_platforms_costs_one_manifest(self, registry: ScriptedRegistry, layout: Layout) -> None:
        architectures = ("arm64", "s390x", "ppc64le", "riscv64", "amd64")
        entries = [
            layout.add_image(({"etc/arch": item},), architecture=item, tag=None, listed=False) for item in architectures
        ]
        media_type = "application/vnd.oci.image.index.v1+json"
        index = json.dumps({"schemaVersion": 2, "mediaType": media_type, "manifests": entries}).encode()
        registry.times(1, "/manifests/latest", Reply(body=index, headers={"Content-Type": media_type}))
        image = image_of(registry)
        assert (image.digest, image.index_digest) == (entries[-1]["digest"], digest(index))
        fetched = [asked.path.rpartition("/")[2] for asked in registry.asked_for("/manifests/sha256:")]
        assert fetched == [image.digest]

    def test_claimed_base_is_looked_up_in_the_same_repository_only(
        self, registry: ScriptedRegistry, layout: Layout
    ) -> None:
        base = layout.manifests[0]["digest"]
        built = layout.add_image(
            ({"data": NOISE},),
            tag=None,
            listed=False,
            manifest_extra={
                "annotations": {
                    "org.opencontainers.image.base.digest": base,
                    "org.opencontainers.image.base.name": "elsewhere.example/x:latest",
                }
            },
        )
        source = RegistryImage(parse_name(f"{registry.host}/x@{built['digest']}"), RegistryOptions())
        image = source.image(None)
        source.close()
        assert image.base is not None
        assert image.base.digest == base
        assert all(asked.path.startswith("/v2/x/") for asked in registry.asked)


class TestPauses:
    @pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
    def test_what_may_pass_is_tried_again(self, registry: ScriptedRegistry, status: int, slept: list[float]) -> None:
        registry.times(2, "/manifests/latest", Reply(status=status))
        assert image_of(registry).layers
        assert slept == [0.5, 2.0]

    @pytest.mark.parametrize("status", [400, 403, 404, 410, 501])
    def test_what_will_not_pass_is_not(self, registry: ScriptedRegistry, status: int, slept: list[float]) -> None:
        registry.times(1, "/manifests/latest", Reply(status=status))
        with pytest.raises(SourceError):
            image_of(registry)
        assert slept == []

    @pytest.mark.parametrize(
        ("headers", "pause"),
        [
            ({"Retry-After": "7"}, 7.0),
            ({"Retry-After": "0"}, 0.0),
            ({"Retry-After": "Wed, 21 Oct 2026 07:28:11 GMT", "Date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 11.0),
            ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT", "Date": "Wed, 21 Oct 2026 07:28:11 GMT"}, 0.0),
            ({"Retry-After": "Wed, 21 Oct 2026 07:28:11 GMT"}, 0.5),
            ({"Retry-After": "soon"}, 0.5),
            ({"Retry-After": "-1"}, 0.5),
            ({}, 0.5),
        ],
    )
    def test_registry_says_how_long(
        self, registry: ScriptedRegistry, headers: dict[str, str], pause: float, slept: list[float]
    ) -> None:
        registry.times(1, "/manifests/latest", Reply(status=429, headers=headers))
        assert image_of(registry).layers
        assert slept == [pause]

    @pytest.mark.parametrize("seconds", ["31", "21600"])
    def test_rate_limit_that_is_too_long_says_so(
        self, registry: ScriptedRegistry, seconds: str, slept: list[float]
    ) -> None:
        body = b'{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}'
        registry.times(1, "/manifests/latest", Reply(status=429, headers={"Retry-After": seconds}, body=body))
        with pytest.raises(SourceError, match="rate limit") as caught:
            image_of(registry)
        assert caught.value.code == "rate-limited"
        assert f"asks to wait {seconds} s (TOOMANYREQUESTS: slow down)" in str(caught.value)
        assert "log in, or name a mirror" in str(caught.value)
        assert slept == []

    def test_all_pauses_together_are_bounded(
        self, registry: ScriptedRegistry, monkeypatch: pytest.MonkeyPatch, slept: list[float]
    ) -> None:
        monkeypatch.setattr(transport, "PAUSE_TOTAL_MAX", 50.0)
        registry.times(99, "/manifests/latest", Reply(status=503, headers={"Retry-After": "20"}))
        with pytest.raises(SourceError, match="answers 503"):
            image_of(registry)
        assert slept == [20.0, 20.0]

    def test_nobody_listens(self, registry: ScriptedRegistry, slept: list[float]) -> None:
        host = registry.host
        registry.close()
        registry.close = lambda: None  # type: ignore[method-assign]  # the fixture closes too
        source = image_at(host)
        with pytest.raises(SourceError, match="can't be reached: Connection refused") as caught:
            source.image(None)
        assert (caught.value.code, caught.value.where) == ("registry-unreachable", host)
        assert slept == [0.5, 2.0, 5.0]

    def test_name_that_is_not_known(self) -> None:
        source = image_at("no-such-host.invalid")
        with pytest.raises(SourceError, match="can't be reached: its name is not known"):
            source.image(None)


class Trickle:
    """A byte now and then for ever, after `head`; each request gets its own."""

    def __init__(self, registry: ScriptedRegistry, head: bytes = b" ") -> None:
        self._registry = registry
        self._head = head

    def __iter__(self) -> Iterator[bytes]:
        yield self._head
        while not self._registry.stopped.wait(0.05):
            yield b" "


class TestSlowness:
    def test_a_byte_now_and_then_is_not_enough(
        self, registry: ScriptedRegistry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(transport, "PATIENCE_SECONDS", 0.5)
        registry.times(99, "/manifests/latest", Reply(body=Trickle(registry)))
        with pytest.raises(SourceError, match="no answer in time"):
            image_of(registry)

    def test_headers_that_never_end_are_given_up(
        self, registry: ScriptedRegistry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(transport, "PATIENCE_SECONDS", 0.5)
        registry.times(2, "/manifests/latest", Reply(raw=Trickle(registry, b"HTTP/1.1 200 OK\r\nX: ")))
        registry.times(99, "/manifests/latest", Reply(raw=Trickle(registry)))
        with pytest.raises(SourceError, match="no answer in time"):
            image_of(registry)

    def test_silence_is_given_up(self, registry: ScriptedRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(transport, "SILENCE_SECONDS", 0.2)

        def silent(asked: Asked) -> Reply | None:
            registry.stopped.wait(20)
            return None

        registry.rules.append(silent)
        with pytest.raises(SourceError, match="no answer in time"):
            image_of(registry)

    def test_time_between_reads_is_the_readers_own(
        self, registry: ScriptedRegistry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source = image_at(registry.host)
        (layer,) = source.image(None).layers
        with source.open_layer(layer) as stream:
            stream.read(10)
            registry.stopped.wait(0.3)
            monkeypatch.setattr(transport, "PATIENCE_SECONDS", 0.25)
            assert len(stream.read(len(LAYER))) == len(LAYER) - 10
        source.close()


class TestRedirects:
    @pytest.fixture
    def storage(self, layout: Layout) -> Iterator[ScriptedRegistry]:
        with scripted(layout.root) as running:
            yield running

    def asks_for_login(self, registry: ScriptedRegistry, tmp_path: Path) -> str:
        """Demand a basic login that is stored; the header that shows it."""
        encoded = base64.b64encode(b"me:word").decode()
        (tmp_path / ".docker").mkdir()
        (tmp_path / ".docker/config.json").write_text(json.dumps({"auths": {registry.host: {"auth": encoded}}}))
        shown = f"Basic {encoded}"
        challenge = Reply(status=401, headers={"WWW-Authenticate": 'Basic realm="r"'})
        registry.rules.append(lambda asked: None if asked.headers.get("authorization") == shown else challenge)
        return shown

    def sends_to(self, registry: ScriptedRegistry, place: str, part: str = "/blobs/") -> None:
        registry.rules.append(
            lambda asked: (
                Reply(status=307, headers={"Location": place + asked.path}, body=b"moved")
                if part in asked.path
                else None
            )
        )

    def test_storage_elsewhere_is_read_without_the_login(
        self, registry: ScriptedRegistry, storage: ScriptedRegistry, tmp_path: Path
    ) -> None:
        shown = self.asks_for_login(registry, tmp_path)
        self.sends_to(registry, f"http://{storage.host}")
        assert read(image_at(registry.host)) == LAYER
        assert all(asked.headers.get("authorization") == shown for asked in registry.asked_for("/blobs/"))
        assert storage.asked
        assert not any("authorization" in asked.headers for asked in storage.asked)

    def test_resumed_download_is_redirected_again(self, registry: ScriptedRegistry, storage: ScriptedRegistry) -> None:
        self.sends_to(registry, f"http://{storage.host}")
        storage.times(1, layer_path(), Reply(body=LAYER[:5000], declared=len(LAYER)))
        assert read(image_at(registry.host)) == LAYER
        assert [asked.headers.get("range") for asked in storage.asked_for(layer_path())] == [None, "bytes=5000-"]

    def test_storage_that_asks_for_a_login_gets_none(
        self, registry: ScriptedRegistry, storage: ScriptedRegistry, tmp_path: Path
    ) -> None:
        self.asks_for_login(registry, tmp_path)
        self.sends_to(registry, f"http://{storage.host}")
        realm = f'Bearer realm="http://{storage.host}/token"'
        storage.times(99, "/blobs/", Reply(status=401, headers={"WWW-Authenticate": realm}))
        with pytest.raises(SourceError, match="refused where the registry redirects to"):
            read(image_at(registry.host))
        assert not storage.asked_for("/token")
        assert not any("authorization" in asked.headers for asked in storage.asked)

    @pytest.mark.parametrize(
        "location",
        [
            "http://192.0.2.1/x",
            "http://169.254.169.254/latest/meta-data",
            "file:///etc/passwd",
            "ftp://127.0.0.1/x",
            "gopher://127.0.0.1",
            "http://[bad/",
        ],
    )
    def test_other_places_are_not_asked(self, registry: ScriptedRegistry, location: str) -> None:
        registry.times(1, "/blobs/", Reply(status=307, headers={"Location": location}))
        with pytest.raises(SourceError) as caught:
            image_of(registry)
        assert caught.value.code == "redirect-refused"

    def test_circle_ends(self, registry: ScriptedRegistry) -> None:
        self.sends_to(registry, "")
        with pytest.raises(SourceError, match="without end"):
            image_of(registry)
        assert len(registry.asked_for("/blobs/")) == transport.REDIRECTS_MAX + 1

    @pytest.mark.parametrize(
        ("origin", "target", "permitted"),
        [
            ("https://a.example/v2/", "https://b.example/x", True),
            ("https://a.example/v2/", "http://a.example/x", False),
            ("https://a.example/v2/", "https://127.0.0.1/x", False),
            ("https://a.example/v2/", "https://localhost:8443/x", False),
            ("https://a.example/v2/", "https://[::1]/x", False),
            ("https://127.0.0.1:5000/v2/", "https://127.0.0.1:5001/x", True),
            ("https://127.0.0.1:5000/v2/", "http://127.0.0.1:5001/x", False),
            ("http://127.0.0.1:5000/v2/", "http://127.0.0.1:5001/x", True),
            ("http://127.0.0.1:5000/v2/", "https://a.example/x", True),
            ("https://a.example/v2/", "", False),
            ("https://a.example/v2/", "token", False),
        ],
    )
    def test_where_an_answer_may_lead(self, origin: str, target: str, permitted: bool) -> None:
        assert transport.Transport().permits(origin, target) is permitted


class TestTokens:
    def asks_for_token(self, registry: ScriptedRegistry, realm: str | None = None, scope: str | None = None) -> None:
        place = realm if realm is not None else f"http://{registry.host}/token?account=x"
        challenge = f'Bearer realm="{place}",service="s"' + (f',scope="{scope}"' if scope else "")
        refused = Reply(status=401, headers={"WWW-Authenticate": challenge})
        registry.rules.append(
            lambda asked: (
                None if asked.headers.get("authorization") == "Bearer good" or "/token" in asked.path else refused
            )
        )

    def gives(self, registry: ScriptedRegistry, content: bytes, status: int = 200) -> None:
        registry.rules.append(
            lambda asked: Reply(status=status, body=content) if asked.path.startswith("/token") else None
        )

    def query(self, asked: Asked) -> dict[str, list[str]]:
        return urllib.parse.parse_qs(urllib.parse.urlsplit(asked.path).query)

    @pytest.mark.parametrize("key", ["token", "access_token"])
    def test_guest_gets_a_token_once_for_all_requests(self, registry: ScriptedRegistry, key: str) -> None:
        self.asks_for_token(registry)
        self.gives(registry, json.dumps({key: "good", "expires_in": 60}).encode())
        assert read(image_at(registry.host)) == LAYER
        (asked,) = registry.asked_for("/token")
        assert self.query(asked) == {"account": ["x"], "service": ["s"], "scope": ["repository:x:pull"]}
        assert "authorization" not in asked.headers

    @pytest.mark.parametrize(
        ("told", "sent"),
        [
            ("repository:y/x:pull", "repository:y/x:pull"),
            ("repository:x:pull,push", "repository:x:pull"),
            ("registry:catalog:*", "repository:x:pull"),
            ("repository:x:pull repository:x:delete", "repository:x:pull"),
        ],
    )
    def test_token_is_for_pulling_only(self, registry: ScriptedRegistry, told: str, sent: str) -> None:
        self.asks_for_token(registry, scope=told)
        self.gives(registry, b'{"token": "good"}')
        image_of(registry)
        assert self.query(registry.asked_for("/token")[0])["scope"] == [sent]

    @pytest.mark.parametrize(
        "content",
        [
            b"<html>",
            b"[]",
            b"{}",
            b'{"token": 5}',
            b'{"token": ""}',
            b'{"token": "two\\r\\nX-Header: lines"}',
            b'{"token": "\\u20ac"}',
            b"[" * 60_000,
            b"\xff",
        ],
    )
    def test_garbage_is_no_token(self, registry: ScriptedRegistry, content: bytes) -> None:
        self.asks_for_token(registry)
        self.gives(registry, content)
        with pytest.raises(SourceError, match="something that is no token") as caught:
            image_of(registry)
        assert caught.value.code == "auth-failed"

    def test_endless_token_is_cut_off(self, registry: ScriptedRegistry) -> None:
        self.asks_for_token(registry)
        registry.rules.append(
            lambda asked: Reply(body=itertools.repeat(b" " * 2**14)) if "/token" in asked.path else None
        )
        with pytest.raises(LimitError):
            image_of(registry)

    def test_token_that_is_refused_is_asked_for_once(self, registry: ScriptedRegistry) -> None:
        self.asks_for_token(registry)
        self.gives(registry, b'{"token": "bad"}')
        with pytest.raises(SourceError, match=r"refuses access \(401\)"):
            image_of(registry)
        assert len(registry.asked_for("/token")) == 1

    def test_token_that_expires_is_renewed(self, registry: ScriptedRegistry) -> None:
        self.gives(registry, b'{"token": "good"}')
        challenge = f'Bearer realm="http://{registry.host}/token",service="s"'
        registry.times(1, layer_path(), Reply(status=401, headers={"WWW-Authenticate": challenge}))
        assert read(image_at(registry.host)) == LAYER
        assert registry.asked_for(layer_path())[1].headers["authorization"] == "Bearer good"

    @pytest.mark.parametrize(
        "realm", ["", "token", "http://192.0.2.1/token", "file:///etc/passwd", "http://[bad", "//x", "http://a b/"]
    )
    def test_token_server_must_be_as_safe_as_the_registry(self, registry: ScriptedRegistry, realm: str) -> None:
        self.asks_for_token(registry, realm=realm)
        with pytest.raises(SourceError) as caught:
            image_of(registry)
        assert caught.value.code in ("auth-failed", "access-denied", "registry-unreachable")

    def test_identity_token_is_posted_and_follows_no_redirect(
        self, registry: ScriptedRegistry, layout: Layout, tmp_path: Path
    ) -> None:
        (tmp_path / ".docker").mkdir()
        entry = {"identitytoken": "refresh-me"}
        (tmp_path / ".docker/config.json").write_text(json.dumps({"auths": {registry.host: entry}}))
        self.asks_for_token(registry)
        self.gives(registry, b'{"access_token": "good"}')
        image_of(registry)
        (asked,) = registry.asked_for("/token")
        form = urllib.parse.parse_qs(asked.body.decode())
        assert asked.method == "POST"
        assert form["refresh_token"] == ["refresh-me"]
        assert form["scope"] == ["repository:x:pull"]
        with scripted(layout.root) as other:
            location = {"Location": f"http://{other.host}/token"}
            registry.rules.insert(
                0, lambda asked: Reply(status=307, headers=location) if "/token" in asked.path else None
            )
            with pytest.raises(SourceError) as caught:
                image_of(registry)
            assert caught.value.code == "redirect-refused"
            assert not other.asked

    def test_unknown_kind_of_login_is_told(self, registry: ScriptedRegistry) -> None:
        registry.times(1, "/manifests/latest", Reply(status=401, headers={"WWW-Authenticate": "Negotiate"}))
        with pytest.raises(SourceError, match="login of a kind that is not known"):
            image_of(registry)


class TestPlainHttp:
    @pytest.mark.parametrize(
        ("host", "loopback"),
        [
            ("127.0.0.1:5000", True),
            ("127.9.9.9", True),
            ("localhost", True),
            ("[::1]:5000", True),
            ("127.0.0.1.example:5000", False),
            ("localhost.example", False),
            ("192.0.2.1", False),
            ("0.0.0.0", True),  # noqa: S104 - an address that is asked, not one that is listened on
            ("2130706433", False),
        ],
    )
    def test_only_this_machine_is_loopback(self, host: str, loopback: bool) -> None:
        assert transport.is_loopback(host) is loopback

    @pytest.mark.parametrize("host", ["registry.example", "192.0.2.1:5000", "docker.io"])
    def test_only_on_demand_others_are_asked_without_tls(self, host: str) -> None:
        shown = "registry-1.docker.io" if host == "docker.io" else host
        assert Repository(transport.Transport(), host, "a/b").url == f"https://{shown}/v2/a/b"
        assert Repository(transport.Transport(plain_http=True), host, "a/b").url == f"http://{shown}/v2/a/b"

    def test_on_demand_loopback_is_not_asked_for_tls(self, registry: ScriptedRegistry) -> None:
        assert image_of(registry, RegistryOptions(plain_http=True)).layers


class TestProxies:
    def test_others_are_asked_through_the_proxy_and_this_machine_is_not(
        self, registry: ScriptedRegistry, layout: Layout, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with scripted(layout.root) as proxy:
            monkeypatch.setenv("http_proxy", f"http://me:word@{proxy.host}")
            assert read(image_at(registry.host)) == LAYER
            assert not proxy.asked
            assert read(image_at("registry.test", RegistryOptions(plain_http=True))) == LAYER
            assert proxy.asked[0].path == "http://registry.test/v2/x/manifests/latest"
            login = base64.b64encode(b"me:word").decode()
            assert proxy.asked[0].headers["proxy-authorization"] == f"Basic {login}"
            monkeypatch.setenv("no_proxy", "registry.test")
            proxy.asked.clear()
            with pytest.raises(SourceError, match="name is not known"):
                image_at("registry.test", RegistryOptions(plain_http=True)).image(None)
            assert not proxy.asked


class TestReferrers:
    """Pages, loops and lies of the referrers API; what real registries do is in the conformance tests."""

    def index(self, *digests: str) -> bytes:
        entries = [
            {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": item, "size": 1} for item in digests
        ]
        media_type = "application/vnd.oci.image.index.v1+json"
        return json.dumps({"schemaVersion": 2, "mediaType": media_type, "manifests": entries}).encode()

    def referrer(self, layout: Layout, subject: str, word: str) -> str:
        name, size = layout.blob(word.encode())
        config, config_size = layout.blob(b"{}")
        document = {
            "schemaVersion": 2,
            "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": config, "size": config_size},
            "layers": [{"mediaType": "text/plain", "digest": name, "size": size}],
            "subject": {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": subject, "size": 1},
        }
        return layout.blob(json.dumps(document).encode())[0]

    def words(self, image: Image) -> list[bytes]:
        assert all(item.source is AttachmentSource.REFERRER for item in image.attached)
        return sorted(item.blobs[0].content for item in image.attached)

    def test_pages_are_followed(self, registry: ScriptedRegistry, layout: Layout) -> None:
        subject = image_of(registry).digest
        found = [self.referrer(layout, subject, word) for word in ("one", "two", "three")]

        def pages(asked: Asked) -> Reply | None:
            if "/referrers/" not in asked.path:
                return None
            page = int(urllib.parse.parse_qs(urllib.parse.urlsplit(asked.path).query).get("page", ["0"])[0])
            link = {"Link": f'</v2/x/referrers/{subject}?page={page + 1}>; rel="next"'} if page < 2 else {}
            return Reply(headers=link, body=self.index(found[page]))

        registry.rules.append(pages)
        image = image_of(registry)
        assert self.words(image) == [b"one", b"three", b"two"]
        assert image.notices == ()

    def test_pages_without_end_are_left(self, registry: ScriptedRegistry, layout: Layout) -> None:
        subject = image_of(registry).digest
        page = self.index(*[self.referrer(layout, subject, str(number)) for number in range(4)])
        link = {"Link": f"</v2/x/referrers/{subject}?again>; rel=next"}
        registry.rules.append(lambda asked: Reply(headers=link, body=page) if "/referrers/" in asked.path else None)
        registry.asked.clear()
        limits = replace(DEFAULT_LIMITS, attached_artifacts=10)
        source = RegistryImage(parse_name(f"{registry.host}/x"), RegistryOptions(), limits)
        image = source.image(None)
        source.close()
        assert len(registry.asked_for("/referrers/")) == 3
        assert len(image.attached) == 4
        assert any("more than 10 referrers" in notice for notice in image.notices)

    @pytest.mark.parametrize("link", ["http://192.0.2.1/v2/x/referrers/y", "/v2/other/referrers/z", "http://[bad"])
    def test_list_that_goes_on_elsewhere_is_a_notice(self, registry: ScriptedRegistry, link: str) -> None:
        headers = {"Link": f'<{link}>; rel="next"'}
        registry.rules.append(
            lambda asked: Reply(headers=headers, body=self.index()) if "/referrers/" in asked.path else None
        )
        (notice,) = image_of(registry).notices
        assert "not wholly known" in notice

    def test_referrer_of_something_else_is_not_believed(self, registry: ScriptedRegistry, layout: Layout) -> None:
        liar = self.referrer(layout, "sha256:" + "b" * 64, "not about this")
        registry.rules.append(lambda asked: Reply(body=self.index(liar)) if "/referrers/" in asked.path else None)
        assert image_of(registry).attached == ()

    def test_failing_list_is_a_notice_and_the_image_is_read(self, registry: ScriptedRegistry) -> None:
        registry.times(99, "/referrers/", Reply(status=500))
        image = image_of(registry)
        assert image.layers
        assert "what is attached to" in image.notices[0]
        assert "answers 500" in image.notices[0]

    def test_list_that_fails_for_now_is_an_error_to_who_comes_again(self, registry: ScriptedRegistry) -> None:
        registry.times(99, "/referrers/", Reply(status=503))
        with pytest.raises(transport.TransientError):
            image_of(registry, RegistryOptions(whole=True))

    def test_list_that_is_refused_for_good_is_a_notice_to_who_comes_again_too(self, registry: ScriptedRegistry) -> None:
        registry.times(99, "/referrers/", Reply(status=403))
        (notice,) = image_of(registry, RegistryOptions(whole=True)).notices
        assert "not wholly known" in notice

    @pytest.mark.parametrize(
        "reply", [Reply(status=status) for status in (400, 404, 405, 406)] + [Reply(body=b"<html>")]
    )
    def test_registry_without_the_api_has_a_tag_instead(
        self, registry: ScriptedRegistry, layout: Layout, reply: Reply
    ) -> None:
        subject = image_of(registry).digest
        content = self.index(self.referrer(layout, subject, "by tag"))
        registry.times(1, "/referrers/", reply)
        registry.times(1, "/manifests/" + subject.replace(":", "-"), Reply(body=content))
        assert self.words(image_of(registry)) == [b"by tag"]

    def test_all_that_is_attached_is_bounded(
        self, registry: ScriptedRegistry, layout: Layout, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        subject = image_of(registry).digest
        found = [self.referrer(layout, subject, word * 60) for word in ("a", "b", "c")]
        registry.rules.append(lambda asked: Reply(body=self.index(*found)) if "/referrers/" in asked.path else None)
        monkeypatch.setattr(referrers, "ATTACHED_TOTAL_MAX", 130)
        image = image_of(registry)
        assert sum(len(blob.content) for item in image.attached for blob in item.blobs) == 120
        assert [notice for notice in image.notices if "more than 130 bytes are attached" in notice]

    def test_missing_blob_of_a_referrer_is_a_notice(self, registry: ScriptedRegistry, layout: Layout) -> None:
        subject = image_of(registry).digest
        found = self.referrer(layout, subject, "gone")
        (layout.root / "blobs" / digest(b"gone").replace(":", "/")).unlink()
        registry.rules.append(lambda asked: Reply(body=self.index(found)) if "/referrers/" in asked.path else None)
        image = image_of(registry)
        assert image.attached[0].blobs == ()
        assert "missing" in image.notices[0]


class TestMirrors:
    @pytest.fixture
    def mirror(self, layout: Layout) -> Iterator[ScriptedRegistry]:
        with scripted(layout.root) as running:
            yield running

    def through(self, registry: ScriptedRegistry, *mirrors: str) -> RegistryImage:
        return image_at(registry.host, RegistryOptions(mirrors=tuple((registry.host, item) for item in mirrors)))

    def test_mirror_is_asked_first_and_named(self, registry: ScriptedRegistry, mirror: ScriptedRegistry) -> None:
        source = self.through(registry, f"{mirror.host}/prefix")
        image = source.image(None)
        assert image.notices == (f"mirror: latest was looked up at {mirror.host}/prefix/x",)
        assert read(self.through(registry, f"{mirror.host}/prefix")) == LAYER
        assert mirror.asked_for("/v2/prefix/x/manifests/latest")
        assert not registry.asked_for("/manifests/latest")
        assert not registry.asked_for("/blobs/")
        source.close()

    def test_mirror_of_another_registry_is_not_asked(
        self, registry: ScriptedRegistry, mirror: ScriptedRegistry
    ) -> None:
        assert read(image_at(registry.host, RegistryOptions(mirrors=(("docker.io", mirror.host),)))) == LAYER
        assert not mirror.asked

    def test_what_a_mirror_has_not_comes_from_the_registry(
        self, registry: ScriptedRegistry, mirror: ScriptedRegistry
    ) -> None:
        mirror.times(1, layer_path(), Reply(status=404))
        assert read(self.through(registry, mirror.host)) == LAYER
        assert not registry.asked_for("/manifests/latest")
        assert registry.asked_for(layer_path())

    def test_failing_mirror_is_left_and_told(self, registry: ScriptedRegistry, mirror: ScriptedRegistry) -> None:
        mirror.times(99, "", Reply(status=403))
        source = self.through(registry, mirror.host)
        image = source.image(None)
        assert any(f"mirror: {mirror.host}/x is not asked any more" in notice for notice in image.notices)
        assert len(mirror.asked) == 1
        source.close()

    def test_wrong_bytes_of_a_mirror_are_an_error(self, registry: ScriptedRegistry, mirror: ScriptedRegistry) -> None:
        image = image_of(registry)
        mirror.times(1, "/manifests/", Reply(body=image.manifest + b" "))
        options = RegistryOptions(mirrors=((registry.host, mirror.host),))
        source = RegistryImage(parse_name(f"{registry.host}/x@{image.digest}"), options)
        with pytest.raises(IntegrityError):
            source.image(None)
        source.close()
