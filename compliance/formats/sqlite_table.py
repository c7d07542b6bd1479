"""Rows of one table of an SQLite 3 file, read without SQLite (sqlite.org/fileformat2.html), -wal file included.

The file is hostile: nothing of it reaches a C library, every page is visited once, sizes are checked before use.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

from compliance.errors import FormatError

MAGIC = b"SQLite format 3\0"

_LEAF, _INTERIOR = 0x0D, 0x05
_DEPTH_MAX = 24
_ROW_MAX = 256 * 2**20
_COLUMNS_MAX = 64

Value = bytes | int | None


def table_rows(content: bytes, table: str, wal: bytes | None = None) -> Iterator[tuple[Value, ...]]:
    """The rows of `table` in key order: integers, and texts and blobs both as bytes; other values are None.

    `wal` is the file NAME-wal beside it, whose committed pages count. Raises FormatError.
    """
    return _Reader(content, wal).rows(table)


class _Reader:
    def __init__(self, content: bytes, wal: bytes | None) -> None:
        if content[:16] != MAGIC or len(content) < 512:
            raise FormatError("not an SQLite 3 database", code="sqlite-invalid")
        size = int.from_bytes(content[16:18], "big")
        self._page_size = 65536 if size == 1 else size
        if self._page_size < 512 or self._page_size & (self._page_size - 1):
            raise FormatError("an SQLite database with an impossible page size", code="sqlite-invalid")
        self._content = content
        self._wal = _committed_pages(wal, self._page_size) if wal else {}
        self._usable = self._page_size - self._page(1)[20]
        if self._usable < 480:
            raise FormatError("an SQLite database with an impossible reserved space", code="sqlite-invalid")

    def rows(self, table: str) -> Iterator[tuple[Value, ...]]:
        wanted = table.encode()
        for row in self._walk(1):
            if len(row) >= 4 and row[0] == b"table" and row[1] == wanted and isinstance(row[3], int):
                yield from self._walk(row[3])
                return
        raise FormatError(f"an SQLite database without the table {table}", code="sqlite-invalid")

    def _page(self, number: int) -> bytes:
        if number in self._wal:
            return self._wal[number]
        start = (number - 1) * self._page_size
        page = self._content[start : start + self._page_size] if number > 0 else b""
        if len(page) < self._page_size:
            raise FormatError("an SQLite database that refers to a page it does not have", code="sqlite-invalid")
        return page

    def _walk(self, root: int) -> Iterator[tuple[Value, ...]]:
        """Every row of the b-tree at `root`, leaves from left to right."""
        seen: set[int] = set()
        todo = [(root, 0)]
        while todo:
            number, depth = todo.pop()
            if number in seen or depth > _DEPTH_MAX:
                raise FormatError("an SQLite database whose tree is no tree", code="sqlite-invalid")
            seen.add(number)
            page = self._page(number)
            start = 100 if number == 1 else 0
            kind, cells = page[start], int.from_bytes(page[start + 3 : start + 5], "big")
            pointers = start + (12 if kind == _INTERIOR else 8)
            if kind not in (_LEAF, _INTERIOR) or pointers + 2 * cells > len(page):
                raise FormatError("an SQLite database with a page that is no table page", code="sqlite-invalid")
            offsets = struct.unpack_from(f">{cells}H", page, pointers)
            if kind == _LEAF:
                for offset in offsets:
                    yield _record(self._payload(page, offset))
                continue
            last = int.from_bytes(page[start + 8 : start + 12], "big")
            children = [int.from_bytes(page[offset : offset + 4], "big") for offset in offsets]
            todo.extend((child, depth + 1) for child in reversed((*children, last)))

    def _payload(self, page: bytes, offset: int) -> bytes:
        """The record of a leaf cell, with what overflows into a chain of pages."""
        size, offset = _varint(page, offset)
        _, offset = _varint(page, offset)
        if size > _ROW_MAX:
            raise FormatError("an SQLite row that is too long", code="sqlite-invalid")
        most, least = self._usable - 35, (self._usable - 12) * 32 // 255 - 23
        if size <= most:
            return page[offset : offset + size]
        here = least + (size - least) % (self._usable - 4)
        here = here if here <= most else least
        pieces = [page[offset : offset + here]]
        following = int.from_bytes(page[offset + here : offset + here + 4], "big")
        left = size - here
        while left > 0:
            overflow = self._page(following)
            pieces.append(overflow[4 : 4 + min(left, self._usable - 4)])
            left -= self._usable - 4
            following = int.from_bytes(overflow[:4], "big")
        return b"".join(pieces)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A big-endian variable-length integer of at most nine bytes, and the offset behind it."""
    value = 0
    for index in range(9):
        if at + index >= len(data):
            raise FormatError("an SQLite number beyond its page", code="sqlite-invalid")
        byte = data[at + index]
        if index == 8:
            return value << 8 | byte, at + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + index + 1
    raise AssertionError("a varint has at most nine bytes")


def _record(payload: bytes) -> tuple[Value, ...]:
    """The values of a record: a header of serial types, then the values."""
    header, at = _varint(payload, 0)
    types: list[int] = []
    while at < header and len(types) < _COLUMNS_MAX:
        kind, at = _varint(payload, at)
        types.append(kind)
    values: list[Value] = []
    at = header
    for kind in types:
        size = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0)[kind] if kind < 12 else (kind - 12) // 2
        piece = payload[at : at + size]
        at += size
        if kind >= 12:
            values.append(piece)
        elif kind in (8, 9):
            values.append(kind - 8)
        else:
            values.append(int.from_bytes(piece, "big", signed=True) if 1 <= kind <= 6 else None)
    return tuple(values)


def _committed_pages(wal: bytes, page_size: int) -> Mapping[int, bytes]:
    """The last committed image of each page in a write-ahead log; frames of an earlier round do not count."""
    if len(wal) < 32 or wal[:4] not in (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83"):
        return {}
    if int.from_bytes(wal[8:12], "big") != page_size:
        return {}
    salts = wal[16:24]
    committed: dict[int, bytes] = {}
    pending: dict[int, bytes] = {}
    for start in range(32, len(wal) - 24 - page_size + 1, 24 + page_size):
        number, after_commit = struct.unpack_from(">II", wal, start)
        if wal[start + 8 : start + 16] != salts:
            break
        pending[number] = wal[start + 24 : start + 24 + page_size]
        if after_commit:
            committed.update(pending)
            pending.clear()
    return committed
