"""What changed among packages, and which paths are told with a package that came, went or changed its version."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from compliance.model.drift import Area, Aspect, Change, Difference
from compliance.model.inventory import Inventory, Package
from controls.package_places import DATABASES, FOLDER_OWNERS, MAINTAINER_SCRIPT
from controls.version_order import newer

_INSTALLED_IN = re.compile(r"(?:^|/)(?:node_modules(?:/@[^/]+)?|gems|vendor/[^/]+)$")
"""Folders in which package managers put the folders of packages: an application's own is none of them."""

Identity = tuple[str, str | None, bool]
"""What tells two packages of one name apart: version, architecture, and whether it is only declared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageDrift:
    """The differences, and for `carrier` the packages on either side that are a part of one."""

    differences: tuple[Difference, ...]
    before: dict[str, Package]
    after: dict[str, Package]
    _places: dict[str, str]
    _databases: dict[str, str]
    _debian: dict[str, str]
    _listed: dict[str, str]

    def folder_carrier(self, path: str) -> str | None:
        """The purl of a package whose difference tells of the directory at `path`, as its list of files names it."""
        return self._listed.get(path)

    def carrier(self, path: str, owners: tuple[str | None, str | None], *, program: bool) -> str | None:
        """The purl of the package whose difference tells of `path`; `owners` are its purls before and after.

        A program is told by a package only if the package's own list of files names it: that a package lies in a
        file does not account for what else is in there.
        """
        old, new = owners
        if new is not None and new in self.after:
            return new
        if old is not None and old in self.before:
            return old
        script = MAINTAINER_SCRIPT.fullmatch(path)
        if script is not None and script[1] in self._debian:
            return self._debian[script[1]]
        folder = path
        while not program and folder:
            if folder in self._places:
                return self._places[folder]
            if folder in self._databases:
                return self._databases[folder]
            folder = folder.rpartition("/")[0]
        return None


def compare_packages(before: Inventory, after: Inventory) -> PackageDrift:
    """Packages by their purl without version: one that is there in another version is one difference."""
    old, new = _grouped(before), _grouped(after)
    differences: list[Difference] = []
    first: dict[str, Package] = {}
    second: dict[str, Package] = {}
    for name in sorted(old.keys() | new.keys()):
        here, there = old.get(name, {}), new.get(name, {})
        gone = [here[key] for key in sorted(here.keys() - there.keys(), key=str)]
        come = [there[key] for key in sorted(there.keys() - here.keys(), key=str)]
        first |= {package.purl: package for package in gone}
        second |= {package.purl: package for package in come}
        if len(gone) == len(come) == 1:
            differences.append(_changed(name, gone[0], come[0]))
            continue
        differences += [_one_sided(name, package, Change.REMOVED) for package in gone]
        differences += [_one_sided(name, package, Change.ADDED) for package in come]
    return PackageDrift(
        differences=tuple(differences),
        before=first,
        after=second,
        _places=dict(place for package in (*first.values(), *second.values()) for place in _places(package)),
        _databases={
            folder: f"the package database of {type_}"
            for type_ in sorted({package.type for package in (*first.values(), *second.values())})
            for folder in DATABASES.get(type_, ())
        },
        _listed={path: p.purl for p in (*first.values(), *second.values()) for path in p.files},
        _debian={p.name: p.purl for p in (*first.values(), *second.values()) if p.type == "deb"},
    )


def package_name(purl: str) -> str:
    """The purl without ``pkg:``, version and qualifiers: ``deb/debian/openssl``."""
    return purl.removeprefix("pkg:").partition("?")[0].partition("#")[0].partition("@")[0]


def _grouped(inventory: Inventory) -> dict[str, dict[Identity, Package]]:
    found: dict[str, dict[Identity, Package]] = {}
    for package in inventory.packages:
        key = (package.version, package.architecture, package.declared)
        found.setdefault(package_name(package.purl), {}).setdefault(key, package)
    return found


def _places(package: Package) -> Iterator[tuple[str, str]]:
    """The files that state a package, and the folder that is the package."""
    ending = FOLDER_OWNERS.get(package.type)
    for location in package.locations:
        yield location.path, package.purl
        folder = location.path.rpartition("/")[0]
        above, _, last = folder.rpartition("/")
        own = last in (package.name.rpartition("/")[2], f"{package.name}-{package.version}")
        if ending is not None and location.path.endswith(ending) and own and _INSTALLED_IN.search(above):
            yield folder, package.purl


def _one_sided(name: str, package: Package, change: Change) -> Difference:
    new = change is Change.ADDED
    sides = (None, package.version) if new else (package.version, None)
    return Difference(
        area=Area.PACKAGES,
        change=change,
        subject=name,
        aspects=(Aspect("version", *sides),),
        package=package.purl,
        note="declared by a lock file or manifest, not seen installed" if package.declared else None,
    )


def _changed(name: str, old: Package, new: Package) -> Difference:
    pairs = (
        ("version", old.version, new.version),
        ("architecture", old.architecture, new.architecture),
        ("installed", _installed(old), _installed(new)),
    )
    up = newer(new.type, old.version, new.version)
    note = None if up is None else "a newer version" if up else "an older version"
    return Difference(
        area=Area.PACKAGES,
        change=Change.CHANGED,
        subject=name,
        aspects=tuple(Aspect(what, was, now) for what, was, now in pairs if was != now),
        package=new.purl,
        note=note,
    )


def _installed(package: Package) -> str:
    return "no, only declared" if package.declared else "yes"
