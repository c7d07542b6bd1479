"""Where images lie: one interface, one file per kind of place, and the sniffing of what a user typed."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO, Protocol

from compliance.errors import SourceError, UsageError
from compliance.model.image import Image, Layer
from compliance.model.reference import ImageReference, Platform, Scheme, is_digest


class Source(Protocol):
    """An opened place that holds images. Every byte it hands out as manifest or config has been digested."""

    def image(self, platform: Platform | None) -> Image:
        """The one image that the reference and `platform` select. Raises SourceError, IntegrityError."""
        ...

    def open_layer(self, layer: Layer) -> BinaryIO:
        """The stored bytes of a layer, not yet digested."""
        ...

    def close(self) -> None:
        """Release files."""
        ...


def parse_reference(text: str) -> ImageReference:
    """Read ``SCHEME:TARGET[:TAG][@DIGEST]`` or a bare path, which is looked at.

    Raises UsageError for an unknown form, SourceError (``not-found``) for a path that does not exist.
    """
    scheme, colon, rest = text.partition(":")
    if colon and scheme in tuple(Scheme):
        return _typed(Scheme(scheme), rest)
    if os.path.lexists(_without_selector(text)[0]) or text.startswith(("/", "./", "../", "~")) or "/" not in text:
        return _sniffed(text)
    return _typed(Scheme.REGISTRY, text)


def open_source(reference: ImageReference) -> Source:
    """The source for `reference`. Raises SourceError when there is nothing readable."""
    path = Path(reference.target)
    match reference.scheme:
        case Scheme.OCI_DIR:
            from compliance.ingest.blobs import DirectoryBlobs
            from compliance.ingest.oci_layout import OciLayout

            return OciLayout(reference, DirectoryBlobs(path), path)
        case Scheme.OCI_ARCHIVE | Scheme.DOCKER_ARCHIVE:
            from compliance.ingest.archive import open_archive

            return open_archive(reference)
        case Scheme.DIR:
            from compliance.ingest.directory import RootDirectory

            return RootDirectory(reference)
        case _:
            raise UsageError(
                f"{reference.scheme}: images can't be read yet",
                code="scheme-unsupported",
                where=str(reference),
                hint="save the image as an OCI layout or archive and give oci-dir:, oci-archive: or docker-archive:",
            )


def _typed(scheme: Scheme, rest: str) -> ImageReference:
    if not rest:
        raise UsageError("an image reference without a target", code="reference-invalid", where=f"{scheme}:")
    on_disk = scheme in (Scheme.OCI_DIR, Scheme.OCI_ARCHIVE, Scheme.DOCKER_ARCHIVE) and os.path.lexists(rest)
    if scheme is Scheme.DIR or on_disk:
        target, tag, digest = rest, None, None
    else:
        target, tag, digest = _without_selector(rest)
    if digest is not None and not is_digest(digest):
        raise UsageError(f"not a digest: {digest}", code="digest-invalid", hint="write sha256: and 64 hex digits")
    return ImageReference(scheme=scheme, target=target, tag=tag, digest=digest)


def _without_selector(text: str) -> tuple[str, str | None, str | None]:
    """``PATH[:TAG][@DIGEST]`` taken apart; a colon before the last slash is part of the path."""
    rest, at, digest = text.partition("@") if "@sha" in text else (text, "", "")
    head, slash, last = rest.rpartition("/")
    name, colon, tag = last.partition(":")
    return head + slash + name, (tag or None) if colon else None, (digest or None) if at else None


def _sniffed(text: str) -> ImageReference:
    target = text if os.path.lexists(text) else _without_selector(text)[0]
    path = Path(target)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            scheme = Scheme.OCI_DIR if (path / "index.json").exists() or (path / "oci-layout").exists() else Scheme.DIR
        elif stat.S_ISREG(mode):
            from compliance.ingest.archive import sniff_archive

            scheme = sniff_archive(path)
        else:
            raise SourceError("neither a file nor a folder", code="not-an-image", where=target)
    except OSError as error:
        raise SourceError(
            f"can't read the image: {error.strerror or error}",
            code="not-found",
            where=target,
            hint="give an OCI layout, an image archive or a root filesystem",
        ) from None
    return _typed(scheme, text) if scheme is not Scheme.DIR else ImageReference(scheme=scheme, target=target)
