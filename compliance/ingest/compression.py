"""A layer's bytes, inflated and digested on the way: one pass, bounded memory."""

from __future__ import annotations

import io
from collections.abc import Callable, Generator
from typing import BinaryIO

from compliance.errors import ComplianceError, IntegrityError
from compliance.ingest.file_part import on_disk
from compliance.ingest.inflate import INPUT, SHA256, Inflation, sniff
from compliance.ingest.inflate_process import InflateProcess, RemoteInflation
from compliance.ingest.limits import DEFAULT_LIMITS
from compliance.ingest.read_ahead import ReadAhead

_AHEAD = 32
"""Pieces that are inflated ahead of the reader."""
_ROOM_MAX = 2**25
"""Bytes that are believed to come before they have: a tar header may claim any size."""


class Inflater:
    """Reads a stored layer from `stream`; `read(n)` gives n inflated bytes, fewer only at the end.

    `finish` reads the rest and compares both digests; nothing read before may be believed until it returned.
    """

    def __init__(
        self,
        stream: BinaryIO,
        *,
        limit: int,
        where: str,
        progress: Callable[[int], None] | None = None,
        limit_name: str = "layer_bytes",
        ratio: int = DEFAULT_LIMITS.inflation_ratio,
        process: InflateProcess | None = None,
        algorithms: tuple[str, str] = (SHA256, SHA256),
    ) -> None:
        """`limit` (of Limits, called `limit_name`) bounds the inflated bytes, `ratio` those for one stored byte;
        `progress` hears of every stored byte that was read. Inflating is done by `process`, else by a thread.
        `algorithms` are those of the digests over the stored and over the inflated bytes."""
        self._stream = stream
        self._where = where
        self._progress = progress
        self._told = 0
        self._head: bytes | None = stream.read(INPUT)
        self.compression = sniff(self._head)
        self._inflation: Inflation | RemoteInflation
        self._pieces: ReadAhead[bytes] | Generator[memoryview, None, None]
        if process is None:
            self._inflation = Inflation(
                self._pull, limit=limit, limit_name=limit_name, ratio=ratio, algorithms=algorithms
            )
            self._pieces = ReadAhead(self._inflation.pieces(), _AHEAD)
        else:
            self._inflation = process.inflate(
                on_disk(stream) or self._pull,
                limit=limit,
                limit_name=limit_name,
                ratio=ratio,
                algorithms=algorithms,
            )
            self._pieces = self._inflation.pieces()
        self._buffer: bytes | memoryview = b""
        self._at = 0

    def read(self, size: int) -> bytes:
        """The next `size` inflated bytes."""
        end = self._at + size
        if end <= len(self._buffer):
            data = bytes(self._buffer[self._at : end])
            self._at = end
            return data
        # BytesIO hands its buffer out without copying it: a large file is in memory once, not twice. Room for all of
        # it is made at once, as zeros that the kernel has: growing piece by piece is mapping memory anew, which costs
        # more than what is copied.
        out = io.BytesIO(bytes(min(size, _ROOM_MAX)))
        out.write(memoryview(self._buffer)[self._at :])
        missing = size - out.tell()
        while missing and (piece := self._next()):
            if len(piece) > missing:
                self._buffer, self._at = piece, missing
            out.write(memoryview(piece)[:missing])
            missing = size - out.tell()
        out.truncate()
        return out.getvalue()

    def read1(self, size: int) -> bytes | memoryview:
        """Some of the next inflated bytes, at most `size`, none at the end. They are not copied: they lie where they
        are only until the next call."""
        if self._at == len(self._buffer):
            self._buffer, self._at = self._next(), 0
        start = self._at
        self._at = min(start + size, len(self._buffer))
        return memoryview(self._buffer)[start : self._at]

    def peek(self, size: int) -> bytes:
        """The next `size` bytes (fewer only at the end), which stay where they are."""
        while len(self._buffer) - self._at < size:
            rest = bytes(self._buffer[self._at :])
            if not (piece := self._next()):
                self._buffer, self._at = rest, 0
                break
            self._buffer, self._at = rest + piece, 0
        return bytes(self._buffer[self._at : self._at + size])

    def skip(self, size: int) -> int:
        """Pass over `size` inflated bytes without handing them out; how many there were."""
        passed = min(size, len(self._buffer) - self._at)
        self._at += passed
        while passed < size and (piece := self._next()):
            self._buffer, self._at = piece, min(size - passed, len(piece))
            passed += self._at
        return passed

    def finish(self, digest: str | None, diff_id: str | None) -> None:
        """Read to the end and compare. Raises IntegrityError (``digest-mismatch``)."""
        while self._next():
            pass
        for what, wanted, found in (
            ("layer", digest, self._inflation.stored_digest),
            ("layer content (diffID)", diff_id, self._inflation.digest),
        ):
            if wanted is not None and wanted != found:
                raise IntegrityError(
                    f"the {what} does not hash to its digest: {found} instead of {wanted}",
                    code="digest-mismatch",
                    where=self._where,
                    hint="the image was changed or damaged after it was built; get it again from its source",
                )

    def close(self) -> None:
        """End what inflates ahead."""
        self._buffer = b""
        self._pieces.close()
        if isinstance(self._inflation, RemoteInflation):
            self._inflation.close()

    @property
    def trailing(self) -> bool:
        """Whether bytes follow the compressed stream; known when `finish` has returned."""
        return self._inflation.trailing

    @property
    def inflated_size(self) -> int:
        """Inflated bytes; known when `finish` has returned."""
        return self._inflation.size

    @property
    def stored_size(self) -> int:
        """Stored bytes; known when `finish` has returned."""
        return self._inflation.stored

    @property
    def stored_digest(self) -> str:
        """Digest of the stored bytes; known when `finish` has returned."""
        return self._inflation.stored_digest

    def _next(self) -> bytes | memoryview:
        """The next piece, when the one before has been used up; errors say which layer they are about."""
        self._buffer, self._at = b"", 0  # a piece of the process lives only until the next
        try:
            piece = next(self._pieces, b"")
        except ComplianceError as error:
            if error.where is None:
                raise type(error)(error.message, code=error.code, where=self._where, hint=error.hint) from None
            raise
        if self._progress is not None and (read := self._inflation.stored - self._told):
            self._told += read
            self._progress(read)
        return piece

    def _pull(self) -> bytes:
        data, self._head = self._head, None
        return self._stream.read(INPUT) if data is None else data
