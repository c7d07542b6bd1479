"""The fleet report in a real Chromium: filters, links, both colours, widths, and no barrier that axe can find."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from compliance.fleet.report import fleet_report
from reports.fleet_document import FleetDocument
from reports.fleet_html import render
from tests.builders.chromium import Browser, Page, chromium
from tests.builders.fleet import NAME, fleet
from tests.builders.fleet_hostile import hostile
from tests.builders.program import foreign_file

WIDTHS = (360, 768, 1440)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def document() -> FleetDocument:
    return fleet_report(fleet(images=30, runs=5), NAME, tool={"name": "hullmark", "version": "0.1.0"})


@pytest.fixture(scope="module")
def content(document: FleetDocument) -> bytes:
    return render(document)


def shown(page: Page) -> int:
    return int(
        page.evaluate("[...document.querySelectorAll('details.image')].filter(image => image.offsetParent).length")
    )


def choose(page: Page, identifier: str, value: str) -> None:
    page.evaluate(
        f"(e => {{ e.value = {value!r}; e.dispatchEvent(new Event('change', {{bubbles: true}})) }})"
        f"(document.getElementById({identifier!r}))"
    )


def test_it_asks_for_nothing_and_complains_of_nothing(browser: Browser, content: bytes) -> None:
    page = browser.open(content)
    browser.settle()
    assert [address for address in page.requests if not address.startswith(("file:", "data:"))] == []
    assert page.messages == []


def test_hostile_names_neither_run_nor_load(browser: Browser, document: FleetDocument) -> None:
    page = browser.open(render(hostile(document)))
    browser.settle()
    assert page.evaluate("window.ran") is None
    assert not [asked for asked in browser.proxy.asked if "leak.example" in asked]
    assert page.messages == []


def test_images_are_filtered_by_group_check_outcome_and_words(
    browser: Browser, content: bytes, document: FleetDocument
) -> None:
    page = browser.open(content)
    images = document["images"]
    assert shown(page) == len(images)
    choose(page, "group", "checkout")
    assert shown(page) == sum("checkout" in image["groups"] for image in images)
    choose(page, "group", "")
    choose(page, "failing", "RM-SHELL")
    assert shown(page) == sum(any(one["check"] == "RM-SHELL" for one in image["failed"]) for image in images)
    page.evaluate("document.getElementById('reset').click()")
    assert shown(page) == len(images)
    page.evaluate("document.querySelector('input[value=\"satisfied\"]').click()")
    assert shown(page) == sum(image["outcome"] == "satisfied" for image in images)
    choose(page, "search", "no such word")
    assert shown(page) == 0
    assert page.evaluate("document.getElementById('nothing').checkVisibility()") is True


def test_a_number_leads_to_the_images_behind_it(browser: Browser, content: bytes, document: FleetDocument) -> None:
    page = browser.open(content)
    page.evaluate("document.querySelector('a[data-outcome=\"not-determined\"]').click()")
    assert shown(page) == sum(image["outcome"] == "not-determined" for image in document["images"])
    page.evaluate("document.querySelector('a[data-failing=\"RM-PKGMGR\"]').click()")
    failing = sum(any(one["check"] == "RM-PKGMGR" for one in image["failed"]) for image in document["images"])
    assert shown(page) == failing


def test_a_link_opens_what_it_leads_to(browser: Browser, content: bytes) -> None:
    page = browser.open(content)
    page.evaluate("document.querySelector('#first ol a').click()")
    browser.settle(0.3)
    assert page.evaluate("document.getElementById(decodeURIComponent(location.hash.slice(1))).open") is True


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_window(
    browser: Browser, content: bytes, document: FleetDocument, width: int
) -> None:
    for one in (content, render(hostile(document))):
        page = browser.open(one, width=width)
        page.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true })")
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_without_scripts_everything_can_be_read(browser: Browser, content: bytes, document: FleetDocument) -> None:
    page = browser.open(content, scripts=False)
    assert shown(page) == len(document["images"])
    assert page.evaluate("document.getElementById('filters').offsetParent") is None


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_axe_finds_no_barrier(browser: Browser, content: bytes, dark: bool, width: int) -> None:
    page = browser.open(content, dark=dark, width=width)
    page.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true })")
    page.evaluate(foreign_file("axe.min.js").read_text(encoding="utf-8") + "; 0")
    found = page.evaluate(
        "axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map(v => v.id + ': ' + v.help + ' '"
        " + v.nodes.slice(0, 3).map(n => n.target.join(' ')).join(' | ')))"
    )
    assert found == []
