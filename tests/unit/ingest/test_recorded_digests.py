"""By which algorithms a layer's files are digested: sha256 always, others where a package database records them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from compliance.formats.examine import PackageExaminer
from compliance.ingest.layer_cache import LayerCache
from compliance.ingest.layers import LayerReader, Reads
from compliance.ingest.limits import DEFAULT_LIMITS
from compliance.ingest.read import Reading, read_tree
from compliance.ingest.source import open_source, parse_reference
from compliance.model.filesystem import FileEntry
from compliance.model.image import Layer
from tests.builders.evidence import file
from tests.builders.layout import digest, layer_tar, simple_image

CONTENT = b"content"
DPKG: dict[str, bytes | str] = {"etc/dpkg/dpkg.cfg": "x", "usr/bin/x": CONTENT}
APK: dict[str, bytes | str] = {"etc/apk/world": "x", "usr/bin/x": CONTENT}
NEITHER: dict[str, bytes | str] = {"etc/passwd": "x", "usr/bin/x": CONTENT}


def read(files: Mapping[str, bytes | str], reads: Reads = Reads.EVIDENCE) -> dict[str, FileEntry]:
    tar = layer_tar({path: file(content) for path, content in files.items()})
    layer = Layer(index=0, digest=digest(tar), diff_id=digest(tar), media_type="tar", size=len(tar))
    reader = LayerReader((), PackageExaminer(), DEFAULT_LIMITS, reads=reads)
    try:
        return {entry.path: entry for entry in reader.read(layer, io.BytesIO(tar)).entries}
    finally:
        reader.close()


def algorithms(entry: FileEntry) -> set[str]:
    """Those by which it was digested; every digest is compared with its content's."""
    found = {name: getattr(entry, name) for name in ("sha256", "md5", "sha1") if getattr(entry, name)}
    for name, told in found.items():
        assert told == hashlib.new(name, CONTENT).hexdigest()
    return set(found)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (DPKG, {"sha256", "md5"}),
        (APK, {"sha256", "sha1"}),
        (NEITHER, {"sha256", "md5", "sha1"}),
        ({"etc/apk/world": "x", **DPKG}, {"sha256", "md5", "sha1"}),
        ({"usr/bin/x": CONTENT, "var/lib/dpkg/status": "x"}, {"sha256", "md5", "sha1"}),
    ],
    ids=["dpkg", "apk", "no database", "both", "a database that comes later"],
)
def test_a_layer_is_digested_as_its_package_database_records(files: dict[str, bytes | str], expected: set[str]) -> None:
    assert algorithms(read(files)["usr/bin/x"]) == expected


def layered(place: Path, below: Mapping[str, bytes | str]) -> Path:
    """An image of two layers, of which the upper one has a file that a package may own."""
    return simple_image(place, [{path: file(content) for path, content in below.items()}, {"usr/bin/y": file(CONTENT)}])


def upper_file(place: Path, cache: LayerCache) -> FileEntry:
    with closing(open_source(parse_reference(str(place)))) as source:
        reading = Reading(requests=(), examiner=PackageExaminer(), cache=cache)
        return read_tree(source, source.image(None), reading)[1].entries["usr/bin/y"]


@pytest.mark.parametrize(
    ("below", "expected"),
    [(DPKG, {"sha256", "md5"}), (APK, {"sha256", "sha1"}), (NEITHER, {"sha256", "md5", "sha1"})],
    ids=["dpkg", "apk", "no database"],
)
@pytest.mark.parametrize("cached", [False, True])
def test_what_layers_below_show_holds_for_those_above(
    below: dict[str, bytes | str], expected: set[str], cached: bool, tmp_path: Path
) -> None:
    place = layered(tmp_path / "image", below)
    cache = LayerCache(tmp_path / "cache")
    for _ in range(2 if cached else 1):
        assert algorithms(upper_file(place, cache)) == expected


def test_the_cache_tells_a_layer_over_dpkg_from_the_same_over_apk(tmp_path: Path) -> None:
    cache = LayerCache(tmp_path / "cache")
    for name, below, expected in (("a", DPKG, "md5"), ("b", APK, "sha1"), ("a", DPKG, "md5")):
        place = tmp_path / name
        if not place.exists():
            layered(place, below)
        assert algorithms(upper_file(place, cache)) == {"sha256", expected}


def test_where_no_package_puts_files_there_is_sha256_only() -> None:
    assert algorithms(read({"usr/local/bin/x": CONTENT})["usr/local/bin/x"]) == {"sha256"}


@pytest.mark.parametrize("files", [DPKG, APK, {"srv/x": CONTENT}])
def test_an_inventory_has_sha256_and_a_list_of_files_everything(files: dict[str, bytes | str]) -> None:
    path = list(files)[-1]
    assert algorithms(read(files, Reads.INVENTORY)[path]) == {"sha256"}
    assert algorithms(read(files, Reads.FILES)[path]) == {"sha256", "md5", "sha1"}
