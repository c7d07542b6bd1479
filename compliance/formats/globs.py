"""Path globs compiled for speed: an image has up to a million paths, each is asked against every request.

``*`` and ``?`` stay inside one part of a path, ``**/`` is any number of parts, a final ``**`` everything below,
``{a,b}`` alternatives, ``[abc]`` a character class, ``[!abc]`` any other character of a part.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Generic, TypeVar

T = TypeVar("T")
_Sorted = dict[str, dict[int, list[str]]]
_Unions = tuple[tuple[int, re.Pattern[str] | None], ...]
"""Numbers of owners, each with one expression for all its globs; None where all that was looked up matches."""

_BEGINNING = 4
"""Letters by which file names are told apart: with fewer most names that begin with lib meet."""
_CHOICES_MAX = 64
_WILD = re.compile(r"[*?{\[]")
_WILD_NAME = re.compile(r"[*?{]|\[.*\]", re.DOTALL)
"""A bracket that nothing closes is a letter, which ends a name: the command ``[`` is one."""
_BRACES = re.compile(r"\{.*\}", re.DOTALL)


def is_glob(text: str) -> bool:
    """Whether `text` may stand for more than itself."""
    return _WILD.search(text) is not None


def translate(glob: str) -> str:
    """The regular expression (for fullmatch) of one glob."""
    out: list[str] = []
    at = 0
    while at < len(glob):
        char = glob[at]
        if glob.startswith("**/", at):
            out.append("(?:.*/)?")
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
        elif char == "[" and "]" in glob[at + 2 :].partition("/")[0]:
            end = glob.index("]", at + 2)
            inside = glob[at + 1 : end].replace("\\", "\\\\")
            out.append("[" + ("^/" + inside[1:] if inside.startswith("!") else inside) + "]")
            at = end
        else:
            out.append(re.escape(char))
        at += 1
    return "".join(out)


@dataclass(frozen=True, slots=True)
class _Inside(Generic[T]):
    """One folder: the owners whose globs every file in it matches, their numbers, and what is asked of each file."""

    owners: tuple[T, ...]
    numbers: tuple[int, ...]
    asked: tuple[tuple[int, re.Pattern[str]], ...]


class PathTable(Generic[T]):
    """Whose globs a path matches, where many have globs.

    Most paths are refused by look-ups: globs whose last part is literal (``**/METADATA``) are asked only for files
    of that name, globs whose last part ends in a literal suffix (``**/*.jar``) only for that suffix, globs of any
    folder whose last part begins literally (``**/libz.so*``) only for names that begin so, and others with a literal
    folder (``**/lib/*x``) only for files in one of that name; those that end in ``**`` once for a folder.
    """

    def __init__(self, globs: Iterable[tuple[T, Iterable[str]]]) -> None:
        """Compile the globs of each owner."""
        self._owners: list[T] = []
        names: _Sorted = defaultdict(lambda: defaultdict(list))
        suffixes: _Sorted = defaultdict(lambda: defaultdict(list))
        beginnings: _Sorted = defaultdict(lambda: defaultdict(list))
        folders: _Sorted = defaultdict(lambda: defaultdict(list))
        below: _Sorted = defaultdict(lambda: defaultdict(list))
        rest: dict[int, list[str]] = defaultdict(list)
        for number, (owner, some) in enumerate(globs):
            self._owners.append(owner)
            for glob in (alternative for one in some for alternative in _alternatives(one)):
                before, _, last = glob.rpartition("/")
                suffix = re.search(r"\.([\w+-]+)$", last)
                begins = re.match(rf"[\w.+-]{{{_BEGINNING}}}", last)
                folders_of = () if _BRACES.search(glob) else reversed(before.split("/"))  # a slash may lie in braces
                folder = next((part for part in folders_of if part and not is_glob(part)), None)
                if not _WILD_NAME.search(last) and not _BRACES.search(glob):
                    names[last][number].append(glob)
                elif suffix:
                    suffixes[suffix[1]][number].append(glob)
                elif begins and glob == f"**/{last}" and "**" not in last:
                    beginnings[begins[0]][number].append(glob)
                elif folder:
                    (below if last == "**" else folders)[folder][number].append(glob)
                else:
                    rest[number].append(glob)
        self._names = {name: _unions(some, f"**/{name}") for name, some in names.items()}
        self._suffixes = {suffix: _unions(some, f"**/*.{suffix}") for suffix, some in suffixes.items()}
        self._beginnings = {begins: _unions(some) for begins, some in beginnings.items()}
        self._folders = {
            folder: tuple((_union_of_folders(globs), number, union(globs)) for number, globs in some.items())
            for folder, some in folders.items()
        }
        self._below = {folder: _unions(some) for folder, some in below.items()}
        self._rest = _unions(rest)
        self._any_of_rest = union([glob for some in rest.values() for glob in some]) if rest else None
        self._last: tuple[str, _Inside[T]] = ("", _Inside((), (), ()))

    def owners(self, path: str) -> tuple[T, ...]:
        """The owners of the globs that `path` (no leading slash) matches, in the order they were given."""
        cut = path.rfind("/") + 1
        name, folder = path[cut:], path[:cut]
        last, inside = self._last
        if folder != last:
            inside = self._inside(folder)
        # Looked up here and not in functions: this runs for every path of an image, several times.
        named = self._names.get(name)
        begun = self._beginnings.get(name[:_BEGINNING])
        dot = name.rfind(".")
        ended = self._suffixes.get(name[dot + 1 :]) if dot >= 0 else None
        if not (named or begun or ended or inside.asked or self._rest):
            return inside.owners
        asked = chain(named or (), begun or (), ended or (), inside.asked)
        found = [number for number, pattern in asked if pattern is None or pattern.fullmatch(path)]
        if self._any_of_rest is not None and self._any_of_rest.fullmatch(path):
            found += [number for number, pattern in self._rest if pattern is None or pattern.fullmatch(path)]
        if not found:
            return inside.owners
        return tuple(self._owners[number] for number in sorted({*found, *inside.numbers}))

    def _inside(self, folder: str) -> _Inside[T]:
        """What holds in `folder`, which ends with a slash; kept, as the next path mostly lies there too."""
        parts = set(folder.split("/"))
        below = chain.from_iterable(self._below[part] for part in self._below.keys() & parts)
        here = {number for number, pattern in below if pattern is None or pattern.fullmatch(folder)}
        numbers = tuple(sorted(here))
        here_too = chain.from_iterable(self._folders[part] for part in self._folders.keys() & parts)
        asked = tuple((number, pattern) for where, number, pattern in here_too if where.fullmatch(folder))
        known = _Inside(tuple(self._owners[number] for number in numbers), numbers, asked)
        self._last = folder, known  # in one piece, as threads may share this
        return known


def _alternatives(glob: str) -> list[str]:
    """The glob once for each choice in its braces; as it is where they are nested or too many, or make a ``**``."""
    pieces = re.split(r"\{([^{}]*)\}", glob)
    if "[" in glob or any("{" in text or "}" in text for text in pieces[::2]):
        return [glob]
    out = [""]
    for number, piece in enumerate(pieces):
        choices = piece.split(",") if number % 2 else [piece]
        if len(out) * len(choices) > _CHOICES_MAX or (number % 2 and "**" in piece):
            return [glob]
        out = [begin + choice for begin in out for choice in choices]
    return out if all(one.count("**") == glob.count("**") for one in out) else [glob]


class PathMatcher:
    """Whether a path matches any of some globs."""

    def __init__(self, globs: Iterable[str]) -> None:
        """Compile `globs`."""
        self._table = PathTable([(True, globs)])

    def matches(self, path: str) -> bool:
        """Whether `path` (no leading slash) matches."""
        return bool(self._table.owners(path))


def _unions(globs: Mapping[int, list[str]], everywhere: str | None = None) -> _Unions:
    """The glob `everywhere` matches all that is looked up here."""
    return tuple((number, None if everywhere in some else union(some)) for number, some in globs.items())


def _union_of_folders(globs: list[str]) -> re.Pattern[str]:
    """For the folders that files which match any of `globs` can lie in."""
    parted = [glob.rpartition("/") for glob in globs]
    return union([f"{before}/**" if "**" in last else f"{before}/" for before, _, last in parted])


def union(globs: Iterable[str]) -> re.Pattern[str]:
    """One expression (for fullmatch) for paths that match any of `globs`; there has to be one."""
    return re.compile("|".join(f"(?:{translate(glob)})" for glob in globs), re.DOTALL)
