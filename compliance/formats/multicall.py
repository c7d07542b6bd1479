"""Multi-call binaries: one program that is many commands, told by the table of names inside it.

BusyBox keeps its applet names NUL-separated and sorted, one after another. Toybox scatters its names between
option strings, but each command's help begins with ``usage: NAME``; a Toybox built without help shows nothing.
"""

from __future__ import annotations

import re

BUSYBOX = b": applet not found"
TOYBOX = b"(see toybox --help)"
"""Literals that every build of the one or the other has: its answer to an unknown name."""

NAMES_MAX = 1024
_TABLE_LENGTH_MIN = 8
_RUN = re.compile(rb"(?<=\0)(?:[a-zA-Z0-9_\[][a-zA-Z0-9_.+\[-]{0,31}\0){8,}")
_USAGE = re.compile(rb"\0usage: ([a-z0-9_\[][a-z0-9_.+\[-]{0,31})(?=[ \n\0])")


def busybox_applets(content: bytes) -> tuple[str, ...]:
    """The names in a BusyBox's applet table, sorted; empty when there is none (a build with one applet)."""
    best: list[bytes] = []
    for match in _RUN.finditer(content):
        best = max(best, _longest_ascending(match[0][:-1].split(b"\0")), key=len)
    if len(best) < _TABLE_LENGTH_MIN:
        return ()
    return tuple(sorted(name.decode("ascii") for name in best[:NAMES_MAX]))


def toybox_commands(content: bytes) -> tuple[str, ...]:
    """The command names that a Toybox's help texts tell, sorted."""
    names: set[str] = set()
    for match in _USAGE.finditer(content):
        names.add(match[1].decode("ascii"))
        if len(names) == NAMES_MAX:
            break
    return tuple(sorted(names - {"toybox"}))


def _longest_ascending(names: list[bytes]) -> list[bytes]:
    """The longest stretch of `names` that is strictly ascending."""
    best = start = stop = 0
    for index in range(1, len(names) + 1):
        if index == len(names) or names[index] <= names[index - 1]:
            if index - start > stop - best:
                best, stop = start, index
            start = index
    return names[best:stop]
