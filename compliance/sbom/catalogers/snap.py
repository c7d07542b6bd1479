"""Snaps: meta/snap.yaml of each revision that is mounted or unpacked (snapcraft, "Snap format")."""

from __future__ import annotations

from typing import Any

from compliance.errors import FormatError
from compliance.formats.plain_text import decode, plain_text
from compliance.formats.purl import package_url
from compliance.model.filesystem import FileEntry, FileTree
from compliance.model.inventory import Cataloged, Distribution, Location, Package, Unknown
from compliance.model.request import ContentRequest
from compliance.sbom.licenses import licenses_of

_SNAP = ContentRequest(name="snap", globs=("**/snap/*/*/meta/snap.yaml",), max_size=256 * 1024)


class SnapCataloger:
    """One package a snap and revision."""

    id: str = "snap"
    requests: tuple[ContentRequest, ...] = (_SNAP,)

    def catalog(self, tree: FileTree, distribution: Distribution | None) -> Cataloged:
        """Every snap.yaml with a name and a version; others are unknowns."""
        packages: list[Package] = []
        unknowns: list[Unknown] = []
        for item in tree.captured(_SNAP.name):
            try:
                packages.append(_package(item.value if isinstance(item.value, bytes) else b"", item.entry))
            except FormatError as error:
                unknowns.append(Unknown(path=item.entry.path, reason=f"snap.yaml: {error.message}"))
        return Cataloged(packages=tuple(packages), unknowns=tuple(unknowns))


CATALOGER = SnapCataloger()


def _package(content: bytes, entry: FileEntry) -> Package:
    """The snap of one file. Raises FormatError."""
    values = _top_level(content)
    name, version = _one(values, "name"), _one(values, "version")
    if not name or not version:
        raise FormatError("no name or version", code="snap-invalid")
    architectures = values.get("architectures", [])
    architecture = architectures[0] if len(architectures) == 1 and architectures[0] != "all" else None
    return Package(
        name=name,
        version=version,
        type="snap",
        purl=package_url("snap", name, version, qualifiers={"arch": architecture}),
        found_by=CATALOGER.id,
        locations=(Location(path=entry.path, layer=entry.layer),),
        licenses=licenses_of((_one(values, "license"),)),
        architecture=architecture,
        homepage=_one(values, "website") or None,
        depends=tuple(base for base in (_one(values, "base"),) if base),
    )


def _one(values: dict[str, list[str]], key: str) -> str:
    return next(iter(values.get(key, ())), "")


def _top_level(content: bytes) -> dict[str, list[str]]:
    """The texts and lists of texts of the top mapping, as they are spelled: a version ``1.10`` is no number.

    Read from the node graph, which neither builds objects nor copies what an alias refers to. Raises FormatError.
    """
    import yaml

    try:
        top: Any = yaml.compose(decode(content), Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError, ValueError):
        raise FormatError("not YAML", code="snap-invalid") from None
    if not isinstance(top, yaml.MappingNode):
        raise FormatError("not a mapping", code="snap-invalid")
    values: dict[str, list[str]] = {}
    for key, value in top.value:
        parts = value.value if isinstance(value, yaml.SequenceNode) else [value]
        found = [plain_text(part.value, 256) for part in parts if isinstance(part, yaml.ScalarNode)]
        if isinstance(key, yaml.ScalarNode):
            values.setdefault(key.value, found)
    return values
