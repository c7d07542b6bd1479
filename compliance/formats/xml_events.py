"""XML of hostile origin, read as a stream: no document type, so no entities; nothing fetched; bounded in depth.

Nothing is kept but what the visitor keeps: reports of 60 MB in XML would be trees of a gigabyte.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol
from xml.etree.ElementTree import ParseError, XMLParser

from compliance.errors import FormatError

SIZE_MAX = 128 * 2**20
DEPTH_MAX = 256
TEXT_MAX = 4096
"""Characters that are kept of one element's text."""

_CODE = "xml-invalid"


class Visitor(Protocol):
    """What hears the elements, by their names without namespace."""

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""

    def end(self, name: str, text: str) -> None:
        """An element ends; `text` is its own, cut at TEXT_MAX, "" when elements followed it."""


class _Target:
    """What expat calls; XMLParser looks its methods up by name."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        self._depth = 0
        self._text: list[str] = []
        self._length = 0

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise FormatError("an XML document type", code=_CODE, where="DOCTYPE")

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise FormatError("XML that is nested too deeply", code="limit-exceeded")
        self._text.clear()
        self._length = 0
        self._visitor.start(_local(tag), attributes)

    def data(self, text: str) -> None:
        if self._length < TEXT_MAX:
            self._text.append(text[: TEXT_MAX - self._length])
            self._length += len(text)

    def end(self, tag: str) -> None:
        self._depth -= 1
        self._visitor.end(_local(tag), "".join(self._text).strip())
        self._text.clear()
        self._length = 0

    def close(self) -> None:
        """The document is over."""


def walk(content: bytes, visitor: Visitor) -> None:
    """Tell `visitor` the elements of `content` in order. Raises FormatError for what is not XML as above."""
    if len(content) > SIZE_MAX:
        raise FormatError(f"XML of more than {SIZE_MAX} bytes", code="limit-exceeded")
    parser = XMLParser(target=_Target(visitor))  # noqa: S314 - document types are refused
    try:
        parser.feed(content)
        parser.close()
    except ParseError as error:
        line, column = error.position
        said = str(error).partition(":")[0]
        raise FormatError(f"not XML: {said}", code=_CODE, where=f"line {line}, {column}") from None
    except (ValueError, LookupError) as error:  # an encoding that is not known
        raise FormatError(f"not XML: {error}", code=_CODE, where="encoding") from None


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
