"""CycloneDX 1.2 to 1.7 read back into an inventory, whoever wrote it.

Built as the schema demands wherever it is read; what an inventory has no place for (services, vulnerabilities,
formulation, models) is counted in `left_out`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from compliance.errors import FormatError
from compliance.formats.cyclonedx import HASHES, LISTING, PROPERTY_PREFIX
from compliance.formats.cyclonedx_xml import NOT_READ
from compliance.formats.declared_license import license_reference, parts_of
from compliance.formats.plain_text import plain_text
from compliance.formats.sbom_document import (
    Completeness,
    FileRecord,
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
from compliance.formats.sbom_values import CODE, TEXT_MAX, objects, timestamp, wrong
from compliance.formats.signed_json import JsonObject
from compliance.model.inventory import Distribution, License, Location, Package, RelationshipKind, Unknown

VERSIONS = ("1.2", "1.3", "1.4", "1.5", "1.6", "1.7")
COMPONENTS_MAX = 500_000
EDGES_MAX = 5_000_000
DEPTH_MAX = 64

_TYPES = frozenset(
    (
        *("application", "container", "cryptographic-asset", "data", "device", "device-driver", "file", "firmware"),
        *("framework", "library", "machine-learning-model", "operating-system", "platform"),
    )
)
_SCOPES = frozenset(("required", "optional", "excluded"))
_SERIAL = re.compile(r"urn:uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HEX = re.compile(r"[0-9a-fA-F]+")
_LAYER = re.compile(r"layer (sha256:[0-9a-f]{64})")
_LOCATION_PATH = re.compile(r"syft:location:(\d+):path")
_LICENSE_MAX = 512


def document(values: JsonObject, content: bytes, tool: Tool, now: datetime) -> SbomDocument:
    """The document. Without a timestamp of its own it is as of `now`. Raises FormatError with the place."""
    if values.text("bomFormat", "") != "CycloneDX":
        raise wrong(values, "bomFormat", "CycloneDX")
    version = values.text("specVersion", "")
    if version not in VERSIONS:
        raise wrong(values, "specVersion", f"one of {', '.join(VERSIONS)}")
    serial = values.text("serialNumber", "")
    if serial and not _SERIAL.fullmatch(serial):
        raise wrong(values, "serialNumber", "a urn:uuid")
    return _Reader(values, version).document(content, tool, now)


class _Reader:
    """One reading of one document."""

    def __init__(self, values: JsonObject, version: str) -> None:
        self._values = values
        self._version = version
        self._metadata = values.member("metadata") if values.has("metadata") else JsonObject({}, "SBOM.metadata")
        self._gathering = Gathering()
        self._purls: dict[str, str] = {}
        self._files: list[FileRecord] = []
        self._installed: dict[str, str] = {}
        self._texts: dict[str, str] = {}
        self._found_licenses: dict[str, tuple[str, ...]] = {}
        self._left_out: dict[str, int] = {}
        self._count = 0
        self._layers = LayerNames()

    def document(self, content: bytes, tool: Tool, now: datetime) -> SbomDocument:
        subject = self._subject()
        for component in objects(self._values, "components", COMPONENTS_MAX):
            self._component(component, None, 0)
        self._dependencies()
        said = list(_properties(self._values))
        for name, value in said:
            self._said(name, value)
        for key in NOT_READ:
            if some := self._values.values.get(key):
                self._left_out[key] = len(some) if isinstance(some, list) else 1
        moment = timestamp(self._metadata, "timestamp") or now
        digest = hashlib.sha256(content).hexdigest()
        unowned = dict(said).get(f"{PROPERTY_PREFIX}:unowned-programs", "")
        supplier = _organisation(self._metadata, "supplier") or _organisation(self._metadata, "manufacturer")
        return SbomDocument(
            subject=subject,
            inventory=self._gathering.inventory(),
            effective=moment,
            tool=tool,
            identity="\n".join((digest, moment.isoformat(), tool.name, tool.version)),
            layers=self._layers.digests,
            authors=tuple(_people(self._metadata)),
            supplier=supplier,
            completeness=self._completeness(),
            installed=self._installed,
            files=tuple(self._files),
            license_texts=self._texts,
            found_licenses=self._found_licenses,
            unowned_programs=int(unowned) if unowned.isdecimal() and len(unowned) < 10 else None,
            converted_from=f"CycloneDX {self._version} sha256:{digest}{_tools(self._metadata)}",
            left_out=tuple(f"{number} {what}" for what, number in sorted(self._left_out.items())),
        )

    def _subject(self) -> Subject:
        if not self._metadata.has("component"):
            return Subject(name="unnamed", type="application")
        component = self._metadata.member("component")
        kind = _type(component)
        said = list(_properties(component))
        self._layers = LayerNames(value for name, value in said if name == f"{PROPERTY_PREFIX}:layer:digest")
        if component.has("bom-ref"):
            self._purls[_ref(component, "bom-ref")] = ""
        for inner in objects(component, "components", COMPONENTS_MAX):
            self._component(inner, None, 1)
        group = plain_text(component.text("group", ""))
        name = plain_text(_required(component, "name"))
        return Subject(
            name=f"{group}/{name}" if group else name,
            version=plain_text(component.text("version", "")),
            type=kind,
            purl=_purl(component),
            digests=tuple(_hashes(component)),
            supplier=_organisation(component, "supplier"),
            authors=tuple(_people(component)),
            licenses=tuple(self._licenses(component)),
            references=tuple(_references(component)),
        )

    def _component(self, component: JsonObject, owner: str | None, depth: int) -> None:
        self._count += 1
        if self._count > COMPONENTS_MAX or depth > DEPTH_MAX:
            raise FormatError("too many components, or too deep", code="limit-exceeded", where=component.where)
        kind, name = _type(component), plain_text(_required(component, "name"))
        if component.text("scope", "required") not in _SCOPES:
            raise wrong(component, "scope", "a scope")
        if kind == "file":
            self._file(component, name, owner)
            purl = owner
        elif kind == "operating-system" and _purl(component) is None:
            version = plain_text(component.text("version", "")) or None
            self._gathering.distribution = Distribution(id=name.lower(), version_id=version)
            purl = ""
        else:
            package = self._package(component, name)
            purl = package.purl
            self._gathering.add(replace(package, parent=owner) if owner else package)
            if owner:
                self._gathering.relate(owner, RelationshipKind.CONTAINS, purl)
        if component.has("bom-ref"):
            reference = _ref(component, "bom-ref")
            if reference in self._purls:
                raise wrong(component, "bom-ref", "a reference of its own: it is given twice")
            self._purls[reference] = purl or ""
        for inner in objects(component, "components", COMPONENTS_MAX):
            self._component(inner, purl or None, depth + 1)

    def _file(self, component: JsonObject, name: str, owner: str | None) -> None:
        digests = dict(_hashes(component))
        if "SHA-256" not in digests or not name.startswith("/"):
            self._left_out["files without path or SHA-256"] = self._left_out.get("files without path or SHA-256", 0) + 1
            return
        said = dict(_properties(component))
        program = said.get("bsi:component:executable") == "executable"
        sha1 = digests.get("SHA-1", "")
        self._files.append(
            FileRecord(path=name[1:], sha256=digests["SHA-256"], sha1=sha1, program=program, owner=owner)
        )

    def _package(self, component: JsonObject, name: str) -> Package:
        said = list(_properties(component))
        ours = {key.removeprefix(f"{PROPERTY_PREFIX}:"): value for key, value in said}
        group, version = plain_text(component.text("group", "")), plain_text(component.text("version", ""))
        purl = _purl(component) or stand_in_purl(name, version, group)
        kind = purl[4:].partition("/")[0]
        digests = tuple(_hashes(component))
        if ours.get("hash:covers") == LISTING:
            self._installed[purl] = dict(digests).get("SHA-256", "")
            digests = ()
        if found := _found_licenses(component):
            self._found_licenses[purl] = found
        source, _, source_version = ours.get("source", "").partition(" ")
        cpe = component.text("cpe", "")
        further = [value for key, value in said if key == f"{PROPERTY_PREFIX}:cpe"]
        return Package(
            name=f"{group}/{name}" if group and kind in ("npm", "composer", "generic", "golang") else name,
            version=version,
            type=kind,
            purl=purl,
            found_by=plain_text(ours.get("found-by") or dict(said).get("syft:package:foundBy") or "sbom"),
            locations=tuple(self._locations(component, dict(said))),
            licenses=tuple(self._licenses(component)),
            supplier=_supplier(component),
            homepage=next((one.url for one in _references(component) if one.kind == "website"), None),
            digests=digests,
            cpes=tuple(plain_text(text) for text in (cpe, *further) if text),
            source_name=source or None,
            source_version=source_version or None,
            parent=ours.get("contained-in") or None,
            declared=ours.get("declared") == "true",
            confidence=_confidence(component),
            inferred=ours.get("inferred") or None,
        )

    def _locations(self, component: JsonObject, said: Mapping[str, str]) -> Iterator[Location]:
        if component.has("evidence"):
            for occurrence in objects(component.member("evidence"), "occurrences", 100_000):
                layer = _LAYER.search(occurrence.text("additionalContext", ""))
                yield read_place(occurrence.text("location"), self._layers.number(layer[1] if layer else None))
        for name, value in said.items():
            if path := _LOCATION_PATH.fullmatch(name):
                yield read_place(value, self._layers.number(said.get(f"syft:location:{path[1]}:layerID")))
        if path_of := said.get("aquasecurity:trivy:FilePath"):
            yield read_place(path_of, self._layers.number(said.get("aquasecurity:trivy:LayerDigest")))

    def _licenses(self, component: JsonObject) -> Iterator[License]:
        """Names as they are; of what is said to be an expression, each operand."""
        found = {license_reference(text): text for text in _found_licenses(component)}
        self._texts.update(found)
        for text, is_name in _license_texts(component):
            if is_name and text.strip():
                yield License(raw=plain_text(text, _LICENSE_MAX))
            elif not is_name:
                parts = (plain_text(part, TEXT_MAX) for part in parts_of(text))
                yield from (
                    License(raw=found.get(part, part), expression=None if part in found else part)
                    for part in parts
                    if part
                )

    def _dependencies(self) -> None:
        edges = 0
        for line in objects(self._values, "dependencies", COMPONENTS_MAX):
            source = self._known(_ref(line, "ref"), line, "ref")
            targets = line.values.get("dependsOn") or []
            if not isinstance(targets, list):
                raise wrong(line, "dependsOn", "a list")
            edges += len(targets)
            if edges > EDGES_MAX:
                raise FormatError(f"more than {EDGES_MAX} dependencies", code="limit-exceeded", where=line.where)
            for number, target in enumerate(targets):
                if not isinstance(target, str):
                    raise wrong(line, f"dependsOn[{number}]", "a text")
                purl = self._known(plain_text(target, TEXT_MAX), line, f"dependsOn[{number}]")
                if source and purl:
                    self._gathering.relate(source, RelationshipKind.DEPENDS_ON, purl)
        packages = self._gathering.packages
        for package in packages.values():
            if package.parent in packages and package.parent != package.purl:
                self._gathering.edges.discard((package.parent, RelationshipKind.DEPENDS_ON, package.purl))
                self._gathering.relate(package.parent, RelationshipKind.CONTAINS, package.purl)

    def _known(self, reference: str, line: JsonObject, key: str) -> str:
        """The purl behind a reference; "" for what is no package. References to nothing are errors."""
        if reference not in self._purls:
            if self._left_out_may_hold(reference):
                return ""
            raise wrong(line, key, "the bom-ref of a component")
        return self._purls[reference]

    def _left_out_may_hold(self, reference: str) -> bool:
        """Services have bom-refs too, and a BOM-Link leads to another document."""
        return reference.startswith("urn:cdx:") or self._values.has("services") or self._values.has("formulation")

    def _completeness(self) -> Mapping[str, Completeness]:
        known: dict[str, Completeness] = {}
        for composition in objects(self._values, "compositions", COMPONENTS_MAX):
            aggregate = composition.text("aggregate", "unknown")
            word = "incomplete" if aggregate.startswith("incomplete") else aggregate
            references = composition.values.get("dependencies")
            for reference in references if isinstance(references, list) else ():
                if isinstance(reference, str) and (purl := self._purls.get(reference)):
                    known[purl] = Completeness(word) if word in list(Completeness) else Completeness.UNKNOWN
        return known

    def _said(self, name: str, value: str) -> None:
        key = name.removeprefix(f"{PROPERTY_PREFIX}:")
        before = self._gathering.distribution
        if name == key:
            return
        if key == "unknown":
            place, _, reason = plain_text(value, TEXT_MAX).partition(": ")
            self._gathering.unknowns.append(Unknown(path=place.lstrip("/"), reason=reason))
        elif key == "distribution:id":
            pretty = before.pretty_name if before else None
            self._gathering.distribution = Distribution(id=plain_text(value), pretty_name=pretty)
        elif key == "distribution" and before is None:
            self._gathering.distribution = Distribution(id=plain_text(value).lower(), pretty_name=plain_text(value))
        elif key == "distribution:version" and before is not None:
            self._gathering.distribution = replace(before, version_id=plain_text(value))


def _ref(values: JsonObject, key: str) -> str:
    reference = plain_text(_required(values, key), TEXT_MAX)
    if not reference:
        raise wrong(values, key, "a reference")
    return reference


def _required(values: JsonObject, key: str) -> str:
    if not values.has(key):
        raise FormatError(f"{key} is missing", code=CODE, where=values.where)
    return values.text(key)


def _type(component: JsonObject) -> str:
    kind = _required(component, "type")
    if kind not in _TYPES:
        raise wrong(component, "type", "a type of component")
    return kind


def _purl(component: JsonObject) -> str | None:
    """The purl, if it is one at all; some documents have other texts there."""
    text = plain_text(component.text("purl", ""), TEXT_MAX)
    kind, _, name = text[4:].partition("/")
    return text if text.startswith("pkg:") and kind and name.strip("/") else None


def _hashes(component: JsonObject) -> Iterator[tuple[str, str]]:
    for one in objects(component, "hashes", 100):
        name, value = one.text("alg"), one.text("content")
        digits = HASHES.get(name)
        if digits is None and not name.startswith("Streebog-"):
            raise wrong(one, "alg", "a hash algorithm")
        if not _HEX.fullmatch(value) or len(value) not in (32, 40, 64, 96, 128):
            raise wrong(one, "content", "a hash in hexadecimal digits")
        if len(value) == digits:
            yield name, value.lower()


def _properties(component: JsonObject) -> Iterator[tuple[str, str]]:
    for one in objects(component, "properties", 100_000):
        name = one.text("name", "")
        value = one.values.get("value")
        if value is not None and not isinstance(value, str):
            raise wrong(one, "value", "a text")
        yield name, plain_text(value or "", TEXT_MAX)


def _references(component: JsonObject) -> Iterator[Reference]:
    for one in objects(component, "externalReferences", 10_000):
        kind, url = one.text("type"), web_address(one.text("url", ""))
        if url and kind in ("website", "vcs", "documentation", "distribution"):
            yield Reference(kind=kind, url=url)


def _organisation(values: JsonObject, key: str) -> Party | None:
    if not values.has(key):
        return None
    entity = values.member(key)
    contacts = list(objects(entity, "contact", 1000))
    mail = next((text for one in contacts if (text := plain_text(one.text("email", ""), 256))), None)
    addresses = entity.values.get("url")
    urls = addresses if isinstance(addresses, list) else [addresses]
    url = next((text for text in urls if isinstance(text, str) and web_address(text)), None)
    name = plain_text(entity.text("name", ""), 512) or mail or url
    return Party(name=name, mail=mail, url=url) if name else None


def _people(values: JsonObject) -> Iterator[Party]:
    for one in objects(values, "authors", 1000):
        mail = plain_text(one.text("email", ""), 256) or None
        if name := plain_text(one.text("name", ""), 512) or mail:
            yield Party(name=name, mail=mail)


def _supplier(component: JsonObject) -> str | None:
    """``Name <mail>`` of the first that is named as supplier, manufacturer, publisher or author."""
    party = _organisation(component, "supplier") or _organisation(component, "manufacturer")
    if party is not None:
        return f"{party.name} <{party.mail}>" if party.mail and party.mail != party.name else party.name
    stated = plain_text(component.text("publisher", "") or component.text("author", ""), 512)
    people = next(_people(component), None)
    if not stated and people is not None:
        return f"{people.name} <{people.mail}>" if people.mail and people.mail != people.name else people.name
    return stated or None


def _found_licenses(component: JsonObject) -> tuple[str, ...]:
    """The texts of the licence evidence."""
    if not component.has("evidence"):
        return ()
    return tuple(plain_text(text, _LICENSE_MAX) for text, _ in _license_texts(component.member("evidence")))


def _license_texts(values: JsonObject) -> Iterator[tuple[str, bool]]:
    """Each id, name or expression, and whether it is a name; some writers put whole licences there."""
    for choice in objects(values, "licenses", 10_000):
        if choice.has("expression"):
            yield choice.long_text("expression"), False
        elif choice.has("license"):
            licence = choice.member("license")
            if licence.has("id") == licence.has("name"):
                raise wrong(choice, "license", "a licence with either id or name")
            yield licence.long_text("id" if licence.has("id") else "name"), licence.has("name")
        else:
            raise wrong(choice, "license", "a licence or an expression")


def _confidence(component: JsonObject) -> float:
    """Of the purl; in CycloneDX 1.5 identity is one object, later a list."""
    if not component.has("evidence"):
        return 1.0
    evidence = component.member("evidence")
    if isinstance(evidence.values.get("identity"), dict):
        identities = [evidence.member("identity")]
    else:
        identities = list(objects(evidence, "identity", 1000))
    for identity in identities:
        value = identity.values.get("confidence")
        if identity.text("field", "") == "purl" and value is not None:
            if not isinstance(value, int | float) or not 0 <= value <= 1:
                raise wrong(identity, "confidence", "a number from 0 to 1")
            return float(value)
    return 1.0


def _tools(metadata: JsonObject) -> str:
    """`` by name version, …`` of the tools that made it; since CycloneDX 1.5 they are components."""
    said = metadata.values.get("tools")
    holder, key = (JsonObject(said, metadata.where), "components") if isinstance(said, dict) else (metadata, "tools")
    names = [
        f"{plain_text(tool.text('name', ''), 100)} {plain_text(tool.text('version', ''), 100)}".strip()
        for tool in objects(holder, key, 1000)
    ]
    return f" by {', '.join(filter(None, names))}" if any(names) else ""
