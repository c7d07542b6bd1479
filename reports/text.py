"""Text from an image made fit to print: nothing invisible, nothing that moves the cursor or the reader."""

from __future__ import annotations

import re

_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e0fff]"
)
_SPACES = re.compile(r"[ \t\r\n]+")


def _escaped(match: re.Match[str]) -> str:
    code = ord(match.group())
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as surrogateescape keeps it
        code -= 0xDC00
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def clean(text: str) -> str:
    """`text` with control, format and bidirectional characters and lone surrogates as escapes (``\\x1b``).

    What it gives it also keeps: cleaning twice is cleaning once.
    """
    return _UNPRINTABLE.sub(_escaped, text)


def sentence(text: str) -> str:
    """`text` on one line, with single spaces and without blanks at its ends, cleaned."""
    return clean(_SPACES.sub(" ", text).strip())
