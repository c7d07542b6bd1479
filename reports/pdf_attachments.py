"""The files that a PDF report carries, read back to be compared with those beside it. The PDF may be hostile."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from compliance.errors import ComplianceError, FormatError, LimitError

FILES_MAX = 64
SIZE_MAX = 512 * 2**20
"""Bytes of all files together, once uncompressed."""

_DEPTH_MAX = 8


def embedded_files(content: bytes) -> Mapping[str, bytes]:
    """The embedded files (ISO 32000-1, 7.11.4) of the PDF `content` by name.

    Raises FormatError when it is no PDF or a file in it is damaged or comes twice, LimitError when there are too
    many or too large ones.
    """
    from pyhanko.pdf_utils.reader import PdfFileReader

    try:
        names = _member(PdfFileReader(io.BytesIO(content)).root, "/Names", {})
        return _read(_leaves(_member(names, "/EmbeddedFiles", {}), 0))
    except ComplianceError:
        raise
    except Exception as error:
        raise _damaged(f"{type(error).__name__}: {error}") from error


def _read(specifications: Iterator[Any]) -> Mapping[str, bytes]:
    files: dict[str, bytes] = {}
    room = SIZE_MAX
    for specification in specifications:
        name = str(specification["/UF"])
        if name in files:
            raise _damaged(f"{name!r} is embedded twice")
        if len(files) == FILES_MAX:
            raise LimitError(f"more than {FILES_MAX} files are embedded", code="pdf-files-max", where="report.pdf")
        files[name] = _content(specification["/EF"]["/F"], room)
        room -= len(files[name])
    return files


def _leaves(node: Any, depth: int) -> Iterator[Any]:
    """The file specifications of a name tree (7.9.6)."""
    if depth > _DEPTH_MAX:
        raise _damaged("the tree of embedded files is too deep")
    pairs, kids = _member(node, "/Names", []), _member(node, "/Kids", [])
    for place in range(1, len(pairs), 2):
        yield pairs[place]
    for place in range(len(kids)):
        yield from _leaves(kids[place], depth + 1)


def _member(node: Any, key: str, default: object) -> Any:
    """An entry of a dictionary with its reference followed: ``get`` would give the reference."""
    return node[key] if key in node else default  # noqa: SIM401


def _content(stream: Any, room: int) -> bytes:
    encoded = bytes(stream.encoded_data)
    filters = _member(stream, "/Filter", [])
    if filters in ("/FlateDecode", ["/FlateDecode"]):
        expander = zlib.decompressobj()
        encoded = expander.decompress(encoded, room + 1)
        if not expander.eof and len(encoded) <= room:
            raise _damaged("an embedded file is cut off")
    elif filters:
        raise _damaged(f"an embedded file has the filter {filters}")
    if len(encoded) > room:
        raise LimitError(f"the embedded files pass {SIZE_MAX} bytes", code="pdf-size-max", where="report.pdf")
    return encoded


def _damaged(what: str) -> FormatError:
    return FormatError(f"can't read the files embedded in the PDF: {what}", code="pdf-invalid", where="report.pdf")
