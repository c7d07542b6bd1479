"""Images assessed in processes of their own (`keeper`), from the side of whoever asks.

A `Worker` does one image at a time, and answers for each: an assessment, or why there is none. Nothing that an image
does ends it. The processes end when their `Template` is closed, or when this process does, however it ends.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
from multiprocessing.connection import Connection

from compliance.errors import ComplianceError
from compliance.fleet.job import Answer, Failure, Job, Trouble
from compliance.fleet.keeper import READY

START_SECONDS = 120.0
"""Until the template has loaded everything: a second on an idle machine."""
LINE_MAX = 300


class Template:
    """The process that the processes of images are forked from. Started when it is first needed, and again if it ended.

    Used by many threads.
    """

    def __init__(self) -> None:
        """Nothing is started yet."""
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def start(self) -> None:
        """Start it now. Raises ComplianceError (``worker-failed``) where it can't be."""
        with self._lock:
            self._started()

    def keeper(self) -> socket.socket:
        """A connection to a new keeper. Raises ComplianceError (``worker-failed``)."""
        with self._lock:
            ours, theirs = socket.socketpair()
            with theirs:
                try:
                    socket.send_fds(self._started(), [b"k"], [theirs.fileno()])
                except OSError:
                    self._end()
                    socket.send_fds(self._started(), [b"k"], [theirs.fileno()])
            return ours

    def close(self) -> None:
        """End it. Its keepers end when their connections do."""
        with self._lock:
            self._end()

    def _started(self) -> socket.socket:
        if self._control is not None and self._process is not None and self._process.poll() is None:
            return self._control
        self._end()
        ours, theirs = socket.socketpair()
        with theirs, tempfile.TemporaryFile() as said:
            command = [sys.executable, "-P", "-m", "compliance.fleet.keeper", str(theirs.fileno())]
            self._process = subprocess.Popen(  # noqa: S603 - this very program
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,  # an interrupt at the terminal is for whoever runs the fleet to answer
            )
            theirs.close()
            self._control = ours
            if not _is_ready(ours):
                self._end()
                said.seek(0)
                lines = said.read().decode(errors="replace").strip().splitlines() or ["it said nothing"]
                raise ComplianceError(
                    f"the process that assesses images can't be started: {lines[-1][:LINE_MAX]}", code="worker-failed"
                )
        return ours

    def _end(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._control = self._process = None


class Worker:
    """One image at a time. `run` belongs to one thread; `close` to any."""

    def __init__(self, template: Template) -> None:
        """Nothing is started before the first image."""
        self._template = template
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._busy = False
        self._closed = False

    def run(self, job: Job) -> Answer:
        """Assess. Raises ComplianceError (``worker-failed``) only where no process can be started at all."""
        connection = self._begin()
        try:
            connection.send(job)
            answer: Answer = connection.recv()
        except (EOFError, OSError):
            self._end(connection, lost=True)
            # Not the image's process is gone but the one that watches it: somebody else ended that.
            return Answer(
                failure=Failure(
                    trouble=Trouble.MOMENT, code="worker-lost", reason="the process that watched over it was ended"
                )
            )
        self._end(connection)
        return answer

    def close(self) -> None:
        """End what runs; a `run` that waits gets a failure at once."""
        with self._lock:
            self._closed = True
            if self._connection is None:
                return
            if self._busy:
                with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self._connection.fileno())) as sock:
                    sock.shutdown(socket.SHUT_RDWR)
            else:
                self._connection.close()
                self._connection = None

    def _begin(self) -> Connection:
        with self._lock:
            if self._closed:
                raise ComplianceError("no images are assessed any more", code="worker-failed")
            if self._connection is None:
                self._connection = Connection(self._template.keeper().detach())
            self._busy = True
            return self._connection

    def _end(self, connection: Connection, *, lost: bool = False) -> None:
        with self._lock:
            self._busy = False
            if lost or self._closed:
                connection.close()
                self._connection = None


def _is_ready(control: socket.socket) -> bool:
    readable, _, _ = select.select([control], [], [], START_SECONDS)
    with contextlib.suppress(OSError):
        return bool(readable) and control.recv(len(READY)) == READY
    return False
