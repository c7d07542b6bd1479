"""How a user names an image, and the platform chosen from an index."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from compliance.errors import UsageError

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")


def is_digest(text: str) -> bool:
    """Whether `text` is a digest of a registered algorithm (OCI image-spec, descriptor.md#digests).

    Anything else is refused before it could name a file: ``sha256:../../etc/passwd`` is no digest.
    """
    return _DIGEST.fullmatch(text) is not None


def algorithm_of(digest: str) -> str:
    """The algorithm that `digest` names; sha256 where there is no digest to compare with."""
    return digest.partition(":")[0] if is_digest(digest) else "sha256"


class Scheme(StrEnum):
    """Where an image lies. The values are the prefixes users type."""

    REGISTRY = "registry"
    OCI_DIR = "oci-dir"
    OCI_ARCHIVE = "oci-archive"
    DOCKER_ARCHIVE = "docker-archive"
    DOCKER = "docker"
    PODMAN = "podman"
    DIR = "dir"
    ROOTFS_TAR = "rootfs-tar"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReference:
    """One image as the user named it. `target` is a path, or HOST/NAME for registry and engines."""

    scheme: Scheme
    target: str
    tag: str | None = None
    digest: str | None = None

    def __str__(self) -> str:
        """The reference in the form the command accepts."""
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.scheme}:{self.target}{tag}{digest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """``os/architecture[/variant]`` (OCI image-index, platform)."""

    os: str
    architecture: str
    variant: str | None = None

    def __str__(self) -> str:
        """The form of ``--platform``."""
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Read ``linux/arm/v7``. Raises UsageError when it has not two or three parts."""
        parts = text.split("/")
        if len(parts) not in (2, 3) or not all(parts):
            raise UsageError(
                f"not a platform: {text!r}", code="platform-invalid", hint="write os/architecture[/variant]"
            )
        return cls(os=parts[0], architecture=parts[1], variant=parts[2] if len(parts) == 3 else None)

    def accepts(self, other: Platform) -> bool:
        """Whether `other` is what was asked; a variant counts only when one was asked."""
        same = (self.os, self.architecture) == (other.os, other.architecture)
        return same and (self.variant is None or self.variant == other.variant)


DEFAULT_PLATFORM = Platform(os="linux", architecture="amd64")
