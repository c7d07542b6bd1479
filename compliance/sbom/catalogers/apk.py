"""Alpine-style packages: apk's database of installed packages (apk-package(5), "installed")."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from compliance.formats.plain_text import plain_text
from compliance.formats.purl import package_url
from compliance.model.filesystem import Captured, FileTree
from compliance.model.inventory import Cataloged, Distribution, License, Location, Package, Unknown
from compliance.model.request import ContentRequest
from compliance.sbom.distribution import distro_qualifier
from compliance.sbom.licenses import license_of, licenses_of

_DATABASE = ContentRequest(
    name="apk-installed", globs=("lib/apk/db/installed", "usr/lib/apk/db/installed"), max_size=128 * 2**20
)
_CONSTRAINT = re.compile(r"[<>=~@]")


class ApkCataloger:
    """Packages of lib/apk/db/installed (usr/lib/apk/db since the merge of /usr)."""

    id: str = "apk"
    requests: tuple[ContentRequest, ...] = (_DATABASE,)

    def catalog(self, tree: FileTree, distribution: Distribution | None) -> Cataloged:
        """Every record with a name and a version; others are unknowns."""
        packages: list[Package] = []
        unknowns: list[Unknown] = []
        for item in tree.captured(_DATABASE.name):
            if not isinstance(item.value, bytes):
                continue
            for record in _records(item.value.decode("utf-8", "surrogateescape")):
                if record.complete:
                    packages.append(_package(record, item, distribution))
                else:
                    unknowns.append(Unknown(path=item.entry.path, reason=record.problem()))
        return Cataloged(packages=tuple(packages), unknowns=tuple(unknowns))


CATALOGER = ApkCataloger()


@dataclass(slots=True)
class _Record:
    """One block of ``X:value`` lines; `files` as (path, checksum)."""

    values: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    damaged: int = 0

    def text(self, key: str, limit: int = 256) -> str:
        return plain_text(self.values.get(key, ""), limit)

    @property
    def complete(self) -> bool:
        return bool(self.text("P") and self.text("V"))

    def problem(self) -> str:
        name = self.text("P", 128)
        return f"the record of {name} has no version" if name else "a record without a package name"


def _records(text: str) -> Iterator[_Record]:
    """The blocks between empty lines. F: starts a folder, R: a file in it, Z: is that file's checksum."""
    for block in text.split("\n\n"):
        record = _Record()
        folder = path = ""
        for line in block.split("\n"):
            if line[1:2] != ":":
                record.damaged += bool(line)
                continue
            key, value = line[0], line[2:]
            if key == "R":
                path = f"{folder}/{value}" if folder else value
                record.files[path] = ""
            elif key == "Z" and path:
                record.files[path] = _digest(value) or ""
            elif key == "F":
                folder, path = value.strip("/"), ""
            elif key not in "aM":
                record.values.setdefault(key, value)
        if record.values or record.damaged:
            yield record


def _digest(checksum: str) -> str | None:
    """``sha1:…`` of a Q1 checksum, ``sha256:…`` of a Q2 one, md5 of 32 hex digits; None for anything else."""
    if len(checksum) == 32:
        return f"md5:{checksum.lower()}"
    algorithm, size = {"Q1": ("sha1", 20), "Q2": ("sha256", 32)}.get(checksum[:2], ("", 0))
    try:
        raw = base64.b64decode(checksum[2:], validate=True)
    except (binascii.Error, ValueError):
        return None
    return f"{algorithm}:{raw.hex()}" if raw and len(raw) == size else None


def _package(record: _Record, item: Captured, distribution: Distribution | None) -> Package:
    name, version = record.text("P"), record.text("V")
    architecture = record.text("A", 64) or None
    return Package(
        name=name,
        version=version,
        type="apk",
        purl=package_url(
            "apk",
            name,
            version,
            namespace=distribution.id if distribution else None,
            qualifiers={"arch": architecture, "distro": distro_qualifier(distribution)},
        ),
        found_by=CATALOGER.id,
        locations=(Location(path=item.entry.path, layer=item.entry.layer),),
        licenses=_licenses(record.text("L", 512)),
        supplier=record.text("m") or None,
        architecture=architecture,
        source_name=record.text("o") or name,
        source_version=version,
        homepage=record.text("U", 1024) or None,
        depends=tuple(dict.fromkeys(_words(record.text("D", 2**20)))),
        provides=tuple(dict.fromkeys(_words(record.text("p", 2**20)))),
        files=tuple(record.files),
        file_digests={path: digest for path, digest in record.files.items() if digest},
    )


def _words(field_text: str) -> Iterator[str]:
    """Names without version constraints; conflicts (``!name``) are no dependencies."""
    for word in field_text.split():
        if not word.startswith("!") and (name := _CONSTRAINT.split(word, maxsplit=1)[0]):
            yield name


def _licenses(text: str) -> tuple[License, ...]:
    """One expression; of the old form, a list of names between blanks, one licence each if all are known."""
    whole = license_of(text)
    if whole.expression is None:
        parts = licenses_of(text.split())
        if len(parts) > 1 and all(part.expression for part in parts):
            return parts
    return licenses_of((text,))
