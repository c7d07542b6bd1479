"""Packages that a file states: lock files, manifests and descriptions, read by one reader each.

What a lock file declares proves no installation. Where the installation it describes is in the image, that one
counts and the file adds nothing.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

from compliance.errors import FormatError
from compliance.formats.plain_text import plain_text
from compliance.formats.purl import package_url
from compliance.formats.stated_package import StatedPackage
from compliance.model.filesystem import Captured, FileEntry, FileTree
from compliance.model.inventory import Cataloged, Distribution, Location, Package, Unknown
from compliance.model.request import ContentRequest
from compliance.sbom.licenses import licenses_of

STATED_MAX = 100_000
"""Packages that the files of one ecosystem may state; the largest lock files known have some ten thousand."""

_DEPENDS_MAX = 2000
# Below these lies what a package manager installed or fetched: a lock file there is for that package's developers.
_OF_OTHERS = re.compile(
    r"(?:^|/)(?:node_modules|bower_components|(?:site|dist)-packages|vendor|gems|pkg/mod|"
    r"\.cargo/registry|\.m2/repository|\.(?:npm|yarn|cache))/"
)

Reader = Callable[[bytes, str], Iterable[StatedPackage]]
"""From content and path to packages; raises FormatError where it can read no further."""


def of_others(path: str) -> bool:
    """Whether the file at `path` came with somebody's package, so that it says nothing about this image."""
    return _OF_OTHERS.search(path) is not None


def read_stated(item: Captured, read: Reader, unknowns: list[Unknown], limit: int = STATED_MAX) -> list[StatedPackage]:
    """What the file states up to where it can't be read further, which is then among `unknowns`."""
    found: list[StatedPackage] = []
    if isinstance(item.value, bytes):
        try:
            for stated in read(item.value, item.entry.path):
                if len(found) >= limit:
                    raise FormatError(f"more than {STATED_MAX} packages stated by files", code="lock-too-large")
                if stated.name and stated.version:
                    found.append(stated)
        except FormatError as error:
            unknowns.append(Unknown(path=item.entry.path, reason=error.message))
    return found


def stated_package(entry: FileEntry, stated: StatedPackage, *, type_: str, found_by: str, declared: bool) -> Package:
    """The package that the file at `entry` states."""
    name, version = plain_text(stated.name, 512), plain_text(stated.version, 256)
    namespace, _, last = name.rpartition("/")
    if stated.purl_name is not None:
        namespace, last = stated.namespace or "", plain_text(stated.purl_name, 512)
    purl = package_url(
        type_, last or name, version, namespace=plain_text(namespace, 512), qualifiers=dict(_plain(stated.qualifiers))
    )
    return Package(
        name=name,
        version=version,
        type=type_,
        purl=f"{purl}#{quote(plain_text(stated.subpath), safe='/')}" if stated.subpath else purl,
        found_by=found_by,
        locations=(Location(path=entry.path, layer=entry.layer),),
        licenses=licenses_of(stated.licenses),
        supplier=plain_text(stated.supplier or "", 256) or None,
        homepage=plain_text(stated.homepage or "") or None,
        digests=stated.digests,
        depends=tuple(dict.fromkeys(plain_text(text, 512) for text in stated.depends[:_DEPENDS_MAX])),
        provides=tuple(plain_text(text, 512) for text in stated.provides),
        declared=declared,
        confidence=stated.confidence,
        inferred=stated.inferred,
    )


def _plain(qualifiers: tuple[tuple[str, str], ...]) -> Iterator[tuple[str, str]]:
    return ((key, plain_text(value)) for key, value in qualifiers)


def describes_installed(declared: Collection[str], installed: Collection[str]) -> bool:
    """Whether a file that declares these names describes what is installed: at least half of them are.

    The other half are then those left out on purpose (for development, for other platforms).
    """
    return bool(declared) and 2 * sum(name in installed for name in declared) >= len(declared)


def declared_packages(
    tree: FileTree,
    readers: tuple[tuple[ContentRequest, Reader], ...],
    installed: Iterable[Package],
    unknowns: list[Unknown],
    *,
    type_: str,
    found_by: str,
    beside: Callable[[str], bool],
) -> list[Package]:
    """What lock files declare whose installation is not in the image, each without those of `installed`.

    `beside` tells whether something is installed where the file in this folder would have it. Names are compared
    as packages provide them.
    """
    identities = {(_key(package), package.version) for package in installed}
    names = {name for name, _ in identities}
    found: list[Package] = []
    for request, read in readers:
        for item in tree.captured(request.name):
            if of_others(item.entry.path) or beside(posixpath.dirname(item.entry.path)):
                continue
            packages = [
                stated_package(item.entry, stated, type_=type_, found_by=found_by, declared=True)
                for stated in read_stated(item, read, unknowns, STATED_MAX - len(found))
            ]
            if not describes_installed({_key(package) for package in packages}, names):
                found.extend(package for package in packages if (_key(package), package.version) not in identities)
    return found


def _key(package: Package) -> str:
    return package.provides[0] if package.provides else package.name


def _always(path: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class StatingFiles:
    """A cataloger of files each of which states packages by itself.

    `declared` tells by its path whether a file only declares packages or is part of an installed one.
    """

    id: str
    type_: str
    readers: tuple[tuple[ContentRequest, Reader], ...]
    declared: Callable[[str], bool] = _always

    @property
    def requests(self) -> tuple[ContentRequest, ...]:
        """One for each reader."""
        return tuple(request for request, _ in self.readers)

    def catalog(self, tree: FileTree, distribution: Distribution | None) -> Cataloged:
        """Every file but those that came with somebody else's package and only declare."""
        packages: list[Package] = []
        unknowns: list[Unknown] = []
        for request, read in self.readers:
            for item in tree.captured(request.name):
                declared = self.declared(item.entry.path)
                if declared and of_others(item.entry.path):
                    continue
                packages.extend(
                    stated_package(item.entry, stated, type_=self.type_, found_by=self.id, declared=declared)
                    for stated in read_stated(item, read, unknowns, STATED_MAX - len(packages))
                )
        return Cataloged(packages=tuple(packages), unknowns=tuple(unknowns))
