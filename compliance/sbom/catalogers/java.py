"""Java archives: Maven coordinates of jars, wars and plugins, of archives inside them, and of shaded libraries.

A jar without pom.properties seldom states its group. It is taken from the poms and SBOMs of the archives around it,
from its manifest, or from its family of artifacts; never made up from the artifact's name: then there is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from compliance.formats.java_archive import SUFFIXES, JavaArchive, Pom, read_java_archive
from compliance.formats.purl import package_url
from compliance.model.filesystem import Captured, FileTree
from compliance.model.inventory import Cataloged, Distribution, License, Location, Package, Unknown
from compliance.model.request import ContentRequest
from compliance.sbom.licenses import licenses_of

_ARCHIVES = ContentRequest(
    name="java-archive",
    globs=tuple(f"**/*{suffix}" for suffix in SUFFIXES),
    max_size=1 * 2**30,
    reduce=read_java_archive,
)

_VERSIONED = re.compile(r"(?P<name>.+?)[-_](?P<version>v?\d[A-Za-z0-9+._~-]*)")
_GROUP = re.compile(r"[a-z][a-z0-9_-]*(?:\.[a-z0-9_-]+)+", re.IGNORECASE)
_VERSION_KEYS = ("Implementation-Version", "Bundle-Version", "Plugin-Version", "Specification-Version")

# Families whose jars carry no pom.properties, as their builds are not Maven's; group and artifact names as published.
_FAMILIES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), group)
    for pattern, group in (
        (r"spring-boot(-.+)?", "org.springframework.boot"),
        (r"spring-security-.+", "org.springframework.security"),
        (r"spring-session-.+", "org.springframework.session"),
        (
            r"spring-(aop|aspects|beans|context|context-support|core|core-test|expression|instrument|jcl)",
            "org.springframework",
        ),
        (r"spring-(jdbc|jms|messaging|orm|oxm|r2dbc|test|tx|web|webflux|webmvc|websocket)", "org.springframework"),
        (r"hibernate-(core|envers|hikaricp|jcache|micrometer|spatial|testing|vector)", "org.hibernate.orm"),
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
)


@dataclass(frozen=True, slots=True)
class JavaCataloger:
    """Packages with coordinates from pom.properties, else from manifest and file name."""

    id: str = "java"
    requests: tuple[ContentRequest, ...] = (_ARCHIVES,)

    def catalog(self, tree: FileTree, distribution: Distribution | None) -> Cataloged:
        """Every archive of the tree, once however many names it has."""
        packages: list[Package] = []
        unknowns: list[Unknown] = []
        seen: set[int] = set()
        for item in tree.captured(_ARCHIVES.name):
            if isinstance(item.value, JavaArchive) and item.entry.inode not in seen:
                seen.add(item.entry.inode)
                file = _File(
                    item, tuple(Location(path=path, layer=item.entry.layer) for path in tree.names(item.entry))
                )
                packages.extend(file.packages())
                unknowns.extend(file.unknowns)
        return Cataloged(packages=tuple(packages), unknowns=tuple(unknowns))


CATALOGER = JavaCataloger()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Coordinates:
    group: str | None
    artifact: str
    version: str
    pom: Pom | None = None

    @property
    def purl(self) -> str:
        return package_url("maven", self.artifact, self.version, namespace=self.group)


class _File:
    """One file of the tree with all archives in it."""

    def __init__(self, item: Captured, locations: tuple[Location, ...]) -> None:
        self._item = item
        self._locations = locations
        self.unknowns: list[Unknown] = []

    def packages(self) -> Iterator[Package]:
        """The file's own package first."""
        archive = self._item.value
        if isinstance(archive, JavaArchive):
            yield from self._archive(archive, self._item.entry.name, self._item.entry.sha256, None, _Hints(), "")

    def _archive(
        self, archive: JavaArchive, name: str, sha256: str, parent: str | None, hints: _Hints, inside: str
    ) -> Iterator[Package]:
        for member, problem in archive.problems:
            where = f"{self._item.entry.path}{inside}" + (f"!/{member}" if member else "")
            self.unknowns.append(Unknown(path=where, reason=f"Java archive: {problem}"))
        hints = hints.with_archive(archive)
        own = _identity(archive, name, hints)
        here = parent
        if own is not None:
            here = own.purl
            yield self._package(own, parent if parent != here else None, sha256, archive.manifest)
        for pom in archive.poms:
            shaded = _Coordinates(group=pom.group, artifact=pom.artifact, version=pom.version, pom=pom)
            if own is None or shaded.purl != own.purl:
                yield self._package(shaded, here if shaded.purl != here else None, "", {})
        for member, inner in archive.nested:
            last = member.rpartition("/")[2]
            yield from self._archive(inner, last, inner.sha256, here, hints, f"{inside}!/{member}")

    def _package(
        self, coordinates: _Coordinates, parent: str | None, sha256: str, manifest: Mapping[str, str]
    ) -> Package:
        pom = coordinates.pom
        name = f"{coordinates.group}:{coordinates.artifact}" if coordinates.group else coordinates.artifact
        return Package(
            name=coordinates.artifact,
            version=coordinates.version,
            type="maven",
            purl=coordinates.purl,
            found_by=CATALOGER.id,
            locations=self._locations,
            licenses=_licenses(pom, manifest),
            supplier=manifest.get("Implementation-Vendor") or manifest.get("Bundle-Vendor") or None,
            homepage=manifest.get("Bundle-DocURL") or manifest.get("Implementation-URL") or None,
            digests=(("SHA-256", sha256),) if sha256 else (),
            depends=tuple(dict.fromkeys(f"{group}:{artifact}" for group, artifact in pom.dependencies)) if pom else (),
            provides=(name,),
            parent=parent,
        )


@dataclass(frozen=True, slots=True)
class _Hints:
    """Groups by artifact as the poms and SBOMs of the archives around tell them."""

    versioned: Mapping[tuple[str, str], str] = field(default_factory=dict)
    declared: Mapping[str, str] = field(default_factory=dict)

    def with_archive(self, archive: JavaArchive) -> _Hints:
        declared = {artifact: group for pom in archive.poms for group, artifact in pom.dependencies}
        versioned = {(artifact, version): group for group, artifact, version in archive.components}
        if not declared and not versioned:
            return self
        return _Hints(versioned={**self.versioned, **versioned}, declared={**self.declared, **declared})


def _identity(archive: JavaArchive, file_name: str, hints: _Hints) -> _Coordinates | None:
    """What the archive itself is; None when nothing in it or its name says so with a version."""
    stem = file_name.rpartition(".")[0]
    pom = _own_pom(archive, stem)
    if pom is not None:
        return _Coordinates(group=pom.group, artifact=pom.artifact, version=pom.version, pom=pom)
    if any(not member for member, _ in archive.problems):
        return None  # no archive: its name alone says nothing
    manifest = archive.manifest
    named = _named_version(stem, manifest)
    if named:
        artifact, version = named
    else:
        stated = next((manifest[key] for key in _VERSION_KEYS if manifest.get(key)), "")
        if not stated or not (manifest.get("Group-Id") or manifest.get("Implementation-Vendor-Id")):
            return None
        artifact, version = manifest.get("Short-Name") or stem, stated.partition(" ")[0]
    return _Coordinates(group=_group(artifact, version, manifest, hints), artifact=artifact, version=version)


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
    titled = [pom for pom in archive.poms if pom.artifact in titles]
    if named:
        return max(named, key=lambda pom: (len(pom.artifact), f"{pom.artifact}-{pom.version}" == stem))
    if titled:
        return titled[0]
    return archive.poms[0] if len(archive.poms) == 1 and not _VERSIONED.fullmatch(stem) else None


def _group(artifact: str, version: str, manifest: Mapping[str, str], hints: _Hints) -> str | None:
    if group := hints.versioned.get((artifact, version)) or hints.declared.get(artifact):
        return group
    for pattern, family in _FAMILIES:
        if pattern.fullmatch(artifact):
            return family
    for key in ("Group-Id", "Implementation-Vendor-Id"):
        if _GROUP.fullmatch(manifest.get(key, "")):
            return manifest[key]
    bundle = manifest.get("Bundle-SymbolicName", "").partition(";")[0].strip()
    group = bundle.removesuffix(f".{artifact}")
    return group if group != bundle and _GROUP.fullmatch(group) else None


def _licenses(pom: Pom | None, manifest: Mapping[str, str]) -> tuple[License, ...]:
    """Of the pom, else of the manifest: ``Bundle-License`` is a list of names or addresses with attributes."""
    if pom is not None and any(pom.licenses):
        return licenses_of(pom.licenses)
    stated = manifest.get("Bundle-License") or manifest.get("Plugin-License-Name") or ""
    return licenses_of(part.partition(";")[0].strip().strip('"') for part in stated.split(",") if part.strip())
