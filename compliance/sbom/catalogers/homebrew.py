"""Homebrew packages: the kegs of the Cellar, with the formula and the receipt that Homebrew leaves in each."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from compliance.errors import FormatError
from compliance.formats.json_data import mappings, read_json_object, text
from compliance.formats.plain_text import decode, plain_text
from compliance.formats.purl import package_url
from compliance.model.filesystem import FileEntry, FileTree
from compliance.model.inventory import Cataloged, Distribution, Location, Package, Unknown
from compliance.model.request import ContentRequest
from compliance.sbom.licenses import licenses_of

_FORMULA = ContentRequest(name="homebrew-formula", globs=("**/Cellar/*/*/.brew/*.rb",), max_size=1 * 2**20)
_RECEIPT = ContentRequest(name="homebrew-receipt", globs=("**/Cellar/*/*/INSTALL_RECEIPT.json",), max_size=1 * 2**20)

_KEG = re.compile(r"((?:.*/)?Cellar/([^/]+)/([^/]+))/(?:\.brew/[^/]+|INSTALL_RECEIPT\.json)")
_FIELD = re.compile(r"^[ \t]*(homepage|license)[ \t]+\"([^\"\n]+)\"", re.MULTILINE)


class HomebrewCataloger:
    """One package a keg: Cellar/NAME/VERSION."""

    id: str = "homebrew"
    requests: tuple[ContentRequest, ...] = (_FORMULA, _RECEIPT)

    def catalog(self, tree: FileTree, distribution: Distribution | None) -> Cataloged:
        """Every keg with a formula or a receipt, once."""
        kegs: dict[str, _Keg] = {}
        unknowns: list[Unknown] = []
        for item in (*tree.captured(_FORMULA.name), *tree.captured(_RECEIPT.name)):
            place = _KEG.fullmatch(item.entry.path)
            if place is None or not isinstance(item.value, bytes):
                continue
            keg = kegs.setdefault(place[1], _Keg(plain_text(place[2], 256), plain_text(place[3], 128)))
            keg.entries.append(item.entry)
            if item.entry.name.endswith(".rb"):
                keg.stated.update(_FIELD.findall(decode(item.value)))
                continue
            try:
                keg.depends.extend(_needed(item.value))
            except FormatError as error:
                unknowns.append(Unknown(path=item.entry.path, reason=f"Homebrew receipt: {error.message}"))
        return Cataloged(packages=tuple(keg.package() for keg in kegs.values()), unknowns=tuple(unknowns))


CATALOGER = HomebrewCataloger()


@dataclass(slots=True)
class _Keg:
    name: str
    version: str
    entries: list[FileEntry] = field(default_factory=list)
    stated: dict[str, str] = field(default_factory=dict)
    depends: list[str] = field(default_factory=list)

    def package(self) -> Package:
        return Package(
            name=self.name,
            version=self.version,
            type="brew",
            purl=package_url("brew", self.name, self.version),
            found_by=CATALOGER.id,
            locations=tuple(Location(path=entry.path, layer=entry.layer) for entry in self.entries),
            licenses=licenses_of((self.stated.get("license", ""),)),
            homepage=plain_text(self.stated.get("homepage", "")) or None,
            depends=tuple(dict.fromkeys(self.depends)),
            files=tuple(entry.path for entry in self.entries),
        )


def _needed(receipt: bytes) -> Iterator[str]:
    """Names without the tap before them. Raises FormatError."""
    for stated in mappings(read_json_object(receipt).get("runtime_dependencies")):
        if name := posixpath.basename(text(stated.get("full_name"), 256)):
            yield name
