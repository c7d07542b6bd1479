"""What a notebook shows of our values: escaped, capped, without scripts, legible on light and dark pages."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from reports import findings, notebook, wording
from reports.assessment_json import document
from reports.document import Document
from tests.builders.assessment import ESCAPING, HIDDEN, assessment

ALLOWED_TAGS = {"div", "span", "table", "tr", "td", "th", "b", "bdi"}
SIZE_MAX = 60_000


class Seen(HTMLParser):
    """The tags and attributes of a fragment; every tag that is opened is closed."""

    def __init__(self, fragment: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self._open: list[str] = []
        self.feed(fragment)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag


@pytest.fixture(scope="module")
def shape() -> Document:
    return document(assessment())


def fragments(shape: Document) -> list[str]:
    checks = [notebook.check(check) for check in shape["checks"]]
    evidence = notebook.evidence(ESCAPING, "holds", "sha256:ab", None, [(ESCAPING, "verified", ESCAPING)])
    frames = notebook.frames(ESCAPING, [(ESCAPING, ESCAPING)])
    return [notebook.assessment(shape), notebook.image(shape["subject"]), evidence, frames, *checks]


def test_hostile_text_is_text(shape: Document) -> None:
    for fragment in [*fragments(shape), notebook.inventory(assessment().evidence.inventory)]:
        seen = Seen(fragment)
        assert seen.tags <= ALLOWED_TAGS
        assert seen.attributes <= {"style"}
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", fragment)
        assert HIDDEN not in fragment


def test_what_failed_and_what_is_unknown_is_there(shape: Document) -> None:
    shown = notebook.assessment(shape)
    assert wording.VERDICTS[shape["summary"]["outcome"]] in shown
    for check in [*findings.failed(shape), *findings.undetermined(shape), *findings.waived(shape)]:
        assert f">{check['id']}<" in shown
    assert "Accepted by a waiver: 1" in shown


def test_an_outcome_is_never_told_by_colour_alone(shape: Document) -> None:
    for word in findings.OUTCOMES:
        shown = [notebook.check(check) for check in shape["checks"] if check["outcome"] == word]
        assert shown, word
        assert all(f"{wording.MARKS[word]} {wording.OUTCOMES[word]}" in text for text in shown)


def test_white_words_are_legible_on_their_fields() -> None:
    for color in set(notebook.COLORS.values()):
        assert contrast(color, "#ffffff") >= 4.5, color


def test_a_long_assessment_is_cut_and_the_rest_is_counted(shape: Document) -> None:
    failed = findings.failed(shape)[0]
    many: Document = {**shape, "checks": [{**failed, "id": f"XX-{number}"} for number in range(500)]}
    shown = notebook.assessment(many)
    assert f"{500 - notebook.ROWS_MAX} more" in shown
    assert len(shown) < SIZE_MAX


def test_an_endless_text_is_cut() -> None:
    shown = notebook.frames("x" * 10**6, [("y" * 10**6, "z" * 10**6)])
    assert len(shown) < 3_000


def contrast(first: str, second: str) -> float:
    """WCAG 2.2, contrast ratio."""

    def light(color: str) -> float:
        parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    bright, dark = sorted((light(first), light(second)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)
