"""Programs packed with UPX: what is inside comes out again, and nothing hostile gets through."""

from __future__ import annotations

import struct
from functools import partial

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from compliance.formats.elf import read_elf
from compliance.formats.upx import RATIO_MAX, unpack
from tests.builders import elf as make
from tests.builders import upx as packs

PROGRAM = make.program(b"\0PPID=\0OPTIND=1\0" + b"some text " * 40, needed=("libc.so.6",))
NRV = range(2, 11)


def magic(content: bytes | bytearray) -> int:
    return content.index(b"UPX!")


def unpacked(content: bytes) -> bytes | None:
    return unpack(content, magic(content))


@pytest.mark.parametrize(
    ("method", "compress"),
    [(14, packs.lzma_block), (15, packs.deflate_block), (8, bytes)],
    ids=["lzma", "deflate", "stored"],
)
def test_the_program_inside_comes_out(method: int, compress: object) -> None:
    inside = unpacked(packs.pack(PROGRAM, method, compress))  # type: ignore[arg-type]
    assert inside is not None
    elf, _ = read_elf(inside)
    assert elf.needed == ("libc.so.6",)
    assert elf.problem is None
    assert inside.endswith(PROGRAM[200:])


@st.composite
def matches(draw: st.DrawFn) -> list[packs.Token]:
    """Tokens of which every match lies within what came before."""
    tokens: list[packs.Token] = [draw(st.integers(0, 255))]
    size = 1
    for _ in range(draw(st.integers(0, 40))):
        if draw(st.booleans()):
            tokens.append(draw(st.integers(0, 255)))
            size += 1
        else:
            distance = draw(st.integers(1, size))
            length = draw(st.integers(4, 3000))
            tokens.append((distance, length))
            size += length
    return tokens


def plain(tokens: list[packs.Token]) -> bytes:
    out = bytearray()
    for token in tokens:
        if isinstance(token, int):
            out.append(token)
        else:
            for _ in range(token[1]):
                out.append(out[-token[0]])
    return bytes(out)


@given(tokens=matches(), method=st.sampled_from(NRV))
def test_every_nrv_stream_is_decoded(tokens: list[packs.Token], method: int) -> None:
    content = plain(tokens)
    head = PROGRAM[: 64 + 56]
    size = len(head) + len(content)
    header = bytearray(head)
    struct.pack_into("<H", header, 0x38, 1)
    struct.pack_into("<IIQQQQQQ", header, 64, 1, 5, 0, 0, 0, size, size, 8)
    stream = packs.nrv_block(tokens, method)
    stored = stream if len(stream) < len(content) else content
    blocks = [
        struct.pack("<IIBBBB", len(part), len(data), method, 0, 0, 0) + data
        for part, data in ((header, bytes(header)), (content, stored))
    ]
    info = b"\0\0\0\0UPX!" + bytes(4) + struct.pack("<III", 0, size, 2**24)
    padding = bytes(size // RATIO_MAX)
    found = unpack(info + b"".join(blocks) + padding, 4)
    assert found is not None
    assert found[64:] == (bytes(header) + content)[64:]


@pytest.mark.parametrize("method", NRV)
def test_a_stream_that_is_cut_off_is_not_unpacked(method: int) -> None:
    packed = packs.pack(PROGRAM, method, partial(_worth, method))
    assert unpacked(packed) is not None
    assert unpacked(packed[: len(packed) * 2 // 3]) is None


def _worth(method: int, part: bytes) -> bytes:
    """The repeated text as one match, so that packed is smaller than unpacked."""
    text = b"some text "
    at = part.find(text * 3)
    if at < 0:
        return part
    count = (len(part) - at) // len(text) * len(text)
    end = next(length for length in range(count, 0, -1) if part[at : at + length] == (text * 400)[:length])
    tokens: list[packs.Token] = [*part[: at + 10], (10, end - 10), *part[at + end :]]
    return packs.nrv_block(tokens, method)


@pytest.mark.parametrize(
    ("offset", "value"),
    [
        (16, struct.pack("<I", 2**31)),  # the size of the program
        (16, struct.pack("<I", 10)),
        (20, struct.pack("<I", 0)),  # the size of a block
        (24, struct.pack("<I", 0)),  # the unpacked size of the first block
        (28, struct.pack("<I", 2**31)),  # its packed size
        (32, b"\x63"),  # its method
    ],
    ids=["huge", "tiny", "no block size", "nothing unpacked", "beyond the end", "unknown method"],
)
def test_sizes_and_methods_that_cannot_be_are_refused(offset: int, value: bytes) -> None:
    packed = bytearray(packs.pack(PROGRAM, 14, packs.lzma_block))
    at = magic(packed) + offset - 4
    packed[at : at + len(value)] = value
    assert unpack(bytes(packed), magic(packed)) is None


def test_more_than_the_ratio_is_refused() -> None:
    bomb = make.program(bytes(RATIO_MAX * 4000))
    assert unpacked(packs.pack(bomb, 14, packs.lzma_block)) is None


@given(content=st.binary(max_size=400))
def test_no_bytes_are_an_error(content: bytes) -> None:
    unpack(b"\0\0\0\0UPX!" + content, 4)


@example(place=67, value=128)  # program headers at a place beyond what an offset can be
@given(place=st.integers(0, 700), value=st.integers(0, 255))
def test_no_damage_is_an_error(place: int, value: int) -> None:
    packed = bytearray(packs.pack(PROGRAM, 8, partial(_worth, 8)))
    at = magic(packed)
    packed[min(at + 4 + place, len(packed) - 1)] = value
    found = unpack(bytes(packed), at)
    assert found is None or len(found) <= RATIO_MAX * len(packed)
