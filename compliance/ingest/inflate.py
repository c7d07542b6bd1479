"""Stored bytes to inflated bytes: gzip, zstd or plain, bounded, both sides digested on the way.

Light to import: a process of its own runs it (see inflate_worker).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import NoReturn, Protocol

from compliance.errors import FormatError

INPUT = 2**18
"""Stored bytes taken at once."""
OUTPUT = 2**18
"""Inflated bytes handed on at once, at most: they stay in a core's own cache until they are digested."""
RATIO_FREE_BYTES = 64 * 2**20
"""Inflated bytes up to which nobody minds the ratio: any machine inflates them in a tenth of a second."""

GZIP, ZSTD, PLAIN = "gzip", "zstd", "plain"
SHA256 = "sha256"

Pull = Callable[[], bytes]
"""The next stored bytes, at most INPUT; none at the end."""


class Hash(Protocol):
    """Takes bytes in order; the digest covers all of them once `hexdigest` is asked for."""

    @property
    def name(self) -> str:
        """Of the algorithm, as hashlib calls it."""
        ...

    def update(self, data: bytes, /) -> None:
        """The next bytes."""
        ...

    def hexdigest(self) -> str:
        """Of all bytes so far."""
        ...


_KEPT = 2**25 - 2**14
"""Just below the largest block that glibc's allocator ever takes from its heap (mallopt(3), M_MMAP_THRESHOLD)."""


def reuse_memory() -> None:
    """Have freed blocks of megabytes used again, where the allocator is glibc's; no effect elsewhere.

    At first it maps memory anew for each of them, and gives the end of its heap back whenever one is freed: then the
    kernel clears every page of every piece and of every large file. Freeing a large block once teaches it otherwise.
    """
    bytes(_KEPT)  # nobody touches it, so it costs no memory


def sniff(head: bytes) -> str:
    """The compression that the first bytes show; media types of real images are often wrong."""
    if head.startswith(b"\x1f\x8b"):
        return GZIP
    if head.startswith(b"\x28\xb5\x2f\xfd") or (head[1:4] == b"\x2a\x4d\x18" and 0x50 <= head[0] <= 0x5F):
        return ZSTD
    return PLAIN


class Inflation:
    """One stream being inflated. What it tells of itself holds once `pieces` has come to its end."""

    def __init__(
        self,
        pull: Pull,
        *,
        limit: int,
        limit_name: str,
        ratio: int,
        algorithms: tuple[str, str] = (SHA256, SHA256),
        new_hash: Callable[[str], Hash] = hashlib.new,
    ) -> None:
        """`limit` (of Limits, called `limit_name`) bounds the inflated bytes, `ratio` those for one stored byte;
        `algorithms` are those of the digests over the stored and over the inflated bytes."""
        self._source = pull
        self._limit = limit
        self._limit_name = limit_name
        self._ratio = ratio
        self._stored_hash, self._hash = map(new_hash, algorithms)
        self.stored = 0
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
    def stored_digest(self) -> str:
        """Digest of the stored bytes so far, ``ALGORITHM:HEX``."""
        return f"{self._stored_hash.name}:{self._stored_hash.hexdigest()}"

    @property
    def digest(self) -> str:
        """Digest of the inflated bytes so far, ``ALGORITHM:HEX``."""
        return f"{self._hash.name}:{self._hash.hexdigest()}"

    def _pull(self) -> bytes:
        data = self._source()
        self.stored += len(data)
        self._stored_hash.update(data)
        return data

    def _count(self, size: int) -> None:
        self.size += size
        if self.size > self._limit:
            self._exceeded(self._limit_name, f"inflates to more than {self._limit} bytes")
        if self.size > max(RATIO_FREE_BYTES, self._ratio * self.stored):
            message = f"{self.size} bytes inflate from {self.stored}, more than {self._ratio} for one"
            self._exceeded("inflation_ratio", message)

    def _exceeded(self, limit: str, message: str) -> NoReturn:
        from compliance.ingest.limits import exceeded

        raise exceeded(limit, message)

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
