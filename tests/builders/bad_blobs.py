"""Places for blobs where the process that wants to leave something comes to harm: how an image's process can end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from compliance.errors import StoreError
from compliance.ingest.transport import TransientError


@dataclass(frozen=True, kw_only=True)
class Kills:
    """The process is ended by a signal."""

    number: int

    def put(self, content: bytes) -> str:
        os.kill(os.getpid(), self.number)
        raise AssertionError


@dataclass(frozen=True, kw_only=True)
class Hangs:
    """It never comes back, and has started another process that doesn't either and notes its number."""

    note: Path

    def put(self, content: bytes) -> str:
        with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as other:
            self.note.write_text(str(other.pid))
            time.sleep(600)
        raise AssertionError


class Hogs:
    """It takes ever more memory."""

    def put(self, content: bytes) -> str:
        held = []
        while True:
            held.append(bytearray(2**24))


class Exits:
    """It ends and says nothing."""

    def put(self, content: bytes) -> str:
        os._exit(7)


class Burns:
    """It computes for ever."""

    def put(self, content: bytes) -> str:
        while True:
            pass


class Refuses:
    """Nothing can be kept."""

    def put(self, content: bytes) -> str:
        raise StoreError("the disk is full: No space left on device", code="disk-full")


class Stutters:
    """What is far away does not answer just now."""

    def put(self, content: bytes) -> str:
        raise TransientError("no answer in time", code="registry-unreachable", where="registry.example", pause=7.0)


class Fails:
    """A fault of the tool."""

    def put(self, content: bytes) -> str:
        raise LookupError("nobody thought\nof this")
