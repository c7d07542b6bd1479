"""The same image from real registries on loopback: the same tree, the same attached artifacts, the same refusals."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from compliance.errors import SourceError, UsageError
from compliance.ingest.registry_options import RegistryOptions
from compliance.ingest.source import open_source, parse_reference
from compliance.model.image import AttachmentSource, Image
from compliance.model.reference import Platform
from tests.builders import registry_server as servers
from tests.builders.layout import Layout, simple_image
from tests.builders.registry_push import OCI_INDEX, OCI_MANIFEST, Pusher
from tests.conformance.test_sources import CONFIG, LOWER, UPPER, EverySource, read

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"


@dataclass(kw_only=True)
class Place:
    """A registry, how to push to it, and what a user of it has to set."""

    server: servers.Server
    environment: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    ca_file: Path | None = None
    tokens: servers.TokenServer | None = None

    def pusher(self, name: str) -> Pusher:
        headers = dict(self.headers)
        if self.tokens is not None:
            headers["Authorization"] = f"Bearer {self.tokens.token([f'repository:{name}:pull,push'])}"
        return Pusher(url=self.server.url, name=name, headers=headers, ca_file=self.ca_file)

    def push(self, layout: Path, name: str) -> str:
        """Push an OCI layout; the reference of its ``latest``."""
        self.pusher(name).layout(layout)
        return f"registry:{self.server.host}/{name}:latest"


def with_crane(folder: Path, stack: ExitStack) -> Place:
    return Place(server=stack.enter_context(servers.crane_registry(folder)))


def with_referrers(folder: Path, stack: ExitStack) -> Place:
    return Place(server=stack.enter_context(servers.referrers_registry(folder)))


def with_docker(folder: Path, stack: ExitStack) -> Place:
    return Place(server=stack.enter_context(servers.docker_registry(folder)))


def with_tls_and_login(folder: Path, stack: ExitStack) -> Place:
    authority = servers.authority(folder)
    server = stack.enter_context(servers.docker_registry(folder, tls=authority, htpasswd=True))
    (folder / "config.json").write_bytes(servers.login(server.host))
    return Place(
        server=server,
        headers=dict(servers.basic()),
        ca_file=authority.ca,
        environment={"SSL_CERT_FILE": str(authority.ca), "DOCKER_CONFIG": str(folder)},
    )


def with_tokens(folder: Path, stack: ExitStack) -> Place:
    tokens = servers.TokenServer(folder)
    stack.callback(tokens.close)
    server = stack.enter_context(servers.docker_registry(folder, token=tokens))
    (folder / "config.json").write_bytes(servers.login(server.host))
    return Place(server=server, tokens=tokens, environment={"DOCKER_CONFIG": str(folder)})


PLACES = (with_crane, with_referrers, with_docker, with_tls_and_login, with_tokens)
Starts = Callable[[Path, ExitStack], Place]


@pytest.fixture(scope="module", params=PLACES, ids=lambda start: start.__name__)
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    start: Starts = request.param
    with ExitStack() as stack:
        yield start(tmp_path_factory.mktemp(start.__name__), stack)


def only(*starts: Starts) -> pytest.MarkDecorator:
    """For tests of what some registries alone have."""
    return pytest.mark.parametrize("running", starts, ids=lambda start: start.__name__, indirect=True)


@pytest.fixture
def place(running: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """The registry, with the user's settings for it in the environment and nothing of the machine's."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    return running


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A repository of this test's own."""
    return f"tests/{request.node.originalname.replace('_', '-')}"


def image_of(reference: str) -> Image:
    source = open_source(parse_reference(reference))
    try:
        return source.image(None)
    finally:
        source.close()


class TestEveryRegistry(EverySource):
    @pytest.fixture
    def make(self, place: Place, name: str) -> Callable[[Path], str]:
        return lambda tmp: place.push(simple_image(tmp / "image", (LOWER, UPPER), config=CONFIG), name)

    def test_gives_what_the_layout_gives(self, place: Place, name: str, tmp_path: Path) -> None:
        layout = simple_image(tmp_path / "image", (LOWER, UPPER), config=CONFIG)
        ours, tree = read(place.push(layout, name))
        theirs, expected = read(f"oci-dir:{layout}")
        assert (ours.digest, ours.manifest, ours.layers) == (theirs.digest, theirs.manifest, theirs.layers)
        assert tree.entries == expected.entries
        assert (ours.tag, ours.attached, ours.notices) == ("latest", (), ())

    def test_digest_selects_whatever_the_tag_says_now(self, place: Place, name: str, tmp_path: Path) -> None:
        first = place.push(simple_image(tmp_path / "a", (LOWER,)), name)
        digest = image_of(first).digest
        place.push(simple_image(tmp_path / "b", (UPPER,)), name)
        assert image_of(first).digest != digest
        by_digest = image_of(f"{first.removesuffix(':latest')}@{digest}")
        assert (by_digest.digest, by_digest.tag) == (digest, None)
        assert image_of(f"{first}@{digest}").digest == digest

    def test_what_is_not_there_is_told(self, place: Place, name: str, tmp_path: Path) -> None:
        reference = place.push(simple_image(tmp_path / "a", (LOWER,)), name)
        with pytest.raises(SourceError, match="no such image in the registry") as caught:
            image_of(reference.replace(":latest", ":other"))
        assert caught.value.code == "no-image"
        with pytest.raises(SourceError) as caught:
            image_of(reference.replace(":latest", "@sha256:" + "a" * 64))
        assert caught.value.code == "no-image"


class TestSelection:
    def test_platforms_of_an_index(self, place: Place, name: str, tmp_path: Path) -> None:
        digest = multi_platform(place.pusher(name), tmp_path)
        reference = f"registry:{place.server.host}/{name}:latest"
        image, tree = read(reference)
        assert tree.content("etc/arch") == b"amd64"
        assert image.index_digest == digest
        assert read(reference, Platform.parse("linux/arm64"))[1].content("etc/arch") == b"arm64"
        with pytest.raises(SourceError, match="linux/s390x"):
            read(reference, Platform.parse("linux/s390x"))

    def test_buildkit_attestations_are_attached_and_never_taken_for_an_image(
        self, place: Place, name: str, tmp_path: Path
    ) -> None:
        multi_platform(place.pusher(name), tmp_path, attest=True)
        image = image_of(f"registry:{place.server.host}/{name}:latest")
        assert [(item.source, item.blobs[0].content) for item in image.attached] == [
            (AttachmentSource.INDEX, b'{"about": "amd64"}')
        ]

    def test_artifact_is_refused_with_its_type(self, place: Place, name: str) -> None:
        place.pusher(name).artifact(
            {"text/plain": b"no image"}, artifact_type="application/vnd.example.v1", tag="chart"
        )
        with pytest.raises(SourceError, match=r"no image, but an artifact of type application/vnd\.example\.v1"):
            image_of(f"registry:{place.server.host}/{name}:chart")

    def test_signature_is_refused_with_its_type(self, place: Place, name: str, tmp_path: Path) -> None:
        image = image_of(place.push(simple_image(tmp_path / "a", (LOWER,)), name))
        tag = image.digest.replace(":", "-") + ".sig"
        sign(place.pusher(name), tag)
        with pytest.raises(SourceError, match=r"artifact of type application/vnd\.dev\.cosign\.simplesigning"):
            image_of(f"registry:{place.server.host}/{name}:{tag}")


class TestAttached:
    """One list, whatever the registry can: the API where there is one, else the tag that clients keep for it."""

    def attach(self, place: Place, name: str, tmp_path: Path, count: int = 2) -> Image:
        """Push an image with referrers and cosign tags; the image as it is read."""
        reference = place.push(simple_image(tmp_path / "image", (LOWER,)), name)
        digest = image_of(reference).digest
        pusher = place.pusher(name)
        bundles = [
            pusher.artifact({BUNDLE: b'{"bundle": %d}' % number}, subject=digest, artifact_type=BUNDLE)
            for number in range(count)
        ]
        self.list_under_tag(pusher, digest, bundles)
        for suffix in (".sig", ".att"):
            sign(pusher, digest.replace(":", "-") + suffix)
        return image_of(reference)

    def list_under_tag(self, pusher: Pusher, digest: str, bundles: list[str]) -> None:
        entries = [{"mediaType": OCI_MANIFEST, "digest": item, "size": 1, "artifactType": BUNDLE} for item in bundles]
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
        pusher.manifest(json.dumps(index).encode(), OCI_INDEX, tag=digest.replace(":", "-"))

    def test_referrers_and_cosign_tags_are_found(self, place: Place, name: str, tmp_path: Path) -> None:
        image = self.attach(place, name, tmp_path)
        tag = image.digest.replace(":", "-")
        assert image.notices == ()
        assert Counter((item.source, item.blobs[0].content) for item in image.attached) == {
            (AttachmentSource.REFERRER, b'{"bundle": 0}'): 1,
            (AttachmentSource.REFERRER, b'{"bundle": 1}'): 1,
            (AttachmentSource.TAG, f"signed {tag}.att".encode()): 1,
            (AttachmentSource.TAG, f"signed {tag}.sig".encode()): 1,
        }
        named = {item.name for item in image.attached if item.source is AttachmentSource.TAG}
        assert named == {f"{tag}.sig", f"{tag}.att"}

    def test_what_is_about_another_image_is_not_attached(self, place: Place, name: str, tmp_path: Path) -> None:
        self.attach(place, name, tmp_path)
        other = place.push(simple_image(tmp_path / "other", (UPPER,)), name)
        assert image_of(other).attached == ()


@only(with_tls_and_login, with_tokens)
class TestLogin:
    """What the registries with a login do without one, or with a wrong one."""

    @pytest.fixture(autouse=True)
    def pushed(self, place: Place, name: str, tmp_path: Path) -> None:
        place.push(simple_image(tmp_path / "a", (LOWER,)), name)

    def refused(self, place: Place, name: str) -> SourceError:
        with pytest.raises(SourceError) as caught:
            image_of(f"registry:{place.server.host}/{name}:latest")
        assert caught.value.code == "access-denied"
        assert f"docker login {place.server.host}" in str(caught.value)
        return caught.value

    def test_guest_is_told_to_log_in(
        self, place: Place, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "empty"))
        self.refused(place, name)

    def test_wrong_login_is_refused_and_not_shown(
        self, place: Place, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "config.json").write_bytes(servers.login(place.server.host, word="not-the-word"))
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
        error = self.refused(place, name)
        encoded = base64.b64encode(b"tester:not-the-word").decode()
        assert not any(secret in str(error) for secret in ("not-the-word", encoded))

    @pytest.mark.parametrize("kind", ["credHelpers", "credsStore"])
    def test_helper_program_gives_the_login(
        self, place: Place, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
    ) -> None:
        helper = tmp_path / "docker-credential-for-tests"
        answer = json.dumps({"ServerURL": "", "Username": servers.USER, "Secret": servers.WORD})
        helper.write_text(f"#!/bin/sh\ncat > '{tmp_path}/asked'\n[ \"$1\" = get ] && echo '{answer}'\n")
        helper.chmod(0o755)
        named = {place.server.host: "for-tests"} if kind == "credHelpers" else "for-tests"
        (tmp_path / "config.json").write_text(json.dumps({kind: named}))
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        assert image_of(f"registry:{place.server.host}/{name}:latest").layers
        assert (tmp_path / "asked").read_text() == place.server.host

    def test_podman_login_for_a_part_of_the_registry_is_used(
        self, place: Place, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wrong = json.loads(servers.login(place.server.host, word="not-the-word"))
        right = json.loads(servers.login(f"{place.server.host}/{name}"))
        (tmp_path / "auth.json").write_text(json.dumps({"auths": {**wrong["auths"], **right["auths"]}}))
        monkeypatch.delenv("DOCKER_CONFIG")
        monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "auth.json"))
        assert image_of(f"registry:{place.server.host}/{name}:latest").layers


@only(with_tokens)
def test_token_is_asked_for_pulling_from_this_repository_only(place: Place, name: str, tmp_path: Path) -> None:
    assert place.tokens is not None
    reference = place.push(simple_image(tmp_path / "a", (LOWER,)), name)
    place.tokens.asked.clear()
    read(reference)
    assert place.tokens.asked == [{"service": [place.tokens.service], "scope": [f"repository:{name}:pull"]}]


@only(with_tls_and_login)
class TestTls:
    def test_unknown_authority_is_refused_and_named_authority_is_trusted(
        self, place: Place, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reference = parse_reference(place.push(simple_image(tmp_path / "a", (LOWER,)), name))
        monkeypatch.delenv("SSL_CERT_FILE")
        with pytest.raises(SourceError, match="certificate is not trusted") as caught:
            open_source(reference).image(None)
        assert caught.value.code == "tls-untrusted"
        assert open_source(reference, registry=RegistryOptions(ca_file=place.ca_file)).image(None).layers

    def test_ca_file_that_is_none_is_a_usage_error(self, place: Place, tmp_path: Path) -> None:
        reference = parse_reference(f"registry:{place.server.host}/x")
        (tmp_path / "ca.pem").write_text("no certificate")
        for path in (tmp_path / "ca.pem", tmp_path / "missing.pem"):
            with pytest.raises(UsageError, match="CA file"):
                open_source(reference, registry=RegistryOptions(ca_file=path))


def multi_platform(pusher: Pusher, tmp_path: Path, *, attest: bool = False) -> str:
    """Push an index of two platforms as ``latest``, maybe with buildkit's attestations; its digest."""
    layout = Layout(root=tmp_path / "multi")
    entries: list[dict[str, object]] = [
        layout.add_image(({"etc/arch": architecture},), architecture=architecture, tag=None)
        for architecture in ("arm64", "amd64")
    ]
    pusher.layout(layout.root)
    if attest:
        entries += [
            attestation(pusher, item, architecture)
            for item, architecture in zip(entries, ("arm64", "amd64"), strict=True)
        ]
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
    return pusher.manifest(json.dumps(index).encode(), OCI_INDEX, tag="latest")


def attestation(pusher: Pusher, about: dict[str, object], architecture: str) -> dict[str, object]:
    """Buildkit's attestation manifest: an image by its config's type, for the platform unknown/unknown."""
    config = pusher.blob(b'{"architecture":"unknown","os":"unknown"}', "application/vnd.oci.image.config.v1+json")
    statement = pusher.blob(json.dumps({"about": architecture}).encode(), "application/vnd.in-toto+json")
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [statement]}
    content = json.dumps(document).encode()
    return {
        "mediaType": OCI_MANIFEST,
        "digest": pusher.manifest(content),
        "size": len(content),
        "platform": {"os": "unknown", "architecture": "unknown"},
        "annotations": {
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": about["digest"],
        },
    }


def sign(pusher: Pusher, tag: str) -> None:
    """What cosign pushes under its tags: an image by its config's type, with layers that are none."""
    config = pusher.blob(b'{"architecture":"","os":"","config":{}}', "application/vnd.oci.image.config.v1+json")
    layer = pusher.blob(f"signed {tag}".encode(), SIMPLE_SIGNING)
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [layer]}
    pusher.manifest(json.dumps(document).encode(), tag=tag)
