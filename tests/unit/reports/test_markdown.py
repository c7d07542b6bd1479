"""The summary for CI jobs."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from reports import assessment_json
from reports.markdown import escape, render
from tests.builders.assessment import assessment


def text() -> str:
    return render(assessment_json.document(assessment())).decode()


def test_bytes_are_those_of_the_golden_file(golden: Callable[[str, bytes], None]) -> None:
    golden("reports/summary.md", text().encode())


def test_the_verdict_comes_first() -> None:
    assert text().startswith("## Hullmark: NOT SATISFIED\n\n4 checks of high severity or above failed")


def test_nothing_of_the_image_is_markup() -> None:
    assert "<script" not in text()
    assert "*bold*" not in text()


def test_every_table_row_has_as_many_cells_as_its_heading() -> None:
    rows = [line.count("|") for line in text().splitlines() if line.startswith("|")]
    assert set(rows) == {7}


@given(st.text(alphabet="<>&|*_`[]()#!@~\\ab\"'", max_size=30))
def test_escaped_text_has_no_special_character_left(value: str) -> None:
    escaped = escape(value)
    assert not set(escaped) & set("<>|*_`[]!@~\\\"'")


def test_links_and_mentions_do_not_come_alive() -> None:
    assert "://" not in escape("https://example.org")
    assert "www." not in escape("www.example.org")
    assert "@" not in escape("@somebody")
