"""Versions and ranges: what counts, what comes first, what lies inside."""

from __future__ import annotations

import pytest

from compliance.formats.semver import RANGE_MAX, Version, parse_range, parse_version


def version(text: str) -> Version:
    found = parse_version(text)
    assert found is not None
    return found


def test_precedence_is_that_of_the_specification() -> None:
    ordered = "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0"
    ordered += " 1.0.1 1.9.0 1.10.0 2.0.0"
    versions = [version(text) for text in ordered.split()]
    assert versions == sorted(versions)
    assert len(set(versions)) == len(versions)
    assert [one.is_prerelease for one in versions] == [True] * 7 + [False] * 5


@pytest.mark.parametrize(
    "text",
    ["", "1", "1.2", "v1.2", "01.2.3", "1.2.3-01", "1.2.3-", "1.2.3-a..b", "latest", "1.2.3.4", "1.2.3_1", "٣.1.1"],
)
def test_what_moves_or_is_no_version_does_not_count(text: str) -> None:
    assert parse_version(text) is None


def test_a_leading_v_and_a_build_change_nothing() -> None:
    assert version("v1.2.3") == version("1.2.3") == version("1.2.3+build.7")


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        (">=1.4 <2", "1.4.0 1.99.0", "1.3.9 2.0.0 2.0.0-rc.1"),
        ("^1.4", "1.4.0 1.9.9", "2.0.0 1.3.0"),
        ("^0.3.1", "0.3.1 0.3.9", "0.4.0 0.3.0 1.0.0"),
        ("^0.0.3", "0.0.3", "0.0.4 0.0.2"),
        ("~1.2.3", "1.2.3 1.2.9", "1.3.0 1.2.2"),
        ("1.2.x", "1.2.0 1.2.7", "1.3.0 1.1.9"),
        ("1 || 3", "1.5.0 3.0.0", "2.0.0 4.0.0"),
        ("*", "0.0.1 9.9.9", ""),
        ("> 1.2", "1.3.0 2.0.0", "1.2.9"),
        ("<=1.2", "1.2.9 1.0.0", "1.3.0"),
        (">=1, <3", "1.0.0 2.9.9", "3.0.0"),
        ("=1.2.3", "1.2.3", "1.2.4"),
    ],
)
def test_ranges(text: str, inside: str, outside: str) -> None:
    meant = parse_range(text)
    assert all(meant.has(version(one)) for one in inside.split())
    assert not any(meant.has(version(one)) for one in outside.split())


@pytest.mark.parametrize(
    "text", ["", "  ", "1 ||", "latest", ">=", ">=1 <", "1.2.3.4", "1-", "1" * (RANGE_MAX + 1), "1;2"]
)
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no version|empty range|characters"):
        parse_range(text)
