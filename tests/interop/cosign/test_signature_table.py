"""docs/interop.md: what hullmark and cosign answer to the same signatures, right and wrong."""

from __future__ import annotations

import pytest

from tests.builders.sigstore_stack import SigstoreStack
from tests.interop import signature_bench
from tests.interop import signature_table as table
from tests.interop.signature_cases import CASES, CASES_NOW

Tables = dict[str, dict[str, signature_bench.Row]]


@pytest.fixture(scope="module")
def found(stack: SigstoreStack, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return table.tables(stack, tmp_path_factory.mktemp("table"))


@pytest.fixture(scope="module")
def keys(stack: SigstoreStack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, signature_bench.Row]:
    return table.key_rows(stack, tmp_path_factory.mktemp("keys"))


def test_nothing_is_answered_otherwise_than_by_cosign_without_a_written_reason(found: Tables) -> None:
    assert table.unexplained(found) == []
    assert table.idle(found) == []


def test_nothing_is_accepted_that_every_cosign_refuses(found: Tables, keys: dict[str, signature_bench.Row]) -> None:
    assert table.alone(found) == []
    assert table.alone({"keys": keys}) == []


def test_each_is_refused_for_what_is_wrong_with_it(found: Tables) -> None:
    assert table.wrong_reasons(found) == []


def test_every_case_is_tried_and_only_the_valid_one_accepted(found: Tables) -> None:
    cells = [
        (kind, case, cell)
        for rows in found.values()
        for kind, row in rows.items()
        for case, cell in row.items()
        if cell
    ]
    assert {case for _, case, _ in cells} == {*CASES, *CASES_NOW}
    assert all(cell.ours is table.is_valid(kind, case) for kind, case, cell in cells)


def test_the_answers_about_kinds_of_keys_differ_with_a_reason_alone(keys: dict[str, signature_bench.Row]) -> None:
    cells = {name: row["valid"] for name, row in keys.items()}
    assert {name for name, cell in cells.items() if cell and cell.ours is not cell.theirs} == set(table.KEY_REASONS)


def test_the_page_says_so(found: Tables, keys: dict[str, signature_bench.Row]) -> None:
    """Written anew by ``python -m tests.interop.signature_table``."""
    assert table.PAGE.read_text() == table.page(found, keys)
