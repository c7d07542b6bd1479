"""The inventory of an image: every cataloger's packages merged, owned and related. Linear in what is read."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from compliance.model.filesystem import FileKind, FileTree
from compliance.model.inventory import (
    Cataloger,
    Distribution,
    Inventory,
    Location,
    Package,
    Relationship,
    RelationshipKind,
    Unknown,
)
from compliance.model.request import ContentRequest
from compliance.sbom import distribution as os_release
from compliance.sbom.catalogers import CATALOGERS, binary

OS_TYPES = frozenset({"deb", "apk", "rpm", "alpm", "ebuild"})
"""purl types of packages whose database says which files of the whole tree are theirs."""

_EDGES_MAX = 2_000_000


def requests() -> tuple[ContentRequest, ...]:
    """The file contents that `take_inventory` needs kept while the layers are read."""
    return (os_release.REQUEST, *(request for cataloger in CATALOGERS for request in cataloger.requests))


def take_inventory(tree: FileTree, catalogers: Sequence[Cataloger] = CATALOGERS) -> Inventory:
    """All packages of `tree`, each purl once, sorted by purl.

    What was not read, not understood or contradictory is in `unknowns`: with any of these the inventory may
    lack packages, and an empty one proves nothing.
    """
    distribution = os_release.read_distribution(tree)
    results = [cataloger.catalog(tree, distribution) for cataloger in catalogers]
    found = [package for result in results for package in result.packages]
    real = _RealPaths(tree)
    owners = _owners(found, real)
    packages = _merge(_with_owner(package, owners) for package in found if not _is_owned_program(package, owners))
    # A program looked at for its version only says nothing of packages when it could not be; unread files do.
    asked = {request.name for request in requests()} - {request.name for request in binary.CATALOGER.requests}
    unknowns = {Unknown(path=unread.path, reason=unread.reason) for unread in tree.unread}
    unknowns.update(Unknown(path=gap.path, reason=gap.reason) for gap in tree.unkept if gap.request in asked)
    unknowns.update(unknown for result in results for unknown in result.unknowns)
    return Inventory(
        packages=packages,
        relationships=_relationships(packages, distribution),
        unknowns=tuple(sorted(unknowns, key=lambda unknown: (unknown.path, unknown.reason))),
        distribution=distribution,
        owners=MappingProxyType(owners),
    )


class _RealPaths:
    """Paths as databases write them to paths of the tree: ``/bin/sh`` is usr/bin/sh where bin links to usr/bin."""

    def __init__(self, tree: FileTree) -> None:
        self._tree = tree
        self._entries = tree.entries
        self._folders: dict[str, str | None] = {}

    def __call__(self, path: str) -> str | None:
        """The entry's own path (a link stays itself); None if it is not there or is a directory."""
        place: str | None = path
        entry = self._entries.get(path)  # no link lies above an entry of the merged tree
        if entry is None:
            place = self._past_links(path)
            entry = self._entries.get(place) if place is not None else None
        return None if entry is None or entry.kind is FileKind.DIRECTORY else place

    def _past_links(self, path: str) -> str | None:
        folder, _, name = path.rpartition("/")
        if folder not in self._folders:
            self._folders[folder] = self._tree.real_path(folder)
        real = self._folders[folder]
        if real is None or not name:
            return None
        return f"{real}/{name}" if real else name


def _owners(packages: Iterable[Package], real: _RealPaths) -> dict[str, str]:
    """Path to purl. A file that two packages list belongs to that of the operating system, then to the first."""
    owners: dict[str, str] = {}
    for of_system in (True, False):
        for package in packages:
            if (package.type in OS_TYPES) is of_system:
                for path in package.files:
                    place = real(path)
                    if place is not None:
                        owners.setdefault(place, package.purl)
    return owners


def _is_owned_program(package: Package, owners: Mapping[str, str]) -> bool:
    """Whether a program recognised by its content is what an installed package consists of, so is told already."""
    if package.found_by != binary.CATALOGER.id:
        return False
    return any(owners.get(location.path, "").startswith(_PROGRAM_PURLS) for location in package.locations)


def _with_owner(package: Package, owners: Mapping[str, str]) -> Package:
    """A package whose stating file belongs to one of the operating system is contained in that one."""
    if package.type in OS_TYPES or package.parent is not None or not package.locations:
        return package
    owner = owners.get(package.locations[0].path)
    if owner is None or owner == package.purl or not owner.startswith(_OS_PURLS):
        return package
    return replace(package, parent=owner)


_OS_PURLS = tuple(f"pkg:{type_}/" for type_ in sorted(OS_TYPES))
_PROGRAM_PURLS = (*_OS_PURLS, "pkg:brew/", "pkg:conda/", "pkg:nix/")
"""Packages of these kinds are programs themselves; those of languages may ship another's (Node.js in a wheel)."""


def _merge(packages: Iterable[Package]) -> tuple[Package, ...]:
    """Each purl once: places, files, names and digests of all its copies; facts that are missing from the others."""
    copies: dict[str, list[Package]] = {}
    for package in packages:
        copies.setdefault(package.purl, []).append(package)
    return tuple(_merged(copies[purl]) for purl in sorted(copies))


def _merged(copies: list[Package]) -> Package:
    copies.sort(key=_by_authority)
    first = copies[0]
    if len(copies) == 1:
        return first
    parents = {package.parent for package in copies}
    return replace(
        first,
        locations=_locations(copies),
        licenses=next((package.licenses for package in copies if package.licenses), ()),
        supplier=next((package.supplier for package in copies if package.supplier), None),
        homepage=next((package.homepage for package in copies if package.homepage), None),
        # Two copies with different bytes have no digest in common.
        digests=first.digests if len({package.digests for package in copies}) == 1 else (),
        source_name=next((package.source_name for package in copies if package.source_name), None),
        source_version=next((package.source_version for package in copies if package.source_version), None),
        cpes=_union(package.cpes for package in copies),
        depends=_union(package.depends for package in copies),
        provides=_union(package.provides for package in copies),
        files=_union(package.files for package in copies),
        file_digests={path: digest for package in copies for path, digest in package.file_digests.items()},
        # Contained only if every copy is contained in the same package.
        parent=first.parent if len(parents) == 1 else None,
    )


def _by_authority(package: Package) -> tuple[bool, bool, float, str, str]:
    """What shows an installation before what declares one, a database before a statement, the surer first."""
    place = package.locations[0].path if package.locations else ""
    return package.declared, package.found_by == "embedded-sbom", -package.confidence, place, package.found_by


def _locations(copies: Iterable[Package]) -> tuple[Location, ...]:
    return tuple(dict.fromkeys(location for package in copies for location in package.locations))


def _union(parts: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for part in parts for text in part))


def _relationships(packages: tuple[Package, ...], distribution: Distribution | None) -> tuple[Relationship, ...]:
    """Contained packages, and declared dependencies that a package of the same ecosystem satisfies. Sorted."""
    edges: set[tuple[str, RelationshipKind, str]] = set()
    known = {package.purl for package in packages}
    by_type: dict[str, list[Package]] = {}
    for package in packages:
        by_type.setdefault(package.type, []).append(package)
        if package.parent in known and package.parent is not None:
            edges.add((package.parent, RelationshipKind.CONTAINS, package.purl))
    for type_, some in by_type.items():
        resolver = _NodeModules(some) if type_ == "npm" else _Names(some)
        for source, target in resolver.edges():
            if source != target and len(edges) < _EDGES_MAX:
                edges.add((source, RelationshipKind.DEPENDS_ON, target))
    return tuple(Relationship(source=source, kind=kind, target=target) for source, kind, target in sorted(edges))


class _Names:
    """Dependencies by name: a package's own name, what it provides, and (rpm) the files it owns.

    Among several packages of one name, the one found in the same folder counts, then all of them.
    """

    def __init__(self, packages: Sequence[Package]) -> None:
        self._packages = packages
        wanted = {name for package in packages for need in package.depends for name in need.split(" | ")}
        self._by_name: dict[str, list[Package]] = {}
        for package in packages:
            names = {package.name, *package.provides, f"{package.name}@{package.version}"}
            if package.type == "rpm":
                names.update("/" + path for path in package.files if "/" + path in wanted)
            for name in names & wanted:
                self._by_name.setdefault(name, []).append(package)

    def edges(self) -> Iterator[tuple[str, str]]:
        """(purl that needs, purl that satisfies); of alternatives all that are there."""
        for package in self._packages:
            for need in package.depends:
                for name in need.split(" | "):
                    for target in self._nearest(package, self._by_name.get(name, [])):
                        yield package.purl, target.purl

    @staticmethod
    def _nearest(package: Package, candidates: list[Package]) -> list[Package]:
        if len(candidates) < 2 or package.type in OS_TYPES:
            return candidates
        homes = {_home(location) for location in package.locations}
        near = [other for other in candidates[:64] if any(_home(location) in homes for location in other.locations)]
        return near or candidates[:1]


def _home(location: Location) -> str:
    """The folder in which the packages of one environment lie side by side (site-packages)."""
    return posixpath.dirname(posixpath.dirname(location.path))


class _NodeModules:
    """Dependencies as Node.js finds them: node_modules of the package's own folder, then of each folder above."""

    def __init__(self, packages: Sequence[Package]) -> None:
        self._packages = packages
        self._at = {
            posixpath.dirname(location.path): package.purl for package in packages for location in package.locations
        }

    def edges(self) -> Iterator[tuple[str, str]]:
        """(purl that needs, purl that require() would load), for every place the package lies."""
        for package in self._packages:
            for location in package.locations:
                folders = tuple(_upwards(posixpath.dirname(location.path)))
                for name in package.depends:
                    target = next(
                        (self._at[place] for folder in folders if (place := f"{folder}{name}") in self._at), None
                    )
                    if target is not None:
                        yield package.purl, target


def _upwards(folder: str) -> Iterator[str]:
    """``a/b/node_modules/``, ``a/node_modules/``, ``node_modules/`` for ``a/b``; at most 64 levels."""
    for _ in range(64):
        if posixpath.basename(folder) != "node_modules":
            yield f"{folder}/node_modules/" if folder else "node_modules/"
        if not folder:
            return
        folder = posixpath.dirname(folder)
