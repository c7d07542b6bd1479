"""A real Chromium without a window, driven over its debugging pipe (Chrome DevTools Protocol): no package is needed.

Whatever the browser asks of a network goes to a proxy of the tests' own on the loopback, which answers nothing and
writes down what was asked for.
"""

from __future__ import annotations

import base64
import json
import os
import select
import socketserver
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from tests.builders.program import program

_PATIENCE = 120.0
"""Seconds that an answer may take; it is there in milliseconds, unless the machine is busy."""

_KEYS = {
    "Tab": ("Tab", 9, ""),
    "Enter": ("Enter", 13, "\r"),
    "Space": ("Space", 32, " "),
    "ArrowDown": ("ArrowDown", 40, ""),
}


class Page:
    """One page in one tab. `requests` are the addresses it asked for, `messages` what its console said."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session
        self.requests: list[str] = []
        self.messages: list[str] = []

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """A command of the protocol to this page."""
        return self._browser.call(method, session=self._session, **parameters)

    def evaluate(self, expression: str) -> Any:
        """The value of an expression; the page's security policy does not apply to it."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str, *, shift: bool = False) -> None:
        """One key of the keyboard, down and up."""
        name, code, text = _KEYS[key]
        shared = {"key": " " if name == "Space" else name, "code": name, "windowsVirtualKeyCode": code}
        shared |= {"modifiers": 8 if shift else 0}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **shared)
        self.call("Input.dispatchKeyEvent", type="keyUp", **shared)

    def type(self, text: str) -> None:
        """Text into what has the focus."""
        self.call("Input.insertText", text=text)

    def screenshot(self, *, whole: bool = False) -> bytes:
        """What is seen, or the `whole` page, as PNG."""
        self.call("Page.bringToFront")  # nothing is painted behind another tab
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return base64.b64decode(answer["data"])

    def printed(self) -> bytes:
        """What a printer would get, as PDF."""
        return base64.b64decode(self.call("Page.printToPDF", printBackground=False)["data"])


class Browser:
    """The process and its pipe."""

    def __init__(self, folder: Path, proxy: Proxy, reach: tuple[str, ...] = ()) -> None:
        self.proxy = proxy
        self._folder = folder
        self._pages: dict[str, Page] = {}
        self._number = 0
        self._buffer = b""
        self._loaded = False
        self._answers: dict[int, dict[str, Any]] = {}
        to_browser, self._to = os.pipe()
        self._from, from_browser = os.pipe()

        def place() -> None:  # the browser reads commands from 3 and writes answers to 4
            commands, answers = os.dup(to_browser), os.dup(from_browser)
            os.dup2(commands, 3)
            os.dup2(answers, 4)

        self._process = subprocess.Popen(
            [
                program("chromium"),
                "--headless=new",
                "--remote-debugging-pipe",
                "--no-sandbox",  # which root can't have; the pages are our own
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--disable-extensions",
                "--hide-scrollbars",
                "--force-color-profile=srgb",
                f"--user-data-dir={folder / 'profile'}",
                f"--proxy-server=http://127.0.0.1:{proxy.port}",
                f"--proxy-bypass-list={';'.join(('<-loopback>', *reach))}",
                "about:blank",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            close_fds=False,
            preexec_fn=place,  # noqa: PLW1509 - no other thread of the tests forks
        )
        os.close(to_browser)
        os.close(from_browser)

    def close(self) -> None:
        """End it."""
        try:
            self.call("Browser.close")
        except (BrokenPipeError, AssertionError):
            self._process.kill()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._to)
        os.close(self._from)

    def open(
        self, content: bytes, *, width: int = 1440, height: int = 900, dark: bool = False, scripts: bool = True
    ) -> Page:
        """The page from a file, as a user opens it; loaded when this returns."""
        page = self._tab(width=width, height=height, dark=dark, scripts=scripts)
        self._number += 1
        file = self._folder / f"page-{self._number}.html"
        file.write_bytes(content)
        self.go(page, file.as_uri())
        return page

    def visit(
        self, address: str, *, width: int = 1440, height: int = 900, dark: bool = False, scripts: bool = True
    ) -> Page:
        """The page of a server that the browser was told it may reach; loaded when this returns."""
        page = self._tab(width=width, height=height, dark=dark, scripts=scripts)
        self.go(page, address)
        return page

    def go(self, page: Page, address: str) -> None:
        """Another address in the same tab, as if typed."""
        self.after(lambda: page.call("Page.navigate", url=address))

    def after(self, act: Callable[[], object]) -> None:
        """Do what leads to another page, and wait until that is loaded."""
        self._loaded = False
        act()
        self._wait(lambda: self._loaded)

    def _tab(self, *, width: int, height: int, dark: bool, scripts: bool) -> Page:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self._pages[session] = Page(self, session)
        for domain in ("Page", "Network", "Runtime", "Log"):
            page.call(f"{domain}.enable")
        page.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        page.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        page.call("Emulation.setEmulatedMedia", features=[scheme, still])
        return page

    def settle(self, seconds: float = 1.0) -> None:
        """Hear what comes for a while: a request that is on its way has to be given time to show up."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._read(left)

    def call(self, method: str, session: str | None = None, **parameters: object) -> dict[str, Any]:
        """A command of the protocol and its answer."""
        self._number += 1
        number = self._number
        message: dict[str, object] = {"id": number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        answers: dict[int, dict[str, Any]] = {}
        self._answers = answers
        self._wait(lambda: number in answers)
        answer = answers[number]
        assert "error" not in answer, f"{method}: {answer['error']}"
        return cast(dict[str, Any], answer["result"])

    def _wait(self, ready: Any) -> None:
        end = time.monotonic() + _PATIENCE
        while not ready():
            assert time.monotonic() < end, "the browser does not answer"
            self._read(1.0)

    def _read(self, seconds: float) -> None:
        if not select.select([self._from], [], [], seconds)[0]:
            assert self._process.poll() is None, "the browser has ended"
            return
        data = os.read(self._from, 1 << 20)
        assert data, "the browser has ended"
        *messages, self._buffer = (self._buffer + data).split(b"\0")
        for message in messages:
            self._hear(json.loads(message))

    def _hear(self, message: dict[str, Any]) -> None:
        if "id" in message:
            self._answers[message["id"]] = message
            return
        page = self._pages.get(message.get("sessionId", ""))
        values = message.get("params", {})
        match message["method"]:
            case "Page.loadEventFired":
                self._loaded = True
            case "Network.requestWillBeSent" if page is not None:
                page.requests.append(values["request"]["url"])
            case "Log.entryAdded" if page is not None:
                page.messages.append(values["entry"]["text"])
            case "Runtime.exceptionThrown" if page is not None:
                page.messages.append(str(values["exceptionDetails"]))


class Proxy:
    """Hears every connection, answers none. `asked` are the first lines of the requests."""

    def __init__(self) -> None:
        asked: list[str] = []
        self.asked = asked

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                asked.append(self.rfile.readline(4096).decode(errors="replace").strip())
                self.wfile.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def chromium(*reach: str) -> Iterator[Browser]:
    """A browser with a profile of its own, ended and removed afterwards; `reach` are hosts that it may go to."""
    program("chromium")
    proxy = Proxy()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        browser = Browser(Path(folder), proxy, reach)
        try:
            yield browser
        finally:
            browser.close()
            proxy.close()
