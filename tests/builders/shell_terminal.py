"""An interactive shell on a terminal of its own, for what only a person at the keyboard sees: completion."""

from __future__ import annotations

import os
import pty
import re
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.builders.program import program

_PATIENCE = 60.0
"""Seconds that the shell may take to show something; it takes milliseconds, unless the machine is busy."""

_START = {
    "bash": (("--norc", "--noprofile", "-i"), "PS1='ready> '; bind 'set bell-style none'; source {script}\n"),
    "zsh": (("-f", "-i"), "PROMPT='ready> '; autoload -U compinit; compinit -u -d {dump}; source {script}\n"),
}


class Terminal:
    """The shell's terminal: keys go in, the screen comes out."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._seen = ""

    def type(self, keys: str) -> None:
        os.write(self._handle, keys.encode())

    def wait_for(self, text: str) -> str:
        """All that was shown since the last call, up to `text`; fails when it does not come."""
        end = time.monotonic() + _PATIENCE
        while text not in self._seen:
            assert time.monotonic() < end, f"no {text!r} in {self._seen!r}"
            if select.select([self._handle], [], [], 0.2)[0]:
                self._seen += _plain(os.read(self._handle, 65536).decode(errors="replace"))
        shown, _, self._seen = self._seen.partition(text)
        return shown + text


@contextmanager
def shell(name: str, script: Path, folder: Path) -> Iterator[Terminal]:
    """`name` (bash, zsh) in `folder`, with the completion of `script`, ready for a command."""
    path = program(name)
    options, setup = _START[name]
    child, handle = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.execve(path, [path, *options], {"PATH": os.environ["PATH"], "TERM": "dumb", "HOME": str(folder)})  # noqa: S606
    try:
        terminal = Terminal(handle)
        terminal.type(setup.format(script=script, dump=folder / ".zcompdump"))
        terminal.type("echo set''up\n")
        terminal.wait_for("setup")
        terminal.wait_for("ready> ")
        yield terminal
    finally:
        os.close(handle)
        os.waitpid(child, 0)


def _plain(text: str) -> str:
    """Without the escapes that move a cursor or set colours."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|[\x07\r]", "", text)
