"""Language files: strict, whole for German, and never more than headings and words."""

import dataclasses
import html.parser
import json
from collections.abc import Iterable

import pytest

from compliance.errors import PolicyError
from reports import assessment_json, language, wording
from reports import html as html_report
from reports.branding import Branding
from reports.document import Document
from reports.language import ENGLISH, Language, read_language, say, shipped_language, speaking, texts
from tests.builders.assessment import assessment


@pytest.fixture
def document() -> Document:
    return assessment_json.document(assessment())


HEAD = "schema: 1\nlanguage: de\nwords:\n"


def german() -> Language:
    shipped = shipped_language("de")
    assert shipped is not None
    return shipped


def headings(page: bytes) -> list[str]:
    class Headings(html.parser.HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.found: list[str] = []
            self.inside = False

        def handle_starttag(self, tag: str, _: Iterable[object]) -> None:
            if tag in ("h2", "th"):
                self.inside = True
                self.found.append("")

        def handle_endtag(self, tag: str) -> None:
            self.inside = self.inside and tag not in ("h2", "th")

        def handle_data(self, data: str) -> None:
            if self.inside:
                self.found[-1] += data

    parser = Headings()
    parser.feed(page.decode())
    return [text.strip() for text in parser.found]


def test_the_german_file_has_every_text_and_no_other() -> None:
    assert set(german().words) == texts()
    assert german().tag == "de"


def test_the_german_file_keeps_every_placeholder() -> None:
    for text, word in german().words.items():
        assert sorted(wording.PLACEHOLDER.findall(text)) == sorted(wording.PLACEHOLDER.findall(word)), text


def test_words_are_spoken_only_within_and_are_english_again_after_an_error() -> None:
    def break_off() -> None:
        with speaking(german()):
            assert (wording.OUTCOMES["failed"], say("Findings")) == ("nicht bestanden", "Befunde")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert (wording.OUTCOMES["failed"], say("Findings")) == ("failed", "Findings")


def test_a_page_in_german_says_so_and_has_german_headings(document: Document) -> None:
    page = html_report.render(document, branding=Branding(language=german()))
    assert b'<html lang="de">' in page
    found = headings(page)
    assert {"Befunde", "Maßnahmen", "Abdeckung der Regelwerke", "Grenzen des Nachgewiesenen"} <= set(found)
    english = {text for text in found if text in german().words and german().words[text] != text}
    assert not english


def test_a_missing_word_is_english(document: Document) -> None:
    one = read_language("x.yaml", (HEAD + "  Findings: Befunde\n").encode())
    page = html_report.render(document, branding=Branding(language=one))
    assert "Befunde" in headings(page)
    assert "Controls" in headings(page)


def test_words_that_scripts_read_stay(document: Document) -> None:
    from reports.assessment_json import render

    with speaking(german()):
        written = json.loads(render(document))
    assert written == document


def test_a_word_is_text_whatever_it_holds(document: Document) -> None:
    hostile = '<script>alert(1)</script>{{ 7 * 7 }}"'
    words = dict.fromkeys(texts(), hostile)
    page = html_report.render(document, branding=Branding(language=dataclasses.replace(ENGLISH, words=words))).decode()
    assert "<script>alert" not in page
    assert "49&#34;" not in page
    assert "{{ 7 * 7 }}" in page


@pytest.mark.parametrize(
    ("content", "where", "message"),
    [
        (HEAD + "  Findngs: Befunde\n", "x.yaml, line 4", "not a text of the report"),
        (HEAD + "  Findings: ''\n", "x.yaml, line 4", "must be a text"),
        (HEAD + "  Findings: " + "x" * 500 + "\n", "x.yaml, line 4", "longer than 400 characters"),
        (HEAD + "  Findings: [a]\n", "x.yaml, line 4", "must be a text"),
        ("schema: 1\nlanguage: not a tag\nwords: {}\n", "x.yaml, line 2", "no language tag"),
        ("schema: 2\nlanguage: de\nwords: {}\n", "x.yaml, line 1", "whole number"),
        ("schema: 1\nlanguage: de\nword: {}\n", "x.yaml, line 3", "unknown key"),
        (HEAD + '  "{number} checks do not count.": zaehlen nicht\n', "x.yaml, line 4", "{number}"),
    ],
)
def test_a_mistake_is_told_with_its_line(content: str, where: str, message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read_language("x.yaml", content.encode())
    assert str(caught.value.where).startswith(where)
    assert message in caught.value.message
    assert caught.value.code == "language-invalid"


def test_a_near_miss_is_told_what_was_meant() -> None:
    with pytest.raises(PolicyError) as caught:
        read_language("x.yaml", (HEAD + "  Findngs: Befunde\n").encode())
    assert "Findings" in str(caught.value.hint)


def test_no_language_ships_under_a_name_that_leads_elsewhere() -> None:
    assert shipped_language("../languages/de") is None
    assert language.shipped_language("fr") is None
