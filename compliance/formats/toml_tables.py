"""Lock files that are TOML as package managers write it: tables and their keys, line by line.

The parser of the standard library takes time quadratic in the dots of a key (measured: 28 s for 80 kB), so it is
not for files that somebody else wrote.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_HEADER = re.compile(r"(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?")
_PAIR = re.compile(r"""("[^"]*"|'[^']*'|[A-Za-z0-9_.-]+)\s*=\s*(.*)""", re.DOTALL)
_STRING = re.compile(r""""((?:[^"\\]|\\.)*)"?|'([^']*)'?""")  # an open string ends with the text
_LINES_OF_VALUE_MAX = 20_000
LINES_MAX = 1_000_000
"""Lines of a file that are read; the largest lock files known have some hundred thousand."""


@dataclass(slots=True, kw_only=True)
class Table:
    """One table: its name as in the header, whether it is one of an array, and its raw values by key."""

    name: str
    of_array: bool
    values: dict[str, str] = field(default_factory=dict)

    def text(self, key: str) -> str:
        """The value as a string; "" where it is none or not there."""
        match = _STRING.match(self.values.get(key, ""))
        return _string(match) if match else ""

    def texts(self, key: str) -> list[str]:
        """Every string in the value of an array or inline table."""
        return [_string(match) for match in _STRING.finditer(self.values.get(key, ""))]

    def inline(self, key: str, inner: str) -> list[str]:
        """The strings that inline tables in the value give for the key `inner`."""
        pattern = re.compile(rf"""[{{,]\s*{re.escape(inner)}\s*=\s*("(?:[^"\\]|\\.)*"?|'[^']*'?)""")
        return [_string(match) for text in pattern.findall(self.values.get(key, "")) if (match := _STRING.match(text))]


def _string(match: re.Match[str]) -> str:
    if match[2] is not None:
        return match[2]
    if "\\" not in match[1]:
        return match[1]
    try:
        decoded = json.loads(f'"{match[1]}"')
    except ValueError:
        return match[1]
    return str(decoded)


def tables(text: str) -> Iterator[Table]:
    """Every table in order; the keys before the first header are a table named ""."""
    table = Table(name="", of_array=False)
    lines = iter(text.split("\n", LINES_MAX))
    for raw in lines:
        line = raw.strip()
        if not line or line[0] == "#":
            continue
        if line[0] == "[":
            header = _HEADER.fullmatch(line)
            if header:
                yield table
                table = Table(name=header[2].replace('"', "").replace("'", ""), of_array=header[1] == "[[")
            continue
        pair = _PAIR.match(line)
        if pair:
            value = _whole(pair[2], lines)
            table.values.setdefault(pair[1].strip("\"'"), value)
    yield table


def _whole(first: str, lines: Iterator[str]) -> str:
    """The value that begins with `first`: an array or a multi-line string goes on over the next lines."""
    for quote in ('"""', "'''"):
        if first.startswith(quote):
            if first.count(quote) == 1:
                for line in lines:
                    if quote in line:
                        break
            return ""
    if first[:1] != "[":
        return first
    parts, depth = [first], _depth(first)
    for line in lines if depth > 0 else ():
        parts.append(line)
        depth += _depth(line)
        if depth <= 0 or len(parts) >= _LINES_OF_VALUE_MAX:
            break
    return "\n".join(parts)


def _depth(line: str) -> int:
    bare = _STRING.sub("", line).partition("#")[0] if '"' in line or "'" in line else line.partition("#")[0]
    return bare.count("[") - bare.count("]")
