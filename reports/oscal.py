"""OSCAL assessment results and the assessment plan that they must import.

Every check becomes an observation and every failed check a risk. A finding is written only where a failed check
is a counter-example to a control of SP 800-53, so only ever as not-satisfied: that one image passed does not make
an organisation's control satisfied, and OSCAL has no word between the two.
"""

from __future__ import annotations

from reports import wording
from reports.document import Check, Control, Document
from reports.oscal_form import (
    DEFAULT_VERSION,
    Json,
    Names,
    assessment_resource,
    assets,
    baselines,
    catalog_resource,
    catalogued,
    caveats,
    demand_version,
    image_component,
    line,
    metadata,
    no_ssp_resource,
    props,
    subject,
    targets,
    written,
)
from reports.oscal_observation import observation, risk

_COUNTER_EXAMPLE = ("satisfies", "partially supports")
"""Relations by which what the check tests lies within the control, so that its failure is the control's."""


def render_results(document: Document, version: str = DEFAULT_VERSION) -> bytes:
    """The assessment results as JSON."""
    return written(assessment_results(document, version))


def render_plan(document: Document, version: str = DEFAULT_VERSION) -> bytes:
    """The assessment plan as JSON."""
    return written(assessment_plan(document, version))


def assessment_results(document: Document, version: str = DEFAULT_VERSION) -> Json:
    """The OSCAL assessment-results document. Raises UsageError for an unknown version."""
    demand_version(version)
    names = Names(document)
    return {
        "assessment-results": {
            "uuid": names.of_document("assessment-results", version),
            "metadata": metadata(document, "Assessment results", version),
            "import-ap": {"href": "assessment-plan.json"},
            "results": [_result(document, names)],
            "back-matter": {
                "resources": [assessment_resource(names), catalog_resource(names.of("resource", "catalog"))]
            },
        }
    }


def assessment_plan(document: Document, version: str = DEFAULT_VERSION) -> Json:
    """The OSCAL assessment-plan document: what was to be looked at. Raises UsageError as above.

    There is no system security plan for an image outside any system, yet the format demands one: the plan
    refers to a resource that says so.
    """
    demand_version(version)
    names = Names(document)
    activities = [_activity(check, names) for check in document["checks"]]
    local: Json = {"components": [image_component(document, names)]}
    if activities:
        local["activities"] = activities
    about: Json = {"type": "component", "include-subjects": [subject(names)]}
    no_ssp, catalog = names.of("resource", "no-ssp"), names.of("resource", "catalog")
    return {
        "assessment-plan": {
            "uuid": names.of_document("assessment-plan", version),
            "metadata": metadata(document, "Assessment plan", version),
            "import-ssp": {"href": f"#{no_ssp}"},
            "local-definitions": local,
            "reviewed-controls": _reviewed(document),
            "assessment-subjects": [about],
            "assessment-assets": assets(document, names),
            "tasks": [_task(document, names, about)],
            "back-matter": {"resources": [no_ssp_resource(no_ssp), catalog_resource(catalog)]},
        }
    }


def _result(document: Document, names: Names) -> Json:
    checks = document["checks"]
    failed = [check for check in checks if check["outcome"] == "failed"]
    summary = document["summary"]
    result: Json = {
        "uuid": names.of("result", document["effectiveTime"]),
        "title": f"{wording.VERDICTS[summary['outcome']]}: {line(document['subject']['reference'])}",
        "description": wording.verdict_sentence(document) + " Every check is an observation, every failed check a risk."
        " Findings are written only where a failed check is a counter-example to a control.",
        "start": document["startedAt"],
        "end": document["finishedAt"],
        "props": props(outcome=summary["outcome"], profile=document["profile"]["id"], fail_on=summary["failOn"]),
        "local-definitions": {
            "components": [image_component(document, names)],
            "assessment-assets": assets(document, names),
        },
        "reviewed-controls": _reviewed(document),
    }
    if checks:
        result["observations"] = [observation(check, document, names) for check in checks]
    if failed:
        result["risks"] = [risk(check, names) for check in failed]
    if contradicted := _contradicted(document):
        result["findings"] = [_finding(control, counter, names) for control, counter in contradicted]
    if told := caveats(document):
        result["remarks"] = told
    return result


def _finding(control: Control, counter: list[Check], names: Names) -> Json:
    target = targets()[control["id"]]
    failed = ", ".join(check["id"] for check in counter)
    return {
        "uuid": names.of("finding", control["id"]),
        "title": line(f"{control['label']} {control['title']}"),
        "description": f"Failed in this image: {failed}. What these checks test lies within the control.",
        "props": props(baselines=baselines(control)),
        "target": {
            "type": "objective-id" if "_obj" in target else "statement-id",
            "target-id": target,
            "status": {"state": "not-satisfied", "reason": "fail"},
        },
        "related-observations": [{"observation-uuid": names.of("observation", check["id"])} for check in counter],
        "related-risks": [{"risk-uuid": names.of("risk", check["id"])} for check in counter],
    }


def _contradicted(document: Document) -> list[tuple[Control, list[Check]]]:
    """The controls of SP 800-53 to which a failed check is a counter-example, with those checks."""
    checks = {check["id"]: check for check in document["checks"]}
    found = []
    for control in catalogued(document):
        within = [mapped["check"] for mapped in control["mapping"] if mapped["relation"] in _COUNTER_EXAMPLE]
        counter = [checks[name] for name in within if name in checks and checks[name]["outcome"] == "failed"]
        if counter and control["status"] == "contradicted":
            found.append((control, counter))
    return found


def _reviewed(document: Document) -> Json:
    ids = [control["id"] for control in catalogued(document)]
    if not ids:
        # The schema demands one of two; "all" is all of what the system security plan names, and there is none.
        nothing = "No control was reviewed: no system security plan is imported, so that all of its controls are none."
        return {"control-selections": [{"description": nothing, "include-all": {}}]}
    selection: Json = {
        "description": "The controls on which the checks of this assessment bear; none of them as a whole.",
        "include-controls": [{"control-id": identifier} for identifier in dict.fromkeys(ids)],
    }
    return {"control-selections": [selection]}


def _activity(check: Check, names: Names) -> Json:
    return {
        "uuid": names.of("activity", check["id"]),
        "title": line(f"{check['id']}: {check['title']}"),
        "description": f"{check['looksAt']} {check['proves']}".strip() or check["title"],
        "props": props(check_id=check["id"], severity=check["severity"], trait=check["trait"]),
    }


def _task(document: Document, names: Names, about: Json) -> Json:
    task: Json = {
        "uuid": names.of("task", "assess"),
        "type": "action",
        "title": "Read the image and run the checks",
        "timing": {"within-date-range": {"start": document["startedAt"], "end": document["finishedAt"]}},
        "subjects": [about],
    }
    if document["checks"]:
        task["associated-activities"] = [
            {"activity-uuid": names.of("activity", check["id"]), "subjects": [about]} for check in document["checks"]
        ]
    return task
