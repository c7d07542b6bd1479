"""Content markers: byte strings that tell what a program is, whatever its file is called.

Which literals of all rules a file has is found in one pass; a regular expression is tried only where its literal
stands, and only so often.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from compliance.formats.literals import Hit, LiteralSearch

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
    """All rules as one search, with extra literals whose places the caller wants to know."""

    def __init__(self, rules: tuple[MarkerRule, ...], extras: tuple[bytes, ...] = (), extras_max: int = 4096) -> None:
        """`extras_max` bounds the offsets kept for each extra literal: the first ones."""
        self._rules = rules
        self._extras = {extra: number for number, extra in enumerate(extras)}
        self._extras_max = extras_max
        self._markers: dict[bytes, list[_Sought]] = {extra: [] for extra in extras}
        number = 0
        for place, rule in enumerate(rules):
            for marker in rule.markers:
                regex = None if marker.regex is None else re.compile(marker.regex, re.DOTALL)
                sought = _Sought(number=number, rule=place, regex=regex)
                for literal in marker.alternatives:
                    self._markers.setdefault(literal, []).append(sought)
                number += 1
        self.literals = LiteralSearch(tuple(self._markers))

    def search(self, content: bytes, hits: list[Hit] | None = None) -> Found:
        """What holds for `content`; `hits` are its literals where they are known already."""
        held: dict[int, int] = {}  # marker -> its rule
        tries: Counter[int] = Counter()
        offsets: list[tuple[int, ...]] = [()] * len(self._extras)
        for number, at in self.literals.found(content, hits).items():
            literal = self.literals.literals[number]
            extra = self._extras.get(literal)
            if extra is not None:
                offsets[extra] = tuple(islice(at, self._extras_max))
            for sought in self._markers[literal]:
                if sought.number not in held and _holds(sought, content, at, tries):
                    held[sought.number] = sought.rule
        counts = Counter(held.values())
        names = (self._rules[place].id for place, count in counts.items() if count >= self._rules[place].minimum)
        return Found(rules=tuple(sorted(names)), offsets=tuple(offsets))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sought:
    """A marker of the rule at the place `rule`, at one of its literals."""

    number: int
    rule: int
    regex: re.Pattern[bytes] | None


def _holds(sought: _Sought, content: bytes, places: Iterable[int], tries: Counter[int]) -> bool:
    """Whether the marker is at one of `places`; `tries` counts those at which its expression was tried."""
    if sought.regex is None:
        return True
    for at in places:
        tries[sought.number] += 1
        if tries[sought.number] > TRIES_MAX or sought.regex.match(content, at):
            return True
    return False
