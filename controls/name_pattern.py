"""Names and paths of tools: most are plain, some are globs."""

from __future__ import annotations

import re
from collections.abc import Iterable

from compliance.formats.globs import is_glob, union


class NamePattern:
    """Whether a name matches any of some globs. Plain ones are looked up; there are hundreds of patterns, so an
    expression for the others is compiled only when the first name is asked that needs it."""

    __slots__ = ("_expression", "_globs", "_plain")

    def __init__(self, globs: Iterable[str]) -> None:
        """Matches nothing for no globs."""
        every = tuple(globs)
        self._globs = tuple(glob for glob in every if is_glob(glob))
        self._plain = frozenset(every).difference(self._globs)
        self._expression: re.Pattern[str] | None = None

    def matches(self, name: str) -> bool:
        """Whether the whole of `name` matches."""
        if name in self._plain:
            return True
        if not self._globs:
            return False
        if self._expression is None:
            self._expression = union(self._globs)
        return self._expression.fullmatch(name) is not None
