"""What the Go linker leaves in an executable: toolchain version, modules, build settings (Go's debug/buildinfo).

The header is 32 bytes at a 16-byte boundary: magic, pointer size, flags. Since Go 1.18 (flag 2) two
length-prefixed strings follow it; before, it holds two pointers to string headers.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from types import MappingProxyType

from compliance.formats.elf import Layout
from compliance.model.filesystem import GoBuildInfo

MAGIC = b"\xff Go buildinf:"
TEXT_MAX = 16 * 2**20
MODULES_MAX = 20_000
_SENTINEL = 16  # bytes on either side of the module text


def read_go_buildinfo(content: bytes, layout: Layout | None, offsets: Iterable[int]) -> GoBuildInfo | None:
    """The build info at the first of `offsets` (places of MAGIC) where there really is one."""
    for offset in offsets:
        found = _read_at(content, layout, offset)
        if found is not None:
            version, modules = found
            if version.startswith(("go", "devel")):
                return _parse(version, modules)
    return None


def _read_at(content: bytes, layout: Layout | None, offset: int) -> tuple[str, str] | None:
    if offset % 16 or offset + 32 > len(content):
        return None
    pointer_size, flags = content[offset + 14], content[offset + 15]
    if flags & 2:
        version, after = _prefixed(content, offset + 32)
        modules, _ = _prefixed(content, after)
    elif layout is not None and pointer_size in (4, 8):
        order = ">" if flags & 1 else "<"
        version = _pointed(content, layout, offset + 16, pointer_size, order)
        modules = _pointed(content, layout, offset + 16 + pointer_size, pointer_size, order)
    else:
        return None
    if len(modules) > 2 * _SENTINEL and modules[-_SENTINEL - 1 : -_SENTINEL] == b"\n":
        modules = modules[_SENTINEL:-_SENTINEL]
    else:
        modules = b""
    return version.decode("utf-8", "replace"), modules.decode("utf-8", "replace")


def _prefixed(content: bytes, at: int) -> tuple[bytes, int]:
    """A string after its length as an unsigned varint, and the offset behind it; empty when it does not fit."""
    size = shift = 0
    while at < len(content) and shift < 35:
        byte = content[at]
        at += 1
        size |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
    if size > TEXT_MAX or at + size > len(content):
        return b"", at
    return content[at : at + size], at + size


def _pointed(content: bytes, layout: Layout, at: int, pointer_size: int, order: str) -> bytes:
    """The Go string whose header (address, length) the pointer at offset `at` leads to."""
    pair = struct.Struct(order + ("QQ" if pointer_size == 8 else "II"))
    (pointer,) = struct.unpack_from(order + ("Q" if pointer_size == 8 else "I"), content, at)
    header = layout.offset_of(pointer)
    if header is None or header + pair.size > len(content):
        return b""
    address, size = pair.unpack_from(content, header)
    start = layout.offset_of(address)
    if start is None or size > TEXT_MAX or start + size > len(content):
        return b""
    return content[start : start + size]


def _parse(version: str, text: str) -> GoBuildInfo:
    path = ""
    main = ("", "", "")
    modules: list[tuple[str, str, str]] = []
    settings: dict[str, str] = {}
    replaced_main = False
    for line in text.split("\n"):
        word, _, rest = line.partition("\t")
        if word == "path":
            path = rest
        elif word == "mod":
            main = _module(rest)
            replaced_main = True
        elif word == "dep" and len(modules) < MODULES_MAX:
            modules.append(_module(rest))
            replaced_main = False
        elif word == "=>":
            # The replacement is the code that was compiled in; a folder has no name of its own.
            replacement = _module(rest)
            if replacement[0].startswith((".", "/")):
                continue
            if replaced_main:
                main = replacement
            elif modules:
                modules[-1] = replacement
        elif word == "build":
            key, value = _setting(rest)
            settings[key] = value
    return GoBuildInfo(
        go_version=version.split(" ", 1)[0] if version.startswith("go") else version,
        path=path,
        main=main,
        modules=tuple(modules),
        settings=MappingProxyType(settings),
    )


def _module(text: str) -> tuple[str, str, str]:
    parts = [*text.split("\t"), "", "", ""]
    return parts[0], parts[1], parts[2]


def _setting(text: str) -> tuple[str, str]:
    """``key=value``; either may be a Go string literal, which for these is read as JSON where it is that."""
    if text.startswith('"'):
        end = text.find('"=', 1)
        key, value = (text[: end + 1], text[end + 2 :]) if end > 0 else (text, "")
    else:
        key, _, value = text.partition("=")
    return _unquoted(key), _unquoted(value)


def _unquoted(text: str) -> str:
    if text[:1] in ('"', "`") and text[-1:] == text[:1] and len(text) > 1:
        if text[0] == "`":
            return text[1:-1]
        try:
            return str(json.loads(text))
        except ValueError:
            return text[1:-1]
    return text
