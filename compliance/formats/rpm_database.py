"""The header blobs of RPM's package database in its three forms: SQLite, ndb and Berkeley DB hash.

ndb is described in rpm's lib/backend/ndb/rpmpkg.c, the hash pages in Berkeley DB's src/dbinc/db_page.h.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from compliance.errors import FormatError
from compliance.formats import sqlite_table

_HEADER_MAX = 256 * 2**20
_HEADER_MIN = 16

_NDB_MAGIC = b"RpmP"
_NDB_PAGE, _NDB_SLOT, _NDB_BLOCK = 4096, 16, 16

_BDB_MAGIC = 0x00061561
_BDB_PAGE_HEADER = 26
_BDB_HASH_PAGES = (2, 13)
_BDB_OVERFLOW = 7
_BDB_INLINE, _BDB_OFF_PAGE = 1, 3


def header_blobs(content: bytes, wal: bytes | None = None) -> Iterator[bytes]:
    """Every header in the order of the database. `wal` belongs to an SQLite one. Raises FormatError."""
    if content.startswith(sqlite_table.MAGIC):
        return _sqlite_blobs(content, wal)
    if content.startswith(_NDB_MAGIC):
        return _ndb_blobs(content)
    if len(content) >= 512:
        for order in ("<", ">"):
            if struct.unpack_from(f"{order}I", content, 12)[0] == _BDB_MAGIC:
                return _bdb_blobs(content, order)
    raise FormatError("an RPM database in no known form", code="rpmdb-invalid")


def _sqlite_blobs(content: bytes, wal: bytes | None) -> Iterator[bytes]:
    for row in sqlite_table.table_rows(content, "Packages", wal):
        if len(row) >= 2 and isinstance(row[1], bytes):
            yield row[1]


def _ndb_blobs(content: bytes) -> Iterator[bytes]:
    """Slots (magic, index, block, blocks) point at blobs (magic, index, generation, length, data)."""
    if len(content) < 2 * _NDB_SLOT:
        raise FormatError("an RPM database that ends in its header", code="rpmdb-invalid")
    (pages,) = struct.unpack_from("<I", content, 12)
    for at in range(2 * _NDB_SLOT, min(pages * _NDB_PAGE, len(content) - _NDB_SLOT + 1), _NDB_SLOT):
        magic, index, block, blocks = struct.unpack_from("<4sIII", content, at)
        if magic != b"Slot":
            raise FormatError("an RPM database with a damaged slot", code="rpmdb-invalid")
        if index == 0:
            continue
        start = block * _NDB_BLOCK
        if start + 16 > len(content):
            raise FormatError("an RPM database with a slot that points beyond it", code="rpmdb-invalid")
        blob_magic, blob_index, _, size = struct.unpack_from("<4sIII", content, start)
        if blob_magic != b"BlbS" or blob_index != index or size > blocks * _NDB_BLOCK:
            raise FormatError("an RPM database with a damaged blob", code="rpmdb-invalid")
        yield content[start + 16 : start + 16 + size]


def _bdb_blobs(content: bytes, order: str) -> Iterator[bytes]:
    """The data item of every key on every hash page; large ones lie in chains of overflow pages."""
    page_size, _, last = struct.unpack_from(f"{order}I8sI", content, 20)
    if page_size < 512 or page_size > 65536 or page_size & (page_size - 1):
        raise FormatError("a Berkeley DB file with an impossible page size", code="rpmdb-invalid")
    for number in range(1, min(last, len(content) // page_size - 1) + 1):
        page = content[number * page_size : (number + 1) * page_size]
        (entries,) = struct.unpack_from(f"{order}H", page, 20)
        if page[25] not in _BDB_HASH_PAGES or _BDB_PAGE_HEADER + 2 * entries > page_size:
            continue
        offsets = struct.unpack_from(f"{order}{entries}H", page, _BDB_PAGE_HEADER)
        for index in range(1, entries, 2):
            start, end = offsets[index], offsets[index - 1]
            if not start < end <= page_size:
                raise FormatError("a Berkeley DB file with a damaged page", code="rpmdb-invalid")
            if page[start] == _BDB_INLINE and end - start > _HEADER_MIN:
                yield page[start + 1 : end]
            elif page[start] == _BDB_OFF_PAGE and end - start >= 12:
                first, size = struct.unpack_from(f"{order}II", page, start + 4)
                yield _bdb_overflow(content, order, page_size, first, size)


def _bdb_overflow(content: bytes, order: str, page_size: int, first: int, size: int) -> bytes:
    pieces: list[bytes] = []
    left, number = size, first
    if size > min(_HEADER_MAX, len(content)):
        raise FormatError("a Berkeley DB item that is longer than its file", code="rpmdb-invalid")
    while left > 0:
        start = number * page_size
        page = content[start : start + page_size] if number else b""
        if len(page) < page_size or page[25] != _BDB_OVERFLOW:
            raise FormatError("a Berkeley DB item that ends before its length", code="rpmdb-invalid")
        following, _, length = struct.unpack_from(f"{order}IHH", page, 16)
        if not 0 < length <= page_size - _BDB_PAGE_HEADER:
            raise FormatError("a Berkeley DB item with a damaged page", code="rpmdb-invalid")
        pieces.append(page[_BDB_PAGE_HEADER : _BDB_PAGE_HEADER + min(length, left)])
        left -= length
        number = following
    return b"".join(pieces)
