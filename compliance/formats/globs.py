"""Path globs compiled for speed: an image has up to a million paths, each is asked against every request.

``*`` and ``?`` stay inside one part of a path, ``**/`` is any number of parts, a final ``**`` everything below,
``{a,b}`` alternatives, ``[abc]`` a character class.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

T = TypeVar("T")
_Sorted = dict[str, dict[int, list[str]]]

_BEGINNING = 4
"""Letters by which file names are told apart: with fewer most names that begin with lib meet."""


def translate(glob: str) -> str:
    """The regular expression (for fullmatch) of one glob."""
    out: list[str] = []
    at = 0
    while at < len(glob):
        char = glob[at]
        if glob.startswith("**/", at):
            out.append("(?:[^/]+/)*")
            at += 3
            continue
        if glob.startswith("**", at):
            out.append(".*")
            at += 2
            continue
        if char == "*":
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "{" and "}" in glob[at:]:
            end = glob.index("}", at)
            out.append("(?:" + "|".join(translate(choice) for choice in glob[at + 1 : end].split(",")) + ")")
            at = end
        elif char == "[" and "]" in glob[at + 1 :]:
            end = glob.index("]", at + 1)
            inside = glob[at + 1 : end].replace("\\", "\\\\")
            out.append("[" + ("^" + inside[1:] if inside.startswith("!") else inside) + "]")
            at = end
        else:
            out.append(re.escape(char))
        at += 1
    return "".join(out)


class PathTable(Generic[T]):
    """Whose globs a path matches, where many have globs.

    Most paths are refused by look-ups: globs whose last part is literal (``**/METADATA``) are asked only for files
    of that name, globs ending in a literal suffix (``**/*.jar``) only for that suffix, and globs of any folder
    whose last part begins literally (``**/libz.so*``) only for names that begin so.
    """

    def __init__(self, globs: Iterable[tuple[T, Iterable[str]]]) -> None:
        """Compile the globs of each owner."""
        self._owners: list[T] = []
        names: _Sorted = defaultdict(lambda: defaultdict(list))
        suffixes: _Sorted = defaultdict(lambda: defaultdict(list))
        beginnings: _Sorted = defaultdict(lambda: defaultdict(list))
        rest: dict[int, list[str]] = defaultdict(list)
        for number, (owner, some) in enumerate(globs):
            self._owners.append(owner)
            for glob in some:
                last = glob.rpartition("/")[2]
                suffix = re.fullmatch(r"\*(\.[\w.+-]+)", last)
                begins = re.match(rf"[\w.+-]{{{_BEGINNING}}}", last)
                if not re.search(r"[*?{\[]", last):
                    names[last][number].append(glob)
                elif suffix and "{" not in glob.rpartition("/")[0]:
                    suffixes[suffix[1].rpartition(".")[2]][number].append(glob)
                elif begins and glob == f"**/{last}" and "**" not in last:
                    beginnings[begins[0]][number].append(last)
                else:
                    rest[number].append(glob)
        self._names = {name: _unions(some) for name, some in names.items()}
        self._suffixes = {suffix: _unions(some) for suffix, some in suffixes.items()}
        self._beginnings = {begins: _unions(some) for begins, some in beginnings.items()}
        self._rest = _unions(rest)
        self._any_of_rest = _union([glob for some in rest.values() for glob in some]) if rest else None

    def owners(self, path: str) -> tuple[T, ...]:
        """The owners of the globs that `path` (no leading slash) matches, in the order they were given."""
        name = path[path.rfind("/") + 1 :]
        found: list[int] = []
        some = self._names.get(name)
        if some is not None:
            found += [number for number, pattern in some if pattern.fullmatch(path)]
        some = self._beginnings.get(name[:_BEGINNING])
        if some is not None:
            found += [number for number, pattern in some if pattern.fullmatch(name)]
        dot = name.rfind(".")
        if dot >= 0:
            some = self._suffixes.get(name[dot + 1 :])
            if some is not None:
                found += [number for number, pattern in some if pattern.fullmatch(path)]
        if self._any_of_rest is not None and self._any_of_rest.fullmatch(path):
            found += [number for number, pattern in self._rest if pattern.fullmatch(path)]
        if not found:
            return ()
        return tuple(self._owners[number] for number in sorted(set(found)))


class PathMatcher:
    """Whether a path matches any of some globs."""

    def __init__(self, globs: Iterable[str]) -> None:
        """Compile `globs`."""
        self._table = PathTable([(True, globs)])

    def matches(self, path: str) -> bool:
        """Whether `path` (no leading slash) matches."""
        return bool(self._table.owners(path))


def _unions(globs: Mapping[int, list[str]]) -> list[tuple[int, re.Pattern[str]]]:
    return [(number, _union(some)) for number, some in globs.items()]


def _union(globs: list[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{translate(glob)})" for glob in globs), re.DOTALL)
