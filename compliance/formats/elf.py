"""What an ELF file says of itself, read from the headers that the loader reads (System V gABI, ch. 4 and 5).

Section headers are not needed by a loader and may be stripped, so everything comes from program headers, save
what only sections hold (``.dep-v0``). Damaged headers are told in `ElfFacts.problem`; nothing here raises.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from compliance.model.filesystem import ElfFacts, ElfProtections

MAGIC = b"\x7fELF"

PROGRAM_HEADERS_MAX = 1024
DYNAMIC_ENTRIES_MAX = 4096
SECTION_HEADERS_MAX = 65_280  # SHN_LORESERVE; beyond it the count is elsewhere
NOTES_MAX = 256
STRING_MAX = 4096
LIST_MAX = 1024
SYMBOLS_MAX = 65_536
NOTE_CONTENT_MAX = 64 * 1024

_FILE_TYPES = {1: "relocatable", 2: "executable", 3: "shared", 4: "core"}
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP, _PT_NOTE = 1, 2, 3, 4
_PT_GNU_STACK, _PT_GNU_RELRO = 0x6474E551, 0x6474E552
_PF_X, _PF_W = 1, 2
_DT_NEEDED, _DT_STRTAB, _DT_STRSZ, _DT_SONAME, _DT_RPATH, _DT_RUNPATH = 1, 5, 10, 14, 15, 29
_DT_FLAGS_1, _DT_AUXILIARY, _DT_FILTER = 0x6FFFFFFB, 0x7FFFFFFD, 0x7FFFFFFF
_DT_HASH, _DT_SYMTAB, _DT_TEXTREL, _DT_BIND_NOW, _DT_FLAGS, _DT_GNU_HASH = 4, 6, 22, 24, 30, 0x6FFFFEF5
_DF_TEXTREL, _DF_BIND_NOW = 4, 8
_DF_1_NOW, _DF_1_PIE = 1, 0x08000000
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
        tags = self.tags()
        if tags:
            self._interpret(tags, found)
        return found

    def tags(self) -> list[tuple[int, int]]:
        """The dynamic section, (tag, value) each."""
        tags: list[tuple[int, int]] = []
        for _, data in self._segments(_PT_DYNAMIC):
            entry = struct.Struct(self.layout.order + ("qQ" if self.layout.bits == 64 else "iI"))
            for tag, value in entry.iter_unpack(data[: len(data) // entry.size * entry.size]):
                if tag == 0:
                    break
                if len(tags) == DYNAMIC_ENTRIES_MAX:
                    self._wrong("too many dynamic entries")
                    break
                tags.append((tag, value))
            break
        return tags

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

    def raw_notes(self) -> Iterator[bytes]:
        """The bytes of each segment of notes."""
        for _, data in self._segments(_PT_NOTE):
            yield data

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


_STACK_CHECK = b"__stack_chk_fail"
# Calls that _FORTIFY_SOURCE replaces wherever they are made; those with a known size alone tell nothing when absent.
_ALWAYS_FORTIFIED = frozenset((b"printf", b"fprintf", b"vprintf", b"vfprintf", b"dprintf", b"syslog", b"vsyslog"))
_TELLING = re.compile(
    rb"(__stack_chk_fail|__[^\0]{0,%d}_chk|%b)\0" % (STRING_MAX, b"|".join(map(re.escape, sorted(_ALWAYS_FORTIFIED))))
)
"""Imports that tell how a program was built."""
_MUSL = ("libc.musl-", "libc.so")
# Machines on which the loader makes the stack executable for a file that does not say (glibc's stackinfo.h, the
# kernel's elf_read_implies_exec), and those on which it never does.
_X86, _ARM, _PPC, _S390, _MIPS, _SPARC = (3, 62), (40,), (20,), (22,), (8,), (2, 43)
_EXECUTABLE_BY_DEFAULT = frozenset((*_X86, *_ARM, *_PPC, *_S390, *_MIPS, *_SPARC))
_NOT_EXECUTABLE_BY_DEFAULT = frozenset((21, 50, 183, 243, 258))  # PPC64, IA-64, AArch64, RISC-V, LoongArch
_GO_NOTES = (b"\x04\0\0\0Go\0\0", b"\0\0\0\x04Go\0\0")  # type 4 of owner Go: the build id
RUST_SOURCES = b"/rustc/"
"""Where the sources of Rust's own library are: in the messages of every program that can panic."""


def read_protections(
    content: bytes, layout: Layout | None, facts: ElfFacts, *, rust: bool = False
) -> ElfProtections | None:
    """How the program or library that `facts` are of is built; None for other files and damaged headers.

    `rust` says that RUST_SOURCES stands in it.
    """
    if layout is None or facts.problem is not None or facts.file_type not in ("executable", "shared"):
        return None
    reading = _Reading(content, layout)
    tags = dict(reversed(reading.tags()))
    kinds = {segment.kind: segment for segment in layout.segments}
    flags, flags_1 = tags.get(_DT_FLAGS, 0), tags.get(_DT_FLAGS_1, 0)
    at_once = _DT_BIND_NOW in tags or bool(flags & _DF_BIND_NOW) or bool(flags_1 & _DF_1_NOW)
    imported = _imports(content, layout, tags) if facts.needed else None
    return ElfProtections(
        pie=layout.file_type == 3 and facts.runnable,
        relro="none" if _PT_GNU_RELRO not in kinds else "full" if at_once else "partial",
        executable_stack=_executable_stack(kinds.get(_PT_GNU_STACK), layout.machine),
        writable_code=any(
            segment.kind == _PT_LOAD and segment.flags & _PF_X and segment.flags & _PF_W for segment in layout.segments
        ),
        text_relocations=_DT_TEXTREL in tags or bool(flags & _DF_TEXTREL),
        stack_protector=None if imported is None else _STACK_CHECK in imported,
        fortified=None if _is_musl(facts) else _fortified(imported),
        made_by=_made_by(reading, rust=rust or facts.rust_audit is not None),
    )


def _executable_stack(stack: Segment | None, machine: int) -> bool | None:
    if stack is not None:
        return bool(stack.flags & _PF_X)
    if machine in _EXECUTABLE_BY_DEFAULT:
        return True
    return False if machine in _NOT_EXECUTABLE_BY_DEFAULT else None


def _fortified(imported: frozenset[bytes] | None) -> bool | None:
    if imported is None:
        return None
    if any(name.endswith(b"_chk") for name in imported):
        return True
    return None if imported.isdisjoint(_ALWAYS_FORTIFIED) else False


def _is_musl(facts: ElfFacts) -> bool:
    return any(name.startswith(_MUSL[0]) or name == _MUSL[1] for name in facts.needed)


def _made_by(reading: _Reading, *, rust: bool) -> str | None:
    if any(go in note[:256] for note in reading.raw_notes() for go in _GO_NOTES):
        return "go"
    return "rust" if rust else None


def _imports(content: bytes, layout: Layout, tags: dict[int, int]) -> frozenset[bytes] | None:
    """Which of the telling names are undefined dynamic symbols; None where the symbol table can't be found."""
    symbols = layout.offset_of(tags.get(_DT_SYMTAB, -1))
    strings = layout.offset_of(tags.get(_DT_STRTAB, -1))
    if symbols is None or strings is None:
        return None
    wide = layout.bits == 64
    entry = struct.Struct(layout.order + ("IBBHQQ" if wide else "IIIBBH"))
    count = _symbol_count(content, layout, tags, symbols, strings, entry.size)
    if count is None or symbols + count * entry.size > len(content):
        return None
    end = min(strings + tags.get(_DT_STRSZ, 0), len(content))
    section = 3 if wide else 5
    table = entry.iter_unpack(content[symbols : symbols + count * entry.size])
    starts = {fields[0] for fields in table if fields[section] == 0}
    told = (_TELLING.match(content, strings + start, end) for start in starts)
    return frozenset(match[1] for match in told if match is not None)


def _symbol_count(
    content: bytes, layout: Layout, tags: dict[int, int], symbols: int, strings: int, size: int
) -> int | None:
    """How many dynamic symbols there are, or, where a GNU hash table tells it, how many come before the defined ones.

    Nothing else tells the count to a loader; an empty GNU hash table says 1 whatever there is, and then only the
    string table that linkers put behind the symbols bounds them.
    """

    def words(tag: int, number: int, skip: int = 0) -> Sequence[int]:
        at = layout.offset_of(tags.get(tag, -1))
        if at is None or at + skip + 4 * number > len(content):
            return ()
        return struct.unpack_from(f"{layout.order}{number}I", content, at + skip)

    hashed = words(_DT_HASH, 2)
    if hashed and (layout.bits, layout.machine) not in ((64, 22), (64, 0x9026)):  # 64-bit words on S/390 and Alpha
        return min(hashed[1], SYMBOLS_MAX)
    gnu = words(_DT_GNU_HASH, 4)
    if gnu:
        buckets, first, bloom, _ = gnu
        if any(words(_DT_GNU_HASH, min(buckets, SYMBOLS_MAX), 16 + bloom * layout.bits // 8)):
            return min(first, SYMBOLS_MAX)
    return min((strings - symbols) // size, SYMBOLS_MAX) if strings > symbols else None


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
