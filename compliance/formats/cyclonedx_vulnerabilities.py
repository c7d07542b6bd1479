"""The vulnerabilities in a CycloneDX document (ECMA-424, "vulnerabilities"): a disclosure report, VEX, or both.

Each counts as a finding; one with an analysis is a VEX statement too. A document that lists none is no clean scan:
trivy writes an empty list into every SBOM.
"""

from __future__ import annotations

from collections.abc import Mapping

from compliance.formats.named_image import NO_IMAGE, NamedImage, digests_in
from compliance.formats.predicate_values import inner, line, moment
from compliance.formats.signed_json import JsonObject
from compliance.formats.vex import VexDocument, VexProduct, VexStatement, VexStatus, purl_parts
from compliance.formats.vulnerability_scan import (
    Finding,
    VulnerabilityScan,
    severity_word,
    worst,
)

_STATES = {
    "resolved": VexStatus.FIXED,
    "resolved_with_pedigree": VexStatus.FIXED,
    "exploitable": VexStatus.AFFECTED,
    "in_triage": VexStatus.UNDER_INVESTIGATION,
    "false_positive": VexStatus.NOT_AFFECTED,
    "not_affected": VexStatus.NOT_AFFECTED,
}
_IMAGE_PROPERTIES = ("aquasecurity:trivy:ImageID", "aquasecurity:trivy:RepoDigest")


def has_vulnerabilities(values: Mapping[str, object]) -> bool:
    """Whether a CycloneDX document lists any: a list that is empty says nothing."""
    return values.get("bomFormat") == "CycloneDX" and bool(values.get("vulnerabilities"))


def read_cyclonedx_vulnerabilities(document: JsonObject) -> tuple[VulnerabilityScan | VexDocument, ...]:
    """The scan, and the VEX document where an analysis is in it. Raises FormatError."""
    metadata = inner(document, "metadata")
    at = moment(metadata, "timestamp")
    subject = inner(metadata, "component")
    components = _components(document, subject)
    image = _image(subject)
    findings: list[Finding] = []
    statements: list[VexStatement] = []
    for item in document.members("vulnerabilities"):
        found, statement = _vulnerability(item, components, image)
        findings += found
        if statement is not None:
            statements.append(statement)
    scan = VulnerabilityScan(
        scanner=_tool(metadata), findings=tuple(findings), scanned_at=at, exhaustive=False, image=image
    )
    if not statements:
        return (scan,)
    return scan, VexDocument(
        form="CycloneDX VEX", author=scan.scanner, at=at, statements=tuple(statements), image=image
    )


def _vulnerability(
    item: JsonObject, components: Mapping[str, JsonObject], image: NamedImage
) -> tuple[list[Finding], VexStatement | None]:
    identifier = line(item, "id", 100)
    if not identifier:
        raise item.wrong("id", "a vulnerability's identifier")
    aliases = tuple(line(reference, "id", 100) for reference in item.members("references"))
    severities = [severity_word(line(rating, "severity", 40)) for rating in item.members("ratings")]
    affected = [_affected(line(target, "ref", 2048), components) for target in item.members("affects")]
    findings = [
        Finding(
            id=identifier,
            aliases=aliases,
            severity=worst(severities),
            purl=line(component, "purl", 2048),
            package=line(component, "name", 200),
            version=line(component, "version", 200),
        )
        for component in affected or [JsonObject({}, "component")]
    ]
    analysis = inner(item, "analysis")
    state = line(analysis, "state", 40)
    if not state:
        return findings, None
    if state not in _STATES:
        raise analysis.wrong("state", "a state of an analysis")
    return findings, VexStatement(
        vulnerability=identifier,
        aliases=aliases,
        status=_STATES[state],
        justification=line(analysis, "justification", 100) or ("false_positive" if state == "false_positive" else ""),
        detail=line(analysis, "detail"),
        products=tuple(_product(component, image) for component in affected),
        at=moment(analysis, "lastUpdated") or moment(analysis, "firstIssued"),
    )


def _components(document: JsonObject, subject: JsonObject) -> Mapping[str, JsonObject]:
    """All components by ``bom-ref``, the subject among them."""
    waiting = [subject, *document.members("components")]
    for component in waiting:  # grows while it is read
        waiting.extend(component.members("components"))
    return {line(component, "bom-ref", 2048): component for component in waiting if component.has("bom-ref")}


def _affected(reference: str, components: Mapping[str, JsonObject]) -> JsonObject:
    """The component of a ``bom-ref``; a BOM-Link (``urn:cdx:…#ref``) leads to its fragment, often a purl."""
    found = components.get(reference)
    if found is not None:
        return found
    target = reference.rpartition("#")[2] if reference.startswith("urn:cdx:") else reference
    named: dict[str, object] = {"name": target}
    if target.startswith("pkg:"):
        base, version = purl_parts(target)
        named = {"purl": target, "name": base.rpartition("/")[2], "version": version}
    return JsonObject(named, "affects")


def _product(component: JsonObject, image: NamedImage) -> VexProduct:
    purl = line(component, "purl", 2048)
    version = line(component, "version", 200)
    is_image = component.values.get("type") == "container"
    own = (version,) if version.startswith("sha256:") else ()
    digests = (*image.manifests, *image.configs, *own) if is_image else ()
    return VexProduct(purl=purl, digests=digests, identified=purl or line(component, "name", 200))


def _image(subject: JsonObject) -> NamedImage:
    """The image the document is about: its purl's version, its version (syft), or trivy's properties."""
    if subject.values.get("type") != "container":
        return NO_IMAGE
    version, purl = line(subject, "version", 200), line(subject, "purl", 2048)
    properties = [(line(item, "name", 100), line(item, "value", 300)) for item in subject.members("properties")]
    manifests = (version, purl_parts(purl)[1], *(text for name, text in properties if name == _IMAGE_PROPERTIES[1]))
    return NamedImage(
        configs=digests_in(tuple(text for name, text in properties if name == _IMAGE_PROPERTIES[0])),
        manifests=digests_in(manifests),
    )


def _tool(metadata: JsonObject) -> str:
    """The first tool: a list of tools until 1.4, an object of components since 1.5."""
    tools = metadata.values.get("tools")
    found = metadata.members("tools") if isinstance(tools, list) else inner(metadata, "tools").members("components")
    names = [f"{line(tool, 'name', 60)} {line(tool, 'version', 60)}".strip() for tool in found]
    return ", ".join(names[:2])
