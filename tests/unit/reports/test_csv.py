"""findings.csv: one row an observation, safe to open in a spreadsheet."""

import csv
import io
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import assessment_json
from reports.csv import COLUMNS, guarded, render
from tests.builders.assessment import DIGEST, assessment


def rows() -> list[dict[str, str]]:
    text = render(assessment_json.document(assessment())).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_bytes_are_those_of_the_golden_file(golden: Callable[[str, bytes], None]) -> None:
    golden("reports/findings.csv", render(assessment_json.document(assessment())))


def test_every_check_has_a_row_and_every_observation_one() -> None:
    document = assessment_json.document(assessment())
    expected = [check["id"] for check in document["checks"] for _ in range(max(1, len(check["observations"])))]
    assert [row["check"] for row in rows()] == expected
    assert len(expected) > len(document["checks"])


def test_a_row_points_at_the_bytes() -> None:
    first = rows()[0]
    assert first["path"] == "/usr/bin/bash"
    assert first["names"] == "/bin/bash /usr/local/bin/bash"
    assert first["layer"] == "sha256:" + "a1" * 32
    assert first["package"].startswith("pkg:deb/debian/bash@")
    assert first["sha256"] == "ab" * 32
    assert first["image"] == DIGEST


def test_all_rows_have_all_columns() -> None:
    assert {tuple(row) for row in rows()} == {COLUMNS}


@pytest.mark.parametrize("cell", ["=cmd()", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "  =1", "＝1"])  # noqa: RUF001
def test_a_formula_is_guarded(cell: str) -> None:
    assert guarded(cell) == "'" + cell


@pytest.mark.parametrize("cell", ["", " ", "/usr/bin", "a=b", "pkg:deb/x@1"])
def test_plain_text_is_not_touched(cell: str) -> None:
    assert guarded(cell) == cell


@given(st.text(alphabet="=+-@'\" \t\r\na", max_size=6))
def test_no_cell_starts_like_a_formula(cell: str) -> None:
    assert guarded(cell).lstrip(" ")[:1] not in set("=+-@\t\r\n") - {""}
