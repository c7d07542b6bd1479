"""Which repositories and tags a catalogue source means."""

from __future__ import annotations

import pytest

from compliance.fleet.image_source import CatalogSource, TagRule
from compliance.fleet.tag_choice import chosen_repositories, chosen_tags, natural_order

TAGS = ("1.9.0", "1.10.0", "v1.2.0", "2.0.0-rc.1", "1.10", "latest", "r9", "r10", "debug-1.9.0")
SIGNED = f"sha256-{'a' * 64}"


def source(include: tuple[str, ...], exclude: tuple[str, ...] = ()) -> CatalogSource:
    return CatalogSource(where="w", host="r.example", include=include, exclude=exclude)


@pytest.mark.parametrize(
    ("include", "exclude", "found"),
    [
        (("**",), (), ("a", "team/api", "team/deep/job", "teams/x")),
        (("team/*",), (), ("team/api",)),
        (("team/**",), ("**/j*",), ("team/api",)),
        (("*",), (), ("a",)),
        (("a", "teams/x"), (), ("a", "teams/x")),
        (("**/{api,x}",), (), ("team/api", "teams/x")),
        (("none",), (), ()),
    ],
)
def test_globs_name_repositories(include: tuple[str, ...], exclude: tuple[str, ...], found: tuple[str, ...]) -> None:
    names = ("teams/x", "team/api", "a", "team/deep/job", "a")
    assert chosen_repositories(source(include, exclude), names) == found


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        (TagRule(), tuple(sorted(TAGS))),
        (TagRule(include=("1.*",)), ("1.10", "1.10.0", "1.9.0")),
        (TagRule(exclude=("debug-*", "[lrv]*")), ("1.10", "1.10.0", "1.9.0", "2.0.0-rc.1")),
        (TagRule(semver=">=1.2"), ("1.10.0", "1.9.0", "v1.2.0")),
        (TagRule(semver=">=1.2", prereleases=True), ("1.10.0", "1.9.0", "2.0.0-rc.1", "v1.2.0")),
        (TagRule(newest=2, order="semver"), ("1.10.0", "1.9.0")),
        (TagRule(newest=2, order="semver", prereleases=True), ("2.0.0-rc.1", "1.10.0")),
        (TagRule(include=("r*",), newest=1, order="natural"), ("r10",)),
        (TagRule(semver="<1.10", newest=5, order="natural"), ("v1.2.0", "1.9.0")),
        (TagRule(include=("none",)), ()),
    ],
)
def test_rules_leave_tags(rule: TagRule, found: tuple[str, ...]) -> None:
    assert chosen_tags(rule, TAGS) == found
    assert chosen_tags(rule, reversed(TAGS)) == found


@pytest.mark.parametrize("suffix", ["", ".sig", ".att", ".sbom", ".other"])
def test_what_hangs_on_an_image_is_none(suffix: str) -> None:
    assert chosen_tags(TagRule(), ("1", SIGNED + suffix)) == ("1",)


def test_natural_order_is_total() -> None:
    tags = ["a", "1", "10", "9", "a1", "a01", "", "1a", "-", "2024.9", "2024.10"]
    ordered = sorted(tags, key=natural_order)
    tags.reverse()
    assert ordered == sorted(tags, key=natural_order)
    assert ordered.index("2024.9") < ordered.index("2024.10")
    assert ordered.index("9") < ordered.index("10") < ordered.index("a")
