"""What UPX makes of an ELF file, made here: for tests without UPX, and with exactly the bits that a test wants."""

from __future__ import annotations

import lzma
import struct
import zlib
from collections.abc import Callable, Iterable

Token = int | tuple[int, int]
"""A literal byte, or a match: (distance, length)."""
FAR = (0xD00, 0x500, 0x500)


def pack(program: bytes, method: int, compress: Callable[[bytes], bytes]) -> bytes:
    """A packed file with the headers of `program` (one PT_LOAD from 0, ELF64) and its blocks; it starts nothing."""
    at, count = struct.unpack_from("<Q", program, 0x20)[0], struct.unpack_from("<H", program, 0x38)[0]
    size = at + 56 * count
    head = bytearray(program[:size])
    struct.pack_into("<QQ", head, at + 32, len(program), len(program))
    blocks = b"".join(_block(part, method, compress(part)) for part in (bytes(head), program[size:]))
    stub = bytearray(program[:64])
    struct.pack_into("<HH", stub, 0x36, 56, 1)
    info = struct.pack("<I4sHBB", 0, b"UPX!", 0, 14, 22) + struct.pack("<III", 0, len(program), 2**20)
    return bytes(stub) + bytes(head[at : at + 56]) + info + blocks + struct.pack("<I4sI", 0, b"UPX!", 0)


def _block(part: bytes, method: int, packed: bytes) -> bytes:
    return struct.pack("<IIBBBB", len(part), len(packed), method, 0, 0, 0) + packed


def lzma_block(part: bytes) -> bytes:
    """LZMA1 as UPX stores it: two bytes of properties, no header, an end marker."""
    filters = [{"id": lzma.FILTER_LZMA1, "lc": 3, "lp": 0, "pb": 2, "dict_size": 2**20}]
    return bytes(((3 << 3) | 2, 3)) + lzma.compress(part, lzma.FORMAT_RAW, filters=filters)


def deflate_block(part: bytes) -> bytes:
    """Deflate without header."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return compressor.compress(part) + compressor.flush()


def nrv_block(tokens: Iterable[Token], method: int) -> bytes:
    """`tokens` as NRV2B (2 to 4), 2D (5 to 7) or 2E (8 to 10), with bits in words of 32, 8 or 16."""
    kind, width = (method - 2) // 3, (4, 1, 2)[(method - 2) % 3]
    stream = _Stream(width)
    last = 1
    for token in tokens:
        if isinstance(token, int):
            stream.bits(1)
            stream.byte(token)
            continue
        distance, length = token
        stream.bits(0)
        rest = length - 1 - (distance > FAR[kind])
        coded, first = _length(kind, rest)
        if distance == last:
            stream.number(2, stretched=kind > 0)
            stream.bits(first)
        else:
            low = distance - 1 if kind == 0 else (distance - 1) << 1 | (1 - first)
            stream.number(3 + (low >> 8), stretched=kind > 0)
            stream.byte(low & 0xFF)
            if kind == 0:
                stream.bits(first)
            last = distance
        for one in coded:
            if isinstance(one, str):
                stream.bits(int(one))
            else:
                stream.number(one)
    stream.bits(0)
    stream.number(0x1000002, stretched=kind > 0)
    stream.byte(0xFF)
    return bytes(stream.out)


def _length(kind: int, rest: int) -> tuple[list[str | int], int]:
    """What follows the first bit of a length that is 1 + `rest`, and that bit."""
    if kind < 2:
        return ([str(rest & 1)], rest >> 1) if 1 <= rest <= 3 else (["0", rest - 2], 0)
    if rest in (1, 2):
        return [str(rest - 1)], 1
    return (["1", str(rest - 3)], 0) if rest in (3, 4) else (["0", rest - 3], 0)


class _Stream:
    """Bits in words that stand where their first bit is needed."""

    def __init__(self, width: int) -> None:
        self.out = bytearray()
        self._width = width
        self._at = self._left = 0

    def bits(self, *values: int) -> None:
        for value in values:
            if not self._left:
                self._at, self._left = len(self.out), 8 * self._width
                self.out += bytes(self._width)
            self._left -= 1
            if value:
                self.out[self._at + self._left // 8] |= 1 << self._left % 8

    def byte(self, value: int) -> None:
        self.out.append(value)

    def number(self, value: int, *, stretched: bool = False) -> None:
        steps: list[tuple[int, ...]] = []
        while True:
            high, low = value >> 1, value & 1
            if high == 1:
                steps.append((low,))
                break
            if stretched:
                steps.append((high & 1, low))
                value = (high >> 1) + 1
            else:
                steps.append((low,))
                value = high
        for number, step in enumerate(reversed(steps)):
            if number:
                self.bits(0)
            self.bits(*step)
        self.bits(1)
