"""No bytes make the reading of a file raise, take long, or depend on anything but the bytes."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from compliance.formats.examine import Examiner
from compliance.formats.go_buildinfo import MAGIC
from compliance.formats.markers import Marker, MarkerRule
from tests.builders import elf as make

RULES = (
    MarkerRule(id="one", minimum=1, markers=(Marker(alternatives=(b"PS1=$ ",)),)),
    MarkerRule(id="two", minimum=2, markers=(Marker(alternatives=(b"abc",)), Marker(alternatives=(b"bcd", b"xyz")))),
)
EXAMINER = Examiner(RULES)
GO_HEADER = MAGIC + bytes((8, 2)) + bytes(16)
REAL = Path("/bin/sh").read_bytes()[:65536] if Path("/bin/sh").exists() else make.program(b"x" * 4096)
BUILT = make.build(
    make.Elf(
        interpreter="/lib/ld.so.1",
        needed=("libc.so.6",),
        build_id=b"1" * 20,
        sections={b".dep-v0": b"zlib"},
        text=GO_HEADER + b"\x08go1.99.9" + b"BusyBox v1.36\0: applet not found\0libfoo.so.1\0UPX!",
    )
)


@given(st.binary(max_size=2000))
def test_any_bytes_behind_the_magic_are_examined(content: bytes) -> None:
    EXAMINER.examine(b"\x7fELF" + content)


@given(st.binary(max_size=600))
def test_any_bytes_are_examined(content: bytes) -> None:
    first = EXAMINER.examine(content)
    assert first == EXAMINER.examine(content)
    assert first is None or content.startswith((b"\x7fELF", b"#!"))


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.integers(0, 511), st.integers(0, 255)), min_size=1, max_size=12),
    st.sampled_from([REAL, BUILT]),
    st.integers(0, 400),
)
def test_mutated_headers_are_examined(changes: list[tuple[int, int]], original: bytes, cut: int) -> None:
    content = bytearray(original[: len(original) - cut])
    for offset, value in changes:
        content[min(offset, len(content) - 1)] = value
    EXAMINER.examine(bytes(content))


@given(st.binary(max_size=64), st.binary(max_size=200))
def test_any_go_build_info_is_examined(header: bytes, behind: bytes) -> None:
    EXAMINER.examine(make.static_program(MAGIC + header.ljust(18, b"\0") + behind))
