"""Values of an SBOM that somebody else wrote: bounded, and wrong ones refused with their place."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from compliance.errors import FormatError
from compliance.formats.signed_json import JsonObject

CODE = "sbom-invalid"
TEXT_MAX = 4096
"""Characters kept of one text."""


def wrong(values: JsonObject, key: str, wanted: str) -> FormatError:
    """The error for a member that is not what was `wanted`."""
    return FormatError(f"not {wanted}", code=CODE, where=f"{values.where}.{key}")


def objects(values: JsonObject, key: str, limit: int) -> Iterator[JsonObject]:
    """The objects of the list at `key`, none where it is absent. Raises FormatError, also above `limit` of them."""
    items = values.values.get(key)
    if items is None:
        return
    if not isinstance(items, list) or len(items) > limit:
        raise wrong(values, key, f"a list of at most {limit} entries")
    for number, item in enumerate(items):
        where = f"{values.where}.{key}[{number}]"
        if not isinstance(item, dict):
            raise FormatError("not an object", code=CODE, where=where)
        yield JsonObject(item, where)


def timestamp(values: JsonObject, key: str) -> datetime | None:
    """The time at `key` in UTC, None where it is absent or empty. Raises FormatError for a date alone too."""
    text = values.text(key, "")
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if len(text) <= len("2026-11-01"):
            raise ValueError("a date alone")
    except ValueError:
        raise wrong(values, key, "a time as in RFC 3339") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
