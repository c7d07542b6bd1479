"""From an opened source to the merged tree: every layer streamed once, lowest first, or taken from the cache."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO

from compliance.errors import IntegrityError
from compliance.ingest.directory import RootFilesystem, digest_of
from compliance.ingest.file_part import on_disk
from compliance.ingest.inflate import reuse_memory
from compliance.ingest.layer_cache import LayerCache, LayerKeys
from compliance.ingest.layers import LayerContents, LayerReader, Reads
from compliance.ingest.limits import DEFAULT_LIMITS, Limits
from compliance.ingest.merge import TreeBuilder
from compliance.ingest.source import Source
from compliance.model.filesystem import FileTree
from compliance.model.image import Image, Layer
from compliance.model.reference import algorithm_of
from compliance.model.request import ContentRequest

if TYPE_CHECKING:
    from compliance.formats.examine import Examines
    from compliance.formats.secrets import SecretSearch

Progress = Callable[[int], None]
"""Hears how many stored bytes were read since the last call."""

_PIECE = 2**20
_COMPARING_MAX = 4
"""Layers that are compared at once, on as many cores: more than that no disk keeps busy."""
_OPEN_MAX = 64
"""Layers that wait for their comparison, each an open file: a process may have a thousand, an image more layers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How layers are read: what is wanted of them, how deep, within which limits, and with which cache.

    `rules` identifies what the examiner and the search for secrets look for, as a part of the cache's keys.
    """

    requests: Sequence[ContentRequest]
    examiner: Examines
    reads: Reads = Reads.EVIDENCE
    rules: str = ""
    secrets: SecretSearch | None = None
    limits: Limits = DEFAULT_LIMITS
    progress: Progress | None = None
    cache: LayerCache | None = None


def read_tree(source: Source, image: Image, reading: Reading) -> tuple[Image, FileTree]:
    """The merged tree of `image`, and the image with what the reading added (notices; a folder's digest).

    When this returns, the digest and the diffID of every layer have been compared with its bytes; of a layer that
    comes from the cache they were compared when it was stored, and its digest again now if the bytes are at hand.
    Raises FormatError, IntegrityError, LimitError, SourceError.
    """
    reuse_memory()
    builder = TreeBuilder()
    reader = LayerReader(
        reading.requests, reading.examiner, reading.limits, reading.progress, reading.reads, reading.secrets
    )
    with closing(reader), closing(Comparisons(source, reading.progress)) as comparisons:
        if isinstance(source, RootFilesystem):
            builder.apply(source.contents(reader))
        else:
            keys = LayerKeys(reading.requests, reading.reads, reading.rules) if reading.cache is not None else None
            if keys is not None and not source.remote and _has_lowest(reading.cache, keys, image):
                comparisons.begin(image.layers)
            for layer in image.layers:
                builder.apply(_contents(source, layer, reader, reading, keys, comparisons))
        tree = builder.finish()
        comparisons.finish()
    digest = image.digest or digest_of(tree)
    return replace(image, digest=digest, notices=(*image.notices, *builder.notices)), tree


def _has_lowest(cache: LayerCache | None, keys: LayerKeys, image: Image) -> bool:
    return cache is not None and bool(image.layers) and cache.holds(keys.of(image.layers[0]))


def _contents(
    source: Source,
    layer: Layer,
    reader: LayerReader,
    reading: Reading,
    keys: LayerKeys | None,
    comparisons: Comparisons,
) -> LayerContents:
    cache = reading.cache
    if cache is None or keys is None:
        return _read(source, layer, reader)
    key = keys.of(layer, reader.recorded)
    known = cache.load(key)
    if known is None:
        with cache.claimed(key):
            known = cache.load(key)
            if known is None:
                comparisons.unwanted(layer)
                return _read_and_kept(source, layer, reader, cache, key)
    if known.layer == layer and (source.remote or comparisons.hold(layer)):
        reader.count(known)
        return known
    return _read_and_kept(source, layer, reader, cache, key)


def _read_and_kept(source: Source, layer: Layer, reader: LayerReader, cache: LayerCache, key: str) -> LayerContents:
    contents = _read(source, layer, reader)
    cache.store(key, contents)
    return contents


def _read(source: Source, layer: Layer, reader: LayerReader) -> LayerContents:
    with source.open_layer(layer) as stream:
        return reader.read(layer, stream)


class Comparisons:
    """Compares the stored bytes of layers that come from the cache with their digests: a swapped one is refused.

    In threads of their own while trees are merged, so what `hold` said is only believed when `finish` has returned.
    """

    def __init__(self, source: Source, progress: Progress | None) -> None:
        """A thread starts with the first layer."""
        self._source = source
        self._progress = progress
        self._threads = ThreadPoolExecutor(min(_COMPARING_MAX, os.cpu_count() or 1))
        self._begun: dict[int, Future[bool]] = {}
        self._unwanted: set[int] = set()
        self._later: list[Future[bool]] = []

    def begin(self, layers: Sequence[Layer]) -> None:
        """Compare the first of `layers`, as far as they are files, as soon as possible, in the hope that they are
        cached: it takes longer than fetching them from the cache."""
        for layer in layers[:_OPEN_MAX]:
            stored = self._source.open_layer(layer)
            if on_disk(stored) is None:
                stored.close()
                return
            self._begun[layer.index] = self._threads.submit(self._compare, stored, layer)

    def unwanted(self, layer: Layer) -> None:
        """The layer is read anew, which compares it."""
        self._unwanted.add(layer.index)

    def hold(self, layer: Layer) -> bool:
        """Whether what is stored is the layer, as far as digests tell.

        False where that can't be said without inflating: docker save names a compressed layer by its diffID only.
        """
        comparison = self._begun.get(layer.index)
        at_hand = True
        if comparison is None:
            if len(self._later) >= _OPEN_MAX:
                wait([self._later[-_OPEN_MAX]])
            stored = self._source.open_layer(layer)
            at_hand = on_disk(stored) is not None
            comparison = self._begun[layer.index] = self._threads.submit(self._compare, stored, layer)
        if layer.digest == layer.diff_id or not at_hand:
            return comparison.result()
        self._later.append(comparison)
        return True

    def finish(self) -> None:
        """Wait for all. Raises IntegrityError (``digest-mismatch``)."""
        for comparison in self._later:
            comparison.result()

    def close(self) -> None:
        """End the threads; what they have not done is given up."""
        self._unwanted.update(self._begun)
        self._threads.shutdown()

    def _compare(self, stored: BinaryIO, layer: Layer) -> bool:
        hashed = hashlib.new(algorithm_of(layer.digest))
        with stored:
            while layer.index not in self._unwanted and (piece := stored.read(_PIECE)):
                hashed.update(piece)
        if layer.index in self._unwanted:
            return False
        if self._progress is not None:
            self._progress(layer.size)
        found = f"{hashed.name}:{hashed.hexdigest()}"
        if found != layer.digest and layer.digest != layer.diff_id:
            raise IntegrityError(
                f"the layer does not hash to its digest: {found} instead of {layer.digest}",
                code="digest-mismatch",
                where=f"layer {layer.index + 1}, {layer.digest}",
                hint="the image was changed or damaged after it was built; get it again from its source",
            )
        return found == layer.digest
