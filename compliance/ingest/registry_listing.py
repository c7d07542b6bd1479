"""What a registry has: its repositories, their tags, and which digest a tag or digest stands for now.

Catalogue and tags come page by page (distribution-spec, "Listing Tags"; the catalogue is distribution's own API, and
many registries have none).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final
from urllib.parse import urlencode, urlsplit

from compliance.errors import FormatError, LimitError
from compliance.formats import oci
from compliance.formats.plain_text import plain_text
from compliance.ingest.auth import Challenge
from compliance.ingest.registry_client import Fetched, Repository, next_link
from compliance.ingest.transport import Response, Transport, discard
from compliance.model.reference import is_digest

PAGE: Final = 1000
"""Entries asked for at a time; a registry may give fewer."""
REPOSITORIES_MAX: Final = 100_000
TAGS_MAX: Final = 100_000
"""Tags of one repository: what is pushed by every build for years."""
_PAGES_MAX: Final = 2500
"""Registries that cap their pages cap them at 50 or more."""
_PAGE_SIZE_MAX: Final = 32 * 2**20
"""Bytes: some registries give all there is at once."""
_BYTES_MAX: Final = 8 * 2**30
"""Bytes of all indexes of one repository; none is held."""
_NAME_MAX: Final = 300
_ACCEPT: Final = ", ".join((oci.OCI_INDEX, oci.OCI_MANIFEST, oci.DOCKER_LIST, oci.DOCKER_MANIFEST))


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What a tag or digest stands for: the registry's word for it, which reading the image checks."""

    digest: str
    media_type: str


class ListedRepository(Repository):
    """A repository whose tags are listed and looked up, by several threads if need be."""

    def __init__(self, transport: Transport, host: str, name: str) -> None:
        """Nothing is asked yet."""
        super().__init__(transport, host, name)
        self._requests_left = 2 * TAGS_MAX
        self._bytes_left = _BYTES_MAX
        self._first = threading.Lock()
        self._answered = False

    def tags(self) -> tuple[str, ...]:
        """All its tags, each once, as the registry has them. Raises NotFoundError (``no-image``), SourceError."""
        return _gathered(self._listed(f"{self._base}/tags/list", "tags"), TAGS_MAX, self.where)

    def look_up(self, reference: str) -> Named:
        """Digest and type of a tag or digest: one request without a body, where the registry tells them so.

        Raises NotFoundError (``no-image``), SourceError, FormatError, IntegrityError.
        """
        named = self._transport.attempt(lambda: self._head(reference))
        return named or _named(self.manifest(reference, oci.JSON_SIZE_MAX))

    def _head(self, reference: str) -> Named | None:
        """What the headers tell; None where they do not, and with a registry that knows no HEAD."""
        url = f"{self._base}/manifests/{reference}"
        response = self._open(url, {"Accept": _ACCEPT}, method="HEAD")
        if response.status in (401, 403, 404):
            raise self._refused(response, url, "no-image", (404,))
        discard(response)
        digest = response.headers.get("Docker-Content-Digest", "")
        media_type = _media_type(response.headers)
        known = media_type in oci.INDEX_TYPES or media_type in oci.MANIFEST_TYPES
        if response.status != 200 or not is_digest(digest) or not known:
            return None
        if is_digest(reference) and digest != reference:
            raise FormatError("the registry tells another digest", code="digest-invalid", where=self.where)
        return Named(digest=digest, media_type=media_type)

    def _listed(self, url: str, key: str) -> Iterator[str]:
        """The texts under `key` on every page from `url` on.

        A registry that cuts its answer short has to say so (distribution-spec, "Listing Tags"), and not all do: after
        a page that is exactly full, what comes after its last name is asked for.
        """
        pages: set[bytes] = set()
        query: str | None = f"n={PAGE}"
        while query is not None:
            if len(pages) >= _PAGES_MAX:
                raise LimitError(f"more than {_PAGES_MAX} pages", code="limit-exceeded", where=self.where)
            page = f"{url}?{query}"
            content, headers = self._whole(page, _PAGE_SIZE_MAX, {"Accept": "application/json"}, missing="no-image")
            names = _names(content, key, self.where)
            if names and sha256(content).digest() in pages:
                raise FormatError("a list that begins again and again", code="registry-failed", where=self.where)
            pages.add(sha256(content).digest())
            yield from names
            following = next_link(headers)
            if following is not None:
                query = self._query(following)
            else:
                query = urlencode({"n": PAGE, "last": names[-1]}) if len(names) == PAGE else None

    def _query(self, link: str) -> str:
        """What a link to the next page adds to our address: where it leads else, a registry behind a proxy errs."""
        try:
            query = urlsplit(link).query
        except ValueError:
            query = ""
        if not query:
            raise FormatError("a list goes on nowhere", code="registry-failed", where=self.where)
        return query

    def _open(
        self, url: str, headers: Mapping[str, str], *, method: str | None = None, content: bytes | None = None
    ) -> Response:
        """The first request goes alone, so that the login it may lead to is asked for once."""
        if self._answered:
            return super()._open(url, headers, method=method, content=content)
        with self._first:
            response = super()._open(url, headers, method=method, content=content)
            self._answered = True
            return response


class Catalog(ListedRepository):
    """A registry's own list of its repositories. Many have none, or show it to administrators only."""

    actions = ("*",)

    def __init__(self, transport: Transport, host: str) -> None:
        """Nothing is asked yet."""
        super().__init__(transport, host, "_catalog")

    def repositories(self) -> tuple[str, ...]:
        """All names, each once, as the registry has them. Raises NotFoundError, SourceError, FormatError."""
        return _gathered(self._listed(self._base, "repositories"), REPOSITORIES_MAX, self.where)

    def _scope(self, challenge: Challenge) -> str:
        """The catalogue alone, whatever the registry names."""
        return "registry:catalog:*"


def _names(content: bytes, key: str, where: str) -> tuple[str, ...]:
    """The texts of one page, fit to be shown; whether they are names is for the reader to see."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    names = document.get(key) if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(names, list | None):
        raise FormatError(f"no list of {key}", code="registry-failed", where=where)
    if not all(isinstance(name, str) for name in names or ()):
        raise FormatError(f"a list of {key} with something else in it", code="registry-failed", where=where)
    return tuple(plain_text(name, _NAME_MAX) for name in names or ())


def _gathered(names: Iterator[str], most: int, where: str) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for name in names:
        found[name] = None
        if len(found) > most:
            raise LimitError(f"more than {most} names", code="limit-exceeded", where=where)
    return tuple(found)


def _named(fetched: Fetched) -> Named:
    document = oci.parse_manifest_or_index(fetched.content, fetched.media_type)
    return Named(digest=f"sha256:{sha256(fetched.content).hexdigest()}", media_type=document.media_type)


def _media_type(headers: Mapping[str, str]) -> str:
    return headers.get("Content-Type", "").partition(";")[0].strip()
