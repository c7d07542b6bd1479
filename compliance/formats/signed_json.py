"""JSON as signed documents need it: read strictly, written in one way only.

Two readers of one signed text must not see two documents. So a repeated key, a number that is not finite and
base64 that has a second spelling are refused here, though the standard library accepts all three.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass

from compliance.errors import FormatError

DOCUMENT_SIZE_MAX = 256 * 2**20
"""Bytes of one JSON document: SBOMs of large images have tens of MB, in base64 a third more."""
LIST_LENGTH_MAX = 100_000
TEXT_LENGTH_MAX = 4096
"""Characters of a text that is shown or compared; contents in base64 have no such bound."""

_CODE = "json-invalid"


@dataclass(frozen=True, slots=True)
class JsonObject:
    """A JSON object that knows where it stands, so that every error names the field.

    `null` counts as absent, as in the JSON mapping of protocol buffers. All readers raise FormatError.
    """

    values: Mapping[str, object]
    where: str

    def has(self, key: str) -> bool:
        """Whether `key` is there and not null."""
        return self.values.get(key) is not None

    def text(self, key: str, default: str | None = None) -> str:
        """The text at `key`, or `default` where the key is absent."""
        value = self.values.get(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or len(value) > TEXT_LENGTH_MAX:
            raise self.wrong(key, f"a text of at most {TEXT_LENGTH_MAX} characters")
        return value

    def long_text(self, key: str) -> str:
        """The text at `key`, however long the document lets it be."""
        value = self.values.get(key)
        if not isinstance(value, str):
            raise self.wrong(key, "a text")
        return value

    def number(self, key: str, default: int | None = None) -> int:
        """The integer at `key`, which protocol buffers may also write as decimal text (int64). Not negative."""
        value = self.values.get(key)
        if value is None and default is not None:
            return default
        if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20:
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
            raise self.wrong(key, "an integer from 0 to 2^63-1")
        return value

    def base64(self, key: str) -> bytes:
        """The bytes at `key`, in canonical standard base64 (RFC 4648, sections 3.5 and 4)."""
        return base64_bytes(self.long_text(key), f"{self.where}.{key}")

    def member(self, key: str) -> JsonObject:
        """The object at `key`."""
        return _as_object(self.values.get(key), f"{self.where}.{key}")

    def members(self, key: str) -> tuple[JsonObject, ...]:
        """The objects in the list at `key`; none where the key is absent."""
        items = self._items(key)
        return tuple(_as_object(item, f"{self.where}.{key}[{index}]") for index, item in enumerate(items))

    def base64_items(self, key: str) -> tuple[bytes, ...]:
        """The byte strings in the list at `key`; none where the key is absent."""
        found = []
        for index, item in enumerate(self._items(key)):
            if not isinstance(item, str):
                raise self.wrong(f"{key}[{index}]", "a text")
            found.append(base64_bytes(item, f"{self.where}.{key}[{index}]"))
        return tuple(found)

    def texts(self, key: str) -> Mapping[str, str]:
        """The texts of the object at `key`; none where the key is absent. Members that are no text are left out."""
        value = self.values.get(key)
        if value is None:
            return {}
        items = _as_object(value, f"{self.where}.{key}").values.items()
        return {name: item for name, item in items if isinstance(item, str) and len(item) <= TEXT_LENGTH_MAX}

    def wrong(self, key: str, wanted: str) -> FormatError:
        """The error that says what `key` should have been."""
        return FormatError(f"not {wanted}", code=_CODE, where=f"{self.where}.{key}")

    def _items(self, key: str) -> list[object]:
        value = self.values.get(key)
        if value is None:
            return []
        if not isinstance(value, list) or len(value) > LIST_LENGTH_MAX:
            raise self.wrong(key, f"a list of at most {LIST_LENGTH_MAX} entries")
        return value


def read_object(data: bytes, what: str, *, size_max: int = DOCUMENT_SIZE_MAX) -> JsonObject:
    """Read UTF-8 JSON whose top is an object. `what` names the document in errors.

    Raises FormatError for anything else: too large, nested too deeply, not UTF-8, a key given twice, NaN.
    """
    if len(data) > size_max:
        raise FormatError(f"{what} has more than {size_max} bytes", code="limit-exceeded", where=what)
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except RecursionError:
        raise FormatError(f"{what} is nested too deeply", code="limit-exceeded", where=what) from None
    except ValueError as error:
        raise FormatError(f"{what} is not JSON: {_first_line(error)}", code=_CODE, where=what) from None
    return _as_object(value, what)


def write(value: object) -> bytes:
    """`value` as UTF-8 JSON in the one form used for what is signed: keys sorted, no blanks."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True).encode()


def base64_bytes(text: str, where: str) -> bytes:
    """Decode canonical standard base64. Raises FormatError for blanks, stray bits or missing padding."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise FormatError("not base64", code="base64-invalid", where=where) from None
    if base64.b64encode(data) != text.encode("ascii"):
        raise FormatError("base64 with bits that mean nothing", code="base64-invalid", where=where)
    return data


def base64_text(data: bytes) -> str:
    """`data` in standard base64."""
    return base64.b64encode(data).decode("ascii")


def _as_object(value: object, where: str) -> JsonObject:
    if not isinstance(value, dict):
        raise FormatError("not a JSON object", code=_CODE, where=where)
    return JsonObject(value, where)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a key is given twice")
    return values


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
