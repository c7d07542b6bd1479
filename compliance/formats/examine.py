"""The one reading of a regular file's bytes: ELF headers, markers, applets, Go build info, the `#!` line.

Called for every regular file of an image, most of which are plain data and cost one comparison.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from math import log2
from typing import Protocol

from compliance.formats import go_buildinfo, multicall, upx
from compliance.formats.elf import MAGIC, RUST_SOURCES, Layout, read_elf, read_protections
from compliance.formats.literals import Hit, LiteralSearch
from compliance.formats.markers import MarkerRule, MarkerSearch
from compliance.model.filesystem import ElfFacts, FileFacts

SHEBANG_MAX = 256
DLOPEN_NAMES_MAX = 512
ANY_LIBRARY = "*"
"""Stands in `dlopen_names` for a file that names more libraries than are kept."""

_LIBRARY_SUFFIX = b".so"
_UPX = b"UPX!"
_UPX_NAME = "UPX"
_UPX_HEADER_MAX = 1024
UNPACKED = "UPX, unpacked"
"""The packer of a file whose other facts are those of the program inside: nothing of it is hidden."""
_LIBRARY = re.compile(rb"lib[\w.+-]{1,120}?\.so(?:\.\d{1,9}){0,4}")
_EXTRA_OFFSETS_MAX = 8192
_ZIP_START = b"PK\x03\x04"
_ZIP_END = b"PK\x05\x06"
_ZIP_END_SIZE_MAX = 22 + 0xFFFF


class Examines(Protocol):
    """Reads one whole file; None for what there is nothing to say of."""

    literals: LiteralSearch
    """What is looked for in programs."""

    def examine(self, content: bytes, hits: list[Hit] | None = None) -> FileFacts | None:
        """The facts of one whole file; `hits` are the literals of a program where they are known already."""
        ...


class PackageExaminer:
    """What an inventory needs: whether a file is a program, and what of its packages it states itself.

    Go build info, a package note, Rust's audit data; no markers, no names of libraries, no applets.
    """

    def __init__(self) -> None:
        """Nothing to set up before the first program."""
        self.literals = LiteralSearch((go_buildinfo.MAGIC,))

    def examine(self, content: bytes, hits: list[Hit] | None = None) -> FileFacts | None:
        """See Examines."""
        if content[:2] == b"#!":
            return FileFacts(shebang=_shebang(content))
        if content[:4] != MAGIC:
            return None
        elf, layout = read_elf(content)
        go = go_buildinfo.read_go_buildinfo(content, layout, self.literals.found(content, hits).get(0, ()))
        return FileFacts(elf=elf if go is None else replace(elf, go=go))


class Examiner:
    """Reads files against a set of marker rules. Never raises: what is damaged is told in the facts."""

    def __init__(self, rules: tuple[MarkerRule, ...]) -> None:
        """`rules` are those of ``controls.knowledge.marker_rules()``."""
        extras = (_LIBRARY_SUFFIX, _UPX, go_buildinfo.MAGIC, multicall.BUSYBOX, multicall.TOYBOX, RUST_SOURCES)
        self._search = MarkerSearch(tuple(rule for rule in rules if not rule.scripts), extras, _EXTRA_OFFSETS_MAX)
        self._script_search = MarkerSearch(tuple(rule for rule in rules if rule.scripts))
        self.literals = self._search.literals

    def examine(self, content: bytes, hits: list[Hit] | None = None) -> FileFacts | None:
        """See Examines; None for plain data."""
        if content[:2] == b"#!":
            markers = self._script_search.search(content).rules
            return FileFacts(shebang=_shebang(content), markers=markers, zip_app=_zip_directory(content) is not None)
        if content[:4] == MAGIC:
            return self._elf(content, hits)
        if content[:4] == _ZIP_START:
            return self._archive(content)
        return None

    def _archive(self, content: bytes) -> FileFacts | None:
        """What the names in a zip archive tell, which interpreters run as it is."""
        directory = _zip_directory(content)
        markers = self._script_search.search(directory).rules if directory is not None else ()
        return FileFacts(markers=markers, zip_app=True) if markers else None

    def _elf(self, content: bytes, hits: list[Hit] | None) -> FileFacts:
        """The facts of an ELF file; with those of the program inside where it is packed and can be unpacked, one deep.

        What the packed file shows by itself counts too: it may only look packed.
        """
        outer, packed = self._plain_elf(content, hits)
        if outer.packer != _UPX_NAME:
            return outer
        places = [offset for offset in packed if offset < _UPX_HEADER_MAX]
        program = upx.unpack(content, places[0]) if places else None
        if program is None:
            return outer
        inner, _ = self._plain_elf(program, None)
        return replace(
            inner,
            markers=tuple(sorted({*outer.markers, *inner.markers})),
            applets=inner.applets or outer.applets,
            packer=inner.packer or UNPACKED,
        )

    def _plain_elf(self, content: bytes, hits: list[Hit] | None) -> tuple[FileFacts, tuple[int, ...]]:
        """The facts of an ELF file as it is, and where the magic of UPX stands in it."""
        elf, layout = read_elf(content)
        found = self._search.search(content, hits)
        libraries, packed, go_info, busybox, toybox, rust = found.offsets
        names = _library_names(content, libraries, {*elf.needed, elf.soname or ""})
        go = go_buildinfo.read_go_buildinfo(content, layout, go_info) if go_info else None
        applets = multicall.busybox_applets(content) if busybox else ()
        applets = applets or (multicall.toybox_commands(content) if toybox else ())
        built = read_protections(content, layout, elf, rust=bool(rust))
        elf = replace(elf, dlopen_names=names, go=go, protections=built)
        facts = FileFacts(
            elf=elf,
            markers=found.rules,
            applets=applets,
            packer=_packer(content, elf, layout, packed),
        )
        return facts, packed


def _shebang(content: bytes) -> str:
    line = content[2 : 2 + SHEBANG_MAX].split(b"\n", 1)[0].rstrip(b"\r")
    return line.strip(b" \t").decode("utf-8", "surrogateescape")


def _zip_directory(content: bytes) -> bytes | None:
    """The bytes that list the members of the zip archive which `content` ends with; None when it ends with none."""
    end = content.rfind(_ZIP_END, max(0, len(content) - _ZIP_END_SIZE_MAX))
    if end < 0:
        return None
    size = int.from_bytes(content[end + 12 : end + 16], "little")
    return content[max(0, end - size) : end]


def _library_names(content: bytes, offsets: tuple[int, ...], known: set[str]) -> tuple[str, ...]:
    """Library file names in `content` other than those its dynamic section names anyway."""
    names: set[str] = set()
    done = 0
    for offset in offsets:
        if offset < done:
            continue
        for match in _LIBRARY.finditer(content, max(done, offset - 124), min(len(content), offset + 48)):
            if match.start() > offset:
                break  # the window may cut this one: its own offset comes next
            names.add(match[0].decode("ascii", "replace"))
            done = match.end()
    names -= known
    if len(names) > DLOPEN_NAMES_MAX or len(offsets) >= _EXTRA_OFFSETS_MAX:
        return (*sorted(names)[:DLOPEN_NAMES_MAX], ANY_LIBRARY)
    return tuple(sorted(names))


def _packer(content: bytes, elf: ElfFacts, layout: Layout | None, places: tuple[int, ...]) -> str | None:
    """``UPX`` by its magic behind the program headers or at the end; ``unknown`` for code that is all noise."""
    if any(offset < _UPX_HEADER_MAX or offset >= len(content) - 64 for offset in places):
        return _UPX_NAME
    if layout is None or not elf.runnable or not elf.sections_stripped or elf.needed or len(content) < 4096:
        return None
    return "unknown" if _entropy(content[len(content) // 2 :][:65536]) > 7.8 else None


def _entropy(sample: bytes) -> float:
    """Bits a byte."""
    total = len(sample)
    return -sum(count / total * log2(count / total) for count in Counter(sample).values())
