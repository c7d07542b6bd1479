"""An image: manifest, config and layers with the raw bytes that their digests cover."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from compliance.model.reference import ImageReference, Platform

_EMPTY: Mapping[str, str] = MappingProxyType({})


def _none() -> Mapping[str, str]:
    return _EMPTY


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """A reference to content by digest (OCI image-spec, descriptor.md). `size` in bytes."""

    media_type: str
    digest: str
    size: int
    annotations: Mapping[str, str] = field(default_factory=_none)
    artifact_type: str | None = None
    platform: Platform | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer in the order of rootfs.diff_ids, lowest first.

    `digest` covers the bytes as stored, `diff_id` the tar inside; `size` is that of the stored bytes.
    `created_by` is the build step told by the config's history: an unsigned claim.
    """

    index: int
    digest: str
    diff_id: str
    media_type: str
    size: int
    created_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """The runtime configuration (OCI image-spec, config.md). Absent lists are empty, absent texts None.

    `healthcheck`, `shell` and `on_build` exist only in Docker's config; None means the key is absent.
    """

    user: str | None = None
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=_none)
    labels: Mapping[str, str] = field(default_factory=_none)
    exposed_ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    working_dir: str | None = None
    stop_signal: str | None = None
    healthcheck: tuple[str, ...] | None = None
    shell: tuple[str, ...] | None = None
    on_build: tuple[str, ...] = ()
    created: str | None = None
    history: tuple[str, ...] = ()


class AttachmentSource(StrEnum):
    """How an attached artifact was found."""

    REFERRER = "referrer"  # a manifest whose subject is this image
    TAG = "tag"  # cosign's sha256-<hex>.sig / .att
    INDEX = "index"  # buildkit's attestation manifest inside the index
    FILE = "file"  # a bundle file given beside the image


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedBlob:
    """One layer of an attached artifact, whole: its bytes hash to `descriptor.digest`."""

    descriptor: Descriptor
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedArtifact:
    """Something stored beside the image about it: signatures, attestations, SBOMs. Unverified.

    `unread` says why blobs of it are not in `blobs`.
    """

    source: AttachmentSource
    name: str  # tag, manifest digest or file name
    artifact_type: str | None
    annotations: Mapping[str, str]
    blobs: tuple[AttachedBlob, ...]
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseImage:
    """The image that ``org.opencontainers.image.base.digest`` claims as base, found beside this one.

    Its manifest hashes to `digest`, its config to what the manifest says: `diff_ids` are really its layers.
    That it is the base of this image is for a check to compare.
    """

    digest: str
    diff_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image for one platform, with every digest checked against the bytes.

    `digest` is the manifest's; for a docker-archive without a manifest the config's (Docker's image ID);
    for a root filesystem the digest of its listing (`media_type` says which). `config` is None only for
    a root filesystem. `notices` are oddities of the source that did not stop the reading.
    """

    reference: ImageReference
    digest: str
    media_type: str
    platform: Platform | None
    manifest: bytes = field(repr=False)
    config_digest: str | None
    config_bytes: bytes = field(repr=False)
    config: ImageConfig | None
    layers: tuple[Layer, ...]
    annotations: Mapping[str, str] = field(default_factory=_none)
    index_digest: str | None = None
    tag: str | None = None
    attached: tuple[AttachedArtifact, ...] = ()
    base: BaseImage | None = None
    notices: tuple[str, ...] = ()
