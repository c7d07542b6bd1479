"""Bounds on what an image may make this machine do, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from compliance.errors import LimitError, UsageError
from compliance.formats.oci import DESCRIPTORS_MAX, JSON_SIZE_MAX
from compliance.model.filesystem import LINK_HOPS_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Defaults hold for every image seen in the field; a hit is an error or an Unread that names the limit."""

    layer_bytes: int = 32 * 2**30
    """Inflated bytes of one layer: ten times the largest machine-learning layers in public registries, and a
    bound on how long a decompression bomb can keep a core busy."""

    image_bytes: int = 256 * 2**30
    """Inflated bytes of all layers that are read: a manifest may list thousands, each of them just within
    `layer_bytes`. Eight layers of that size pass."""

    inflation_ratio: int = 1040
    """Inflated bytes for one stored byte, above RATIO_FREE_BYTES (inflate.py). Deflate can't pass 1032 (zlib's notes,
    "Maximum Compression Factor"), so gzip is never refused; zstd packs 30,000 zeros into one byte, and without this
    a megabyte could hold `layer_bytes`."""

    entries: int = 4_000_000
    """Entries of all layers: four times the largest images in the field; each costs a few hundred bytes of memory."""

    path_bytes: int = 4096
    """Bytes of a path: Linux's PATH_MAX; nothing can open a longer one."""

    path_parts: int = 512
    """Directories in a path: deeper trees exist only to break readers."""

    link_hops: int = LINK_HOPS_MAX
    """Links followed from a file of an image archive to its bytes: as many as Linux follows."""

    examined_bytes: int = 256 * 2**20
    """A program file up to this size is held in memory and examined whole; of a larger one only the digest is
    computed, and that it was not examined is recorded."""

    script_bytes: int = 256 * 2**10
    """Scripts up to this size are kept, as any of them may be what an entry point runs."""

    captured_bytes: int = 512 * 2**20
    """Contents kept for catalogers and checks, all together."""

    archive_bytes: int = 64 * 2**30
    """Bytes of an image archive that has to be written to a temporary file: a compressed one, or an engine's export."""

    archive_members: int = 100_000
    """Files of an image archive: a few for each layer."""

    manifest_bytes: int = JSON_SIZE_MAX
    """Bytes of a manifest, an index or a config: registries need not take more (distribution-spec, "Pushing
    Manifests")."""

    manifests: int = DESCRIPTORS_MAX
    """Manifests that a layout lists, in all its indexes."""

    index_depth: int = 8
    """Indexes inside indexes; builders make two."""

    attached_bytes: int = 32 * 2**20
    """Bytes of one signature, attestation or SBOM that lies with the image."""

    attached_artifacts: int = 1000
    """Signatures and attestations read for one image."""

    def with_settings(self, settings: Mapping[str, object]) -> Limits:
        """These limits with those that a configuration sets: name to a whole number above 0.

        Raises UsageError (``limit-invalid``) for a name that is none, or anything else than such a number.
        """
        names = [field.name for field in fields(self)]
        checked: dict[str, int] = {}
        for name, value in settings.items():
            if name not in names:
                from difflib import get_close_matches

                close = get_close_matches(name, names, n=1)
                raise UsageError(
                    f"no limit is called {name!r}",
                    code="limit-invalid",
                    where=f"limits.{name}",
                    hint=f"did you mean {close[0]}?" if close else f"there are: {', '.join(names)}",
                )
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise UsageError(f"not a whole number above 0: {value!r}", code="limit-invalid", where=f"limits.{name}")
            checked[name] = value
        return replace(self, **checked)


def exceeded(limit: str, message: str, where: str | None = None) -> LimitError:
    """The error for a hit of the limit called `limit`."""
    return LimitError(
        f"{message}: the limit {limit} is passed",
        code="limit-exceeded",
        where=where,
        hint="a larger one can be set if the image is trusted",
    )


DEFAULT_LIMITS = Limits()
