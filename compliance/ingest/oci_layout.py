"""OCI image layouts, in a folder or in an archive: selection of one image, and what is attached to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from compliance.errors import ComplianceError, FormatError, IntegrityError, SourceError
from compliance.formats import oci
from compliance.ingest.blobs import Blobs, blob_name, read_blob, read_small
from compliance.ingest.limits import DEFAULT_LIMITS, Limits
from compliance.ingest.referrers import Listed, attached_artifacts, is_attachment
from compliance.model.image import BaseImage, Descriptor, Image, Layer
from compliance.model.reference import DEFAULT_PLATFORM, ImageReference, Platform, is_digest

BASE_DIGEST = "org.opencontainers.image.base.digest"

INDEX_DEPTH_MAX = 8
"""Indexes inside indexes; builders make two."""

_LAYER_TYPES = (".tar", ".tar+gzip", ".tar+zstd", ".tar.gzip", ".tar.zstd")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """A manifest that may be the image asked for; `name` is the top-level entry that led to it."""

    descriptor: Descriptor
    name: str
    index: str | None
    tag: str | None


class OciLayout:
    """A Source over an OCI image layout (image-layout.md)."""

    def __init__(self, reference: ImageReference, blobs: Blobs, path: Path, limits: Limits = DEFAULT_LIMITS) -> None:
        """`path` is where the layout lies, for messages and for bundle files beside it."""
        self._reference = reference
        self._blobs = blobs
        self._path = path
        self._limits = limits
        self._notices: list[str] = []

    def image(self, platform: Platform | None) -> Image:
        """See Source. A tag or digest in the reference selects; else there must be one image only."""
        listed = tuple(self._walk())
        chosen = self._select(listed, platform)
        content, manifest = self._manifest(chosen.descriptor)
        config_bytes = read_blob(self._blobs, manifest.config.digest, oci.JSON_SIZE_MAX)
        config = oci.parse_config(config_bytes)
        layers = self._layers(manifest, config)
        return Image(
            reference=self._reference,
            digest=chosen.descriptor.digest,
            media_type=manifest.media_type,
            platform=config.platform,
            manifest=content,
            config_digest=manifest.config.digest,
            config_bytes=config_bytes,
            config=config.image,
            layers=layers,
            annotations=manifest.annotations,
            index_digest=chosen.index,
            tag=self._reference.tag or chosen.tag,
            attached=attached_artifacts(
                self._blobs,
                listed,
                self._path,
                {digest for digest in (chosen.descriptor.digest, chosen.index) if digest},
                self._limits,
                self._notices,
            ),
            base=self._base({**config.image.labels, **manifest.annotations}.get(BASE_DIGEST)),
            notices=tuple(self._notices),
        )

    def _base(self, digest: str | None) -> BaseImage | None:
        """The claimed base image, if it lies in the same layout; anything else leaves the claim a claim."""
        if digest is None or not is_digest(digest):
            return None
        try:
            manifest = self._manifest(Descriptor(media_type=oci.OCI_MANIFEST, digest=digest, size=0))[1]
            config = oci.parse_config(read_blob(self._blobs, manifest.config.digest, oci.JSON_SIZE_MAX))
        except ComplianceError:
            return None
        return BaseImage(digest=digest, diff_ids=config.diff_ids)

    def open_layer(self, layer: Layer) -> BinaryIO:
        """See Source."""
        return self._blobs.open(blob_name(layer.digest))

    def close(self) -> None:
        """See Source."""
        self._blobs.close()

    @property
    def _where(self) -> str:
        return str(self._reference)

    def _walk(self) -> Iterator[Listed]:
        """Every manifest descriptor of index.json and of the indexes below it, depth first."""
        top = oci.parse_manifest_or_index(read_small(self._blobs, "index.json", oci.JSON_SIZE_MAX), oci.OCI_INDEX)
        if not isinstance(top, oci.Index):
            raise SourceError("index.json is no image index", code="manifest-invalid", where=self._where)
        count = 0
        todo = [Listed(descriptor=item, top=item, index=None, depth=0) for item in reversed(top.manifests)]
        while todo:
            item = todo.pop()
            count += 1
            if count > oci.DESCRIPTORS_MAX:
                raise SourceError("more manifests than any image has", code="limit-exceeded", where=self._where)
            yield item
            if item.descriptor.media_type not in oci.INDEX_TYPES:
                continue
            if item.depth >= INDEX_DEPTH_MAX:
                raise SourceError("indexes nested too deep", code="limit-exceeded", where=self._where)
            content = read_blob(self._blobs, item.descriptor.digest, oci.JSON_SIZE_MAX)
            index = oci.parse_manifest_or_index(content, item.descriptor.media_type)
            if isinstance(index, oci.Index):
                todo.extend(
                    Listed(descriptor=below, top=item.top, index=item.descriptor.digest, depth=item.depth + 1)
                    for below in reversed(index.manifests)
                )

    def _select(self, listed: tuple[Listed, ...], platform: Platform | None) -> _Candidate:
        images, others = self._images(listed)
        if not images:
            if others:
                raise SourceError(
                    f"no image, but an artifact of type {', '.join(sorted(set(others)))}",
                    code="not-an-image",
                    where=self._where,
                )
            asked = self._reference.tag or self._reference.digest
            if asked and listed:
                names = sorted({name for item in listed if (name := item.tag)})
                raise SourceError(
                    f"no image named {asked} in the layout",
                    code="no-image",
                    where=self._where,
                    hint=f"it holds: {', '.join(names)}" if names else None,
                )
            raise SourceError("the layout lists no image", code="no-image", where=self._where)
        found = self._for_platform(images, platform)
        if len({item.descriptor.digest for item in found}) > 1:
            names = sorted({item.name for item in found})
            raise SourceError(
                f"{len(found)} images fit: {', '.join(names)}",
                code="ambiguous",
                where=self._where,
                hint="name one: PATH:TAG or PATH@DIGEST",
            )
        return found[0]

    def _images(self, listed: tuple[Listed, ...]) -> tuple[list[_Candidate], list[str]]:
        """The candidates the reference leaves, and the types of what is no image."""
        images: list[_Candidate] = []
        others: list[str] = []
        for item in listed:
            descriptor = item.descriptor
            if descriptor.media_type in oci.INDEX_TYPES or not self._asked_for(item):
                continue
            explicit = self._reference.digest == descriptor.digest
            if is_attachment(item) and not explicit:
                continue
            artifact = self._artifact_type(descriptor)
            if artifact is not None:
                others.append(artifact)
                continue
            index = item.index
            images.append(
                _Candidate(descriptor=descriptor, name=item.tag or descriptor.digest, index=index, tag=item.tag)
            )
        return images, others

    def _asked_for(self, item: Listed) -> bool:
        reference = self._reference
        if reference.digest and reference.digest not in (item.descriptor.digest, item.index, item.top.digest):
            return False
        if reference.tag is None:
            return True
        annotations = item.top.annotations
        names = (annotations.get(oci.REF_NAME), annotations.get(oci.CONTAINERD_NAME))
        return any(name is not None and (name == reference.tag or name.endswith(f":{reference.tag}")) for name in names)

    def _artifact_type(self, descriptor: Descriptor) -> str | None:
        """The type of a manifest that is no image; None for an image."""
        manifest = self._manifest(descriptor)[1]
        if manifest.config.media_type in oci.CONFIG_TYPES and manifest.artifact_type is None:
            return None
        if manifest.config.media_type in oci.CONFIG_TYPES and manifest.subject is None:
            return None
        return manifest.artifact_type or manifest.config.media_type or "unknown"

    def _for_platform(self, images: list[_Candidate], platform: Platform | None) -> list[_Candidate]:
        told = [(item, item.descriptor.platform or self._config_platform(item.descriptor)) for item in images]
        if platform is not None:
            found = [item for item, has in told if platform.accepts(has)]
            if not found:
                have = sorted({str(has) for _, has in told})
                raise SourceError(
                    f"no image for {platform}",
                    code="no-platform",
                    where=self._where,
                    hint=f"it holds: {', '.join(have)}",
                )
            return found
        preferred = [item for item, has in told if DEFAULT_PLATFORM.accepts(has)]
        if preferred:
            return preferred
        if len({str(has) for _, has in told}) > 1:
            have = sorted({str(has) for _, has in told})
            raise SourceError(
                "several platforms and none of them linux/amd64",
                code="ambiguous",
                where=self._where,
                hint=f"choose one with --platform: {', '.join(have)}",
            )
        return [item for item, _ in told]

    def _config_platform(self, descriptor: Descriptor) -> Platform:
        try:
            manifest = self._manifest(descriptor)[1]
            return oci.parse_config(read_blob(self._blobs, manifest.config.digest, oci.JSON_SIZE_MAX)).platform
        except FormatError:  # told in full if this one is chosen
            return Platform(os="unknown", architecture="unknown")

    def _manifest(self, descriptor: Descriptor) -> tuple[bytes, oci.Manifest]:
        content = read_blob(self._blobs, descriptor.digest, oci.JSON_SIZE_MAX)
        manifest = oci.parse_manifest_or_index(content, descriptor.media_type)
        if not isinstance(manifest, oci.Manifest):
            raise FormatError("an index where a manifest was told", code="manifest-invalid", where=descriptor.digest)
        return content, manifest

    def _layers(self, manifest: oci.Manifest, config: oci.Config) -> tuple[Layer, ...]:
        if len(manifest.layers) != len(config.diff_ids):
            raise FormatError(
                f"{len(manifest.layers)} layers but {len(config.diff_ids)} diffIDs",
                code="config-invalid",
                where="config.rootfs.diff_ids",
            )
        for item in manifest.layers:
            if not item.media_type.endswith(_LAYER_TYPES):
                raise SourceError(
                    f"a layer of type {item.media_type} can't be read",
                    code="layer-unsupported",
                    where=item.digest,
                    hint="encrypted or foreign layers must be decrypted or fetched first",
                )
        history = (
            config.created_by if len(config.created_by) == len(manifest.layers) else (None,) * len(manifest.layers)
        )
        return tuple(
            Layer(
                index=index,
                digest=item.digest,
                diff_id=diff_id,
                media_type=item.media_type,
                size=self._checked_size(item),
                created_by=step,
            )
            for index, (item, diff_id, step) in enumerate(zip(manifest.layers, config.diff_ids, history, strict=True))
        )

    def _checked_size(self, item: Descriptor) -> int:
        """The descriptor's size if the blob has it: a cheap look before a long read."""
        with self._blobs.open(blob_name(item.digest)) as stream:
            size = stream.seek(0, 2)
        if size != item.size:
            raise IntegrityError(
                f"a layer has {size} bytes, its descriptor says {item.size}",
                code="digest-mismatch",
                where=item.digest,
                hint="the copy is cut off or was changed; get the image again",
            )
        return size
