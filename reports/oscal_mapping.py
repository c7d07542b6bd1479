"""OSCAL mapping collection (1.2): from each check to the controls it bears on, in the words of set theory.

A check is the source and a control the target: equivalent-to where the check tests what the control asks of an
image, subset-of where it tests a part of it, intersects-with where a person must judge.
"""

from __future__ import annotations

from compliance.errors import UsageError
from reports.document import Document, MappedCheck
from reports.oscal_form import (
    VERSIONS,
    Json,
    baselines,
    content_uuid,
    demand_version,
    library_uuid,
    markdown,
    props,
    token,
    written,
)
from reports.oscal_library import MappedControl, MappedFramework, checks_resource, frameworks, library_metadata

MAPPING_VERSIONS = VERSIONS[1:]
"""Those that know mappings at all."""

DEFAULT_MAPPING_VERSION = MAPPING_VERSIONS[-1]

_RELATIONSHIPS = {
    "satisfies": "equivalent-to",
    "partially supports": "subset-of",
    "provides evidence for": "intersects-with",
}


def render(document: Document, version: str = DEFAULT_MAPPING_VERSION) -> bytes:
    """The mapping collection as JSON."""
    return written(mapping_collection(document, version))


def mapping_collection(document: Document, version: str = DEFAULT_MAPPING_VERSION) -> Json:
    """The OSCAL mapping-collection document.

    Raises UsageError for an unknown version or one without mappings, and where no check bears on any control.
    """
    demand_version(version, MAPPING_VERSIONS)
    known = frameworks(document, version)
    if not known:
        raise UsageError(
            "no check of this assessment bears on a control", code="mapping-empty", hint="name a framework"
        )
    checks = checks_resource(document, version)
    body: Json = {
        "metadata": library_metadata(document, "From Hullmark's checks to controls", version),
        "provenance": {
            "method": "human",
            "matching-rationale": "functional",
            "status": "not-complete",
            "mapping-description": "What each check tests in an image, held against what controls ask. Controls on "
            "which no check bears are left out. No relation says that a passed check makes an organisation comply.",
        },
        "mappings": [_mapping(framework, document, f"#{checks['uuid']}") for framework in known],
        "back-matter": {"resources": [checks, *(framework.resource for framework in known)]},
    }
    return {"mapping-collection": {"uuid": content_uuid("mapping-collection", body), **body}}


def _mapping(framework: MappedFramework, document: Document, source: str) -> Json:
    about = framework.framework
    told = " ".join((f"{about['name']} {about['version']}.", *about["caveats"]))
    mapping: Json = {
        "uuid": library_uuid("mapping", about["id"]),
        "source-resource": {"type": "catalog", "href": source},
        "target-resource": {"type": "catalog", "href": framework.href},
        "maps": [_map(item, mapped, about["id"]) for item in framework.controls for mapped in item.mapped],
        "mapping-description": told,
    }
    used = {mapped["check"] for item in framework.controls for mapped in item.mapped}
    unused = [token(check["id"], "check") for check in document["checks"] if check["id"] not in used]
    if unused:
        mapping["source-gap-summary"] = {
            "uuid": library_uuid("gap", about["id"]),
            "unmapped-controls": [{"with-ids": unused}],
        }
    return mapping


def _map(item: MappedControl, mapped: MappedCheck, framework: str) -> Json:
    control = item.control
    target: Json = {"type": "control", "id-ref": item.token}
    if facts := props(baselines=baselines(control)):
        target["props"] = facts
    return {
        "uuid": library_uuid("map", framework, control["id"], mapped["check"]),
        "relationship": _RELATIONSHIPS[mapped["relation"]],
        "sources": [{"type": "control", "id-ref": token(mapped["check"], "check")}],
        "targets": [target],
        "remarks": markdown(mapped["rationale"]),
    }
