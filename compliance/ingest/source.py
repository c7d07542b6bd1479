"""Where images lie: one interface, one file per kind of place, and the sniffing of what a user typed."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO, Protocol

from compliance.errors import SourceError, UsageError
from compliance.ingest.limits import DEFAULT_LIMITS, Limits
from compliance.ingest.registry_name import parse_name
from compliance.ingest.registry_options import RegistryOptions
from compliance.model.image import Image, Layer
from compliance.model.reference import ImageReference, Platform, Scheme, is_digest

DEFAULT_REGISTRY = RegistryOptions()

_PATH_STARTS = ("/", "./", "../", "~")
_WHOLE_PATHS = (Scheme.DIR, Scheme.ROOTFS_TAR)
"""What has neither tag nor digest to select by."""
_ARCHIVE_ENDS = (".tar", ".tar.gz", ".tgz", ".tar.zst")
"""What ends so is a file that is not there, not a name to look for in the network."""


class Source(Protocol):
    """An opened place that holds images. Every byte it hands out as manifest or config has been digested."""

    @property
    def remote(self) -> bool:
        """Whether reading a layer means fetching it: then one that is in the cache is not fetched again."""
        ...

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
    """Read ``SCHEME:TARGET[:TAG][@DIGEST]``, a bare path, which is looked at, or a bare name in a registry.

    Raises UsageError for an unknown form, SourceError (``not-found``) for a path that does not exist.
    """
    scheme, colon, rest = text.partition(":")
    if colon and scheme in tuple(Scheme):
        return _typed(Scheme(scheme), rest)
    if os.path.lexists(_without_selector(text)[0]) or text.startswith(_PATH_STARTS) or text.endswith(_ARCHIVE_ENDS):
        return _sniffed(text)
    return _typed(Scheme.REGISTRY, text)


def open_source(
    reference: ImageReference, *, limits: Limits = DEFAULT_LIMITS, registry: RegistryOptions = DEFAULT_REGISTRY
) -> Source:
    """The source for `reference`; `registry` says how registries are reached, if it is in one.

    Raises SourceError when there is nothing readable, UsageError (``offline``) for a registry that may not be asked.
    """
    path = Path(reference.target)
    match reference.scheme:
        case Scheme.OCI_DIR:
            from compliance.ingest.blobs import DirectoryBlobs
            from compliance.ingest.oci_layout import OciLayout

            return OciLayout(reference, DirectoryBlobs(path), path, limits)
        case Scheme.OCI_ARCHIVE | Scheme.DOCKER_ARCHIVE:
            from compliance.ingest.archive import open_archive

            return open_archive(reference, limits)
        case Scheme.DIR:
            from compliance.ingest.directory import RootDirectory

            return RootDirectory(reference)
        case Scheme.ROOTFS_TAR:
            from compliance.ingest.root_archive import RootArchive

            return RootArchive(reference)
        case Scheme.DOCKER | Scheme.PODMAN:
            from compliance.ingest.engine import EngineImage

            return EngineImage(reference, limits)
        case Scheme.REGISTRY:
            if registry.offline:
                raise UsageError(
                    "a registry can't be asked offline",
                    code="offline",
                    where=str(reference),
                    hint="save the image as an OCI layout or archive, and give oci-dir: or oci-archive:",
                )
            from compliance.ingest.registry import RegistryImage

            return RegistryImage(reference, registry, limits)


def _typed(scheme: Scheme, rest: str) -> ImageReference:
    if not rest:
        raise UsageError("an image reference without a target", code="reference-invalid", where=f"{scheme}:")
    if scheme is Scheme.REGISTRY:
        return parse_name(rest)
    on_disk = scheme in (Scheme.OCI_DIR, Scheme.OCI_ARCHIVE, Scheme.DOCKER_ARCHIVE) and os.path.lexists(rest)
    if scheme in _WHOLE_PATHS or on_disk:
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
            hint="give an OCI layout, an image archive, a root filesystem or registry:NAME",
        ) from None
    return ImageReference(scheme=scheme, target=target) if scheme in _WHOLE_PATHS else _typed(scheme, text)
