"""Executables packed with UPX: the program inside, as far as it is loaded into memory.

Behind the program headers stand l_info and p_info, then blocks of b_info and compressed bytes: the first holds the
original ELF and program headers, the rest the loaded segments in their order. Section headers are not brought back,
and the filter that UPX runs over x86 code is not undone: it changes jump distances, no texts and no tables.
"""

from __future__ import annotations

import lzma
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from compliance.formats.elf import MAGIC

UNPACKED_MAX = 256 * 2**20
"""Bytes that a program may have unpacked: what a reading holds in memory for a moment."""
RATIO_MAX = 64
"""Unpacked bytes for each packed one: real programs stay below 10, and time is to go with what was read."""
NRV_PACKED_MAX = 4 * 2**20
"""Packed bytes of the NRV methods, which are decoded at about a MiB a second."""

_BLOCKS_MAX = 4096
_LZMA, _DEFLATE = 14, 15
_NRV = {number: (number - 2) // 3 for number in range(2, 11)}
"""Method numbers of NRV2B, 2D and 2E (0, 1, 2), each with bits in words of 32, 8 and 16."""
_WORDS = ("<I", "<B", "<H")
_FAR = (0xD00, 0x500, 0x500)
"""The distance beyond which a match is a byte longer."""
_INFO = struct.Struct("<IIBBBB")
_END_OF_STREAM = 0xFFFFFFFF


def unpack(content: bytes, magic: int) -> bytes | None:
    """The program inside `content`, with ``UPX!`` of l_info at `magic`; None for what can't be unpacked here.

    Never raises: damaged, foreign and too large ones are None.
    """
    try:
        return _unpack(content, magic)
    except (struct.error, IndexError, ValueError, lzma.LZMAError, zlib.error, EOFError):
        return None


@dataclass(frozen=True, slots=True)
class _Segment:
    """Where the bytes of one loaded segment stand in the file."""

    start: int
    stop: int


def _unpack(content: bytes, magic: int) -> bytes | None:
    _, size, block_max = struct.unpack_from("<III", content, magic + 8)
    if not 0 < size <= min(UNPACKED_MAX, RATIO_MAX * len(content)) or not 0 < block_max <= UNPACKED_MAX:
        return None
    blocks = _blocks(content, magic + 20, block_max)
    headers = next(blocks, b"")
    if headers[:4] != MAGIC or len(headers) > size:
        return None
    out = bytearray(size)
    out[: len(headers)] = headers
    _without_sections(out)
    for segment in _segments(headers, size):
        at = max(segment.start, len(headers) if segment.start == 0 else 0)
        while at < segment.stop:
            block = next(blocks, None)
            if block is None or at + len(block) > size:
                return None
            out[at : at + len(block)] = block
            at += len(block)
    return bytes(out)


def _segments(headers: bytes, size: int) -> Iterator[_Segment]:
    """The PT_LOAD segments in the order of the program headers. Raises struct.error, ValueError for what is cut off."""
    wide = headers[4] == 2
    (at,) = struct.unpack_from("<Q" if wide else "<I", headers, 0x20 if wide else 0x1C)
    if at > len(headers):  # or beyond what an offset can be
        raise ValueError("program headers beyond the end of the headers")
    entry, count = struct.unpack_from("<HH", headers, 0x36 if wide else 0x2A)
    for number in range(count):
        place = at + number * entry
        (kind,) = struct.unpack_from("<I", headers, place)
        offset, _, _, length = struct.unpack_from("<QQQQ" if wide else "<IIII", headers, place + (8 if wide else 4))
        if kind == 1 and length:
            if offset + length > size:
                raise ValueError("a segment beyond the end of the file")
            yield _Segment(offset, offset + length)


def _without_sections(out: bytearray) -> None:
    """The section headers stay packed: the header must not lead to them."""
    if out[4] == 2:
        struct.pack_into("<Q", out, 0x28, 0)
        struct.pack_into("<HH", out, 0x3C, 0, 0)
    else:
        struct.pack_into("<I", out, 0x20, 0)
        struct.pack_into("<HH", out, 0x30, 0, 0)


def _blocks(content: bytes, at: int, block_max: int) -> Iterator[bytes]:
    """The unpacked blocks one after another. Raises ValueError for a method that is not known."""
    total = packed_total = 0
    for _ in range(_BLOCKS_MAX):
        unpacked, packed, method, _, _, _ = _INFO.unpack_from(content, at)
        at += _INFO.size
        total += unpacked
        if not 0 < packed <= unpacked <= block_max or total > UNPACKED_MAX or at + packed > len(content):
            return
        data = content[at : at + packed]
        at += packed
        if packed == unpacked:
            yield data
            continue
        if method in _NRV:
            packed_total += packed
            if packed_total > NRV_PACKED_MAX:
                raise ValueError("too much to decode")
            yield _nrv(data, unpacked, method)
        elif method == _LZMA:
            yield _lzma(data, unpacked)
        elif method == _DEFLATE:
            yield zlib.decompressobj(-15).decompress(data, unpacked)
        else:
            raise ValueError(f"method {method}")


def _lzma(data: bytes, size: int) -> bytes:
    """LZMA1 without header; the first two bytes are its properties."""
    position, literal = data[0] & 7, data[1]
    options = {
        "id": lzma.FILTER_LZMA1,
        "dict_size": max(size, 4096),
        "lc": literal & 15,
        "lp": literal >> 4,
        "pb": position,
    }
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[options]).decompress(data[2:], size)


class _Stream:
    """Bits from little-endian words, and whole bytes from the same place in between."""

    __slots__ = ("_at", "_data", "_left", "_word", "_words")

    def __init__(self, data: bytes, word_format: str) -> None:
        self._data = data
        self._words = struct.Struct(word_format)
        self._at = self._word = self._left = 0

    def bit(self) -> int:
        if not self._left:
            (self._word,) = self._words.unpack_from(self._data, self._at)
            self._at += self._words.size
            self._left = 8 * self._words.size
        self._left -= 1
        return self._word >> self._left & 1

    def byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def number(self, limit: int, *, stretched: bool = False) -> int:
        """A number from 2: after each of its bits comes one that says whether it ends.

        `stretched` ones have a further bit between two of their own. Raises ValueError above `limit`.
        """
        value = 1
        while True:
            value = value * 2 + self.bit()
            if self.bit():
                return value
            if stretched:
                value = (value - 1) * 2 + self.bit()
            if value > limit:
                raise ValueError("a number without end")


def _nrv(data: bytes, size: int, method: int) -> bytes:
    """NRV2B, 2D or 2E. Raises ValueError for what unpacks to another size, IndexError and struct.error at its end."""
    kind = _NRV[method]
    stream = _Stream(data, _WORDS[(method - 2) % 3])
    out = bytearray()
    distance = 1
    while True:
        while stream.bit():
            out.append(stream.byte())
            if len(out) > size:
                raise ValueError("more than announced")
        high = stream.number(_END_OF_STREAM, stretched=kind > 0)
        short = -1
        if high > 2:
            low = (high - 3) * 256 + stream.byte()
            if low == _END_OF_STREAM:
                break
            distance = low + 1 if kind == 0 else (low >> 1) + 1
            short = -1 if kind == 0 else ~low & 1
        if short < 0:
            short = stream.bit()
        length = _length(stream, kind, short, size) + (distance > _FAR[kind])
        start = len(out) - distance
        if start < 0 or len(out) + length > size:
            raise ValueError("a match outside of what there is")
        piece = out[start : start + length]
        out += piece if distance >= length else (piece * (length // distance + 1))[:length]
    if len(out) != size:
        raise ValueError("less than announced")
    return bytes(out)


def _length(stream: _Stream, kind: int, first: int, limit: int) -> int:
    """The length of a match near by, of which the `first` bit is read."""
    second = stream.bit()
    if kind < 2:
        short = first * 2 + second
        return 1 + short if short else 3 + stream.number(limit)
    if first:
        return 2 + second
    return 4 + stream.bit() if second else 4 + stream.number(limit)
