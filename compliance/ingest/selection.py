"""From a place that may hold many manifests to the one image that a reference and a platform select."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from compliance.errors import ComplianceError, FormatError, SourceError
from compliance.formats import oci
from compliance.ingest.limits import Limits, exceeded
from compliance.ingest.manifest_store import Listed, ManifestStore
from compliance.ingest.referrers import attached_artifacts, is_attachment
from compliance.model.image import BaseImage, Descriptor, Image, Layer
from compliance.model.reference import DEFAULT_PLATFORM, ImageReference, Platform, is_digest

BASE_DIGEST = "org.opencontainers.image.base.digest"

_LAYER_TYPES = (".tar", ".tar+gzip", ".tar+zstd", ".tar.gzip", ".tar.zstd")
_UNKNOWN = Platform(os="unknown", architecture="unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """A manifest that may be the image asked for; `name` is the top-level entry that led to it."""

    descriptor: Descriptor
    platform: Platform
    name: str
    index: str | None
    tag: str | None


class Selection:
    """Selects one image of a ManifestStore. Oddities that do not stop it are added to `notices`."""

    def __init__(self, store: ManifestStore, reference: ImageReference, limits: Limits, notices: list[str]) -> None:
        """A tag or digest in `reference` selects; else there must be one image only."""
        self._store = store
        self._reference = reference
        self._limits = limits
        self._notices = notices

    def image(self, platform: Platform | None) -> Image:
        """The image for `platform` and what is attached to it. Raises SourceError, FormatError, IntegrityError."""
        listed = tuple(self._walk())
        chosen = self._select(listed, platform)
        content, manifest = self._manifest(chosen.descriptor)
        config_bytes = self._store.blob(manifest.config.digest, self._limits.manifest_bytes)
        config = oci.parse_config(config_bytes)
        about = {digest for digest in (chosen.descriptor.digest, chosen.index) if digest}
        return Image(
            reference=self._reference,
            digest=chosen.descriptor.digest,
            media_type=manifest.media_type,
            platform=config.platform,
            manifest=content,
            config_digest=manifest.config.digest,
            config_bytes=config_bytes,
            config=config.image,
            layers=self._layers(manifest, config),
            annotations=manifest.annotations,
            index_digest=chosen.index,
            tag=self._reference.tag or chosen.tag,
            attached=attached_artifacts(self._store, listed, about, self._limits, self._notices),
            base=self._base({**config.image.labels, **manifest.annotations}.get(BASE_DIGEST)),
            notices=tuple(self._notices),
        )

    @property
    def _where(self) -> str:
        return str(self._reference)

    def _walk(self) -> Iterator[Listed]:
        """Every manifest descriptor of the store and of the indexes below it, depth first."""
        count = 0
        todo = [Listed(descriptor=top, top=top, index=None, depth=0) for top in reversed(self._store.tops())]
        while todo:
            item = todo.pop()
            count += 1
            if count > self._limits.manifests:
                raise exceeded("manifests", f"more than {self._limits.manifests} manifests", self._where)
            yield item
            if item.descriptor.media_type not in oci.INDEX_TYPES:
                continue
            if item.depth >= self._limits.index_depth:
                message = f"more than {self._limits.index_depth} indexes in each other"
                raise exceeded("index_depth", message, self._where)
            index = oci.parse_manifest_or_index(self._store.manifest(item.descriptor), item.descriptor.media_type)
            if isinstance(index, oci.Index):
                todo.extend(
                    Listed(descriptor=below, top=item.top, index=item.descriptor.digest, depth=item.depth + 1)
                    for below in reversed(index.manifests)
                )

    def _select(self, listed: tuple[Listed, ...], platform: Platform | None) -> _Candidate:
        """Only manifests that fit are read to see whether they are images: an index may list dozens."""
        candidates, artifacts = self._candidates(listed)
        while candidates:
            found = self._for_platform(candidates, platform)
            types = {item.descriptor.digest: self._artifact_type(item.descriptor) for item in found}
            if not any(types.values()):
                return self._only(found)
            artifacts.extend(kind for kind in types.values() if kind)
            candidates = [item for item in candidates if not types.get(item.descriptor.digest)]
        raise self._no_image(listed, artifacts)

    def _candidates(self, listed: tuple[Listed, ...]) -> tuple[list[_Candidate], list[str]]:
        """The manifests that the reference leaves, and the types of what is no image."""
        candidates: list[_Candidate] = []
        artifacts: list[str] = []
        for item in listed:
            descriptor = item.descriptor
            if descriptor.media_type in oci.INDEX_TYPES or not self._asked_for(item):
                continue
            if is_attachment(item) and not self._named(item):
                continue
            platform = descriptor.platform
            if platform is None:
                artifact = self._artifact_type(descriptor)
                if artifact is not None:
                    artifacts.append(artifact)
                    continue
                platform = self._config_platform(descriptor)
            name = item.tag or descriptor.digest
            candidates.append(
                _Candidate(descriptor=descriptor, platform=platform, name=name, index=item.index, tag=item.tag)
            )
        return candidates, artifacts

    def _asked_for(self, item: Listed) -> bool:
        reference = self._reference
        if reference.digest and reference.digest not in (item.descriptor.digest, item.index, item.top.digest):
            return False
        if reference.tag is None:
            return True
        annotations = item.top.annotations
        names = (annotations.get(oci.REF_NAME), annotations.get(oci.CONTAINERD_NAME))
        return any(name is not None and (name == reference.tag or name.endswith(f":{reference.tag}")) for name in names)

    def _named(self, item: Listed) -> bool:
        """Whether the reference names this very manifest: then its type is told rather than passed over."""
        if self._reference.digest is not None:
            return self._reference.digest == item.descriptor.digest
        return item.depth == 0 and self._reference.tag is not None

    def _artifact_type(self, descriptor: Descriptor) -> str | None:
        """The type of a manifest that is no image; None for an image."""
        manifest = self._manifest(descriptor)[1]
        if manifest.config.media_type not in oci.CONFIG_TYPES or (manifest.artifact_type and manifest.subject):
            return manifest.artifact_type or manifest.config.media_type or "unknown"
        # cosign's signatures and buildkit's attestations are told from images by their layers alone.
        types = [layer.media_type for layer in manifest.layers]
        return types[0] if types and not any(".tar" in kind for kind in types) else None

    def _for_platform(self, candidates: Sequence[_Candidate], platform: Platform | None) -> list[_Candidate]:
        wanted = platform or DEFAULT_PLATFORM
        found = [item for item in candidates if wanted.accepts(item.platform)]
        if found:
            return found
        have = sorted({str(item.platform) for item in candidates})
        if platform is not None:
            raise SourceError(
                f"no image for {platform}", code="no-platform", where=self._where, hint=f"it holds: {', '.join(have)}"
            )
        if len(have) > 1:
            raise SourceError(
                "several platforms and none of them linux/amd64",
                code="ambiguous",
                where=self._where,
                hint=f"choose one with --platform: {', '.join(have)}",
            )
        return list(candidates)

    def _only(self, found: Sequence[_Candidate]) -> _Candidate:
        if len({item.descriptor.digest for item in found}) > 1:
            names = sorted({item.name for item in found})
            raise SourceError(
                f"{len(found)} images fit: {', '.join(names)}",
                code="ambiguous",
                where=self._where,
                hint="name one by its tag or digest: :TAG or @DIGEST",
            )
        return found[0]

    def _no_image(self, listed: tuple[Listed, ...], artifacts: Sequence[str]) -> SourceError:
        holder = self._store.holder
        if artifacts:
            return SourceError(
                f"no image, but an artifact of type {', '.join(sorted(set(artifacts)))}",
                code="not-an-image",
                where=self._where,
            )
        asked = self._reference.tag or self._reference.digest
        if asked and listed:
            names = sorted({name for item in listed if (name := item.tag)})
            return SourceError(
                f"no image named {asked} in the {holder}",
                code="no-image",
                where=self._where,
                hint=f"it holds: {', '.join(names)}" if names else None,
            )
        return SourceError(f"the {holder} lists no image", code="no-image", where=self._where)

    def _config_platform(self, descriptor: Descriptor) -> Platform:
        try:
            manifest = self._manifest(descriptor)[1]
            return oci.parse_config(self._store.blob(manifest.config.digest, self._limits.manifest_bytes)).platform
        except FormatError:  # told in full if this one is chosen
            return _UNKNOWN

    def _manifest(self, descriptor: Descriptor) -> tuple[bytes, oci.Manifest]:
        content = self._store.manifest(descriptor)
        manifest = oci.parse_manifest_or_index(content, descriptor.media_type)
        if not isinstance(manifest, oci.Manifest):
            raise FormatError("an index where a manifest was told", code="manifest-invalid", where=descriptor.digest)
        return content, manifest

    def _base(self, digest: str | None) -> BaseImage | None:
        """The claimed base image, if it lies in the same place; anything else leaves the claim a claim."""
        if digest is None or not is_digest(digest):
            return None
        try:
            manifest = self._manifest(Descriptor(media_type=oci.OCI_MANIFEST, digest=digest, size=0))[1]
            config = oci.parse_config(self._store.blob(manifest.config.digest, self._limits.manifest_bytes))
        except ComplianceError:
            return None
        return BaseImage(digest=digest, diff_ids=config.diff_ids)

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
                size=self._store.layer_size(item),
                created_by=step,
            )
            for index, (item, diff_id, step) in enumerate(zip(manifest.layers, config.diff_ids, history, strict=True))
        )
