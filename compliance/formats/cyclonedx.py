"""The inventory as a CycloneDX 1.6 document (ECMA-424), through the models of cyclonedx-python-lib.

Same image, tool and effective time: the same bytes. Only what was read is in it; what could not be read is said
in `compositions` and in ``hullmark:unknown`` properties. Files are not components.

Properties, all documented here:
``hullmark:distribution`` (document) the operating system as os-release names it · ``hullmark:unknown`` (document)
``/path: reason`` of what could not be read or understood · ``hullmark:layer:digest`` digest of a layer that wrote
a file which proves the component · ``hullmark:found-by`` the cataloger · ``hullmark:source`` name and version of
the source package that a deb, apk or rpm was built from.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from compliance.formats.plain_text import plain_text
from compliance.formats.purl import package_url
from compliance.model.filesystem import display_path
from compliance.model.image import Image
from compliance.model.inventory import Inventory, License, Location, Package, RelationshipKind
from compliance.model.reference import Scheme

if TYPE_CHECKING:
    from cyclonedx.model import HashType
    from cyclonedx.model.component_evidence import ComponentEvidence, Occurrence
    from cyclonedx.model.license import License as CdxLicense

MEDIA_TYPE = "application/vnd.cyclonedx+json; version=1.6"
PROPERTY_PREFIX = "hullmark"

_NAMESPACE = uuid.UUID("7d2f8f0c-6b1a-5f0e-9c39-0d6a5a0f5b3e")
_OCCURRENCES_MAX = 1000
_IDENTIFIER = re.compile(r"[A-Za-z0-9.-]+")
# RFC 3986 without user names and IPv6 hosts: stricter than a reader needs to be, never refused by a validator.
_CHARS = r"(?:[A-Za-z0-9._~:/@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*"
_WEB_ADDRESS = re.compile(
    rf"https?://[A-Za-z0-9][A-Za-z0-9.-]*(?::\d{{1,5}})?(?:/{_CHARS})?(?:\?{_CHARS})?(?:#{_CHARS})?"
)
_PERSON = re.compile(r"\s*(?P<name>[^<>]*?)\s*<(?P<mail>[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+)>")

# What an operating system's package ships under another name: a part of its component, not told twice.
_NESTED_TYPES = frozenset({"pypi", "npm", "gem", "composer", "cran"})
_OS_TYPES = frozenset({"deb", "apk", "rpm"})


def to_cyclonedx_json(
    image: Image, inventory: Inventory, *, tool_name: str, tool_version: str, effective: datetime
) -> bytes:
    """The document as UTF-8 JSON that ends in a line feed. `effective` is its timestamp."""
    return _dump(document(image, inventory, tool_name=tool_name, tool_version=tool_version, effective=effective))


def document(
    image: Image, inventory: Inventory, *, tool_name: str, tool_version: str, effective: datetime
) -> dict[str, Any]:
    """The document as JSON values.

    The parts are serialised by cyclonedx-python-lib one by one and put together here: its `Bom` has no
    compositions, orders components by slow comparisons, and registers dependencies in quadratic time.
    """
    subject = _subject_name(image)
    root_ref = f"image:{image.digest}"
    components = _components(image, inventory)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": uuid.uuid5(_NAMESPACE, f"{image.digest} {tool_name} {tool_version}").urn,
        "version": 1,
        "metadata": _metadata(image, subject, root_ref, tool_name, tool_version, effective),
        "components": components,
        "dependencies": _dependencies(root_ref, inventory),
        "compositions": _compositions(root_ref, inventory),
        **_document_properties(inventory),
    }


def _dump(value: Mapping[str, Any]) -> bytes:
    """JSON with one component, one dependency a line: what changed between two documents shows in their diff."""
    parts = []
    for key, part in value.items():
        if isinstance(part, list) and part:
            lines = ",\n".join(f"  {_compact(item)}" for item in part)
            parts.append(f"{_compact(key)}: [\n{lines}\n]")
        else:
            parts.append(f"{_compact(key)}: {_compact(part)}")
    return ("{\n" + ",\n".join(parts) + "\n}\n").encode("utf-8")


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _json(model: Any) -> Any:
    """What cyclonedx-python-lib makes of one of its models under the 1.6 schema."""
    from cyclonedx.schema.schema import SchemaVersion1Dot6

    return json.loads(model.as_json(view_=SchemaVersion1Dot6))


def _subject_name(image: Image) -> str:
    """The repository, else the image's own title or tag, else its digest: a local path says nothing to others."""
    if image.reference.scheme in (Scheme.REGISTRY, Scheme.DOCKER, Scheme.PODMAN):
        return plain_text(image.reference.target)
    titles = (_claim(image, "title"), image.tag, image.digest)
    return next(text for text in map(plain_text, filter(None, titles)) if text)


def _claim(image: Image, key: str) -> str:
    """An ``org.opencontainers.image`` annotation or label: what the image says of itself."""
    name = f"org.opencontainers.image.{key}"
    labels = image.config.labels if image.config is not None else {}
    return plain_text(image.annotations.get(name) or labels.get(name) or "", 256)


def _subject_purl(image: Image) -> str | None:
    """``pkg:oci`` needs a repository that others can find the image in (purl-spec, oci)."""
    if image.reference.scheme is not Scheme.REGISTRY:
        return None
    repository = plain_text(image.reference.target)
    return package_url(
        "oci",
        repository.rpartition("/")[2],
        image.digest,
        qualifiers={
            "arch": image.platform.architecture if image.platform else None,
            "repository_url": repository.lower(),
            "tag": image.reference.tag,
        },
    )


def _metadata(
    image: Image, subject: str, root_ref: str, tool_name: str, tool_version: str, effective: datetime
) -> dict[str, Any]:
    from cyclonedx.model import Property
    from cyclonedx.model.bom import BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.contact import OrganizationalEntity
    from cyclonedx.model.lifecycle import LifecyclePhase, PredefinedLifecycle
    from cyclonedx.model.tool import ToolRepository
    from packageurl import PackageURL

    purl = _subject_purl(image)
    vendor = _claim(image, "vendor")
    root = Component(
        type=ComponentType.CONTAINER,
        bom_ref=root_ref,
        name=subject,
        version=image.digest,
        supplier=OrganizationalEntity(name=vendor) if vendor else None,
        hashes=list(_hashes([_digest_pair(image.digest)])),
        licenses=list(_licenses(_claimed_license(image))),
        purl=PackageURL.from_string(purl) if purl else None,
        properties=[
            Property(name=f"{PROPERTY_PREFIX}:layer:digest", value=digest)
            for digest in dict.fromkeys(layer.digest for layer in image.layers)
        ],
    )
    tool = Component(type=ComponentType.APPLICATION, bom_ref=f"tool:{tool_name}", name=tool_name, version=tool_version)
    metadata = _json(
        BomMetaData(
            timestamp=effective,
            lifecycles=[PredefinedLifecycle(phase=LifecyclePhase.POST_BUILD)],
            tools=ToolRepository(components=[tool]),
            component=root,
            supplier=OrganizationalEntity(name=vendor) if vendor else None,
        )
    )
    return dict(metadata)


def _claimed_license(image: Image) -> tuple[License, ...]:
    """The licence label is stated to be an SPDX expression (OCI image-spec, annotations.md); it stays a name here."""
    text = _claim(image, "licenses")
    return (License(raw=text),) if text else ()


def _digest_pair(digest: str) -> tuple[str, str]:
    algorithm, _, hexadecimal = digest.partition(":")
    return {"sha256": "SHA-256", "sha512": "SHA-512"}.get(algorithm, ""), hexadecimal


def _components(image: Image, inventory: Inventory) -> list[dict[str, Any]]:
    """One component a package, in purl order; packages that an OS package ships are nested in its component."""
    write = _ComponentWriter(tuple(layer.digest for layer in image.layers))
    made = {package.purl: write(package) for package in inventory.packages}
    top: list[dict[str, Any]] = []
    for package in inventory.packages:
        parent = package.parent if is_nested(package) else None
        if parent is not None and parent in made:
            made[parent].setdefault("components", []).append(made[package.purl])
        else:
            top.append(made[package.purl])
    return top


def is_nested(package: Package) -> bool:
    """Whether `package` is what an OS package ships under another name (python3-requests holds requests)."""
    parent_type = (package.parent or "").removeprefix("pkg:").partition("/")[0]
    return package.type in _NESTED_TYPES and parent_type in _OS_TYPES


class _ComponentWriter:
    """Packages to component values. What many packages share is serialised once: it takes most of the time."""

    def __init__(self, layers: tuple[str, ...]) -> None:
        self._layers = layers
        self._shared: dict[object, dict[str, Any]] = {}

    def __call__(self, package: Package) -> dict[str, Any]:
        from cyclonedx.model import ExternalReference, ExternalReferenceType, Property, XsUri
        from packageurl import PackageURL

        purl = PackageURL.from_string(package.purl)
        group, name = _group_and_name(package, purl.namespace)
        homepage = package.homepage if package.homepage and _WEB_ADDRESS.fullmatch(package.homepage) else None
        website = [ExternalReference(type=ExternalReferenceType.WEBSITE, url=XsUri(homepage))] if homepage else None
        own = _component_json(
            bom_ref=package.purl,
            group=group,
            name=name,
            version=package.version or None,
            hashes=_hashes(package.digests),
            purl=purl,
            external_references=website,
            properties=[Property(name=name, value=value) for name, value in _properties(package, self._layers)],
        )
        return dict(sorted({**own, **self._declared(package), **self._proved(package)}.items()))

    def _declared(self, package: Package) -> dict[str, Any]:
        key = (package.supplier, package.licenses)
        if key not in self._shared:
            self._shared[key] = _component_json(
                name="", supplier=_supplier(package.supplier), licenses=_licenses(package.licenses)
            )
        return _without_identity(self._shared[key])

    def _proved(self, package: Package) -> dict[str, Any]:
        key = (package.found_by, package.locations)
        if key not in self._shared:
            self._shared[key] = _component_json(name="", evidence=_evidence(package, self._layers))
        return _without_identity(self._shared[key])


def _component_json(**fields: Any) -> dict[str, Any]:
    from cyclonedx.model.component import Component, ComponentType

    return dict(_json(Component(type=ComponentType.LIBRARY, **fields)))


def _without_identity(component: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in component.items() if key not in ("name", "type", "bom-ref")}


def _group_and_name(package: Package, namespace: str | None) -> tuple[str | None, str]:
    """Maven groups, npm scopes and composer vendors are groups; the namespace of others is no part of the name."""
    if package.type not in ("maven", "npm", "composer") or not namespace:
        return None, package.name
    return namespace, package.name.removeprefix(f"{namespace}/").removeprefix(f"{namespace}:")


def _supplier(text: str | None) -> Any:
    """``Name <mail>`` as an organisation with a contact."""
    from cyclonedx.model.contact import OrganizationalContact, OrganizationalEntity

    if not text:
        return None
    person = _PERSON.match(text)
    if person is None:
        return OrganizationalEntity(name=text)
    contact = OrganizationalContact(email=person["mail"])
    return OrganizationalEntity(name=person["name"] or person["mail"], contacts=[contact])


def _licenses(licenses: tuple[License, ...]) -> list[CdxLicense]:
    """As declared. A compound expression may only stand alone, so with others it joins them, or stays a name."""
    from cyclonedx.model.license import DisjunctiveLicense, LicenseAcknowledgement, LicenseExpression

    declared = LicenseAcknowledgement.DECLARED
    expressions = [licence.expression for licence in licenses]
    if any(text and not _is_identifier(text) for text in expressions) and all(expressions):
        parts = [text if len(licenses) == 1 or " OR " not in text else f"({text})" for text in expressions if text]
        return [LicenseExpression(" AND ".join(parts), acknowledgement=declared)]
    return [
        DisjunctiveLicense(id=licence.expression, acknowledgement=declared)
        if licence.expression and _is_identifier(licence.expression)
        else DisjunctiveLicense(name=licence.raw, acknowledgement=declared)
        for licence in licenses
        if licence.raw
    ]


def _is_identifier(expression: str) -> bool:
    return _IDENTIFIER.fullmatch(expression) is not None and not expression.startswith(("LicenseRef-", "DocumentRef-"))


def _hashes(digests: Iterable[tuple[str, str]]) -> list[HashType]:
    from cyclonedx.model import HashAlgorithm, HashType

    known = {algorithm.value: algorithm for algorithm in HashAlgorithm}
    return [HashType(alg=known[name], content=value) for name, value in digests if name in known]


def _evidence(package: Package, layers: tuple[str, ...]) -> ComponentEvidence:
    """What identified the package, and every place of it: the path, and the digest of the layer that wrote it."""
    from decimal import Decimal

    from cyclonedx.model.component_evidence import (
        AnalysisTechnique,
        ComponentEvidence,
        Identity,
        IdentityField,
        Method,
    )

    in_binary = package.found_by in ("go", "rust", "elf_note")
    technique = AnalysisTechnique.BINARY_ANALYSIS if in_binary else AnalysisTechnique.MANIFEST_ANALYSIS
    first = display_path(package.locations[0].path) if package.locations else None
    method = Method(technique=technique, confidence=Decimal(1), value=first)
    return ComponentEvidence(
        identity=[Identity(field=IdentityField.PURL, confidence=Decimal(1), methods=[method])],
        occurrences=list(_occurrences(package.locations, layers)),
    )


def _occurrences(locations: tuple[Location, ...], layers: tuple[str, ...]) -> Iterator[Occurrence]:
    from cyclonedx.model.component_evidence import Occurrence

    for location in locations[:_OCCURRENCES_MAX]:
        digest = _layer_digest(location, layers)
        yield Occurrence(location=display_path(location.path), additional_context=f"layer {digest}" if digest else None)


def _layer_digest(location: Location, layers: tuple[str, ...]) -> str | None:
    return layers[location.layer] if 0 <= location.layer < len(layers) else None


def _properties(package: Package, layers: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    yield f"{PROPERTY_PREFIX}:found-by", package.found_by
    digests = dict.fromkeys(_layer_digest(location, layers) for location in package.locations)
    yield from ((f"{PROPERTY_PREFIX}:layer:digest", digest) for digest in digests if digest)
    if package.source_name:
        yield f"{PROPERTY_PREFIX}:source", f"{package.source_name} {package.source_version or ''}".strip()


def _dependencies(root_ref: str, inventory: Inventory) -> list[dict[str, Any]]:
    """A line for the image and for every package. A package depends on what it declares and on what it contains."""
    needs: dict[str, set[str]] = {package.purl: set() for package in inventory.packages}
    for relationship in inventory.relationships:
        if relationship.kind in (RelationshipKind.DEPENDS_ON, RelationshipKind.CONTAINS):
            needs[relationship.source].add(relationship.target)
    graph = {root_ref: _roots(needs)} | {purl: sorted(targets) for purl, targets in needs.items()}
    return [{"ref": ref, "dependsOn": targets} if targets else {"ref": ref} for ref, targets in graph.items()]


def _roots(needs: Mapping[str, set[str]]) -> list[str]:
    """The packages that nothing needs, and one of each circle that nothing outside needs: all others follow."""
    needed = {target for targets in needs.values() for target in targets}
    roots: list[str] = []
    reached: set[str] = set()
    for purl in (*(purl for purl in needs if purl not in needed), *needs):
        if purl in reached:
            continue
        roots.append(purl)
        todo = [purl]
        while todo:
            here = todo.pop()
            if here not in reached:
                reached.add(here)
                todo.extend(needs[here] - reached)
    return sorted(roots)


def _compositions(root_ref: str, inventory: Inventory) -> list[dict[str, Any]]:
    """Never ``complete``: a package manager's records do not prove that there is no other software."""
    return [{"aggregate": "incomplete" if inventory.unknowns else "unknown", "assemblies": [root_ref]}]


def _document_properties(inventory: Inventory) -> dict[str, Any]:
    values: list[dict[str, str]] = []
    distribution = inventory.distribution
    if distribution is not None:
        text = distribution.pretty_name or f"{distribution.id} {distribution.version_id or ''}".strip()
        values.append({"name": f"{PROPERTY_PREFIX}:distribution", "value": text})
    for unknown in inventory.unknowns:
        reason = plain_text(unknown.reason)
        values.append({"name": f"{PROPERTY_PREFIX}:unknown", "value": f"{display_path(unknown.path)}: {reason}"})
    return {"properties": values} if values else {}
