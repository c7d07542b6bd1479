"""The inflating process itself: stored bytes in, by pipe or from a file, inflated ones out through shared memory.

Started by inflate_process as ``python -m compliance.ingest.inflate_worker RING CREDIT FILES``, the numbers of three
descriptors. It knows nothing but the bytes it is given, imports little, and ends when its pipe does.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import struct
import sys
import threading
from collections.abc import Generator
from mmap import mmap
from queue import SimpleQueue
from typing import NoReturn, TypedDict

from compliance.errors import ComplianceError, SourceError
from compliance.ingest.inflate import INPUT, OUTPUT, Hash, Inflation, reuse_memory

SLOTS = 32
LENGTH = struct.Struct("<I")
PIECE = struct.Struct("<IQ")
"""The length of an inflated piece, and how many stored bytes have been read so far."""
END = 0
"""The length that stands for: no more bytes, a report follows."""
HELLO = b"ready"
_UNHASHED_MAX = 32
"""Pieces that may wait for the thread that digests; hashing is faster than inflating, so few ever do."""


class Order(TypedDict):
    """What is asked of the process; `part` is offset and size of the stored bytes in a file that comes beside it,
    null where they come by the pipe."""

    limit: int
    limit_name: str
    ratio: int
    algorithms: tuple[str, str]
    part: tuple[int, int] | None


class Report(TypedDict):
    """What the process says at the end of a stream; `error` is the name of an error's class, or empty."""

    stored: int
    size: int
    trailing: bool
    digests: tuple[str, str]
    error: str
    message: str
    code: str
    hint: str | None


class HashThread:
    """Digests in a thread of its own, so that one core inflates while another one digests."""

    def __init__(self) -> None:
        """Start it; it ends with the process."""
        # SimpleQueue is made in C: a Queue's conditions cost as much as digesting a small piece.
        self._todo: SimpleQueue[tuple[Hash, bytes]] = SimpleQueue()
        self._done: SimpleQueue[None] = SimpleQueue()
        self._waiting = 0
        threading.Thread(target=self._run, daemon=True).start()

    def new(self, algorithm: str) -> Hash:
        """A hash that this thread feeds."""
        return _LateHash(hashlib.new(algorithm), self)

    def update(self, hashed: Hash, data: bytes) -> None:
        """Have `data` digested by `hashed`, when what came before is; waits while too much does."""
        if self._waiting == _UNHASHED_MAX:
            self._done.get()
            self._waiting -= 1
        self._todo.put((hashed, data))
        self._waiting += 1

    def finish(self) -> None:
        """Wait until all is digested."""
        while self._waiting:
            self._done.get()
            self._waiting -= 1

    def _run(self) -> None:
        while True:
            hashed, data = self._todo.get()
            hashed.update(data)
            self._done.put(None)


class _LateHash:
    """See Hash; `hexdigest` waits for what is not yet digested."""

    def __init__(self, hashed: Hash, thread: HashThread) -> None:
        self._hashed, self._thread = hashed, thread

    @property
    def name(self) -> str:
        return self._hashed.name

    def update(self, data: bytes, /) -> None:
        self._thread.update(self._hashed, data)

    def hexdigest(self) -> str:
        self._thread.finish()
        return self._hashed.hexdigest()


def main(memory: int, credit: int, files: int) -> None:
    """Streams in, slots out, until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the reader decides what an interrupt means
    reuse_memory()
    out = sys.stdout.buffer
    hashes = HashThread()
    with mmap(memory, SLOTS * OUTPUT) as ring, socket.socket(fileno=files) as passed:
        out.write(HELLO)
        out.flush()
        while frame := _frame():
            order: Order = json.loads(frame)
            stored = _piped() if order["part"] is None else _filed(passed, *order["part"])
            inflation = Inflation(
                lambda: next(stored, b""),  # noqa: B023 - used up within this turn
                limit=order["limit"],
                limit_name=order["limit_name"],
                ratio=order["ratio"],
                algorithms=order["algorithms"],
                new_hash=hashes.new,
            )
            error: ComplianceError | None = None
            number, free = 0, SLOTS
            try:
                for piece in inflation.pieces():
                    if not free:
                        free = len(os.read(credit, SLOTS)) or _gone()
                    start = number % SLOTS * OUTPUT
                    ring[start : start + len(piece)] = piece
                    out.write(PIECE.pack(len(piece), inflation.stored))
                    out.flush()
                    number, free = number + 1, free - 1
            except ComplianceError as raised:
                error = raised
            if order["part"] is None:  # what is still in the pipe belongs to this stream
                for _ in stored:
                    pass
            stored.close()
            text = json.dumps(_report(inflation, error)).encode()
            out.write(PIECE.pack(END, inflation.stored) + LENGTH.pack(len(text)) + text)
            out.flush()
            # Slots that are given back late belong to this stream, not to the next.
            while free < SLOTS:
                free += len(os.read(credit, SLOTS)) or _gone()


def _piped() -> Generator[bytes, None, None]:
    """Stored bytes as they come by the pipe, up to the empty frame."""
    while data := _frame():
        yield data


def _filed(passed: socket.socket, offset: int, size: int) -> Generator[bytes, None, None]:
    """Stored bytes of a file whose descriptor comes by the socket; they are read at a place, not from a position
    that somebody else may move."""
    _, (file, *_), _, _ = socket.recv_fds(passed, 1, 1)
    try:
        end = offset + size
        while offset < end and (data := os.pread(file, min(INPUT, end - offset), offset)):
            yield data
            offset += len(data)
    except OSError as error:
        raise SourceError(f"the layer can't be read: {error.strerror}", code="blob-unreadable") from None
    finally:
        os.close(file)


def _report(inflation: Inflation, error: ComplianceError | None) -> Report:
    return {
        "stored": inflation.stored,
        "size": inflation.size,
        "trailing": inflation.trailing,
        "digests": (inflation.stored_digest, inflation.digest),
        "error": "" if error is None else type(error).__name__,
        "message": "" if error is None else error.message,
        "code": "" if error is None else error.code,
        "hint": None if error is None else error.hint,
    }


def _frame() -> bytes:
    source = sys.stdin.buffer
    head = source.read(LENGTH.size)
    if len(head) < LENGTH.size:
        _gone()
    length = LENGTH.unpack(head)[0]
    data = source.read(length)
    if len(data) < length:
        _gone()
    return data


def _gone() -> NoReturn:
    """Nobody is there any more."""
    os._exit(0)


if __name__ == "__main__":
    try:
        main(*map(int, sys.argv[1:]))
    except BrokenPipeError:
        _gone()
