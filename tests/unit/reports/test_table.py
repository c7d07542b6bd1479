"""The summary in the terminal."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from compliance.errors import ExitCode
from compliance.model.outcome import Passed
from reports import assessment_json
from reports.document import Document
from reports.table import render
from tests.builders.assessment import DIGEST, assessment


@pytest.fixture(scope="module")
def document() -> Document:
    return assessment_json.document(assessment())


def clean_document() -> Document:
    plain = assessment(frameworks=0)
    passed = tuple(result for result in plain.results if isinstance(result.outcome, Passed))
    return assessment_json.document(
        replace(plain, results=passed, summary=replace(plain.summary, outcome=ExitCode.SATISFIED, worst=None))
    )


def test_text_is_that_of_the_golden_file(document: Document, golden: Callable[[str, bytes], None]) -> None:
    golden("reports/table.txt", render(document).encode())


def test_the_first_lines_say_the_verdict_and_what_to_do(document: Document) -> None:
    verdict, first, *_ = render(document, width=130).splitlines()
    assert verdict.startswith(" NOT SATISFIED   4 checks of high severity or above failed")
    assert first.startswith("Do first: SP-SECRET (critical).")


def test_what_is_undetermined_comes_first_where_that_decides() -> None:
    plain = assessment()
    undetermined = replace(plain, summary=replace(plain.summary, outcome=ExitCode.NOT_DETERMINED))
    second = render(assessment_json.document(undetermined), width=160).splitlines()[1]
    assert second.startswith("Find out first: RM-PKGMGR (high). usr/lib/blob.img could not be read"), second


def test_the_last_line_says_the_verdict_again(document: Document) -> None:
    assert "NOT SATISFIED" in render(document, width=130).rstrip("\n").splitlines()[-1]


def test_without_colour_there_is_no_escape_sequence(document: Document) -> None:
    assert "\x1b" not in render(document)


def test_colour_adds_nothing_but_escape_sequences(document: Document) -> None:
    import re

    colored = render(document, color=True)
    assert "\x1b[" in colored
    plain = re.sub(r"\x1b\[[0-9;]*m", "", colored)
    assert [line.rstrip() for line in plain.splitlines()] == render(document).splitlines()


@pytest.mark.parametrize("width", [40, 80, 100, 132])
def test_no_line_is_wider_than_asked(document: Document, width: int) -> None:
    assert max(len(line) for line in render(document, width=width).splitlines()) <= width


def test_the_whole_digest_stands_on_one_line(document: Document) -> None:
    assert f"Digest   {DIGEST}" in render(document).splitlines()


def test_further_observations_are_counted(document: Document) -> None:
    assert "    +3 more" in render(document).splitlines()


def test_the_environment_does_not_change_it(document: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    before = render(document)
    for name, value in (("COLUMNS", "33"), ("FORCE_COLOR", "1"), ("TERM", "dumb"), ("NO_COLOR", "1")):
        monkeypatch.setenv(name, value)
    assert render(document) == before


def test_an_image_without_failures_reads_as_such() -> None:
    text = render(clean_document())
    assert text.splitlines()[0].startswith(" SATISFIED   No check of high severity or above failed")
    for heading in ("Failed", "Not determined", "Do first", "Controls that"):
        assert heading not in text
