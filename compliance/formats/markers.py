"""Content markers: byte strings that tell what a program is, whatever its file is called.

All literals of all rules are looked for in one pass (Aho-Corasick); a regular expression is tried only where its
literal was found. A file is searched in windows, so that one full of hits costs time in proportion, not memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ahocorasick_rs

WINDOW = 2**20
"""Bytes searched at once: bounds the list of hits that one call returns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """One thing to be found: any of `alternatives`; with `regex`, only where it matches at the literal's place."""

    alternatives: tuple[bytes, ...]
    regex: bytes | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for a marker that would be found everywhere: no literal, or one below 3 bytes."""
        if not self.alternatives or min(map(len, self.alternatives)) < 3:
            raise ValueError("a marker needs literals of at least 3 bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkerRule:
    """`id` holds for a file in which at least `minimum` different `markers` are found."""

    id: str
    minimum: int
    markers: tuple[Marker, ...]

    def __post_init__(self) -> None:
        """Raises ValueError when `minimum` can't be reached, or is reached by nothing."""
        if not 1 <= self.minimum <= len(self.markers):
            raise ValueError(f"{self.id}: minimum {self.minimum} of {len(self.markers)} markers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The rules that hold, and the offsets of the extra literals, both in ascending order."""

    rules: tuple[str, ...]
    offsets: tuple[tuple[int, ...], ...]


class MarkerSearch:
    """All rules as one automaton, with extra literals whose places the caller wants to know."""

    def __init__(self, rules: tuple[MarkerRule, ...], extras: tuple[bytes, ...] = (), extras_max: int = 4096) -> None:
        """`extras_max` bounds the offsets kept for each extra literal: the first ones."""
        literals: dict[bytes, int] = {}
        self._regexes: list[re.Pattern[bytes] | None] = []
        self._meanings: list[list[int]] = []  # literal -> markers it is an alternative of
        self._rules: list[tuple[str, int, range]] = []
        for rule in rules:
            first = len(self._regexes)
            for number, marker in enumerate(rule.markers, first):
                self._regexes.append(None if marker.regex is None else re.compile(marker.regex, re.DOTALL))
                for literal in marker.alternatives:
                    place = literals.setdefault(literal, len(literals))
                    if place == len(self._meanings):
                        self._meanings.append([])
                    self._meanings[place].append(number)
            self._rules.append((rule.id, rule.minimum, range(first, len(self._regexes))))
        self._extras: dict[int, int] = {}
        for number, extra in enumerate(extras):
            place = literals.setdefault(extra, len(literals))
            if place == len(self._meanings):
                self._meanings.append([])
            self._extras[place] = number
        self._extras_count = len(extras)
        self._extras_max = extras_max
        self._literals = tuple(literals)
        self._overlap = max((len(literal) for literal in literals), default=1) - 1

    @cached_property
    def _automaton(self) -> ahocorasick_rs.BytesAhoCorasick:
        import ahocorasick_rs

        return ahocorasick_rs.BytesAhoCorasick(self._literals, implementation=ahocorasick_rs.Implementation.DFA)

    def search(self, content: bytes) -> Found:
        """What holds for `content`."""
        markers: set[int] = set()
        offsets: list[list[int]] = [[] for _ in range(self._extras_count)]
        for literal, at in self._hits(content):
            extra = self._extras.get(literal)
            if extra is not None and len(offsets[extra]) < self._extras_max:
                offsets[extra].append(at)
            for marker in self._meanings[literal]:
                if marker not in markers:
                    regex = self._regexes[marker]
                    if regex is None or regex.match(content, at):
                        markers.add(marker)
        rules = [name for name, minimum, span in self._rules if sum(one in markers for one in span) >= minimum]
        return Found(rules=tuple(sorted(rules)), offsets=tuple(tuple(sorted(some)) for some in offsets))

    def _hits(self, content: bytes) -> Iterator[tuple[int, int]]:
        """(literal, offset) of every hit, once: a window's last bytes are looked at again with the next."""
        if not self._literals:
            return
        find = self._automaton.find_matches_as_indexes
        if len(content) <= WINDOW:
            for literal, start, _ in find(content, True):
                yield literal, start
            return
        view = memoryview(content)
        for base in range(0, len(content), WINDOW):
            for literal, start, _ in find(view[base : base + WINDOW + self._overlap], True):
                if start < WINDOW:
                    yield literal, base + start
