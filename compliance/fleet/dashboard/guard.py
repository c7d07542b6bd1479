"""The door of the dashboard: every request passes here before anything looks at it, and every answer on its way out.

What is refused gets a status and a line that says which rule it broke, and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from compliance.fleet.dashboard.access import PROXY_SECRET_HEADER, VIEWER_LENGTH_MAX, Access

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

ADDRESS_LENGTH_MAX = 2048
"""Characters of a path with its query."""
BODY_SIZE_MAX = 4096
"""Bytes of a login form."""

_OPEN_PATHS = ("/healthz", "/login", "/assets/")
_POSTED_PATHS = ("/login", "/logout")
_METHODS = ("GET", "HEAD", "POST")
_OWN_SITE = ("same-origin", "none")
_DECISIVE = (
    "authorization", "content-length", "host", "origin", "sec-fetch-site", PROXY_SECRET_HEADER.lower()
)  # fmt: skip

CONTENT_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS: Final = (
    ("content-security-policy", CONTENT_POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    # Not no-referrer: with that, browsers hide the origin of our own forms from us.
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
    ("cache-control", "no-store"),
)
"""What every answer has, unless it says otherwise itself."""

NOBODY: Final = ""
"""The name of a viewer who has none: without a proxy, nobody is asked for one."""


class Refusal(Exception):  # noqa: N818 - an answer, not a fault
    """A request that gets nothing; the status and the rule."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Guard:
    """ASGI: lets requests through to `app` by the rules of `access`. Sets ``scope["state"]["viewer"]``."""

    def __init__(self, app: ASGIApp, access: Access, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives seconds since the epoch: sessions end."""
        self._app = app
        self._access = access
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # a web socket: nothing here speaks that
            await send({"type": "websocket.close", "code": 1008})
            return
        outward = _with_headers(send)
        try:
            headers = _headers(scope, self._access)
            _check_shape(scope, headers)
            _check_origin(headers, self._access)
            viewer = self._viewer(scope, headers)
        except Refusal as refusal:
            await _refuse(refusal, scope, outward)
            return
        scope.setdefault("state", {})["viewer"] = viewer
        await self._app(scope, receive, outward)

    def _viewer(self, scope: Scope, headers: Mapping[str, str]) -> str | None:
        """The name that a proxy gives, NOBODY where none is needed, None for whoever may see the login form only."""
        access = self._access
        path = scope["path"]
        if access.proxy_secret is not None and access.proxy_header is not None:
            name = headers.get(access.proxy_header.lower(), "")
            by_proxy = access.proxy_secret.matches(headers.get(PROXY_SECRET_HEADER.lower(), ""))
            if by_proxy and 0 < len(name) <= VIEWER_LENGTH_MAX:
                return name
        elif access.token is None:
            return NOBODY
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if access.token is not None and scheme.lower() == "bearer" and access.token.matches(given.strip()):
            return NOBODY
        if access.is_session(_cookie(headers.get("cookie", ""), access.cookie), self._clock()):
            return NOBODY
        if any(path == one or (one.endswith("/") and path.startswith(one)) for one in _OPEN_PATHS):
            return None
        if access.token is not None and "text/html" in headers.get("accept", ""):
            return None  # the application answers with the login form, whatever was asked for
        raise Refusal(401, "not signed in")


def _headers(scope: Scope, access: Access) -> dict[str, str]:
    """Headers by name. One that decides something and comes twice is refused: two readers would read two things."""
    decisive = {*_DECISIVE, (access.proxy_header or "").lower()}
    found: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name in found and name in decisive:
            raise Refusal(400, f"{name} comes twice")
        found[name] = f"{found[name]}; {value}" if name == "cookie" and name in found else value
    return found


def _check_shape(scope: Scope, headers: Mapping[str, str]) -> None:
    method, path = scope["method"], scope["path"]
    if method not in _METHODS or (method == "POST" and path not in _POSTED_PATHS):
        raise Refusal(405, "the dashboard is for reading")
    if len(scope.get("raw_path") or path.encode()) + len(scope["query_string"]) > ADDRESS_LENGTH_MAX:
        raise Refusal(414, "the address is too long")
    length = headers.get("content-length", "0")
    most = BODY_SIZE_MAX if method == "POST" else 0
    if not (length.isascii() and length.isdigit() and len(length) < 10 and int(length) <= most):
        raise Refusal(413, "the body is too large")
    if "transfer-encoding" in headers:
        raise Refusal(411, "a body needs a length")


def _check_origin(headers: Mapping[str, str], access: Access) -> None:
    """Only this server's own pages, and whoever is no page at all, may ask.

    ``same-site`` is not enough: another port of this machine is the same site, and gets the same cookies.
    """
    host = headers.get("host", "")
    if not access.is_own_host(host):
        raise Refusal(421, "another host was asked for")
    if headers.get("sec-fetch-site", "none") not in _OWN_SITE:
        raise Refusal(403, "asked for by a page of another origin; open the address by itself")
    origin = headers.get("origin")
    if origin is not None and origin.lower() not in (f"http://{host}".lower(), f"https://{host}".lower()):
        raise Refusal(403, "asked for by a page of another origin; open the address by itself")


def _cookie(header: str, name: str) -> str:
    for part in header.split(";"):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value
    return ""


def _with_headers(send: Send) -> Send:
    async def outward(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = {name.lower() for name, _ in message["headers"]}
            added = [(n.encode(), v.encode()) for n, v in HEADERS if n.encode() not in given]
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    return outward


async def _refuse(refusal: Refusal, scope: Scope, send: Send) -> None:
    body = f"{refusal.reason}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    if refusal.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if refusal.status == 405:
        headers.append((b"allow", b"GET, HEAD"))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
