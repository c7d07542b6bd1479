"""Who hears of a run: the section ``notify`` of a fleet file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from compliance.fleet.fleet_fields import environment_name, item_key, named_file
from compliance.formats.strict_yaml import Section

_NOTIFY_MAX: Final = 50
_PORTS: Final = {"tls": 465, "starttls": 587, "none": 25}
_SERVER: Final = re.compile(
    r"(\[[0-9A-Fa-f:]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)(?::([0-9]{1,5}))?"
)
_ADDRESS: Final = re.compile(r"[^\s@<>,;:\"()\[\]\\]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An address that changes are sent to, signed with the secret in the environment variable `secret_env`."""

    url: str
    secret_env: str
    always: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail through an SMTP server. `security` is ``tls``, ``starttls``, or ``none``, which only loopback may have."""

    host: str
    port: int
    security: str
    sender: str
    recipients: tuple[str, ...]
    username_env: str | None = None
    password_env: str | None = None
    always: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeFile:
    """A file that is replaced after a run. `format` is ``markdown`` or ``json``."""

    path: Path
    format: str
    always: bool = False


Notification: TypeAlias = Webhook | Mail | ChangeFile
"""Who hears that something changed; with `always`, of every run."""


def read_notifications(top: Section, folder: Path) -> Iterator[Notification]:
    """Everything under ``notify``, in the order of the file. Raises PolicyError."""
    parts = top.sections("notify")
    if len(parts) > _NOTIFY_MAX:
        raise top.error(f"more than {_NOTIFY_MAX} notifications", "notify")
    kinds: Mapping[str, Callable[[Section, Path, bool], Notification]]
    kinds = {"webhook": _webhook, "mail": _mail, "file": _change_file}
    for part in parts:
        named = [kind for kind in kinds if part.has(kind)]
        if len(named) != 1:
            raise part.error("must be one of webhook, mail and file", hint="write one entry for each")
        always = part.choice("when", {"changed": False, "always": True}) if part.has("when") else False
        yield kinds[named[0]](part, folder, always)


def _webhook(part: Section, _: Path, always: bool) -> Webhook:
    part.only("webhook", "secret-env", "when")
    url = part.text("webhook")
    if _url_mistake(url):
        raise part.error(_url_mistake(url) or "", "webhook", hint="write https://HOST/PATH")
    return Webhook(url=url, secret_env=environment_name(part, "secret-env"), always=always)


def _url_mistake(url: str) -> str | None:
    """What is wrong with an address that changes are sent to; None where nothing is. The address is not repeated."""
    from compliance.ingest.transport import is_loopback

    try:
        parts = urlsplit(url)
        fit = url.isascii() and url.isprintable() and " " not in url and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return "not an address"
    if not fit or parts.fragment or parts.scheme not in ("https", "http"):
        return "not an address of the form https://HOST/PATH"
    if "@" in parts.netloc:
        return "no login stands in an address: the signature says who sends"
    if parts.scheme == "http" and not is_loopback(parts.netloc):
        return "http is for this machine alone"
    return None


def _mail(part: Section, _: Path, always: bool) -> Mail:
    part.only("mail", "from", "server", "security", "username-env", "password-env", "when")
    security = part.choice("security", {name: name for name in _PORTS}) if part.has("security") else "starttls"
    found = _SERVER.fullmatch(part.text("server"))
    port = int(found[2] or _PORTS[security]) if found else 0
    if found is None or not 0 < port < 2**16:
        raise part.error("not a mail server", "server", hint="write HOST or HOST:PORT")
    if part.has("username-env") is not part.has("password-env"):
        raise part.error("a login has two parts", hint="write username-env and password-env, or neither")
    host = found[1].strip("[]")
    if security == "none":
        from compliance.ingest.transport import is_loopback

        if not is_loopback(found[1]) or part.has("password-env"):
            raise part.error(
                "without TLS only this machine is written to, and nobody logs in", "security", hint="write starttls"
            )
    recipients = part.text_or_texts("mail")
    for index, address in enumerate(recipients):
        _demand_address(part, item_key(part, "mail", index), address)
    sender = part.text("from")
    _demand_address(part, "from", sender)
    return Mail(
        host=host,
        port=port,
        security=security,
        sender=sender,
        recipients=recipients,
        username_env=environment_name(part, "username-env") if part.has("username-env") else None,
        password_env=environment_name(part, "password-env") if part.has("password-env") else None,
        always=always,
    )


def _demand_address(part: Section, key: str, address: str) -> None:
    if not address.isascii() or not _ADDRESS.fullmatch(address):
        raise part.error(f"{address!r} is no mail address", key, hint="write NAME@HOST alone")


def _change_file(part: Section, folder: Path, always: bool) -> ChangeFile:
    part.only("file", "format", "when")
    file = named_file(part, "file", part.text("file"), folder)
    formats = {"markdown": "markdown", "json": "json"}
    guessed = "json" if file.name.endswith(".json") else "markdown"
    return ChangeFile(
        path=file.path, format=part.choice("format", formats) if part.has("format") else guessed, always=always
    )
