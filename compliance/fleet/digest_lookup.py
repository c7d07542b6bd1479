"""Which image a reference stands for now: the digests that a registry or a file tells, in as few requests as possible.

A tag takes one request without a body, which registries that count pulls do not count. Only an index is read, to find
the image of a platform in it; what is unusual about one is left to the code that selects images for assessments.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from compliance.errors import FormatError, SourceError, UsageError
from compliance.fleet.concurrently import THREADS
from compliance.fleet.image_reference import located
from compliance.formats import oci
from compliance.ingest.manifest_store import Listed
from compliance.ingest.referrers import is_attachment
from compliance.ingest.registry_listing import Catalog, ListedRepository, Named
from compliance.ingest.registry_name import DEFAULT_TAG, parse_mirror, split_target
from compliance.ingest.source import open_source
from compliance.ingest.transport import Transport
from compliance.model.reference import DEFAULT_PLATFORM, ImageReference, Platform, Scheme

if TYPE_CHECKING:
    from compliance.ingest.registry_options import RegistryOptions

_HOSTS_MAX: Final = 500
_INDEXES_MAX: Final = 20_000
"""Indexes that are remembered: some hundred MB."""
_FAILURES_MAX: Final = 3
"""Images of a registry that could not be reached, one after the other, before it is not asked any more."""
_UNREACHABLE: Final = ("registry-unreachable", "tls-failed", "tls-untrusted")

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The `digest` of the image's manifest, and that of the index it was found in, if it was."""

    digest: str
    index: str | None = None


class DigestLookup:
    """Asks registries, each over one set of connections. Safe with several threads at once."""

    def __init__(self, folder: Path, options: RegistryOptions) -> None:
        """Paths of images on disk are taken from `folder`."""
        self._folder = folder
        self._options = options
        self._lock = threading.Lock()
        self._registries: dict[str, _Registry] = {}
        self._indexes: dict[str, oci.Index] = {}
        self._reading = tuple(threading.Lock() for _ in range(8 * THREADS))

    def close(self) -> None:
        """Close all connections."""
        for registry in self._registries.values():
            registry.transport.close()

    def image(self, reference: ImageReference, platform: Platform | None) -> Found:
        """The image that `reference` and `platform` select. Raises ComplianceError."""
        if reference.scheme is not Scheme.REGISTRY:
            return self._selected(located(reference, self._folder), platform)
        named = self.named(reference)
        if named.media_type not in oci.INDEX_TYPES:
            return Found(digest=named.digest)
        digest = _of_platform(self._index(reference, named.digest), platform)
        if digest is None:
            return self._selected(replace(reference, digest=named.digest), platform, named.digest)
        return Found(digest=digest, index=named.digest)

    def named(self, reference: ImageReference) -> Named:
        """What the tag or digest of a registry's reference stands for: a manifest, or an index. Raises SourceError."""
        name = reference.digest or reference.tag or DEFAULT_TAG
        return self._ask(reference.target, lambda repository: repository.look_up(name))

    def lists(self, reference: ImageReference, named: Named, digest: str) -> bool:
        """Whether `digest` is what `named` is, or one of the images in it. Raises SourceError."""
        if named.digest == digest or named.media_type not in oci.INDEX_TYPES:
            return named.digest == digest
        return any(one.digest == digest for one in self._index(reference, named.digest).manifests)

    def tags(self, target: str) -> tuple[str, ...]:
        """All tags of the repository ``HOST/NAME``. Raises SourceError."""
        return self._ask(target, lambda repository: repository.tags())

    def repositories(self, host: str) -> tuple[str, ...]:
        """All repositories of a registry, as far as it tells. Raises SourceError."""
        return self._registry(host).repositories()

    def _index(self, reference: ImageReference, digest: str) -> oci.Index:
        """Read once, however many tags name it, even at the same time."""
        with self._reading[hash(digest) % len(self._reading)]:
            if digest not in self._indexes:
                if len(self._indexes) >= _INDEXES_MAX:
                    self._indexes.clear()
                self._indexes[digest] = self._read_index(reference.target, digest)
            return self._indexes[digest]

    def _read_index(self, target: str, digest: str) -> oci.Index:
        fetched = self._ask(target, lambda repository: repository.manifest(digest, oci.JSON_SIZE_MAX))
        index = oci.parse_manifest_or_index(fetched.content, fetched.media_type)
        if not isinstance(index, oci.Index):
            raise FormatError("a manifest where an index was told", code="manifest-invalid", where=digest)
        return index

    def _selected(self, reference: ImageReference, platform: Platform | None, index: str | None = None) -> Found:
        """As an assessment would select it, which reads more."""
        source = open_source(reference, registry=self._options)
        try:
            image = source.image(platform)
        finally:
            source.close()
        return Found(digest=image.digest, index=index if index != image.digest else None)

    def _ask(self, target: str, action: Callable[[ListedRepository], T]) -> T:
        """`action` at each mirror and at last at the registry itself, until one has it."""
        host, name = split_target(target)
        for origin, mirror in self._options.mirrors:
            if origin != host:
                continue
            place, prefix = parse_mirror(mirror)
            try:
                return self._registry(place).ask(f"{prefix}/{name}" if prefix else name, action)
            except SourceError:
                continue
        return self._registry(host).ask(name, action)

    def _registry(self, host: str) -> _Registry:
        if self._options.offline:
            raise UsageError("a registry can't be asked offline", code="offline", where=host)
        with self._lock:
            if host not in self._registries:
                if len(self._registries) >= _HOSTS_MAX:
                    raise SourceError(f"more than {_HOSTS_MAX} registries", code="limit-exceeded", where=host)
                self._registries[host] = _Registry(host, self._options)
            return self._registries[host]


class _Registry:
    """One host: its connections, its repositories, and whether it is worth asking."""

    def __init__(self, host: str, options: RegistryOptions) -> None:
        self.transport = Transport(plain_http=options.plain_http, ca_file=options.ca_file, connections=THREADS)
        self._host = host
        self._lock = threading.Lock()
        self._repositories: dict[str, ListedRepository] = {}
        self._failures = 0
        self._given_up: SourceError | None = None

    def repositories(self) -> tuple[str, ...]:
        """All that the registry tells of."""
        return self._guarded(lambda: Catalog(self.transport, self._host).repositories())

    def ask(self, name: str, action: Callable[[ListedRepository], T]) -> T:
        """`action` with the repository of that name, which keeps its login."""
        with self._lock:
            if name not in self._repositories:
                self._repositories[name] = ListedRepository(self.transport, self._host, name)
            repository = self._repositories[name]
        return self._guarded(lambda: action(repository))

    def _guarded(self, action: Callable[[], T]) -> T:
        """`action`, unless the registry did not answer several times in a row: it would keep each image waiting."""
        if self._given_up is not None:
            raise self._given_up.with_traceback(None)
        try:
            value = action()
        except SourceError as error:
            self._failures = self._failures + 1 if error.code in _UNREACHABLE else 0
            if self._failures >= _FAILURES_MAX:
                self._given_up = error
            raise
        self._failures = 0
        return value


def _of_platform(index: oci.Index, platform: Platform | None) -> str | None:
    """The one image for the platform in an index where that is plain; None where it takes a closer look."""
    wanted = platform or DEFAULT_PLATFORM
    plain = [one for one in index.manifests if one.media_type in oci.MANIFEST_TYPES and one.platform is not None]
    if len(plain) != len(index.manifests):
        return None
    fitting = {
        one.digest
        for one in plain
        if not is_attachment(Listed(descriptor=one, top=one, index=None, depth=1))
        and one.artifact_type is None
        and one.platform is not None
        and wanted.accepts(one.platform)
    }
    return fitting.pop() if len(fitting) == 1 else None
