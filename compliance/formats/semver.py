"""Semantic versions and ranges of them (semver.org 2.0.0; the ranges as npm's semver package writes them).

Tags of images are the versions here: a leading ``v`` is passed over, and a tag with fewer than three numbers is no
version, because it moves from one to another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

RANGE_MAX: Final = 400
"""Characters of a range."""

_NUMBER = r"(0|[1-9][0-9]{0,15})"
_PRE = r"(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?"
_VERSION = re.compile(rf"v?{_NUMBER}\.{_NUMBER}\.{_NUMBER}{_PRE}")
_PART = r"(0|[1-9][0-9]{0,15}|[xX*])"
_COMPARATOR = re.compile(rf"(>=|<=|>|<|=|\^|~)?v?{_PART}(?:\.{_PART}(?:\.{_PART}{_PRE})?)?")
_OPERATOR_SPACE = re.compile(r"(>=|<=|>|<|=|\^|~)[ ]+")

_Key: TypeAlias = tuple[int, int, int, tuple[int, tuple[tuple[int, int, str], ...]]]
_Test: TypeAlias = Callable[[_Key], bool]

_RELEASE: Final = (1, ())
_LOWEST: Final = (0, ())
"""Before every pre-release of the same numbers."""


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A version by its precedence (section 11), so that the greatest is the newest."""

    key: _Key

    @property
    def is_prerelease(self) -> bool:
        """Whether it comes before the release of the same numbers."""
        return self.key[3] != _RELEASE


def parse_version(text: str) -> Version | None:
    """The version that `text` is, ``[v]MAJOR.MINOR.PATCH[-PRERELEASE]``; None where it is none."""
    found = _VERSION.fullmatch(text)
    if found is None:
        return None
    pre = _prerelease(found[4])
    return None if pre is None else Version((int(found[1]), int(found[2]), int(found[3]), pre))


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Which versions: those that all tests of one of the alternatives take."""

    alternatives: tuple[tuple[_Test, ...], ...]

    def has(self, version: Version) -> bool:
        """Whether the version lies in the range, by precedence alone: pre-releases are as any other."""
        return any(all(test(version.key) for test in tests) for tests in self.alternatives)


def parse_range(text: str) -> Range:
    """Read ``>=1.2 <2``, ``^1.4``, ``~2.1.3``, ``1.2.x``, ``1 || 3``. Raises ValueError saying what is no range."""
    if len(text) > RANGE_MAX:
        raise ValueError(f"more than {RANGE_MAX} characters")
    return Range(alternatives=tuple(_alternative(part) for part in text.split("||")))


def _alternative(text: str) -> tuple[_Test, ...]:
    words = _OPERATOR_SPACE.sub(r"\1", text.replace(",", " ").strip()).split()
    if not words:
        raise ValueError("an empty range: write * for every version")
    return tuple(test for word in words for test in _comparator(word))


def _comparator(word: str) -> Iterable[_Test]:
    found = _COMPARATOR.fullmatch(word)
    pre = None if found is None else _prerelease(found[5])
    if found is None or pre is None:
        raise ValueError(f"{word!r} is no version or comparison")
    operator = found[1] or "="
    numbers = _numbers(found[2], found[3], found[4])
    if len(numbers) == 3:
        return _whole(operator, (numbers[0], numbers[1], numbers[2], pre))
    return _partial(operator, numbers)


def _numbers(*parts: str | None) -> tuple[int, ...]:
    """The numbers before the first that is open."""
    numbers: list[int] = []
    for part in parts:
        if part is None or not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


def _whole(operator: str, key: _Key) -> Iterable[_Test]:
    match operator:
        case ">=":
            return (lambda seen: seen >= key,)
        case ">":
            return (lambda seen: seen > key,)
        case "<=":
            return (lambda seen: seen <= key,)
        case "<":
            return (lambda seen: seen < key,)
        case "=":
            return (lambda seen: seen == key,)
        case "~":
            return _between(key, _floor(key[:2], 1))
        case _:  # ^: what is left of the first number that is not zero stays
            kept = next((count for count, number in enumerate(key[:3], 1) if number), 3)
            return _between(key, _floor(key[:3][:kept], 1))


def _partial(operator: str, numbers: tuple[int, ...]) -> Iterable[_Test]:
    """A comparison with ``1``, ``1.2`` or ``*``: all versions that begin so are meant as one."""
    if not numbers:
        return (lambda _: operator not in ("<", ">"),)
    low, high = _floor(numbers, 0), _floor(numbers, 1)
    match operator:
        case ">=":
            return (lambda seen: seen >= low,)
        case ">":
            return (lambda seen: seen >= high,)
        case "<=":
            return (lambda seen: seen < high,)
        case "<":
            return (lambda seen: seen < low,)
        case "^" if len(numbers) == 2 and numbers[0]:
            return _between(low, _floor(numbers[:1], 1))
        case _:
            return _between(low, high)


def _between(low: _Key, high: _Key) -> Iterable[_Test]:
    return (lambda seen: low <= seen < high,)


def _floor(numbers: tuple[int, ...], add: int) -> _Key:
    """Before every version that begins with `numbers`, the last of them raised by `add`."""
    raised = (*numbers[:-1], numbers[-1] + add, 0, 0)
    return (raised[0], raised[1], raised[2], _LOWEST)


def _prerelease(text: str | None) -> tuple[int, tuple[tuple[int, int, str], ...]] | None:
    """The part of the key that orders pre-releases; None for a number in it that begins with zero."""
    if text is None:
        return _RELEASE
    identifiers: list[tuple[int, int, str]] = []
    for part in text.split("."):
        if part.isdigit():
            if part != "0" and part.startswith("0"):
                return None
            identifiers.append((0, int(part), ""))
        else:
            identifiers.append((1, 0, part))
    return (0, tuple(identifiers))
