"""How a fleet names one image. Nothing is looked at: what a reference means must not depend on where a run begins."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from compliance.errors import UsageError
from compliance.formats.plain_text import plain_text
from compliance.ingest.registry_name import parse_name
from compliance.model.reference import ImageReference, Scheme, is_digest

REFERENCE_MAX = 1000
"""Characters; a registry's names have at most 255, a tag 128, a digest 135."""

_ON_DISK = (Scheme.OCI_DIR, Scheme.OCI_ARCHIVE, Scheme.DOCKER_ARCHIVE)
_PATH_STARTS = ("/", "./", "../", "~")


def image_reference(text: str) -> ImageReference:
    """Read ``[registry:]HOST/NAME[:TAG][@DIGEST]``, or ``oci-dir:PATH`` and its like, the path as it is written.

    Engines and root filesystems are no part of a fleet: what they hold has no digest that another machine could ask
    for. Raises UsageError.
    """
    if len(text) > REFERENCE_MAX:
        raise UsageError(f"a reference of more than {REFERENCE_MAX} characters", code="reference-invalid")
    if not text.isprintable() or " " in text:
        raise UsageError(f"not an image reference: {plain_text(text, 200)!r}", code="reference-invalid")
    scheme, colon, rest = text.partition(":")
    if colon and scheme in _ON_DISK:
        return _on_disk(Scheme(scheme), rest)
    if colon and scheme in tuple(Scheme) and scheme != Scheme.REGISTRY:
        raise UsageError(
            f"a fleet can't name images by {scheme}:",
            code="reference-invalid",
            hint=f"push it to a registry, or save it: {', '.join(f'{known}:PATH' for known in _ON_DISK)}",
        )
    if text.startswith(_PATH_STARTS):
        raise UsageError(f"a path without its kind: {text!r}", code="reference-invalid", hint=f"write oci-dir:{text}")
    return parse_name(rest if scheme == Scheme.REGISTRY else text)


def located(reference: ImageReference, folder: Path) -> ImageReference:
    """The reference with its path, if it has one, taken from `folder`."""
    if reference.scheme is Scheme.REGISTRY:
        return reference
    return replace(reference, target=str(folder / reference.target))


def _on_disk(scheme: Scheme, rest: str) -> ImageReference:
    """``PATH[:TAG][@DIGEST]``; a colon before the last slash belongs to the path, and one behind it never does."""
    path, at, digest = rest.partition("@sha")
    digest = f"sha{digest}" if at else ""
    if at and not is_digest(digest):
        raise UsageError(f"not a digest: {digest}", code="digest-invalid", hint="write sha256: and 64 hex digits")
    head, slash, last = path.rpartition("/")
    name, colon, tag = last.partition(":")
    if not head + slash + name or (colon and not tag):
        raise UsageError(f"not {scheme}:PATH[:TAG]: {rest!r}", code="reference-invalid")
    return ImageReference(scheme=scheme, target=head + slash + name, tag=tag or None, digest=digest or None)
