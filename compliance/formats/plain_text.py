"""Text out of hostile bytes, made fit to be carried in JSON and XML and to be shown on a terminal."""

from __future__ import annotations

import re

REPLACEMENT = "�"

_UNFIT = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)
_BLANKS = re.compile(r"[ \t\r\n\f\v]+")


def decode(data: bytes) -> str:
    """`data` as UTF-8; bytes that are not become U+FFFD, a byte order mark goes."""
    return data.decode("utf-8", "replace").removeprefix("\ufeff")


def plain_text(text: str, limit: int = 1024) -> str:
    """`text` as one line: runs of blanks become one space, what could steer a terminal or reorder a line U+FFFD.

    That is control characters, lone surrogates (which have no UTF-8), invisible and bidirectional marks. More
    than `limit` characters are cut, ending in an ellipsis.
    """
    if text.isascii() and text.isprintable() and len(text) <= limit and "  " not in text:
        return text.strip()
    line = _UNFIT.sub(REPLACEMENT, _BLANKS.sub(" ", text[: limit * 4]).strip())
    return line if len(line) <= limit else line[: limit - 1] + "…"
