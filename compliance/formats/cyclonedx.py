"""A bill of materials as CycloneDX 1.6 or 1.7 (ECMA-424), in JSON or XML.

Same image, tool and effective time: the same bytes. Only what was read is in it; what could not be read is said
in `compositions` and in ``hullmark:unknown`` properties. Written as plain values that the schemas validate in the
tests: ADR 5 says why. Licences are `declared`: nobody here compared them with the code, so none is `concluded`.

Properties, all documented here:
``hullmark:distribution`` (document; also ``:id`` and ``:version``) the operating system as os-release names it ·
``hullmark:unknown`` (document) ``/path: reason`` of what could not be read or understood ·
``hullmark:unowned-programs`` (document) how many executable files belong to no package ·
``hullmark:converted-from`` (document) format and digest of the document that this one was made from ·
``hullmark:left-out`` (document) how many of what it had besides are not here ·
``hullmark:layer:digest`` (image) digest of a layer, lowest first · ``hullmark:found-by`` the cataloger ·
``hullmark:source`` name and version of the source package that a deb, apk or rpm was built from ·
``hullmark:contained-in`` purl of the package that contains this one, where it is not nested in its component ·
``hullmark:declared`` ``true`` for what a lock file or manifest states and nothing shows to be installed ·
``hullmark:inferred`` what of the identity was inferred · ``hullmark:cpe`` a further CPE ·
``hullmark:hash:covers`` what the SHA-256 is of when the package is not one file: the listing of its installed files.
Those beginning with ``bsi:component:`` are of BSI TR-03183-2's taxonomy, given for components that are one file.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from compliance.formats.declared_license import declared_expression, is_listed
from compliance.formats.plain_text import plain_text
from compliance.formats.sbom_document import (
    Completeness,
    FileRecord,
    Party,
    Reference,
    SbomDocument,
    references_of,
    supplier_of,
)
from compliance.model.filesystem import display_path
from compliance.model.inventory import Inventory, License, Location, Package, RelationshipKind

VERSIONS = ("1.6", "1.7")
PROPERTY_PREFIX = "hullmark"
LISTING = "installed files (sha256sum listing by path, as h1 of Go's dirhash)"
"""The value of ``hullmark:hash:covers``."""
HASHES = {
    **{f"SHA-{bits}": bits // 4 for bits in (256, 384, 512)},
    **{f"{family}-{bits}": bits // 4 for family in ("SHA3", "BLAKE2b") for bits in (256, 384, 512)},
    "MD5": 32,
    "SHA-1": 40,
    "BLAKE3": 64,
}
"""Hash algorithms of CycloneDX, with the hexadecimal digits of each."""
IN_BINARY = frozenset({"go", "rust", "elf-note", "binary"})
"""Catalogers that read programs, not manifests."""
CANDIDATE_CONFIDENCE = 0.3
"""Of a CPE made from name and version, its vendor left open: below what any cataloger states, and not measured."""

_JSON = json.JSONEncoder(ensure_ascii=False)
_NAMESPACE = uuid.UUID("7d2f8f0c-6b1a-5f0e-9c39-0d6a5a0f5b3e")
_OCCURRENCES_MAX = 1000
_PUNCTUATION = re.compile(r"[^\w.-]", re.ASCII)

# What an operating system's package ships under another name: a part of its component, not told twice.
_NESTED_TYPES = frozenset({"pypi", "npm", "gem", "composer", "cran"})
_OS_TYPES = frozenset({"deb", "apk", "rpm"})
_APPLICATIONS = frozenset({"generic", "bitnami"})


def to_cyclonedx_json(document: SbomDocument, version: str = "1.6") -> bytes:
    """The document as UTF-8 JSON that ends in a line feed."""
    return dump(values(document, version))


def to_cyclonedx_xml(document: SbomDocument, version: str = "1.6") -> bytes:
    """The document as UTF-8 XML: the same values."""
    from compliance.formats.cyclonedx_xml import write

    return write(values(document, version))


def values(document: SbomDocument, version: str = "1.6") -> dict[str, Any]:
    """The document as JSON values, in the order of the schema."""
    root_ref = _root_ref(document)
    return _filled(
        {
            "$schema": f"http://cyclonedx.org/schema/bom-{version}.schema.json",
            "bomFormat": "CycloneDX",
            "specVersion": version,
            "serialNumber": uuid.uuid5(_NAMESPACE, document.identity).urn,
            "version": 1,
            "metadata": _metadata(document, root_ref),
        }
    ) | {
        "components": _components(document),
        "dependencies": _dependencies(root_ref, document.inventory),
        "compositions": list(_compositions(root_ref, document)),
        **_filled({"properties": [_property(*pair) for pair in _document_properties(document)]}),
    }


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC, as BSI TR-03183-2 recommends."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def dump(value: Mapping[str, Any]) -> bytes:
    """JSON with one component, one dependency a line: what changed between two documents shows in their diff."""
    parts = []
    for key, part in value.items():
        if isinstance(part, list) and part:
            lines = b",\n  ".join(_compact(item) for item in part)
            parts.append(b"%s: [\n  %s\n]" % (_compact(key), lines))
        else:
            parts.append(b"%s: %s" % (_compact(key), _compact(part)))
    return b"{\n%s\n}\n" % b",\n".join(parts)


def _compact(value: Any) -> bytes:
    return _JSON.encode(value).encode("utf-8", "replace")


def _filled(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is empty: absent fields say nothing."""
    return {key: value for key, value in fields.items() if value not in (None, "", [], {})}


def _property(name: str, value: str) -> dict[str, str]:
    full = name if name.startswith("bsi:") else f"{PROPERTY_PREFIX}:{name}"
    return {"name": full, "value": value}


def _root_ref(document: SbomDocument) -> str:
    subject = document.subject
    return f"image:{subject.version}" if subject.type == "container" else f"subject:{subject.name}@{subject.version}"


def _metadata(document: SbomDocument, root_ref: str) -> dict[str, Any]:
    """NTIA's author may be a tool: where nobody else is named, this one is."""
    subject, tool = document.subject, document.tool
    authors = document.authors or (Party(name=f"{tool.name} {tool.version}"),)
    root = {
        "type": subject.type,
        "bom-ref": root_ref,
        "supplier": _organisation(subject.supplier),
        "authors": [_person(author) for author in subject.authors],
        "name": plain_text(subject.name) or "unnamed",
        "version": plain_text(subject.version),
        "hashes": _hashes(subject.digests),
        "licenses": _licenses(subject.licenses),
        "purl": subject.purl,
        "externalReferences": [_reference(one, subject.digests) for one in subject.references],
        "properties": [_property("layer:digest", digest) for digest in dict.fromkeys(document.layers)]
        + ([_property(*pair) for pair in _CONTAINER] if subject.type == "container" else []),
    }
    made_by = {"type": "application", "bom-ref": f"tool:{tool.name}", "name": tool.name, "version": tool.version}
    return _filled(
        {
            "timestamp": timestamp(document.effective),
            "lifecycles": [{"phase": "post-build"}],
            "tools": {"components": [made_by]},
            "authors": [_person(author) for author in authors],
            "component": _filled(root),
            "supplier": _organisation(document.supplier),
            "licenses": [{"license": {"id": "CC0-1.0"}}],
        }
    )


# BSI TR-03183-2, 8.1.5 and 8.1.6: a container image is an archive whose parts are still told apart.
_CONTAINER = (("bsi:component:archive", "archive"), ("bsi:component:structured", "structured"))


def _organisation(party: Party | None) -> dict[str, Any] | None:
    if party is None:
        return None
    contact = [{"email": party.mail}] if party.mail else []
    return _filled({"name": party.name, "url": [party.url] if party.url else [], "contact": contact})


def _person(party: Party) -> dict[str, Any]:
    return _filled({"name": party.name, "email": party.mail})


def _reference(reference: Reference, digests: Iterable[tuple[str, str]] = ()) -> dict[str, Any]:
    hashes = _hashes(digests) if reference.kind == "distribution" else []
    return _filled({"type": reference.kind, "url": reference.url, "hashes": hashes})


def _hashes(digests: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"alg": name, "content": value} for name, value in digests if HASHES.get(name) == len(value)]


def _components(document: SbomDocument) -> list[dict[str, Any]]:
    """One component a package, in purl order; packages that an OS package ships are nested in its component.

    Files, where they are listed, are nested in their package's component, and on top where no package owns them.
    """
    packages = document.inventory.packages
    known = {package.purl for package in packages}
    nested = {package.purl for package in packages if is_nested(package) and package.parent in known}
    parts: dict[str, list[dict[str, Any]]] = {}
    loose: list[dict[str, Any]] = []
    for record in document.files:
        owner = record.owner if record.owner in known else None
        (loose if owner is None else parts.setdefault(owner, [])).append(_file(record))
    made = {package.purl: _component(package, document, nested=package.purl in nested) for package in packages}
    top: list[dict[str, Any]] = []
    for package in packages:
        component = made[package.purl]
        if package.purl in nested and package.parent is not None:
            made[package.parent].setdefault("components", []).append(component)
        else:
            top.append(component)
    for purl, records in parts.items():
        made[purl].setdefault("components", []).extend(records)
    return top + loose


def is_nested(package: Package) -> bool:
    """Whether `package` is what an OS package ships under another name (python3-requests holds requests)."""
    parent_type = (package.parent or "").removeprefix("pkg:").partition("/")[0]
    return package.type in _NESTED_TYPES and parent_type in _OS_TYPES


def _file(record: FileRecord) -> dict[str, Any]:
    path = display_path(record.path)
    kind = "executable" if record.program else "non-executable"
    return {
        "type": "file",
        "bom-ref": f"file:{path}",
        "name": path,
        "hashes": [{"alg": "SHA-256", "content": record.sha256}],
        "properties": [
            _property("bsi:component:filename", path.rpartition("/")[2]),
            _property("bsi:component:executable", kind),
        ],
    }


def _component(package: Package, document: SbomDocument, *, nested: bool) -> dict[str, Any]:
    installed = document.installed.get(package.purl)
    digests = package.digests or ((("SHA-256", installed),) if installed else ())
    group, name = _group_and_name(package)
    fields = {
        "type": "application" if package.type in _APPLICATIONS else "library",
        "bom-ref": package.purl,
        "supplier": _organisation(supplier_of(package)),
        "group": plain_text(group),
        "name": plain_text(name) or plain_text(package.purl),
        "version": plain_text(package.version),
        # CycloneDX: "not capable of being called due to them not being installed".
        "scope": "optional" if package.declared else None,
        "hashes": _hashes(digests),
        "licenses": _licenses(package.licenses),
        "cpe": package.cpes[0] if package.cpes else None,
        "purl": package.purl,
        "externalReferences": [_reference(one) for one in references_of(package)],
        "properties": [_property(*pair) for pair in _properties(package, document, nested=nested)],
        "evidence": _evidence(package, document),
    }
    return _filled(fields)


def _group_and_name(package: Package) -> tuple[str, str]:
    """Maven groups, npm scopes and composer vendors are groups; the namespace of others is no part of the name."""
    if package.type not in ("maven", "npm", "composer"):
        return "", package.name
    from urllib.parse import unquote

    path = package.purl.removeprefix(f"pkg:{package.type}/").partition("?")[0].partition("#")[0].rpartition("@")[0]
    namespace = unquote(path.rpartition("/")[0])
    if not namespace:
        return "", package.name
    return namespace, package.name.removeprefix(f"{namespace}/").removeprefix(f"{namespace}:")


def _licenses(licenses: tuple[License, ...]) -> list[dict[str, Any]]:
    """One listed licence by its id, one of no known identity by its name, anything else as one expression."""
    licenses = tuple(licence for licence in licenses if licence.raw.strip())
    if not licenses:
        return []
    acknowledgement = {"acknowledgement": "declared"}
    expression = declared_expression(licenses)
    if len(licenses) == 1 and licenses[0].expression is None:
        return [{"license": {"name": plain_text(licenses[0].raw), **acknowledgement}}]
    if is_listed(expression):
        return [{"license": {"id": expression, **acknowledgement}}]
    return [{"expression": expression, **acknowledgement}]


def _evidence(package: Package, document: SbomDocument) -> dict[str, Any]:
    """What identified the package, how surely, every place of it, and its licence texts as they were found."""
    raws = [plain_text(licence.raw) for licence in package.licenses if licence.raw != licence.expression]
    written_as_name = len(package.licenses) == 1 and package.licenses[0].expression is None
    return _filled(
        {
            "identity": list(_identities(package)),
            "occurrences": list(_occurrences(package.locations, document)),
            "licenses": [] if written_as_name else [{"license": {"name": raw}} for raw in dict.fromkeys(raws) if raw],
        }
    )


def _identities(package: Package) -> Iterator[dict[str, Any]]:
    in_binary = package.found_by in IN_BINARY and not package.declared
    technique = "binary-analysis" if in_binary else "manifest-analysis"
    place = _place(package.locations[0]) if package.locations else None
    stated = _filled({"technique": technique, "confidence": package.confidence, "value": place})
    yield {"field": "purl", "confidence": package.confidence, "methods": [stated]}
    if package.cpes:
        method = _filled({"technique": technique, "confidence": package.confidence, "value": place})
        yield {
            "field": "cpe",
            "confidence": package.confidence,
            "concludedValue": package.cpes[0],
            "methods": [method],
        }
    elif candidate := candidate_cpe(package):
        method = {"technique": "other", "confidence": CANDIDATE_CONFIDENCE, "value": "name and version, any vendor"}
        yield {
            "field": "cpe",
            "confidence": CANDIDATE_CONFIDENCE,
            "concludedValue": candidate,
            "methods": [method],
        }


def candidate_cpe(package: Package) -> str | None:
    """A CPE 2.3 name with any vendor (NISTIR 7695, 6.2): evidence at most, never asserted as `cpe`."""
    name, version = _cpe_value(_group_and_name(package)[1].rpartition("/")[2]), _cpe_value(package.version)
    return f"cpe:2.3:a:*:{name}:{version}:*:*:*:*:*:*:*" if name and version else None


def _cpe_value(text: str) -> str:
    """An attribute value as a formatted string binds it: lower case, punctuation escaped; "" for what has none."""
    if not text.isascii() or not text.isprintable() or " " in text:
        return ""
    return _PUNCTUATION.sub(r"\\\g<0>", text.lower())


def _occurrences(locations: tuple[Location, ...], document: SbomDocument) -> Iterator[dict[str, Any]]:
    for location in locations[:_OCCURRENCES_MAX]:
        digest = document.layer(location.layer)
        context = f"layer {digest}" if digest else None
        yield _filled({"location": _place(location), "additionalContext": context})


def _place(location: Location) -> str:
    """The path, and the place inside an archive as Java writes it: ``/app.war!/WEB-INF/lib/a.jar``."""
    inside = f"!{display_path(location.inner)}" if location.inner is not None else ""
    return display_path(location.path) + inside


def _properties(package: Package, document: SbomDocument, *, nested: bool) -> Iterator[tuple[str, str]]:
    yield "found-by", package.found_by
    if package.source_name:
        yield "source", plain_text(f"{package.source_name} {package.source_version or ''}".strip())
    if package.parent and not nested:
        yield "contained-in", package.parent
    if package.declared:
        yield "declared", "true"
    if package.inferred:
        yield "inferred", plain_text(package.inferred)
    yield from (("cpe", cpe) for cpe in package.cpes[1:])
    if package.purl in document.installed and not package.digests:
        yield "hash:covers", LISTING
    if single := document.single_files.get(package.purl):
        yield "bsi:component:filename", single.name
        yield "bsi:component:executable", "executable"
        yield "bsi:component:archive", "archive" if single.archive else "no archive"
        yield "bsi:component:structured", "structured" if single.archive else "unstructured"


def _dependencies(root_ref: str, inventory: Inventory) -> list[dict[str, Any]]:
    """A line for the image and for every package. A package depends on what it declares and on what it contains."""
    needs: dict[str, set[str]] = {package.purl: set() for package in inventory.packages}
    for relationship in inventory.relationships:
        if relationship.kind in (RelationshipKind.DEPENDS_ON, RelationshipKind.CONTAINS):
            needs[relationship.source].add(relationship.target)
    graph = {root_ref: roots(needs)} | {purl: sorted(targets) for purl, targets in needs.items()}
    return [{"ref": ref, "dependsOn": targets} if targets else {"ref": ref} for ref, targets in graph.items()]


def roots(needs: Mapping[str, set[str]]) -> list[str]:
    """The packages that nothing needs, and one of each circle that nothing outside needs: all others follow."""
    needed = {target for targets in needs.values() for target in targets}
    found: list[str] = []
    reached: set[str] = set()
    for purl in (*(purl for purl in needs if purl not in needed), *needs):
        if purl in reached:
            continue
        found.append(purl)
        todo = [purl]
        while todo:
            here = todo.pop()
            if here not in reached:
                reached.add(here)
                todo.extend(needs[here] - reached)
    return sorted(found)


def _compositions(root_ref: str, document: SbomDocument) -> Iterator[dict[str, Any]]:
    """The image's parts, then the dependencies of its packages by ecosystem.

    The image is never ``complete``: a package manager's records do not prove that there is no other software.
    """
    aggregate = Completeness.INCOMPLETE if document.inventory.unknowns else Completeness.UNKNOWN
    yield {"aggregate": aggregate.value, "assemblies": [root_ref]}
    groups: dict[tuple[str, Completeness], list[str]] = {}
    for package in document.inventory.packages:
        known = document.completeness.get(package.purl, Completeness.UNKNOWN)
        groups.setdefault((package.type, known), []).append(package.purl)
    for (_, known), purls in sorted(groups.items()):
        yield {"aggregate": known.value, "dependencies": purls}


def _document_properties(document: SbomDocument) -> Iterator[tuple[str, str]]:
    inventory = document.inventory
    if distribution := inventory.distribution:
        text = distribution.pretty_name or f"{distribution.id} {distribution.version_id or ''}".strip()
        yield "distribution", text
        yield "distribution:id", distribution.id
        if distribution.version_id:
            yield "distribution:version", distribution.version_id
    if document.unowned_programs is not None:
        yield "unowned-programs", str(document.unowned_programs)
    if document.converted_from:
        yield "converted-from", document.converted_from
    yield from (("left-out", what) for what in document.left_out)
    for unknown in inventory.unknowns:
        yield "unknown", f"{display_path(unknown.path)}: {plain_text(unknown.reason)}"
