"""Inflating in a process of its own: the reader's Python code and the inflating then really run at once.

A stored layer that is a file, or a part of one, the process reads itself; from anywhere else the stored bytes go there
through a pipe. Inflated ones come back through a ring of slots in shared memory, so that they are copied once.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Generator
from mmap import mmap
from typing import BinaryIO, cast

from compliance.errors import ComplianceError, FormatError, LimitError, SourceError
from compliance.ingest import inflate_worker
from compliance.ingest.file_part import FilePart
from compliance.ingest.inflate import OUTPUT, Pull
from compliance.ingest.inflate_worker import END, HELLO, LENGTH, PIECE, SLOTS, Order, Report

WORTH_A_PROCESS = 2**24
"""Stored bytes of a layer from which starting Python once more (40 ms of another core) costs less than it saves."""

_ERRORS: dict[str, type[ComplianceError]] = {
    "FormatError": FormatError,
    "LimitError": LimitError,
    "SourceError": SourceError,
}


class InflateProcess:
    """The process, for one stream after another."""

    def __init__(self) -> None:
        """Start it. Raises OSError where no process or no shared memory is to be had."""
        self._memory = os.memfd_create("inflated")
        os.ftruncate(self._memory, SLOTS * OUTPUT)
        self._ring = mmap(self._memory, SLOTS * OUTPUT)
        credit_in, self._credit = os.pipe()
        self._files, files = socket.socketpair()
        self._ready = False
        theirs = (self._memory, credit_in, files.fileno())
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this very program
                [sys.executable, "-P", "-m", inflate_worker.__name__, *map(str, theirs)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=theirs,
            )
        except BaseException:
            os.close(self._credit)
            self._files.close()
            self._ring.close()
            raise
        finally:
            files.close()
            os.close(credit_in)
            os.close(self._memory)
        self._to = cast(BinaryIO, self._process.stdin)
        self._from = cast(BinaryIO, self._process.stdout)
        self._closed = False

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def answers(self) -> bool:
        """Whether it runs: it says so when it has started. False where Python can't be started so once more."""
        return not self._closed and (self._ready or self._hello())

    def _hello(self) -> bool:
        self._ready = self._from.read(len(HELLO)) == HELLO
        return self._ready

    def inflate(
        self, stored: FilePart | Pull, *, limit: int, limit_name: str, ratio: int, algorithms: tuple[str, str]
    ) -> RemoteInflation:
        """Inflate a part of a file, or what a function gives, which is then called in a thread of its own."""
        part = (stored.offset, stored.size) if isinstance(stored, FilePart) else None
        order: Order = {
            "limit": limit,
            "limit_name": limit_name,
            "ratio": ratio,
            "algorithms": algorithms,
            "part": part,
        }
        self.send(json.dumps(order).encode())
        if isinstance(stored, FilePart):
            self.flush()
            socket.send_fds(self._files, [b"f"], [stored.fileno()])
            return RemoteInflation(self, None)
        return RemoteInflation(self, stored)

    def close(self) -> None:
        """End the process, whatever it does."""
        if self._closed:
            return
        self._closed = True
        self._process.kill()
        self._process.wait()
        for end in (self._to, self._from, self._files):
            with contextlib.suppress(OSError):  # bytes that nobody will read any more
                end.close()
        os.close(self._credit)
        self._ring.close()

    def send(self, frame: bytes) -> None:
        """One frame of stored bytes; an empty one is the end."""
        self._to.write(LENGTH.pack(len(frame)))
        self._to.write(frame)

    def flush(self) -> None:
        """Nothing that was sent stays here."""
        self._to.flush()

    def receive(self) -> tuple[int, int] | Report:
        """The length of the next piece and how many stored bytes were read, or the report at the end."""
        length, stored = PIECE.unpack(self._exactly(PIECE.size))
        if length != END:
            return length, stored
        report = self._exactly(LENGTH.unpack(self._exactly(LENGTH.size))[0])
        return cast(Report, json.loads(report))

    def slot(self, number: int, length: int) -> memoryview:
        """The bytes of a piece, where they lie until its slot is given back."""
        start = number % SLOTS * OUTPUT
        return memoryview(self._ring)[start : start + length]

    def give_back(self) -> None:
        """The oldest slot may be filled again."""
        try:
            os.write(self._credit, b"\0")
        except BrokenPipeError:
            raise self._died() from None

    def _exactly(self, size: int) -> bytes:
        data = self._from.read(size)
        if len(data) < size:
            raise self._died()
        return data

    def _died(self) -> SourceError:
        status = self._process.wait()
        return SourceError(f"the inflating process ended (status {status})", code="inflating-failed")


class RemoteInflation:
    """An Inflation (see there) that runs in the process."""

    def __init__(self, process: InflateProcess, pull: Pull | None) -> None:
        """`pull` feeds it from here; None when it reads a file."""
        self._process = process
        self._feeder = None if pull is None else threading.Thread(target=self._feed, args=(pull,), daemon=True)
        self._failure: BaseException | None = None
        self._ended = False
        self.stored = 0
        self.size = 0
        self.trailing = False
        self.stored_digest = ""
        self.digest = ""

    def close(self) -> None:
        """A stream left in the middle leaves a process that can't go on: it is ended."""
        if not self._ended:
            self._process.close()
            if self._feeder is not None and self._feeder.is_alive():
                self._feeder.join()

    def pieces(self) -> Generator[memoryview, None, None]:
        """See Inflation.pieces; a piece holds its bytes only until the next is asked for."""
        if self._feeder is not None:
            self._feeder.start()
        number = 0
        while isinstance(answer := self._process.receive(), tuple):
            length, self.stored = answer
            with self._process.slot(number, length) as piece:
                yield piece
            self._process.give_back()
            number += 1
        if self._feeder is not None:
            self._feeder.join()
        self._ended = True
        if self._failure is not None:
            raise self._failure
        if answer["error"]:
            raise _ERRORS[answer["error"]](answer["message"], code=answer["code"], hint=answer["hint"])
        self.size, self.trailing, self.stored = answer["size"], answer["trailing"], answer["stored"]
        self.stored_digest, self.digest = answer["digests"]

    def _feed(self, pull: Pull) -> None:
        try:
            while data := pull():
                self._process.send(data)
        except (OSError, ValueError) as error:
            # The pipe is gone: that the process ended is said where its answer is awaited; else the source failed.
            self._failure = None if isinstance(error, BrokenPipeError) else error
        except BaseException as error:  # noqa: BLE001 - raised again where the pieces are wanted
            self._failure = error
        with contextlib.suppress(OSError, ValueError):
            self._process.send(b"")
            self._process.flush()
