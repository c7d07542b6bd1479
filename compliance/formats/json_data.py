"""JSON of package databases, lock files and manifests: read as it is found, each value asked for by its kind.

Unlike `signed_json` nothing is refused for its form: a value of another kind than asked for counts as absent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from compliance.errors import FormatError
from compliance.formats.plain_text import plain_text

_CODE = "json-invalid"


def read_json(content: bytes) -> Any:
    """The document, in UTF-8, UTF-16 or UTF-32, with or without byte order mark. Raises FormatError."""
    try:
        return json.loads(content.removeprefix(b"\xef\xbb\xbf"))
    except RecursionError:
        raise FormatError("JSON that is nested too deeply", code=_CODE) from None
    except ValueError:
        raise FormatError("not JSON", code=_CODE) from None


def read_json_object(content: bytes) -> dict[str, Any]:
    """The document, an object at its top. Raises FormatError."""
    value = read_json(content)
    if not isinstance(value, dict):
        raise FormatError("not a JSON object", code=_CODE)
    return value


def text(value: Any, limit: int = 1024) -> str:
    """`value` as one plain line; "" when it is no text."""
    return plain_text(value, limit) if isinstance(value, str) else ""


def texts(value: Any, limit: int = 1024) -> Iterator[str]:
    """The texts in a list that are not empty; a single text counts as a list of it."""
    for item in value if isinstance(value, list) else [value]:
        if line := text(item, limit):
            yield line


def mapping(value: Any) -> Mapping[str, Any]:
    """`value` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    """The objects in a list."""
    for item in value if isinstance(value, list) else ():
        if isinstance(item, dict):
            yield item
