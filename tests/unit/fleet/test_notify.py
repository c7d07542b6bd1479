"""What is told of a run, to real servers on loopback: signed, encrypted, bounded, and never with a secret in it."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from compliance.fleet import mail
from compliance.fleet.notification import ChangeFile, Mail, Notification, Webhook
from compliance.fleet.notify import DOCUMENT_MAX, ChangeSummary, Delivery, notify, webhook_body
from compliance.ingest import transport
from tests.builders import registry_server
from tests.builders.smtp_server import MailServer, mail_server
from tests.conftest import CHECKOUT

NOW = datetime(2026, 11, 1, 2, 30, tzinfo=UTC)
KEY, WORD = "a-secret-of-24-characters", "open-sesame-open"
ENVIRONMENT = {"KEY": KEY, "USER_": "robot", "WORD": WORD, "SHORT": "short", "WRONG": "open-sesame-shut"}
LOGIN = {"username_env": "USER_", "password_env": "WORD"}
NOBODY = Webhook(url="http://127.0.0.1:1/", secret_env=next(iter(ENVIRONMENT)))
SUMMARY = ChangeSummary(
    fleet="production",
    run=12,
    started=NOW,
    changed=True,
    counts={"new": 3, "fixed": 1},
    text="# Run 12\n\n.\n..three new — “quoted”\n",
    document=b'{"new": [1, 2, 3]}',
)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "PAUSES", (0.0, 0.0, 0.0))
    monkeypatch.setattr(mail, "PAUSES", (0.0, 0.0))


def told(*notifications: Notification, summary: ChangeSummary = SUMMARY, ca_file: Path | None = None) -> list[Delivery]:
    found = notify(notifications, summary, environment=ENVIRONMENT, now=NOW, ca_file=ca_file)
    for one in found:
        assert "\n" not in (one.reason or "")
        assert not any(value in repr(one) for name, value in ENVIRONMENT.items() if name not in ("USER_", "SHORT"))
    return list(found)


class Receiver:
    """Remembers what is posted; answers with the statuses of `script`, then 204."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.posted: list[tuple[str, dict[str, str], bytes]] = []
        self.script: list[tuple[int, dict[str, str]]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.posted.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                status, headers = receiver.script.pop(0) if receiver.script else (204, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: object, client_address: object) -> None:
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.scheme = "http" if context is None else "https"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def hook(self, variable: str = "KEY", **settings: bool) -> Webhook:
        url = f"{self.scheme}://127.0.0.1:{self._server.server_port}/hooks/T0KEN?x=1"
        return Webhook(url=url, secret_env=variable, **settings)

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def test_a_webhook_is_signed_as_the_page_says(receiver: Receiver) -> None:
    (delivery,) = told(receiver.hook())
    assert (delivery.attempts, delivery.reason) == (1, None)
    ((path, headers, body),) = receiver.posted
    assert path == "/hooks/T0KEN?x=1"
    assert "T0KEN" not in repr(delivery), "an address may hold a secret"
    timestamp = headers["hullmark-timestamp"]
    assert timestamp == str(int(NOW.timestamp()))
    expected = hmac.new(KEY.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    assert headers["hullmark-signature"] == f"v1={expected}"
    page = (CHECKOUT / "docs" / "fleet.md").read_text()
    assert all(f"`{name}`" in page for name in ("Hullmark-Timestamp", "Hullmark-Signature"))
    assert json.loads(body) == {
        "schemaVersion": "1",
        "fleet": "production",
        "run": 12,
        "started": "2026-11-01T02:30:00Z",
        "changed": True,
        "counts": {"new": 3, "fixed": 1},
        "text": SUMMARY.text,
        "changes": {"new": [1, 2, 3]},
        "changesOmitted": False,
    }
    assert KEY not in body.decode() + repr(headers)


def test_another_try_is_the_same_message(receiver: Receiver) -> None:
    receiver.script = [(503, {}), (500, {}), (429, {})]
    (delivery,) = told(receiver.hook())
    assert (delivery.attempts, delivery.reason) == (4, None)
    assert len({(body, headers["hullmark-signature"]) for _, headers, body in receiver.posted}) == 1


@pytest.mark.parametrize(
    ("script", "attempts", "words"),
    [
        ([(503, {})] * 9, 4, "it answers 503"),
        ([(400, {})], 1, "it answers 400"),
        ([(401, {"WWW-Authenticate": "Basic"})], 1, "it answers 401"),
        ([(429, {"Retry-After": "86400"})], 1, "86400 s"),
        ([(302, {"Location": "https://elsewhere.example/"})], 1, "redirected"),
        ([(307, {"Location": "/other"})], 1, "redirected"),
        ([(308, {"Location": "http://127.0.0.1:1/"})], 1, "redirected"),
        ([(200, {"X": "y" * 70_000})] * 9, 4, "reached"),
    ],
)
def test_what_does_not_help_is_told(
    receiver: Receiver, script: list[tuple[int, dict[str, str]]], attempts: int, words: str
) -> None:
    receiver.script = script
    (delivery,) = told(receiver.hook())
    assert delivery.attempts == attempts
    assert words in (delivery.reason or "")
    assert "registry" not in (delivery.reason or "")
    assert len(receiver.posted) == attempts


def test_nobody_there_is_told() -> None:
    (delivery,) = told(NOBODY)
    assert delivery == Delivery(
        target="webhook 127.0.0.1:1", attempts=4, reason="it can't be reached: Connection refused"
    )


@pytest.mark.parametrize(("name", "words"), [("NONE", "NONE is not set"), ("SHORT", "fewer than 16 bytes")])
def test_without_a_secret_nothing_is_sent(receiver: Receiver, name: str, words: str) -> None:
    (delivery,) = told(receiver.hook(name))
    assert words in (delivery.reason or "")
    assert receiver.posted == []


def test_a_certificate_that_is_not_trusted_is_told(tmp_path: Path) -> None:
    authority = registry_server.authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.certificate, authority.key)
    receiver = Receiver(context)
    try:
        (refused,) = told(receiver.hook())
        assert "not trusted" in (refused.reason or "")
        (taken,) = told(receiver.hook(), ca_file=authority.ca)
        assert taken.reason is None
        assert len(receiver.posted) == 1
    finally:
        receiver.close()


def test_what_did_not_change_is_told_to_those_who_want_all(receiver: Receiver, tmp_path: Path) -> None:
    quiet = replace(SUMMARY, changed=False)
    found = told(receiver.hook(), ChangeFile(path=tmp_path / "f", format="markdown", always=True), summary=quiet)
    assert [one.target for one in found] == [f"file {tmp_path}/f"]
    assert receiver.posted == []


def test_a_large_document_is_left_out_and_that_is_said() -> None:
    body = json.loads(webhook_body(replace(SUMMARY, document=b"[" + b"1," * DOCUMENT_MAX + b"1]")))
    assert (body["changes"], body["changesOmitted"]) == (None, True)


def test_one_that_fails_keeps_no_other_waiting(receiver: Receiver, tmp_path: Path) -> None:
    found = told(
        NOBODY,
        ChangeFile(path=tmp_path / "none" / "f", format="json"),
        receiver.hook(),
    )
    assert [one.reason is None for one in found] == [False, False, True]


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, data = ChangeFile(path=tmp_path / "f.md", format="markdown"), ChangeFile(path=tmp_path / "f", format="json")
    assert [one.reason for one in told(text, data)] == [None, None]
    assert (tmp_path / "f.md").read_text() == SUMMARY.text
    assert (tmp_path / "f").read_bytes() == webhook_body(SUMMARY)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    (delivery,) = told(text, summary=replace(SUMMARY, text="other"))
    assert "No space left" in (delivery.reason or "")
    assert (tmp_path / "f.md").read_text() == SUMMARY.text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f", "f.md"]


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> registry_server.Authority:
    authority = registry_server.authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
    return authority


def letter(server: MailServer, security: str = "starttls", **settings: object) -> Mail:
    return replace(
        Mail(
            host="127.0.0.1",
            port=server.port,
            security=security,
            sender="hullmark@example.com",
            recipients=("team@example.com", "other@example.com"),
        ),
        **settings,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "tls"])
def test_a_mail_arrives_over_tls_with_its_login(trusted: registry_server.Authority, implicit: bool) -> None:
    with mail_server(trusted, implicit=implicit) as server:
        (delivery,) = told(letter(server, "tls" if implicit else "starttls", **LOGIN))
        assert (delivery.attempts, delivery.reason) == (1, None)
        (received,) = server.received
    assert received.encrypted
    assert received.login == ("robot", WORD)
    assert (received.sender, received.recipients) == ("hullmark@example.com", ("team@example.com", "other@example.com"))
    message = received.message
    assert message["Subject"] == "hullmark: production, run 12: 3 new, 1 fixed"
    assert message["Date"] == "Sun, 01 Nov 2026 02:30:00 +0000"
    assert message["Auto-Submitted"] == "auto-generated"
    body, attached = message.iter_parts()
    assert body.get_content().replace("\r\n", "\n") == SUMMARY.text
    assert attached.get_content() == SUMMARY.document


def test_the_same_run_is_the_same_mail(trusted: registry_server.Authority) -> None:
    with mail_server(trusted) as server:
        told(letter(server), letter(server))
        first, second = server.received
    assert first.content == second.content


def test_without_tls_nothing_is_sent(trusted: registry_server.Authority) -> None:
    with mail_server() as server:
        (delivery,) = told(letter(server, **LOGIN))
        assert "STARTTLS" in (delivery.reason or "")
        assert (server.received, delivery.attempts) == ([], 1)
        (plain,) = told(letter(server, "none"))
        assert plain.reason is None
        assert not server.received[0].encrypted


def test_a_server_with_another_certificate_gets_nothing(tmp_path: Path) -> None:
    with mail_server(registry_server.authority(tmp_path)) as server:
        (delivery,) = told(letter(server))
        assert "no TLS with the server" in (delivery.reason or "")
        assert (server.received, server.connections) == ([], 1)


@pytest.mark.parametrize(
    ("command", "answer", "attempts", "words"),
    [
        ("MAIL", "451 later", 3, "451 later"),
        ("MAIL", "550 never\x1b[2J", 1, "550 never"),
        ("RCPT", "450 greylisted", 3, "recipients (450)"),
        ("RCPT", "550 who", 1, "recipients (550)"),
        ("AUTH", f"535 {WORD} is wrong", 1, "refuses the login (535)"),
        ("DATA", "554 spam", 1, "554 spam"),
        ("EHLO", "421 busy", 3, "closed"),
        ("EHLO", "garbage", 1, "answers -1"),
    ],
)
def test_what_a_server_refuses_is_told(
    trusted: registry_server.Authority, command: str, answer: str, attempts: int, words: str
) -> None:
    with mail_server(trusted) as server:
        server.script = lambda line: answer if line.upper().replace("HELO", "EHLO").startswith(command) else None
        (delivery,) = told(letter(server, **LOGIN))
        assert words in (delivery.reason or "")
        assert (delivery.attempts, server.received) == (attempts, [])


def test_a_wrong_password_is_told_without_it(trusted: registry_server.Authority) -> None:
    with mail_server(trusted) as server:
        (delivery,) = told(letter(server, **{**LOGIN, "password_env": "WRONG"}))
    assert delivery.reason == "the server refuses the login (535)"


def test_a_mail_is_sent_once_though_the_server_dies_after_it(trusted: registry_server.Authority) -> None:
    with mail_server(trusted) as server:
        server.script = lambda line: "421 gone" if line.upper().startswith("QUIT") else None
        (delivery,) = told(letter(server))
        assert (delivery.attempts, delivery.reason, len(server.received)) == (1, None, 1)
