"""The text of a PDF's pages, as far as it is written as our reports are: to compare what they show with the data.

Read are strings of glyphs in fonts that say which characters these are (ISO 32000-1, 9.10.3). Order is that of the
page's content, which is not always that of reading. The PDF may be hostile.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from compliance.errors import LimitError
from reports.pdf_attachments import member, reading

PAGES_MAX = 2_000
TEXT_MAX = 32 * 2**20
"""Characters of all pages together."""
CONTENT_MAX = 256 * 2**20
"""Bytes of all pages together, those that several pages share counted for each."""

_GLYPHS_MAX = 65_536
# Possessive throughout: no input makes it try twice.
_FONT_OR_TEXT = re.compile(
    rb"/([^\s/\[\]<>(){}%]{1,127}+)\s++[-+.\d]++\s++Tf\b"
    rb"|(\[(?:\s*+(?:<[0-9A-Fa-f\s]*+>|[-+.\d]++))*+\s*+\]\s*+TJ\b|<[0-9A-Fa-f\s]*+>\s*+Tj\b)"
)
_HEX = re.compile(rb"<([0-9A-Fa-f\s]*)>")
_SECTION = re.compile(rb"begin(bfchar|bfrange)\b")


_Characters = Mapping[bytes, str]
"""The text of each glyph, by its code."""


def page_text(content: bytes) -> tuple[str, ...]:
    """The text of all pages, one piece for each string shown; no piece is empty.

    What is in fonts without such a table, or in literal strings, is left out. Raises FormatError, LimitError.
    """
    return reading(content, lambda reader: tuple(_pieces(reader)))


def _pieces(reader: Any) -> Iterator[str]:
    text_left, content_left = TEXT_MAX, CONTENT_MAX
    fonts: dict[int, tuple[Any, _Characters]] = {}
    for page in _pages(member(reader.root, "/Pages", {})):
        content = _content(page)
        content_left -= len(content)
        for piece in _shown(content, _fonts(page, fonts)):
            text_left -= len(piece)
            if min(text_left, content_left) < 0:
                raise _limit(f"the pages have more than {TEXT_MAX} characters or {CONTENT_MAX} bytes")
            yield piece
        if content_left < 0:
            raise _limit(f"the pages have more than {CONTENT_MAX} bytes")


def _pages(root: Any) -> Iterator[Any]:
    """The leaves of the page tree (7.7.3), in order. A tree may lead into itself."""
    seen, waiting = 0, [root]
    while waiting:
        node = waiting.pop()
        kids = member(node, "/Kids", None)
        if kids is None:
            yield node
        else:
            waiting += [kids[place] for place in reversed(range(len(kids)))]
        seen += 1
        if seen + len(waiting) > 2 * PAGES_MAX:
            raise _limit(f"more than {PAGES_MAX} pages")


def _content(page: Any) -> bytes:
    contents = member(page, "/Contents", [])
    if hasattr(contents, "data"):
        return bytes(contents.data)
    return b"\n".join(bytes(contents[place].data) for place in range(len(contents)))


def _fonts(page: Any, known: dict[int, tuple[Any, _Characters]]) -> Mapping[bytes, _Characters]:
    """The characters of each glyph, by font name on this page. Pages share fonts, which are read once and kept."""
    fonts = member(member(page, "/Resources", {}), "/Font", {})
    found = {}
    for name in fonts:
        font = fonts[name]
        if id(font) not in known:
            table = member(font, "/ToUnicode", None)
            known[id(font)] = font, {} if table is None else _characters(bytes(table.data))
        found[str(name).removeprefix("/").encode()] = known[id(font)][1]
    return found


def _characters(table: bytes) -> Mapping[bytes, str]:
    """A ToUnicode CMap: two-byte codes to text."""
    characters: dict[bytes, str] = {}
    left = _GLYPHS_MAX
    for pair in _pairs(table):
        characters[pair[0]] = pair[1]
        left -= 1
        if left < 0:
            raise _limit(f"a font says more than {_GLYPHS_MAX} times what a glyph is")
    return characters


def _pairs(table: bytes) -> Iterator[tuple[bytes, str]]:
    place = 0
    while begin := _SECTION.search(table, place):
        place = table.find(b"end" + begin[1], begin.end())
        if place < 0:
            return
        values = list(map(_unhex, _HEX.findall(table, begin.end(), place)))
        if begin[1] == b"bfchar":
            yield from zip(values[::2], map(_text, values[1::2]), strict=False)
        else:
            yield from _ranges(values)


def _ranges(values: list[bytes]) -> Iterator[tuple[bytes, str]]:
    """``<first> <last> <text of the first>``, the last character of which counts up; lists are not of our making."""
    for first, last, start in zip(values[::3], values[1::3], values[2::3], strict=False):
        text = _text(start)
        if len(first) != 2 or len(last) != 2 or not text:
            continue
        begin = int.from_bytes(first)
        for code in range(begin, int.from_bytes(last) + 1):
            step = ord(text[-1]) + code - begin
            known = step < 0x110000 and not 0xD800 <= step < 0xE000
            yield code.to_bytes(2), text[:-1] + (chr(step) if known else "\ufffd")


def _shown(content: bytes, fonts: Mapping[bytes, _Characters]) -> Iterator[str]:
    characters: _Characters = {}
    for font, shown in _FONT_OR_TEXT.findall(content):
        if font:
            characters = fonts.get(font, {})
            continue
        codes = b"".join(map(_unhex, _HEX.findall(shown)))
        text = "".join(characters.get(codes[place : place + 2], "") for place in range(0, len(codes), 2))
        if text:
            yield text


def _unhex(digits: bytes) -> bytes:
    plain = b"".join(digits.split())
    return bytes.fromhex((plain + b"0" * (len(plain) % 2)).decode("ascii"))


def _text(value: bytes) -> str:
    return value.decode("utf-16-be", "replace")


def _limit(what: str) -> LimitError:
    return LimitError(what, code="pdf-text-max", where="report.pdf")
