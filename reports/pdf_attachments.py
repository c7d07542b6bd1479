"""The files that a PDF report carries, read back to be compared with those beside it. The PDF may be hostile."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from compliance.errors import ComplianceError, FormatError, LimitError

PDF_SIZE_MAX = 512 * 2**20
FILES_MAX = 64
SIZE_MAX = 512 * 2**20
"""Bytes of all files together, once uncompressed."""
STREAM_SIZE_MAX = 64 * 2**20
"""Bytes of any other stream, once uncompressed: a page of ours has some hundred thousand."""
DECODED_MAX = 256 * 2**20
"""Bytes of all other streams together, decoded again where somebody asks twice."""

_DEPTH_MAX = 8
_Value = TypeVar("_Value")


def embedded_files(content: bytes) -> Mapping[str, bytes]:
    """The embedded files (ISO 32000-1, 7.11.4) of the PDF `content` by name.

    Raises FormatError when it is no PDF or a file in it is damaged or comes twice, LimitError when there are too
    many or too large ones, or when any part of it unpacks to more than a report needs.
    """
    return reading(content, files_of)


def reading(content: bytes, read: Callable[[Any], _Value]) -> _Value:
    """What `read` makes of a bounded reader of the PDF `content`; whatever it raises on the way is one of ours."""
    from pyhanko.pdf_utils.misc import PdfDecodeLimitError
    from pyhanko.pdf_utils.reader import PdfFileReader

    if len(content) > PDF_SIZE_MAX:
        raise LimitError(f"a PDF of more than {PDF_SIZE_MAX} bytes", code="pdf-size-max", where="report.pdf")
    try:
        return read(PdfFileReader(io.BytesIO(content), decode_limits=_limits()))
    except ComplianceError:
        raise
    except PdfDecodeLimitError as error:
        raise LimitError(
            f"a part of the PDF unpacks to more than a report needs: {error}", code="pdf-size-max", where="report.pdf"
        ) from error
    except Exception as error:
        raise _damaged(f"{type(error).__name__}: {error}") from error


def files_of(reader: Any) -> Mapping[str, bytes]:
    """The embedded files of an open PDF."""
    names = member(reader.root, "/Names", {})
    return _read(_leaves(member(names, "/EmbeddedFiles", {}), 0))


def member(node: Any, key: str, default: object) -> Any:
    """An entry of a dictionary with its reference followed: ``get`` would give the reference."""
    return node[key] if key in node else default  # noqa: SIM401


def _limits() -> Any:
    """What the reader may unpack for itself: object streams, cross-references, pages, fonts' tables."""
    from pyhanko.pdf_utils.decode_limits import DecodeLimits, DocumentDecodeBudget, StreamDecodeLimits

    return DecodeLimits(
        per_stream=StreamDecodeLimits(max_output_size=STREAM_SIZE_MAX),
        document_budget=DocumentDecodeBudget(base_allowance=DECODED_MAX, max_ratio=0),
    )


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
    pairs, kids = member(node, "/Names", []), member(node, "/Kids", [])
    for place in range(1, len(pairs), 2):
        yield pairs[place]
    for place in range(len(kids)):
        yield from _leaves(kids[place], depth + 1)


def _content(stream: Any, room: int) -> bytes:
    encoded = bytes(stream.encoded_data)
    filters = member(stream, "/Filter", [])
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
    return FormatError(f"can't read the PDF: {what}", code="pdf-invalid", where="report.pdf")
