"""The dashboard on a socket: a thread of its own beside whatever else the process does."""

from __future__ import annotations

import logging
import socket
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from compliance.errors import ComplianceError

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp

CONNECTIONS_MAX = 200
IDLE_SECONDS = 10
STOP_SECONDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """PEM files for TLS."""

    chain: Path
    key: Path


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to one address. Raises ComplianceError (``listen-failed``)."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind(place)
            bound.listen(128)
        except OSError:
            bound.close()
            raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise ComplianceError(
            f"can't listen: {reason}", code="listen-failed", where=f"{host}:{port}", hint="choose another --listen"
        ) from None
    return bound


class Server:
    """Answers requests: `bind` it, then from `start` until `stop`."""

    def __init__(self, app: ASGIApp, certificate: Certificate | None = None) -> None:
        """Bound to nothing yet. Raises ComplianceError (``certificate-invalid``)."""
        import ssl

        import uvicorn

        logging.getLogger("uvicorn").setLevel(logging.CRITICAL)  # addresses of requests are nobody's business
        config = uvicorn.Config(
            app,
            interface="asgi3",
            http="h11",
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=CONNECTIONS_MAX,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=STOP_SECONDS,
            ssl_certfile=None if certificate is None else str(certificate.chain),
            ssl_keyfile=None if certificate is None else str(certificate.key),
        )
        try:
            config.load()
        except (OSError, ssl.SSLError) as error:
            reason = error.strerror or str(error)
            raise ComplianceError(f"the certificate can't be used: {reason}", code="certificate-invalid") from None
        self._server: uvicorn.Server = uvicorn.Server(config)
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, name="dashboard", daemon=True)

    def bind(self, host: str, port: int) -> int:
        """Take the address; the port, which the system chooses for 0. Raises ComplianceError (``listen-failed``)."""
        self._socket = listen(host, port)
        return int(self._socket.getsockname()[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it answers, or soon will."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Answer what was asked, then no more."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(2 * STOP_SECONDS)
        if self._socket is not None:
            self._socket.close()

    def _run(self) -> None:
        self._server.run(sockets=None if self._socket is None else [self._socket])
