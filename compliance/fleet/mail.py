"""A mail about a run, handed to an SMTP server (RFC 5321) over TLS."""

from __future__ import annotations

import hashlib
import smtplib
import ssl
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from time import sleep
from typing import TYPE_CHECKING, Final

from compliance.errors import UsageError
from compliance.fleet.notification import Mail
from compliance.formats.plain_text import plain_text

if TYPE_CHECKING:
    from compliance.fleet.notify import ChangeSummary

SECONDS: Final = 30.0
"""How long the server may say nothing."""
PAUSES: Final = (1.0, 5.0)
"""Seconds before the second and the third try."""
_TEXT_MAX: Final = 200_000
_ATTACHMENT_MAX: Final = 2**20
_HELLO: Final = "localhost"
"""How we name ourselves; the library's own way to find a name may wait for a name server."""
_LATER: Final = range(400, 500)
"""Replies that ask to try again (RFC 5321, 4.2.1)."""


def send_mail(
    mail: Mail,
    summary: ChangeSummary,
    login: tuple[str | None, str | None],
    now: datetime,
    begin: Callable[[], None],
) -> None:
    """Hand it over; `begin` is called before each try. Raises UsageError (``notification-failed``).

    Once the server has taken the message it is not sent again, whatever comes after.
    """
    message = mail_message(mail, summary, now)
    for pause in (*PAUSES, None):
        begin()
        try:
            _send(mail, message, login)
        except smtplib.SMTPNotSupportedError as error:
            raise _failed(f"the server can't do that: {plain_text(str(error), 200)}") from None
        except smtplib.SMTPAuthenticationError as error:
            raise _failed(f"the server refuses the login ({error.smtp_code})") from None
        except smtplib.SMTPRecipientsRefused as error:
            codes = sorted({code for code, _ in error.recipients.values()})
            if pause is None or not all(code in _LATER for code in codes):
                raise _failed(f"the server refuses the recipients ({', '.join(map(str, codes))})") from None
        except smtplib.SMTPResponseException as error:
            if pause is None or error.smtp_code not in _LATER:
                said = plain_text(_text(error.smtp_error), 200)
                raise _failed(f"the server answers {error.smtp_code} {said}") from None
        except ssl.SSLError as error:
            raise _failed(f"no TLS with the server: {plain_text(error.reason or str(error), 200)}") from None
        except (smtplib.SMTPException, OSError) as error:
            if pause is None:
                said = getattr(error, "strerror", None) or str(error) or type(error).__name__
                raise _failed(f"the server can't be reached: {plain_text(said, 200)}") from None
        else:
            return
        sleep(pause or 0.0)


def mail_message(mail: Mail, summary: ChangeSummary, now: datetime) -> EmailMessage:
    """The message: the summary as text, the changes as JSON beside it. The same summary at the same time is the same
    message, so that a server that gets it twice can see that.
    """
    message = EmailMessage()
    figures = ", ".join(f"{count} {name}" for name, count in summary.counts.items())
    message["Subject"] = plain_text(f"hullmark: {summary.fleet}, run {summary.run}: {figures or 'ended'}", 200)
    message["From"] = mail.sender
    message["To"] = ", ".join(mail.recipients)
    message["Date"] = format_datetime(now.astimezone(UTC))
    identity = f"{summary.fleet}\0{summary.run}\0{now.isoformat()}\0{summary.text}".encode()
    message["Message-ID"] = f"<{hashlib.sha256(identity).hexdigest()[:40]}@{mail.sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(summary.text[:_TEXT_MAX])
    if len(summary.document) <= _ATTACHMENT_MAX:
        message.add_attachment(summary.document, maintype="application", subtype="json", filename="changes.json")
        message.set_boundary(hashlib.sha256(b"boundary\0" + identity).hexdigest()[:40])
    return message


def _send(mail: Mail, message: EmailMessage, login: tuple[str | None, str | None]) -> None:
    context = ssl.create_default_context()
    server: smtplib.SMTP
    if mail.security == "tls":
        server = smtplib.SMTP_SSL(mail.host, mail.port, _HELLO, timeout=SECONDS, context=context)
    else:
        server = smtplib.SMTP(mail.host, mail.port, _HELLO, timeout=SECONDS)
    try:
        if mail.security == "starttls":
            server.starttls(context=context)
        username, password = login
        if username is not None and password is not None:
            server.login(username, password)
        server.send_message(message)
    finally:
        with suppress(smtplib.SMTPException, OSError):
            server.quit()


def _text(said: bytes | str) -> str:
    return said if isinstance(said, str) else said.decode("utf-8", "replace")


def _failed(message: str) -> UsageError:
    return UsageError(message, code="notification-failed")
