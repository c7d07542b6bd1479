"""The fleet dashboard in a real Chromium, over real stores: found, opened, taken away, with and without scripts."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from PIL import Image

from compliance.fleet.dashboard.access import Access, read_secret
from compliance.fleet.fleet_file import Fleet
from tests.builders.chromium import Browser, Page, chromium
from tests.builders.dashboard import DOCUMENTS, SHOP, TOKEN, Served, fill_stores, served
from tests.builders.program import foreign_file

IMAGES = 130
PAGES = {
    "overview": "/",
    "summary": f"/fleets/{SHOP}",
    "images": f"/fleets/{SHOP}/images",
    "checks": f"/fleets/{SHOP}/checks",
    "controls": f"/fleets/{SHOP}/controls?framework=cis-docker",
    "waivers": f"/fleets/{SHOP}/waivers",
    "bases": f"/fleets/{SHOP}/bases",
    "changes": f"/fleets/{SHOP}/changes",
    "runs": f"/fleets/{SHOP}/runs",
    "downloads": f"/fleets/{SHOP}/downloads",
    "none": "/none",
}


@pytest.fixture(scope="module")
def fleets(tmp_path_factory: pytest.TempPathFactory) -> tuple[Fleet, Fleet]:
    return fill_stores(tmp_path_factory.mktemp("stores"), images=IMAGES, runs=3)


@pytest.fixture(scope="module")
def site(fleets: Sequence[Fleet]) -> Iterator[Served]:
    with served(fleets, Access(addresses=False)) as one:
        yield one


@pytest.fixture(scope="module")
def guarded(fleets: Sequence[Fleet]) -> Iterator[Served]:
    with served(fleets, Access(addresses=False, token=read_secret(TOKEN, "token"))) as one:
        yield one


@pytest.fixture(scope="module")
def browser(site: Served, guarded: Served) -> Iterator[Browser]:
    with chromium(f"127.0.0.1:{site.port}", f"127.0.0.1:{guarded.port}") as started:
        yield started


def references(page: Page) -> list[str]:
    """Those of the images in the list."""
    found = page.evaluate(
        "[...document.querySelectorAll('table.images tbody th')].map(e => e.innerText.split(/\\s/)[0])"
    )
    return [str(one) for one in found]


def told(page: Page) -> str:
    return str(page.evaluate("document.querySelector('output').textContent"))


def click(browser: Browser, page: Page, selector: str) -> None:
    """Something that leads to another page."""
    browser.after(lambda: page.evaluate(f"document.querySelector({selector!r}).click()"))


def choose(page: Page, identifier: str, value: str) -> None:
    page.evaluate(f"document.getElementById({identifier!r}).value = {value!r}")


def path(page: Page) -> str:
    return str(page.evaluate("location.pathname + location.search"))


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_images_are_filtered_searched_and_turned_page_by_page(browser: Browser, site: Served, scripts: bool) -> None:
    page = browser.visit(site.address + PAGES["images"], scripts=scripts)
    assert len(references(page)) == 50
    total = int(re.search(r"All (\d+) images", told(page)).group(1))  # type: ignore[union-attr]
    choose(page, "group", "edge")
    choose(page, "outcome", "not-satisfied")
    click(browser, page, "form.filters button[type=submit]")
    shown = references(page)
    assert 0 < len(shown) < 50
    assert all("/edge/" in reference for reference in shown)
    assert told(page) == f"{len(shown)} of {total} images"
    assert page.evaluate("document.getElementById('group').value") == "edge", "the form shows what was asked for"
    page.evaluate("document.getElementById('q').focus()")
    page.type(shown[0].rpartition("/")[2].partition(":")[0])
    browser.after(lambda: page.press("Enter"))
    assert shown[0] in references(page)
    assert len(references(page)) < len(shown)
    click(browser, page, "a.button")
    assert told(page).startswith(f"All {total} images")
    first = references(page)
    click(browser, page, "a[rel=next]")
    second = references(page)
    assert not set(first) & set(second)
    assert told(page) == f"All {total} images, 51 to 100"
    click(browser, page, "a[rel=prev]")
    assert references(page) == first


def test_from_the_first_page_down_to_what_was_seen_in_an_image(browser: Browser, site: Served) -> None:
    page = browser.visit(site.address + "/")
    click(browser, page, f"h2 a[href='/fleets/{SHOP}']")
    group = page.evaluate("document.querySelector('main table tbody th a').textContent")
    click(browser, page, "main table tbody th a")
    assert page.evaluate("document.getElementById('group').value") == group
    reference = references(page)[0]
    click(browser, page, "table.images tbody th a")
    assert page.evaluate("document.querySelector('h1').textContent") == reference
    assert page.evaluate("document.querySelector('.verdict .word').innerText").strip().endswith("Not satisfied")
    opened = page.evaluate("document.querySelectorAll('details.check.failed[open] .evidence li').length")
    assert opened > 0
    check = page.evaluate("document.querySelector('details.check.failed').id").removeprefix("check-")
    click(browser, page, "details.check.failed .body > p:last-child a")
    assert page.evaluate("document.getElementById('check').value") == check
    assert page.evaluate("document.querySelector('details.more').open"), "a filter that is on is not folded away"
    assert reference in references(page)


def test_a_number_leads_to_as_many_images(browser: Browser, site: Served) -> None:
    page = browser.visit(site.address + PAGES["checks"])
    number = page.evaluate("document.querySelector('td.number-cell a').textContent")
    click(browser, page, "td.number-cell a")
    assert told(page).startswith(f"{number} of ")


def test_an_earlier_run_stays_chosen_and_the_newest_is_a_click_away(browser: Browser, site: Served) -> None:
    page = browser.visit(site.address + PAGES["images"])
    choose(page, "run", "1")
    click(browser, page, ".run-choice button")
    assert path(page) == f"/fleets/{SHOP}/images?run=1"
    click(browser, page, "nav a[href*='checks']")
    assert path(page) == f"/fleets/{SHOP}/checks?run=1"
    click(browser, page, "main .note a")
    assert path(page) == f"/fleets/{SHOP}/checks"


def test_a_document_is_taken_away_whole(browser: Browser, site: Served, tmp_path: Path) -> None:
    page = browser.visit(f"{site.address}/fleets/{DOCUMENTS}/images")
    click(browser, page, "table.images tbody th a[href*='sha256']")
    browser.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    for name in ("assessment.json", "sbom.cdx.json"):
        page.evaluate(f"document.querySelector('.downloads a[href$=\"/{name}\"]').click()")
        for _ in range(100):
            browser.settle(0.1)
            if (tmp_path / name).is_file():
                break
    assert json.loads((tmp_path / "assessment.json").read_bytes())["schemaVersion"] == "1"
    assert json.loads((tmp_path / "sbom.cdx.json").read_bytes())["bomFormat"] == "CycloneDX"
    assert path(page).startswith(f"/fleets/{DOCUMENTS}/images/"), "the page stays"


def test_two_runs_are_compared(browser: Browser, site: Served) -> None:
    page = browser.visit(site.address + PAGES["changes"])
    choose(page, "from", "1")
    choose(page, "kind", "fixed")
    click(browser, page, "form.filters button[type=submit]")
    assert path(page) == f"/fleets/{SHOP}/changes?from=1&to=3&kind=fixed"
    rows = page.evaluate("document.querySelectorAll('main table')[0].querySelectorAll('tbody .status').length")
    fixed = page.evaluate("[...document.querySelectorAll('main table')[0].querySelectorAll('.status')]"
                          ".filter(e => e.innerText.includes('fixed')).length")  # fmt: skip
    figure = page.evaluate("[...document.querySelectorAll('.figures div')].find(e => e.innerText.startsWith('Fixed'))"
                           ".querySelector('dd').textContent")  # fmt: skip
    assert rows == fixed == int(figure) > 0


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_signing_in_leads_to_what_was_asked_for_and_out_again(browser: Browser, guarded: Served, scripts: bool) -> None:
    wanted = f"/fleets/{SHOP}/images?group=edge"
    page = browser.visit(guarded.address + wanted, scripts=scripts)
    assert page.evaluate("document.querySelector('h1').textContent") == "Sign in"
    page.evaluate("document.getElementById('token').focus()")
    page.type("x" * 30)
    browser.after(lambda: page.press("Enter"))
    assert page.evaluate("document.querySelector('[role=alert]').textContent") == "That is not the token."
    page.evaluate("document.getElementById('token').focus()")
    page.type(TOKEN)
    browser.after(lambda: page.press("Enter"))
    assert path(page) == wanted
    assert references(page)
    assert page.evaluate("document.cookie") == "", "no script gets the cookie"
    assert TOKEN not in page.evaluate("document.documentElement.outerHTML + location.href")
    click(browser, page, "header form button")
    assert page.evaluate("document.querySelector('h1').textContent") == "Sign in"
    browser.go(page, guarded.address + wanted)
    assert page.evaluate("document.querySelector('h1').textContent") == "Sign in"


def test_a_page_of_another_origin_gets_nothing_with_the_readers_own_cookie(
    browser: Browser, guarded: Served, site: Served
) -> None:
    """Another port of this machine is another origin, and yet the same site: its requests carry the cookie."""
    page = browser.visit(guarded.address + "/login")
    page.evaluate("document.getElementById('token').focus()")
    page.type(TOKEN)
    browser.after(lambda: page.press("Enter"))
    assert page.evaluate("document.querySelector('h1').textContent") == "2 fleets"
    target = f"{guarded.address}/fleets/{SHOP}"
    stranger = browser.visit(site.address + "/healthz")  # another port, with no script policy that would be in the way
    asked = (
        f"Promise.allSettled([fetch({target!r}, {{credentials: 'include'}}).then(r => r.text()),"
        f" fetch({target!r}, {{credentials: 'include', mode: 'no-cors'}}).then(r => r.type + r.status)])"
        ".then(r => JSON.stringify(r))"
    )
    stranger.call("Page.setBypassCSP", enabled=True)
    browser.go(stranger, site.address + "/healthz")
    read, blind = json.loads(stranger.evaluate(asked))
    assert read["status"] == "rejected"
    assert blind["status"] == "rejected" or blind["value"] == "opaque0"
    framed = stranger.evaluate(
        f"new Promise(done => {{ const f = document.createElement('iframe'); f.src = {target!r};"
        " f.onload = () => { let seen; try { seen = f.contentDocument?.body?.innerText ?? 'nothing' }"
        " catch { seen = 'nothing' } done(seen) }; document.body.append(f) })"
    )
    assert framed == "nothing"
    browser.after(lambda: stranger.evaluate(f"location.href = {target!r}"))
    assert "shop" not in stranger.evaluate("document.body.innerText")


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_fetched_from_elsewhere_and_nothing_complains(browser: Browser, site: Served, name: str) -> None:
    page = browser.visit(site.address + PAGES[name])
    browser.settle(0.2)
    assert [one for one in page.requests if not one.startswith(site.address)] == []
    assert [one for one in page.messages if "404" not in one] == []


WIDEST = (
    "[...document.querySelectorAll('main *, header *, nav *')].filter(e => e.checkVisibility() && !e.closest('svg')"
    " && e.getBoundingClientRect().right > {} + 1).map(e => e.tagName + '.' + e.className).slice(0, 5)"
)


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_nothing_is_wider_than_the_window(browser: Browser, site: Served, width: int) -> None:
    page = browser.visit(site.address + "/", width=width)
    for name, address in PAGES.items():
        browser.go(page, site.address + address)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert page.evaluate(WIDEST.format(width)) == [], name
    browser.go(page, site.address + PAGES["images"])
    click(browser, page, "table.images tbody th a")
    page.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def lightness(picture: bytes) -> float:
    with Image.open(io.BytesIO(picture)) as image:
        return float(image.convert("L").resize((1, 1)).getpixel((0, 0)))  # type: ignore[arg-type]


def test_colours_are_those_of_the_system_until_somebody_chooses_and_stay_chosen(browser: Browser, site: Served) -> None:
    light, dark = (browser.visit(site.address + "/", dark=dark) for dark in (False, True))
    assert lightness(light.screenshot()) > 170
    assert lightness(dark.screenshot()) < 90
    for _ in range(2):
        light.evaluate("document.getElementById('scheme').click()")
    assert light.evaluate("document.documentElement.dataset.scheme") == "dark"
    browser.go(light, site.address + PAGES["checks"])
    assert lightness(light.screenshot()) < 90
    light.evaluate("document.getElementById('scheme').click()")
    assert light.evaluate("document.getElementById('scheme').textContent") == "Colours: system"


def test_the_keyboard_reaches_the_content_and_every_filter(browser: Browser, site: Served) -> None:
    page = browser.visit(site.address + PAGES["images"])
    page.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.press("Enter")
    browser.settle(0.2)
    assert page.evaluate("document.activeElement.id") == "main"
    reached: list[str] = []
    for _ in range(20):
        page.press("Tab")
        reached.append(str(page.evaluate("document.activeElement.id || document.activeElement.tagName")))
        style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert style == "solid", "whatever has the focus shows it"
    assert [name for name in reached if name in ("run", "q", "outcome", "severity", "group", "SUMMARY")] == [
        "run",
        "q",
        "outcome",
        "severity",
        "group",
        "SUMMARY",
    ]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_axe_finds_no_barrier(browser: Browser, site: Served, guarded: Served, dark: bool, width: int) -> None:
    axe = foreign_file("axe.min.js").read_text(encoding="utf-8") + "; 0"
    page = browser.visit(site.address + "/", dark=dark, width=width)
    image = re.search(r'href="(/fleets/[^"]+/images/sha256[^"]+)"', site.ask(PAGES["images"]).text)
    assert image
    addresses = [site.address + one for one in (*PAGES.values(), image.group(1).replace("&amp;", "&"))]
    for address in [*addresses, guarded.address + "/login"]:
        browser.go(page, address)
        page.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true })")
        page.evaluate(axe)
        found = page.evaluate(
            "axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map(v => v.id + ': ' + v.help"
            " + ' ' + v.nodes.slice(0, 3).map(n => n.target.join(' ')).join(' | ')))"
        )
        assert found == [], address
