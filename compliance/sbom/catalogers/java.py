"""Java packages: Maven coordinates of jars, wars and plugins, of archives inside them, and of shaded libraries.

A jar without pom.properties seldom states its group. It is taken from its manifest, from the SBOMs and poms in the
image that name the artifact, or from its family of artifacts, and then the package says that it was inferred; never
made up from the artifact's name: then there is none. What a pom.xml or gradle.lockfile declares counts only where
no archive lies below its folder and less than half of its artifacts are in the image.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from compliance.formats.java_archive import (
    SUFFIXES,
    JavaArchive,
    Pom,
    read_components,
    read_java_archive,
    read_pom_properties,
)
from compliance.formats.maven_build import read_gradle_lock, read_pom_file
from compliance.formats.plain_text import decode
from compliance.formats.purl import package_url
from compliance.model.filesystem import Captured, FileTree
from compliance.model.inventory import Cataloged, Distribution, License, Location, Package, Unknown
from compliance.model.request import ContentRequest
from compliance.sbom.licenses import licenses_of
from compliance.sbom.stated import Reader, declared_packages

_ARCHIVES = ContentRequest(
    name="java-archive",
    globs=tuple(f"**/*{suffix}" for suffix in SUFFIXES),
    max_size=1 * 2**30,
    reduce=read_java_archive,
)

# Archives that were unpacked: Spring Boot's layers, web applications, Quarkus' list of what it laid out.
_UNPACKED = ContentRequest(name="java-unpacked-pom", globs=("**/META-INF/maven/*/*/pom.properties",), max_size=2**20)
_SBOM = ContentRequest(name="java-unpacked-sbom", globs=("**/META-INF/sbom/*.json",))
_QUARKUS = ContentRequest(name="quarkus-dependencies", globs=("**/quarkus-app-dependencies.txt",), max_size=2**20)
_DECLARING: tuple[tuple[ContentRequest, Reader], ...] = (
    (ContentRequest(name="maven-pom", globs=("**/pom.xml",), max_size=4 * 2**20), read_pom_file),
    (ContentRequest(name="gradle-lock", globs=("**/gradle.lockfile",), max_size=4 * 2**20), read_gradle_lock),
)

# Behind an underscore (OSGi bundles) only a number with a dot is a version.
_VERSIONED = re.compile(r"(?P<name>.+?)(?:-(?=v?\d)|_(?=\d+\.))(?P<version>v?\d[A-Za-z0-9+._~-]*)")
_TITLED = re.compile(r"([\w.-]+)#([\w.-]+);([\w.+-]+)")
"""``group#artifact;version``: Implementation-Title as Gradle's Nebula plugins write it."""
_GROUP = re.compile(r"[a-z][a-z0-9_-]*(?:\.[a-z0-9_-]+)+", re.IGNORECASE)
_VERSION_KEYS = ("Implementation-Version", "Bundle-Version", "Plugin-Version", "Specification-Version")

# Families whose jars carry no pom.properties, as their builds are not Maven's; group and artifact names as published,
# with ``@version`` where the group has changed.
_FAMILIES = (
    (r"spring-boot(-.+)?", "org.springframework.boot"),
    (r"spring-security-.+", "org.springframework.security"),
    (r"spring-session-.+", "org.springframework.session"),
    (
        r"spring-(aop|aspects|beans|context|context-support|core|core-test|expression|instrument|jcl)",
        "org.springframework",
    ),
    (r"spring-(jdbc|jms|messaging|orm|oxm|r2dbc|test|tx|web|webflux|webmvc|websocket)", "org.springframework"),
    (r"hibernate-(core|envers|hikaricp|jcache|micrometer|spatial|testing|vector)", "org.hibernate.orm"),
    (r"hibernate-models(-.+)?", "org.hibernate.models"),
    (r"hibernate-validator(-.+)?", "org.hibernate.validator"),
    (r"aspectj(rt|tools|weaver)", "org.aspectj"),
    (r"asm(-analysis|-commons|-tree|-util)?@([4-9]|\d\d)\..+", "org.ow2.asm"),
    (r"micrometer-.+", "io.micrometer"),
    (r"reactor-core", "io.projectreactor"),
    (r"reactor-netty(-.+)?", "io.projectreactor.netty"),
    (r"tomcat-embed-.+", "org.apache.tomcat.embed"),
    (r"kotlin-(stdlib|reflect)(-.+)?", "org.jetbrains.kotlin"),
    (r"kotlinx-coroutines-.+", "org.jetbrains.kotlinx"),
    (r"okhttp(-.+)?|logging-interceptor", "com.squareup.okhttp3"),
    (r"okio(-.+)?", "com.squareup.okio"),
    (r"groovy(-.+)?", "org.apache.groovy"),
    (r"kafka-clients", "org.apache.kafka"),
    (r"lucene-.+", "org.apache.lucene"),
    (r"jooq(-.+)?", "org.jooq"),
    (r"elasticsearch(-.+)?", "org.elasticsearch"),
)


class JavaCataloger:
    """Packages with coordinates from pom.properties, else from manifest and file name; then the declared ones."""

    id: str = "java"
    requests: tuple[ContentRequest, ...] = (
        _ARCHIVES,
        _UNPACKED,
        _SBOM,
        _QUARKUS,
        *(request for request, _ in _DECLARING),
    )

    def catalog(self, tree: FileTree, distribution: Distribution | None) -> Cataloged:
        """Every archive of the tree, once however many names it has."""
        packages: list[Package] = []
        unknowns: list[Unknown] = []
        archives: dict[int, tuple[Captured, JavaArchive]] = {}
        for item in tree.captured(_ARCHIVES.name):
            if isinstance(item.value, JavaArchive):
                archives.setdefault(item.entry.inode, (item, item.value))
        unpacked = list(_unpacked(tree))
        hints = _hints(tree, (archive for _, archive in archives.values()), (pom for _, pom in unpacked))
        for item, archive in archives.values():
            places = tuple(Location(path=path, layer=item.entry.layer) for path in tree.names(item.entry))
            file = _File(item, places, hints)
            packages.extend(file.packages(archive))
            unknowns.extend(file.unknowns)
        for item, pom in unpacked:
            place = (Location(path=item.entry.path, layer=item.entry.layer),)
            packages.append(_package(_Coordinates.of(pom), place, None, "", None))
        packages.extend(_declared(tree, packages, unknowns))
        return Cataloged(packages=tuple(packages), unknowns=tuple(unknowns))


CATALOGER = JavaCataloger()


def _unpacked(tree: FileTree) -> Iterator[tuple[Captured, Pom]]:
    """The artifacts of pom.properties that lie as files in a folder META-INF."""
    for item in tree.captured(_UNPACKED.name):
        if isinstance(item.value, bytes):
            for pom in read_pom_properties(decode(item.value), "", item.entry.path):
                yield item, pom


def _declared(tree: FileTree, installed: list[Package], unknowns: list[Unknown]) -> list[Package]:
    """What builds declare; what they make lies below the project's folder, and a pom in META-INF came with it."""
    folders = {folder for package in installed for folder in _above(package.locations[0].path)}
    return declared_packages(
        tree,
        _DECLARING,
        installed,
        unknowns,
        type_="maven",
        found_by=CATALOGER.id,
        beside=lambda folder: folder in folders or "META-INF/maven/" in f"{folder}/",
    )


def _above(path: str) -> Iterator[str]:
    """Every folder that `path` lies in but the root, where all lies."""
    while path := posixpath.dirname(path):
        yield path


@dataclass(frozen=True, slots=True, kw_only=True)
class _Coordinates:
    """What an archive is; `inferred` tells whence, unless its pom says it."""

    group: str | None
    artifact: str
    version: str
    pom: Pom | None = None
    confidence: float = 1.0
    inferred: str | None = None

    @classmethod
    def of(cls, pom: Pom) -> _Coordinates:
        return cls(group=pom.group, artifact=pom.artifact, version=pom.version, pom=pom)

    @property
    def purl(self) -> str:
        return package_url("maven", self.artifact, self.version, namespace=self.group)


class _File:
    """One file of the tree with all archives in it."""

    def __init__(self, item: Captured, locations: tuple[Location, ...], hints: _Hints) -> None:
        self._item = item
        self._locations = locations
        self._hints = hints
        self.unknowns: list[Unknown] = []

    def packages(self, archive: JavaArchive) -> Iterator[Package]:
        """The file's own package first."""
        yield from self._archive(archive, self._item.entry.name, self._item.entry.sha256, None, "")

    def _archive(
        self, archive: JavaArchive, name: str, sha256: str, parent: str | None, inside: str
    ) -> Iterator[Package]:
        for member, problem in archive.problems:
            where = "!/".join(part for part in (self._item.entry.path, inside, member) if part)
            self.unknowns.append(Unknown(path=where, reason=f"Java archive: {problem}"))
        own = _identity(archive, name, self._hints)
        here = parent
        if own is not None:
            here = own.purl
            yield _package(own, self._at(inside), parent if parent != here else None, sha256, archive)
        for pom in archive.poms:
            shaded = _Coordinates.of(pom)
            if own is None or shaded.purl != own.purl:
                place = self._at(inside, pom.place)
                yield _package(shaded, place, here if shaded.purl != here else None, "", None)
        for member, nested in archive.nested:
            place_ = f"{inside}!/{member}" if inside else member
            yield from self._archive(nested, member.rpartition("/")[2], nested.sha256, here, place_)

    def _at(self, *inside: str) -> tuple[Location, ...]:
        """The file's places with the place inside it."""
        inner = "!/".join(part for part in inside if part)
        return tuple(replace(location, inner=inner) for location in self._locations) if inner else self._locations


def _package(
    coordinates: _Coordinates,
    locations: tuple[Location, ...],
    parent: str | None,
    sha256: str,
    archive: JavaArchive | None,
) -> Package:
    """`archive` is what the package comes as, unless it lies shaded in another's."""
    pom = coordinates.pom
    manifest = archive.manifest if archive is not None else {}
    name = f"{coordinates.group}:{coordinates.artifact}" if coordinates.group else coordinates.artifact
    return Package(
        name=coordinates.artifact,
        version=coordinates.version,
        type="maven",
        purl=coordinates.purl,
        found_by=CATALOGER.id,
        locations=locations,
        licenses=_licenses(pom, archive),
        supplier=manifest.get("Implementation-Vendor") or manifest.get("Bundle-Vendor") or None,
        homepage=manifest.get("Bundle-DocURL") or manifest.get("Implementation-URL") or None,
        digests=(("SHA-256", sha256),) if sha256 else (),
        depends=tuple(dict.fromkeys(f"{group}:{artifact}" for group, artifact in pom.dependencies)) if pom else (),
        provides=(name,),
        parent=parent,
        confidence=coordinates.confidence,
        inferred=coordinates.inferred,
    )


@dataclass(frozen=True, slots=True)
class _Hints:
    """Groups as SBOMs and lists in the image tell them by artifact and version, and poms by artifact alone.

    An artifact for which poms name several groups is not among `declared`.
    """

    versioned: Mapping[tuple[str, str], str] = field(default_factory=dict)
    declared: Mapping[str, str] = field(default_factory=dict)


def _hints(tree: FileTree, archives: Iterable[JavaArchive], poms: Iterable[Pom]) -> _Hints:
    versioned: dict[tuple[str, str], str] = {}
    groups: dict[str, set[str]] = {}
    for item in tree.captured(_SBOM.name):
        if isinstance(item.value, bytes):
            components = read_components(decode(item.value))
            versioned.update({(artifact, version): group for group, artifact, version in components})
    for item in tree.captured(_QUARKUS.name):
        stated = decode(item.value) if isinstance(item.value, bytes) else ""
        for parts in (line.strip().split(":") for line in stated.split("\n")):
            if len(parts) == 5:  # group:artifact:classifier:type:version
                versioned[(parts[1], parts[4])] = parts[0]
    todo = list(archives)
    while todo:
        archive = todo.pop()
        versioned.update({(artifact, version): group for group, artifact, version in archive.components})
        _collect(archive.poms, groups)
        todo.extend(nested for _, nested in archive.nested)
    _collect(poms, groups)
    declared = {artifact: next(iter(some)) for artifact, some in groups.items() if len(some) == 1}
    return _Hints(versioned=versioned, declared=declared)


def _collect(poms: Iterable[Pom], groups: dict[str, set[str]]) -> None:
    for pom in poms:
        for group, artifact in (*pom.dependencies, (pom.group, pom.artifact)):
            groups.setdefault(artifact, set()).add(group)


def _identity(archive: JavaArchive, file_name: str, hints: _Hints) -> _Coordinates | None:
    """What the archive itself is; None when nothing in it or its name says so with a version."""
    stem = file_name.rpartition(".")[0]
    pom = _own_pom(archive, stem)
    if pom is not None:
        return _Coordinates.of(pom)
    if any(not member for member, _ in archive.problems):
        return None  # no archive: its name alone says nothing
    manifest = archive.manifest
    titled = _TITLED.fullmatch(manifest.get("Implementation-Title", ""))
    if titled and stem.startswith(titled[2]):
        return _Coordinates(
            group=titled[1],
            artifact=titled[2],
            version=titled[3],
            confidence=0.95,
            inferred="coordinates from the manifest's Implementation-Title",
        )
    named = _named_version(stem, manifest)
    whence = "artifact and version from the file name"
    if named:
        artifact, version = named
    else:
        stated = next((manifest[key] for key in _VERSION_KEYS if manifest.get(key)), "")
        if not stated or not (manifest.get("Group-Id") or manifest.get("Implementation-Vendor-Id")):
            return None
        artifact, version = manifest.get("Short-Name") or stem, stated.partition(" ")[0]
        whence = "artifact and version from the manifest"
    group, confidence, source = _group(artifact, version, manifest, hints)
    return _Coordinates(
        group=group, artifact=artifact, version=version, confidence=confidence, inferred=f"{whence}, {source}"
    )


def _named_version(stem: str, manifest: Mapping[str, str]) -> tuple[str, str] | None:
    """Artifact and version of ``log4j-1.2-api-2.20.0``: split where the manifest's version starts, if it is there."""
    for key in _VERSION_KEYS:
        if stem.endswith(f"-{manifest.get(key, ' ')}"):
            return stem.removesuffix(f"-{manifest[key]}"), manifest[key]
    versioned = _VERSIONED.fullmatch(stem)
    return (versioned["name"], versioned["version"]) if versioned else None


def _own_pom(archive: JavaArchive, stem: str) -> Pom | None:
    """The pom of the archive itself among those of shaded libraries."""
    titles = {
        archive.manifest.get(key) for key in ("Implementation-Title", "Bundle-Name", "Short-Name", "Extension-Name")
    }
    named = [pom for pom in archive.poms if stem == pom.artifact or stem.startswith(f"{pom.artifact}-")]
    named += [pom for pom in archive.poms if stem == f"{pom.group}.{pom.artifact}-{pom.version}"]  # as Quarkus names it
    titled = [pom for pom in archive.poms if pom.artifact in titles]
    if named:
        return max(named, key=lambda pom: (len(pom.artifact), f"{pom.artifact}-{pom.version}" == stem))
    if titled:
        return titled[0]
    return archive.poms[0] if len(archive.poms) == 1 and not _VERSIONED.fullmatch(stem) else None


def _group(artifact: str, version: str, manifest: Mapping[str, str], hints: _Hints) -> tuple[str | None, float, str]:
    """The group, how sure it is, and whence."""
    if group := hints.versioned.get((artifact, version)):
        return group, 0.95, "group id from an SBOM in the image that names them"
    for pattern, family in _FAMILIES:
        if re.fullmatch(pattern, artifact) or re.fullmatch(pattern, f"{artifact}@{version}"):
            return family, 0.9, "group id by the artifact's family"
    if group := hints.declared.get(artifact):
        return group, 0.8, "group id from a pom in the image that names the artifact"
    for key, confidence in (("Group-Id", 0.95), ("Implementation-Vendor-Id", 0.7)):
        if _GROUP.fullmatch(manifest.get(key, "")):
            return manifest[key], confidence, f"group id from the manifest's {key}"
    bundle = manifest.get("Bundle-SymbolicName", "").partition(";")[0].strip()
    group = bundle.removesuffix(f".{artifact}")
    if group != bundle and _GROUP.fullmatch(group):
        return group, 0.7, "group id from the manifest's Bundle-SymbolicName"
    return None, 0.6, "no group id stated"


def _licenses(pom: Pom | None, archive: JavaArchive | None) -> tuple[License, ...]:
    """Of the pom, else of the manifest, else of the licence's own text in META-INF.

    ``Bundle-License`` is a list of names or addresses with attributes.
    """
    if pom is not None and any(pom.licenses):
        return licenses_of(pom.licenses)
    if archive is None:
        return ()
    stated = archive.manifest.get("Bundle-License") or archive.manifest.get("Plugin-License-Name") or ""
    named = licenses_of(part.partition(";")[0].strip().strip('"') for part in stated.split(",") if part.strip())
    if named or archive.license is None:
        return named
    return (License(raw=f"text of {archive.license_file}", expression=archive.license),)
