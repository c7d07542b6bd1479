"""ELF files made by hand: the headers that a loader reads, with the content a test wants in them."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

EXECUTABLE, SHARED, RELOCATABLE = 2, 3, 1
X86_64, AARCH64, PPC, S390X = 62, 183, 20, 22
GLIBC_LOADER = "/lib64/ld-linux-x86-64.so.2"
MUSL_LOADER = "/lib/ld-musl-x86_64.so.1"
BASE = 0x10000
DF_1_PIE = 0x08000000


@dataclass(frozen=True, kw_only=True)
class Elf:
    """What to write. `text` is put into the file as it is; `sections` are named sections with their content."""

    bits: int = 64
    order: str = "<"
    file_type: int = SHARED
    machine: int = X86_64
    entry: int = BASE
    interpreter: str | None = None
    needed: tuple[str, ...] = ()
    soname: str | None = None
    rpath: str | None = None
    runpath: str | None = None
    flags_1: int = 0
    build_id: bytes | None = None
    package_note: str | None = None
    text: bytes = b""
    sections: Mapping[bytes, bytes] = field(default_factory=dict)


def program(text: bytes = b"", *, needed: tuple[str, ...] = (), loader: str = GLIBC_LOADER, **more: object) -> bytes:
    """A dynamically linked position-independent executable."""
    return build(Elf(text=text, needed=needed, interpreter=loader, **more))  # type: ignore[arg-type]


def static_program(text: bytes = b"", **more: object) -> bytes:
    """A static executable without dynamic section."""
    return build(Elf(text=text, file_type=EXECUTABLE, **more))  # type: ignore[arg-type]


def library(soname: str | None, text: bytes = b"", *, needed: tuple[str, ...] = (), **more: object) -> bytes:
    """A shared library."""
    return build(Elf(text=text, soname=soname, needed=needed, entry=0, **more))  # type: ignore[arg-type]


def build(spec: Elf) -> bytes:
    """The bytes: ELF header, program headers, content, section headers; one segment loads all of it at BASE."""
    wide = spec.bits == 64
    header_size, program_size = (64, 56) if wide else (52, 32)
    strings = _Strings()
    dynamic = _dynamic(spec, strings)
    parts: list[tuple[int, bytes]] = []
    if spec.interpreter is not None:
        parts.append((3, spec.interpreter.encode() + b"\0"))
    notes = _notes(spec)
    if notes:
        parts.append((4, notes))
    count = 1 + len(parts) + bool(dynamic)
    at = header_size + program_size * count
    body = b""
    segments: list[tuple[int, int, int]] = []

    def put(data: bytes) -> int:
        nonlocal body
        body += b"\0" * (-(at + len(body)) % 16)
        offset = at + len(body)
        body += data
        return offset

    for kind, data in parts:
        segments.append((kind, put(data), len(data)))
    if dynamic:
        table = put(bytes(strings.data))
        entry = struct.Struct(spec.order + ("qQ" if wide else "iI"))
        tags = [*dynamic, (5, BASE + table), (10, len(strings.data)), (0, 0)]
        data = b"".join(entry.pack(tag, value) for tag, value in tags)
        segments.append((2, put(data), len(data)))
    put(spec.text)
    table_at, names_index, section_headers = _sections(spec, put) if spec.sections else (0, 0, ())
    section_size = 64 if wide else 40
    sections_at = put(b"".join(section_headers)) if section_headers else table_at
    size = at + len(body)
    header = b"\x7fELF" + bytes((2 if wide else 1, 1 if spec.order == "<" else 2, 1)) + bytes(9)
    header += struct.pack(
        spec.order + ("HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH"),
        spec.file_type, spec.machine, 1, spec.entry, header_size, sections_at, 0,
        header_size, program_size, count, section_size, len(section_headers), names_index,
    )  # fmt: skip
    headers = _program_header(spec, 1, 5, 0, size)
    headers += b"".join(_program_header(spec, kind, 4, offset, length) for kind, offset, length in segments)
    return header + headers + body


class _Strings:
    def __init__(self) -> None:
        self.data = bytearray(b"\0")

    def add(self, text: str) -> int:
        at = len(self.data)
        self.data += text.encode() + b"\0"
        return at


def _dynamic(spec: Elf, strings: _Strings) -> list[tuple[int, int]]:
    tags = [(1, strings.add(name)) for name in spec.needed]
    for tag, text in ((14, spec.soname), (15, spec.rpath), (29, spec.runpath)):
        if text is not None:
            tags.append((tag, strings.add(text)))
    if spec.flags_1:
        tags.append((0x6FFFFFFB, spec.flags_1))
    return tags


def _notes(spec: Elf) -> bytes:
    out = b""
    for kind, name, content in (
        (3, b"GNU\0", spec.build_id),
        (0xCAFE1A7E, b"FDO\0", spec.package_note.encode() + b"\0" if spec.package_note else None),
    ):
        if content is not None:
            padding = b"\0" * (-len(content) % 4)
            out += struct.pack(spec.order + "III", len(name), len(content), kind) + name + content + padding
    return out


def _program_header(spec: Elf, kind: int, flags: int, offset: int, size: int) -> bytes:
    address = BASE + offset
    if spec.bits == 64:
        return struct.pack(spec.order + "IIQQQQQQ", kind, flags, offset, address, address, size, size, 8)
    return struct.pack(spec.order + "IIIIIIII", kind, offset, address, address, size, size, flags, 4)


def _sections(spec: Elf, put: object) -> tuple[int, int, tuple[bytes, ...]]:
    assert callable(put)
    fields = struct.Struct(spec.order + ("IIQQQQIIQQ" if spec.bits == 64 else "IIIIIIIIII"))
    names = _Strings()
    headers = [fields.pack(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)]
    for name, content in spec.sections.items():
        headers.append(fields.pack(names.add(name.decode()), 1, 0, 0, put(content), len(content), 0, 0, 1, 0))
    own = names.add(".shstrtab")
    table = bytes(names.data)
    headers.append(fields.pack(own, 3, 0, 0, put(table), len(table), 0, 0, 1, 0))
    return 0, len(headers) - 1, tuple(headers)
