"""The files in which Go names modules: go.mod, go.sum, vendor/modules.txt (Go Modules Reference)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from compliance.formats.plain_text import decode

_VERSION = re.compile(r"v\d[\w.+~-]*")
_LINES_MAX = 500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class GoMod:
    """A go.mod: its module, the Go version as (major, minor), and the modules it requires after replacement."""

    module: str
    go: tuple[int, int]
    requires: tuple[tuple[str, str], ...]
    replaced: frozenset[str] = frozenset()


def read_go_mod(content: bytes) -> GoMod:
    """Read a go.mod. A module that is replaced by a folder is left out: its version is not what is built."""
    module, go = "", (1, 0)
    requires: dict[str, str] = {}
    replaces: dict[tuple[str, str], tuple[str, str]] = {}
    for verb, words in _directives(decode(content)):
        if verb == "module" and words:
            module = words[0]
        elif verb == "go" and words:
            go = _go_version(words[0])
        elif verb == "require" and len(words) >= 2:
            requires[words[0]] = words[1]
        elif verb == "replace" and "=>" in words:
            old, only, new, number = _replacement(words)
            replaces.setdefault((old, only), (new, number))
    stated = [
        replaces.get((path, version)) or replaces.get((path, "")) or (path, version)
        for path, version in requires.items()
    ]
    return GoMod(
        module=module,
        go=go,
        requires=tuple((path, version) for path, version in stated if _VERSION.fullmatch(version)),
        replaced=frozenset(old for old, _ in replaces),
    )


_GO = re.compile(r"(\d{1,4})\.(\d{1,4})")


def _go_version(text: str) -> tuple[int, int]:
    match = _GO.match(text)
    return (int(match[1]), int(match[2])) if match else (1, 0)


def _directives(text: str) -> Iterator[tuple[str, list[str]]]:
    """(verb, words) of each line, those of a block in parentheses with the block's verb."""
    block = ""
    for number, raw in enumerate(text.split("\n")):
        if number > _LINES_MAX:
            return
        words = [word.strip('"`') for word in raw.partition("//")[0].split()]
        if not words:
            continue
        if block:
            if words[0] == ")":
                block = ""
            else:
                yield block, words
        elif words[-1] == "(":
            block = words[0]
        else:
            yield words[0], words[1:]


def _replacement(words: list[str]) -> tuple[str, str, str, str]:
    """Old path and version ("" for all), new path and version ("" for a folder)."""
    arrow = words.index("=>")
    old, new = words[:arrow], words[arrow + 1 :]
    return (
        old[0] if old else "",
        old[1] if len(old) > 1 else "",
        new[0] if new else "",
        new[1] if len(new) > 1 else "",
    )


def read_go_sum(content: bytes) -> Iterator[tuple[str, str]]:
    """(module, version) of every line that is about a module's whole content, not only its go.mod."""
    for line in decode(content).split("\n"):
        words = line.split()
        if len(words) == 3 and _VERSION.fullmatch(words[1]):
            yield words[0], words[1]


def read_modules_txt(content: bytes) -> Iterator[tuple[str, str, str]]:
    """(folder below vendor, module, version) of every module of which packages are vendored.

    ``# path version [=> path [version]]`` begins a module; the lines without ``#`` are its packages. A module
    replaced by a folder keeps the version it was required with.
    """
    current: tuple[str, str, str] | None = None
    for line in decode(content).split("\n"):
        words = line.split()
        if not words or words[0] == "##":
            continue
        if words[0] == "#":
            current = _vendored(words[1:])
        elif current is not None:
            yield current
            current = None


def _vendored(words: list[str]) -> tuple[str, str, str] | None:
    old, new = words, []
    if "=>" in words:
        arrow = words.index("=>")
        old, new = words[:arrow], words[arrow + 1 :]
    if len(new) == 2 and _VERSION.fullmatch(new[1]) and old:
        return old[0], new[0], new[1]
    if len(old) == 2 and _VERSION.fullmatch(old[1]):
        return old[0], old[0], old[1]
    return None
