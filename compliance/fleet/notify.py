"""Telling others what a run changed: a signed webhook, a mail, a file. What fails is told, and never ends a run."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from compliance.errors import ComplianceError, UsageError
from compliance.fleet.notification import ChangeFile, Mail, Notification, Webhook
from compliance.formats.plain_text import plain_text

if TYPE_CHECKING:
    from compliance.ingest.transport import Transport

TIMESTAMP_HEADER: Final = "Hullmark-Timestamp"
SIGNATURE_HEADER: Final = "Hullmark-Signature"
SECRET_MIN: Final = 16
"""Bytes of a secret that signs: what is shorter can be guessed from one signed message."""
DOCUMENT_MAX: Final = 2**20
"""Bytes of a document of changes that is sent along; a larger one is in the store, and is said to be left out."""
TEXT_MAX: Final = 100_000
_REASON_MAX: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSummary:
    """What is told of a run. `changed` says whether anything is other than after the run before.

    `counts` are figures by their names (``new``, ``fixed``, ``not-determined``), `text` is Markdown, and `document`
    the JSON of the changes.
    """

    fleet: str
    run: int
    started: datetime
    changed: bool
    counts: Mapping[str, int]
    text: str
    document: bytes = b"{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of one notification; `reason` says why it was not delivered, None where it was.

    `target` names the host, the file or the server: an address may hold a secret in its path.
    """

    target: str
    attempts: int
    reason: str | None = None


def notify(
    notifications: tuple[Notification, ...],
    summary: ChangeSummary,
    *,
    environment: Mapping[str, str],
    now: datetime,
    ca_file: Path | None = None,
) -> tuple[Delivery, ...]:
    """Deliver to each that wants to hear of it, in their order; secrets are looked up in `environment`.

    Never raises for one that fails: its Delivery says why. `ca_file` holds CAs that webhooks may have beside the
    system's.
    """
    return tuple(
        _deliver(one, summary, environment, now, ca_file) for one in notifications if one.always or summary.changed
    )


def webhook_body(summary: ChangeSummary) -> bytes:
    """The JSON that is posted, and the content of a file in JSON: the same summary, the same bytes."""
    content: dict[str, object] = {
        "schemaVersion": "1",
        "fleet": summary.fleet,
        "run": summary.run,
        "started": f"{summary.started.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "changed": summary.changed,
        "counts": dict(summary.counts),
        "text": summary.text[:TEXT_MAX],
        "changes": json.loads(summary.document) if len(summary.document) <= DOCUMENT_MAX else None,
        "changesOmitted": len(summary.document) > DOCUMENT_MAX,
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def sign(secret: bytes, timestamp: int, body: bytes) -> str:
    """The value of Hullmark-Signature: ``v1=`` and the hex HMAC-SHA256 over ``TIMESTAMP.BODY``."""
    return f"v1={hmac.new(secret, f'{timestamp}.'.encode() + body, hashlib.sha256).hexdigest()}"


def _deliver(
    one: Notification, summary: ChangeSummary, environment: Mapping[str, str], now: datetime, ca_file: Path | None
) -> Delivery:
    attempts = _Attempts()
    try:
        match one:
            case Webhook():
                target = f"webhook {urlsplit(one.url).netloc}"
                _post(one, summary, _secret(environment, one.secret_env), now, ca_file, attempts)
            case Mail():
                target = f"mail {one.host}:{one.port}"
                from compliance.fleet.mail import send_mail

                login = (_value(environment, one.username_env), _value(environment, one.password_env))
                send_mail(one, summary, login, now, attempts.count)
            case ChangeFile():
                target = f"file {one.path}"
                attempts.count()
                _write(one, summary)
    except ComplianceError as error:
        return Delivery(target=target, attempts=attempts.made, reason=plain_text(str(error), _REASON_MAX))
    return Delivery(target=target, attempts=attempts.made)


@dataclass(slots=True)
class _Attempts:
    made: int = 0

    def count(self) -> None:
        """One more was begun."""
        self.made += 1


def _post(
    one: Webhook, summary: ChangeSummary, secret: bytes, now: datetime, ca_file: Path | None, attempts: _Attempts
) -> None:
    """POST, tried again where that may help. Every try has the same timestamp and body, so that one can be told from
    two. A redirect is an error: whoever it leads to was named by nobody here.
    """
    from compliance.ingest.transport import Transport

    body = webhook_body(summary)
    timestamp = int(now.timestamp())
    headers = {
        "Content-Type": "application/json",
        TIMESTAMP_HEADER: str(timestamp),
        SIGNATURE_HEADER: sign(secret, timestamp, body),
    }
    transport = Transport(ca_file=ca_file)
    try:
        transport.attempt(lambda: _posted(transport, one.url, headers, body, attempts))
    except ComplianceError as error:
        # The transport speaks of registries, which are what it was made for.
        told = error.message.replace("the registry's", "its").replace("the registry", "it")
        raise UsageError(told, code="notification-failed") from None
    finally:
        transport.close()


def _posted(transport: Transport, url: str, headers: Mapping[str, str], body: bytes, attempts: _Attempts) -> None:
    from compliance.ingest.transport import discard

    attempts.count()
    response = transport.send(url, headers, method="POST", content=body)
    discard(response)
    if not 200 <= response.status < 300:
        raise UsageError(f"it answers {response.status}", code="notification-failed")


def _write(one: ChangeFile, summary: ChangeSummary) -> None:
    """Replace the file whole or not at all."""
    content = webhook_body(summary) if one.format == "json" else summary.text.encode()
    try:
        handle, name = tempfile.mkstemp(prefix=f".{one.path.name}.", dir=one.path.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            Path(name).chmod(0o644)
            Path(name).replace(one.path)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise UsageError(f"can't write the file: {error.strerror}", code="notification-failed") from None


def _secret(environment: Mapping[str, str], name: str) -> bytes:
    secret = (_value(environment, name) or "").encode("utf-8", "surrogateescape")
    if len(secret) < SECRET_MIN:
        raise UsageError(
            f"the secret in {name} has fewer than {SECRET_MIN} bytes", code="secret-short", hint="openssl rand -hex 32"
        )
    return secret


def _value(environment: Mapping[str, str], name: str | None) -> str | None:
    """The value of a variable; None where none is named. It is never a part of a message."""
    if name is None:
        return None
    value = environment.get(name)
    if not value:
        raise UsageError(f"the environment variable {name} is not set", code="secret-missing")
    return value
