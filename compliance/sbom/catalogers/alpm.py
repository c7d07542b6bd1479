"""Packages of pacman, as Arch Linux and its relatives have them: the local database of libalpm (alpm-db(7))."""

from __future__ import annotations

import posixpath
import re
import zlib
from collections.abc import Iterator, Mapping

from compliance.formats.plain_text import decode, plain_text
from compliance.formats.purl import package_url
from compliance.model.filesystem import Captured, FileTree
from compliance.model.inventory import Cataloged, Distribution, Location, Package, Unknown
from compliance.model.request import ContentRequest
from compliance.sbom.distribution import distro_qualifier
from compliance.sbom.licenses import licenses_of

_DATABASE = ContentRequest(
    name="alpm-database",
    globs=tuple(f"**/var/lib/pacman/local/*/{name}" for name in ("desc", "files", "mtree")),
)

_MTREE_MAX = 64 * 2**20
_SECTION = re.compile(r"^%([A-Z0-9]+)%\n((?:(?!%[A-Z0-9]+%$).+\n?)*)", re.MULTILINE)
_CONSTRAINT = re.compile(r"[<>=]")
_OCTAL = re.compile(rb"\\([0-3][0-7]{2})")
_DATABASE_FOLDER = "/var/lib/pacman/local/"
_ARCH = "arch"


class AlpmCataloger:
    """Packages of var/lib/pacman/local with the files they own and the digests recorded for these."""

    id: str = "alpm"
    requests: tuple[ContentRequest, ...] = (_DATABASE,)

    def catalog(self, tree: FileTree, distribution: Distribution | None) -> Cataloged:
        """Every record with a name and a version; others are unknowns."""
        packages: list[Package] = []
        unknowns: list[Unknown] = []
        kept = {item.entry.path: item.value for item in tree.captured(_DATABASE.name) if isinstance(item.value, bytes)}
        for item in tree.captured(_DATABASE.name):
            if item.entry.name != "desc" or not isinstance(item.value, bytes):
                continue
            values = _sections(item.value)
            if _first(values, "NAME") and _first(values, "VERSION"):
                packages.append(_package(values, item, kept, distribution))
            else:
                unknowns.append(Unknown(path=item.entry.path, reason="a pacman record without a name or a version"))
        return Cataloged(packages=tuple(packages), unknowns=tuple(unknowns))


CATALOGER = AlpmCataloger()


def _sections(content: bytes) -> dict[str, list[str]]:
    """The lines under each ``%NAME%``."""
    return {name: lines.splitlines() for name, lines in _SECTION.findall(decode(content).replace("\r\n", "\n"))}


def _first(values: Mapping[str, list[str]], name: str, limit: int = 256) -> str:
    return plain_text(next(iter(values.get(name, ())), ""), limit)


def _package(
    values: Mapping[str, list[str]], item: Captured, kept: Mapping[str, bytes], distribution: Distribution | None
) -> Package:
    name, version = _first(values, "NAME"), _first(values, "VERSION")
    architecture = _first(values, "ARCH", 64) or None
    folder = posixpath.dirname(item.entry.path)
    root = f"/{folder}".partition(_DATABASE_FOLDER)[0].strip("/")
    files, digests = _owned(root, kept.get(f"{folder}/files", b""), kept.get(f"{folder}/mtree", b""))
    return Package(
        name=name,
        version=version,
        type="alpm",
        purl=package_url(
            "alpm",
            name,
            version,
            namespace=distribution.id if distribution else _ARCH,
            qualifiers={"arch": architecture, "distro": distro_qualifier(distribution)},
        ),
        found_by=CATALOGER.id,
        locations=(Location(path=item.entry.path, layer=item.entry.layer),),
        licenses=licenses_of(values.get("LICENSE", ())),
        supplier=_first(values, "PACKAGER") or None,
        architecture=architecture,
        source_name=_first(values, "BASE") or name,
        source_version=version,
        homepage=_first(values, "URL", 1024) or None,
        depends=tuple(dict.fromkeys(_needed(line) for line in values.get("DEPENDS", ()) if line)),
        provides=tuple(dict.fromkeys(_provided(values.get("PROVIDES", ())))),
        files=files,
        file_digests=digests,
    )


def _needed(line: str) -> str:
    """A name without version; of a shared library the version is a part of what is needed (``libgmp.so=10-64``)."""
    name = _CONSTRAINT.split(line, maxsplit=1)[0]
    return plain_text(line if ".so=" in line else name, 256)


def _provided(lines: list[str] | tuple[()]) -> Iterator[str]:
    for line in lines:
        yield plain_text(line, 256)
        yield plain_text(_CONSTRAINT.split(line, maxsplit=1)[0], 256)


def _owned(root: str, files: bytes, mtree: bytes) -> tuple[tuple[str, ...], dict[str, str]]:
    """Paths of %FILES% that are no folders, with their digests of mtree, else of %BACKUP%."""
    text = files.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    sections = {name: lines.splitlines() for name, lines in _SECTION.findall(text)}
    paths = [line for line in sections.get("FILES", ()) if line and not line.endswith("/")]
    digests = {path: f"md5:{md5}" for path, _, md5 in (line.partition("\t") for line in sections.get("BACKUP", ()))}
    digests.update(_mtree_digests(mtree))
    prefix = f"{root}/" if root else ""
    return (
        tuple(prefix + path for path in paths),
        {prefix + path: digests[path] for path in paths if path in digests},
    )


def _mtree_digests(packed: bytes) -> Iterator[tuple[str, str]]:
    """(path, ``sha256:…``) of the gzip-compressed mtree(5); none of a damaged or oversized one."""
    inflate = zlib.decompressobj(wbits=31)
    try:
        content = inflate.decompress(packed, _MTREE_MAX)
    except zlib.error:
        return
    if inflate.unconsumed_tail:
        return
    for line in content.split(b"\n"):
        path, _, keywords = line.partition(b" ")
        _, found, rest = keywords.partition(b"sha256digest=")
        if found and path.startswith(b"./"):
            name = _OCTAL.sub(lambda match: bytes((int(match[1], 8),)), path[2:])
            digest = rest.partition(b" ")[0].decode("ascii", "replace").lower()
            yield name.decode("utf-8", "surrogateescape"), f"sha256:{digest}"
