"""A layer's bytes, inflated and digested on the way: one pass, bounded memory."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from typing import BinaryIO

from compliance.errors import FormatError, IntegrityError
from compliance.ingest.limits import DEFAULT_LIMITS, RATIO_FREE_BYTES, exceeded
from compliance.ingest.read_ahead import ReadAhead

_INPUT = 2**18
_OUTPUT = 2**20
_AHEAD = 8
"""Pieces of _OUTPUT bytes that are inflated ahead of the reader."""

GZIP, ZSTD, PLAIN = "gzip", "zstd", "plain"


def sniff(head: bytes) -> str:
    """The compression that the first bytes show; media types of real images are often wrong."""
    if head.startswith(b"\x1f\x8b"):
        return GZIP
    if head.startswith(b"\x28\xb5\x2f\xfd") or (head[1:4] == b"\x2a\x4d\x18" and 0x50 <= head[0] <= 0x5F):
        return ZSTD
    return PLAIN


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
    ) -> None:
        """`limit` (of Limits, called `limit_name`) bounds the inflated bytes, `ratio` those for one stored byte;
        `progress` hears of every stored byte that was read."""
        self._stream = stream
        self._limit = limit
        self._limit_name = limit_name
        self._ratio = ratio
        self._where = where
        self._progress = progress
        self._stored_hash = hashlib.sha256()
        self._inflated_hash = hashlib.sha256()
        self.stored_size = 0
        self.inflated_size = 0
        self.trailing = False  # bytes after the compressed stream's end
        head = self._pull(_INPUT)
        self.compression = sniff(head)
        pieces = {GZIP: self._gunzip, ZSTD: self._unzstd, PLAIN: self._copy}[self.compression]
        self._ahead = ReadAhead(pieces(head), _AHEAD)
        self._pieces: Iterator[bytes] = self._ahead
        self._buffer = b""
        self._at = 0

    def read(self, size: int) -> bytes:
        """The next `size` inflated bytes."""
        end = self._at + size
        if end <= len(self._buffer):
            data = self._buffer[self._at : end]
            self._at = end
            return data
        # BytesIO hands its buffer out without copying it: a large file is in memory once, not twice.
        out = io.BytesIO()
        out.write(memoryview(self._buffer)[self._at :])
        missing = size - out.tell()
        self._buffer, self._at = b"", 0
        while missing and (piece := next(self._pieces, b"")):
            if len(piece) > missing:
                self._buffer, self._at = piece, missing
            out.write(memoryview(piece)[:missing])
            missing = size - out.tell()
        return out.getvalue()

    def peek(self, size: int) -> bytes:
        """The next `size` bytes (fewer only at the end), which stay where they are."""
        while len(self._buffer) - self._at < size and (piece := next(self._pieces, b"")):
            self._buffer, self._at = self._buffer[self._at :] + piece, 0
        return self._buffer[self._at : self._at + size]

    def skip(self, size: int) -> int:
        """Pass over `size` inflated bytes without handing them out; how many there were."""
        passed = min(size, len(self._buffer) - self._at)
        self._at += passed
        while passed < size and (piece := next(self._pieces, b"")):
            self._buffer, self._at = piece, min(size - passed, len(piece))
            passed += self._at
        return passed

    def finish(self, digest: str | None, diff_id: str | None) -> None:
        """Read to the end and compare. Raises IntegrityError (``digest-mismatch``)."""
        for _ in self._pieces:
            pass
        while self._pull(_INPUT):
            self.trailing = True
        for what, wanted, found in (
            ("layer", digest, self._stored_hash),
            ("layer content (diffID)", diff_id, self._inflated_hash),
        ):
            if wanted is not None and wanted != f"sha256:{found.hexdigest()}":
                raise IntegrityError(
                    f"the {what} does not hash to its digest: sha256:{found.hexdigest()} instead of {wanted}",
                    code="digest-mismatch",
                    where=self._where,
                    hint="the image was changed or damaged after it was built; get it again from its source",
                )

    def close(self) -> None:
        """End the thread that inflates ahead."""
        self._ahead.close()

    @property
    def stored_digest(self) -> str:
        """Digest of the stored bytes read so far."""
        return f"sha256:{self._stored_hash.hexdigest()}"

    def _pull(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._stored_hash.update(data)
        self.stored_size += len(data)
        if self._progress is not None and data:
            self._progress(len(data))
        return data

    def _count(self, piece: bytes) -> bytes:
        self._inflated_hash.update(piece)
        self.inflated_size += len(piece)
        if self.inflated_size > self._limit:
            raise exceeded(self._limit_name, f"inflates to more than {self._limit} bytes", self._where)
        if self.inflated_size > max(RATIO_FREE_BYTES, self._ratio * self.stored_size):
            message = f"{self.inflated_size} bytes inflate from {self.stored_size}"
            raise exceeded("inflation_ratio", f"{message}, more than {self._ratio} for one", self._where)
        return piece

    def _copy(self, head: bytes) -> Iterator[bytes]:
        while head:
            yield self._count(head)
            head = self._pull(_OUTPUT)

    def _gunzip(self, head: bytes) -> Iterator[bytes]:
        from isal import igzip_lib

        isal_error: type[Exception] = igzip_lib.IsalError  # type: ignore[assignment]  # the stub calls it a variable

        data = head
        while True:
            member = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
            try:
                while not member.eof:
                    if member.needs_input:
                        data = data or self._pull(_INPUT)
                        if not data:
                            raise self._damaged("the gzip stream is cut off")
                        piece, data = member.decompress(data, _OUTPUT), b""
                    else:
                        piece = member.decompress(b"", _OUTPUT)
                    if piece:
                        yield self._count(piece)
            except (isal_error, EOFError, ValueError) as error:
                raise self._damaged(f"the gzip stream is damaged ({error})") from None
            data = member.unused_data or self._pull(_INPUT)
            if len(data) == 1:
                data += self._pull(_INPUT)
            if not data.startswith(b"\x1f\x8b"):
                self.trailing = bool(data)
                return

    def _unzstd(self, head: bytes) -> Iterator[bytes]:
        import zstandard

        source = _Rewound(head, self._pull)
        # 128 MiB: the largest window that zstd itself accepts without --long (zstd(1)).
        decompressor = zstandard.ZstdDecompressor(max_window_size=2**27)
        reader = decompressor.stream_reader(source, read_across_frames=True)  # type: ignore[arg-type]  # only read()
        try:
            while piece := reader.read(_OUTPUT):
                yield self._count(piece)
        except zstandard.ZstdError as error:
            raise self._damaged(f"the zstd stream is damaged ({error})") from None

    def _damaged(self, message: str) -> FormatError:
        return FormatError(message, code="layer-corrupt", where=self._where)


class _Rewound:
    """`pull` with some bytes put back in front, as the file object that zstandard reads from."""

    def __init__(self, head: bytes, pull: Callable[[int], bytes]) -> None:
        self._head = head
        self._pull = pull

    def read(self, size: int = _INPUT) -> bytes:
        if self._head:
            data, self._head = self._head[:size], self._head[size:]
            return data
        return self._pull(size)
