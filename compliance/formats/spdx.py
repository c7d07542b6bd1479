"""A bill of materials as SPDX 2.3 in JSON.

Same image, tool and effective time: the same bytes. The image CONTAINS its packages; what a lock file or manifest
only declares is OTHER, with a comment. `licenseConcluded` is always NOASSERTION: nobody here compared a licence
with the code. Licence texts without an SPDX identifier are kept as extracted licensing information.

SHA256 of a package with several files is that of the listing of its installed files, and its comment says so
(`LISTING`). Annotations of the document begin with ``hullmark:``: ``distribution``, ``unknown`` (``/path: reason``
of what could not be read), ``unowned-programs``, ``converted-from``, ``left-out``, ``files-left-out``.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from compliance.formats.cyclonedx import LISTING, dump, timestamp
from compliance.formats.declared_license import declared_expression, license_reference, references_in
from compliance.formats.plain_text import plain_text
from compliance.formats.sbom_document import (
    Completeness,
    FileRecord,
    Party,
    SbomDocument,
    references_of,
    supplier_of,
)
from compliance.model.filesystem import display_path
from compliance.model.inventory import License, Location, Package, RelationshipKind

VERSION = "2.3"
DECLARED_ONLY = "declared by a lock file or manifest; nothing in the image shows that it is installed"
"""The comment of a package of which no more is known."""
INFERRED = re.compile(r"identity inferred \(confidence (?P<confidence>[01](?:\.\d+)?)\): (?P<what>[^\n]*)")
FOUND_BY = re.compile(r"found by (?P<cataloger>[A-Za-z0-9_.-]+) in (?P<places>.*)")
HASHES = {"SHA-256": "SHA256", "SHA-512": "SHA512", "SHA-384": "SHA384", "SHA-1": "SHA1", "MD5": "MD5"}
"""CycloneDX's names of algorithms to SPDX's."""
ROOT = "SPDXRef-Subject"
ANNOTATION = "hullmark:"

_NAMESPACE = uuid.UUID("0c8d4a51-55f9-5a43-8a0e-8a2d3f5b9d10")
_DOCUMENT = "SPDXRef-DOCUMENT"
_NO_ID = re.compile(r"[^A-Za-z0-9.-]+")
_LOCATIONS_MAX = 100
_PURPOSES = {
    "application": "APPLICATION",
    "container": "CONTAINER",
    "device": "DEVICE",
    "file": "FILE",
    "firmware": "FIRMWARE",
    "framework": "FRAMEWORK",
    "library": "LIBRARY",
    "operating-system": "OPERATING-SYSTEM",
}


def to_spdx_json(document: SbomDocument) -> bytes:
    """The document as UTF-8 JSON that ends in a line feed, one package, file or relationship a line."""
    return dump(values(document))


def values(document: SbomDocument) -> dict[str, Any]:
    """The document as JSON values, in the order of the specification."""
    name = plain_text(document.subject.name) or "unnamed"
    ids = _identifiers(document.inventory.packages)
    files = _Files(document)
    extracted = list(_extracted(document))
    return {
        "spdxVersion": f"SPDX-{VERSION}",
        "dataLicense": "CC0-1.0",
        "SPDXID": _DOCUMENT,
        "name": name,
        "documentNamespace": uuid.uuid5(_NAMESPACE, document.identity).urn,
        "creationInfo": _creation(document),
        "annotations": [_annotation(document, *pair) for pair in _document_annotations(document, files.left_out)],
        "packages": [_subject(document), *(_package(package, document, ids, files) for package in _packages(document))],
        **({"files": files.values} if files.values else {}),
        **({"hasExtractedLicensingInfos": extracted} if extracted else {}),
        "relationships": list(_relationships(document, ids, files)),
    }


def _packages(document: SbomDocument) -> tuple[Package, ...]:
    return document.inventory.packages


def _identifiers(packages: Iterable[Package]) -> Mapping[str, str]:
    """By purl; unique through the purl's digest, readable through type and name."""
    return {
        package.purl: f"SPDXRef-Package-{package.type}-{_NO_ID.sub('-', package.name)[:60]}-{_digest(package.purl)}"
        for package in packages
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _creation(document: SbomDocument) -> dict[str, Any]:
    creators = [f"Tool: {document.tool.name}-{document.tool.version}"]
    creators += [_agent(author, person=True) for author in document.authors]
    if document.supplier is not None:
        creators.append(_agent(document.supplier, person=False))
    return {"created": timestamp(document.effective), "creators": creators}


def _agent(party: Party, *, person: bool) -> str:
    """``Person: name (mail)``; the parentheses are the mail's alone."""
    name = party.name.replace("(", "[").replace(")", "]")
    return f"{'Person' if person else 'Organization'}: {name}" + (f" ({party.mail})" if party.mail else "")


def _supplier(package: Package) -> str:
    """A name with a mail address of its own is taken for a person's, unless a vendor field states it (rpm)."""
    party = supplier_of(package)
    if party is None:
        return "NOASSERTION"
    return _agent(party, person=party.mail is not None and package.type != "rpm")


def _annotation(document: SbomDocument, name: str, value: str) -> dict[str, str]:
    return {
        "annotationDate": timestamp(document.effective),
        "annotationType": "OTHER",
        "annotator": f"Tool: {document.tool.name}-{document.tool.version}",
        "comment": f"{ANNOTATION}{name} {value}",
    }


def _document_annotations(document: SbomDocument, left_out: int) -> Iterator[tuple[str, str]]:
    inventory = document.inventory
    if distribution := inventory.distribution:
        version = f" {distribution.version_id}" if distribution.version_id else ""
        yield "distribution", f"{distribution.id}{version}"
    if document.unowned_programs is not None:
        yield "unowned-programs", str(document.unowned_programs)
    if document.converted_from:
        yield "converted-from", document.converted_from
    yield from (("left-out", what) for what in document.left_out)
    if left_out:
        yield "files-left-out", f"{left_out}, whose SHA-1, which SPDX demands, was not computed"
    for unknown in inventory.unknowns:
        yield "unknown", f"{display_path(unknown.path)}: {plain_text(unknown.reason)}"


def _subject(document: SbomDocument) -> dict[str, Any]:
    subject = document.subject
    references = [_reference("PACKAGE-MANAGER", "purl", subject.purl)] if subject.purl else []
    place = next((one.url for one in subject.references if one.kind == "distribution"), "NOASSERTION")
    return _filled(
        {
            "name": plain_text(subject.name) or "unnamed",
            "SPDXID": ROOT,
            "versionInfo": plain_text(subject.version),
            "supplier": _agent(subject.supplier, person=False) if subject.supplier else "NOASSERTION",
            "downloadLocation": place,
            "filesAnalyzed": False,
            "checksums": _checksums(subject.digests),
            "homepage": next((one.url for one in subject.references if one.kind == "website"), None),
            "sourceInfo": "layers, lowest first: " + ", ".join(document.layers) if document.layers else None,
            "licenseConcluded": "NOASSERTION",
            "licenseDeclared": declared_expression(subject.licenses) or "NOASSERTION",
            "copyrightText": "NOASSERTION",
            "externalRefs": references,
            "primaryPackagePurpose": _PURPOSES.get(subject.type, "OTHER"),
        }
    )


def _package(package: Package, document: SbomDocument, ids: Mapping[str, str], files: _Files) -> dict[str, Any]:
    installed = document.installed.get(package.purl)
    digests = package.digests or ((("SHA-256", installed),) if installed else ())
    verification = files.verification.get(package.purl)
    single = document.single_files.get(package.purl)
    return {
        **_filled(
            {
                "name": plain_text(package.name) or plain_text(package.purl),
                "SPDXID": ids[package.purl],
                "versionInfo": plain_text(package.version),
                "packageFileName": single.name if single else None,
                "supplier": _supplier(package),
                "downloadLocation": "NOASSERTION",
            }
        ),
        "filesAnalyzed": verification is not None,
        **_filled(
            {
                "packageVerificationCode": {"packageVerificationCodeValue": verification} if verification else None,
                "checksums": _checksums(digests),
                "homepage": next((one.url for one in references_of(package) if one.kind == "website"), None),
                "sourceInfo": _source(package, document),
                "licenseConcluded": "NOASSERTION",
                "licenseDeclared": declared_expression(package.licenses) or "NOASSERTION",
                "copyrightText": "NOASSERTION",
                "comment": "\n".join(_comments(package, document)),
                "externalRefs": list(_references(package)),
                "primaryPackagePurpose": "LIBRARY" if package.type != "generic" else "APPLICATION",
            }
        ),
    }


def _filled(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value not in (None, "", [])}


def _checksums(digests: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"algorithm": HASHES[name], "checksumValue": value.lower()} for name, value in digests if name in HASHES]


def _source(package: Package, document: SbomDocument) -> str:
    places = "; ".join(_place(location, document) for location in package.locations[:_LOCATIONS_MAX])
    return f"found by {package.found_by} in {places}" if places else ""


def _place(location: Location, document: SbomDocument) -> str:
    inside = f"!{display_path(location.inner)}" if location.inner is not None else ""
    layer = document.layer(location.layer)
    return display_path(location.path) + inside + (f" [layer {layer}]" if layer else "")


def _comments(package: Package, document: SbomDocument) -> Iterator[str]:
    if package.declared:
        yield DECLARED_ONLY
    if package.inferred or package.confidence < 1:
        what = plain_text(package.inferred or "not said what")
        yield f"identity inferred (confidence {round(package.confidence, 3)}): {what}"
    if package.source_name:
        yield plain_text(f"source package {package.source_name} {package.source_version or ''}".strip())
    if package.purl in document.installed and not package.digests:
        yield f"SHA256: {LISTING}"
    known = document.completeness.get(package.purl, Completeness.UNKNOWN)
    yield f"dependencies: {known}"


def _references(package: Package) -> Iterator[dict[str, str]]:
    yield _reference("PACKAGE-MANAGER", "purl", package.purl)
    for cpe in package.cpes:
        yield _reference("SECURITY", "cpe23Type" if cpe.startswith("cpe:2.3:") else "cpe22Type", cpe)
    for one in references_of(package):
        if one.kind == "vcs":
            yield _reference("OTHER", "vcs", one.url)


def _reference(category: str, kind: str, locator: str) -> dict[str, str]:
    return {"referenceCategory": category, "referenceType": kind, "referenceLocator": locator}


def _extracted(document: SbomDocument) -> Iterator[dict[str, str]]:
    """The text of every LicenseRef that some expression names (SPDX 2.3, clause 10)."""
    texts: dict[str, str] = {}
    every = (document.subject.licenses, *(package.licenses for package in document.inventory.packages))
    for licence in (licence for licenses in every for licence in licenses if licence.raw):
        texts.update(_texts(licence, document.license_texts))
    for identifier, text in sorted(texts.items()):
        yield {"licenseId": identifier, "extractedText": text, "name": text[:100]}


def _texts(licence: License, known: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if licence.expression is None:
        yield license_reference(licence.raw), plain_text(licence.raw) or "a text of blanks"
        return
    for identifier in references_in(licence.expression):
        if not identifier.startswith("DocumentRef-"):
            yield identifier, known.get(identifier) or f"no text of {identifier} was recorded"


class _Files:
    """The files that SPDX can list: those with a SHA-1; a package's only if all of them have one."""

    def __init__(self, document: SbomDocument) -> None:
        known = {package.purl for package in document.inventory.packages}
        by_owner: dict[str | None, list[FileRecord]] = {}
        for record in document.files:
            by_owner.setdefault(record.owner if record.owner in known else None, []).append(record)
        self.values: list[dict[str, Any]] = []
        self.contained: dict[str, list[str]] = {}
        self.verification: dict[str, str] = {}
        self.left_out = 0
        for owner, records in by_owner.items():
            if owner is not None and not all(record.sha1 for record in records):
                self.left_out += len(records)
                continue
            some = [record for record in records if record.sha1]
            self.left_out += len(records) - len(some)
            self.values.extend(_file(record) for record in some)
            if owner is not None:
                self.contained[owner] = [_file_id(record) for record in some]
                # SPDX 2.3, 7.9: SHA-1 of the sorted SHA-1s, written one behind the other.
                joined = "".join(sorted(record.sha1 for record in some)).encode()
                self.verification[owner] = hashlib.sha1(joined, usedforsecurity=False).hexdigest()
        self.loose = [_file_id(record) for record in by_owner.get(None, ()) if record.sha1]


def _file(record: FileRecord) -> dict[str, Any]:
    return {
        "fileName": f".{display_path(record.path)}",
        "SPDXID": _file_id(record),
        **({"fileTypes": ["APPLICATION"]} if record.program else {}),
        "checksums": _checksums((("SHA-1", record.sha1), ("SHA-256", record.sha256))),
        "licenseConcluded": "NOASSERTION",
        "licenseInfoInFiles": ["NOASSERTION"],
        "copyrightText": "NOASSERTION",
    }


def _file_id(record: FileRecord) -> str:
    return f"SPDXRef-File-{_digest(record.path)}"


def _relationships(document: SbomDocument, ids: Mapping[str, str], files: _Files) -> Iterator[dict[str, str]]:
    yield _relationship(_DOCUMENT, "DESCRIBES", ROOT)
    for package in document.inventory.packages:
        if package.declared:
            yield _relationship(ROOT, "OTHER", ids[package.purl]) | {"comment": DECLARED_ONLY}
        else:
            yield _relationship(ROOT, "CONTAINS", ids[package.purl])
    for edge in document.inventory.relationships:
        kind = "CONTAINS" if edge.kind is RelationshipKind.CONTAINS else "DEPENDS_ON"
        yield _relationship(ids[edge.source], kind, ids[edge.target])
    for owner, identifiers in files.contained.items():
        yield from (_relationship(ids[owner], "CONTAINS", identifier) for identifier in identifiers)
    # CONTAINS would need a verification code of the image over all of them (SPDX 2.3, 7.8).
    for identifier in files.loose:
        yield _relationship(ROOT, "OTHER", identifier) | {"comment": "a file of the image that no package owns"}


def _relationship(source: str, kind: str, target: str) -> dict[str, str]:
    return {"spdxElementId": source, "relationshipType": kind, "relatedSpdxElement": target}
