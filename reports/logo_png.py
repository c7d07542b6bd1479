"""A PNG picture of an organisation's (ISO/IEC 15948), reduced to what makes up the picture.

Texts, profiles, times and whatever else is ancillary is left out, so that a logo carries nothing into a report.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from compliance.errors import FormatError

SIDE_MAX = 4096
"""Pixels of a side: a picture of a few hundred bytes may ask a reader for gigabytes."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEPT = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}


def read_png(content: bytes) -> tuple[int, int, bytes]:
    """Width and height in pixels, and the picture with its needed chunks only.

    Raises FormatError when a chunk or its checksum is wrong, or when the pixels are not as many as they should be.
    """
    chunks = list(_chunks(content))
    kinds = [kind for kind, _ in chunks]
    if kinds[0] != b"IHDR" or kinds[-1] != b"IEND" or kinds.count(b"IHDR") != 1:
        raise _invalid("its chunks are not in order")
    width, height, depth, color, compression, filtering, interlace = struct.unpack(">IIBBBBB", chunks[0][1])
    if not 0 < width <= SIDE_MAX or not 0 < height <= SIDE_MAX:
        raise _invalid(f"a side is not 1 to {SIDE_MAX} pixels long")
    if depth not in _DEPTHS.get(color, ()) or compression or filtering or interlace:
        raise _invalid("interlaced, or of an unknown kind of pixels")
    row = 1 + (width * _CHANNELS[color] * depth + 7) // 8
    _demand_pixels(b"".join(data for kind, data in chunks if kind == b"IDAT"), row * height)
    return width, height, _SIGNATURE + b"".join(_chunk(kind, data) for kind, data in chunks if kind in _KEPT)


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = len(_SIGNATURE)
    kind = b""
    while kind != b"IEND":
        if place + 12 > len(content):
            raise _invalid("cut off")
        (length,) = struct.unpack_from(">I", content, place)
        kind, data = content[place + 4 : place + 8], content[place + 8 : place + 8 + length]
        if len(data) != length or content[place + 8 + length : place + 12 + length] != _checksum(kind, data):
            raise _invalid("a chunk is cut off or damaged")
        if kind == b"IHDR" and length != 13:
            raise _invalid("its header has the wrong length")
        if kind[:1].isupper() and kind not in _KEPT:
            raise _invalid("it has a chunk that is not known")
        yield kind, data
        place += 12 + length


def _demand_pixels(compressed: bytes, size: int) -> None:
    inflater = zlib.decompressobj()
    try:
        pixels = inflater.decompress(compressed, size + 1)
    except zlib.error:
        raise _invalid("its pixels can't be inflated") from None
    if len(pixels) != size:
        raise _invalid("it has not as many pixels as it says")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + _checksum(kind, data)


def _checksum(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", zlib.crc32(kind + data))


def _invalid(why: str) -> FormatError:
    return FormatError(f"not a PNG picture that can be used: {why}", code="png-invalid")
