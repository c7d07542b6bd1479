"""Values of what others state about an image: wrong kinds refused with their place, texts made fit to print.

A value of another kind than asked for never counts as absent here: "failed": "3" must not read as no failure.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from compliance.errors import FormatError
from compliance.formats.plain_text import plain_text
from compliance.formats.signed_json import LIST_LENGTH_MAX, JsonObject

CODE = "statement-invalid"
_LINE_MAX = 300


def line(value: JsonObject, key: str, limit: int = _LINE_MAX) -> str:
    """The text at `key` on one line, cut at `limit` characters; "" where it is absent. Raises FormatError."""
    text = value.values.get(key)
    if text is None:
        return ""
    if not isinstance(text, str):
        raise value.wrong(key, "a text")
    return plain_text(text, limit)


def lines(value: JsonObject, key: str, limit: int = _LINE_MAX) -> tuple[str, ...]:
    """The texts in the list at `key`; none where it is absent. Raises FormatError."""
    return tuple(plain_text(text, limit) for text in _texts(value, key))


def _texts(value: JsonObject, key: str) -> Iterator[str]:
    items = value.values.get(key)
    if items is None:
        return
    if not isinstance(items, list) or len(items) > LIST_LENGTH_MAX:
        raise value.wrong(key, f"a list of at most {LIST_LENGTH_MAX} entries")
    for number, item in enumerate(items):
        if not isinstance(item, str):
            raise value.wrong(f"{key}[{number}]", "a text")
        yield item


def inner(value: JsonObject, key: str) -> JsonObject:
    """The object at `key`; an empty one where it is absent. Raises FormatError for anything else."""
    return value.member(key) if value.has(key) else JsonObject({}, f"{value.where}.{key}")


def flag(value: JsonObject, key: str) -> bool:
    """The boolean at `key`, false where it is absent. Raises FormatError."""
    found = value.values.get(key)
    if not isinstance(found, bool | None):
        raise value.wrong(key, "true or false")
    return bool(found)


def decimal(value: JsonObject, key: str) -> float | None:
    """The number at `key`, which some write as text; None where it is absent. Raises FormatError."""
    found = value.values.get(key)
    if found is None:
        return None
    if isinstance(found, str):
        return decimal_text(found, f"{value.where}.{key}")
    if isinstance(found, bool) or not isinstance(found, int | float) or abs(found) > 10**12:
        raise value.wrong(key, "a number")
    return float(found)


def decimal_text(text: str, where: str) -> float:
    """A finite number of at most 12 places before the point. Raises FormatError."""
    try:
        number = float(text) if len(text) <= 32 and text.isascii() else None
    except ValueError:
        number = None
    if number is None or not abs(number) <= 10**12:
        raise FormatError("not a number", code=CODE, where=where)
    return number


def moment(value: JsonObject, key: str) -> datetime | None:
    """The time at `key` in UTC; None where it is absent or empty. Raises FormatError for what is no time."""
    text = value.text(key, "")
    return moment_text(text, f"{value.where}.{key}") if text else None


def moment_text(text: str, where: str) -> datetime:
    """An ISO 8601 time in UTC; one without an offset is taken as UTC. Raises FormatError."""
    try:
        found = datetime.fromisoformat(text.strip())
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise FormatError(f"no such time: {plain_text(text, 60)}", code=CODE, where=where) from None


def day(time: datetime | None) -> str:
    """``of 2026-10-30`` or ``of an unstated day``, for a sentence."""
    return f"of {time:%Y-%m-%d}" if time is not None else "of an unstated day"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """``1 finding``, ``1,940 findings``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
