"""A layer's bytes, inflated and digested on the way: one pass, bounded memory."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Generator, Iterator
from typing import BinaryIO

from compliance.errors import ComplianceError, IntegrityError
from compliance.ingest.inflate import INPUT, SHA256, Inflation, sniff
from compliance.ingest.inflate_process import InflateProcess, RemoteInflation
from compliance.ingest.limits import DEFAULT_LIMITS
from compliance.ingest.read_ahead import ReadAhead

_AHEAD = 32
"""Pieces that are inflated ahead of the reader."""


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
        self._stored_hash = hashlib.new(algorithms[0])
        self.stored_size = 0
        self._head: bytes | None = self._read_stored()
        self.compression = sniff(self._head)
        self._inflation: Inflation | RemoteInflation
        self._ahead: ReadAhead[bytes] | None = None
        self._remote: Generator[memoryview, None, None] | None = None
        self._pieces: Iterator[bytes | memoryview]
        if process is None:
            self._inflation = Inflation(
                self._pull, limit=limit, limit_name=limit_name, ratio=ratio, algorithm=algorithms[1]
            )
            self._pieces = self._ahead = ReadAhead(self._inflation.pieces(), _AHEAD)
        else:
            remote = process.inflate(
                self._pull, limit=limit, limit_name=limit_name, ratio=ratio, algorithm=algorithms[1]
            )
            self._inflation = remote
            self._pieces = self._remote = remote.pieces()
        self._buffer: bytes | memoryview = b""
        self._at = 0

    def read(self, size: int) -> bytes:
        """The next `size` inflated bytes."""
        end = self._at + size
        if end <= len(self._buffer):
            data = bytes(self._buffer[self._at : end])
            self._at = end
            return data
        # BytesIO hands its buffer out without copying it: a large file is in memory once, not twice.
        out = io.BytesIO()
        out.write(memoryview(self._buffer)[self._at :])
        missing = size - out.tell()
        while missing and (piece := self._next()):
            if len(piece) > missing:
                self._buffer, self._at = piece, missing
            out.write(memoryview(piece)[:missing])
            missing = size - out.tell()
        return out.getvalue()

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
            ("layer", digest, self.stored_digest),
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
        if self._ahead is not None:
            self._ahead.close()
        if self._remote is not None:
            self._remote.close()
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
    def stored_digest(self) -> str:
        """Digest of the stored bytes read so far."""
        return f"{self._stored_hash.name}:{self._stored_hash.hexdigest()}"

    def _next(self) -> bytes | memoryview:
        """The next piece, when the one before has been used up; errors say which layer they are about."""
        self._buffer, self._at = b"", 0  # a piece of the process lives only until the next
        try:
            return next(self._pieces, b"")
        except ComplianceError as error:
            if error.where is None:
                raise type(error)(error.message, code=error.code, where=self._where, hint=error.hint) from None
            raise

    def _pull(self) -> bytes:
        data, self._head = self._head, None
        return self._read_stored() if data is None else data

    def _read_stored(self) -> bytes:
        data = self._stream.read(INPUT)
        self._stored_hash.update(data)
        self.stored_size += len(data)
        if self._progress is not None and data:
            self._progress(len(data))
        return data
