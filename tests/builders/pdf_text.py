"""The text of a PDF as WeasyPrint writes it: glyphs shown on its pages, by the ToUnicode maps of their fonts."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

_SHOWN = re.compile(rb"/([\w.-]+)\s+[\d.]+\s+Tf|<([0-9A-Fa-f\s]*)>|\bET\b")
_MAPPED = re.compile(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>\s*\n")


def pdf_text(content: bytes) -> str:
    """All text in the order of drawing; runs that are drawn apart are parted by a blank."""
    from pyhanko.pdf_utils.reader import PdfFileReader

    pages = PdfFileReader(io.BytesIO(content)).root["/Pages"]
    return " ".join(text for page in _leaves(pages) for text in _page(page))


def _leaves(node: Any) -> Iterator[Any]:
    node = node.get_object()
    if "/Kids" not in node:
        yield node
        return
    for kid in node["/Kids"]:
        yield from _leaves(kid)


def _page(page: Any) -> Iterator[str]:
    fonts = {name[1:].encode(): _glyphs(font.get_object()) for name, font in page["/Resources"]["/Font"].items()}
    glyphs: dict[int, str] = {}
    run = ""
    for found in _SHOWN.finditer(page["/Contents"].data):
        if found[1] is not None:
            glyphs = fonts.get(found[1], {})
        elif found[2] is not None:
            codes = bytes.fromhex(found[2].decode())
            pairs = (int.from_bytes(codes[at : at + 2], "big") for at in range(0, len(codes), 2))
            run += "".join(glyphs.get(code, "") for code in pairs)
        elif run:
            yield run
            run = ""


def _glyphs(font: Any) -> dict[int, str]:
    if "/ToUnicode" not in font:
        return {}
    return {
        int(code, 16): bytes.fromhex(text.decode()).decode("utf-16-be")
        for code, text in _MAPPED.findall(font["/ToUnicode"].data)
    }
