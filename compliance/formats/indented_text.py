"""Lock files that are YAML in the narrow form in which package managers write it, read line by line.

A full YAML parser takes seconds for a lock file of some megabytes (measured: 5.2 s for 6 MB with libyaml) and must be
guarded against aliases. What is needed is: how deep a line stands, its key and its plain value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_ESCAPE = re.compile(r'\\(["\\/])')
_FLOW_PAIR = re.compile(r"""([A-Za-z][\w-]{0,63}):[ ]*("(?:[^"\\]|\\.)*"?|'(?:[^']|'')*'?|[^,{}]+)""")


LINES_MAX = 1_000_000
"""Lines of a file that are read; the largest lock files known have some hundred thousand."""


class Line(NamedTuple):
    """One line that is not blank or a comment: ``indent`` in blanks, a dash counted as two of them.

    Of ``key: value`` both unquoted; of a list item without a key the text is `value` and `key` is "".
    """

    indent: int
    item: bool
    key: str
    value: str


def lines(text: str) -> Iterator[Line]:
    """Every line that says something, in order."""
    for raw in text.split("\n", LINES_MAX):
        body = raw.lstrip(" ")
        if not body or body[0] in "#\r" or body.startswith(("---", "%")):
            continue
        indent = len(raw) - len(body)
        item = body.startswith("- ") or body.rstrip() == "-"
        if item:
            rest = body[1:].lstrip(" ")
            indent += len(body) - len(rest)
            body = rest
        key, value = split_entry(body.rstrip())
        yield Line(indent, item, key, value)


def split_entry(body: str) -> tuple[str, str]:
    """Key and value of ``key: value``; ("", text) where there is no key."""
    if body[:1] in ('"', "'"):
        end = _quote_end(body)
        if body[end : end + 1] == ":":
            return unquoted(body[:end]), unquoted(body[end + 1 :].strip())
        return "", unquoted(body)
    key, colon, value = body.partition(": ")
    if colon:
        return key.rstrip(), unquoted(value.strip())
    return (body[:-1].rstrip(), "") if body.endswith(":") else ("", body)


def unquoted(text: str) -> str:
    """A plain or quoted scalar's text; what is behind the closing quote (a comment) goes."""
    if text[:1] == "'":
        return text[1 : _quote_end(text) - 1].replace("''", "'")
    if text[:1] == '"':
        return _ESCAPE.sub(r"\1", text[1 : _quote_end(text) - 1])
    return text.partition(" #")[0].rstrip()


def _quote_end(text: str) -> int:
    """The offset behind the closing quote of `text`, which begins with one; its length if it is not closed."""
    quote, at = text[0], 1
    while True:
        at = text.find(quote, at)
        if at < 0:
            return len(text) + 1
        if quote == "'" and text[at + 1 : at + 2] == "'":
            at += 2
        elif quote == '"' and _escaped(text, at):
            at += 1
        else:
            return at + 1


def _escaped(text: str, at: int) -> bool:
    count = 0
    while count < 64 and text[at - 1 - count] == "\\":
        count += 1
    return count % 2 == 1


def flow_pairs(value: str) -> dict[str, str]:
    """The pairs of a flow mapping on one line, ``{integrity: sha512-…, tarball: …}``; of a repeated one the first."""
    found: dict[str, str] = {}
    if value.startswith("{"):
        for key, text in _FLOW_PAIR.findall(value):
            found.setdefault(key, unquoted(text.strip()))
    return found
