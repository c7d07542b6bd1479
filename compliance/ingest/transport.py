"""HTTP to hosts that may be slow, broken or hostile: every wait, every redirect and every retry is bounded.

urllib3 does the protocol. What it leaves open is here: a lower bound on the speed of an answer, redirects that
carry no credentials to another host, and how long to wait before another try.
"""

from __future__ import annotations

import email.utils
import io
import ipaddress
import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from socket import SocketIO, socket
from time import monotonic, sleep
from typing import Any, TypeVar
from urllib.parse import urlencode, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, NameResolutionError, SSLError
from urllib3.response import BaseHTTPResponse

from compliance.errors import LimitError, SourceError, UsageError
from compliance.formats.plain_text import plain_text

CONNECT_SECONDS = 20.0
"""Until a connection stands."""
PROBE_SECONDS = 5.0
"""Until a port of this machine has answered TLS or something else."""
SILENCE_SECONDS = 60.0
"""How long the other side may say nothing at all: a registry may fetch what it does not have from elsewhere."""
PATIENCE_SECONDS = 90.0
SPEED_MIN = 4096
"""Bytes a second. All waiting for an answer together takes at most PATIENCE_SECONDS plus its bytes at this speed:
who sends a byte a minute is never silent, and would hold us for years."""

PAUSES = (0.5, 2.0, 5.0)
"""Seconds before the second, third and fourth try."""
RETRY_AFTER_MAX = 30.0
"""Seconds we wait because a registry asks us to; when it asks for more, that is told instead."""
PAUSE_TOTAL_MAX = 120.0
"""Seconds of all waiting before other tries, together."""
REDIRECTS_MAX = 5
"""Registries send a blob's reader to their storage in one step, some in two."""

ERROR_BODY_MAX = 2**14

TRANSIENT_STATUSES = frozenset((408, 425, 429, 500, 502, 503, 504))
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_FAILURES = (HTTPError, HTTPException, OSError, ValueError)
"""What urllib3 and the standard library raise; ValueError for addresses and headers that are none."""

T = TypeVar("T")
Response = BaseHTTPResponse


class TransientError(SourceError):
    """May go better at another try. `pause` is how long the other side asks us to wait, in seconds."""

    def __init__(self, message: str, *, code: str, where: str, hint: str | None = None, pause: float | None = None):
        super().__init__(message, code=code, where=where, hint=hint)
        self.pause = pause


class Transport:
    """Requests to hosts, over connections that are kept open between them. Used by one thread at a time or more."""

    def __init__(self, *, plain_http: bool = False, ca_file: Path | None = None, connections: int = 4) -> None:
        """Trust the system's CAs (``SSL_CERT_FILE`` replaces them) and those of `ca_file`. Raises UsageError.

        `connections` to one host are kept open at most; more may be open for a moment.
        """
        self.plain_http = plain_http
        self._connections = connections
        self._known_tls: dict[str, bool] = {}
        self._pause_left = PAUSE_TOTAL_MAX
        self._tls = _tls(ca_file)
        self._direct = self._kept(urllib3.PoolManager(**self._pool_options()))
        self._proxied: dict[str, urllib3.PoolManager] = {}

    def close(self) -> None:
        """Close all connections."""
        for manager in (self._direct, *self._proxied.values()):
            manager.clear()

    def send(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        form: Mapping[str, str] | None = None,
        method: str | None = None,
        content: bytes | None = None,
    ) -> Response:
        """The answer to GET, to POST with `form`, or to `method` with `content`, unread, after redirects.

        Authorization stays with the host it was meant for, a form and `content` too. Raises TransientError when
        there is no answer or one that says to try again, SourceError (``redirect-refused``, ``access-denied``).
        """
        body = content if form is None else urlencode(form).encode()
        if form is not None:
            headers = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
        method = method or ("GET" if form is None else "POST")
        origin = _origin(url)
        for _ in range(REDIRECTS_MAX + 1):
            elsewhere = _origin(url) != origin
            if elsewhere:
                headers = {name: value for name, value in headers.items() if name.lower() != "authorization"}
            with failures(url):
                response = self._request(method, url, headers, body)
            if response.status in TRANSIENT_STATUSES:
                raise _try_later(response, url)
            if response.status == 401 and elsewhere:  # its challenge is not the registry's: no login is for it
                discard(response)
                raise SourceError("refused where the registry redirects to", code="access-denied", where=_host(url))
            location = response.headers.get("Location")
            if response.status not in _REDIRECTS or not location:
                return response
            discard(response)
            target = _joined(url, location)
            if target is None or body is not None or not self.permits(url, target):
                where = plain_text(_host(target) if target else location, 120)
                raise SourceError("redirected where nothing may be sent", code="redirect-refused", where=where)
            url = target
        raise SourceError("redirected without end", code="registry-failed", where=_host(url))

    def permits(self, origin: str, target: str) -> bool:
        """Whether an answer from `origin` may lead to `target`: never from TLS to plain http; and to this machine
        only from this machine, or anybody could make us ask its private services.
        """
        old, new = urlsplit(origin), urlsplit(target)
        if not new.hostname or (is_loopback(new.netloc) and not is_loopback(old.netloc)):
            return False
        if new.scheme == "http":
            return self.plain_http or (old.scheme == "http" and is_loopback(new.netloc))
        return new.scheme == "https"

    def attempt(self, action: Callable[[], T]) -> T:
        """What `action` gives, tried again while it raises TransientError, with growing pauses. Raises the last one."""
        for pause in PAUSES:
            try:
                return action()
            except TransientError as error:
                self.pause(error, pause)
        return action()

    def pause(self, error: TransientError, seconds: float) -> None:
        """Wait as long as `error` asks for, else `seconds`; raise it when that would be too long."""
        wanted = seconds if error.pause is None else error.pause
        if wanted > RETRY_AFTER_MAX or wanted > self._pause_left:
            raise error
        self._pause_left -= wanted
        sleep(wanted)

    def speaks_tls(self, host: str) -> bool:
        """Whether `host` answers TLS, with whatever certificate; asked once. For loopback, where either is usual."""
        if host not in self._known_tls:
            self._known_tls[host] = self._answers_tls(host)
        return self._known_tls[host]

    def _answers_tls(self, host: str) -> bool:
        try:
            discard(self._request("GET", f"https://{host}/v2/", {}, None, connect=PROBE_SECONDS))
        except SSLError as error:
            return _is_untrusted(error)
        except _FAILURES:
            return False  # if nobody listens, the request that follows says so
        return True

    def _request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        connect: float | None = None,
    ) -> Response:
        sent = {"User-Agent": "hullmark", "Accept-Encoding": "identity", **headers}
        if body is not None:
            sent["Content-Length"] = str(len(body))
        return self._manager(url).urlopen(
            method,
            url,
            body=None if body is None else io.BytesIO(body),  # sent piece by piece: one timeout for each, not for all
            headers=sent,
            redirect=False,
            retries=False,
            assert_same_host=False,
            preload_content=False,
            decode_content=False,
            timeout=urllib3.Timeout(connect=connect or CONNECT_SECONDS, read=SILENCE_SECONDS),
        )

    def _manager(self, url: str) -> urllib3.PoolManager:
        parts = urlsplit(url)
        proxy = getproxies().get(parts.scheme)
        if not proxy or is_loopback(parts.netloc) or proxy_bypass(parts.netloc):
            return self._direct
        if proxy not in self._proxied:
            address = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
            login = f"{address.username}:{address.password or ''}" if address.username else None
            manager = urllib3.ProxyManager(
                address.geturl(),
                proxy_headers=urllib3.make_headers(proxy_basic_auth=login) if login else None,
                **self._pool_options(),
            )
            self._proxied[proxy] = self._kept(manager)
        return self._proxied[proxy]

    def _pool_options(self) -> dict[str, Any]:
        return {"num_pools": 8, "maxsize": self._connections, "ssl_context": self._tls}

    def _kept(self, manager: urllib3.PoolManager) -> urllib3.PoolManager:
        manager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
        return manager


def is_loopback(netloc: str) -> bool:
    """Whether ``HOST[:PORT]`` is this machine: ``localhost`` or a loopback address. Names are not looked up."""
    host = urlsplit(f"//{netloc}").hostname or ""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified  # a connection to 0.0.0.0 ends here too


def read_bounded(response: Response, limit: int, url: str) -> bytes:
    """The whole body. Raises LimitError above `limit` bytes, TransientError when it breaks off."""
    pieces: list[bytes] = []
    left = limit + 1
    try:
        with failures(url):
            while left and (piece := response.read(left)):
                pieces.append(piece)
                left -= len(piece)
        if not left:
            raise LimitError(f"an answer of more than {limit} bytes", code="limit-exceeded", where=_host(url))
    finally:
        response.close()  # a connection whose answer has ended has gone back to the pool already
    return b"".join(pieces)


def discard(response: Response) -> None:
    """Read the rest of a short body, so that the connection can be used again; close one with a long body."""
    with suppress(*_FAILURES):
        if (response.length_remaining or 0) <= ERROR_BODY_MAX:
            response.read(ERROR_BODY_MAX)
    response.close()


@contextmanager
def failures(url: str) -> Iterator[None]:
    """Turn what urllib3 and the standard library raise into one line that names the host, never the whole address."""
    host = _host(url)
    try:
        yield
    except SSLError as error:
        raise _tls_failure(error, host) from None
    except _FAILURES as error:
        raise TransientError(
            f"the registry can't be reached: {_reason(error)}",
            code="registry-unreachable",
            where=host,
            hint="look at the name and the network, and try again",
        ) from None


class _Paced(io.RawIOBase):
    """A socket's bytes, as long as they come at a lowest speed. Only time spent waiting counts."""

    def __init__(self, raw: SocketIO, sock: socket) -> None:
        self._raw = raw
        self._sock = sock
        self._received = 0
        self._waited = 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = PATIENCE_SECONDS + self._received / SPEED_MIN - self._waited
        if left <= 0:
            raise TimeoutError(f"slower than {SPEED_MIN} bytes a second")
        self._sock.settimeout(min(SILENCE_SECONDS, left))
        begin = monotonic()
        try:
            count = self._raw.readinto(buffer)
        finally:
            self._waited += monotonic() - begin
        self._received += count or 0
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _PacedResponse(HTTPResponse):
    def __init__(self, sock: socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp: io.BufferedReader = io.BufferedReader(_Paced(self.fp.detach(), sock), 2**16)  # type: ignore[arg-type]

    def begin(self) -> None:
        super().begin()
        told = {part.strip() for value in self.headers.get_all("Content-Length", ()) for part in value.split(",")}
        if len(told) > 1:  # urllib3 refuses it too, but leaves the connection to the garbage collector
            raise HTTPException("an answer of several lengths")


class _HTTP(HTTPConnection):
    response_class = _PacedResponse


class _HTTPS(HTTPSConnection):
    response_class = _PacedResponse


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPS


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            why = error.strerror if not isinstance(error, ssl.SSLError) else "no PEM certificates"
            raise UsageError(f"the CA file can't be read: {why}", code="ca-invalid", where=str(ca_file)) from None
    return context


def _host(url: str) -> str:
    """What may be shown of an address: redirects carry secrets in their queries."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _joined(url: str, location: str) -> str | None:
    try:
        target = urljoin(url, location)
        return target if urlsplit(target).hostname else None
    except ValueError:
        return None


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _is_untrusted(error: SSLError) -> bool:
    return "CERTIFICATE_VERIFY_FAILED" in str(error) or "certificate verify failed" in str(error)


def _tls_failure(error: SSLError, host: str) -> SourceError:
    if _is_untrusted(error):
        return SourceError(
            f"the registry's certificate is not trusted: {_reason(error)}",
            code="tls-untrusted",
            where=host,
            hint="give its CA: SSL_CERT_FILE=FILE",
        )
    return TransientError(
        f"no TLS connection: {_reason(error)}",
        code="tls-failed",
        where=host,
        hint="a registry without TLS is asked only on loopback, or when plain http is demanded",
    )


def _reason(error: BaseException) -> str:
    """The innermost plain words: urllib3 wraps the cause, and shows addresses of objects."""
    if isinstance(error, TimeoutError) or "timed out" in str(error):
        return "no answer in time"
    if isinstance(error, NameResolutionError):
        return "its name is not known"
    inner = next((item for item in error.args if isinstance(item, BaseException)), None)
    if inner is not None:
        return _reason(inner)
    cause = error.__cause__ or error.__context__
    if isinstance(cause, OSError):
        error = cause
    if isinstance(error, ssl.SSLError):
        return plain_text(getattr(error, "verify_message", "") or error.reason or "TLS error", 120)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return plain_text(str(error), 120) or type(error).__name__


def _try_later(response: Response, url: str) -> TransientError:
    host = _host(url)
    pause = _retry_after(response.headers)
    asked = f", and asks to wait {pause:.0f} s" if pause is not None else ""
    status = response.status
    said = read_error(response, url)
    if status == 429:
        return TransientError(
            f"the registry's rate limit is reached (429){asked}{said}",
            code="rate-limited",
            where=host,
            hint="try again later, log in, or name a mirror",
            pause=pause,
        )
    return TransientError(
        f"the registry answers {status}{asked}{said}",
        code="registry-failed",
        where=host,
        hint="try again later",
        pause=pause,
    )


def read_error(response: Response, url: str) -> str:
    """The first message of an error answer (distribution-spec, "Error Codes") as `` (code: message)``, or nothing."""
    try:
        content = read_bounded(response, ERROR_BODY_MAX, url)
        first = json.loads(content)["errors"][0]
        said = ": ".join(text for key in ("code", "message") if isinstance(text := first.get(key), str) and text)
    except (SourceError, LimitError, ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return ""
    return f" ({plain_text(said, 200)})" if said else ""


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds; a date (RFC 9110, 10.2.3) counts from the answer's own, as no clock is read here."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        until = email.utils.parsedate_to_datetime(value)
        return max((until - email.utils.parsedate_to_datetime(headers.get("Date", ""))).total_seconds(), 0.0)
    except (TypeError, ValueError):
        return None
