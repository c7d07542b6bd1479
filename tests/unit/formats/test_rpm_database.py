"""RPM databases: real ones are in the conformance tests; here what is damaged or made to mislead."""

from __future__ import annotations

import gzip
import sqlite3
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compliance.errors import FormatError
from compliance.formats.rpm_database import header_blobs
from compliance.formats.rpm_header import RpmHeader, Tag
from compliance.formats.sqlite_table import table_rows


def header(*values: tuple[int, int, bytes, int]) -> bytes:
    """A header of (tag, type, data, count)."""
    entries = data = b""
    for tag, kind, content, count in values:
        entries += struct.pack(">iIiI", tag, kind, len(data), count)
        data += content
    return struct.pack(">II", len(values), len(data)) + entries + data


def database(tmp_path: Path, blobs: list[bytes], *, page_size: int = 4096, wal: bool = False) -> tuple[bytes, bytes]:
    """What SQLite itself writes: the file and the write-ahead log beside it."""
    path = tmp_path / "rpmdb.sqlite"
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA page_size={page_size}")
    if wal:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute("CREATE TABLE other (a)")
    connection.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB NOT NULL)")
    connection.executemany("INSERT INTO Packages (blob) VALUES (?)", [(blob,) for blob in blobs])
    connection.commit()
    log = path.with_name("rpmdb.sqlite-wal")
    content = path.read_bytes(), log.read_bytes() if log.exists() else b""
    connection.close()
    return content


@pytest.mark.parametrize("page_size", [512, 4096, 65536])
def test_rows_of_every_length_come_back_whole(tmp_path: Path, page_size: int) -> None:
    blobs = [bytes([index % 251]) * (index * 37 % 20_000) for index in range(300)]
    content, _ = database(tmp_path, blobs, page_size=page_size)
    assert list(header_blobs(content)) == blobs


def test_committed_rows_that_are_only_in_the_log_count(tmp_path: Path) -> None:
    content, wal = database(tmp_path, [b"x" * 5000, b"y" * 50], wal=True)
    assert list(header_blobs(content, wal)) == [b"x" * 5000, b"y" * 50]


def test_an_unfinished_transaction_in_the_log_does_not_count(tmp_path: Path) -> None:
    content, wal = database(tmp_path, [b"x" * 50], wal=True)
    cut = wal[: len(wal) - (24 + 4096)]  # the frame that carries the commit
    assert list(header_blobs(content, cut)) == []


def test_a_tree_that_leads_back_to_itself_ends() -> None:
    page = bytearray(512)
    page[:16] = b"SQLite format 3\0"
    page[16:18] = (512).to_bytes(2, "big")
    page[100] = 5  # an interior page whose only child is itself
    page[108:112] = (1).to_bytes(4, "big")
    with pytest.raises(FormatError, match="no tree"):
        list(table_rows(bytes(page), "Packages"))


@pytest.mark.parametrize(
    "content",
    [b"", b"RpmP", b"no database" * 100, b"SQLite format 3\0" + bytes(600), b"RpmP" + b"\xff" * 9000],
    ids=["empty", "short", "text", "sqlite-zeros", "ndb-ones"],
)
def test_what_is_no_database_is_refused(content: bytes) -> None:
    with pytest.raises(FormatError):
        list(header_blobs(content))


REAL = {
    "sqlite": "rpm/amzn2023-bom-sqlite/rootfs/var/lib/rpm/rpmdb.sqlite",
    "bdb": "rpm/single-bdb-dive/rootfs/var/lib/rpm/Packages",
    "ndb": "rpm/sle15-bci-ndb/rootfs/usr/lib/sysimage/rpm/Packages.db",
    "bdb-big-endian": "rpm/ubi8-s390x-bdb-bigendian/rootfs/var/lib/rpm/Packages.fixture.gz",
}


@pytest.fixture(scope="module", params=sorted(REAL))
def real(request: pytest.FixtureRequest, shared: Path) -> bytes:
    path = shared / "fixtures/packages" / REAL[request.param]
    content = path.read_bytes()
    return gzip.decompress(content) if path.suffix == ".gz" else content


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damage_anywhere_is_an_error_or_fewer_headers_but_never_a_traceback(real: bytes, data: st.DataObject) -> None:
    content = bytearray(real[: data.draw(st.integers(0, len(real)))] if data.draw(st.booleans()) else real)
    for _ in range(data.draw(st.integers(1, 8))):
        if content:
            content[data.draw(st.integers(0, min(len(content) - 1, 20_000)))] = data.draw(st.integers(0, 255))
    try:
        for blob in header_blobs(bytes(content)):
            RpmHeader(blob).texts(Tag.BASE_NAMES)
    except FormatError:
        pass


def test_header_values_are_read_by_type() -> None:
    blob = header(
        (Tag.NAME, 6, b"bash\0", 1),
        (Tag.EPOCH, 4, struct.pack(">I", 3), 1),
        (Tag.BASE_NAMES, 8, b"a\0b\xff\0", 2),
        (Tag.FILE_MODES, 3, struct.pack(">2H", 0o100755, 0o40755), 2),
    )
    read = RpmHeader(blob)
    assert read.text(Tag.NAME) == "bash"
    assert read.integers(Tag.EPOCH) == (3,)
    assert read.texts(Tag.BASE_NAMES) == ["a", "b\udcff"]
    assert read.integers(Tag.FILE_MODES) == (0o100755, 0o40755)
    assert read.text(Tag.URL) == ""
    assert read.integers(Tag.NAME) == ()


def test_values_that_reach_beyond_the_header_are_absent() -> None:
    read = RpmHeader(header((Tag.FILE_MODES, 3, b"\0\1", 60_000), (Tag.NAME, 6, b"", 1)))
    assert read.integers(Tag.FILE_MODES) == ()
    assert read.text(Tag.NAME) == ""


@given(st.binary(max_size=400))
def test_any_bytes_are_a_header_or_a_format_error(blob: bytes) -> None:
    try:
        read = RpmHeader(blob)
    except FormatError:
        return
    for tag in Tag:
        read.texts(tag)
        read.integers(tag)
