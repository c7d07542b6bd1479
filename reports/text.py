"""Text from an image made fit to print: nothing invisible, nothing that moves the cursor or the reader."""

from __future__ import annotations

import re

from reports.document import Control

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


def shortened(text: str, limit: int = 320) -> str:
    """`text`, its middle left out when it is longer than `limit`: both ends of a path tell more than its middle."""
    if len(text) <= limit:
        return text
    half = (limit - 3) // 2
    return f"{text[:half]} … {text[-half:]}"


def opening(text: str, limit: int = 125) -> str:
    """The first sentences of `text` that fit, or its first words."""
    if len(text) <= limit:
        return text
    end = max(text.rfind(mark, 0, limit) for mark in (". ", "; "))
    if end > 0:
        return text[: end + 1].rstrip(";")
    blank = text.rfind(" ", 0, limit)
    return f"{text[: blank if blank > 0 else limit]} …"


def stopped(text: str) -> str:
    """`text` with a full stop, if it is any text and lacks one."""
    return text if not text or text[-1] in ".!?…" else f"{text}."


def anchor(identifier: str) -> str:
    """An identifier as a part of an HTML id: what is no ASCII letter, digit, dot or dash becomes its code."""
    return "".join(
        char if char.isascii() and (char.isalnum() or char in ".-") else f"_{ord(char):x}" for char in identifier
    )


def control_anchor(control: Control) -> str:
    """The HTML id of the place where a report speaks of `control`."""
    return f"control-{anchor(control['framework'])}-{anchor(control['id'])}"


def cleaned(value: object) -> object:
    """Every string without control and bidirectional characters, wherever it came from."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [cleaned(item) for item in value]
    if isinstance(value, dict):
        return {clean(key): cleaned(item) for key, item in value.items()}
    return value
