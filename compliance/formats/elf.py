"""What an ELF file says of itself, read from the headers that the loader reads (System V gABI, ch. 4 and 5).

Section headers are not needed by a loader and may be stripped, so everything comes from program headers, save
what only sections hold (``.dep-v0``). Damaged headers are told in `ElfFacts.problem`; nothing here raises.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from compliance.model.filesystem import ElfFacts

MAGIC = b"\x7fELF"

PROGRAM_HEADERS_MAX = 1024
DYNAMIC_ENTRIES_MAX = 4096
SECTION_HEADERS_MAX = 65_280  # SHN_LORESERVE; beyond it the count is elsewhere
NOTES_MAX = 256
STRING_MAX = 4096
LIST_MAX = 1024
NOTE_CONTENT_MAX = 64 * 1024

_FILE_TYPES = {1: "relocatable", 2: "executable", 3: "shared", 4: "core"}
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP, _PT_NOTE = 1, 2, 3, 4
_PF_X = 1
_DT_NEEDED, _DT_STRTAB, _DT_STRSZ, _DT_SONAME, _DT_RPATH, _DT_RUNPATH = 1, 5, 10, 14, 15, 29
_DT_FLAGS_1, _DT_AUXILIARY, _DT_FILTER = 0x6FFFFFFB, 0x7FFFFFFD, 0x7FFFFFFF
_DF_1_PIE = 0x08000000
_NT_GNU_BUILD_ID = 3
_NT_FDO_PACKAGING = 0xCAFE1A7E


class _DamagedError(Exception):
    """A header points outside the file, or counts past a bound."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One program header."""

    kind: int
    flags: int
    offset: int
    address: int
    size: int  # in the file


@dataclass(frozen=True, slots=True)
class Layout:
    """The parts of the ELF header that say where everything else is."""

    bits: int
    order: str  # "<" or ">"
    file_type: int
    machine: int
    entry: int
    segments: tuple[Segment, ...]
    section_table: tuple[int, int, int, int]  # offset, entry size, count, index of the name table

    def offset_of(self, address: int) -> int | None:
        """The file offset that is loaded at `address`."""
        for segment in self.segments:
            if segment.kind == _PT_LOAD and 0 <= address - segment.address < segment.size:
                return address - segment.address + segment.offset
        return None


def is_elf(content: bytes) -> bool:
    """Whether `content` begins as an ELF file does."""
    return content[:4] == MAGIC


def read_elf(content: bytes) -> tuple[ElfFacts, Layout | None]:
    """The facts of an ELF file and its layout (None when the ELF header itself is unusable)."""
    try:
        layout = _layout(content)
    except _DamagedError as problem:
        return ElfFacts(file_type="other", machine=0, bits=0, runnable=False, problem=str(problem)), None
    reading = _Reading(content, layout)
    dynamic = reading.dynamic()
    interpreter = reading.interpreter()
    pie = layout.file_type == 3 and (interpreter is not None or bool(dynamic.flags_1 & _DF_1_PIE))
    build_id, package_note = reading.notes()
    return (
        ElfFacts(
            file_type=_FILE_TYPES.get(layout.file_type, "other"),
            machine=layout.machine,
            bits=layout.bits,
            runnable=layout.entry != 0 and (layout.file_type == 2 or pie),
            interpreter=interpreter,
            soname=dynamic.soname,
            needed=dynamic.needed,
            rpath=dynamic.rpath,
            runpath=dynamic.runpath,
            build_id=build_id,
            package_note=package_note,
            rust_audit=reading.section(b".dep-v0"),
            sections_stripped=layout.section_table[2] == 0,
            problem=reading.problem,
        ),
        layout,
    )


@dataclass(slots=True)
class _Dynamic:
    needed: tuple[str, ...] = ()
    soname: str | None = None
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    flags_1: int = 0


class _Reading:
    """One file being read; the first thing found wrong is kept in `problem` and the rest is still read."""

    def __init__(self, content: bytes, layout: Layout) -> None:
        self.content = content
        self.layout = layout
        self.problem: str | None = None

    def _segments(self, kind: int) -> Iterator[tuple[Segment, bytes]]:
        for segment in self.layout.segments:
            if segment.kind == kind:
                if segment.offset + segment.size > len(self.content):
                    self._wrong("a program header points outside the file")
                yield segment, self.content[segment.offset : segment.offset + segment.size]

    def _wrong(self, problem: str) -> None:
        self.problem = self.problem or problem

    def interpreter(self) -> str | None:
        for _, data in self._segments(_PT_INTERP):
            return _text(data[:STRING_MAX].split(b"\0", 1)[0]) or None
        return None

    def dynamic(self) -> _Dynamic:
        found = _Dynamic()
        for _, data in self._segments(_PT_DYNAMIC):
            entry = struct.Struct(self.layout.order + ("qQ" if self.layout.bits == 64 else "iI"))
            tags: list[tuple[int, int]] = []
            for tag, value in entry.iter_unpack(data[: len(data) // entry.size * entry.size]):
                if tag == 0:
                    break
                if len(tags) == DYNAMIC_ENTRIES_MAX:
                    self._wrong("too many dynamic entries")
                    break
                tags.append((tag, value))
            self._interpret(tags, found)
            break
        return found

    def _interpret(self, tags: list[tuple[int, int]], found: _Dynamic) -> None:
        first = dict(reversed(tags))
        found.flags_1 = first.get(_DT_FLAGS_1, 0)
        if _DT_STRTAB not in first:
            return
        start = self.layout.offset_of(first[_DT_STRTAB])
        if start is None:
            self._wrong("the dynamic string table is not in the file")
            return
        end = min(start + first.get(_DT_STRSZ, len(self.content)), len(self.content))

        def strings(*wanted: int) -> tuple[str, ...]:
            out: list[str] = []
            for tag, value in tags:
                if tag not in wanted:
                    continue
                if len(out) == LIST_MAX:
                    self._wrong("too many names in the dynamic section")
                    break
                stop = self.content.find(b"\0", start + value, min(start + value + STRING_MAX, end))
                if start + value >= end or stop < 0:
                    self._wrong("a dynamic string lies outside its table")
                    continue
                out.append(_text(self.content[start + value : stop]))
            return tuple(out)

        # A filter or auxiliary object is loaded like a needed one (gABI's DT_FILTER, GNU ld.so).
        found.needed = strings(_DT_NEEDED, _DT_FILTER, _DT_AUXILIARY)
        found.soname = next(iter(strings(_DT_SONAME)), None)
        found.rpath = tuple(part for text in strings(_DT_RPATH) if text for part in text.split(":"))
        found.runpath = tuple(part for text in strings(_DT_RUNPATH) if text for part in text.split(":"))

    def notes(self) -> tuple[str | None, str | None]:
        """Build id (hex) and package note (JSON text)."""
        build_id: str | None = None
        package: str | None = None
        read = 0
        for _, data in self._segments(_PT_NOTE):
            at = 0
            while at + 12 <= len(data) and read < NOTES_MAX:
                read += 1
                name_size, size, kind = struct.unpack_from(self.layout.order + "III", data, at)
                name = data[at + 12 : at + 12 + min(name_size, 16)]
                start = at + 12 + _aligned(name_size)
                if start + size > len(data):
                    break  # 8-byte aligned .note.gnu.property, or damage: what follows can't be told apart
                if kind == _NT_GNU_BUILD_ID and name == b"GNU\0" and 0 < size <= 64:
                    build_id = build_id or data[start : start + size].hex()
                elif kind == _NT_FDO_PACKAGING and name == b"FDO\0" and size <= NOTE_CONTENT_MAX:
                    text = data[start : start + size].rstrip(b"\0").decode("utf-8", "replace")
                    package = package or text or None
                at = start + _aligned(size)
        return build_id, package

    def section(self, name: bytes) -> bytes | None:
        """The content of the section of that name, if there are section headers."""
        offset, entry_size, count, names_index = self.layout.section_table
        fields = struct.Struct(self.layout.order + ("IIQQQQ" if self.layout.bits == 64 else "IIIIII"))
        if not 0 < count <= SECTION_HEADERS_MAX or names_index >= count or entry_size < fields.size:
            return None
        if offset + entry_size * count > len(self.content):
            self._wrong("the section headers point outside the file")
            return None

        def header(index: int) -> tuple[int, int, int]:
            name_at, _, _, _, start, size = fields.unpack_from(self.content, offset + index * entry_size)
            return name_at, start, size

        _, names_at, names_size = header(names_index)
        if self.content.find(b"\0" + name + b"\0", names_at, min(names_at + names_size, len(self.content))) < 0:
            return None
        for index in range(count):
            name_at, start, size = header(index)
            here = names_at + name_at
            if self.content[here : here + len(name) + 1] == name + b"\0" and start + size <= len(self.content):
                return self.content[start : start + size]
        return None


def _layout(content: bytes) -> Layout:
    if len(content) < 52:
        raise _DamagedError("shorter than an ELF header")
    bits = {1: 32, 2: 64}.get(content[4])
    order = {1: "<", 2: ">"}.get(content[5])
    if bits is None or order is None:
        raise _DamagedError("neither 32 nor 64 bits, or no known byte order")
    header = struct.Struct(order + ("HHIQQQIHHHHHH" if bits == 64 else "HHIIIIIHHHHHH"))
    if len(content) < 16 + header.size:
        raise _DamagedError("shorter than an ELF header")
    kind, machine, _, entry, programs, sections, _, _, size, count, section_size, section_count, names = (
        header.unpack_from(content, 16)
    )
    return Layout(
        bits=bits,
        order=order,
        file_type=kind,
        machine=machine,
        entry=entry,
        segments=_program_headers(content, bits, order, programs, size, count) if count else (),
        section_table=(sections, section_size, section_count, names),
    )


def _program_headers(content: bytes, bits: int, order: str, start: int, size: int, count: int) -> tuple[Segment, ...]:
    fields = struct.Struct(order + ("IIQQQQQQ" if bits == 64 else "IIIIIIII"))
    if count > PROGRAM_HEADERS_MAX or size < fields.size:
        raise _DamagedError("too many program headers, or too short ones")
    if start + size * count > len(content):
        raise _DamagedError("the program headers point outside the file")
    out = []
    for index in range(count):
        values = fields.unpack_from(content, start + index * size)
        if bits == 64:
            kind, flags, offset, address, _, file_size, _, _ = values
        else:
            kind, offset, address, _, file_size, _, flags, _ = values
        out.append(Segment(kind, flags, offset, address, file_size))
    return tuple(out)


def _aligned(size: int) -> int:
    return (size + 3) & ~3


def _text(data: bytes) -> str:
    """Names are paths: decoded as the tree's paths are."""
    return data.decode("utf-8", "surrogateescape")
