"""Patterns of names say what one expression for all their globs says."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from compliance.formats.globs import is_glob, translate
from controls.name_pattern import NamePattern

GLOBS = st.sampled_from(["sh", "python3", "python3*", "lib?.so", "[", "[ab]c", "{x,y}z", "**/pip/__main__.py", "a/b"])
NAMES = st.sampled_from(
    ["sh", "python3", "python3.11", "lib1.so", "[", "ac", "yz", "x/pip/__main__.py", "a/b", "", "z"]
)


@given(st.lists(GLOBS, max_size=4), NAMES)
def test_a_name_matches_as_one_expression_for_all_globs_says(globs: list[str], name: str) -> None:
    alone = any(re.fullmatch(translate(glob), name, re.DOTALL) for glob in globs)
    assert NamePattern(globs).matches(name) is alone


def test_plain_names_are_looked_up_and_no_expression_is_made_for_them() -> None:
    pattern = NamePattern(("bash", "dash", "z*"))
    assert pattern.matches("dash")
    assert pattern._expression is None
    assert pattern.matches("zsh")
    assert not NamePattern(()).matches("")
    assert [is_glob(name) for name in ("bash", "g++", "z*", "[")] == [False, False, True, True]
