"""What the builds of Java projects declare: pom.xml (Maven) and gradle.lockfile.

No XML parser: a pom needs none, and entities stay unread.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from compliance.errors import FormatError
from compliance.formats.plain_text import decode
from compliance.formats.stated_package import StatedPackage

_COORDINATE = re.compile(r"[A-Za-z0-9_.-]{1,256}")
_VERSION = re.compile(r"[A-Za-z0-9_.+-]{1,256}")
_PROPERTY = re.compile(r"<([\w.-]{1,128})>([^<]{0,256})</")
_PLACEHOLDER = re.compile(r"\$\{([^{}]{1,128})\}")
_LOCKED = re.compile(r"([^:=\s]{1,256}):([^:=\s]{1,256}):([^:=\s]{1,256})=")
_ROUNDS_MAX = 8
_DEPENDENCIES_MAX = 4000
_SECTIONS_MAX = 64
# Their dependencies are not the project's: plugins, other builds, and versions for those who ask.
_ASIDE = ("profiles", "build", "reporting", "dependencyManagement", "distributionManagement")


@dataclass(frozen=True, slots=True, kw_only=True)
class PomFile:
    """The project of a pom.xml, what it inherits from its parent filled in; "" for what it does not state.

    `dependencies` are (group, artifact, version) without those whose version comes from elsewhere.
    """

    group: str
    artifact: str
    version: str
    dependencies: tuple[tuple[str, str, str], ...]


def read_pom(text: str) -> PomFile | None:
    """Read a pom.xml; None when it is no project."""
    start = _uncommented(text).partition("<project")[2].partition(">")[2]
    if not start:
        return None
    for section in _ASIDE:
        start = _cut(start, section)
    parent = inner(start, "parent")
    listed = inner(start, "dependencies")
    properties = dict(_PROPERTY.findall(inner(start, "properties")))
    for section in ("parent", "dependencies", "properties", "licenses", "organization", "developers"):
        start = _cut(start, section)
    group = inner(start, "groupId") or inner(parent, "groupId")
    version = inner(start, "version") or inner(parent, "version")
    values = {**properties, "project.groupId": group, "project.version": version, "pom.version": version}
    values["project.parent.version"] = values["parent.version"] = inner(parent, "version")
    return PomFile(
        group=_filled(group, values),
        artifact=_filled(inner(start, "artifactId"), values),
        version=_filled(version, values),
        dependencies=tuple(_dependencies(listed, values)),
    )


def _dependencies(listed: str, values: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for piece in listed.split("<dependency>")[1 : _DEPENDENCIES_MAX + 1]:
        stated = _cut(piece.partition("</dependency>")[0], "exclusions")
        group, artifact, version = (_filled(inner(stated, key), values) for key in ("groupId", "artifactId", "version"))
        if is_artifact(group, artifact, version):
            yield group, artifact, version


def is_artifact(group: str, artifact: str, version: str) -> bool:
    """Whether these are coordinates of one version: whole, without placeholders and ranges."""
    return bool(_COORDINATE.fullmatch(group) and _COORDINATE.fullmatch(artifact) and _VERSION.fullmatch(version))


def _filled(text: str, values: Mapping[str, str]) -> str:
    """`text` with the properties that the pom itself defines; bounded, as they may name each other in a circle."""
    for _ in range(_ROUNDS_MAX):
        if "${" not in text or len(text) > 1024:
            break
        text = _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), text)
    return text


def inner(xml: str, element: str) -> str:
    """The inner text of the first `element` that has no attributes; "" where there is none."""
    return xml.partition(f"<{element}>")[2].partition(f"</{element}>")[0].strip()


def _cut(xml: str, element: str) -> str:
    """`xml` without the first elements of that name."""
    first, *rest = xml.split(f"<{element}>", _SECTIONS_MAX)
    return first + "".join(piece.partition(f"</{element}>")[2] for piece in rest)


def _uncommented(xml: str) -> str:
    first, *rest = xml.split("<!--")
    return first + "".join(piece.partition("-->")[2] for piece in rest)


def read_pom_file(content: bytes, path: str = "") -> Iterator[StatedPackage]:
    """The project and the dependencies whose version the pom itself states, of whatever scope."""
    pom = read_pom(decode(content))
    if pom is None:
        raise FormatError("pom.xml without a project", code="pom-invalid")
    dependencies = tuple(f"{group}:{artifact}" for group, artifact, _ in pom.dependencies)
    if is_artifact(pom.group, pom.artifact, pom.version):
        yield stated_artifact(pom.group, pom.artifact, pom.version, depends=dependencies)
    for group, artifact, version in pom.dependencies:
        yield stated_artifact(group, artifact, version)


def read_gradle_lock(content: bytes, path: str = "") -> Iterator[StatedPackage]:
    """Every ``group:artifact:version=configurations`` (Gradle, "Locking Versions")."""
    for line in decode(content).split("\n"):
        match = _LOCKED.match(line.strip())
        if match and is_artifact(match[1], match[2], match[3]):
            yield stated_artifact(match[1], match[2], match[3])


def stated_artifact(group: str, artifact: str, version: str, depends: tuple[str, ...] = ()) -> StatedPackage:
    """A Maven artifact; it answers to ``group:artifact``."""
    return StatedPackage(
        name=artifact,
        version=version,
        namespace=group,
        purl_name=artifact,
        depends=depends,
        provides=(f"{group}:{artifact}",),
    )
