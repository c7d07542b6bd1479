"""Packages that ELF files name in themselves: .note.package (systemd, "Package Metadata for ELF Files").

A note names the source package of its file, and every file of a distribution may carry one. So where the package
database of the same kind is in the image, that tells more truly what is installed and the notes are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from compliance.errors import FormatError
from compliance.formats.json_data import read_json_object, text
from compliance.formats.purl import package_url
from compliance.model.filesystem import FileEntry, FileTree
from compliance.model.inventory import Cataloged, Distribution, Location, Package, Unknown
from compliance.model.request import ContentRequest

_NOTE_MAX = 64 * 1024
_TYPE = re.compile(r"[a-z][a-z0-9.+-]{0,31}")
_OS_CPE = re.compile(r"cpe:/o:[^:]+:(?P<product>[^:]+)(?::(?P<version>[^:]+))?.*")
_DATABASES: Mapping[str, tuple[str, ...]] = {
    "alpm": ("var/lib/pacman/local",),
    "apk": ("lib/apk/db/installed", "usr/lib/apk/db/installed"),
    "deb": ("var/lib/dpkg/status", "var/lib/dpkg/status.d"),
    "rpm": ("var/lib/rpm", "usr/lib/sysimage/rpm", "usr/share/rpm", "var/lib/rpmmanifest"),
}
# ELF machine numbers (System V gABI, e_machine) as package managers spell them.
_ARCHITECTURES: Mapping[str, Mapping[int, str]] = {
    "deb": {3: "i386", 21: "ppc64el", 22: "s390x", 40: "armhf", 62: "amd64", 183: "arm64", 243: "riscv64"},
    "rpm": {3: "i686", 21: "ppc64le", 22: "s390x", 62: "x86_64", 183: "aarch64", 243: "riscv64"},
}


class ElfNoteCataloger:
    """One package for each different note; its locations are the files that carry it."""

    id: str = "elf-note"
    requests: tuple[ContentRequest, ...] = ()

    def catalog(self, tree: FileTree, distribution: Distribution | None) -> Cataloged:
        """Every note with type, name and version; others are unknowns."""
        carriers: dict[tuple[str, int], list[FileEntry]] = {}
        for entry in tree:
            elf = entry.facts.elf if entry.facts else None
            if elf is not None and elf.package_note:
                carriers.setdefault((elf.package_note, elf.machine), []).append(entry)
        packages: list[Package] = []
        unknowns: list[Unknown] = []
        for (note, machine), entries in carriers.items():
            try:
                package = _package(_read(note), machine, entries, distribution)
            except FormatError as error:
                unknowns.append(Unknown(path=entries[0].path, reason=f"package note: {error.message}"))
                continue
            if not any(tree.get(place) for place in _DATABASES.get(package.type, ())):
                packages.append(package)
        return Cataloged(packages=tuple(packages), unknowns=tuple(unknowns))


CATALOGER = ElfNoteCataloger()


def _read(note: str) -> Mapping[str, Any]:
    """The fields of a note. Raises FormatError."""
    if len(note) > _NOTE_MAX:
        raise FormatError(f"more than {_NOTE_MAX} characters", code="elf-note-invalid")
    stated = read_json_object(note.encode("utf-8", "replace"))
    if not _TYPE.fullmatch(text(stated.get("type"))) or not text(stated.get("name")) or not text(stated.get("version")):
        raise FormatError("no type, name or version", code="elf-note-invalid")
    return stated


def _package(
    stated: Mapping[str, Any], machine: int, entries: list[FileEntry], distribution: Distribution | None
) -> Package:
    type_, name, version = text(stated["type"]), text(stated["name"], 256), text(stated["version"], 128)
    architecture = text(stated.get("architecture"), 64) or _ARCHITECTURES.get(type_, {}).get(machine)
    system, release = _system(stated, distribution)
    return Package(
        name=name,
        version=version,
        type=type_,
        purl=package_url(
            type_,
            name,
            version,
            namespace=system,
            qualifiers={"arch": architecture, "distro": f"{system}-{release}" if system and release else system},
        ),
        found_by=CATALOGER.id,
        locations=tuple(Location(path=entry.path, layer=entry.layer) for entry in entries),
        architecture=architecture,
        source_name=name,
        source_version=version,
        homepage=text(stated.get("url") or stated.get("homepage")) or None,
    )


def _system(stated: Mapping[str, Any], distribution: Distribution | None) -> tuple[str | None, str | None]:
    """The operating system and release that the note names, by os-release's names or a CPE, else the image's."""
    if system := text(stated.get("os"), 64):
        return system.lower(), text(stated.get("osVersion"), 64) or None
    if named := _OS_CPE.fullmatch(text(stated.get("osCpe"), 256)):
        return named["product"].lower(), named["version"]
    if distribution is None:
        return None, None
    return distribution.id, distribution.version_id or distribution.codename
