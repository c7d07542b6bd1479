"""The recall and precision table: every ecosystem that is covered reaches all of what its cases state."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.package_table import Score, render, rows, score
from tests.conformance.test_package_fixtures import CASES, COVERED, ONLY_LOCKED, case_name

COUNTED = [case for case in CASES if case.parent.name in COVERED]


@pytest.mark.parametrize("case", COUNTED, ids=case_name)
def test_nothing_stated_is_missed_and_nothing_is_extra(case: Path) -> None:
    found = score(case)
    assert set(found.missed) - ONLY_LOCKED.get(case_name(case), set()) == set()
    assert found.extra == ()


def test_table_counts_missed_and_extra_packages_and_lists_them() -> None:
    cases = [Path("packages/cargo/a"), Path("packages/cargo/b"), Path("packages/gem/c")]
    scores = [
        Score(case=cases[0], expected=frozenset({"w", "x", "y"}), missed=("y",), extra=("z",)),
        Score(case=cases[1], expected=frozenset({"v"}), missed=(), extra=()),
        Score(case=cases[2], expected=frozenset(), missed=(), extra=()),
    ]
    assert list(rows(scores)) == [
        ("cargo", "2", "4", "3", "1", "1", "75.0 %", "75.0 %"),
        ("gem", "1", "0", "0", "0", "0", "-", "-"),
        ("all", "3", "4", "3", "1", "1", "75.0 %", "75.0 %"),
    ]
    assert render(scores).endswith("\nmissed: 1\n- cargo/a: y\n\nextra: 1\n- cargo/a: z\n")


def test_share_is_never_rounded_up_to_all() -> None:
    nearly = Score(case=Path("packages/x/y"), expected=frozenset(map(str, range(3000))), missed=("1",), extra=())
    assert next(rows([nearly]))[6] == "99.9 %"
