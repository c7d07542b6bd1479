"""Who may see the dashboard: nobody but this machine, holders of a token, or whom a proxy in front lets through.

A token goes in as ``Authorization: Bearer`` or through the login form, and comes back as a cookie that holds none of
it: a time, and an HMAC over that time. Comparisons take the same time whatever is compared.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
from dataclasses import dataclass, field

from compliance.errors import UsageError

TOKEN_LENGTH_MIN = 24
SECRET_SIZE_MAX = 1024
SESSION_SECONDS = 12 * 3600
PROXY_SECRET_HEADER = "X-Hullmark-Proxy-Secret"  # noqa: S105 - the header's name
VIEWER_LENGTH_MAX = 200

_SESSION_SIZE = 8 + 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A token or shared secret, of which only a digest is kept here."""

    digest: bytes = field(repr=False)

    def matches(self, given: str) -> bool:
        """Whether `given` is it."""
        return hmac.compare_digest(hashlib.sha256(given.encode("utf-8", "surrogateescape")).digest(), self.digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How requests have to show that they may.

    `addresses` says whether any IP address will do as a request's host, or loopback ones alone; `hosts` are further
    names. With `token`, requests need it; with `proxy_secret`, they need that, and a name in `proxy_header`. Without
    either they need nothing, which only a loopback address may have. `encrypted`: this server speaks TLS itself.
    """

    addresses: bool
    hosts: frozenset[str] = frozenset()
    token: Secret | None = None
    proxy_header: str | None = None
    proxy_secret: Secret | None = None
    encrypted: bool = False

    @property
    def open(self) -> bool:
        """Whether nothing is asked of a request."""
        return self.token is None and self.proxy_secret is None

    @property
    def cookie(self) -> str:
        """The session cookie's name; its prefix binds it to this host and to TLS where there is TLS."""
        return "__Host-hullmark" if self.encrypted else "hullmark"

    def is_own_host(self, host: str) -> bool:
        """Whether a Host header (``name[:port]``) names this server.

        A page of somebody else's whose name was made to resolve to this machine (DNS rebinding) sends its own name.
        It can't send an address: that would be another origin, and none of its own.
        """
        name = host_name(host)
        if name is None:
            return False
        if name == "localhost" or name in self.hosts:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return self.addresses or address.is_loopback

    def session(self, now: float) -> str:
        """A cookie's value that is good for SESSION_SECONDS."""
        until = int(now + SESSION_SECONDS).to_bytes(8)
        return base64.urlsafe_b64encode(until + self._sign(until)).decode().rstrip("=")

    def is_session(self, value: str, now: float) -> bool:
        """Whether `value` was made by `session` with this token, and is still good."""
        if self.token is None or len(value) > 2 * _SESSION_SIZE:
            return False
        try:
            content = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
        except ValueError:
            return False
        until, mac = content[:8], content[8:]
        return hmac.compare_digest(mac, self._sign(until)) and now < int.from_bytes(until) <= now + SESSION_SECONDS + 1

    def _sign(self, until: bytes) -> bytes:
        if self.token is None:
            return b""
        return hmac.digest(self.token.digest, b"hullmark dashboard session\0" + until, "sha256")


def read_secret(text: str, where: str) -> Secret:
    """A token or shared secret as a person wrote it; blanks around it are none of it. Raises UsageError."""
    secret = text.strip()
    if len(secret) < TOKEN_LENGTH_MIN or not (secret.isascii() and secret.isprintable() and " " not in secret):
        raise UsageError(
            f"a token is at least {TOKEN_LENGTH_MIN} printable characters on one line",
            code="token-invalid",
            where=where,
            hint="make one with: openssl rand -hex 32",
        )
    return Secret(digest=hashlib.sha256(secret.encode()).digest())


def host_name(host: str) -> str | None:
    """The name or address in ``name[:port]`` or ``[address][:port]``, in small letters; None for anything else."""
    if host.startswith("["):
        name, bracket, rest = host[1:].partition("]")
        port = rest.removeprefix(":") if rest.startswith(":") else rest
        valid = bool(bracket) and (not rest or rest.startswith(":"))
    else:
        name, colon, port = host.partition(":")
        valid = not colon or bool(port)
    if not valid or not name or (port and not (port.isascii() and port.isdigit())):
        return None
    return name.lower().removesuffix(".") or None
