"""The minimum elements of an SBOM (NTIA, 2021), looked for in a CycloneDX or SPDX 2 document of anybody's.

Of the document: author, timestamp, dependency relationships. Of each component: supplier, name, version and
another unique identifier. Documents are untrusted JSON: whatever has another shape counts as absent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

DEPTH_MAX = 32
COMPONENTS_MAX = 200_000
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_ABSENT = frozenset(("", "noassertion", "none", "unknown"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One component as far as the minimum elements go; `name` and `purl` are "" where it has none."""

    name: str
    version: bool
    supplier: bool
    identifier: bool
    purl: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Elements:
    """What a document has. `format` names it with its version; `missing` the elements of the document it lacks.

    `about` are the digests (``sha256:…``) that it gives to what it describes; none where it gives none.
    """

    format: str
    missing: tuple[str, ...]
    components: tuple[Component, ...]
    about: tuple[str, ...] = ()


def read_elements(document: Mapping[str, object]) -> Elements | None:
    """The elements of `document`; None when it is neither CycloneDX JSON nor SPDX 2 JSON."""
    version = document.get("specVersion")
    if document.get("bomFormat") == "CycloneDX" and isinstance(version, str):
        return _cyclonedx(document, version)
    version = document.get("spdxVersion")
    if isinstance(version, str) and version.startswith("SPDX-2."):
        return _spdx(document, version)
    return None


def _cyclonedx(document: Mapping[str, object], version: str) -> Elements:
    metadata = _mapping(document.get("metadata"))
    authors = ("authors", "author", "manufacturer", "manufacture", "supplier", "tools")
    missing = []
    if not any(metadata.get(key) for key in authors):
        missing.append("author of the SBOM")
    if not _text(metadata.get("timestamp")):
        missing.append("timestamp")
    if not _mappings(document.get("dependencies")):
        missing.append("dependency relationships")
    components = tuple(
        Component(
            name=_text(item.get("name")),
            version=bool(_text(item.get("version"))),
            supplier=any(
                _named(item.get(key)) for key in ("supplier", "publisher", "author", "manufacturer", "authors")
            ),
            identifier=any(item.get(key) for key in ("purl", "cpe", "swid", "omniborId", "swhid")),
            purl=_text(item.get("purl")),
        )
        for item in _nested(document.get("components"), 0)
        if item.get("type") != "file"
    )
    return Elements(
        format=f"CycloneDX {version}",
        missing=tuple(missing),
        components=components[:COMPONENTS_MAX],
        about=_digests(_mapping(metadata.get("component")), "version", "hashes", "alg", "content"),
    )


def _spdx(document: Mapping[str, object], version: str) -> Elements:
    creation = _mapping(document.get("creationInfo"))
    creators = creation.get("creators")
    missing = []
    if not isinstance(creators, list) or not any(_text(creator) for creator in creators):
        missing.append("author of the SBOM")
    if not _text(creation.get("created")):
        missing.append("timestamp")
    if not _mappings(document.get("relationships")):
        missing.append("dependency relationships")
    components = tuple(
        Component(
            name=_text(item.get("name")),
            version=bool(_text(item.get("versionInfo"))),
            supplier=bool(_text(item.get("supplier"))),
            identifier=any(_text(ref.get("referenceLocator")) for ref in _mappings(item.get("externalRefs"))),
            purl=next(
                (
                    _text(ref.get("referenceLocator"))
                    for ref in _mappings(item.get("externalRefs"))
                    if ref.get("referenceType") == "purl"
                ),
                "",
            ),
        )
        for item in _mappings(document.get("packages"))[:COMPONENTS_MAX]
    )
    described = _described(document)
    about = (
        digest
        for item in _mappings(document.get("packages"))
        if item.get("SPDXID") in described
        for digest in _digests(item, "versionInfo", "checksums", "algorithm", "checksumValue")
    )
    return Elements(
        format=version.replace("-", " "),
        missing=tuple(missing),
        components=components,
        about=tuple(dict.fromkeys(about)),
    )


def _described(document: Mapping[str, object]) -> set[object]:
    """The SPDXIDs of what the document describes."""
    stated = document.get("documentDescribes")
    found: set[object] = {item for item in stated if isinstance(item, str)} if isinstance(stated, list) else set()
    for edge in _mappings(document.get("relationships")):
        if edge.get("relationshipType") == "DESCRIBES" and isinstance(edge.get("relatedSpdxElement"), str):
            found.add(edge["relatedSpdxElement"])
    return found


def _digests(item: Mapping[str, object], version: str, hashes: str, algorithm: str, value: str) -> tuple[str, ...]:
    """SHA-256 digests of a described image: its version as peers write it, its hashes, its purl of type oci."""
    purls = [ref.get("referenceLocator") for ref in _mappings(item.get("externalRefs"))]
    texts = [_text(item.get(version)), *(unquote(_text(purl)) for purl in (item.get("purl"), *purls))]
    found = [match[0] for text in texts for match in _DIGEST.finditer(text)]
    for one in _mappings(item.get(hashes)):
        name, digits = _text(one.get(algorithm)).replace("-", ""), _text(one.get(value)).lower()
        if name == "SHA256":
            found.append(f"sha256:{digits}")
    return tuple(dict.fromkeys(found))


def _nested(value: object, depth: int) -> Iterator[Mapping[str, object]]:
    for item in _mappings(value):
        yield item
        if depth < DEPTH_MAX:
            yield from _nested(item.get("components"), depth + 1)


def _named(value: object) -> bool:
    """A name as text, as an organisation or person with a name, or as a list of these."""
    if isinstance(value, list):
        return any(_named(item) for item in value)
    return bool(_text(value) or _text(_mapping(value).get("name")))


def _text(value: object) -> str:
    return value if isinstance(value, str) and value.strip().lower() not in _ABSENT else ""


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _mappings(value: object) -> list[Mapping[str, object]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
