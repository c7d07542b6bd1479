"""Values as PHP's serialize() writes them (php.net, "serialize"): what PEAR's registry is kept in.

Texts, numbers and arrays only. Objects are refused: a registry holds none, and nothing here would build one.
"""

from __future__ import annotations

import re

from compliance.errors import FormatError

Value = str | int | float | bool | None | dict[str, "Value"]
"""An array is a dict in the order written; its integer keys are decimal texts."""

_DEPTH_MAX = 64
_SCALAR = re.compile(rb"(?:N|b:(?P<flag>[01])|i:(?P<integer>-?\d{1,19})|d:(?P<number>[-+.\dEeINFA]{1,32}));")
_TEXT = re.compile(rb's:(\d{1,9}):"')
_ARRAY = re.compile(rb"a:(\d{1,9}):\{")


def read_php_serialized(content: bytes) -> Value:
    """The value at the start of `content`. Raises FormatError."""
    value, _ = _value(content, 0, 0)
    return value


def _value(content: bytes, at: int, depth: int) -> tuple[Value, int]:
    """A value and where it ends."""
    if match := _TEXT.match(content, at):
        end = match.end() + int(match[1])
        if content[end : end + 2] != b'";':
            raise _invalid()
        return content[match.end() : end].decode("utf-8", "replace"), end + 2
    if match := _ARRAY.match(content, at):
        return _array(content, match.end(), int(match[1]), depth + 1)
    if match := _SCALAR.match(content, at):
        return _scalar(match), match.end()
    raise _invalid()


def _scalar(match: re.Match[bytes]) -> Value:
    if match["flag"]:
        return match["flag"] == b"1"
    if match["integer"]:
        return int(match["integer"])
    try:
        return float(match["number"]) if match["number"] else None
    except ValueError:
        raise _invalid() from None


def _array(content: bytes, at: int, count: int, depth: int) -> tuple[Value, int]:
    if depth > _DEPTH_MAX:
        raise FormatError("serialized PHP values that are nested too deeply", code="php-serialized-invalid")
    items: dict[str, Value] = {}
    for _ in range(count):
        key, at = _value(content, at, depth)
        if not isinstance(key, str | int):
            raise _invalid()
        items[str(key)], at = _value(content, at, depth)
    if content[at : at + 1] != b"}":
        raise _invalid()
    return items, at + 1


def _invalid() -> FormatError:
    return FormatError("no serialized PHP value", code="php-serialized-invalid")
