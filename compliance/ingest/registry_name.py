"""Names of images in registries: the grammar that docker pull reads (distribution's ``reference`` grammar)."""

from __future__ import annotations

import re

from compliance.errors import UsageError
from compliance.model.reference import ImageReference, Scheme, is_digest

DEFAULT_HOST = "docker.io"
"""The registry of a name without one: the grammar demands it, and people type it so."""
DEFAULT_NAMESPACE = "library"
DEFAULT_TAG = "latest"

NAME_MAX = 255
"""Characters of HOST/NAME, as other clients have it."""

_HOST = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
    r"|\[[0-9A-Fa-f:]{2,45}\])(?::(?P<port>[0-9]{1,5}))?"
)
_PART = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


def parse_name(text: str) -> ImageReference:
    """Read ``[HOST/]NAME[:TAG][@DIGEST]``; neither tag nor digest means ``latest``.

    The first part is a host if it has a dot, a colon or a capital, or is ``localhost``; else the host is
    docker.io, where a name of one part lies in ``library``. With a digest the tag selects nothing.
    Raises UsageError (``reference-invalid``, ``digest-invalid``).
    """
    rest, at, digest = text.partition("@")
    if at and not is_digest(digest):
        raise UsageError(f"not a digest: {digest}", code="digest-invalid", hint="write sha256: and 64 hex digits")
    first, slash, remainder = rest.partition("/")
    told = bool(slash) and (any(mark in first for mark in ".:") or first == "localhost" or first != first.lower())
    host, path = (first, remainder) if told else (DEFAULT_HOST, rest)
    head, slash, last = path.rpartition("/")
    name, colon, tag = last.partition(":")
    name = head + slash + name
    if host in (DEFAULT_HOST, f"index.{DEFAULT_HOST}"):
        host = DEFAULT_HOST
        name = name if "/" in name else f"{DEFAULT_NAMESPACE}/{name}"
    if not _is_host(host) or not is_repository(name) or (colon and not _TAG.fullmatch(tag)):
        raise UsageError(
            f"not an image name: {text!r}",
            code="reference-invalid",
            hint="write HOST/NAME:TAG or HOST/NAME@DIGEST; names are lower case",
        )
    if len(host) + len(name) >= NAME_MAX:
        raise UsageError(f"an image name of more than {NAME_MAX} characters", code="reference-invalid")
    return ImageReference(
        scheme=Scheme.REGISTRY,
        target=f"{host}/{name}",
        tag=tag or (None if at else DEFAULT_TAG),
        digest=digest or None,
    )


def split_target(target: str) -> tuple[str, str]:
    """Host and repository of a parsed name's target."""
    host, _, repository = target.partition("/")
    return host, repository


def is_repository(name: str) -> bool:
    """Whether `name` is a repository's: it may stand in a request as it is."""
    return all(_PART.fullmatch(part) for part in name.split("/"))


def is_tag(text: str) -> bool:
    """Whether `text` is a tag: it may stand in a request as it is."""
    return _TAG.fullmatch(text) is not None


def parse_mirror(text: str) -> tuple[str, str]:
    """Host and prefix (maybe empty) of a mirror, ``HOST[:PORT][/PREFIX]``. Raises UsageError."""
    host, slash, prefix = text.partition("/")
    if not _is_host(host) or (slash and not is_repository(prefix)):
        raise UsageError(f"not a mirror: {text!r}", code="mirror-invalid", hint="write HOST[:PORT][/PREFIX]")
    return host, prefix


def _is_host(text: str) -> bool:
    found = _HOST.fullmatch(text)
    return found is not None and int(found["port"] or 0) < 2**16
