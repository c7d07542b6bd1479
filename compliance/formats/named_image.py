"""The image that somebody's report says it is about, and whether that is this one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from compliance.formats.plain_text import plain_text
from compliance.model.image import Image


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedImage:
    """The image that a report says it is about: digests of its config, of a manifest or index, or of any of them."""

    configs: tuple[str, ...] = ()
    manifests: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()


NO_IMAGE = NamedImage()
"""A report that names none."""


def digests_in(texts: Iterable[str]) -> tuple[str, ...]:
    """The sha256 digests that end references such as ``name@sha256:…``, or stand alone; each once."""
    ends = (plain_text(text, 300).rpartition("@")[2] for text in texts)
    return tuple(dict.fromkeys(end for end in ends if end.startswith("sha256:")))


def names_this(image: Image, named: tuple[NamedImage, ...]) -> bool | None:
    """Whether a report is about this image; None where it names none.

    A config's digest tells platforms apart, and so does a manifest's; an index's counts only where no config is
    named, as it is that of every platform.
    """
    if not named:
        return None
    return all(_is_this(image, one) for one in named)


def _is_this(image: Image, named: NamedImage) -> bool:
    if image.digest in (*named.manifests, *named.configs, *named.digests):
        return True
    if named.configs:
        return image.config_digest in named.configs
    return image.index_digest in (*named.manifests, *named.digests) or image.config_digest in named.digests
