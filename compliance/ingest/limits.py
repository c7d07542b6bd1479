"""Bounds on what an image may make this machine do, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Defaults hold for every image seen in the field; a hit is an error or an Unread that names the limit."""

    layer_bytes: int = 32 * 2**30
    """Inflated bytes of one layer: ten times the largest machine-learning layers in public registries, and a
    bound on how long a decompression bomb can keep a core busy."""

    entries: int = 2_000_000
    """Entries of all layers: each costs about 300 bytes of memory."""

    path_bytes: int = 4096
    """Bytes of a path: Linux's PATH_MAX; nothing can open a longer one."""

    path_parts: int = 512
    """Directories in a path: deeper trees exist only to break readers."""

    examined_bytes: int = 256 * 2**20
    """A program file up to this size is held in memory and examined whole; of a larger one only the digest is
    computed, and that it was not examined is recorded."""

    script_bytes: int = 256 * 2**10
    """Scripts up to this size are kept, as any of them may be what an entry point runs."""

    captured_bytes: int = 512 * 2**20
    """Contents kept for catalogers and checks, all together."""

    archive_bytes: int = 64 * 2**30
    """Bytes of an image archive that is itself compressed, as unpacked to a temporary file."""

    attached_bytes: int = 32 * 2**20
    """Bytes of one signature, attestation or SBOM that lies with the image."""

    attached_artifacts: int = 1000
    """Signatures and attestations read for one image."""


DEFAULT_LIMITS = Limits()
