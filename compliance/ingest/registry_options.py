"""How registries are reached: what the user decides, nothing that an image or a registry says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryOptions:
    """`offline` refuses every registry at once.

    `plain_http` sends everything, credentials too, unencrypted to any registry; without it only to loopback.
    `ca_file` holds CA certificates (PEM) that are trusted beside the system's.
    `mirrors` are pairs of a registry and where to look first: ``("docker.io", "mirror.example:5000/prefix")``.
    A mirror decides what a tag means; what a digest means, it can't.
    `whole`: what is attached to an image and can't be had just now is an error, and no notice beside a result: for
    those who come again. What a registry refuses for good stays a notice.
    """

    offline: bool = False
    plain_http: bool = False
    ca_file: Path | None = None
    mirrors: tuple[tuple[str, str], ...] = ()
    whole: bool = False
