"""Which of two versions is newer: by dpkg's and rpm's own rules, else by numbers and the usual pre-release words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

Number = tuple[int, str]
"""The count of digits and the digits without leading zeros: ordered as the number, whatever its length."""

# fmt: off
_EARLIER = frozenset((
    "a", "alpha", "b", "beta", "c", "canary", "cr", "dev", "ea", "m", "milestone", "next", "nightly", "pre", "preview",
    "rc", "snapshot",
))
# fmt: on
_BUILD = re.compile(r"\+.*", re.DOTALL)
_SEMANTIC = frozenset({"cargo", "composer", "golang", "npm", "nuget"})
"""purl types in whose versions nothing after a plus counts (Semantic Versioning 2.0, item 10)."""


def newer(type_: str, before: str, after: str) -> bool | None:
    """Whether `after` is newer than `before`, both of purl type `type_`; None where neither is."""
    key = _KEYS.get(type_, _plain)
    if type_ in _SEMANTIC:
        before, after = _BUILD.sub("", before), _BUILD.sub("", after)
    old, new = key(before), key(after)
    return None if old == new else old < new


def _number(digits: str) -> Number:
    digits = digits.lstrip("0")
    return len(digits), digits


def _epoch(text: str) -> tuple[Number, str]:
    head, colon, rest = text.partition(":")
    return (_number(head), rest) if colon and head.isdigit() else (_number("0"), text)


def _debian(text: str) -> tuple[object, ...]:
    """deb-version(7): epoch, upstream version, revision."""
    epoch, rest = _epoch(text)
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "")
    return epoch, _debian_part(upstream), _debian_part(revision)


def _debian_part(text: str) -> tuple[object, ...]:
    """Stretches without and with digits in turn; a tilde sorts before the end, the end before letters."""
    pairs = re.findall(r"([^0-9]*)([0-9]*)", text)
    return tuple((*map(_debian_character, other), 0, _number(digits)) for other, digits in (*pairs, ("", "")))


def _debian_character(character: str) -> int:
    if character == "~":
        return -1
    return ord(character) if character.isascii() and character.isalpha() else ord(character) + 256


def _rpm(text: str) -> tuple[object, ...]:
    """rpm-version(7): epoch, version, release."""
    epoch, rest = _epoch(text)
    version, _, release = rest.partition("-")
    return epoch, _rpm_part(version), _rpm_part(release)


def _rpm_part(text: str) -> tuple[object, ...]:
    ranks = {"~": 0, "": 1, "^": 2}
    return _ranked(re.findall(r"[0-9]+|[A-Za-z]+|~|\^", text), lambda word: ranks.get(word, 3))


def _plain(text: str) -> tuple[object, ...]:
    """Numbers above words, words above the end, pre-release words below it."""
    words = re.findall(r"[0-9]+|[a-z]+", text.lower().removeprefix("v"))
    return _ranked(words, lambda word: 0 if word in _EARLIER else 2 if word else 1)


def _ranked(words: Iterable[str], rank: Callable[[str], int]) -> tuple[object, ...]:
    return tuple((4, *_number(word)) if word.isdigit() else (rank(word), 0, word) for word in (*words, ""))


_KEYS: dict[str, Callable[[str], tuple[object, ...]]] = {"deb": _debian, "rpm": _rpm}
