"""Images in a registry: one repository, mirrors before it, and what is attached there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import BinaryIO, TypeVar

from compliance.errors import ComplianceError, SourceError
from compliance.formats import oci
from compliance.ingest.limits import DEFAULT_LIMITS, Limits
from compliance.ingest.manifest_store import Listed
from compliance.ingest.referrers import COSIGN_SUFFIXES, referrers_tag
from compliance.ingest.registry_client import Fetched, NotFoundError, Repository
from compliance.ingest.registry_name import DEFAULT_HOST, DEFAULT_TAG, parse_mirror, split_target
from compliance.ingest.registry_options import RegistryOptions
from compliance.ingest.selection import Selection
from compliance.ingest.transport import TransientError, Transport
from compliance.model.image import Descriptor, Image, Layer
from compliance.model.reference import ImageReference, Platform

T = TypeVar("T")

_NOT_THERE = ("access-denied", "no-image", "registry-unreachable")
"""How a registry answers to a name that was none of its own."""


class RegistryImage:
    """A Source over a repository, and the ManifestStore it is selected from. Layers are streamed, never stored."""

    holder = "repository"
    remote = True

    def __init__(self, reference: ImageReference, options: RegistryOptions, limits: Limits = DEFAULT_LIMITS) -> None:
        """Nothing is asked yet. Raises UsageError for a mirror or a CA file that is none."""
        self._reference = reference
        self._limits = limits
        self._whole = options.whole
        self._notices: list[str] = []
        self._documents: dict[str, bytes] = {}  # manifests and configs by digest; bounded by the repositories
        host, name = split_target(reference.target)
        places = [parse_mirror(mirror) for origin, mirror in options.mirrors if origin == host]
        self._transport = Transport(plain_http=options.plain_http, ca_file=options.ca_file)
        self._repository = Repository(self._transport, host, name)
        self._mirrors = [
            Repository(self._transport, place, f"{prefix}/{name}" if prefix else name) for place, prefix in places
        ]

    def image(self, platform: Platform | None) -> Image:
        """See Source."""
        self._notices = []
        try:
            return Selection(self, self._reference, self._limits, self._notices).image(platform)
        except ComplianceError as error:
            if split_target(self._reference.target)[0] == DEFAULT_HOST and error.code in _NOT_THERE:
                # A path with a typing mistake reads as such a name.
                taken = f"no file or folder is called so here, and it was taken for {self._reference.target}"
                error.hint = f"{taken}; {error.hint}" if error.hint else taken
            raise

    def open_layer(self, layer: Layer) -> BinaryIO:
        """See Source: a stream from the socket, as long as the layer's descriptor says."""
        return self._ask(lambda repository: repository.open_blob(layer.digest, layer.size))

    def close(self) -> None:
        """See Source."""
        self._transport.close()

    def tops(self) -> tuple[Descriptor, ...]:
        """See ManifestStore: the one manifest that the digest or else the tag names."""
        tag = self._reference.tag or DEFAULT_TAG
        fetched = self._manifest(self._reference.digest or tag)
        if self._reference.digest is None and fetched.where != self._repository.where:
            self._notices.append(f"mirror: {tag} was looked up at {fetched.where}")
        return (self._top(fetched, self._reference.digest, self._reference.tag),)

    def manifest(self, descriptor: Descriptor) -> bytes:
        """See ManifestStore."""
        digest = descriptor.digest
        if digest not in self._documents:
            self._documents[digest] = self._manifest(digest).content
        return self._documents[digest]

    def blob(self, digest: str, limit: int) -> bytes:
        """See ManifestStore."""
        if digest in self._documents:
            return self._documents[digest]
        content = self._ask(lambda repository: repository.blob(digest, limit))
        if limit <= self._limits.manifest_bytes:  # a config: read when selecting, and again for the one selected
            self._documents[digest] = content
        return content

    def layer_size(self, descriptor: Descriptor) -> int:
        """See ManifestStore: compared while the layer is streamed."""
        return descriptor.size

    def unlisted(self, listed: tuple[Listed, ...], digests: Collection[str], notices: list[str]) -> Iterator[Listed]:
        """See ManifestStore: the referrers API or its fallback tag, then cosign's tags."""
        left = self._limits.attached_artifacts
        for digest in sorted(digests):
            for descriptor in self._about(digest, notices):
                left -= 1
                if left < 0:
                    notices.append(f"more than {self._limits.attached_artifacts} referrers; the rest was not looked at")
                    return
                yield Listed(descriptor=descriptor, top=descriptor, index=None, depth=0)

    def _about(self, digest: str, notices: list[str]) -> Iterator[Descriptor]:
        tag = referrers_tag(digest)
        lookups: list[Callable[[], tuple[Descriptor, ...]]] = [partial(self._referrers, digest, tag)]
        lookups += [partial(self._tagged, tag + suffix) for suffix in COSIGN_SUFFIXES]
        for lookup in lookups:
            try:
                yield from lookup()
            except NotFoundError:
                continue
            except ComplianceError as error:
                if self._whole and isinstance(error, TransientError):
                    raise
                notices.append(f"what is attached to {digest} is not wholly known: {error}")

    def _referrers(self, digest: str, tag: str) -> tuple[Descriptor, ...]:
        try:
            return self._ask(lambda repository: repository.referrers(digest, self._limits.attached_artifacts))
        except NotFoundError:
            fetched = self._manifest(tag)
        index = oci.parse_manifest_or_index(fetched.content, fetched.media_type)
        return index.manifests if isinstance(index, oci.Index) else ()

    def _tagged(self, tag: str) -> tuple[Descriptor, ...]:
        return (self._top(self._manifest(tag), None, tag),)

    def _manifest(self, name: str) -> Fetched:
        return self._ask(lambda repository: repository.manifest(name, self._limits.manifest_bytes))

    def _top(self, fetched: Fetched, digest: str | None, tag: str | None) -> Descriptor:
        """The descriptor of a manifest that no index names; its bytes are kept."""
        digest = digest or f"sha256:{hashlib.sha256(fetched.content).hexdigest()}"
        self._documents[digest] = fetched.content
        return Descriptor(
            media_type=oci.parse_manifest_or_index(fetched.content, fetched.media_type).media_type,
            digest=digest,
            size=len(fetched.content),
            annotations={oci.REF_NAME: tag} if tag else {},
        )

    def _ask(self, action: Callable[[Repository], T]) -> T:
        """`action` at each mirror and at last at the registry itself, until one has it. Wrong bytes are an error.

        A mirror that fails otherwise is not asked again, and that is a notice.
        """
        for mirror in tuple(self._mirrors):
            try:
                return action(mirror)
            except NotFoundError:
                continue
            except SourceError as error:
                self._mirrors.remove(mirror)
                self._notices.append(f"mirror: {mirror.where} is not asked any more: {error}")
        return action(self._repository)
