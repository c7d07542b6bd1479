"""SPDX 2.2 and 2.3 in JSON read back into an inventory, whoever wrote it.

Files and snippets are passed over and counted. A relationship to something that is no package, too.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from compliance.formats.cyclonedx import LISTING
from compliance.formats.declared_license import parts_of
from compliance.formats.plain_text import plain_text
from compliance.formats.sbom_document import (
    Completeness,
    Gathering,
    LayerNames,
    Party,
    Reference,
    SbomDocument,
    Subject,
    Tool,
    read_place,
    stand_in_purl,
    web_address,
)
from compliance.formats.sbom_values import TEXT_MAX, objects, timestamp, wrong
from compliance.formats.signed_json import JsonObject
from compliance.formats.spdx import ANNOTATION, DECLARED_ONLY, FOUND_BY, HASHES, INFERRED
from compliance.model.inventory import Distribution, License, Location, Package, RelationshipKind, Unknown

VERSIONS = ("SPDX-2.2", "SPDX-2.3")
PACKAGES_MAX = 500_000
RELATIONSHIPS_MAX = 5_000_000

_ALGORITHMS = {theirs: ours for ours, theirs in HASHES.items()}
_AGENT = re.compile(r"(?P<kind>Person|Organization): ?(?P<name>.*?)(?: ?\((?P<mail>[^()\s]*)\))?")
_NOTHING = frozenset(("", "NOASSERTION", "NONE"))
_LAYER = re.compile(r"(?P<place>.*?)(?: \[layer (?P<digest>sha256:[0-9a-f]{64})\])?")
_LAYERS = "layers, lowest first: "
_COMPLETENESS = re.compile(r"^dependencies: (complete|incomplete|unknown)$", re.MULTILINE)
_PURPOSES = {"CONTAINER": "container", "OPERATING-SYSTEM": "operating-system", "APPLICATION": "application"}


def document(values: JsonObject, content: bytes, tool: Tool, now: datetime) -> SbomDocument:
    """The document. Without a creation time it is as of `now`. Raises FormatError with the place."""
    version = values.text("spdxVersion", "")
    if version not in VERSIONS:
        raise wrong(values, "spdxVersion", f"one of {', '.join(VERSIONS)}")
    return _Reader(values, version).document(content, tool, now)


class _Reader:
    """One reading of one document."""

    def __init__(self, values: JsonObject, version: str) -> None:
        self._values = values
        self._version = version
        self._gathering = Gathering()
        self._purls: dict[str, str] = {}
        self._installed: dict[str, str] = {}
        self._completeness: dict[str, Completeness] = {}
        self._texts = dict(_extracted(values))
        self._layers = LayerNames()

    def document(self, content: bytes, tool: Tool, now: datetime) -> SbomDocument:
        creation = self._values.member("creationInfo")
        described = self._described()
        subject = Subject(name=plain_text(self._values.text("name")), type="application")
        packages = list(objects(self._values, "packages", PACKAGES_MAX))
        for package in packages:
            if _identifier(package, "SPDXID") in described and len(described) == 1:
                subject = self._subject(package)
        for package in packages:
            identifier = _identifier(package, "SPDXID")
            if identifier in self._purls:
                raise wrong(package, "SPDXID", "an identifier of its own: it is given twice")
            self._purls[identifier] = "" if {identifier} == described else self._package(package)
        self._relate()
        self._read_annotations()
        moment = timestamp(creation, "created") or now
        digest = hashlib.sha256(content).hexdigest()
        left_out = [(key, self._values.values.get(key)) for key in ("files", "snippets")]
        authors = [_party(text) for text in _texts(creation, "creators") if not text.startswith("Tool:")]
        tools = [plain_text(text[5:], 100) for text in _texts(creation, "creators") if text.startswith("Tool:")]
        made_by = f" by {', '.join(tools)}" if tools else ""
        return SbomDocument(
            subject=subject,
            inventory=self._gathering.inventory(),
            effective=moment,
            tool=tool,
            identity="\n".join((digest, moment.isoformat(), tool.name, tool.version)),
            layers=self._layers.digests,
            authors=tuple(author for author in authors if author is not None),
            completeness=self._completeness,
            installed=self._installed,
            license_texts=self._texts,
            converted_from=f"{self._version.replace('-', ' ')} sha256:{digest}{made_by}",
            left_out=tuple(f"{len(some)} {key}" for key, some in left_out if isinstance(some, list) and some),
        )

    def _described(self) -> set[str]:
        found = set(_texts(self._values, "documentDescribes"))
        for edge in objects(self._values, "relationships", RELATIONSHIPS_MAX):
            kind = edge.text("relationshipType", "")
            if kind == "DESCRIBES" and edge.text("spdxElementId", "") == "SPDXRef-DOCUMENT":
                found.add(_identifier(edge, "relatedSpdxElement"))
            elif kind == "DESCRIBED_BY" and edge.text("relatedSpdxElement", "") == "SPDXRef-DOCUMENT":
                found.add(_identifier(edge, "spdxElementId"))
        return found

    def _subject(self, package: JsonObject) -> Subject:
        source = package.text("sourceInfo", "")
        if source.startswith(_LAYERS):
            self._layers = LayerNames(source.removeprefix(_LAYERS).split(", "))
        supplier = _party(package.text("supplier", "")) or _party(package.text("originator", ""))
        references = [("website", package.text("homepage", "")), ("distribution", package.text("downloadLocation", ""))]
        return Subject(
            name=plain_text(package.text("name")),
            version=plain_text(package.text("versionInfo", "")),
            type=_PURPOSES.get(package.text("primaryPackagePurpose", "").replace("_", "-"), "application"),
            purl=next(iter(_external(package, "purl")), None),
            digests=tuple(_checksums(package)),
            supplier=supplier,
            licenses=tuple(self._licenses(package)),
            references=tuple(Reference(kind=kind, url=url) for kind, url in references if web_address(url)),
        )

    def _package(self, package: JsonObject) -> str:
        """Take it in; its purl, "" for an operating system."""
        name, version = plain_text(package.text("name")), plain_text(package.text("versionInfo", ""))
        purls = _external(package, "purl")
        if package.text("primaryPackagePurpose", "").replace("_", "-") == "OPERATING-SYSTEM" and not purls:
            self._gathering.distribution = Distribution(id=name.lower(), version_id=version or None)
            return ""
        purl = purls[0] if purls else stand_in_purl(name, version)
        comment = package.long_text("comment") if package.has("comment") else ""
        inferred = INFERRED.search(comment)
        digests = tuple(_checksums(package))
        if f"SHA256: {LISTING}" in comment:
            self._installed[purl] = dict(digests).get("SHA-256", "")
            digests = ()
        if known := _COMPLETENESS.search(comment):
            self._completeness[purl] = Completeness(known[1])
        source = FOUND_BY.fullmatch(package.long_text("sourceInfo")) if package.has("sourceInfo") else None
        upstream = re.search(r"^source package (\S+) ?(.*)$", comment, re.MULTILINE)
        supplier = _party(package.text("supplier", "")) or _party(package.text("originator", ""))
        self._gathering.add(
            Package(
                name=name,
                version=version,
                type=purl[4:].partition("/")[0],
                purl=purl,
                found_by=source["cataloger"] if source else "sbom",
                locations=tuple(self._locations(source["places"])) if source else (),
                licenses=tuple(self._licenses(package)),
                supplier=_line(supplier),
                homepage=web_address(package.text("homepage", "")),
                source_name=upstream[1] if upstream else None,
                source_version=upstream[2] or None if upstream else None,
                digests=digests,
                cpes=tuple(_external(package, "cpe23Type") + _external(package, "cpe22Type")),
                declared=DECLARED_ONLY in comment,
                confidence=float(inferred["confidence"]) if inferred else 1.0,
                inferred=inferred["what"] if inferred else None,
            )
        )
        return purl

    def _locations(self, places: str) -> Iterator[Location]:
        for place in places.split("; "):
            if match := _LAYER.fullmatch(place):
                yield read_place(match["place"], self._layers.number(match["digest"]))

    def _licenses(self, package: JsonObject) -> Iterator[License]:
        """As declared, else as concluded; a LicenseRef whose text is known is that text."""
        for key in ("licenseDeclared", "licenseConcluded"):
            text = package.long_text(key) if package.has(key) else ""
            if text.strip() not in _NOTHING:
                for part in parts_of(text):
                    line = plain_text(part, TEXT_MAX)
                    yield License(raw=self._texts.get(line, line), expression=None if line in self._texts else line)
                return

    def _relate(self) -> None:
        for edge in objects(self._values, "relationships", RELATIONSHIPS_MAX):
            kind = edge.text("relationshipType", "")
            one = self._purls.get(edge.text("spdxElementId", ""))
            two = self._purls.get(edge.text("relatedSpdxElement", ""))
            if not one or not two:
                continue
            if kind in ("CONTAINED_BY", "DEPENDENCY_OF", "RUNTIME_DEPENDENCY_OF"):
                one, two = two, one
            if kind in ("CONTAINS", "CONTAINED_BY"):
                self._gathering.edges.discard((one, RelationshipKind.DEPENDS_ON, two))
                self._gathering.relate(one, RelationshipKind.CONTAINS, two)
                self._gathering.packages[two] = replace(self._gathering.packages[two], parent=one)
            elif kind in ("DEPENDS_ON", "DEPENDENCY_OF", "RUNTIME_DEPENDENCY_OF"):
                self._gathering.relate(one, RelationshipKind.DEPENDS_ON, two)

    def _read_annotations(self) -> None:
        for annotation in objects(self._values, "annotations", PACKAGES_MAX):
            comment = plain_text(annotation.long_text("comment"), TEXT_MAX)
            name, _, value = comment.removeprefix(ANNOTATION).partition(" ")
            if not comment.startswith(ANNOTATION):
                continue
            if name == "unknown":
                place, _, reason = value.partition(": ")
                self._gathering.unknowns.append(Unknown(path=place.lstrip("/"), reason=reason))
            elif name == "distribution":
                identifier, _, version = value.partition(" ")
                self._gathering.distribution = Distribution(id=identifier, version_id=version or None)


def _texts(values: JsonObject, key: str) -> list[str]:
    items = values.values.get(key)
    if items is None:
        return []
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise wrong(values, key, "a list of texts")
    return [plain_text(item, TEXT_MAX) for item in items]


def _identifier(values: JsonObject, key: str) -> str:
    text = values.text(key, "")
    if not text:
        raise wrong(values, key, "an identifier")
    return text


def _extracted(values: JsonObject) -> Iterator[tuple[str, str]]:
    for one in objects(values, "hasExtractedLicensingInfos", PACKAGES_MAX):
        name, text = plain_text(one.text("name", "")), plain_text(one.long_text("extractedText"))
        yield _identifier(one, "licenseId"), text if text not in _NOTHING else name


def _external(package: JsonObject, kind: str) -> list[str]:
    """The locators of one type; a purl only if it is one."""
    found = []
    for one in objects(package, "externalRefs", 10_000):
        locator = plain_text(one.text("referenceLocator"), TEXT_MAX)
        if one.text("referenceType") == kind and (kind != "purl" or re.match(r"pkg:[^/]+/+[^/]", locator)):
            found.append(locator)
    return found


def _checksums(package: JsonObject) -> Iterator[tuple[str, str]]:
    for one in objects(package, "checksums", 100):
        name = _ALGORITHMS.get(one.text("algorithm"))
        value = one.text("checksumValue").lower()
        if not re.fullmatch("[0-9a-f]+", value):
            raise wrong(one, "checksumValue", "a checksum in hexadecimal digits")
        if name is not None:
            yield name, value


def _party(text: str) -> Party | None:
    line = plain_text(text, 512)
    match = _AGENT.fullmatch(line)
    if line in _NOTHING or match is None or not match["name"]:
        return None
    return Party(name=match["name"], mail=match["mail"] or None)


def _line(party: Party | None) -> str | None:
    if party is None:
        return None
    return f"{party.name} <{party.mail}>" if party.mail and party.mail != party.name else party.name
