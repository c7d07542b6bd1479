"""A registry on loopback that answers by the book but where a script says otherwise, and remembers its requests."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.builders.layout import digest

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_PIECE = 2**14


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request: header names in lower case, `body` of a POST or PUT, `port` of the connection's other end."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    port: int


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer. With `declared` the Content-Length says so, whatever the body has; the connection ends after it.

    A body that is an iterator is sent piece by piece without a length, until the reader goes away; `raw` replaces
    everything, the status line too.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Iterable[bytes] = b""
    declared: int | None = None
    raw: Iterable[bytes] | None = None


Rule = Callable[[Asked], Reply | None]


class ScriptedRegistry:
    """Serves the blobs and manifests of `layout` in every repository; its first image is ``latest``.

    `rules` are asked first, in order; the first that answers is heard.
    """

    def __init__(self, layout: Path) -> None:
        """Listen on a free port."""
        self.asked: list[Asked] = []
        self.rules: list[Rule] = []
        self.stopped = threading.Event()
        self._layout = layout
        registry = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else each answer waits for an acknowledgement of its headers

            def do_GET(self) -> None:
                registry.answer(self)

            def do_POST(self) -> None:
                registry.answer(self)

            def do_HEAD(self) -> None:
                registry.answer(self)

            def do_PUT(self) -> None:
                registry.answer(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            block_on_close = False

            def handle_error(self, request: object, client_address: object) -> None:
                pass  # a reader that went away

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def host(self) -> str:
        """As it stands in references."""
        return f"127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Listen no more."""
        self.stopped.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def asked_for(self, part: str) -> list[Asked]:
        """The requests whose path has `part` in it."""
        return [item for item in self.asked if part in item.path]

    def times(self, count: int, part: str, reply: Reply) -> None:
        """The first `count` requests for paths with `part` get `reply`."""
        left = [count]

        def rule(asked: Asked) -> Reply | None:
            if part not in asked.path or left[0] == 0:
                return None
            left[0] -= 1
            return reply

        self.rules.append(rule)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Called by the server for each request."""
        body = request.rfile.read(int(request.headers["Content-Length"] or 0))
        headers = {name.lower(): value for name, value in request.headers.items()}
        port = request.client_address[1]
        asked = Asked(method=request.command, path=request.path, headers=headers, body=body, port=port)
        if asked.path != "/v2/":  # the probe for TLS never gets here; nothing else asks for it
            self.asked.append(asked)
        scripted = (reply for rule in self.rules if (reply := rule(asked)) is not None)
        self._send(request, next(scripted, None) or self.honest(asked))

    def honest(self, asked: Asked) -> Reply:
        """What a registry without the referrers API answers."""
        found = re.fullmatch(r"(?:http://[^/]+)?/v2/.+/(manifests|blobs)/([^/?]+)", asked.path)  # as a proxy too
        content = self._stored(found[2]) if found else None
        if found is None or content is None:
            return Reply(status=404, body=b'{"errors":[{"code":"UNKNOWN","message":"not here"}]}')
        if found[1] == "manifests":
            kind = json.loads(content).get("mediaType", MANIFEST)
            return Reply(headers={"Content-Type": kind, "Docker-Content-Digest": digest(content)}, body=content)
        start = re.fullmatch(r"bytes=(\d+)-", asked.headers.get("range", ""))
        if start is None:
            return Reply(body=content)
        told = f"bytes {start[1]}-{len(content) - 1}/{len(content)}"
        return Reply(status=206, headers={"Content-Range": told}, body=content[int(start[1]) :])

    def _stored(self, name: str) -> bytes | None:
        if name == "latest":
            name = json.loads((self._layout / "index.json").read_bytes())["manifests"][0]["digest"]
        path = self._layout / "blobs" / name.replace(":", "/")
        return path.read_bytes() if path.is_file() else None

    def _send(self, request: BaseHTTPRequestHandler, reply: Reply) -> None:
        if reply.raw is not None:
            request.close_connection = True
            self._write(request, reply.raw)
            return
        request.send_response_only(reply.status)  # without a date of its own
        for name, value in reply.headers.items():
            request.send_header(name, value)
        if isinstance(reply.body, bytes):
            request.send_header("Content-Length", str(len(reply.body) if reply.declared is None else reply.declared))
        request.close_connection = reply.declared is not None or not isinstance(reply.body, bytes)
        request.end_headers()
        if request.command == "HEAD":
            return
        self._write(request, _cut(reply.body) if isinstance(reply.body, bytes) else reply.body)

    def _write(self, request: BaseHTTPRequestHandler, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            if self.stopped.is_set():
                return
            request.wfile.write(piece)
            request.wfile.flush()


@contextmanager
def scripted(layout: Path) -> Iterator[ScriptedRegistry]:
    """A running ScriptedRegistry."""
    registry = ScriptedRegistry(layout)
    try:
        yield registry
    finally:
        registry.close()


def _cut(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), _PIECE):
        yield content[start : start + _PIECE]
