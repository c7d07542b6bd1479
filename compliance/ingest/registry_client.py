"""One repository of a registry (OCI distribution-spec 1.1): pulling, and listing what refers to a manifest.

Reading whole checks digests here. A blob that is streamed is digested by its reader; here it is made sure that
the stream is as long as it should be, whatever happens to the connections under it.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import BinaryIO
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from compliance.errors import FormatError, IntegrityError, LimitError, SourceError
from compliance.formats import oci
from compliance.ingest.auth import Challenge, Credential, find_credential, parse_challenges
from compliance.ingest.blobs import check_digest
from compliance.ingest.registry_name import DEFAULT_HOST
from compliance.ingest.transport import (
    PAUSES,
    Response,
    TransientError,
    Transport,
    discard,
    failures,
    is_loopback,
    read_bounded,
    read_error,
)
from compliance.model.image import Descriptor
from compliance.model.reference import is_digest

DEFAULT_API_HOST = f"registry-1.{DEFAULT_HOST}"
"""Where the default registry answers; its name alone is a web site."""

WHOLE_TOTAL_MAX = 320 * 2**20
"""Bytes of all that is read whole from a repository, and so held in memory: what is attached (ATTACHED_TOTAL_MAX),
and 64 MiB of manifests and configs, a few KiB each."""
REQUESTS_MAX = 5000
"""Requests for what is read whole: five for each of a thousand attached artifacts."""
PROGRESS_MIN = 2**20
"""Bytes after which a connection that dies is a new accident, not the last one again."""
TOKEN_MAX = 2**16

_ACCEPT = ", ".join((oci.OCI_INDEX, oci.OCI_MANIFEST, oci.DOCKER_LIST, oci.DOCKER_MANIFEST))
_NO_REFERRERS_API = (400, 404, 405, 406)
"""Registries without the API should answer 404; others are seen."""
_NEXT = re.compile(r'<([^<>]*)>[^,<]*;\s*rel="?next"?')
_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-\d{1,19}/(\d{1,19}|\*)")
_TOKEN = re.compile(r"[!-~]+")


class NotFoundError(SourceError):
    """The registry has no such manifest, blob or API."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A manifest as a repository gave it: `media_type` is only what was said of it."""

    content: bytes = field(repr=False)
    media_type: str
    where: str


class Repository:
    """Reads one repository. Logs in when it is asked to, with what is stored for this host."""

    actions: tuple[str, ...] = ("pull",)
    """What a token is asked for: it must not be worth more than it is needed for."""

    def __init__(self, transport: Transport, host: str, name: str, environment: Mapping[str, str] = os.environ) -> None:
        """`host` and `name` as registry_name parses them: they stand in addresses as they are."""
        self.where = f"{host}/{name}"
        self._transport = transport
        self._host = host
        self._name = name
        self._environment = environment
        self._authorization: dict[str, str] = {}
        self._bytes_left = WHOLE_TOTAL_MAX
        self._requests_left = REQUESTS_MAX

    def manifest(self, reference: str, limit: int) -> Fetched:
        """The manifest or index with this tag or digest, digest compared.

        For a tag the bytes are compared with what the registry says their digest is.
        Raises NotFoundError (``no-image``), SourceError, IntegrityError, LimitError.
        """
        url = f"{self._base}/manifests/{reference}"
        content, headers = self._whole(url, limit, {"Accept": _ACCEPT}, missing="no-image")
        told = headers.get("Docker-Content-Digest")
        if is_digest(reference):
            check_digest(content, reference)
        elif told is not None:
            if not is_digest(told):
                raise FormatError("the registry tells a digest that is none", code="digest-invalid", where=self.where)
            check_digest(content, told)
        media_type = headers.get("Content-Type", "").partition(";")[0].strip()
        return Fetched(content=content, media_type=media_type, where=self.where)

    def blob(self, digest: str, limit: int) -> bytes:
        """A whole blob, digest compared. Raises NotFoundError (``blob-missing``), SourceError, IntegrityError."""
        content, _ = self._whole(f"{self._base}/blobs/{_digest(digest)}", limit, {}, missing="blob-missing")
        check_digest(content, digest)
        return content

    def open_blob(self, digest: str, size: int) -> BinaryIO:
        """A blob of `size` bytes as a stream from the socket, not digested. Raises like `blob`."""
        return BlobStream(self, digest, size)

    def referrers(self, digest: str, most: int) -> tuple[Descriptor, ...]:
        """What says that it refers to `digest` (distribution-spec, "Listing Referrers"), page by page.

        Stops soon after `most`. Raises NotFoundError (``no-referrers-api``), SourceError, FormatError, LimitError.
        """
        url = f"{self._base}/referrers/{_digest(digest)}"
        found: list[Descriptor] = []
        while len(found) <= most:
            content, headers = self._whole(
                url, oci.JSON_SIZE_MAX, {"Accept": oci.OCI_INDEX}, missing="no-referrers-api", absent=_NO_REFERRERS_API
            )
            found.extend(self._page(content, headers.get("Content-Type", "")))
            following = next_link(headers)
            if following is None:
                break
            url = _next_page(url, following)
        return tuple(found)

    def open(self, digest: str, offset: int) -> Response:
        """The answer to a request for a blob from `offset` on. Raises TransientError, NotFoundError, SourceError."""
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        url = f"{self._base}/blobs/{_digest(digest)}"
        response = self._open(url, headers)
        if response.status in ((200, 206) if offset else (200,)):
            return response
        raise self._refused(response, url, "blob-missing", (404,))

    def attempt_open(self, digest: str) -> Response:
        """`open` from the start, tried again as long as that may help."""
        return self._transport.attempt(lambda: self.open(digest, 0))

    def pause(self, error: TransientError, seconds: float) -> None:
        """See Transport."""
        self._transport.pause(error, seconds)

    @property
    def url(self) -> str:
        """The repository's address, for messages about its blobs."""
        return self._base

    @cached_property
    def _base(self) -> str:
        host = DEFAULT_API_HOST if self._host == DEFAULT_HOST else self._host
        plain = self._transport.plain_http or (is_loopback(host) and not self._transport.speaks_tls(host))
        return f"{'http' if plain else 'https'}://{host}/v2/{self._name}"

    def _page(self, content: bytes, media_type: str) -> tuple[Descriptor, ...]:
        try:
            index = oci.parse_manifest_or_index(content, oci.OCI_INDEX)
        except FormatError:
            if media_type.startswith((oci.OCI_INDEX, "application/json")):
                raise
            index = None  # a page for people, from a server that knows no such API
        if not isinstance(index, oci.Index):
            raise NotFoundError("no list of referrers", code="no-referrers-api", where=self.where)
        return index.manifests

    def _whole(
        self, url: str, limit: int, headers: Mapping[str, str], *, missing: str, absent: tuple[int, ...] = (404,)
    ) -> tuple[bytes, Mapping[str, str]]:
        def get() -> tuple[bytes, Mapping[str, str]]:
            self._requests_left -= 1
            if self._requests_left < 0 or self._bytes_left <= 0:
                raise LimitError(
                    f"more than {REQUESTS_MAX} manifests or {WHOLE_TOTAL_MAX} bytes of them",
                    code="limit-exceeded",
                    where=self.where,
                )
            response = self._open(url, headers)
            if response.status != 200:
                raise self._refused(response, url, missing, absent)
            content = read_bounded(response, limit, url)
            self._bytes_left -= len(content)
            return content, response.headers

        return self._transport.attempt(get)

    def _open(
        self, url: str, headers: Mapping[str, str], *, method: str | None = None, content: bytes | None = None
    ) -> Response:
        """Send, log in if the registry asks for it, and send once more."""
        response = self._transport.send(url, {**headers, **self._authorization}, method=method, content=content)
        if response.status != 401:
            return response
        challenges = parse_challenges(", ".join(response.headers.getlist("WWW-Authenticate")))
        discard(response)
        self._authorization = {"Authorization": self._answer(challenges)}
        return self._transport.send(url, {**headers, **self._authorization}, method=method, content=content)

    def _answer(self, challenges: tuple[Challenge, ...]) -> str:
        """The Authorization header that a registry asks for. Raises SourceError (``access-denied``)."""
        asked = {challenge.scheme: challenge for challenge in reversed(challenges)}
        credential = find_credential(self._host, self._name, self._environment)
        if "bearer" in asked:
            return f"Bearer {self._token(asked['bearer'], credential)}"
        if "basic" not in asked:
            raise self._denied("the registry asks for a login of a kind that is not known")
        if credential is None or credential.is_identity_token:
            raise self._denied("the registry asks for a login, and none is stored for it")
        return credential.basic

    def _token(self, challenge: Challenge, credential: Credential | None) -> str:
        """A token for `actions` here (distribution: token authentication; OAuth 2 with a stored identity token)."""
        realm = challenge.parameters.get("realm", "")
        if not self._may_ask(realm):
            raise self._auth_failed("the registry names a token server that is not asked")
        parts = urlsplit(realm)
        query = {"service": challenge.parameters.get("service", ""), "scope": self._scope(challenge)}
        query = {key: value for key, value in query.items() if value}
        if credential is not None and credential.is_identity_token:
            form = {"grant_type": "refresh_token", "refresh_token": credential.secret, "client_id": "hullmark", **query}
            response = self._transport.send(realm, {}, form=form)
        else:
            login = {"Authorization": credential.basic} if credential else {}
            asking = parts._replace(query=urlencode([*parse_qsl(parts.query), *query.items()])).geturl()
            response = self._transport.send(asking, login)
        if response.status != 200:
            said = read_error(response, realm)
            if response.status in (400, 401, 403):
                raise self._denied(
                    f"the registry's token server refuses {'the login' if credential else 'a guest'}{said}"
                )
            raise self._auth_failed(f"the registry's token server answers {response.status}{said}")
        return self._read_token(read_bounded(response, TOKEN_MAX, realm))

    def _may_ask(self, realm: str) -> bool:
        try:
            return self._transport.permits(self._base, realm)
        except ValueError:
            return False

    def _scope(self, challenge: Challenge) -> str:
        """What the registry names, if that is no more than `actions` and all of them."""
        scope = challenge.parameters.get("scope", "")
        if scope and all(set(part.rpartition(":")[2].split(",")) == set(self.actions) for part in scope.split()):
            return scope
        return f"repository:{self._name}:{','.join(self.actions)}"

    def _read_token(self, content: bytes) -> str:
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError):
            answer = None
        token = (answer.get("token") or answer.get("access_token")) if isinstance(answer, dict) else None
        if not isinstance(token, str) or _TOKEN.fullmatch(token) is None:
            raise self._auth_failed("the registry's token server answers with something that is no token")
        return token

    def _refused(self, response: Response, url: str, missing: str, absent: tuple[int, ...]) -> SourceError:
        status = response.status
        said = read_error(response, url)
        if status in absent:
            what = {"no-image": "no such image in the registry", "blob-missing": "a blob is missing in the registry"}
            return NotFoundError(
                f"{what.get(missing, 'not in the registry')}{said}",
                code=missing,
                where=f"{self.where} {url.rpartition('/')[2]}",
            )
        if status in (401, 403):
            return self._denied(f"the registry refuses access ({status}){said}")
        return SourceError(f"the registry answers {status}{said}", code="registry-failed", where=self.where)

    def _denied(self, message: str) -> SourceError:
        return SourceError(
            message,
            code="access-denied",
            where=self.where,
            hint=f"the image may not exist, or log in: docker login {self._host}",
        )

    def _auth_failed(self, message: str) -> SourceError:
        return SourceError(message, code="auth-failed", where=self.where)


class BlobStream(io.BufferedIOBase, BinaryIO):
    """The bytes of one blob, exactly as many as it has. When a connection dies, the next one goes on where it ended.

    Raises TransientError when that helped no more, IntegrityError (``digest-mismatch``) when the registry's blob is
    shorter or longer than its descriptor says.
    """

    def __init__(self, repository: Repository, digest: str, size: int) -> None:
        """Open it, so that a blob that is not there is told at once."""
        self._repository = repository
        self._digest = digest
        self._size = size
        self._at = 0
        self._failures = 0
        self._failed_at = 0
        self._response: Response | None = repository.attempt_open(digest)
        self._check_length(self._response, 0)

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int | None = -1) -> bytes:
        """The next `size` bytes, fewer only at the end."""
        left = self._size - self._at
        wanted = left if size is None or size < 0 else min(size, left)
        pieces: list[bytes] = []
        while wanted:
            piece = self._piece(wanted)
            pieces.append(piece)
            wanted -= len(piece)
        if self._at == self._size:
            self._finish()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """Close the connection if it is in the middle of the blob."""
        self._drop()
        super().close()

    def _piece(self, size: int) -> bytes:
        """At least one byte, over as many connections as that takes."""
        while True:
            try:
                if self._response is None:
                    self._response = self._resumed()
                with failures(self._repository.url):
                    piece = self._response.read(size)
                if not piece:
                    raise TransientError("a blob ended early", code="registry-failed", where=self._digest)
            except TransientError as error:
                self._drop()
                self._failed(error)
            else:
                self._at += len(piece)
                return piece

    def _failed(self, error: TransientError) -> None:
        """Wait for the next connection, or raise `error` when the last ones brought next to nothing."""
        if self._at - self._failed_at >= PROGRESS_MIN:
            self._failures = 0
        if self._failures >= len(PAUSES):
            raise error
        self._repository.pause(error, PAUSES[self._failures])
        self._failures += 1
        self._failed_at = self._at

    def _resumed(self) -> Response:
        response = self._repository.open(self._digest, self._at)
        try:
            self._check_length(response, self._at)
            if response.status == 200:  # the whole again, from a server without ranges
                self._skip(response)
        except BaseException:
            response.close()
            raise
        return response

    def _skip(self, response: Response) -> None:
        left = self._at
        with failures(self._repository.url):
            while left:
                piece = response.read(min(left, 2**20))
                if not piece:
                    raise TransientError("a blob ended early", code="registry-failed", where=self._digest)
                left -= len(piece)

    def _check_length(self, response: Response, offset: int) -> None:
        if response.status == 206:
            told = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
            if told is None or int(told[1]) != offset:
                raise SourceError("another part of a blob than asked for", code="registry-failed", where=self._digest)
            length = None if told[2] == "*" else int(told[2])
        else:
            length = response.length_remaining
        if length is not None and length != self._size:
            response.close()
            raise self._wrong_size(str(length))

    def _finish(self) -> None:
        """The answer has to end where the blob does; then its connection is used again."""
        response, self._response = self._response, None
        if response is None:
            return
        try:
            with failures(self._repository.url):
                extra = response.read(1)
        except SourceError:
            extra = b""  # all bytes are there; how the connection ended is nothing to us
        finally:
            response.close()
        if extra:
            raise self._wrong_size(f"more than {self._size}")

    def _wrong_size(self, found: str) -> IntegrityError:
        return IntegrityError(
            f"a blob has {found} bytes, its descriptor says {self._size}",
            code="digest-mismatch",
            where=self._digest,
            hint="the registry holds something else than the manifest names; the image can't be trusted",
        )

    def _drop(self) -> None:
        if self._response is not None:
            self._response.close()
            self._response = None


def _digest(text: str) -> str:
    """`text`, which stands in an address. Raises SourceError (``digest-invalid``)."""
    if not is_digest(text):
        raise SourceError("not a digest", code="digest-invalid", where=text[:120])
    return text


def next_link(headers: Mapping[str, str]) -> str | None:
    """Where the header Link says that a list goes on (RFC 8288), as it says it."""
    found = _NEXT.search(headers.get("Link", ""))
    return None if found is None else found[1]


def _next_page(url: str, link: str) -> str:
    """The address that `link` gives, if it is another page of `url`. Raises FormatError."""
    with suppress(ValueError):
        following = urljoin(url, link)
        old, new = urlsplit(url), urlsplit(following)
        if (old.scheme, old.netloc, old.path) == (new.scheme, new.netloc, new.path):
            return following
    raise FormatError("the list of referrers goes on elsewhere", code="registry-failed", where=urlsplit(url).netloc)
