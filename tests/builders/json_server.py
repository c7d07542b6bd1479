"""An HTTP server on loopback that answers in JSON, in a thread of this process."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[str, bytes], object]
"""From a path and a body to a JSON value, or a Redirect; None is 404."""


@dataclass(frozen=True, kw_only=True)
class Redirect:
    """Sends the client elsewhere."""

    address: str


@contextmanager
def json_server(answer: Callable[[str], Answer]) -> Iterator[str]:
    """Serve until the context ends; gives its own address, as does `answer`, which is asked for what to serve."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    address = f"http://127.0.0.1:{server.server_port}"
    respond = answer(address)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            value = respond(self.path, self.rfile.read(int(self.headers.get("Content-Length", "0"))))
            if isinstance(value, Redirect):
                self.send_response(302)
                self.send_header("Location", value.address)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            content = json.dumps(value).encode()
            self.send_response(404 if value is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            pass

    server.RequestHandlerClass = Handler
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield address
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
