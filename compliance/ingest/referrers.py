"""What is attached to an image in the same place: signatures, attestations, SBOMs, by every convention in use."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from compliance.errors import ComplianceError, LimitError
from compliance.formats import oci
from compliance.ingest.blobs import DirectoryBlobs, read_small
from compliance.ingest.limits import Limits
from compliance.ingest.manifest_store import Listed, ManifestStore
from compliance.model.image import AttachedArtifact, AttachedBlob, AttachmentSource, Descriptor

ATTACHED_TOTAL_MAX = 256 * 2**20
"""Bytes of all attached artifacts of an image, which are held in memory: SBOMs of the largest images have 30 MB."""

COSIGN_SUFFIXES = (".sig", ".att", ".sbom")
"""Ends of the tags under which cosign attaches (cosign specs: SIGNATURE_SPEC.md, ATTESTATION_SPEC.md, SBOM_SPEC.md)."""

_COSIGN_TAG = re.compile(r"(?:.*:)?(sha256|sha512)-([0-9a-f]{64,128})(\.sig|\.att|\.sbom)?")
_COSIGN_KINDS = ("dev.cosignproject.cosign/sigs", "dev.cosignproject.cosign/atts")
_BUILDKIT_TYPE = "vnd.docker.reference.type"
_BUILDKIT_DIGEST = "vnd.docker.reference.digest"
_NO_PLATFORM = ("unknown", "unknown")


def referrers_tag(digest: str) -> str:
    """The tag of a digest's referrers where there is no API (distribution-spec, "Referrers Tag Schema").

    Cosign's own tags are this one with a suffix.
    """
    algorithm, _, encoded = digest.partition(":")
    return f"{algorithm[:32]}-{encoded[:64]}"


def is_attachment(item: Listed) -> bool:
    """Whether a listed manifest says by name, kind or platform that it is about another one."""
    platform = item.descriptor.platform
    return (
        (item.tag is not None and _COSIGN_TAG.fullmatch(item.tag) is not None)
        or item.kind in _COSIGN_KINDS
        or _BUILDKIT_TYPE in item.descriptor.annotations
        or (platform is not None and (platform.os, platform.architecture) == _NO_PLATFORM)
    )


def attached_artifacts(
    store: ManifestStore, listed: tuple[Listed, ...], digests: Collection[str], limits: Limits, notices: list[str]
) -> tuple[AttachedArtifact, ...]:
    """Everything in the store about one of `digests`, in a stable order: whatever the store, the same list.

    Nothing here is verified but the digests of blobs. What can't be read becomes a notice: a broken attachment
    must not hide the image, and the verifier reports what it was not given.
    """
    found: dict[tuple[str, str], AttachedArtifact] = {}
    collector = _Collector(store, digests, limits, notices)
    for item in itertools.chain(listed, store.unlisted(listed, digests, notices)):
        if len(found) >= limits.attached_artifacts:
            notices.append(f"more than {limits.attached_artifacts} attached artifacts; the rest was not read")
            break
        try:
            artifact = collector.artifact(item)
        except ComplianceError as error:
            notices.append(f"attached {item.tag or item.descriptor.digest}: {error}")
            continue
        if artifact is not None:
            found.setdefault((artifact.source, item.descriptor.digest), artifact)
    return tuple(found[key] for key in sorted(found))


class _Collector:
    """Reads the manifests that may be about `digests`, and the blobs of those that are."""

    def __init__(self, store: ManifestStore, digests: Collection[str], limits: Limits, notices: list[str]) -> None:
        self._store = store
        self._digests = digests
        self._limits = limits
        self._notices = notices
        self._bytes_left = ATTACHED_TOTAL_MAX

    def artifact(self, item: Listed) -> AttachedArtifact | None:
        """The artifact that `item` is; None for what is no artifact, or one about something else."""
        if not self._worth_reading(item):
            return None
        manifest = oci.parse_manifest_or_index(self._store.manifest(item.descriptor), item.descriptor.media_type)
        if not isinstance(manifest, oci.Manifest):
            return None
        where = self._found(item, manifest)
        if where is None:
            return None
        source, name = where
        unread: list[str] = []
        blobs = tuple(self._blobs(manifest, name, unread))
        return AttachedArtifact(
            source=source,
            name=name,
            artifact_type=manifest.artifact_type or item.descriptor.artifact_type or manifest.config.media_type,
            annotations=manifest.annotations,
            blobs=blobs,
            unread=tuple(unread),
        )

    def _worth_reading(self, item: Listed) -> bool:
        descriptor = item.descriptor
        if descriptor.media_type in oci.INDEX_TYPES or descriptor.digest in self._digests:
            return False
        about = descriptor.annotations.get(_BUILDKIT_DIGEST)
        if about is not None:
            return about in self._digests
        platform = descriptor.platform
        # What an index lists for a platform is an image; reading it would cost a registry's request each.
        return item.depth == 0 or platform is None or (platform.os, platform.architecture) == _NO_PLATFORM

    def _found(self, item: Listed, manifest: oci.Manifest) -> tuple[AttachmentSource, str] | None:
        """By which convention the manifest is about one of the digests, and its name there."""
        digest = item.descriptor.digest
        tag = _COSIGN_TAG.fullmatch(item.tag or "")
        if manifest.subject is not None and manifest.subject.digest in self._digests:
            return AttachmentSource.REFERRER, digest
        if item.descriptor.annotations.get(_BUILDKIT_DIGEST) in self._digests:
            return AttachmentSource.INDEX, digest
        if tag is not None and tag[3] and f"{tag[1]}:{tag[2]}" in self._digests:
            return AttachmentSource.TAG, item.tag or digest
        if item.kind in _COSIGN_KINDS and manifest.subject is None:
            return AttachmentSource.TAG, item.kind or digest
        return None

    def _blobs(self, manifest: oci.Manifest, name: str, unread: list[str]) -> Iterator[AttachedBlob]:
        for descriptor in manifest.layers:
            try:
                content = self._store.blob(descriptor.digest, self._limits.attached_bytes)
                self._bytes_left -= len(content)
                if self._bytes_left < 0:
                    raise LimitError(f"more than {ATTACHED_TOTAL_MAX} bytes are attached", code="limit-exceeded")
            except ComplianceError as error:
                self._notices.append(f"attached {name}: {error}")
                unread.append(str(error))
                if self._bytes_left < 0:
                    return
                continue
            yield AttachedBlob(descriptor=descriptor, content=content)


def bundle_files(path: Path, limits: Limits, notices: list[str]) -> Iterator[AttachedArtifact]:
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
