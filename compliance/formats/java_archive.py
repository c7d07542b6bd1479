"""What jar, war, ear and plugin archives say of themselves, archives in archives included, within bounds.

Read: pom.properties and pom.xml of Maven, each also alone, MANIFEST.MF (jar specification), CycloneDX documents in
META-INF/sbom.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from compliance.errors import FormatError
from compliance.formats.license_text import TEXT_MAX, license_of_text
from compliance.formats.maven_build import inner, is_artifact, read_pom
from compliance.formats.plain_text import decode, plain_text
from compliance.formats.zip_archive import Member, ZipArchive

SUFFIXES = (".jar", ".war", ".ear", ".par", ".sar", ".hpi", ".jpi", ".kar", ".nar", ".lpkg")

DEPTH_MAX = 16
ARCHIVES_MAX = 4096
INFLATED_MAX = 1 * 2**30
_MANIFEST_MAX = 1 * 2**20
_POM_MAX = 1 * 2**20
_LICENSE_FILES = frozenset(
    f"META-INF/{name}{suffix}" for name in ("LICENSE", "license") for suffix in ("", ".txt", ".md")
)
_SBOM_MAX = 16 * 2**20
_POMS_MAX = 2000
_PROBLEMS_MAX = 20

_CONTINUATION = re.compile(r"\r?\n ")
_ATTRIBUTE = re.compile(r"^([A-Za-z0-9][A-Za-z0-9_-]*): ?(.*?)\r?$", re.MULTILINE)
_PROPERTY = re.compile(r"^[ \t]*([A-Za-z.]+)[ \t]*[=:][ \t]*(.*?)[ \t\r]*$", re.MULTILINE)
_COORDINATE = re.compile(r"[A-Za-z0-9_.-]+")

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pom:
    """One Maven artifact as its pom.properties names it, or its pom.xml, with what that adds.

    `place` is the member that names it; `dependencies` are (group, artifact) without those of scope test.
    """

    group: str
    artifact: str
    version: str
    place: str = ""
    licenses: tuple[str, ...] = ()
    dependencies: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JavaArchive:
    """One archive. `manifest` are the main attributes; `nested` the archives in it by member name.

    `components` are (group, artifact, version) of an SBOM inside; `problems` (member name or "", what). `license`
    is the SPDX identifier of the licence whose text lies in META-INF, in the member `license_file`.
    """

    sha256: str = ""
    poms: tuple[Pom, ...] = ()
    manifest: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    license: str | None = None
    license_file: str = ""
    components: tuple[tuple[str, str, str], ...] = ()
    nested: tuple[tuple[str, JavaArchive], ...] = ()
    problems: tuple[tuple[str, str], ...] = ()


def read_java_archive(content: bytes) -> JavaArchive:
    """Read an archive. Never raises: what is damaged or beyond a bound is among `problems`."""
    return _Reader().read(content, 0)


class _Reader:
    """Holds what is left of the budget of one file, which archives in archives share."""

    def __init__(self) -> None:
        self._inflated = 0
        self._archives = 0

    def read(self, content: bytes | memoryview, depth: int) -> JavaArchive:
        self._archives += 1
        problems: list[tuple[str, str]] = []
        wanted: dict[str, Member] = {}
        try:
            archive = ZipArchive(content)
            for member in archive.members():
                if _is_wanted(member.name):
                    wanted.setdefault(member.name, member)
        except FormatError as error:
            problems.append(("", error.message))
            if not wanted:
                return JavaArchive(problems=tuple(problems))
        manifest: Mapping[str, str] = _NOTHING
        poms: list[Pom] = []
        components: list[tuple[str, str, str]] = []
        nested: list[tuple[str, JavaArchive]] = []
        for name, member in wanted.items():
            try:
                if name.lower().endswith(SUFFIXES):
                    nested.append((plain_text(name), self._nested(archive, member, depth)))
                elif name == "META-INF/MANIFEST.MF":
                    manifest = read_manifest(self._text(archive, member, _MANIFEST_MAX))
                elif name.endswith(("pom.properties", "pom.xml")):
                    if len(poms) < _POMS_MAX:
                        poms.extend(self._poms(archive, name, wanted))
                elif name.endswith(".json"):
                    components.extend(read_components(self._text(archive, member, _SBOM_MAX)))
            except FormatError as error:
                problems.append((plain_text(name), error.message))
        license_, license_file = self._license(archive, wanted)
        return JavaArchive(
            poms=tuple(poms),
            manifest=manifest,
            license=license_,
            license_file=license_file,
            components=tuple(components),
            nested=tuple(nested),
            problems=tuple(problems[:_PROBLEMS_MAX]),
        )

    def _license(self, archive: ZipArchive, wanted: Mapping[str, Member]) -> tuple[str | None, str]:
        """The first licence text in META-INF that is known, and the member it lies in."""
        for name in sorted(_LICENSE_FILES & wanted.keys()):
            try:
                known = license_of_text(self._text(archive, wanted[name], TEXT_MAX))
            except FormatError:
                continue  # a text that is damaged or too large says nothing about the packages
            if known is not None:
                return known, name
        return None, ""

    def _poms(self, archive: ZipArchive, name: str, wanted: Mapping[str, Member]) -> Iterator[Pom]:
        """The artifact of a pom.properties, or of a pom.xml that has none beside it."""
        stem = name.rpartition(".")[0]
        xml = wanted.get(f"{stem}.xml")
        if name.endswith(".properties"):
            pom_xml = self._text(archive, xml, _POM_MAX) if xml else ""
            yield from read_pom_properties(self._text(archive, wanted[name], _POM_MAX), pom_xml, plain_text(name))
        elif f"{stem}.properties" not in wanted and name.startswith("META-INF/maven/"):
            yield from _lone_pom(self._text(archive, wanted[name], _POM_MAX), plain_text(name))

    def _nested(self, archive: ZipArchive, member: Member, depth: int) -> JavaArchive:
        if depth + 1 >= DEPTH_MAX:
            raise FormatError(f"archives nested more than {DEPTH_MAX} deep", code="java-archive-too-large")
        if self._archives >= ARCHIVES_MAX:
            raise FormatError(f"more than {ARCHIVES_MAX} archives in one file", code="java-archive-too-large")
        content = self._content(archive, member, INFLATED_MAX)
        inner = self.read(content, depth + 1)
        return replace(inner, sha256=hashlib.sha256(content).hexdigest())

    def _content(self, archive: ZipArchive, member: Member, limit: int) -> memoryview:
        content = archive.read(member, min(limit, INFLATED_MAX - self._inflated))
        self._inflated += len(content)
        return content

    def _text(self, archive: ZipArchive, member: Member, limit: int) -> str:
        return decode(bytes(self._content(archive, member, limit)))


def _is_wanted(name: str) -> bool:
    last = name.rpartition("/")[2]
    if last in ("pom.properties", "pom.xml") or name == "META-INF/MANIFEST.MF" or name in _LICENSE_FILES:
        return True
    if name.startswith("META-INF/sbom/") and last.endswith(".json"):
        return True
    return last.lower().endswith(SUFFIXES)


def read_manifest(text: str) -> Mapping[str, str]:
    """The main attributes of a MANIFEST.MF: those before the first empty line; of a repeated one the first."""
    head = re.split(r"\r?\n\r?\n", text, maxsplit=1)[0]
    found: dict[str, str] = {}
    for name, value in _ATTRIBUTE.findall(_CONTINUATION.sub("", head)):
        found.setdefault(name, plain_text(value))
    return MappingProxyType(found)


def read_pom_properties(properties: str, xml: str, place: str) -> Iterator[Pom]:
    """The artifact if the properties name it whole, without placeholders that the build left."""
    values = dict(_PROPERTY.findall(properties))
    group, artifact, version = (plain_text(values.get(key, ""), 256) for key in ("groupId", "artifactId", "version"))
    if _COORDINATE.fullmatch(group) and _COORDINATE.fullmatch(artifact) and version and "${" not in version:
        yield _pom(group, artifact, version, xml, place)


def _lone_pom(xml: str, place: str) -> Iterator[Pom]:
    stated = read_pom(xml)
    if stated is not None and is_artifact(stated.group, stated.artifact, stated.version):
        yield _pom(stated.group, stated.artifact, stated.version, xml, place)


def _pom(group: str, artifact: str, version: str, xml: str, place: str) -> Pom:
    return Pom(
        group=group,
        artifact=artifact,
        version=version,
        place=place,
        licenses=tuple(plain_text(inner(part, "name"), 256) for part in _parts(xml, "license"))[:16],
        dependencies=tuple(_dependencies(xml)),
    )


def _dependencies(xml: str) -> Iterator[tuple[str, str]]:
    for part in _parts(xml, "dependency"):
        group, artifact = inner(part, "groupId"), inner(part, "artifactId")
        if inner(part, "scope") != "test" and _COORDINATE.fullmatch(group) and _COORDINATE.fullmatch(artifact):
            yield group, artifact


def _parts(xml: str, element: str) -> Iterator[str]:
    """The inner texts of all elements of that name."""
    for piece in xml.split(f"<{element}>")[1:4001]:
        yield piece.partition(f"</{element}>")[0]


def read_components(text: str) -> Iterator[tuple[str, str, str]]:
    """Maven components of a CycloneDX document, as the build wrote it into the archive."""
    try:
        stated = json.loads(text)
        listed = stated.get("components", []) if isinstance(stated, dict) else []
    except (ValueError, RecursionError):
        return
    for part in listed if isinstance(listed, list) else []:
        if isinstance(part, dict) and str(part.get("purl", "")).startswith("pkg:maven/"):
            values = [part.get(key) for key in ("group", "name", "version")]
            if all(isinstance(value, str) and value for value in values):
                group, name, version = (plain_text(str(value), 256) for value in values)
                yield group, name, version
