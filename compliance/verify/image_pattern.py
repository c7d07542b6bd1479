"""Patterns that name images, in trust policies, waivers and fleets."""

from __future__ import annotations

import re

from compliance.formats.globs import translate
from compliance.model.reference import Scheme

_NAMED = (Scheme.REGISTRY, Scheme.DOCKER, Scheme.PODMAN)
"""Where images have a registry's names, so that a pattern has no scheme."""
_FILE_SCHEME = re.compile(rf"({'|'.join(scheme for scheme in Scheme if scheme not in _NAMED)}):")
_OTHER_SCHEME = re.compile(rf"(?:{'|'.join(_NAMED)}):(?!\d+/)")


def names(pattern: str, image: str) -> bool:
    """Whether `pattern` names `image`, both ``REGISTRY/REPOSITORY[:TAG]``, or ``SCHEME:PATH[:TAG]`` for files.

    The pattern is a glob in which ``**`` crosses slashes. Without a tag it names every tag and digest; with one it
    names no image given by digest alone. A pattern without a scheme names nothing on a disk, whatever its path is:
    what is said of a registry's images must not be met by a folder that is called like one of them.
    """
    scheme, repository, tag = _parts(image)
    wanted_scheme, wanted, wanted_tag = _parts(pattern)
    if scheme != wanted_scheme or not fits(repository, wanted):
        return False
    return wanted_tag is None or (tag is not None and fits(tag, wanted_tag))


def pattern_mistake(pattern: str) -> str | None:
    """What is wrong with a pattern; None where nothing is."""
    scheme, repository, tag = _parts(pattern)
    if not repository or tag == "" or pattern != pattern.strip():
        return "not a pattern"
    if _OTHER_SCHEME.match(pattern):
        return "a pattern begins with the registry; only those of files begin with a scheme, as oci-dir:**"
    if "@" in pattern:
        return "a pattern can't name a digest: rules are about names"
    if not scheme and repository != "**" and "/" not in repository:
        return "a pattern needs a registry: write e.g. docker.io/library/alpine"
    try:
        for part in (repository, tag or ""):
            re.compile(translate(part))
    except re.error as error:
        return f"not a glob: {error}"
    return None


def _parts(name: str) -> tuple[str, str, str | None]:
    """Scheme ("" for registries), repository or path, tag."""
    found = _FILE_SCHEME.match(name)
    scheme, rest = (found[1], name[found.end() :]) if found else ("", name)
    head, slash, last = rest.rpartition("/")
    last, colon, tag = last.partition(":")
    repository = head + slash + last
    return scheme, repository if scheme else repository.lower(), tag if colon else None


def fits(text: str, glob: str) -> bool:
    """Whether `glob` names all of `text`."""
    return re.fullmatch(translate(glob), text, re.DOTALL) is not None
