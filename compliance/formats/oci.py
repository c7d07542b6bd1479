"""OCI and Docker manifests, indexes and configs (image-spec 1.1; Docker's schema 2), read strictly.

Every function takes bytes whose digest the caller has checked, and raises FormatError with the field's path.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from compliance.errors import FormatError
from compliance.model.image import Descriptor, ImageConfig
from compliance.model.reference import Platform, is_digest

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
EMPTY_CONFIG = "application/vnd.oci.empty.v1+json"

INDEX_TYPES = frozenset((OCI_INDEX, DOCKER_LIST))
MANIFEST_TYPES = frozenset((OCI_MANIFEST, DOCKER_MANIFEST))
CONFIG_TYPES = frozenset((OCI_CONFIG, DOCKER_CONFIG))

REF_NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"

JSON_SIZE_MAX = 4 * 2**20
"""Bytes of a manifest, index or config: registries need not take more (distribution-spec, "Pushing Manifests")."""
DESCRIPTORS_MAX = 10_000
"""Entries of one index or layers of one manifest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """An image index: what it lists, in order."""

    media_type: str
    manifests: tuple[Descriptor, ...]
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """An image manifest. `subject` is set on artifacts that are about another manifest."""

    media_type: str
    artifact_type: str | None
    config: Descriptor
    layers: tuple[Descriptor, ...]
    subject: Descriptor | None
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A config blob: the platform, the layers' diffIDs and the runtime configuration."""

    platform: Platform
    diff_ids: tuple[str, ...]
    image: ImageConfig
    created_by: tuple[str | None, ...]  # one per layer, from the history entries that are not empty layers


def load_json(content: bytes, what: str, code: str) -> object:
    """Parse JSON that may be hostile: nesting and encoding problems are a FormatError. Its size is the caller's to
    bound, by JSON_SIZE_MAX if nothing else is set."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise FormatError(f"{what} is not JSON", code=code) from None


def parse_manifest_or_index(content: bytes, media_type: str | None = None) -> Manifest | Index:
    """Read a manifest or an index, told apart by `media_type`, its own ``mediaType`` or its keys."""
    document = _Object(load_json(content, "manifest", "manifest-invalid"), "manifest", "manifest-invalid")
    said = document.text("mediaType") or media_type or ""
    if (document.has("signatures") and document.has("fsLayers")) or document.raw.get("schemaVersion") == 1:
        raise FormatError(
            "a Docker schema 1 manifest is not supported",
            code="manifest-unsupported",
            hint="convert it, e.g. with skopeo copy --format v2s2",
        )
    if said in INDEX_TYPES or (said not in MANIFEST_TYPES and document.has("manifests")):
        return Index(
            media_type=said or OCI_INDEX,
            manifests=tuple(descriptor(item) for item in document.objects("manifests")),
            annotations=document.texts("annotations"),
        )
    if said and said not in MANIFEST_TYPES and not document.has("config"):
        raise FormatError(f"media type {said} is no image", code="manifest-unsupported")
    subject = document.child("subject")
    config = document.child("config")
    if config is None:
        raise FormatError("a manifest without a config", code="manifest-invalid", where="manifest.config")
    return Manifest(
        media_type=said or OCI_MANIFEST,
        artifact_type=document.text("artifactType"),
        config=descriptor(config),
        layers=tuple(descriptor(item) for item in document.objects("layers")),
        subject=descriptor(subject) if subject else None,
        annotations=document.texts("annotations"),
    )


def descriptor(value: _Object) -> Descriptor:
    """One descriptor; its digest must be one, or no file is looked up by it."""
    digest = value.text("digest") or ""
    if not is_digest(digest):
        raise FormatError("not a digest", code="digest-invalid", where=f"{value.where}.digest")
    size = value.raw.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise FormatError("not a size in bytes", code=value.code, where=f"{value.where}.size")
    place = value.child("platform")
    return Descriptor(
        media_type=value.text("mediaType") or "",
        digest=digest,
        size=size,
        annotations=value.texts("annotations"),
        artifact_type=value.text("artifactType"),
        platform=_platform(place) if place else None,
    )


def parse_config(content: bytes) -> Config:
    """Read an image config (OCI config.md; Docker's keys Healthcheck, Shell, OnBuild are read too)."""
    document = _Object(load_json(content, "image config", "config-invalid"), "config", "config-invalid")
    rootfs = document.child("rootfs")
    if rootfs is None:
        raise FormatError("an image config without rootfs", code="config-invalid", where="config.rootfs")
    diff_ids = rootfs.strings("diff_ids")
    for index, diff_id in enumerate(diff_ids):
        if not is_digest(diff_id):
            raise FormatError("not a digest", code="digest-invalid", where=f"config.rootfs.diff_ids[{index}]")
    history = document.objects("history")
    runtime = document.child("config") or _Object({}, "config.config", "config-invalid")
    health = runtime.child("Healthcheck")
    shell = runtime.strings("Shell") if runtime.has("Shell") else None
    return Config(
        platform=_platform(document),
        diff_ids=diff_ids,
        created_by=tuple(item.text("created_by") for item in history if item.raw.get("empty_layer") is not True),
        image=ImageConfig(
            user=runtime.text("User"),
            entrypoint=runtime.strings("Entrypoint"),
            cmd=runtime.strings("Cmd"),
            env=_environment(runtime.strings("Env")),
            labels=runtime.texts("Labels"),
            exposed_ports=tuple(sorted(runtime.keys("ExposedPorts"))),
            volumes=tuple(sorted(runtime.keys("Volumes"))),
            working_dir=runtime.text("WorkingDir"),
            stop_signal=runtime.text("StopSignal"),
            healthcheck=health.strings("Test") if health else None,
            shell=shell,
            on_build=runtime.strings("OnBuild"),
            created=document.text("created"),
            history=tuple(item.text("created_by") or "" for item in history),
        ),
    )


def _environment(entries: tuple[str, ...]) -> Mapping[str, str]:
    """``NAME=value`` lines; the last of a name counts, as in execve's readers."""
    return MappingProxyType(dict(entry.partition("=")[::2] for entry in entries))


def _platform(value: _Object) -> Platform:
    return Platform(
        os=value.text("os") or "unknown",
        architecture=value.text("architecture") or "unknown",
        variant=value.text("variant") or None,
    )


class _Object:
    """A JSON object with its place in the document, so that errors can name the field."""

    def __init__(self, value: object, where: str, code: str) -> None:
        if not isinstance(value, dict):
            raise FormatError("not a JSON object", code=code, where=where)
        self.raw: dict[str, object] = value
        self.where = where
        self.code = code

    def has(self, key: str) -> bool:
        return self.raw.get(key) is not None

    def text(self, key: str) -> str | None:
        value = self.raw.get(key)
        if value is not None and not isinstance(value, str):
            raise self._wrong(key, "a text")
        return value

    def child(self, key: str) -> _Object | None:
        value = self.raw.get(key)
        return None if value is None else _Object(value, f"{self.where}.{key}", self.code)

    def objects(self, key: str) -> tuple[_Object, ...]:
        return tuple(
            _Object(item, f"{self.where}.{key}[{index}]", self.code) for index, item in enumerate(self._list(key))
        )

    def strings(self, key: str) -> tuple[str, ...]:
        value = self.raw.get(key)
        if isinstance(value, str):  # very old builders wrote one text for a list of one
            return (value,)
        items = self._list(key)
        texts = tuple(item for item in items if isinstance(item, str))
        if len(texts) != len(items):
            raise self._wrong(key, "a list of texts")
        return texts

    def texts(self, key: str) -> Mapping[str, str]:
        value = self.raw.get(key)
        if value is None:
            return MappingProxyType({})
        if not isinstance(value, dict):
            raise self._wrong(key, "an object of texts")
        texts = {name: item for name, item in value.items() if isinstance(item, str)}
        if len(texts) != len(value):
            raise self._wrong(key, "an object of texts")
        return MappingProxyType(texts)

    def keys(self, key: str) -> tuple[str, ...]:
        value = self.raw.get(key)
        if value is None:
            return ()
        if not isinstance(value, dict):
            raise self._wrong(key, "an object")
        return tuple(value)

    def _list(self, key: str) -> list[object]:
        value = self.raw.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self._wrong(key, "a list")
        if len(value) > DESCRIPTORS_MAX:
            raise FormatError(
                f"more than {DESCRIPTORS_MAX} entries", code="limit-exceeded", where=f"{self.where}.{key}"
            )
        return value

    def _wrong(self, key: str, wanted: str) -> FormatError:
        return FormatError(f"not {wanted}", code=self.code, where=f"{self.where}.{key}")
