"""Packages of Gentoo's Portage: the database of installed packages (PMS, "Package names" and "VDB")."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping

from compliance.formats.plain_text import decode, plain_text
from compliance.formats.purl import package_url
from compliance.model.filesystem import Captured, FileTree
from compliance.model.inventory import Cataloged, Distribution, License, Location, Package, Unknown
from compliance.model.request import ContentRequest
from compliance.sbom.licenses import license_of

_CONTENTS = "CONTENTS"
_DATABASE = ContentRequest(
    name="portage-database",
    globs=tuple(f"**/var/db/pkg/*/*/{name}" for name in (_CONTENTS, "LICENSE", "HOMEPAGE", "RDEPEND", "CHOST")),
)

_FOLDER = re.compile(r"(?:(?P<root>.*)/)?var/db/pkg/(?P<category>[A-Za-z0-9+_.-]+)/(?P<package>[^/]+)")
# PMS 3.2, "Version specifications": a package name never ends in a hyphen and something like a version.
_VERSION = r"\d+(?:\.\d+)*[a-z]?(?:_(?:alpha|beta|pre|rc|p)\d*)*(?:-r\d+)?"
_NAME_VERSION = re.compile(rf"(?P<name>[A-Za-z0-9+_][A-Za-z0-9+_-]*?)-(?P<version>{_VERSION})")
_ATOM = re.compile(rf"(?P<blocks>!?!?)(?:[<>]?=|[<>~])?(?P<name>[\w+.-]+/[\w+-]+?)(?:-{_VERSION}\*?)?(?:[:\[].*)?")
_OBJECT = re.compile(r"obj (?P<path>/.+) (?P<md5>[0-9a-f]{32}) \d+")
_LINK = re.compile(r"sym (?P<path>/.+?) -> .+ \d+")

# Names of files in Gentoo's licenses folder that differ from those of SPDX.
_LICENSE_NAMES = {
    "BSD": "BSD-3-Clause",
    "BSD-1": "BSD-1-Clause",
    "BSD-2": "BSD-2-Clause",
    "BSD-4": "BSD-4-Clause",
    "PSF-2": "PSF-2.0",
    "ZLIB": "Zlib",
    "Boost-1.0": "BSL-1.0",
    "openssl": "OpenSSL",
}


class PortageCataloger:
    """Packages of var/db/pkg with their files and the md5 sums recorded for these."""

    id: str = "portage"
    requests: tuple[ContentRequest, ...] = (_DATABASE,)

    def catalog(self, tree: FileTree, distribution: Distribution | None) -> Cataloged:
        """Every folder with CONTENTS whose name ends in a version; others are unknowns."""
        packages: list[Package] = []
        unknowns: list[Unknown] = []
        kept = {item.entry.path: item.value for item in tree.captured(_DATABASE.name) if isinstance(item.value, bytes)}
        for item in tree.captured(_DATABASE.name):
            if item.entry.name != _CONTENTS:
                continue
            folder = posixpath.dirname(item.entry.path)
            place = _FOLDER.fullmatch(folder)
            named = _NAME_VERSION.fullmatch(place["package"]) if place else None
            if place is None or named is None:
                unknowns.append(Unknown(path=item.entry.path, reason="a Portage record without a version in its name"))
            else:
                packages.append(_package(item, place, named, kept))
        return Cataloged(packages=tuple(packages), unknowns=tuple(unknowns))


CATALOGER = PortageCataloger()


def _package(item: Captured, place: re.Match[str], named: re.Match[str], kept: Mapping[str, bytes]) -> Package:
    folder = posixpath.dirname(item.entry.path)
    category, name, version = place["category"], named["name"], named["version"]
    files = dict(_files(place["root"] or "", kept.get(item.entry.path, b"")))
    host = plain_text(decode(kept.get(f"{folder}/CHOST", b"")), 128)
    return Package(
        name=f"{category}/{name}",
        version=version,
        type="ebuild",
        # The category is a part of the name, as in the purls of the tools that know this type.
        purl=package_url("ebuild", name, version).replace("pkg:ebuild/", f"pkg:ebuild/{category}%2F", 1),
        found_by=CATALOGER.id,
        locations=(Location(path=item.entry.path, layer=item.entry.layer),),
        licenses=_licenses(decode(kept.get(f"{folder}/LICENSE", b""))),
        architecture=host.partition("-")[0] or None,
        homepage=plain_text(decode(kept.get(f"{folder}/HOMEPAGE", b""))).partition(" ")[0] or None,
        depends=tuple(dict.fromkeys(_needed(decode(kept.get(f"{folder}/RDEPEND", b""))))),
        files=tuple(files),
        file_digests={path: digest for path, digest in files.items() if digest},
    )


def _files(root: str, content: bytes) -> Iterator[tuple[str, str]]:
    """(path, ``md5:…`` or "") of regular files and links."""
    prefix = f"{root}/" if root else ""
    for line in content.decode("utf-8", "surrogateescape").split("\n"):
        if match := _OBJECT.fullmatch(line):
            yield prefix + match["path"].lstrip("/"), f"md5:{match['md5']}"
        elif match := _LINK.fullmatch(line):
            yield prefix + match["path"].lstrip("/"), ""


def _needed(text: str) -> Iterator[str]:
    """``category/name`` of each atom; blockers are no dependencies."""
    for word in text.split():
        match = _ATOM.fullmatch(word)
        if match and not match["blocks"]:
            yield match["name"]


def _licenses(text: str) -> tuple[License, ...]:
    """A list means all of it, ``|| ( )`` one of it (PMS 8.2); conditions on USE flags are settled at installation."""
    raw = plain_text(text, 512)
    if not raw:
        return ()
    expression = _expression(raw.split())
    return (License(raw=raw, expression=expression and license_of(expression).expression),)


def _expression(words: list[str]) -> str | None:
    """`words` with AND and OR between them; None where the grammar does not hold."""
    levels: list[tuple[str, list[str]]] = [("AND", [])]
    operator = "AND"
    for word in words:
        if word == "||":
            operator = "OR"
        elif word == "(":
            levels.append((operator, []))
            operator = "AND"
        elif word == ")" and len(levels) > 1:
            joined, parts = levels.pop()
            if parts:
                inside = f" {joined} ".join(parts)
                levels[-1][1].append(f"({inside})" if len(parts) > 1 else inside)
        else:
            levels[-1][1].append(_LICENSE_NAMES.get(word, word))
    return " AND ".join(levels[0][1]) if len(levels) == 1 else None
