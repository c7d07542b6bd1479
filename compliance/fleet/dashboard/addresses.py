"""The addresses of the dashboard's pages: every part of a path and query quoted."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, urlencode, urlsplit


def address(*parts: str, **query: object) -> str:
    """``/part/part?name=value``; parameters that are None or empty are left out, ``from_`` is ``from``."""
    path = "/" + "/".join(quote(part, safe="") for part in parts)
    return path + _query({name.rstrip("_"): value for name, value in query.items()})


def having(place: str, **query: object) -> str:
    """`place` with these parameters in place of its own of the same names."""
    parts = urlsplit(place)
    values: dict[str, object] = dict(parse_qsl(parts.query))
    values.update({name.rstrip("_"): value for name, value in query.items()})
    return parts.path + _query(values)


def local_path(text: str) -> str:
    """`text` where it is a path of this server, as of whoever wants to go on after signing in; else ``/``."""
    parts = urlsplit(text)
    plain = text.isascii() and text.isprintable() and not any(char in text for char in "\\\t\r\n ")
    if not plain or parts.scheme or parts.netloc or not text.startswith("/") or text.startswith("//"):
        return "/"
    return text


def _query(values: Mapping[str, object]) -> str:
    given = {name: str(value) for name, value in values.items() if value not in (None, "")}
    return f"?{urlencode(given)}" if given else ""
