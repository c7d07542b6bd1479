"""Inflating in a process of its own: the reader's Python code and the inflating then really run at once.

Stored bytes go there through a pipe, inflated ones come back through a ring of slots in shared memory, so that
they are copied once. The process knows nothing but the bytes it is given and ends when its pipe does.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Generator
from mmap import mmap
from typing import BinaryIO, NoReturn, TypedDict, cast

from compliance.errors import ComplianceError, FormatError, LimitError, SourceError
from compliance.ingest.inflate import OUTPUT, Inflation, Pull

WORTH_A_PROCESS = 2**24
"""Stored bytes of a layer from which starting Python once more (40 ms of another core) costs less than it saves."""

_SLOTS = 32
_LENGTH = struct.Struct("<I")
_HELLO = b"ready"
_END = 0
"""The length that stands for: no more bytes, a report follows."""
_ERRORS: dict[str, type[ComplianceError]] = {"FormatError": FormatError, "LimitError": LimitError}


class _Report(TypedDict):
    """What the process says at the end of a stream; `error` is the name of an error's class, or empty."""

    size: int
    trailing: bool
    digest: str
    error: str
    message: str
    code: str
    hint: str | None


class InflateProcess:
    """The process, for one stream after another."""

    def __init__(self) -> None:
        """Start it. Raises OSError where no process or no shared memory is to be had."""
        self._memory = os.memfd_create("inflated")
        os.ftruncate(self._memory, _SLOTS * OUTPUT)
        self._ring = mmap(self._memory, _SLOTS * OUTPUT)
        credit_in, credit_out = os.pipe()
        self._credit = credit_out
        self._ready = False
        command = [sys.executable, "-P", "-m", __name__, str(self._memory), str(credit_in)]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this very program
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=(self._memory, credit_in),
            )
        except BaseException:
            os.close(credit_out)
            self._ring.close()
            raise
        finally:
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
        self._ready = self._from.read(len(_HELLO)) == _HELLO
        return self._ready

    def inflate(self, pull: Pull, *, limit: int, limit_name: str, ratio: int, algorithm: str) -> RemoteInflation:
        """Inflate what `pull` gives; `pull` is called in a thread of its own."""
        return RemoteInflation(
            self, pull, {"limit": limit, "limit_name": limit_name, "ratio": ratio, "algorithm": algorithm}
        )

    def close(self) -> None:
        """End the process, whatever it does."""
        if self._closed:
            return
        self._closed = True
        self._process.kill()
        self._process.wait()
        for end in (self._to, self._from):
            with contextlib.suppress(OSError):  # bytes that nobody will read any more
                end.close()
        os.close(self._credit)
        self._ring.close()

    def send(self, frame: bytes) -> None:
        """One frame of stored bytes; an empty one is the end."""
        self._to.write(_LENGTH.pack(len(frame)))
        self._to.write(frame)
        if not frame:
            self._to.flush()

    def receive(self) -> int | _Report:
        """The length of the next piece, or the report at the end."""
        length = _LENGTH.unpack(self._exactly(_LENGTH.size))[0]
        if length != _END:
            return int(length)
        report = self._exactly(_LENGTH.unpack(self._exactly(_LENGTH.size))[0])
        return cast(_Report, json.loads(report))

    def slot(self, number: int, length: int) -> memoryview:
        """The bytes of a piece, where they lie until its slot is given back."""
        start = number % _SLOTS * OUTPUT
        return memoryview(self._ring)[start : start + length]

    def give_back(self) -> None:
        """The oldest slot may be filled again."""
        os.write(self._credit, b"\0")

    def _exactly(self, size: int) -> bytes:
        data = self._from.read(size)
        if len(data) < size:
            status = self._process.wait()
            raise SourceError(f"the inflating process ended (status {status})", code="inflating-failed")
        return data


class RemoteInflation:
    """An Inflation that runs in the process."""

    def __init__(self, process: InflateProcess, pull: Pull, bounds: dict[str, object]) -> None:
        self._process = process
        self._pull = pull
        self._failure: BaseException | None = None
        process.send(json.dumps(bounds).encode())
        self._feeder = threading.Thread(target=self._feed, daemon=True)
        self._ended = False
        self.size = 0
        self.trailing = False
        self.digest = ""

    def close(self) -> None:
        """A stream left in the middle leaves a process that can't go on: it is ended."""
        if not self._ended:
            self._process.close()
            if self._feeder.is_alive():
                self._feeder.join()

    def pieces(self) -> Generator[memoryview, None, None]:
        """See Inflation.pieces; a piece holds its bytes only until the next is asked for."""
        self._feeder.start()
        number = 0
        while isinstance(answer := self._process.receive(), int):
            with self._process.slot(number, answer) as piece:
                yield piece
            self._process.give_back()
            number += 1
        self._feeder.join()
        self._ended = True
        if self._failure is not None:
            raise self._failure
        if answer["error"]:
            raise _ERRORS[answer["error"]](answer["message"], code=answer["code"], hint=answer["hint"])
        self.size, self.trailing, self.digest = answer["size"], answer["trailing"], answer["digest"]

    def _feed(self) -> None:
        try:
            while data := self._pull():
                self._process.send(data)
        except (OSError, ValueError) as error:
            # The pipe is gone: that the process ended is said where its answer is awaited; else the source failed.
            self._failure = None if isinstance(error, BrokenPipeError) else error
        except BaseException as error:  # noqa: BLE001 - raised again where the pieces are wanted
            self._failure = error
        with contextlib.suppress(OSError, ValueError):
            self._process.send(b"")


def main(memory: int, credit: int) -> None:
    """The process: streams in, slots out, until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the reader decides what an interrupt means
    source, out = sys.stdin.buffer, sys.stdout.buffer
    with mmap(memory, _SLOTS * OUTPUT) as ring:
        out.write(_HELLO)
        out.flush()
        while bounds := _frame(source):
            done = False

            def pull() -> bytes:
                nonlocal done
                data = b"" if done else _frame(source)
                done = not data
                return data

            inflation = Inflation(pull, **json.loads(bounds))
            error: ComplianceError | None = None
            number, free = 0, _SLOTS
            try:
                for piece in inflation.pieces():
                    if not free:
                        free = len(os.read(credit, _SLOTS)) or _gone()
                    start = number % _SLOTS * OUTPUT
                    ring[start : start + len(piece)] = piece
                    out.write(_LENGTH.pack(len(piece)))
                    out.flush()
                    number, free = number + 1, free - 1
            except ComplianceError as raised:
                error = raised
            while pull():
                pass
            text = json.dumps(_report(inflation, error)).encode()
            out.write(_LENGTH.pack(_END) + _LENGTH.pack(len(text)) + text)
            out.flush()
            # Slots that are given back late belong to this stream, not to the next.
            while free < _SLOTS:
                free += len(os.read(credit, _SLOTS)) or _gone()


def _report(inflation: Inflation, error: ComplianceError | None) -> _Report:
    return {
        "size": inflation.size,
        "trailing": inflation.trailing,
        "digest": inflation.digest,
        "error": "" if error is None else type(error).__name__,
        "message": "" if error is None else error.message,
        "code": "" if error is None else error.code,
        "hint": None if error is None else error.hint,
    }


def _frame(source: BinaryIO) -> bytes:
    head = source.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        _gone()
    length = _LENGTH.unpack(head)[0]
    data = source.read(length)
    if len(data) < length:
        _gone()
    return data


def _gone() -> NoReturn:
    """Nobody is there any more."""
    os._exit(0)


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]), int(sys.argv[2]))
    except BrokenPipeError:
        _gone()
