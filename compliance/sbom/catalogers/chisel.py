"""Ubuntu packages of which only slices were cut out: chisel's manifest (chisel, "jsonwall" and manifest schema 1.0).

An image made by chisel has no dpkg database; the manifest says which packages its files come from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from compliance.errors import FormatError
from compliance.formats.json_data import mapping, text, texts
from compliance.formats.purl import package_url
from compliance.model.filesystem import FileEntry, FileTree
from compliance.model.inventory import Cataloged, Distribution, Location, Package, Unknown
from compliance.model.request import ContentRequest
from compliance.sbom.distribution import distro_qualifier

_MANIFEST = ContentRequest(name="chisel-manifest", globs=("**/manifest.wall",), max_size=32 * 2**20)

_INFLATED_MAX = 256 * 2**20
_ZSTANDARD = b"\x28\xb5\x2f\xfd"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_UBUNTU = "ubuntu"


class ChiselCataloger:
    """Packages of manifest.wall, usually in var/lib/chisel, with the paths that their slices brought."""

    id: str = "chisel"
    requests: tuple[ContentRequest, ...] = (_MANIFEST,)

    def catalog(self, tree: FileTree, distribution: Distribution | None) -> Cataloged:
        """Every package of a readable manifest."""
        packages: list[Package] = []
        unknowns: list[Unknown] = []
        for item in tree.captured(_MANIFEST.name):
            if not isinstance(item.value, bytes):
                continue
            try:
                packages.extend(_packages(_inflated(item.value), item.entry, distribution))
            except FormatError as error:
                unknowns.append(Unknown(path=item.entry.path, reason=f"chisel manifest: {error.message}"))
        return Cataloged(packages=tuple(packages), unknowns=tuple(unknowns))


CATALOGER = ChiselCataloger()


def _inflated(content: bytes) -> bytes:
    """The lines of a manifest, which chisel compresses. Raises FormatError."""
    if not content.startswith(_ZSTANDARD):
        return content
    import zstandard

    try:
        with zstandard.ZstdDecompressor().stream_reader(content, read_across_frames=True) as reader:
            inflated = bytes(reader.read(_INFLATED_MAX + 1))
    except (zstandard.ZstdError, MemoryError):
        raise FormatError("not Zstandard", code="chisel-invalid") from None
    if len(inflated) > _INFLATED_MAX:
        raise FormatError(f"more than {_INFLATED_MAX} bytes", code="chisel-invalid")
    return inflated


def _packages(content: bytes, entry: FileEntry, distribution: Distribution | None) -> Iterator[Package]:
    """Raises FormatError before it gives a package of a manifest that is not one."""
    records = list(_records(content))
    if not records or not text(records[0].get("jsonwall")):
        raise FormatError("no jsonwall header", code="chisel-invalid")
    files: dict[str, dict[str, str]] = {}
    for record in records:
        path = record.get("path")
        if record.get("kind") == "path" and isinstance(path, str) and not path.endswith("/"):
            digest = text(record.get("final_sha256") or record.get("sha256"))
            for name in texts(record.get("slices"), 256):
                owned = files.setdefault(name.partition("_")[0], {})
                owned[path.lstrip("/")] = f"sha256:{digest}" if _DIGEST.fullmatch(digest) else ""
    for record in records:
        if record.get("kind") == "package" and text(record.get("name")) and text(record.get("version")):
            yield _package(record, files.get(text(record.get("name"), 256), {}), entry, distribution)


def _records(content: bytes) -> Iterator[Mapping[str, Any]]:
    """One JSON object a line. Raises FormatError."""
    for line in content.split(b"\n"):
        if not line.strip():
            continue
        try:
            yield mapping(json.loads(line))
        except (ValueError, RecursionError):
            raise FormatError("a line that is not JSON", code="chisel-invalid") from None


def _package(
    record: Mapping[str, Any], files: Mapping[str, str], entry: FileEntry, distribution: Distribution | None
) -> Package:
    name, version = text(record["name"], 256), text(record["version"], 128)
    architecture, digest = text(record.get("arch"), 64) or None, text(record.get("sha256"))
    return Package(
        name=name,
        version=version,
        type="deb",
        purl=package_url(
            "deb",
            name,
            version,
            namespace=distribution.id if distribution else _UBUNTU,
            qualifiers={"arch": architecture, "distro": distro_qualifier(distribution)},
        ),
        found_by=CATALOGER.id,
        locations=(Location(path=entry.path, layer=entry.layer),),
        architecture=architecture,
        digests=(("SHA-256", digest),) if _DIGEST.fullmatch(digest) else (),
        files=tuple(files),
        file_digests={path: value for path, value in files.items() if value},
    )
