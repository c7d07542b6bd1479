"""What an SBOM says: the packages and relations of SPDX 2.x and CycloneDX documents in JSON, taken as statements.

Read loosely, as documents found in images often break their schema; nothing said is believed here. Left out are
the image or file system itself, files, operating systems, and what a package was only built, tested or made from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from compliance.errors import FormatError
from compliance.formats.json_data import mapping, mappings, read_json_object, text, texts

PACKAGES_MAX = 500_000

_CODE = "sbom-invalid"
_CPE = re.compile(r"cpe:2\.3:[aho*-](?::[^:\s]+){10}")
_HEX = re.compile(r"(?:[0-9a-f]{2}){16,64}")
_NOTHING = frozenset({"", "NONE", "NOASSERTION"})
_AGENT = re.compile(r"(?:Organization|Person|Tool): *(?P<name>.*)")

_SPDX_NO_PACKAGES = frozenset({"CONTAINER", "OPERATING-SYSTEM", "OPERATING_SYSTEM", "FILE", "ARCHIVE", "SOURCE"})
_SPDX_CONTAINS = "CONTAINS"
_SPDX_CONTAINED_BY = "CONTAINED_BY"
_SPDX_DEPENDS_ON = frozenset({"DEPENDS_ON"})
_SPDX_DEPENDENCY_OF = frozenset({"DEPENDENCY_OF", "RUNTIME_DEPENDENCY_OF"})
# Relations whose one end was used to make the other, and is not in it.
_SPDX_TARGET_OUTSIDE = frozenset({"GENERATED_FROM", "DESCRIBED_BY", "DESCENDANT_OF", "PATCH_APPLIED"})
_SPDX_SOURCE_OUTSIDE = frozenset(
    {
        *("GENERATES", "ANCESTOR_OF", "PATCH_FOR", "BUILD_TOOL_OF", "DEV_TOOL_OF", "TEST_TOOL_OF", "TEST_OF"),
        *("BUILD_DEPENDENCY_OF", "DEV_DEPENDENCY_OF", "TEST_DEPENDENCY_OF", "PROVIDED_DEPENDENCY_OF"),
    }
)

_CDX_PACKAGES = frozenset(
    {"application", "framework", "library", "platform", "firmware", "device-driver", "machine-learning-model"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedPackage:
    """One package of an SBOM. `purl` is as written, "" if none; `digests` as (CycloneDX algorithm name, hex)."""

    ref: str
    name: str
    version: str
    purl: str
    licenses: tuple[str, ...] = ()
    supplier: str | None = None
    homepage: str | None = None
    digests: tuple[tuple[str, str], ...] = ()
    cpes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SbomStatement:
    """A document: `format` in words, its packages by reference, and (from, to) references of its relations.

    References of the relations may lead to elements that are no packages.
    """

    format: str
    packages: Mapping[str, StatedPackage]
    contains: tuple[tuple[str, str], ...]
    depends: tuple[tuple[str, str], ...]


def read_sbom_statement(content: bytes) -> SbomStatement | None:
    """The statements of a document; None for what is no SBOM. Raises FormatError for one that can't be read."""
    if b'"spdxVersion"' not in content and b'"bomFormat"' not in content:
        if content.lstrip().startswith(b"SPDXVersion:") or b"spdx.org/rdf/3" in content[:4096]:
            raise FormatError("an SPDX document in a form that is not read (only SPDX 2.x as JSON is)", code=_CODE)
        return None
    document = read_json_object(content)
    if text(document.get("bomFormat")) == "CycloneDX":
        return _cyclonedx(document)
    if version := text(document.get("spdxVersion"), 32):
        return _spdx(document, version)
    return None


def _spdx(document: Mapping[str, Any], version: str) -> SbomStatement:
    """SPDX 2.x (ISO/IEC 5962), clauses 7 and 11."""
    contains: list[tuple[str, str]] = []
    depends: list[tuple[str, str]] = []
    outside: set[str] = set()
    for relation in mappings(document.get("relationships")):
        kind = text(relation.get("relationshipType"), 64).upper()
        edge = (text(relation.get("spdxElementId"), 512), text(relation.get("relatedSpdxElement"), 512))
        if kind == _SPDX_CONTAINS:
            contains.append(edge)
        elif kind == _SPDX_CONTAINED_BY:
            contains.append(edge[::-1])
        elif kind in _SPDX_DEPENDS_ON:
            depends.append(edge)
        elif kind in _SPDX_DEPENDENCY_OF:
            depends.append(edge[::-1])
        elif kind in _SPDX_TARGET_OUTSIDE:
            outside.add(edge[1])
        elif kind in _SPDX_SOURCE_OUTSIDE:
            outside.add(edge[0])
    outside -= {target for _, target in (*contains, *depends)}
    packages: dict[str, StatedPackage] = {}
    for stated in mappings(document.get("packages")):
        package = _spdx_package(stated)
        purpose = text(stated.get("primaryPackagePurpose"), 64).upper()
        if package.ref not in outside and purpose not in _SPDX_NO_PACKAGES:
            _add(packages, package)
    return SbomStatement(
        format=version.replace("SPDX-", "SPDX "), packages=packages, contains=tuple(contains), depends=tuple(depends)
    )


def _spdx_package(stated: Mapping[str, Any]) -> StatedPackage:
    references = [
        (text(reference.get("referenceType"), 128).rpartition("/")[2], text(reference.get("referenceLocator"), 2048))
        for reference in mappings(stated.get("externalRefs"))
    ]
    licenses = (text(stated.get(key), 512) for key in ("licenseDeclared", "licenseConcluded"))
    agent = _said(stated.get("supplier")) or _said(stated.get("originator"))
    named = _AGENT.fullmatch(agent)
    return StatedPackage(
        ref=text(stated.get("SPDXID"), 512),
        name=text(stated.get("name"), 256),
        version=_said(stated.get("versionInfo")),
        purl=next((locator for kind, locator in references if kind == "purl"), ""),
        licenses=tuple(licence for licence in licenses if licence not in _NOTHING)[:1],
        supplier=(named["name"] if named else agent) or None,
        homepage=_said(stated.get("homepage")) or None,
        digests=tuple(
            _digests(
                (entry.get("algorithm"), entry.get("checksumValue")) for entry in mappings(stated.get("checksums"))
            )
        ),
        cpes=tuple(locator for _, locator in references if _CPE.fullmatch(locator)),
    )


def _said(value: Any) -> str:
    """A text, unless it says that nothing is known."""
    line = text(value)
    return "" if line in _NOTHING else line


def _cyclonedx(document: Mapping[str, Any]) -> SbomStatement:
    """CycloneDX (ECMA-424), "components" and "dependencies". What is excluded by scope is not delivered."""
    packages: dict[str, StatedPackage] = {}
    contains: list[tuple[str, str]] = []
    subject = mapping(document.get("metadata")).get("component")
    waiting: list[tuple[str, Mapping[str, Any]]] = [
        ("", component) for component in (*mappings([subject]), *mappings(document.get("components")))
    ]
    for number, (parent, stated) in enumerate(waiting):  # grows while it is read
        package = _cyclonedx_package(stated, number)
        if parent:
            contains.append((parent, package.ref))
        if text(stated.get("scope")) != "excluded":
            if text(stated.get("type"), 64) in _CDX_PACKAGES:
                _add(packages, package)
            waiting.extend((package.ref, inner) for inner in mappings(stated.get("components")))
    depends = tuple(
        (text(line.get("ref"), 2048), target)
        for line in mappings(document.get("dependencies"))
        for target in texts(line.get("dependsOn"), 2048)
    )
    version = text(document.get("specVersion"), 16)
    return SbomStatement(format=f"CycloneDX {version}", packages=packages, contains=tuple(contains), depends=depends)


def _cyclonedx_package(stated: Mapping[str, Any], number: int) -> StatedPackage:
    group, name = text(stated.get("group"), 256), text(stated.get("name"), 256)
    licenses = (
        text(choice.get("expression"), 512)
        or text(mapping(choice.get("license")).get("id"), 128)
        or text(mapping(choice.get("license")).get("name"), 512)
        for choice in mappings(stated.get("licenses"))
    )
    cpe = text(stated.get("cpe"), 1024)
    return StatedPackage(
        ref=text(stated.get("bom-ref"), 2048) or f"component {number}",
        name=f"{group}/{name}" if group else name,
        version=text(stated.get("version"), 256),
        purl=text(stated.get("purl"), 2048),
        licenses=tuple(licence for licence in licenses if licence not in _NOTHING),
        supplier=text(mapping(stated.get("supplier")).get("name"), 256) or text(stated.get("publisher"), 256) or None,
        homepage=next(
            (
                text(reference.get("url"))
                for reference in mappings(stated.get("externalReferences"))
                if reference.get("type") == "website"
            ),
            None,
        ),
        digests=tuple(_digests((entry.get("alg"), entry.get("content")) for entry in mappings(stated.get("hashes")))),
        cpes=(cpe,) if _CPE.fullmatch(cpe) else (),
    )


def _digests(stated: Iterator[tuple[Any, Any]]) -> Iterator[tuple[str, str]]:
    for algorithm, value in stated:
        digest = text(value).lower()
        name = re.sub(r"^SHA(?=\d)", "SHA-", text(algorithm, 32).upper())
        if _HEX.fullmatch(digest) and name in ("MD5", "SHA-1", "SHA-256", "SHA-384", "SHA-512"):
            yield name, digest


def _add(packages: dict[str, StatedPackage], package: StatedPackage) -> None:
    if len(packages) >= PACKAGES_MAX:
        raise FormatError(f"an SBOM of more than {PACKAGES_MAX} packages", code=_CODE)
    packages.setdefault(package.ref, package)
