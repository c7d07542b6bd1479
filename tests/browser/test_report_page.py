"""The HTML report in a real Chromium: what a reader with eyes, a keyboard, a phone or a printer gets."""

from __future__ import annotations

import copy
import io
import re
from collections.abc import Iterator
from typing import Any, cast

import pytest
from PIL import Image

from reports import assessment_json
from reports.branding import read_branding
from reports.document import Document, Observation
from reports.html import render
from tests.builders.assessment import ESCAPING, assessment
from tests.builders.chromium import Browser, Page, chromium
from tests.builders.program import foreign_file

WIDTHS = (360, 768, 1440)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def document() -> Document:
    return assessment_json.document(assessment())


@pytest.fixture(scope="module")
def content(document: Document) -> bytes:
    return render(document)


@pytest.fixture(scope="module")
def hostile(document: Document) -> bytes:
    """Names that are long, wide, high, reversed or markup."""
    changed = copy.deepcopy(document)
    names: tuple[str, ...] = (
        "/" + "x" * 4090,
        "/" + ESCAPING,
        "/" + "\u0645\u0631\u062d\u0628\u0627",
        "/" + "z\u0352\u0360" * 200,
    )
    names += ('/"><img src=http://leak.example/a.png onerror=fetch("http://leak.example/b")>', "/" + "W" * 300)
    seen = changed["checks"][0]["observations"][0]
    changed["checks"][0]["observations"] = [
        cast(Observation, {**seen, "path": name, "names": [name], "summary": f"{name} is here"}) for name in names
    ]
    changed["subject"]["reference"] = "registry:registry.example.org/" + "long-name/" * 60
    changed["subject"]["claims"][0]["value"] = "<script>fetch('http://leak.example/c')</script>" + "w" * 600
    changed["checks"][0]["title"] = "T" * 400
    parsed = assessment_json.parse(assessment_json.render(changed))
    branding = read_branding(title="N" * 200, classification="C" * 200, contacts=("k" * 200,))
    return render(parsed, branding=branding)


def shown(page: Page) -> list[str]:
    """The ids of the checks that can be seen."""
    found = page.evaluate("[...document.querySelectorAll('details.check')].filter(e => e.offsetParent).map(e => e.id)")
    return [identifier.removeprefix("check-") for identifier in found]


def expected(document: Document, **wanted: str) -> set[str]:
    return {
        check["id"]
        for check in document["checks"]
        if all(cast(Any, check)[key] == value for key, value in wanted.items())
    }


def choose(page: Page, identifier: str, value: str) -> None:
    page.evaluate(
        f"(e => {{ e.value = {value!r}; e.dispatchEvent(new Event('change', {{bubbles: true}})) }})"
        f"(document.getElementById({identifier!r}))"
    )


def click(page: Page, selector: str) -> None:
    page.evaluate(f"document.querySelector({selector!r}).click()")


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))


def test_it_asks_for_nothing_and_complains_of_nothing(browser: Browser, content: bytes) -> None:
    page = browser.open(content)
    click(page, "#unfold")
    browser.settle()
    assert [address for address in page.requests if not address.startswith(("file:", "data:"))] == []
    assert page.messages == []


LEAKS = (
    b"<img src='http://leak.example/picture'><script>fetch('http://leak.example/script')</script>"
    b"<link rel=stylesheet href='http://leak.example/sheet'><iframe src='http://leak.example/frame'></iframe>"
    b"<style>body { background: url(http://leak.example/style) }</style>"
    b"<p style='background: url(http://leak.example/attribute)'><svg onload=\"document.title='ran'\"></svg>"
    b"<object data='http://leak.example/object'></object><video src='http://leak.example/video' autoplay></video>"
)


def test_markup_that_got_in_would_neither_run_nor_load(browser: Browser, content: bytes) -> None:
    """The second wall: the policy holds even where the escaping would not."""
    page = browser.open(content.replace(b"</main>", LEAKS + b"</main>"))
    browser.settle()
    assert page.evaluate("document.title") != "ran"
    assert not [asked for asked in browser.proxy.asked if "leak.example" in asked]
    assert len([message for message in page.messages if "Content Security Policy" in message]) >= 6
    assert page.evaluate("document.querySelector('#filters').hidden") is False


def test_without_the_policy_it_would(browser: Browser, content: bytes) -> None:
    """What the test above sees, it can see."""
    bare = re.sub(rb'<meta http-equiv="Content-Security-Policy"[^>]*>', b"", content)
    page = browser.open(bare.replace(b"</main>", LEAKS.replace(b"leak.example", b"open.example") + b"</main>"))
    browser.settle()
    assert page.evaluate("document.title") == "ran"
    for what in ("picture", "script", "sheet", "style", "attribute"):
        assert [asked for asked in browser.proxy.asked if f"open.example/{what}" in asked], what


def test_nothing_of_a_hostile_image_runs_or_loads(browser: Browser, hostile: bytes) -> None:
    page = browser.open(hostile)
    browser.settle()
    assert [address for address in page.requests if not address.startswith(("file:", "data:"))] == []
    assert page.messages == []


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("page_name", ["content", "hostile"])
def test_nothing_is_wider_than_the_window(
    browser: Browser, width: int, page_name: str, request: pytest.FixtureRequest
) -> None:
    page = browser.open(request.getfixturevalue(page_name), width=width)
    click(page, "#unfold")
    page.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    outside = page.evaluate(
        "[...document.querySelectorAll('main *, header *, nav *')].filter(e => e.offsetParent && !e.closest('svg')"
        f" && e.getBoundingClientRect().right > {width + 1}).map(e => e.tagName + '.' + e.className).slice(0, 5)"
    )
    assert outside == []


def test_filters_show_what_matches_and_count_it(browser: Browser, content: bytes, document: Document) -> None:
    page = browser.open(content)
    everything = expected(document)
    assert set(shown(page)) == everything
    click(page, "input[value=failed]")
    assert set(shown(page)) == expected(document, outcome="failed")
    click(page, "input[value=high]")
    both = expected(document, outcome="failed", severity="high")
    assert set(shown(page)) == both
    assert page.evaluate("document.getElementById('found').textContent") == f"{len(both)} of {len(everything)} checks"
    click(page, "input[value=unknown]")
    assert set(shown(page)) == both | expected(document, outcome="unknown", severity="high")
    click(page, "#reset")
    assert set(shown(page)) == everything
    choose(page, "trait", "supply")
    assert set(shown(page)) == expected(document, trait="supply")
    click(page, "#reset")
    choose(page, "framework", "example-benchmark")
    bearing = {
        name for one in document["controls"] if one["framework"] == "example-benchmark" for name in one["checks"]
    }
    assert set(shown(page)) == bearing


def test_search_finds_text_that_is_folded_away(browser: Browser, content: bytes) -> None:
    page = browser.open(content)
    page.evaluate("document.getElementById('search').focus()")
    page.type("BUSYBOX markers")
    assert shown(page) == ["RM-SHELL"]
    page.type(" nowhere")
    assert shown(page) == []
    assert page.evaluate("document.getElementById('nothing').offsetParent !== null")
    assert page.evaluate("[...document.querySelectorAll('section.group')].every(e => e.hidden)")


def test_a_link_opens_what_is_folded_or_filtered_away(browser: Browser, content: bytes) -> None:
    page = browser.open(content)
    click(page, "input[value=passed]")
    assert "RM-SHELL" not in shown(page)
    click(page, "a[href='#check-RM-SHELL']")
    browser.settle(0.3)
    assert "RM-SHELL" in shown(page)
    assert page.evaluate("document.getElementById('check-RM-SHELL').open")
    assert page.evaluate("document.activeElement === document.querySelector('#check-RM-SHELL > summary')")
    click(page, "#check-RM-SHELL a[href='#control-nist-sp-800-53-cm-7']")
    browser.settle(0.3)
    assert page.evaluate("document.getElementById('framework-nist-sp-800-53').open")
    assert focused(page) == "control-nist-sp-800-53-cm-7"
    top = page.evaluate("document.getElementById('control-nist-sp-800-53-cm-7').getBoundingClientRect().top")
    assert 0 <= top < 900


def test_the_keyboard_reaches_and_works_everything(browser: Browser, content: bytes) -> None:
    page = browser.open(content)
    page.press("Tab")
    assert focused(page) == "Skip to the report"
    assert page.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
    page.press("Enter")
    browser.settle(0.3)
    assert focused(page) == "main"
    reached: list[str] = []
    for _ in range(80):
        page.press("Tab")
        assert page.evaluate("document.activeElement.offsetParent !== null"), "the focus is on something unseen"
        reached.append(focused(page))
        if page.evaluate("document.activeElement.parentElement.id === 'check-SP-SECRET'"):
            break
    order = [name for name in reached if name in ("search", "framework", "trait", "reset", "unfold", "fold")]
    assert order == ["search", "framework", "trait", "reset", "unfold", "fold"]
    page.press("Enter")
    assert page.evaluate("document.activeElement.parentElement.open")
    page.press("Tab", shift=True)
    page.press("Tab")
    page.press("Space")
    assert not page.evaluate("document.activeElement.parentElement.open")


def test_whatever_has_the_focus_shows_it(browser: Browser, content: bytes) -> None:
    page = browser.open(content)
    for _ in range(12):
        page.press("Tab")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        assert page.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)") >= 2


def lightness(picture: bytes) -> float:
    with Image.open(io.BytesIO(picture)) as image:
        grey = image.convert("L").resize((1, 1))
        return float(grey.getpixel((0, 0)))  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [360, 1440])
def test_colours_are_those_of_the_system_until_somebody_chooses(browser: Browser, content: bytes, width: int) -> None:
    light, dark = (browser.open(content, width=width, dark=dark) for dark in (False, True))
    assert lightness(light.screenshot()) > 170
    assert lightness(dark.screenshot()) < 90
    click(light, "#scheme")
    assert light.evaluate("document.getElementById('scheme').textContent") == "Colours: light"
    click(light, "#scheme")
    assert light.evaluate("document.documentElement.dataset.scheme") == "dark"
    assert lightness(light.screenshot()) < 90
    click(light, "#scheme")
    assert lightness(light.screenshot()) > 170


def test_without_scripts_everything_can_be_read(browser: Browser, content: bytes, document: Document) -> None:
    page = browser.open(content, scripts=False)
    assert set(shown(page)) == expected(document)
    assert not page.evaluate("document.getElementById('filters').offsetParent !== null")
    assert page.evaluate("document.querySelector('details.check').open = true") is True
    assert page.evaluate("document.querySelector('details.check .evidence').offsetParent !== null")


def test_paper_gets_light_colours_the_failures_opened_and_no_controls(browser: Browser, content: bytes) -> None:
    page = browser.open(content, dark=True)
    click(page, "#scheme")
    click(page, "#scheme")  # dark by choice
    page.call("Emulation.setEmulatedMedia", media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.evaluate("document.getElementById('filters').offsetParent !== null")
    assert page.evaluate("document.querySelector('#check-RM-SHELL .evidence').getBoundingClientRect().height") > 0
    assert page.evaluate("document.querySelector('#check-RM-EDITDOC .evidence').checkVisibility()") is False
    assert page.printed().startswith(b"%PDF")


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
