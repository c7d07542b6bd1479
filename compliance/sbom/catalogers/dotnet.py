"""NuGet packages: those an application's deps.json names, and those that packages.lock.json declares."""

from __future__ import annotations

import base64
import binascii
import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from compliance.errors import FormatError
from compliance.formats.json_data import mapping, read_json_object, text
from compliance.formats.purl import package_url
from compliance.model.filesystem import FileEntry, FileTree
from compliance.model.inventory import Cataloged, Distribution, Location, Package, Unknown
from compliance.model.request import ContentRequest
from compliance.sbom.stated import of_others

_DEPS_SUFFIX = ".deps.json"
_DEPS = ContentRequest(name="dotnet-deps", globs=(f"**/*{_DEPS_SUFFIX}",), max_size=32 * 2**20)
_LOCK = ContentRequest(name="dotnet-lock", globs=("**/packages.lock.json", "**/packages.*.lock.json"))

# A runtime that is published with its application stands under the name of its NuGet package with this before it.
_RUNTIME_PACK = "runtimepack."
_FLAT_ASSETS = ("runtime", "native")
_PLACED_ASSETS = ("runtimeTargets", "resources")


class DotnetCataloger:
    """Packages of deps.json, as declared where none of their files is there; those of lock files as declared."""

    id: str = "dotnet"
    requests: tuple[ContentRequest, ...] = (_DEPS, _LOCK)

    def catalog(self, tree: FileTree, distribution: Distribution | None) -> Cataloged:
        """Every library of every target, once for each file."""
        packages: list[Package] = []
        unknowns: list[Unknown] = []
        for item in (*tree.captured(_DEPS.name), *tree.captured(_LOCK.name)):
            is_lock = not item.entry.name.endswith(_DEPS_SUFFIX)
            if not isinstance(item.value, bytes) or (is_lock and of_others(item.entry.path)):
                continue
            try:
                document = read_json_object(item.value)
            except FormatError as error:
                unknowns.append(Unknown(path=item.entry.path, reason=f"{item.entry.name}: {error.message}"))
                continue
            packages.extend(_locked(document, item.entry) if is_lock else _deps(document, item.entry, tree))
        return Cataloged(packages=tuple(packages), unknowns=tuple(unknowns))


CATALOGER = DotnetCataloger()


def _deps(document: Mapping[str, Any], entry: FileEntry, tree: FileTree) -> Iterator[Package]:
    """The libraries of one application (its deps.json); what only compiling needs is none."""
    libraries = mapping(document.get("libraries"))
    seen: set[str] = set()
    for target in mapping(document.get("targets")).values():
        for key, stated in mapping(target).items():
            name, _, version = key.partition("/")
            part = mapping(stated)
            if key in seen or not name or not version or part.get("compileOnly") is True:
                continue
            seen.add(key)
            files = tuple(_present(part, posixpath.dirname(entry.path), tree))
            yield _package(
                name.removeprefix(_RUNTIME_PACK),
                version,
                entry,
                digest=text(mapping(libraries.get(key)).get("sha512")).removeprefix("sha512-"),
                depends=mapping(part.get("dependencies")),
                files=files,
                declared=not files,
            )


def _present(part: Mapping[str, Any], folder: str, tree: FileTree) -> Iterator[str]:
    """The files of a library that lie where publishing puts them: beside deps.json, under their own name."""
    for kind in (*_FLAT_ASSETS, *_PLACED_ASSETS):
        for asset, about in mapping(part.get(kind)).items():
            place = posixpath.basename(asset) if kind in _FLAT_ASSETS else asset
            if kind == "resources":
                place = f"{text(mapping(about).get('locale'), 64)}/{posixpath.basename(asset)}"
            path = posixpath.normpath(posixpath.join("/", folder, place)).strip("/")
            if path in tree.entries:
                yield path


def _locked(document: Mapping[str, Any], entry: FileEntry) -> Iterator[Package]:
    """The packages of all target frameworks; projects have no version there."""
    seen: set[tuple[str, str]] = set()
    for framework in mapping(document.get("dependencies")).values():
        for name, stated in mapping(framework).items():
            part = mapping(stated)
            version = text(part.get("resolved"), 128)
            if name and version and (name, version) not in seen:
                seen.add((name, version))
                yield _package(
                    name,
                    version,
                    entry,
                    digest=text(part.get("contentHash")),
                    depends=mapping(part.get("dependencies")),
                    declared=True,
                )


def _package(
    name: str,
    version: str,
    entry: FileEntry,
    *,
    digest: str,
    depends: Mapping[str, Any],
    files: tuple[str, ...] = (),
    declared: bool,
) -> Package:
    name, version = text(name, 256), text(version, 128)
    sha512 = _hex(digest)
    return Package(
        name=name,
        version=version,
        type="nuget",
        purl=package_url("nuget", name, version),
        found_by=CATALOGER.id,
        locations=(Location(path=entry.path, layer=entry.layer),),
        digests=(("SHA-512", sha512),) if sha512 else (),
        depends=tuple(depends),
        files=files,
        declared=declared,
    )


def _hex(digest: str) -> str | None:
    try:
        raw = base64.b64decode(digest, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw.hex() if len(raw) == 64 else None
