"""What a cataloger or a check wants from the one reading of an image's bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

DEFAULT_CONTENT_MAX = 16 * 2**20
"""Bytes of a file that are kept whole unless its request says otherwise: package databases are below."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentRequest:
    """Keep the content of the regular files whose path matches one of `globs`, while a layer streams by.

    Globs are over paths without a leading slash: ``*`` and ``?`` stay inside one part, ``**/`` is any number of
    parts (none too), ``**`` at the end everything below; ``{a,b}`` alternatives. A file above `max_size` bytes
    is not kept, which is recorded in the tree's `unkept`, never passed over.

    With `reduce` the bytes are turned into a small value at once and not kept (archives of hundreds of MB);
    it must not do I/O, and may raise FormatError.
    """

    name: str
    globs: tuple[str, ...]
    max_size: int = DEFAULT_CONTENT_MAX
    reduce: Callable[[bytes], object] | None = None
