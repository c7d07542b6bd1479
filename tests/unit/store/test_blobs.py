"""Bytes under their own digest, wherever they lie."""

import hashlib
import shutil
import subprocess
import sys
from itertools import count
from pathlib import Path

import fsspec
import pytest
import zstandard

from compliance.errors import StoreError
from compliance.store import blobs as module
from compliance.store.blobs import Blobs, open_blobs
from tests.builders.fleet_documents import documents

_NUMBERS = count(1)


@pytest.fixture(params=["path", "file", "memory", "through-fsspec"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place by each kind of address; one of them is a folder that fsspec reads and writes."""
    return {
        "path": str(tmp_path / "blobs"),
        "file": f"file://{tmp_path}/blobs",
        "memory": f"memory://blobs-{next(_NUMBERS)}",
        "through-fsspec": f"local://{tmp_path}/blobs",
    }[request.param]


@pytest.fixture
def blobs(url: str) -> Blobs:
    return open_blobs(url)


def refused(code: str, blobs: Blobs, sha256: str) -> StoreError:
    with pytest.raises(StoreError) as caught:
        blobs.get(sha256)
    assert caught.value.code == code
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("content", [b"", b"x", bytes(100_000), hashlib.sha256(b"").digest() * 50_000])
def test_bytes_come_back_under_their_digest(blobs: Blobs, content: bytes) -> None:
    sha256 = blobs.put(content)
    assert sha256 == hashlib.sha256(content).hexdigest()
    assert blobs.get(sha256) == content


def test_the_same_bytes_are_kept_once_and_by_another_process_too(blobs: Blobs, url: str) -> None:
    blobs.put(b"same")
    before = list(blobs.files())
    assert len(before) == 1
    open_blobs(url).put(b"same")
    assert list(open_blobs(url).files()) == before


def test_what_was_never_kept_is_missing(blobs: Blobs) -> None:
    refused("blob-missing", blobs, "00" * 32)


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "00", "ZZ" * 32, "00" * 33])
def test_a_name_that_is_no_digest_is_never_looked_up(blobs: Blobs, name: str) -> None:
    refused("blob-missing", blobs, name)


@pytest.mark.parametrize("url", ["path", "file"], indirect=True)
def test_assessments_of_one_fleet_are_kept_against_an_earlier_one(blobs: Blobs, url: str) -> None:
    kept = [documents(number) for number in range(12)]
    for told, sbom in kept:
        blobs.put(told), blobs.put(sbom)
    stored = sum(size for _, _, size in blobs.files())
    alone = sum(len(zstandard.compress(part, 9)) for both in kept for part in both)
    assert stored < alone / 2
    anew = open_blobs(url)
    for told, sbom in reversed(kept):
        for part in (told, sbom):
            assert anew.get(hashlib.sha256(part).hexdigest()) == part


def _changed(url: str, sha256: str, content: bytes) -> Blobs:
    with fsspec.open(f"{url}/{sha256[:2]}/{sha256}.zst", "wb") as file:
        file.write(content)
    return open_blobs(url)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"plain",
        zstandard.compress(b"another"),
        zstandard.compress(b"right")[:-1],
        bytes.fromhex("5b2a4d1820000000"),
        bytes.fromhex("5b2a4d1820000000") + bytes(32) + zstandard.compress(b"right"),
    ],
)
def test_what_does_not_hash_to_its_name_is_never_given(blobs: Blobs, url: str, content: bytes) -> None:
    sha256 = blobs.put(b"right")
    changed = _changed(url, sha256, content)
    with pytest.raises(StoreError) as caught:
        changed.get(sha256)
    assert caught.value.code in ("digest-mismatch", "blob-missing")


def test_a_torn_or_changed_blob_is_written_again_where_files_can_be_torn(tmp_path: Path) -> None:
    url = f"local://{tmp_path}/blobs"
    sha256 = open_blobs(url).put(b"right" * 1000)
    changed = _changed(url, sha256, b"torn")
    assert changed.put(b"right" * 1000) == sha256
    assert open_blobs(url).get(sha256) == b"right" * 1000


def test_a_bomb_is_inflated_to_its_bound_only(blobs: Blobs, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOB_MAX", 2**20)
    sha256 = blobs.put(b"right")
    bomb = zstandard.ZstdCompressor().compress(bytes(64 * 2**20))
    assert "more than" in str(refused("digest-mismatch", _changed(url, sha256, bomb), sha256))
    with pytest.raises(StoreError, match="in one blob"):
        blobs.put(bytes(2**20 + 1))


def test_a_base_that_has_a_base_is_refused(blobs: Blobs, url: str) -> None:
    first, second = (blobs.put(b"%d" % number * 5000) for number in range(2))
    loop = bytes.fromhex("5b2a4d1820000000") + bytes.fromhex(first) + zstandard.compress(b"x")
    _changed(url, first, loop)
    anew = _changed(url, second, loop)
    refused("digest-mismatch", anew, second)


@pytest.mark.parametrize("url", ["memory", "through-fsspec"], indirect=True)
def test_where_files_may_be_written_over_each_is_kept_alone(blobs: Blobs, url: str) -> None:
    """Two writers at once could else take each other's blob for the base of theirs."""
    kept = [documents(number)[0] for number in range(3)]
    for told in kept:
        blobs.put(told)
    stored = [blobs.place.read(path) or b"" for path, name, _ in blobs.files() if name]
    assert len(stored) == len(kept)
    assert not any(content.startswith(module._BASED) for content in stored)


def test_a_blob_that_another_was_quicker_to_keep_stays_as_it_is(tmp_path: Path) -> None:
    first, second = open_blobs(str(tmp_path / "blobs")), open_blobs(str(tmp_path / "blobs"))
    told = [documents(number)[0] for number in range(2)]
    first.put(told[0])
    stored = {path: (tmp_path / "blobs" / path).read_bytes() for path, name, _ in first.files() if name}
    second.place.create(next(iter(stored)), b"the same with a base")
    assert {path: (tmp_path / "blobs" / path).read_bytes() for path, name, _ in first.files() if name} == stored
    assert not list((tmp_path / "blobs").rglob("*.new"))


@pytest.mark.parametrize("url", ["path", "file"], indirect=True)
def test_a_missing_base_is_named(blobs: Blobs, url: str) -> None:
    kept = [documents(number)[0] for number in range(3)]
    for told in kept:
        blobs.put(told)
    base = hashlib.sha256(kept[0]).hexdigest()
    filesystem, root = fsspec.core.url_to_fs(url)
    filesystem.rm(f"{root}/{base[:2]}/{base}.zst")
    error = refused("blob-missing", open_blobs(url), hashlib.sha256(kept[2]).hexdigest())
    assert base in str(error)


def test_a_folder_holds_no_half_written_file_after_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = open_blobs(str(tmp_path / "blobs"))

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StoreError) as caught:
        blobs.put(b"x" * 1000)
    assert caught.value.code == "disk-full"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_blob_is_an_ordinary_zstd_file(tmp_path: Path) -> None:
    sha256 = open_blobs(str(tmp_path)).put(b"to be read with the zstd command")
    file = tmp_path / sha256[:2] / f"{sha256}.zst"
    assert zstandard.decompress(file.read_bytes()) == b"to be read with the zstd command"


def test_a_blob_with_a_base_is_read_by_the_zstd_command_too(tmp_path: Path, zstd: str) -> None:
    kept = [documents(number)[0] for number in range(2)]
    names = [open_blobs(str(tmp_path / "blobs")).put(told) for told in kept]
    file = tmp_path / "blobs" / names[1][:2] / f"{names[1]}.zst"
    assert file.read_bytes()[8:40].hex() == names[0]
    (tmp_path / "base").write_bytes(kept[0])
    read = subprocess.run(
        [zstd, "-d", "-c", f"--patch-from={tmp_path / 'base'}", str(file)], capture_output=True, check=True
    )
    assert read.stdout == kept[1]


@pytest.fixture
def zstd() -> str:
    found = shutil.which("zstd")
    if found is None:
        pytest.skip("the zstd command is not installed")
    return found


@pytest.mark.parametrize("url", ["nosuch://user:secret@bucket/x", "s3://user:secret@bucket/x?key=secret"])
def test_a_place_that_can_not_be_reached_is_refused_without_its_secrets(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(StoreError) as caught:
        open_blobs(url)
    assert "secret" not in str(caught.value)
