"""Small ELF programs made by hand, and the examiner that reads them with the library's own rules."""

from __future__ import annotations

import struct
from functools import cache

from compliance.formats.examine import Examiner
from controls.knowledge import marker_rules

LOADER = "lib64/ld-linux-x86-64.so.2"


@cache
def examiner() -> Examiner:
    """The examiner as an assessment uses it."""
    return Examiner(marker_rules())


def elf(text: bytes = b"", *, loader: str | None = None, run_path: str | None = None) -> bytes:
    """An x86-64 executable of one page of nothing; `text` is put behind its headers.

    With `loader` it is dynamically linked through that PT_INTERP, with `run_path` it has that DT_RUNPATH.
    """
    strings = b"\0" + (run_path or "").encode() + b"\0"
    interpreter = (loader or "").encode() + b"\0"
    segments = [1] + ([3] if loader else []) + ([2] if run_path is not None else [])
    start = 64 + 56 * len(segments)
    base = 0x400000
    dynamic_at, strings_at = start + len(interpreter), start + len(interpreter) + 64
    dynamic = struct.pack("<8Q", 29, 1, 5, base + strings_at, 10, len(strings), 0, 0)
    body = interpreter + dynamic + strings + text
    size = start + len(body)
    header = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, 62, 1, base + start, 64, 0, 0, 64, 56, len(segments), 0, 0, 0
    )
    places = {1: (0, size), 3: (start, len(interpreter)), 2: (dynamic_at, len(dynamic))}
    table = b"".join(
        struct.pack("<IIQQQQQQ", kind, 5, places[kind][0], base + places[kind][0], base, places[kind][1], size, 8)
        for kind in segments
    )
    return header + table + body


def shared_object() -> bytes:
    """A shared library: as far as headers tell, nothing that can be started."""
    content = bytearray(elf())
    struct.pack_into("<HH", content, 16, 3, 62)
    struct.pack_into("<Q", content, 24, 0)
    return bytes(content)
