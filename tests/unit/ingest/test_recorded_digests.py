"""By which algorithms a layer's files are digested: sha256 always, others where a package database records them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping

import pytest

from compliance.formats.examine import PackageExaminer
from compliance.ingest.layers import LayerReader, Reads
from compliance.ingest.limits import DEFAULT_LIMITS
from compliance.model.filesystem import FileEntry
from compliance.model.image import Layer
from tests.builders.evidence import file
from tests.builders.layout import digest, layer_tar

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


def test_each_layer_decides_for_itself() -> None:
    """Else what the cache has of a layer would depend on the image that it was read in."""
    tars = [layer_tar({path: file(content) for path, content in files.items()}) for files in (DPKG, NEITHER)]
    reader = LayerReader((), PackageExaminer(), DEFAULT_LIMITS)
    told = []
    for index, tar in enumerate(tars):
        layer = Layer(index=index, digest=digest(tar), diff_id=digest(tar), media_type="tar", size=len(tar))
        told.append({entry.path: entry for entry in reader.read(layer, io.BytesIO(tar)).entries})
    reader.close()
    assert [algorithms(one["usr/bin/x"]) for one in told] == [{"sha256", "md5"}, {"sha256", "md5", "sha1"}]


def test_where_no_package_puts_files_there_is_sha256_only() -> None:
    assert algorithms(read({"usr/local/bin/x": CONTENT})["usr/local/bin/x"]) == {"sha256"}


@pytest.mark.parametrize("files", [DPKG, APK, {"srv/x": CONTENT}])
def test_an_inventory_has_sha256_and_a_list_of_files_everything(files: dict[str, bytes | str]) -> None:
    path = list(files)[-1]
    assert algorithms(read(files, Reads.INVENTORY)[path]) == {"sha256"}
    assert algorithms(read(files, Reads.FILES)[path]) == {"sha256", "md5", "sha1"}
