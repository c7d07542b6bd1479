"""The summary for CI jobs."""

import copy
import re
from collections.abc import Callable
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import assessment_json
from reports.document import Check, Document, Observation
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
    tables = re.findall(r"(?:^\|.*\n)+", text(), re.MULTILINE)
    assert len(tables) >= 4
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1


def test_what_is_not_told_in_full_is_folded_away_with_its_number() -> None:
    assert "<details><summary>Passed (3)</summary>\n\n| Check |" in text()
    assert text().count("<details>") == text().count("</details>")


def document_with(checks: int, character: str) -> Document:
    """Many failures, each with many observations of long texts."""
    document = copy.deepcopy(assessment_json.document(assessment()))
    for kind in ("failed", "unknown"):
        [first, *_] = [check for check in document["checks"] if check["outcome"] == kind]
        seen = cast(Observation, {**document["checks"][0]["observations"][0], "path": "/" + character * 4096})
        seen["summary"] = character * 4096
        for number in range(checks):
            texts = dict.fromkeys(("title", "remediation", "reason", "uncounted"), character * 4096)
            check = {**first, **texts, "id": f"X-{kind}-{number}", "observations": [seen] * 50, "waiver": None}
            document["checks"].append(cast(Check, check))
    return document


def test_further_failures_have_a_line_each() -> None:
    lines = render(document_with(30, "x")).decode().splitlines()
    assert "### Failed (34)" in lines
    assert "<details><summary>24 more checks</summary>" in lines


@pytest.mark.parametrize("character", ["x", "<", "@", "\U0001f600"])
def test_it_stays_below_the_mebibyte_that_a_ci_page_shows(character: str) -> None:
    content = render(document_with(300, character))
    assert len(content) < 2**20
    assert content.decode().count("<details>") == content.decode().count("</details>")


def test_signatures_statements_policy_and_files_of_the_user_are_told() -> None:
    assert "It states: " in text()
    assert "- file clam.log, unsigned: " in text()
    assert "- signature: not checked. signed by a key, but no key was given" in text()


@given(st.text(alphabet="<>&|*_`[]()#!@~\\ab\"'", max_size=30))
def test_escaped_text_has_no_special_character_left(value: str) -> None:
    escaped = escape(value)
    assert not set(escaped) & set("<>|*_`[]!@~\\\"'")


def test_links_and_mentions_do_not_come_alive() -> None:
    assert "://" not in escape("https://example.org")
    assert "www." not in escape("www.example.org")
    assert "@" not in escape("@somebody")
