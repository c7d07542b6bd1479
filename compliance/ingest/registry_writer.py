"""One repository of a registry, written to (distribution-spec, "Push"): blobs, manifests, tags. Nothing is deleted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from urllib.parse import urljoin, urlsplit

from compliance.errors import SourceError
from compliance.formats import oci
from compliance.ingest.registry_client import NotFoundError, Repository
from compliance.ingest.registry_name import split_target
from compliance.ingest.registry_options import RegistryOptions
from compliance.ingest.transport import Response, Transport, discard, read_error
from compliance.model.image import Descriptor

REFERRERS_MAX = 10_000
"""Referrers of one image that are looked through for ours."""


class RegistryWriter(Repository):
    """Reads and writes one repository, with tokens for both. Mirrors have no part in it."""

    actions = ("pull", "push")

    @property
    def remote(self) -> bool:
        """Whether others may write at the same time, unseen."""
        return True

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def find(self, reference: str) -> bytes | None:
        """The manifest or index with this tag or digest; None where there is none. Raises SourceError."""
        try:
            return self.manifest(reference, oci.JSON_SIZE_MAX).content
        except NotFoundError:
            return None

    def put_blob(self, content: bytes) -> None:
        """Upload a blob in one piece, unless it is there. Raises SourceError."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"

        def put() -> None:
            if self._has(f"{self._base}/blobs/{digest}"):
                return
            place = self._upload(f"{self._base}/blobs/uploads/")
            place += f"{'&' if urlsplit(place).query else '?'}digest={digest}"
            headers = {"Content-Type": "application/octet-stream"}
            self._write("PUT", place, headers, content, 201, elsewhere=not place.startswith(f"{self._base}/"))

        self._transport.attempt(put)

    def put_manifest(self, content: bytes, media_type: str, tag: str | None = None) -> None:
        """Put a manifest or index under `tag`, or under its digest alone. Raises SourceError."""
        self._put_manifest(content, media_type, tag)

    def put_referrer(self, content: bytes, subject: str) -> bool:
        """Put a manifest with a `subject`; whether the registry lists it among the subject's referrers itself."""
        headers = self._put_manifest(content, oci.OCI_MANIFEST, None)
        if headers.get("OCI-Subject") == subject:
            return True
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        return any(item.digest == digest for item in self._listed(subject))

    def _listed(self, subject: str) -> tuple[Descriptor, ...]:
        try:
            return self.referrers(subject, REFERRERS_MAX)
        except NotFoundError:
            return ()

    def _put_manifest(self, content: bytes, media_type: str, tag: str | None) -> Mapping[str, str]:
        name = tag or f"sha256:{hashlib.sha256(content).hexdigest()}"
        url = f"{self._base}/manifests/{name}"

        def put() -> Mapping[str, str]:
            return self._write("PUT", url, {"Content-Type": media_type}, content, 201)

        return self._transport.attempt(put)

    def _has(self, url: str) -> bool:
        response = self._open(url, {}, method="HEAD")
        discard(response)
        return response.status == 200

    def _upload(self, url: str) -> str:
        """Where to send a blob to: an address of the registry's choice, which may be another host."""
        location = self._write("POST", url, {}, b"", 202).get("Location", "")
        try:
            place = urljoin(url, location)
            if location and self._transport.permits(self._base, place):
                return place
        except ValueError:
            pass  # an address that is none
        raise SourceError(
            "the registry wants a blob sent where nothing may be sent", code="redirect-refused", where=self.where
        )

    def _write(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes,
        wanted: int,
        *,
        elsewhere: bool = False,
    ) -> Mapping[str, str]:
        """Send with the login, save to an address that is `elsewhere`: it need not be the registry's."""
        send: Callable[..., Response] = self._open
        if elsewhere and urlsplit(url).netloc != urlsplit(self._base).netloc:
            send = self._transport.send
        response = send(url, headers, method=method, content=content)
        if response.status == wanted:
            answered = response.headers
            discard(response)
            return answered
        status, said = response.status, read_error(response, url)
        if status in (401, 403, 404):
            raise SourceError(
                f"the registry refuses to be written to ({status}){said}",
                code="access-denied",
                where=self.where,
                hint=f"log in with an account that may push: docker login {self._host}",
            )
        raise SourceError(f"the registry answers {status} to a push{said}", code="registry-failed", where=self.where)


def open_writer(target: str, options: RegistryOptions) -> RegistryWriter:
    """The repository of a parsed reference's `target`. Raises UsageError for a CA file that is none."""
    host, name = split_target(target)
    return RegistryWriter(Transport(plain_http=options.plain_http, ca_file=options.ca_file), host, name)
