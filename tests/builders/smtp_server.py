"""A mail server on loopback: as much of RFC 5321 as a client that hands over a message speaks, with TLS and logins."""

from __future__ import annotations

import base64
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

from tests.builders.registry_server import Authority

Script = Callable[[str], str | None]


@dataclass(frozen=True, kw_only=True)
class Received:
    """A message as it came: the envelope, the login, whether over TLS, and the content."""

    sender: str
    recipients: tuple[str, ...]
    login: tuple[str, str] | None
    encrypted: bool
    content: bytes

    @property
    def message(self) -> EmailMessage:
        """The content, read."""
        return message_from_bytes(self.content, policy=policy.default)


@dataclass(kw_only=True)
class MailServer:
    """A running server. `script` may answer a command in the server's place; None lets it."""

    port: int = 0
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    script: Script = lambda _: None


@contextmanager
def mail_server(authority: Authority | None = None, *, implicit: bool = False) -> Iterator[MailServer]:
    """Listen until the context ends: with an `authority` STARTTLS is offered, if `implicit` TLS is spoken at once."""
    made = MailServer()
    context = None
    if authority is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority.certificate, authority.key)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            made.connections += 1
            session = _Session(made, self.request)
            with suppress(OSError, EOFError), closing(session):  # a client that went away
                if implicit and context is not None:
                    session.encrypt(context)
                session.run(None if implicit else context)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a client that does not trust us

    with Server(("127.0.0.1", 0), Handler) as server:
        made.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()


class _Session:
    def __init__(self, server: MailServer, connection: socket.socket) -> None:
        self._server = server
        self._tls: ssl.SSLContext | None = None
        self._encrypted = False
        self._login: tuple[str, str] | None = None
        self._sender = ""
        self._recipients: list[str] = []
        self._connection = connection
        self._stream = connection.makefile("rwb")

    def close(self) -> None:
        with suppress(OSError):
            self._stream.close()
        self._connection.close()

    def encrypt(self, context: ssl.SSLContext) -> None:
        self._stream.close()
        self._connection = context.wrap_socket(self._connection, server_side=True)
        self._stream = self._connection.makefile("rwb")
        self._encrypted, self._tls = True, None

    def run(self, tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        self._say("220 tests ESMTP")
        while True:
            line = self._line()
            scripted = self._server.script(line)
            if scripted is not None:
                self._say(scripted)
                if scripted.startswith("421"):
                    return
                continue
            word = line[:4].upper()
            if word == "QUIT":
                self._say("221 bye")
                return
            if word == "STAR" and self._tls is not None:
                self._say("220 go")
                self.encrypt(self._tls)
                continue
            self._say(self._answer(word, line))

    def _answer(self, word: str, line: str) -> str:
        match word:
            case "EHLO" | "HELO":
                extras = (["250-STARTTLS"] if self._tls else []) + (["250-AUTH PLAIN"] if self._encrypted else [])
                return "\r\n".join(["250-tests", *extras, "250 8BITMIME"])
            case "AUTH":
                _, user, word_ = base64.b64decode(line.rsplit(maxsplit=1)[-1]).decode().split("\0")
                self._login = (user, word_)
                return "235 in" if word_ == "open-sesame-open" else "535 no"
            case "MAIL":
                self._sender, self._recipients = line.partition("<")[2].partition(">")[0], []
                return "250 ok"
            case "RCPT":
                self._recipients.append(line.partition("<")[2].partition(">")[0])
                return "250 ok"
            case "DATA":
                self._say("354 send")
                return self._data()
            case "RSET" | "NOOP":
                return "250 ok"
        return "500 what"

    def _data(self) -> str:
        lines: list[bytes] = []
        while (line := self._stream.readline()) != b".\r\n":
            if not line:
                raise EOFError
            lines.append(line[1:] if line.startswith(b"..") else line)
        self._server.received.append(
            Received(
                sender=self._sender,
                recipients=tuple(self._recipients),
                login=self._login,
                encrypted=self._encrypted,
                content=b"".join(lines),
            )
        )
        return "250 taken"

    def _line(self) -> str:
        line = self._stream.readline()
        if not line:
            raise EOFError
        return line.decode().rstrip("\r\n")

    def _say(self, text: str) -> None:
        self._stream.write(text.encode() + b"\r\n")
        self._stream.flush()
