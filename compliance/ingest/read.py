"""From an opened source to the merged tree: every layer streamed once, lowest first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from compliance.formats.examine import Examiner
from compliance.ingest.directory import RootDirectory, digest_of
from compliance.ingest.layers import LayerReader
from compliance.ingest.limits import DEFAULT_LIMITS, Limits
from compliance.ingest.merge import TreeBuilder
from compliance.ingest.source import Source
from compliance.model.filesystem import FileTree
from compliance.model.image import Image
from compliance.model.request import ContentRequest

Progress = Callable[[int], None]
"""Hears how many stored bytes were read since the last call."""


def read_tree(
    source: Source,
    image: Image,
    requests: Sequence[ContentRequest],
    examiner: Examiner,
    *,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> tuple[Image, FileTree]:
    """The merged tree of `image`, and the image with what the reading added (notices; a folder's digest).

    When this returns, the digest and the diffID of every layer have been compared with its bytes.
    Raises FormatError, IntegrityError, LimitError, SourceError.
    """
    builder = TreeBuilder()
    if isinstance(source, RootDirectory):
        contents = source.contents(requests, examiner, limits, progress)
        builder.apply(contents)
        image = replace(image, digest=digest_of(contents))
    else:
        reader = LayerReader(requests, examiner, limits, progress)
        for layer in image.layers:
            with source.open_layer(layer) as stream:
                builder.apply(reader.read(layer, stream))
    return replace(image, notices=(*image.notices, *builder.notices)), builder.finish()
