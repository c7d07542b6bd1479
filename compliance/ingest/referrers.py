"""What is attached to an image in the same layout: signatures, attestations, SBOMs, by every convention in use."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from compliance.errors import ComplianceError
from compliance.formats import oci
from compliance.ingest.blobs import Blobs, DirectoryBlobs, blob_name, read_blob, read_small
from compliance.ingest.limits import Limits
from compliance.model.image import AttachedArtifact, AttachedBlob, AttachmentSource, Descriptor

_COSIGN_TAG = re.compile(r"(?:.*:)?(sha256|sha512)-([0-9a-f]{64,128})(\.sig|\.att|\.sbom)?")
UNLISTED_SIZE_MAX = 2**16
"""Bytes up to which an unlisted blob is looked at: referrer manifests are about 1 KiB."""

_COSIGN_KINDS = ("dev.cosignproject.cosign/sigs", "dev.cosignproject.cosign/atts")
_BUILDKIT_TYPE = "vnd.docker.reference.type"
_BUILDKIT_DIGEST = "vnd.docker.reference.digest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A manifest descriptor as the layout lists it: `top` is the index.json entry it hangs below."""

    descriptor: Descriptor
    top: Descriptor
    index: str | None
    depth: int

    @property
    def tag(self) -> str | None:
        """The name that index.json gives."""
        return self.top.annotations.get(oci.REF_NAME) or self.top.annotations.get(oci.CONTAINERD_NAME)

    @property
    def kind(self) -> str | None:
        """Cosign's own word for what a layout entry is (``cosign save``)."""
        return self.top.annotations.get("kind")


def is_attachment(item: Listed) -> bool:
    """Whether a listed manifest says by name, kind or platform that it is about another one."""
    platform = item.descriptor.platform
    return (
        (item.tag is not None and _COSIGN_TAG.fullmatch(item.tag) is not None)
        or item.kind in _COSIGN_KINDS
        or _BUILDKIT_TYPE in item.descriptor.annotations
        or (platform is not None and (platform.os, platform.architecture) == ("unknown", "unknown"))
    )


def attached_artifacts(
    blobs: Blobs,
    listed: tuple[Listed, ...],
    path: Path,
    digests: Collection[str],
    limits: Limits,
    notices: list[str],
) -> tuple[AttachedArtifact, ...]:
    """Everything in the layout (and bundle files beside it) about one of `digests`, in a stable order.

    Nothing here is verified but the digests of blobs. What can't be read becomes a notice: a broken attachment
    must not hide the image, and the verifier reports what it was not given.
    """
    found: dict[tuple[str, str], AttachedArtifact] = {}
    for item in listed:
        if len(found) >= limits.attached_artifacts:
            notices.append(f"more than {limits.attached_artifacts} attached artifacts; the rest was not read")
            break
        if item.descriptor.media_type in oci.INDEX_TYPES or item.descriptor.digest in digests:
            continue
        try:
            artifact = _artifact(blobs, item, digests, limits, notices)
        except ComplianceError as error:
            notices.append(f"attached {item.tag or item.descriptor.digest}: {error}")
            continue
        if artifact is not None:
            found.setdefault((artifact.source, item.descriptor.digest), artifact)
    for item in _unlisted(blobs, listed, limits):
        try:
            artifact = _artifact(blobs, item, digests, limits, notices)
        except ComplianceError:
            continue  # any blob may look like a manifest and be none
        if artifact is not None:
            found.setdefault((artifact.source, item.descriptor.digest), artifact)
    files = tuple(_bundle_files(path, limits, notices))
    return (*(found[key] for key in sorted(found)), *files)


def _unlisted(blobs: Blobs, listed: tuple[Listed, ...], limits: Limits) -> Iterator[Listed]:
    """Blobs that index.json does not list and that may be manifests with a subject: cosign save leaves them so."""
    known = {item.descriptor.digest for item in listed}
    small = (digest for digest, size in blobs.sizes() if size <= UNLISTED_SIZE_MAX and digest not in known)
    for digest in itertools.islice(small, limits.attached_artifacts):
        with blobs.open(blob_name(digest)) as stream:
            content = stream.read(UNLISTED_SIZE_MAX)
        if content.startswith(b"{") and b'"subject"' in content:
            descriptor = Descriptor(media_type=oci.OCI_MANIFEST, digest=digest, size=len(content))
            yield Listed(descriptor=descriptor, top=descriptor, index=None, depth=0)


def _artifact(
    blobs: Blobs, item: Listed, digests: Collection[str], limits: Limits, notices: list[str]
) -> AttachedArtifact | None:
    content = read_blob(blobs, item.descriptor.digest, oci.JSON_SIZE_MAX)
    manifest = oci.parse_manifest_or_index(content, item.descriptor.media_type)
    if not isinstance(manifest, oci.Manifest):
        return None
    name = item.tag or item.descriptor.digest
    tag = _COSIGN_TAG.fullmatch(item.tag or "")
    if manifest.subject is not None and manifest.subject.digest in digests:
        source = AttachmentSource.REFERRER
        name = item.descriptor.digest
    elif item.descriptor.annotations.get(_BUILDKIT_DIGEST) in digests:
        source = AttachmentSource.INDEX
        name = item.descriptor.digest
    elif tag is not None and tag[3] and f"{tag[1]}:{tag[2]}" in digests:
        source = AttachmentSource.TAG
    elif item.kind in _COSIGN_KINDS and manifest.subject is None:
        source = AttachmentSource.TAG
        name = item.kind or name
    else:
        return None
    return AttachedArtifact(
        source=source,
        name=name,
        artifact_type=manifest.artifact_type or item.descriptor.artifact_type or manifest.config.media_type,
        annotations=manifest.annotations,
        blobs=tuple(_blobs(blobs, manifest, limits, name, notices)),
    )


def _blobs(
    blobs: Blobs, manifest: oci.Manifest, limits: Limits, name: str, notices: list[str]
) -> Iterator[AttachedBlob]:
    for descriptor in manifest.layers:
        try:
            yield AttachedBlob(
                descriptor=descriptor, content=read_blob(blobs, descriptor.digest, limits.attached_bytes)
            )
        except ComplianceError as error:
            notices.append(f"attached {name}: {error}")


def _bundle_files(path: Path, limits: Limits, notices: list[str]) -> Iterator[AttachedArtifact]:
    """``*.sigstore.json`` in a layout's folder, and ``IMAGE.sigstore.json`` beside a folder or archive."""
    here = path.parent
    names = {f"{path.name}.sigstore.json"}
    places = [(here, name) for name in names if (here / name).is_file()]
    if path.is_dir():
        places += [
            (path, name) for name in sorted(item.name for item in path.iterdir()) if name.endswith(".sigstore.json")
        ]
    for folder, name in places[: limits.attached_artifacts]:
        try:
            content = read_small(DirectoryBlobs(folder), name, limits.attached_bytes)
        except ComplianceError as error:
            notices.append(f"attached {name}: {error}")
            continue
        yield AttachedArtifact(
            source=AttachmentSource.FILE,
            name=name,
            artifact_type=None,
            annotations=_NONE,
            blobs=(AttachedBlob(descriptor=_file_descriptor(content), content=content),),
        )


def _file_descriptor(content: bytes) -> Descriptor:
    import hashlib

    return Descriptor(
        media_type="application/vnd.dev.sigstore.bundle.v0.3+json",
        digest=f"sha256:{hashlib.sha256(content).hexdigest()}",
        size=len(content),
    )


_NONE: Mapping[str, str] = MappingProxyType({})
