"""Stored bytes to inflated bytes: gzip, zstd or plain, bounded, digested on the way.

Light to import: a process of its own may run it (see inflate_process).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

from compliance.errors import FormatError
from compliance.ingest.limits import RATIO_FREE_BYTES, exceeded

INPUT = 2**18
"""Stored bytes taken at once."""
OUTPUT = 2**18
"""Inflated bytes handed on at once, at most: they stay in a core's own cache until they are digested."""

GZIP, ZSTD, PLAIN = "gzip", "zstd", "plain"
SHA256 = "sha256"

Pull = Callable[[], bytes]
"""The next stored bytes, at most INPUT; none at the end."""


def sniff(head: bytes) -> str:
    """The compression that the first bytes show; media types of real images are often wrong."""
    if head.startswith(b"\x1f\x8b"):
        return GZIP
    if head.startswith(b"\x28\xb5\x2f\xfd") or (head[1:4] == b"\x2a\x4d\x18" and 0x50 <= head[0] <= 0x5F):
        return ZSTD
    return PLAIN


class Inflation:
    """One stream being inflated. What it tells of itself holds once `pieces` has come to its end."""

    def __init__(self, pull: Pull, *, limit: int, limit_name: str, ratio: int, algorithm: str = SHA256) -> None:
        """`limit` (of Limits, called `limit_name`) bounds the inflated bytes, `ratio` those for one stored byte;
        `algorithm` is that of the digest over them."""
        self._source = pull
        self._limit = limit
        self._limit_name = limit_name
        self._ratio = ratio
        self._hash = hashlib.new(algorithm)
        self._stored = 0
        self.size = 0
        self.trailing = False  # bytes after the compressed stream's end

    def pieces(self) -> Iterator[bytes]:
        """The inflated bytes, in pieces of at most OUTPUT. Reads to the end of what is stored.

        Raises FormatError (``layer-corrupt``), LimitError.
        """
        head = self._pull()
        for piece in {GZIP: self._gunzip, ZSTD: self._unzstd, PLAIN: self._copy}[sniff(head)](head):
            self._hash.update(piece)
            self._count(len(piece))
            yield piece
        while self._pull():
            self.trailing = True

    @property
    def digest(self) -> str:
        """Digest of the inflated bytes so far, ``ALGORITHM:HEX``."""
        return f"{self._hash.name}:{self._hash.hexdigest()}"

    def _pull(self) -> bytes:
        data = self._source()
        self._stored += len(data)
        return data

    def _count(self, size: int) -> None:
        self.size += size
        if self.size > self._limit:
            raise exceeded(self._limit_name, f"inflates to more than {self._limit} bytes")
        if self.size > max(RATIO_FREE_BYTES, self._ratio * self._stored):
            message = f"{self.size} bytes inflate from {self._stored}"
            raise exceeded("inflation_ratio", f"{message}, more than {self._ratio} for one")

    def _copy(self, head: bytes) -> Iterator[bytes]:
        while head:
            yield head
            head = self._pull()

    def _gunzip(self, head: bytes) -> Iterator[bytes]:
        from isal import igzip_lib

        isal_error: type[Exception] = igzip_lib.IsalError  # type: ignore[assignment]  # the stub calls it a variable

        data = head
        while True:
            member = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
            try:
                while not member.eof:
                    if member.needs_input:
                        data = data or self._pull()
                        if not data:
                            raise _damaged("the gzip stream is cut off")
                        piece, data = member.decompress(data, OUTPUT), b""
                    else:
                        piece = member.decompress(b"", OUTPUT)
                    if piece:
                        yield piece
            except (isal_error, EOFError, ValueError) as error:
                raise _damaged(f"the gzip stream is damaged ({error})") from None
            data = member.unused_data or self._pull()
            if len(data) == 1:
                data += self._pull()
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
            while piece := reader.read(OUTPUT):
                yield piece
        except zstandard.ZstdError as error:
            raise _damaged(f"the zstd stream is damaged ({error})") from None


class _Rewound:
    """`pull` with some bytes put back in front, as the file object that zstandard reads from."""

    def __init__(self, head: bytes, pull: Pull) -> None:
        self._head = head
        self._pull = pull

    def read(self, size: int = INPUT) -> bytes:
        data = self._head or self._pull()
        data, self._head = data[:size], data[size:]
        return data


def _damaged(message: str) -> FormatError:
    return FormatError(message, code="layer-corrupt")
