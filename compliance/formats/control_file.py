"""Stanzas of ``Name: value`` lines: Debian control files (deb822(5)), Python core metadata, R DESCRIPTION files."""

from __future__ import annotations

import re
from collections.abc import Iterator

_STANZA_END = re.compile(r"\n(?:[ \t]*\n)+")
_FIELD = re.compile(r"^([!\"$-9;-~][^:\n]*):[ \t]*(.*(?:\n[ \t].*)*)", re.MULTILINE)


def stanzas(text: str) -> Iterator[str]:
    """The pieces of `text` between empty lines, as they stand."""
    at = 0
    for end in _STANZA_END.finditer(text):
        if end.start() > at:
            yield text[at : end.start()]
        at = end.end()
    if at < len(text):
        yield text[at:]


def fields(stanza: str) -> list[tuple[str, str]]:
    """Every (name in lower case, value) in order; a value keeps its continuation lines with their indent.

    Comments and lines that are neither a field nor a continuation are passed over.
    """
    return [(name.strip().lower(), value.strip()) for name, value in _FIELD.findall(stanza)]


def unique_fields(stanza: str) -> dict[str, str]:
    """The fields by name; of a repeated one the first counts."""
    found: dict[str, str] = {}
    for name, value in fields(stanza):
        found.setdefault(name, value)
    return found
