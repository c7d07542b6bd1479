"""Content markers: byte strings that tell what a program is, whatever its file is called.

All literals of all rules are looked for in one pass (Aho-Corasick); a regular expression is tried only where its
literal was found. A file is searched in windows, so that one full of hits costs no memory; and literals about which
everything is known are left out for the rest of a crowded file, so that it costs little time.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

WINDOW = 2**20
"""Bytes searched at once: bounds the list of hits that one call returns."""
CROWDED = 4096
"""Hits in one window after which settled literals are left out."""
TRIES_MAX = 65_536
"""Places at which one expression is tried. A file made to pass this counts as having the marker."""


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
    """`id` holds for a file in which at least `minimum` different `markers` are found.

    With `scripts` it is about files that begin with ``#!`` and about zip archives, otherwise about ELF files.
    """

    id: str
    minimum: int
    markers: tuple[Marker, ...]
    scripts: bool = False

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
        self._rules = rules
        self._rule_of: list[int] = []  # marker -> the place of its rule
        for place_of_rule, rule in enumerate(rules):
            for number, marker in enumerate(rule.markers, len(self._regexes)):
                self._rule_of.append(place_of_rule)
                self._regexes.append(None if marker.regex is None else re.compile(marker.regex, re.DOTALL))
                for literal in marker.alternatives:
                    place = literals.setdefault(literal, len(literals))
                    if place == len(self._meanings):
                        self._meanings.append([])
                    self._meanings[place].append(number)
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
    def _everything(self) -> _Automaton:
        return _Automaton(self._literals, range(len(self._literals)))

    def search(self, content: bytes) -> Found:
        """What holds for `content`."""
        reading = _Reading(content, [[] for _ in range(self._extras_count)])
        automaton = self._everything
        view = memoryview(content)
        for base in range(0, len(content), WINDOW):
            hits = automaton.hits(view[base : base + WINDOW + self._overlap])
            for literal, start in hits:
                if start < WINDOW:  # what begins in the overlap comes again with the next window
                    self._take(reading, literal, base + start)
            if len(hits) > CROWDED and base + WINDOW < len(content):
                open_ = [number for number in automaton.numbers if not self._settled(reading, number)]
                automaton = _Automaton(self._literals, open_)
        counts = Counter(self._rule_of[marker] for marker in reading.markers)
        held = (self._rules[place].id for place, number in counts.items() if number >= self._rules[place].minimum)
        return Found(rules=tuple(sorted(held)), offsets=tuple(tuple(sorted(some)) for some in reading.offsets))

    def _take(self, reading: _Reading, literal: int, at: int) -> None:
        """One literal at one place: what it says of its markers."""
        extra = self._extras.get(literal)
        if extra is not None and len(reading.offsets[extra]) < self._extras_max:
            reading.offsets[extra].append(at)
        for marker in self._meanings[literal]:
            if marker in reading.markers:
                continue
            regex = self._regexes[marker]
            tries = reading.tries[marker] = reading.tries.get(marker, 0) + 1
            if regex is None or tries > TRIES_MAX or regex.match(reading.content, at):
                reading.markers.add(marker)

    def _settled(self, reading: _Reading, literal: int) -> bool:
        extra = self._extras.get(literal)
        if extra is not None and len(reading.offsets[extra]) < self._extras_max:
            return False
        return all(marker in reading.markers for marker in self._meanings[literal])


@dataclass(slots=True)
class _Reading:
    content: bytes
    offsets: list[list[int]]
    markers: set[int] = field(default_factory=set)
    tries: dict[int, int] = field(default_factory=dict)


class _Automaton:
    """Some of the literals; `numbers` are their places among all."""

    def __init__(self, literals: tuple[bytes, ...], numbers: Sequence[int]) -> None:
        import ahocorasick_rs

        self.numbers = numbers
        some = [literals[number] for number in numbers]
        self._find = ahocorasick_rs.BytesAhoCorasick(
            some, implementation=ahocorasick_rs.Implementation.DFA
        ).find_matches_as_indexes

    def hits(self, content: memoryview) -> list[tuple[int, int]]:
        """(literal, offset) of every hit, overlapping ones too."""
        if not self.numbers:
            return []
        return [(self.numbers[index], start) for index, start, _ in self._find(content, True)]
