"""Zip archives (PKWARE APPNOTE.TXT 6.3), of which only a few small members are wanted and nothing is trusted.

The central directory is read without making an object a member, and a member is inflated only as far as its
limit. Encrypted members and methods other than stored and deflated are refused.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from compliance.errors import FormatError

MEMBERS_MAX = 200_000

_END = b"PK\x05\x06"
_END_SIZE = 22
_LOCATOR = b"PK\x06\x07"
_END64 = b"PK\x06\x06"
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_LOCAL_SIZE = 30
_STORED, _DEFLATED = 0, 8
_ENCRYPTED = 1


class Member(NamedTuple):
    """One entry of the central directory; `size` is what it claims to inflate to."""

    name: str
    method: int
    packed: int
    size: int
    offset: int


class ZipArchive:
    """An archive in memory; bytes before it (a launcher script) are allowed."""

    def __init__(self, content: bytes | memoryview) -> None:
        """Raises FormatError when there is no end record, or its directory does not lie before it."""
        self._content = memoryview(content)
        end = _find_end(content)
        count, size, offset = _directory_place(content, end)
        if count > MEMBERS_MAX:
            raise FormatError(f"a zip archive with more than {MEMBERS_MAX} members", code="zip-too-large")
        start = self._directory_start(end, size, offset)
        self._shift = start - offset
        self._directory = (start, count)

    def _directory_start(self, end: int, size: int, offset: int) -> int:
        """Where the directory really is: right before the end record, else (zip64) where it is said to be."""
        if size <= end and self._is_at(end - size, b"PK\x01\x02"):
            return end - size
        if size == 0 or self._is_at(offset, b"PK\x01\x02"):
            return offset
        raise FormatError("a zip archive without its directory", code="zip-invalid")

    def _is_at(self, offset: int, signature: bytes) -> bool:
        return bytes(self._content[offset : offset + 4]) == signature

    def members(self) -> Iterator[Member]:
        """Every member in directory order. Raises FormatError at a damaged entry."""
        at, count = self._directory
        for _ in range(count):
            if at + _CENTRAL.size > len(self._content):
                raise FormatError("a zip archive with a cut directory", code="zip-invalid")
            fields = _CENTRAL.unpack_from(self._content, at)
            if fields[0] != b"PK\x01\x02":
                raise FormatError("a zip archive with a damaged directory", code="zip-invalid")
            flags, method, packed, size = fields[3], fields[4], fields[8], fields[9]
            name_size, extra_size, comment_size, offset = fields[10], fields[11], fields[12], fields[16]
            at += _CENTRAL.size
            name = bytes(self._content[at : at + name_size]).decode("utf-8", "replace")
            at += name_size + extra_size + comment_size
            yield Member(name, -1 if flags & _ENCRYPTED else method, packed, size, offset)

    def read(self, member: Member, limit: int) -> memoryview:
        """The content of `member`. Raises FormatError when it is longer than `limit`, damaged or encrypted."""
        start = member.offset + self._shift
        if start < 0 or start + _LOCAL_SIZE > len(self._content) or not self._is_at(start, b"PK\x03\x04"):
            raise FormatError("a zip member that is not where the directory says", code="zip-invalid")
        name_size, extra_size = struct.unpack_from("<HH", self._content, start + 26)
        start += _LOCAL_SIZE + name_size + extra_size
        packed = self._content[start : start + member.packed]
        if len(packed) != member.packed:
            raise FormatError("a zip member that ends before its size", code="zip-invalid")
        if member.method == _STORED:
            return _within(packed, limit)
        if member.method != _DEFLATED:
            raise FormatError("a zip member that is encrypted or of an unknown method", code="zip-unsupported")
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            content = inflater.decompress(packed, limit + 1)
        except zlib.error:
            raise FormatError("a zip member whose deflated data are damaged", code="zip-invalid") from None
        if not inflater.eof and len(content) <= limit:
            raise FormatError("a zip member whose deflated data are cut", code="zip-invalid")
        return _within(memoryview(content), limit)


def _within(content: memoryview, limit: int) -> memoryview:
    if len(content) > limit:
        raise FormatError(f"a zip member of more than {limit} bytes", code="zip-too-large")
    return content


def _find_end(content: bytes | memoryview) -> int:
    """The offset of the end record: the last one that its comment fits behind."""
    first = max(0, len(content) - _END_SIZE - 0xFFFF)
    tail = bytes(content[first:])
    at = tail.rfind(_END)
    while at >= 0:
        if at + _END_SIZE <= len(tail):
            (comment,) = struct.unpack_from("<H", tail, at + 20)
            if at + _END_SIZE + comment <= len(tail):
                return first + at
        at = tail.rfind(_END, 0, at)
    raise FormatError("not a zip archive", code="zip-invalid")


def _directory_place(content: bytes | memoryview, end: int) -> tuple[int, int, int]:
    """Number of members, size and stated offset of the directory, of the zip64 record where one is needed."""
    count, size, offset = struct.unpack_from("<HII", content, end + 10)
    if count != 0xFFFF and size != 0xFFFFFFFF and offset != 0xFFFFFFFF:
        return count, size, offset
    locator = end - 20
    if locator < 0 or content[locator : locator + 4] != _LOCATOR:
        return count, size, offset
    (at,) = struct.unpack_from("<Q", content, locator + 8)
    if at + 56 > len(content) or content[at : at + 4] != _END64:
        raise FormatError("a zip archive with a damaged zip64 record", code="zip-invalid")
    return struct.unpack_from("<QQQ", content, at + 32)
