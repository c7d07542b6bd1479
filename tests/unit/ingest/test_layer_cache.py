"""The layer cache: the same answer as without it, and no trust in what it holds."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from compliance.errors import IntegrityError, UsageError
from compliance.formats.examine import Examiner
from compliance.ingest.layer_cache import (
    FORMAT,
    LayerCache,
    LayerKeys,
    _deflated,
    _inflated,
    _unpickled,
    _Values,
    default_cache,
)
from compliance.ingest.layers import LayerContents, Reads
from compliance.ingest.read import Reading, read_tree
from compliance.ingest.source import open_source, parse_reference
from compliance.model.filesystem import FileTree
from compliance.model.image import Image, Layer
from compliance.model.request import ContentRequest
from tests.builders.evidence import program
from tests.builders.layout import Layout, Nodes, docker_archive, simple_image

BASE: Nodes = {"etc/os-release": "ID=debian", "bin/tool": program(b"#!/bin/sh\n"), "etc/passwd": "root:x:0:0::/:/x"}
TOP: Nodes = {"app": program(b"\x7fELF")}
ETC = ContentRequest(name="etc", globs=("etc/*",))


def read(reference: str, cache: LayerCache | None, **more: object) -> tuple[Image, FileTree]:
    reading = Reading(requests=(ETC,), examiner=Examiner(()), cache=cache, **more)  # type: ignore[arg-type]
    source = open_source(parse_reference(reference))
    try:
        return read_tree(source, source.image(None), reading)
    finally:
        source.close()


@pytest.fixture
def cache(tmp_path: Path) -> LayerCache:
    return LayerCache(tmp_path / "cache")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return simple_image(tmp_path / "image", (BASE, TOP))


def test_answer_from_the_cache_is_the_answer_without_it(cache: LayerCache, image: Path) -> None:
    trees = [read(f"oci-dir:{image}", kind)[1] for kind in (None, cache, cache)]
    assert [tree.entries for tree in trees] == [trees[0].entries] * 3
    assert [tree.captured("etc") for tree in trees] == [trees[0].captured("etc")] * 3
    assert cache.info().entries == 2


def _mapping(content: bytes) -> object:
    return MappingProxyType({"length": len(content)})


def test_values_with_read_only_mappings_are_kept(cache: LayerCache, image: Path) -> None:
    wanted = ContentRequest(name="mapped", globs=("etc/*",), reduce=_mapping)
    source = open_source(parse_reference(f"oci-dir:{image}"))
    reading = Reading(requests=(wanted,), examiner=Examiner(()), cache=cache)
    first, second = (read_tree(source, source.image(None), reading)[1].captured("mapped") for _ in range(2))
    assert first == second
    assert [item.value for item in second] == [{"length": 9}, {"length": 16}]
    assert cache.info().entries == 2


def test_second_image_on_the_same_base_reads_only_its_own_layers(cache: LayerCache, tmp_path: Path) -> None:
    read(f"oci-dir:{simple_image(tmp_path / 'one', (BASE, TOP))}", cache)
    read(f"oci-dir:{simple_image(tmp_path / 'two', (BASE, {'other': 'x'}))}", cache)
    assert cache.info().entries == 3


def test_swapped_layer_is_refused_although_its_content_is_cached(cache: LayerCache, image: Path) -> None:
    read(f"oci-dir:{image}", cache)
    blob = max((image / "blobs" / "sha256").iterdir(), key=lambda path: path.read_bytes()[:2] == b"\x1f\x8b")
    content = bytearray(blob.read_bytes())
    content[4] ^= 1
    blob.write_bytes(content)
    with pytest.raises(IntegrityError, match="does not hash"):
        read(f"oci-dir:{image}", cache)


def test_swapped_layer_of_an_image_of_which_only_the_base_is_cached_is_refused(
    cache: LayerCache, image: Path, tmp_path: Path
) -> None:
    read(f"oci-dir:{image}", cache)
    other = simple_image(tmp_path / "other", (BASE, {"app": "another"}))
    own = set((other / "blobs" / "sha256").iterdir()) - {
        other / "blobs" / "sha256" / blob.name for blob in (image / "blobs" / "sha256").iterdir()
    }
    blob = next(path for path in own if path.read_bytes()[:2] == b"\x1f\x8b")
    content = bytearray(blob.read_bytes())
    content[4] ^= 1
    blob.write_bytes(content)
    with pytest.raises(IntegrityError, match="does not hash"):
        read(f"oci-dir:{other}", cache)


class _LateCache(LayerCache):
    """As if another process had just read every layer: what is kept shows at the second look only."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._looked: set[str] = set()

    def load(self, key: str) -> LayerContents | None:
        if key not in self._looked:
            self._looked.add(key)
            return None
        return super().load(key)


def test_layers_that_another_process_read_meanwhile_are_taken_and_compared(image: Path, tmp_path: Path) -> None:
    _, first = read(f"oci-dir:{image}", LayerCache(tmp_path / "cache"))
    _, second = read(f"oci-dir:{image}", _LateCache(tmp_path / "cache"))
    assert second.entries == first.entries
    for blob in (image / "blobs" / "sha256").iterdir():
        content = blob.read_bytes()
        if content[:2] == b"\x1f\x8b":
            blob.write_bytes(content[:4] + bytes([content[4] ^ 1]) + content[5:])
            with pytest.raises(IntegrityError, match="does not hash"):
                read(f"oci-dir:{image}", _LateCache(tmp_path / "cache"))
            blob.write_bytes(content)


def test_an_image_of_more_layers_than_a_process_may_open_files_is_taken_from_the_cache(tmp_path: Path) -> None:
    image = simple_image(tmp_path / "image", [{f"file{number}": str(number)} for number in range(400)])
    program = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))\n"
        "from compliance.cli.main import main\n"
        "main()\n"
    )
    argv = (sys.executable, "-c", program, "sbom", "--quiet", f"oci-dir:{image}", "-o", "cyclonedx-json=/dev/null")
    environment = {**os.environ, "HULLMARK_CACHE_DIR": str(tmp_path / "cache")}
    for _ in range(2):
        run = subprocess.run(argv, capture_output=True, text=True, env=environment, timeout=120)
        assert (run.returncode, run.stderr) == (0, "")


def test_swapped_layer_of_a_docker_archive_is_refused_too(cache: LayerCache, tmp_path: Path) -> None:
    good = docker_archive(tmp_path / "good.tar", (BASE,))
    other = docker_archive(tmp_path / "other.tar", ({**BASE, "etc/passwd": "evil"},))
    read(f"docker-archive:{good}", cache)
    content = good.read_bytes().replace(b"root:x:0:0::/:/x", b"evil:x:0:0::/:/x")
    assert content != other.read_bytes()
    good.write_bytes(content)
    with pytest.raises(IntegrityError):
        read(f"docker-archive:{good}", cache)


def test_damaged_or_foreign_entry_is_dropped_and_the_layer_read_again(cache: LayerCache, image: Path) -> None:
    expected = read(f"oci-dir:{image}", cache)[1].entries
    places = sorted((cache.info().folder / "layers").glob("??/*"))
    places[0].write_bytes(places[0].read_bytes()[:-3])
    places[1].write_bytes(b"not an entry")
    assert read(f"oci-dir:{image}", cache)[1].entries == expected


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch pwned",)


@pytest.mark.parametrize("value", [Evil(), os.system, print, Path("/"), open])
def test_nothing_but_values_of_ours_comes_out(value: object) -> None:
    with pytest.raises(pickle.UnpicklingError, match="has no place"):
        _Values(io.BytesIO(pickle.dumps(value))).load()


def test_entry_that_somebody_else_signed_with_a_digest_makes_nothing(cache: LayerCache, image: Path) -> None:
    import hashlib

    expected = read(f"oci-dir:{image}", cache)[1].entries
    body = _deflated(pickle.dumps(Evil()))
    for place in (cache.info().folder / "layers").glob("??/*"):
        place.write_bytes(FORMAT + hashlib.sha256(body).digest() + body)
    assert read(f"oci-dir:{image}", cache)[1].entries == expected
    assert not Path("pwned").exists()


@pytest.mark.parametrize("lost", range(7))
def test_entry_whose_parts_do_not_fit_is_dropped_and_the_layer_read_again(
    cache: LayerCache, image: Path, lost: int
) -> None:
    import hashlib

    expected = read(f"oci-dir:{image}", cache)[1].entries
    for place in (cache.info().folder / "layers").glob("??/*"):
        parts = _unpickled(_inflated(place.read_bytes()[len(FORMAT) + 32 :]))
        if lost == 0:
            parts[0] = parts[1]  # no layer at all
        elif lost == 6:
            parts[6] += "\0one/more"
        else:
            parts[lost] = parts[lost][1:]
        body = _deflated(b"".join(map(pickle.dumps, parts)))
        place.write_bytes(FORMAT + hashlib.sha256(body).digest() + body)
        assert cache.load(place.name) is None
    assert read(f"oci-dir:{image}", cache)[1].entries == expected


def test_layer_without_entries_is_kept_too(cache: LayerCache, tmp_path: Path) -> None:
    image = simple_image(tmp_path / "image", (BASE, {}))
    trees = [read(f"oci-dir:{image}", cache)[1].entries for _ in range(2)]
    assert trees[0] == trees[1]
    assert cache.info().entries == 2


def test_key_depends_on_all_that_an_entry_depends_on() -> None:
    layer = Layer(index=0, digest="sha256:" + "a" * 64, diff_id="sha256:" + "b" * 64, media_type="x", size=1)
    keys = {
        LayerKeys((ETC,), Reads.EVIDENCE, "r").of(layer),
        LayerKeys((ETC,), Reads.INVENTORY, "r").of(layer),
        LayerKeys((ETC,), Reads.EVIDENCE, "other rules").of(layer),
        LayerKeys((ETC,), Reads.EVIDENCE, "r").of(layer, ("md5",)),
        LayerKeys((replace(ETC, max_size=1),), Reads.EVIDENCE, "r").of(layer),
        LayerKeys((replace(ETC, globs=("usr/*",)),), Reads.EVIDENCE, "r").of(layer),
        LayerKeys((replace(ETC, reduce=len),), Reads.EVIDENCE, "r").of(layer),
        LayerKeys((ETC,), Reads.EVIDENCE, "r").of(replace(layer, index=1)),
        LayerKeys((ETC,), Reads.EVIDENCE, "r").of(replace(layer, digest="sha256:" + "c" * 64)),
        LayerKeys((ETC,), Reads.EVIDENCE, "r").of(replace(layer, diff_id="sha256:" + "c" * 64)),
    }
    assert len(keys) == 10
    assert LayerKeys((ETC,), Reads.EVIDENCE, "r").of(layer) in keys


def test_least_recently_used_entries_go_first(tmp_path: Path) -> None:
    cache = LayerCache(tmp_path / "cache", size_max=1)
    layout = Layout(root=tmp_path / "image")
    layout.add_image((BASE, TOP))
    read(f"oci-dir:{layout.root}", cache)
    assert cache.info().entries == 0
    roomy = LayerCache(tmp_path / "cache")
    read(f"oci-dir:{layout.root}", roomy)
    assert roomy.info().entries == 2
    assert roomy.clear() == 2
    assert roomy.info().size == 0


def test_small_entries_are_not_each_followed_by_a_look_at_all_of_them(tmp_path: Path) -> None:
    layout = Layout(root=tmp_path / "image")
    layout.add_image((BASE, TOP))
    read(f"oci-dir:{layout.root}", LayerCache(tmp_path / "cache"))
    stored = LayerCache(tmp_path / "cache").info()
    tight = LayerCache(tmp_path / "cache", size_max=stored.size - 1)
    layout.add_image(({"other": "1"},), tag="other")
    os.utime(tmp_path / "cache" / "swept", (0, 0))
    read(f"oci-dir:{layout.root}:other", tight)
    assert tight.info().size < stored.size


@pytest.mark.parametrize(("text", "size"), [("", 2 * 2**30), ("1000", 1000), ("20G", 20 * 2**30), ("3 MiB", 3 * 2**20)])
def test_size_of_the_cache_can_be_set(text: str, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HULLMARK_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("HULLMARK_CACHE_SIZE", text)
    assert default_cache().info().size_max == size


@pytest.mark.parametrize("text", ["much", "-1", "1.5G", "20 GB", "9" * 40])
def test_size_that_is_none_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HULLMARK_CACHE_SIZE", text)
    with pytest.raises(UsageError, match="20G"):
        default_cache()


def test_folder_that_cannot_be_written_does_not_stop_a_run(image: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    tree = read(f"oci-dir:{image}", LayerCache(tmp_path / "file"))[1]
    assert "app" in tree.entries


CLAIMANT = """
import sys, time
from pathlib import Path
from compliance.ingest.layer_cache import LayerCache
with LayerCache(Path(sys.argv[1])).claimed(sys.argv[2]):
    print("claimed", flush=True)
    time.sleep(60)
"""


def test_a_layer_that_another_process_reads_is_waited_for_and_a_killed_one_is_not(
    cache: LayerCache, tmp_path: Path
) -> None:
    key = "ab" * 32
    command = [sys.executable, "-c", CLAIMANT, str(tmp_path / "cache"), key]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"claimed\n"
        claimed = threading.Event()

        def claim() -> None:
            with cache.claimed(key):
                claimed.set()

        waiting = threading.Thread(target=claim)
        waiting.start()
        with cache.claimed("cd" * 32):  # another layer is nobody's
            pass
        assert not claimed.is_set()
        other.kill()
        waiting.join(30)
        assert claimed.is_set()


def test_a_cache_that_can_t_be_written_claims_nothing_and_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with LayerCache(tmp_path / "file").claimed("ab" * 32):
        pass


def test_images_read_at_the_same_time_read_a_shared_layer_once(cache: LayerCache, image: Path) -> None:
    begun = threading.Barrier(4)
    opened: list[str] = []

    def read_one() -> None:
        source = open_source(parse_reference(f"oci-dir:{image}"))
        opens = source.open_layer

        def counted(layer: Layer) -> object:
            opened.append(layer.digest)
            return opens(layer)

        source.remote, source.open_layer = True, counted  # type: ignore[method-assign, assignment, misc]
        begun.wait()
        read_tree(source, source.image(None), Reading(requests=(ETC,), examiner=Examiner(()), cache=cache))
        source.close()

    readers = [threading.Thread(target=read_one) for _ in range(4)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert len(opened) == len(set(opened)) == 2
