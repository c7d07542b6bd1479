"""docs/checks: a page for every check, and each what the generator writes."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from compliance.cli.main import run
from compliance.model.outcome import Check
from controls.check_page import check_page, markdown
from controls.loader import load_library
from controls.registry import CHECKS
from tests.architecture import check_pages


@pytest.fixture(scope="module")
def pages() -> Mapping[str, str]:
    return check_pages.pages()


def test_there_is_a_page_for_every_check_and_no_other() -> None:
    found = {path.name for path in check_pages.FOLDER.iterdir()}
    assert found == {"README.md", *(f"{check.id}.md" for check in CHECKS)}


@pytest.mark.parametrize("name", ["README.md", *(f"{check.id}.md" for check in CHECKS)])
def test_the_page_is_what_the_generator_writes(name: str, pages: Mapping[str, str]) -> None:
    """Written anew by ``python -m tests.architecture.check_pages``."""
    assert (check_pages.FOLDER / name).read_text() == pages[name]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_no_part_of_a_page_is_empty(check: Check) -> None:
    parts = check_page(check, load_library())
    assert [part.heading for part in parts if not part.text and not part.items] == []
    assert check.references
    for part in parts:
        for sentence in (part.text, *(part.items if part.heading != "References" else ())):
            assert not sentence or sentence.endswith((".", '"].')), sentence


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_why_it_matters_is_more_than_a_catchword(check: Check) -> None:
    assert len(check.rationale.split()) >= 12
    assert check.rationale[0].isupper()


def test_the_terminal_shows_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(("controls", "show", "rm-shell")) == 0
    printed = " ".join(capsys.readouterr().out.split())
    check = next(check for check in CHECKS if check.id == "RM-SHELL")
    for part in check_page(check, load_library()):
        assert part.heading in printed
        for sentence in (part.text, *part.items):
            assert sentence in printed


def test_what_could_be_markup_is_escaped() -> None:
    check = CHECKS[0]
    text = markdown(check, (), example=("a|b *c* _d_ e_f `g` <h> [i] #",))
    assert "a\\|b \\*c\\* \\_d\\_ e_f \\`g\\` \\<h\\> \\[i\\] \\#" in text
