"""R packages: the DESCRIPTION of each that is installed (Writing R Extensions, 1.1.1), and those renv.lock declares."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from compliance.errors import FormatError
from compliance.formats.control_file import unique_fields
from compliance.formats.json_data import mapping, read_json_object, text
from compliance.formats.plain_text import decode, plain_text
from compliance.formats.purl import package_url
from compliance.model.filesystem import FileEntry, FileTree
from compliance.model.inventory import Cataloged, Distribution, License, Location, Package, Unknown
from compliance.model.request import ContentRequest
from compliance.sbom.licenses import licenses_of
from compliance.sbom.stated import of_others

_DESCRIPTION = ContentRequest(name="r-description", globs=("**/DESCRIPTION",), max_size=1 * 2**20)
_LOCK = ContentRequest(name="r-lock", globs=("**/renv.lock",))

_LIBRARY = re.compile(r"(?:.*/)?(?:site-|dist-)?library/[^/]+/DESCRIPTION")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9.]*")
_VERSION = re.compile(r"\d+(?:[.-]\d+)*")
_NEEDED = re.compile(r"\s*([A-Za-z][A-Za-z0-9.]*)")
_LICENSE_FILE = re.compile(r"(?:\s*\+\s*)?\bfile\s+LICEN[CS]E\b", re.IGNORECASE)
_OR_LATER = re.compile(r"([A-Za-z]+)\s*\(\s*>=?\s*(\d+(?:\.\d+)*)\s*\)")
_ITSELF = "R"


class RCataloger:
    """Packages of R libraries; those of renv.lock as declared."""

    id: str = "r"
    requests: tuple[ContentRequest, ...] = (_DESCRIPTION, _LOCK)

    def catalog(self, tree: FileTree, distribution: Distribution | None) -> Cataloged:
        """Every DESCRIPTION in a library, or of a built package elsewhere; an incomplete one is an unknown."""
        packages: list[Package] = []
        unknowns: list[Unknown] = []
        for item in tree.captured(_DESCRIPTION.name):
            if not isinstance(item.value, bytes):
                continue
            record = unique_fields(decode(item.value))
            in_library = _LIBRARY.fullmatch(item.entry.path) is not None
            if "package" not in record or not (in_library or "built" in record):
                continue
            if _NAME.fullmatch(record["package"]) and _VERSION.fullmatch(record.get("version", "")):
                packages.append(_package(record, item.entry))
            else:
                unknowns.append(Unknown(path=item.entry.path, reason="an R package without valid name and version"))
        for item in tree.captured(_LOCK.name):
            if not isinstance(item.value, bytes) or of_others(item.entry.path):
                continue
            try:
                packages.extend(_declared(item.value, item.entry))
            except FormatError as error:
                unknowns.append(Unknown(path=item.entry.path, reason=f"renv.lock: {error.message}"))
        return Cataloged(packages=tuple(packages), unknowns=tuple(unknowns))


CATALOGER = RCataloger()


def _package(record: Mapping[str, str], entry: FileEntry) -> Package:
    name, version = record["package"], record["version"]
    return Package(
        name=name,
        version=version,
        type="cran",
        purl=package_url("cran", name, version),
        found_by=CATALOGER.id,
        locations=(Location(path=entry.path, layer=entry.layer),),
        licenses=_licenses(plain_text(record.get("license", ""), 512)),
        supplier=plain_text(record.get("maintainer", ""), 256) or None,
        homepage=re.split(r"[,\s]", record.get("url", ""), maxsplit=1)[0] or None,
        depends=tuple(dict.fromkeys(_needed(record))),
        files=(entry.path,),
    )


def _needed(record: Mapping[str, str]) -> Iterator[str]:
    """Packages without which it does not work; R itself is none."""
    for key in ("depends", "imports", "linkingto"):
        for part in record.get(key, "").split(","):
            match = _NEEDED.match(part)
            if match and match[1] != _ITSELF:
                yield match[1]


def _licenses(stated: str) -> tuple[License, ...]:
    """Alternatives between bars; a file beside adds terms to a licence and says nothing alone."""
    parts = (_OR_LATER.sub(r"\1-\2-or-later", _LICENSE_FILE.sub("", part)).strip() for part in stated.split("|"))
    choices = [part for part in parts if part]
    return licenses_of((" or ".join(choices),)) if choices else licenses_of((stated,))


def _declared(content: bytes, entry: FileEntry) -> Iterator[Package]:
    """The packages of a lock file of renv. Raises FormatError."""
    for stated in mapping(read_json_object(content).get("Packages")).values():
        record = mapping(stated)
        name, version = text(record.get("Package"), 256), text(record.get("Version"), 128)
        if _NAME.fullmatch(name) and version:
            yield Package(
                name=name,
                version=version,
                type="cran",
                purl=package_url("cran", name, version),
                found_by=CATALOGER.id,
                locations=(Location(path=entry.path, layer=entry.layer),),
                declared=True,
            )
