"""npm packages: package.json in node_modules and of packages that lie elsewhere, and what lock files declare.

A lock file counts only where nothing it could describe is installed: no package in a node_modules beside or above
it, and less than half of its names installed anywhere. Not counted: manifests inside an installed package that npm
did not put there (test fixtures, bundled stubs), the manifest of an application that has its dependencies beside it,
and private ones; their names are no packages.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from compliance.formats.npm_locks import read_bun_lock, read_package_lock, read_pnpm_lock, read_yarn_lock
from compliance.formats.plain_text import plain_text
from compliance.formats.purl import package_url
from compliance.model.filesystem import FileEntry, FileTree
from compliance.model.inventory import Cataloged, Distribution, Location, Package, Unknown
from compliance.model.request import ContentRequest
from compliance.sbom.licenses import licenses_of
from compliance.sbom.stated import Reader, declared_packages

_DEPENDENCIES_MAX = 2000
_INSTALLED = re.compile(r"(?:.*/)?node_modules/(?:@[^/]+/)?[^/@.][^/]*/package\.json")
_BELOW_MODULES = re.compile(r"(?:.*/)?node_modules/")
_PROJECT_SIGNS = ("node_modules", "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What the cataloger keeps of a package.json; `problem` says why it is none."""

    name: str = ""
    version: str = ""
    private: bool = False
    licenses: tuple[str, ...] = ()
    author: str | None = None
    homepage: str | None = None
    dependencies: tuple[str, ...] = ()
    problem: str | None = None


def read_manifest(content: bytes) -> Manifest:
    """Read package.json (npm-package-json(5)). Never raises."""
    try:
        stated = json.loads(content)
    except (ValueError, RecursionError):
        return Manifest(problem="package.json is not JSON")
    if not isinstance(stated, dict):
        return Manifest(problem="package.json is not a JSON object")
    return Manifest(
        name=_text(stated.get("name"), 256),
        version=_text(stated.get("version"), 256),
        private=stated.get("private") is True,
        licenses=tuple(_licenses(stated)),
        author=_person(stated.get("author")),
        homepage=_text(stated.get("homepage")) or None,
        dependencies=tuple(_dependencies(stated)),
    )


_MANIFEST = ContentRequest(name="npm-manifest", globs=("**/package.json",), max_size=4 * 2**20, reduce=read_manifest)

_LOCKS: tuple[tuple[ContentRequest, Reader], ...] = (
    (ContentRequest(name="npm-lock", globs=("**/package-lock.json", "**/npm-shrinkwrap.json")), read_package_lock),
    (ContentRequest(name="yarn-lock", globs=("**/yarn.lock",)), read_yarn_lock),
    (ContentRequest(name="pnpm-lock", globs=("**/pnpm-lock.yaml",)), read_pnpm_lock),
    (ContentRequest(name="bun-lock", globs=("**/bun.lock",)), read_bun_lock),
)


class NpmCataloger:
    """Packages with a name and a version; a versionless manifest where npm installs is an unknown."""

    id: str = "npm"
    requests: tuple[ContentRequest, ...] = (_MANIFEST, *(request for request, _ in _LOCKS))

    def catalog(self, tree: FileTree, distribution: Distribution | None) -> Cataloged:
        """Every installed manifest; packages in several folders come once for each."""
        packages: list[Package] = []
        unknowns: list[Unknown] = []
        for item in tree.captured(_MANIFEST.name):
            manifest = item.value
            if not isinstance(manifest, Manifest) or not _is_package(item.entry.path, manifest, tree):
                continue
            if manifest.name and manifest.version:
                packages.append(_package(item.entry, manifest))
            elif _INSTALLED.fullmatch(item.entry.path):
                reason = manifest.problem or "package.json without name and version"
                unknowns.append(Unknown(path=item.entry.path, reason=reason))
        packages.extend(_declared(tree, packages, unknowns))
        return Cataloged(packages=tuple(packages), unknowns=tuple(unknowns))


CATALOGER = NpmCataloger()


def _declared(tree: FileTree, installed: list[Package], unknowns: list[Unknown]) -> list[Package]:
    """What lock files declare; Node.js would look for it in node_modules beside the file or in a folder above."""
    places = (package.locations[0].path for package in installed)
    folders = {place.partition("node_modules/")[0].rstrip("/") for place in places if _BELOW_MODULES.match(place)}
    return declared_packages(
        tree,
        _LOCKS,
        installed,
        unknowns,
        type_="npm",
        found_by=CATALOGER.id,
        beside=lambda folder: _has_modules(folder, folders),
    )


def _has_modules(folder: str, folders: Collection[str]) -> bool:
    """Whether packages are installed where Node.js would look from `folder`: there or in any folder above."""
    while folder and folder not in folders:
        folder = posixpath.dirname(folder)
    return folder in folders


def _is_package(path: str, manifest: Manifest, tree: FileTree) -> bool:
    if _INSTALLED.fullmatch(path):
        return True
    if manifest.private or _BELOW_MODULES.match(path):
        return False
    folder = posixpath.dirname(path)
    return not any(f"{folder}/{sign}".lstrip("/") in tree.entries for sign in _PROJECT_SIGNS)


def _package(entry: FileEntry, manifest: Manifest) -> Package:
    namespace, _, name = manifest.name.rpartition("/")
    return Package(
        name=manifest.name,
        version=manifest.version,
        type="npm",
        purl=package_url("npm", name or manifest.name, manifest.version, namespace=namespace),
        found_by=CATALOGER.id,
        locations=(Location(path=entry.path, layer=entry.layer),),
        licenses=licenses_of(manifest.licenses),
        supplier=manifest.author,
        homepage=manifest.homepage,
        depends=manifest.dependencies,
        files=(entry.path,),
    )


def _text(value: Any, limit: int = 1024) -> str:
    return plain_text(value, limit) if isinstance(value, str) else ""


def _licenses(stated: Mapping[str, Any]) -> Iterator[str]:
    """``license`` as a text or the old ``{type, url}``, else the old list ``licenses``."""
    value = stated.get("license") or stated.get("licenses")
    for part in value[:32] if isinstance(value, list) else [value]:
        text = _text(part.get("type") if isinstance(part, dict) else part, 512)
        if text:
            yield text


def _person(value: Any) -> str | None:
    """``Name <mail> (url)``, or the same as an object (npm-package-json(5), "people fields")."""
    if isinstance(value, dict):
        mail = _text(value.get("email"), 128)
        value = f"{_text(value.get('name'), 128)} <{mail}>" if mail else _text(value.get("name"), 128)
    return _text(value, 256).partition(" (")[0] or None


def _dependencies(stated: Mapping[str, Any]) -> Iterator[str]:
    for key in ("dependencies", "optionalDependencies"):
        value = stated.get(key)
        if isinstance(value, dict):
            yield from list(value)[:_DEPENDENCIES_MAX]
