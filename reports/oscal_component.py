"""OSCAL component definition: hullmark as a component that validates others, and on which controls its checks bear.

It is about no image, and claims no implementation: what a check tests is a part of a control at most. Rules and
checks are named in the properties that compliance-trestle reads.
"""

from __future__ import annotations

from reports.document import Check, Document, MappedCheck
from reports.oscal_form import (
    DEFAULT_VERSION,
    Json,
    baselines,
    content_uuid,
    demand_version,
    library_uuid,
    line,
    markdown,
    props,
    written,
)
from reports.oscal_library import MappedControl, MappedFramework, frameworks, library_metadata

_RULES = "https://oscal-compass.github.io/compliance-trestle/schemas/oscal"
"""The namespace of compliance-trestle's properties for rules and checks."""

_DESCRIPTION = (
    "Reads a container image's own bytes and answers checks about it, each with one of five outcomes: passed, failed, "
    "not applicable, unknown, errored. It implements no control and certifies no compliance: a requirement below says "
    "which checks bear on a control and how, and a person judges what an answer is worth for a system."
)


def render(document: Document, version: str = DEFAULT_VERSION) -> bytes:
    """The component definition as JSON."""
    return written(component_definition(document, version))


def component_definition(document: Document, version: str = DEFAULT_VERSION) -> Json:
    """The OSCAL component-definition document. Raises UsageError for an unknown version."""
    demand_version(version)
    tool, known = document["tool"], frameworks(document, version)
    component: Json = {
        "uuid": library_uuid("component", "hullmark"),
        "type": "validation",
        "title": line(tool["name"]),
        "description": _DESCRIPTION,
        "props": [
            {"name": "version", "value": tool["version"].strip() or "unknown"},
            *(prop for check in document["checks"] for prop in _rule(check)),
        ],
    }
    if known:
        component["control-implementations"] = [_implementation(framework) for framework in known]
    body: Json = {
        "metadata": library_metadata(document, "Hullmark's checks and the controls that they bear on", version),
        "components": [component],
    }
    if known:
        body["back-matter"] = {"resources": [framework.resource for framework in known]}
    return {"component-definition": {"uuid": content_uuid("component-definition", body), **body}}


def _rule(check: Check) -> list[Json]:
    """One rule, which one check tests, in trestle's words; all four belong together by their remarks."""
    facts = {
        "Rule_Id": check["id"],
        "Rule_Description": check["title"],
        "Check_Id": check["id"],
        "Check_Description": f"{check['looksAt']} {check['proves']}",
    }
    return [
        {"name": name, "ns": _RULES, "value": " ".join(value.split()), "remarks": check["id"]}
        for name, value in facts.items()
        if value.strip()
    ]


def _implementation(framework: MappedFramework) -> Json:
    about = framework.framework
    told = " ".join((f"Which checks bear on {about['name']} {about['version']}, and how.", *about["caveats"]))
    return {
        "uuid": library_uuid("control-implementation", about["id"]),
        "source": framework.href,
        "description": markdown(told),
        "implemented-requirements": [_requirement(control, about["id"]) for control in framework.controls],
    }


def _requirement(item: MappedControl, framework: str) -> Json:
    control = item.control
    told = ", ".join(f"{mapped['check']} {mapped['relation']}" for mapped in item.mapped)
    return {
        "uuid": library_uuid("implemented-requirement", framework, control["id"]),
        "control-id": item.token,
        "description": markdown(
            f"Hullmark does not implement {control['label']} ({control['title']}). How its checks bear on it: {told}."
        ),
        "props": [*(_rule_reference(mapped) for mapped in item.mapped), *props(baselines=baselines(control))],
    }


def _rule_reference(mapped: MappedCheck) -> Json:
    return {
        "name": "Rule_Id",
        "ns": _RULES,
        "value": mapped["check"],
        "class": mapped["relation"].replace(" ", "-"),
        "remarks": markdown(mapped["rationale"]),
    }
