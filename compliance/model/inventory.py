"""What is in the image: packages, their relationships, and what could not be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from compliance.model.filesystem import FileTree
from compliance.model.request import ContentRequest


def _none() -> Mapping[str, str]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A file that proves a package: its path in the tree and the layer (index) that wrote it.

    `inner` is the place inside an archive (``WEB-INF/lib/a.jar``, nested ones joined by ``!/``).
    """

    path: str
    layer: int
    inner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class License:
    """A licence as found. `expression` is a valid SPDX expression, or None when `raw` can't be normalised."""

    raw: str
    expression: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One installed package of one ecosystem, once.

    `type` is the purl type (deb, apk, rpm, pypi, npm, golang, maven …); `purl` identifies it with qualifiers;
    `locations` prove it, the first being the file that states it; `files` are the paths it owns, as its
    database says (without leading slash); `depends` the names it declares to need, in the ecosystem's words;
    `provides` further names that satisfy such a need; `parent` the purl of a package that contains this one
    (a jar in a jar, a Python package owned by a deb). `digests` are (algorithm, hex) pairs about the package's
    own bytes, with algorithm names of CycloneDX (SHA-256, MD5 …). `declared` packages are only stated by a lock
    file or manifest: nothing in the image shows that they are installed. `confidence` below 1 says how sure the
    identity is when part of it was inferred (a Maven group guessed from a manifest), and `inferred` what.
    """

    name: str
    version: str
    type: str
    purl: str
    found_by: str
    locations: tuple[Location, ...]
    licenses: tuple[License, ...] = ()
    supplier: str | None = None
    architecture: str | None = None
    source_name: str | None = None
    source_version: str | None = None
    homepage: str | None = None
    digests: tuple[tuple[str, str], ...] = ()
    depends: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    file_digests: Mapping[str, str] = field(default_factory=_none)  # path -> "md5:…", "sha256:…" as the database says
    parent: str | None = None
    cpes: tuple[str, ...] = ()
    declared: bool = False
    confidence: float = 1.0
    inferred: str | None = None


class RelationshipKind(StrEnum):
    """How two packages stand to each other; `source` is the one that needs, contains or owns."""

    DEPENDS_ON = "depends-on"
    CONTAINS = "contains"


@dataclass(frozen=True, slots=True, kw_only=True)
class Relationship:
    """`source` and `target` are purls of packages of the same inventory."""

    source: str
    kind: RelationshipKind
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Something that could not be read or understood, so that the inventory may lack packages there."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """The operating system named by /etc/os-release (os-release(5)), else /usr/lib/os-release."""

    id: str
    version_id: str | None = None
    pretty_name: str | None = None
    id_like: tuple[str, ...] = ()
    codename: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cataloged:
    """What one cataloger found."""

    packages: tuple[Package, ...] = ()
    unknowns: tuple[Unknown, ...] = ()


class Cataloger(Protocol):
    """Finds the packages of one ecosystem in the merged tree. Pure: no I/O, no clock.

    Each lives in ``compliance/sbom/catalogers/<id>.py`` and exports an instance or class named CATALOGER.
    Malformed input is an Unknown in the answer, never an exception.
    """

    @property
    def id(self) -> str:
        """Stable name, e.g. ``dpkg``; also the `found_by` of its packages."""
        ...

    @property
    def requests(self) -> tuple[ContentRequest, ...]:
        """The file contents it reads."""
        ...

    def catalog(self, tree: FileTree, distribution: Distribution | None) -> Cataloged:
        """The packages that `tree` proves; in any order, the caller sorts."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """All packages sorted by purl, each once; `owners` maps a path to the purl of the package that owns it."""

    packages: tuple[Package, ...]
    relationships: tuple[Relationship, ...] = ()
    unknowns: tuple[Unknown, ...] = ()
    distribution: Distribution | None = None
    owners: Mapping[str, str] = field(default_factory=_none)

    @property
    def installed(self) -> tuple[Package, ...]:
        """The packages that something in the image shows to be there; not those that only a lock file declares."""
        return tuple(package for package in self.packages if not package.declared)

    def owner(self, *paths: str) -> str | None:
        """The purl of the package that owns the first owned of `paths` (all names of one file)."""
        return next((self.owners[path] for path in paths if path in self.owners), None)
