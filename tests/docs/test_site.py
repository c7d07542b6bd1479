"""The site: built strictly, every link inside it leads somewhere, and a browser that opens it asks nobody else."""

from __future__ import annotations

import functools
import http.server
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest

from tests.builders.chromium import Browser, chromium
from tests.builders.site import build_site, pages_of

WIDTHS = (360, 1440)
SHOWN = ("index.html", "start.html", "guides/auditors.html", "reference/cli.html", "checks/RM-SHELL.html")


class _Links(HTMLParser):
    """What a page links to and loads, and the anchors that it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.anchors |= {values[key] or "" for key in ("id", "name") if key in values}
        if tag in ("a", "link") and (href := values.get("href")):
            (self.targets if tag == "a" else self.loaded).append(href)
        if source := values.get("src"):
            self.loaded.append(source)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, _Links]:
    return {path: _Links(path.read_text()) for path in pages_of(site)}


def test_every_page_of_the_docs_is_on_the_site(site: Path, checkout: Path) -> None:
    written = {path.relative_to(checkout / "docs").with_suffix(".html") for path in (checkout / "docs").rglob("*.md")}
    built = {path.relative_to(site) for path in pages_of(site)} - {Path("404.html")}
    as_index = {Path(page.parent / "index.html") if page.name == "README.html" else page for page in written}
    assert built == as_index


def test_every_link_inside_the_site_leads_to_a_page_and_an_anchor(site: Path, pages: dict[Path, _Links]) -> None:
    broken = []
    for page, links in pages.items():
        for target in (*links.targets, *links.loaded):
            address, anchor = urldefrag(target)
            if urlsplit(address).scheme or page.name == "404.html":
                continue
            path = (page.parent / unquote(address)).resolve() if address else page
            path = path / "index.html" if path.is_dir() else path
            if not path.is_file():
                broken.append(f"{page.relative_to(site)}: {target}")
            elif anchor and path in pages and unquote(anchor) not in pages[path].anchors:
                broken.append(f"{page.relative_to(site)}: {target} (no such anchor)")
    assert broken == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])
def test_every_link_of_a_page_at_the_top_leads_to_a_file(name: str, checkout: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", (checkout / name).read_text())
    assert [one for one in targets if not urlsplit(one).scheme and not (checkout / one).exists()] == []


def test_no_page_loads_anything_from_elsewhere(pages: dict[Path, _Links]) -> None:
    elsewhere = {target for links in pages.values() for target in links.loaded if urlsplit(target).netloc}
    assert elsewhere == set()


def test_a_link_that_leads_nowhere_ends_the_build(tmp_path: Path, checkout: Path) -> None:
    """Else strictness would be a word."""
    shutil.copytree(checkout / "docs", tmp_path / "docs")
    shutil.copy(checkout / "mkdocs.yml", tmp_path)
    (tmp_path / "docs" / "index.md").write_text("# Home\n\n[nowhere](nowhere.md) [here](start.md#no-such-part)\n")
    program = Path(sys.executable).with_name("zensical")
    run = subprocess.run([str(program), "build", "--strict"], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode != 0
    assert "page does not exist" in run.stdout + run.stderr
    assert "anchor does not exist" in run.stdout + run.stderr


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """The site behind a web server on the loopback."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def browser(address: str) -> Iterator[Browser]:
    with chromium(urlsplit(address).netloc) as running:
        yield running


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", SHOWN)
def test_a_browser_asks_nobody_else_and_nothing_sticks_out(
    name: str, width: int, browser: Browser, address: str
) -> None:
    page = browser.visit(f"{address}/{name}", width=width)
    browser.settle(0.5)
    assert page.requests
    assert [asked for asked in page.requests if not asked.startswith((address, "data:"))] == []
    assert page.messages == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_search_finds_a_check(browser: Browser, address: str) -> None:
    page = browser.visit(f"{address}/start.html")
    page.evaluate("document.querySelector('.md-search__button').click()")
    browser.settle(0.5)
    page.type("RM-SHELL")
    browser.settle(1.5)
    found = "[...document.querySelectorAll('*')].map(each => each.shadowRoot?.textContent ?? '').join(' ')"
    assert "No command shell in a runtime image" in page.evaluate(found)
