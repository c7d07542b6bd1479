"""A bill of materials before it has a format: the inventory, what it is about, who made it, and what was digested.

`of_image` makes one from evidence; the readers of CycloneDX and SPDX make one from a file; the writers take it.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from compliance.formats.plain_text import plain_text
from compliance.formats.purl import package_url
from compliance.model.filesystem import FileEntry, FileKind, FileTree
from compliance.model.image import Image
from compliance.model.inventory import (
    Distribution,
    Inventory,
    License,
    Location,
    Package,
    Relationship,
    RelationshipKind,
    Unknown,
)
from compliance.model.reference import Scheme

# RFC 3986 without user names and IPv6 hosts: stricter than a reader needs to be, never refused by a validator.
_CHARS = r"(?:[A-Za-z0-9._~:/@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*"
_WEB_ADDRESS = re.compile(
    rf"https?://[A-Za-z0-9][A-Za-z0-9.-]*(?::\d{{1,5}})?(?:/{_CHARS})?(?:\?{_CHARS})?(?:#{_CHARS})?"
)
_PERSON = re.compile(r"\s*(?P<name>[^<>]*?)\s*<(?P<place>[^<>\s]+)>")
_MAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+")
_REPOSITORY = re.compile(
    r"(?:https?://)?(?P<place>(?:github\.com|gitlab\.com|bitbucket\.org|codeberg\.org|salsa\.debian\.org)"
    r"/[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+?)(?:\.git)?(?:[/#].*)?"
)
_ARCHIVES = (".jar", ".war", ".ear", ".zip", ".egg", ".whl", ".aar", ".hpi", ".jpi")
_RECORDED = frozenset({"deb", "apk", "rpm", "alpm", "npm"})
"""purl types whose records name every dependency: no names then means none."""


def _none() -> Mapping[str, str]:
    return MappingProxyType({})


def web_address(text: str | None) -> str | None:
    """`text` if it is an http(s) address that every schema's IRI check accepts."""
    return text if text and _WEB_ADDRESS.fullmatch(text) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A person or an organisation, with what can be used to reach it."""

    name: str
    mail: str | None = None
    url: str | None = None


def read_party(text: str | None) -> Party | None:
    """``Name <mail>``, ``Name <https://…>``, a mail address, or a name; None for an empty text."""
    line = plain_text(text or "", 512)
    if not line:
        return None
    if _MAIL.fullmatch(line):
        return Party(name=line, mail=line)
    person = _PERSON.match(line)
    if person is None:
        return Party(name=line)
    name, place = person["name"] or person["place"], person["place"]
    if _MAIL.fullmatch(place):
        return Party(name=name, mail=place)
    return Party(name=name, url=web_address(place)) if web_address(place) else Party(name=line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An address about a component. `kind` is CycloneDX's word: website, vcs, documentation, distribution."""

    kind: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What the document is about. `digests` are (algorithm, hex) with CycloneDX's names; `type` CycloneDX's word."""

    name: str
    version: str = ""
    type: str = "container"
    purl: str | None = None
    digests: tuple[tuple[str, str], ...] = ()
    supplier: Party | None = None
    authors: tuple[Party, ...] = ()
    licenses: tuple[License, ...] = ()
    references: tuple[Reference, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """What made the document."""

    name: str
    version: str


class Completeness(StrEnum):
    """Whether the dependencies of a package are all in the document."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleFile:
    """The one file that a package is, by its name: a jar, an executable."""

    name: str
    archive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """A regular file of the image; `owner` is the purl of the package it belongs to."""

    path: str
    sha256: str
    sha1: str = ""
    program: bool = False
    owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SbomDocument:
    """All that a document says.

    `layers` are digests, which `Location.layer` counts. `authors` made the document, `supplier` supplies the
    subject. By purl: `completeness` of the dependencies, `installed` the SHA-256 of the listing of the package's
    files (see `installed_digests`), `single_files`. `unowned_programs` counts executable files that belong to no
    package; None where nobody looked. `converted_from` names the document that this one was made from,
    and `left_out` tells what of it is not here.
    `license_texts` are by LicenseRef; `found_licenses`, by purl, what a document gives as evidence of licences.
    `identity` is what the serial number is derived from.
    """

    subject: Subject
    inventory: Inventory
    effective: datetime
    tool: Tool
    identity: str
    layers: tuple[str, ...] = ()
    authors: tuple[Party, ...] = ()
    supplier: Party | None = None
    completeness: Mapping[str, Completeness] = field(default_factory=lambda: MappingProxyType({}))
    installed: Mapping[str, str] = field(default_factory=_none)
    single_files: Mapping[str, SingleFile] = field(default_factory=lambda: MappingProxyType({}))
    files: tuple[FileRecord, ...] = ()
    license_texts: Mapping[str, str] = field(default_factory=_none)
    found_licenses: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    unowned_programs: int | None = None
    converted_from: str | None = None
    left_out: tuple[str, ...] = ()

    def layer(self, index: int) -> str | None:
        """The digest of the layer with that index, if there is one."""
        return self.layers[index] if 0 <= index < len(self.layers) else None


def of_image(
    image: Image,
    inventory: Inventory,
    *,
    tool: Tool,
    effective: datetime,
    tree: FileTree | None = None,
    files: bool = False,
    author: str | None = None,
    supplier: str | None = None,
) -> SbomDocument:
    """The document about `image`. Without `tree` no file of it has been looked at.

    `files` lists every regular file with its owner. `author` (``Name <mail>``) made the document and `supplier`
    supplies the image; by default the latter is the image's own claim, the label org.opencontainers.image.vendor.
    """
    owned = _owned_files(tree, inventory) if tree is not None else {}
    author_party, supplier_party = read_party(author), read_party(supplier) or read_party(_claim(image, "vendor"))
    parts = (image.digest, effective.isoformat(), tool.name, tool.version, author or "", supplier or "", str(files))
    return SbomDocument(
        subject=_subject(image, supplier_party),
        inventory=inventory,
        effective=effective,
        tool=tool,
        identity="\n".join(parts),
        layers=tuple(layer.digest for layer in image.layers),
        authors=(author_party,) if author_party else (),
        supplier=supplier_party,
        completeness=dependency_completeness(inventory.packages),
        installed=installed_digests(inventory.packages, owned),
        single_files=dict(_single_files(inventory.packages, tree)),
        files=tuple(_records(tree, owned)) if tree is not None and files else (),
        unowned_programs=_unowned_programs(tree, inventory, owned) if tree is not None else None,
    )


def _subject(image: Image, supplier: Party | None) -> Subject:
    claimed = _claim(image, "licenses")  # stated to be an SPDX expression (OCI image-spec, annotations.md)
    author = read_party(_claim(image, "authors"))
    return Subject(
        name=_name(image),
        version=image.digest,
        purl=_purl(image),
        digests=_digest_pair(image.digest),
        supplier=supplier,
        authors=(author,) if author else (),
        licenses=(License(raw=claimed),) if claimed else (),
        references=tuple(_references(image)),
    )


def _name(image: Image) -> str:
    """The repository, else the image's own title or tag, else its digest: a local path says nothing to others."""
    if image.reference.scheme in (Scheme.REGISTRY, Scheme.DOCKER, Scheme.PODMAN):
        return plain_text(image.reference.target)
    titles = (_claim(image, "title"), image.tag, image.digest)
    return next(text for text in map(plain_text, filter(None, titles)) if text)


def _claim(image: Image, key: str) -> str:
    """An ``org.opencontainers.image`` annotation or label: what the image says of itself."""
    name = f"org.opencontainers.image.{key}"
    labels = image.config.labels if image.config is not None else {}
    return plain_text(image.annotations.get(name) or labels.get(name) or "", 256)


def _references(image: Image) -> Iterator[Reference]:
    for kind, key in (("website", "url"), ("vcs", "source"), ("documentation", "documentation")):
        if url := web_address(_claim(image, key)):
            yield Reference(kind=kind, url=url)
    if image.reference.scheme is Scheme.REGISTRY:
        host, _, name = image.reference.target.partition("/")
        # Where a registry has the manifest (OCI distribution-spec, end-3).
        if url := web_address(f"https://{host}/v2/{name}/manifests/{image.digest}"):
            yield Reference(kind="distribution", url=url)


def _purl(image: Image) -> str | None:
    """``pkg:oci`` needs a repository that others can find the image in (purl-spec, oci)."""
    if image.reference.scheme is not Scheme.REGISTRY:
        return None
    repository = plain_text(image.reference.target)
    return package_url(
        "oci",
        repository.rpartition("/")[2],
        image.digest,
        qualifiers={
            "arch": image.platform.architecture if image.platform else None,
            "repository_url": repository.lower(),
            "tag": image.reference.tag,
        },
    )


def _digest_pair(digest: str) -> tuple[tuple[str, str], ...]:
    algorithm, _, hexadecimal = digest.partition(":")
    name = {"sha256": "SHA-256", "sha512": "SHA-512"}.get(algorithm)
    return ((name, hexadecimal),) if name else ()


def supplier_of(package: Package) -> Party | None:
    """Who supplies the package: as it is stated, with its web page where no mail address is; else by the Go host.

    A Go module's path names where it is published from (go.dev/ref/mod#module-path).
    """
    stated = read_party(package.supplier)
    if stated is not None:
        page = stated.url or (None if stated.mail else web_address(package.homepage))
        return Party(name=stated.name, mail=stated.mail, url=page)
    if package.type != "golang":
        return None
    if package.name == "stdlib":
        return Party(name="The Go Authors", url="https://go.dev")
    parts = package.name.split("/")
    host = "/".join(parts[:2] if _REPOSITORY.fullmatch(package.name) else parts[:1])
    return Party(name=host, url=web_address(f"https://{host}")) if "." in parts[0] else None


def references_of(package: Package) -> Iterator[Reference]:
    """The package's web page, and its repository where page or Go module path is one of a known code host."""
    if homepage := web_address(package.homepage):
        yield Reference(kind="website", url=homepage)
    stated = package.name if package.type == "golang" else package.homepage or ""
    if repository := _REPOSITORY.fullmatch(stated):
        yield Reference(kind="vcs", url=f"https://{repository['place']}")


def dependency_completeness(packages: Iterable[Package]) -> Mapping[str, Completeness]:
    """By purl: complete when every need that is declared is met by a package here, incomplete when one is not.

    Unknown where the ecosystem's records need not name dependencies, and this one names none.
    """
    packages = tuple(packages)
    names: dict[str, set[str]] = {}
    for package in packages:
        known = names.setdefault(package.type, set())
        known.update((package.name, f"{package.name}@{package.version}", *package.provides))
        if package.type == "rpm":
            known.update(f"/{path}" for path in package.files)
    return {package.purl: _completeness(package, names[package.type]) for package in packages}


def _completeness(package: Package, known: set[str]) -> Completeness:
    if not package.depends:
        return Completeness.COMPLETE if package.type in _RECORDED else Completeness.UNKNOWN
    met = all(any(name in known for name in need.split(" | ")) for need in package.depends)
    return Completeness.COMPLETE if met else Completeness.INCOMPLETE


def installed_digests(packages: Iterable[Package], owned: Mapping[str, list[FileEntry]]) -> Mapping[str, str]:
    """By purl, for packages of several files: the SHA-256 of ``sha256sum``'s listing of the regular ones, by path.

    That is the hash "h1" of Go's module checksums (golang.org/x/mod/sumdb/dirhash) over paths from the image's
    root: anybody can compute it from the image. A package with a file that was not digested has none.
    """
    digests = {}
    for package in packages:
        entries = owned.get(package.purl, ())
        if entries and all(entry.sha256 for entry in entries):
            ordered = sorted(entries, key=lambda entry: entry.path.encode("utf-8", "surrogateescape"))
            listing = "".join([f"{entry.sha256}  {entry.path}\n" for entry in ordered])
            digests[package.purl] = hashlib.sha256(listing.encode("utf-8", "surrogateescape")).hexdigest()
    return digests


def _owned_files(tree: FileTree, inventory: Inventory) -> dict[str, list[FileEntry]]:
    """The regular files of each package: by its records, and below the folder of a Node.js package."""
    owned: dict[str, list[FileEntry]] = {}
    folders = {
        posixpath.dirname(place.path): package.purl
        for package in inventory.packages
        if package.type == "npm" and not package.declared
        for place in package.locations
        if posixpath.basename(place.path) == "package.json"
    }
    known: dict[str, str | None] = {}
    for entry in tree.regular():
        owner = inventory.owners.get(entry.path)
        purl = (_node_package(entry.path.rpartition("/")[0], folders, known) if folders else None) or owner
        if purl is not None:
            owned.setdefault(purl, []).append(entry)
    for package in inventory.packages:  # what an OS package ships under another name
        if package.purl not in owned and package.parent is not None:
            found = (tree.entries.get(path) for path in package.files)
            if some := [entry for entry in found if entry is not None and entry.kind is FileKind.REGULAR]:
                owned[package.purl] = some
    return owned


def _node_package(folder: str, packages: Mapping[str, str], known: dict[str, str | None]) -> str | None:
    """The package in whose folder `folder` lies; what lies in node_modules is not the outer package's.

    `known` holds the answers so far, by folder: an image has ten times more files than folders.
    """
    passed: list[str] = []
    purl: str | None = None
    while folder not in known:
        passed.append(folder)
        purl = packages.get(folder)
        outer, _, name = folder.rpartition("/")
        if purl is not None or not folder or name == "node_modules":
            break
        folder = outer
    else:
        purl = known[folder]
    known.update(dict.fromkeys(passed, purl))
    return purl


def _single_files(packages: Iterable[Package], tree: FileTree | None) -> Iterator[tuple[str, SingleFile]]:
    for package in packages:
        sha256 = dict(package.digests).get("SHA-256")
        if sha256 is None or not package.locations:
            continue
        place = package.locations[0]
        entry = tree.entries.get(place.path) if tree is not None else None
        if place.inner is not None:
            name = place.inner.rpartition("/")[2]
        elif entry is not None and entry.sha256 == sha256:
            name = entry.name
        else:
            continue
        archive = name.lower().endswith(_ARCHIVES)
        if archive or place.inner is None:
            yield package.purl, SingleFile(name=plain_text(name), archive=archive)


def _records(tree: FileTree, owned: Mapping[str, list[FileEntry]]) -> Iterator[FileRecord]:
    owners: dict[str, str] = {}
    for purl, entries in owned.items():
        for entry in entries:
            owners.setdefault(entry.path, purl)
    for entry in tree.regular():
        if entry.sha256:
            yield FileRecord(
                path=entry.path,
                sha256=entry.sha256,
                sha1=entry.sha1,
                program=entry.program,
                owner=owners.get(entry.path),
            )


def _unowned_programs(tree: FileTree, inventory: Inventory, owned: Mapping[str, list[FileEntry]]) -> int:
    """By mode alone: the same number whether or not the files were looked into."""
    known = set(inventory.owners)
    known.update(entry.path for entries in owned.values() for entry in entries)
    known.update(place.path for package in inventory.packages for place in package.locations)
    return sum(
        1 for entry in tree if entry.executable and entry.path not in known and known.isdisjoint(tree.names(entry))
    )


@dataclass(slots=True)
class Gathering:
    """What a reader finds, each purl once; `inventory` puts it in order. Edges are (source, kind, target) purls."""

    packages: dict[str, Package] = field(default_factory=dict)
    edges: set[tuple[str, RelationshipKind, str]] = field(default_factory=set)
    unknowns: list[Unknown] = field(default_factory=list)
    distribution: Distribution | None = None

    def add(self, package: Package) -> None:
        """A package, or a further place of one that is there."""
        first = self.packages.get(package.purl)
        if first is not None:
            package = replace(first, locations=tuple(dict.fromkeys((*first.locations, *package.locations))))
        self.packages[package.purl] = package

    def relate(self, source: str, kind: RelationshipKind, target: str) -> None:
        """An edge. What contains a package is not also said to depend on it."""
        if source != target and (source, RelationshipKind.CONTAINS, target) not in self.edges:
            self.edges.add((source, kind, target))

    def inventory(self) -> Inventory:
        """All of it, sorted."""
        ordered = sorted(self.edges)
        return Inventory(
            packages=tuple(self.packages[purl] for purl in sorted(self.packages)),
            relationships=tuple(Relationship(source=one, kind=kind, target=two) for one, kind, two in ordered),
            unknowns=tuple(self.unknowns),
            distribution=self.distribution,
        )


class LayerNames:
    """Layers by digest, numbered in the order in which they are met."""

    def __init__(self, digests: Iterable[str] = ()) -> None:
        self._numbers = {digest: number for number, digest in enumerate(dict.fromkeys(digests))}

    def number(self, digest: str | None) -> int:
        """The layer's number; -1 for none."""
        return self._numbers.setdefault(digest, len(self._numbers)) if digest else -1

    @property
    def digests(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(self._numbers)


_PLACE = re.compile(r"(?P<path>[^!]*(?:!(?!/)[^!]*)*)(?:!(?P<inner>/.*))?", re.DOTALL)


def read_place(text: str, layer: int) -> Location:
    """``/path`` or ``/path!/inner``, as the writers write it."""
    match = _PLACE.fullmatch(plain_text(text, 4096))
    path, inner = (match["path"], match["inner"]) if match else (text, None)
    return Location(path=path.lstrip("/"), layer=layer, inner=inner[1:] if inner else None)


def stand_in_purl(name: str, version: str, group: str = "") -> str:
    """A purl of type generic for a component that has none, so that it can be told apart from others."""
    return package_url("generic", name.strip("/ ") or "unnamed", version, namespace=group)
