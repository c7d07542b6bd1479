"""Writing to a registry: in one piece, once, to where it may be sent, with a login that goes nowhere else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from compliance.errors import ComplianceError, SourceError
from compliance.ingest import transport
from compliance.ingest.registry_options import RegistryOptions
from compliance.ingest.registry_writer import RegistryWriter, open_writer
from tests.builders.layout import digest, simple_image
from tests.builders.registry_server import login
from tests.builders.scripted_registry import Asked, Reply, ScriptedRegistry, scripted

BLOB = b"a bundle"
MANIFEST = b'{"schemaVersion":2,"subject":{}}'
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
SUBJECT = f"sha256:{'a' * 64}"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(transport, "PAUSES", (0.0, 0.0, 0.0))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simple_image(tmp_path_factory.mktemp("layout") / "image", ({"app": "x"},))


@pytest.fixture
def registry(layout: Path) -> Iterator[ScriptedRegistry]:
    with scripted(layout) as running:
        running.rules.append(accepting)
        yield running


@pytest.fixture
def writer(registry: ScriptedRegistry) -> Iterator[RegistryWriter]:
    opened = open_writer(f"{registry.host}/image", RegistryOptions())
    yield opened
    opened.close()


def accepting(asked: Asked) -> Reply | None:
    """A registry that takes everything."""
    if asked.method == "POST":
        return Reply(status=202, headers={"Location": "/v2/image/blobs/uploads/1?state=x"})
    return Reply(status=201) if asked.method == "PUT" else None


def requests(registry: ScriptedRegistry) -> list[str]:
    return [f"{asked.method} {asked.path}" for asked in registry.asked]


def test_a_blob_goes_up_in_one_piece_with_its_digest(registry: ScriptedRegistry, writer: RegistryWriter) -> None:
    writer.put_blob(BLOB)
    assert requests(registry) == [
        f"HEAD /v2/image/blobs/{digest(BLOB)}",
        "POST /v2/image/blobs/uploads/",
        f"PUT /v2/image/blobs/uploads/1?state=x&digest={digest(BLOB)}",
    ]
    sent = registry.asked[-1]
    assert sent.body == BLOB
    assert sent.headers["content-length"] == str(len(BLOB))
    assert sent.headers["content-type"] == "application/octet-stream"
    assert "transfer-encoding" not in sent.headers


def test_a_blob_that_is_there_is_not_sent(registry: ScriptedRegistry, writer: RegistryWriter, layout: Path) -> None:
    there = next((layout / "blobs" / "sha256").iterdir())
    writer.put_blob(there.read_bytes())
    assert requests(registry) == [f"HEAD /v2/image/blobs/sha256:{there.name}"]


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("part", ["uploads/", "uploads/1", "manifests"])
def test_what_may_pass_is_tried_again(
    registry: ScriptedRegistry, writer: RegistryWriter, part: str, status: int
) -> None:
    registry.times(2, part, Reply(status=status))
    registry.rules.reverse()
    writer.put_blob(BLOB)
    writer.put_manifest(MANIFEST, OCI_MANIFEST, "tag")
    assert registry.asked[-1].body == MANIFEST
    assert registry.asked[-1].path == "/v2/image/manifests/tag"


def test_a_manifest_goes_under_its_tag_or_its_digest(registry: ScriptedRegistry, writer: RegistryWriter) -> None:
    writer.put_manifest(MANIFEST, OCI_MANIFEST, "tag")
    writer.put_manifest(MANIFEST, OCI_MANIFEST)
    assert requests(registry) == ["PUT /v2/image/manifests/tag", f"PUT /v2/image/manifests/{digest(MANIFEST)}"]
    assert all(asked.headers["content-type"] == OCI_MANIFEST for asked in registry.asked)


@pytest.mark.parametrize("told", [SUBJECT, f"sha256:{'b' * 64}", None])
def test_the_registry_says_whether_it_lists_referrers(
    registry: ScriptedRegistry, writer: RegistryWriter, told: str | None
) -> None:
    headers = {"OCI-Subject": told} if told else {}
    registry.rules.insert(0, lambda asked: Reply(status=201, headers=headers) if asked.method == "PUT" else None)
    assert writer.put_referrer(MANIFEST, SUBJECT) is (told == SUBJECT)


def test_a_registry_that_lists_without_saying_so_is_believed(
    registry: ScriptedRegistry, writer: RegistryWriter
) -> None:
    entry = {"mediaType": OCI_MANIFEST, "digest": digest(MANIFEST), "size": len(MANIFEST)}
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [entry]}
    listed = Reply(headers={"Content-Type": str(index["mediaType"])}, body=json.dumps(index).encode())
    registry.rules.insert(0, lambda asked: listed if "/referrers/" in asked.path else None)
    assert writer.put_referrer(MANIFEST, SUBJECT)


@pytest.mark.parametrize(
    "location", ["", "ftp://127.0.0.1/x", "http://registry.example/upload", "http://[::1", "//registry.example/x"]
)
def test_a_blob_is_sent_nowhere_in_the_clear_but_to_this_machine(
    registry: ScriptedRegistry, writer: RegistryWriter, location: str
) -> None:
    headers = {"Location": location} if location else {}
    registry.rules.insert(0, lambda asked: Reply(status=202, headers=headers) if asked.method == "POST" else None)
    with pytest.raises(SourceError) as caught:
        writer.put_blob(BLOB)
    assert caught.value.code == "redirect-refused"
    assert not [asked for asked in registry.asked if asked.method == "PUT"]


def test_the_login_does_not_follow_a_blob_to_another_host(
    registry: ScriptedRegistry, writer: RegistryWriter, layout: Path, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_bytes(login(registry.host))

    def guarded(asked: Asked) -> Reply | None:
        if "authorization" in asked.headers:
            return None
        return Reply(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})

    with scripted(layout) as storage:
        storage.rules.append(accepting)
        place = Reply(status=202, headers={"Location": f"http://{storage.host}/store?key=1"})
        registry.rules[:0] = [guarded, lambda asked: place if asked.method == "POST" else None]
        writer.put_blob(BLOB)
        (sent,) = storage.asked
        assert sent.path == f"/store?key=1&digest={digest(BLOB)}"
        assert sent.body == BLOB
        assert "authorization" not in sent.headers
    assert all("authorization" in asked.headers for asked in registry.asked if asked.method == "POST")


def test_content_is_not_redirected(registry: ScriptedRegistry, writer: RegistryWriter) -> None:
    moved = Reply(status=307, headers={"Location": "/v2/other/manifests/tag"})
    registry.rules.insert(0, lambda asked: moved if asked.method == "PUT" else None)
    with pytest.raises(SourceError) as caught:
        writer.put_manifest(MANIFEST, OCI_MANIFEST, "tag")
    assert caught.value.code == "redirect-refused"


@pytest.mark.parametrize(
    ("status", "code"),
    [(403, "access-denied"), (404, "access-denied"), (405, "registry-failed"), (413, "registry-failed")],
)
def test_a_refusal_is_one_line_with_the_registrys_words(
    registry: ScriptedRegistry, writer: RegistryWriter, status: int, code: str
) -> None:
    said = b'{"errors":[{"code":"DENIED","message":"no\\u001b[31m pushing"}]}'
    registry.rules.insert(0, lambda asked: Reply(status=status, body=said) if asked.method == "PUT" else None)
    with pytest.raises(ComplianceError, match="DENIED") as caught:
        writer.put_manifest(MANIFEST, OCI_MANIFEST, "tag")
    assert caught.value.code == code
    assert "\x1b" not in str(caught.value)


def test_a_missing_tag_is_none_and_a_broken_registry_is_not(registry: ScriptedRegistry, writer: RegistryWriter) -> None:
    assert writer.find("tag") is None
    registry.rules.insert(0, lambda asked: Reply(status=500))
    with pytest.raises(SourceError):
        writer.find("tag")
