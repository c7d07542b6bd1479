"""Path globs compiled for speed: an image has up to a million paths, each is asked against every request.

``*`` and ``?`` stay inside one part of a path, ``**/`` is any number of parts, a final ``**`` everything below,
``{a,b}`` alternatives, ``[abc]`` a character class.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

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


class PathMatcher:
    """Whether a path matches any of some globs.

    Most paths are refused by look-ups: globs whose last part is literal (``**/METADATA``) are asked only for files
    of that name, globs ending in a literal suffix (``**/*.jar``) only for that suffix, and globs of any folder
    whose last part begins literally (``**/libz.so*``) only for names that begin so.
    """

    def __init__(self, globs: Iterable[str]) -> None:
        """Compile `globs`."""
        names: dict[str, list[str]] = {}
        suffixes: dict[str, list[str]] = {}
        beginnings: dict[str, list[str]] = {}
        rest: list[str] = []
        for glob in globs:
            last = glob.rpartition("/")[2]
            suffix = re.fullmatch(r"\*(\.[\w.+-]+)", last)
            begins = re.match(rf"[\w.+-]{{{_BEGINNING}}}", last)
            if not re.search(r"[*?{\[]", last):
                names.setdefault(last, []).append(glob)
            elif suffix and "{" not in glob.rpartition("/")[0]:
                suffixes.setdefault(suffix[1].rpartition(".")[2], []).append(glob)
            elif begins and glob == f"**/{last}" and "**" not in last:
                beginnings.setdefault(begins[0], []).append(last)
            else:
                rest.append(glob)
        self._names = {name: _union(some) for name, some in names.items()}
        self._suffixes = {suffix: _union(some) for suffix, some in suffixes.items()}
        self._beginnings = {begins: _union(some) for begins, some in beginnings.items()}
        self._rest = _union(rest) if rest else None

    def matches(self, path: str) -> bool:
        """Whether `path` (no leading slash) matches."""
        name = path[path.rfind("/") + 1 :]
        pattern = self._names.get(name)
        if pattern is not None and pattern.fullmatch(path):
            return True
        pattern = self._beginnings.get(name[:_BEGINNING])
        if pattern is not None and pattern.fullmatch(name):
            return True
        dot = name.rfind(".")
        if dot >= 0:
            pattern = self._suffixes.get(name[dot + 1 :])
            if pattern is not None and pattern.fullmatch(path):
                return True
        return self._rest is not None and self._rest.fullmatch(path) is not None


def _union(globs: list[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{translate(glob)})" for glob in globs), re.DOTALL)
