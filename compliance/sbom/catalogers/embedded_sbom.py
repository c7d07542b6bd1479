"""Packages that an SBOM inside the image states.

Vendors who install without a package manager leave their SBOM beside what it describes: Bitnami in each component's
folder, Docker Hardened Images in opt/docker/sbom, apko in var/lib/db/sbom. These are read as package databases
are. Any other SPDX or CycloneDX file may describe anything, so its packages are only declared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from compliance.errors import FormatError
from compliance.formats.plain_text import plain_text
from compliance.formats.purl import package_url
from compliance.model.filesystem import FileEntry, FileTree
from compliance.model.inventory import Cataloged, Distribution, Location, Package, Unknown
from compliance.model.request import ContentRequest
from compliance.sbom.distribution import distro_qualifier
from compliance.sbom.licenses import licenses_of

if TYPE_CHECKING:
    from packageurl import PackageURL

    from compliance.formats.sbom_statement import SbomStatement, StatedPackage


def read_document(content: bytes) -> SbomStatement | str | None:
    """The document, why it can't be read, or None for what is no SBOM."""
    from compliance.formats.sbom_statement import read_sbom_statement

    try:
        return read_sbom_statement(content)
    except FormatError as error:
        return error.message


_DOCUMENT = ContentRequest(
    name="embedded-sbom",
    globs=(
        "**/opt/docker/sbom/**/*.json",
        "**/var/lib/db/sbom/*.json",
        "**/*.spdx",  # Bitnami's are .spdx-NAME.spdx
        "**/*.spdx.json",
        "**/*.cdx",
        "**/*.cdx.json",
        "**/*.sbom",
        "**/*.sbom.json",
        "**/*.bom.json",
        "**/bom.json",
        "**/sbom.json",
    ),
    max_size=128 * 2**20,
    reduce=read_document,
)

_VENDOR_PLACE = re.compile(r"(?:.*/)?(?:opt/bitnami/.*\.spdx-[^/]*\.spdx|opt/docker/sbom/.*|var/lib/db/sbom/[^/]*)")
_NO_PACKAGES = frozenset({"oci", "docker"})
_OF_DISTRIBUTION = frozenset({"alpm", "apk", "deb", "rpm"})
_NAMESPACE_IN_NAME = frozenset({"composer", "github", "golang", "npm", "swift"})
# What tells packages apart; the rest (upstream, type, download_url …) would make two of one.
_QUALIFIERS = frozenset({"arch", "build", "channel", "distro", "epoch", "platform", "subdir", "vcs_url"})
_CLIMB_MAX = 64


class EmbeddedSbomCataloger:
    """Every package with a package URL of every SBOM in the image, contained in what the SBOM says contains it."""

    id: str = "embedded-sbom"
    requests: tuple[ContentRequest, ...] = (_DOCUMENT,)

    def catalog(self, tree: FileTree, distribution: Distribution | None) -> Cataloged:
        """Purls are written as the other catalogers write them, so that what these find as well is told once."""
        documents = tree.captured(_DOCUMENT.name)
        if not documents:
            return Cataloged()
        from compliance.formats.sbom_statement import SbomStatement

        packages: list[Package] = []
        unknowns: list[Unknown] = []
        for item in documents:
            if isinstance(item.value, str):
                unknowns.append(Unknown(path=item.entry.path, reason=f"SBOM: {item.value}"))
            elif isinstance(item.value, SbomStatement):
                document = _Document(item.value, item.entry, distribution)
                packages.extend(document.packages())
                if document.nameless:
                    reason = f"SBOM: {document.nameless} packages with a version but without a valid package URL"
                    unknowns.append(Unknown(path=item.entry.path, reason=reason))
        return Cataloged(packages=tuple(packages), unknowns=tuple(unknowns))


CATALOGER = EmbeddedSbomCataloger()


class _Document:
    """One SBOM with the identities of its packages."""

    def __init__(self, statement: SbomStatement, entry: FileEntry, distribution: Distribution | None) -> None:
        self._entry = entry
        self._distribution = distribution
        self._declared = _VENDOR_PLACE.fullmatch(entry.path) is None
        self.nameless = 0
        self._named: dict[str, tuple[StatedPackage, PackageURL]] = {}
        for ref, stated in statement.packages.items():
            url = _parsed(stated.purl)
            if url is not None and (url.version or stated.version) and url.type not in _NO_PACKAGES:
                self._named[ref] = (stated, url)
            elif url is None and stated.version:
                self.nameless += 1
        self._purls = {ref: self._purl(stated, url) for ref, (stated, url) in self._named.items()}
        self._containers = {inner: outer for outer, inner in reversed(statement.contains)}
        self._needs: dict[str, list[str]] = {}
        for source, target in statement.depends:
            self._needs.setdefault(source, []).append(target)

    def packages(self) -> Iterator[Package]:
        """In the order of the document."""
        for ref, (stated, url) in self._named.items():
            yield self._package(ref, stated, url)

    def _package(self, ref: str, stated: StatedPackage, url: PackageURL) -> Package:
        purl = self._purls[ref]
        parent = self._parent(ref)
        return Package(
            name=_name(url),
            version=plain_text(url.version or stated.version, 256),
            type=url.type,
            purl=purl,
            found_by=CATALOGER.id,
            locations=(Location(path=self._entry.path, layer=self._entry.layer),),
            licenses=licenses_of(stated.licenses),
            supplier=stated.supplier,
            architecture=_qualifiers(url).get("arch"),
            homepage=stated.homepage,
            digests=stated.digests,
            depends=tuple(dict.fromkeys(self._needed(ref, url.type))),
            provides=(f"{url.namespace}:{url.name}",) if url.type == "maven" and url.namespace else (),
            parent=parent if parent != purl else None,
            cpes=stated.cpes,
            declared=self._declared,
        )

    def _purl(self, stated: StatedPackage, url: PackageURL) -> str:
        """The purl as this project writes it; packages of the image's own distribution get its release."""
        qualifiers: dict[str, str | None] = {}
        qualifiers.update((key, value) for key, value in _qualifiers(url).items() if key in _QUALIFIERS)
        namespace = url.namespace
        system = self._distribution
        if system is not None and url.type in _OF_DISTRIBUTION:
            # An apk is of the image's own distribution, whatever name its builder gave that.
            if url.type == "apk" and not self._declared:
                namespace = system.id
            if namespace in (None, system.id):
                namespace = system.id
                qualifiers["distro"] = distro_qualifier(system)
        return package_url(
            url.type, url.name, url.version or stated.version, namespace=namespace, qualifiers=qualifiers
        )

    def _parent(self, ref: str) -> str | None:
        """The nearest container that is a package; what groups packages without being one is passed over."""
        for _ in range(_CLIMB_MAX):
            outer = self._containers.get(ref)
            if outer is None:
                return None
            if outer in self._purls:
                return self._purls[outer]
            ref = outer
        return None

    def _needed(self, ref: str, type_: str) -> Iterator[str]:
        """``NAME@VERSION`` of what it depends on within its ecosystem."""
        for target in self._needs.get(ref, ()):
            if target in self._named and self._named[target][1].type == type_:
                stated, url = self._named[target]
                yield f"{_name(url)}@{plain_text(url.version or stated.version, 256)}"


def _parsed(purl: str) -> PackageURL | None:
    from packageurl import PackageURL

    try:
        return PackageURL.from_string(purl) if purl else None
    except ValueError:
        return None


def _qualifiers(url: PackageURL) -> Mapping[str, str]:
    given: object = url.qualifiers
    return given if isinstance(given, dict) else {}


def _name(url: PackageURL) -> str:
    whole = f"{url.namespace}/{url.name}" if url.namespace and url.type in _NAMESPACE_IN_NAME else url.name
    return plain_text(whole, 256)
