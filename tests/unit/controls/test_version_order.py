"""Which of two versions is newer, by each ecosystem's own rules."""

from __future__ import annotations

import pytest

from controls.version_order import newer


@pytest.mark.parametrize(
    ("type_", "older", "later"),
    [
        ("deb", "1.0~rc1", "1.0"),
        ("deb", "1.0", "1.0a"),
        ("deb", "1.0-1", "1.0-1+b1"),
        ("deb", "2.36-9", "2.36-10"),
        ("deb", "2.0", "1:0.9"),
        ("rpm", "1.0~rc1", "1.0"),
        ("rpm", "1.0", "1.0^git1"),
        ("rpm", "1.0^git1", "1.0.1"),
        ("rpm", "1.0a", "1.0.1"),
        ("rpm", "1.0-1.el9", "1.0-2.el9"),
        ("apk", "1.2.3-r4", "1.2.3-r10"),
        ("npm", "1.0.0-beta.2", "1.0.0"),
        ("pypi", "1.0rc1", "1.0"),
        ("pypi", "1.9", "1.10"),
        ("golang", "v1.2.3", "v1.10.0"),
        ("maven", "2.14.1", "2.17.1"),
        ("deb", "1" * 5000, "2" * 5000),
    ],
)
def test_the_later_version_is_newer_and_the_older_is_not(type_: str, older: str, later: str) -> None:
    assert newer(type_, older, later) is True
    assert newer(type_, later, older) is False
    assert newer(type_, later, later) is None


def test_what_only_differs_in_build_metadata_or_leading_zeros_is_neither() -> None:
    assert newer("npm", "1.0.0+a", "1.0.0+b") is None
    assert newer("deb", "1.01", "1.1") is None
