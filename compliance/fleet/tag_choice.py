"""Which of a repository's names and tags a catalogue source means. Pure: the lists are given."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from compliance.fleet.image_source import CatalogSource, TagRule
from compliance.formats.globs import translate
from compliance.formats.semver import Version, parse_range, parse_version

_ATTACHED = re.compile(r"(?:sha256|sha512)-[0-9a-f]{64,128}(?:\..*)?")
"""Tags that hang a signature or attestation on an image: cosign's, and the referrers tag of the distribution-spec."""
_NUMBERS = re.compile(r"([0-9]+)")


def chosen_repositories(source: CatalogSource, names: Iterable[str]) -> tuple[str, ...]:
    """Those of `names` that the source includes and does not exclude, in the order of the alphabet."""
    include, exclude = _pattern(source.include), _pattern(source.exclude)
    return tuple(sorted({name for name in names if _fits(include, name) and not _fits(exclude, name)}))


def chosen_tags(rule: TagRule, tags: Iterable[str]) -> tuple[str, ...]:
    """Those of `tags` that the rule leaves: newest first where it orders them, else in the order of the alphabet."""
    include, exclude = _pattern(rule.include), _pattern(rule.exclude)
    images = (tag for tag in tags if not _ATTACHED.fullmatch(tag))
    left = {tag for tag in images if (not rule.include or _fits(include, tag)) and not _fits(exclude, tag)}
    if rule.semver is not None or rule.order == "semver":
        left = {tag for tag, version in _versions(left) if _is_meant(rule, version)}
    match rule.order:
        case "semver":
            ordered = [tag for tag, _ in sorted(_versions(left), key=lambda one: (one[1], one[0]), reverse=True)]
        case "natural":
            ordered = sorted(left, key=natural_order, reverse=True)
        case _:
            return tuple(sorted(left))
    return tuple(ordered[: rule.newest])


def natural_order(tag: str) -> tuple[tuple[tuple[int, int, str], ...], str]:
    """A key by which numbers in tags compare as numbers: ``v9`` before ``v10``. A number comes before any letter."""
    parts = (part for part in _NUMBERS.split(tag) if part)
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts), tag


def _is_meant(rule: TagRule, version: Version) -> bool:
    if version.is_prerelease and not rule.prereleases:
        return False
    return rule.semver is None or parse_range(rule.semver).has(version)


def _versions(tags: Iterable[str]) -> list[tuple[str, Version]]:
    """The tags that are versions, with what they are."""
    return [(tag, version) for tag in tags if (version := parse_version(tag)) is not None]


@lru_cache(maxsize=512)
def _pattern(globs: tuple[str, ...]) -> re.Pattern[str]:
    """Fits what any of the globs fits, and nothing where there is none."""
    return re.compile("|".join(f"(?:{translate(glob)})" for glob in globs) or r"(?!)")


def _fits(pattern: re.Pattern[str], text: str) -> bool:
    return pattern.fullmatch(text) is not None
