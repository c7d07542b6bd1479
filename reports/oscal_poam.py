"""OSCAL plan of action and milestones: what failed and counts, each with what was seen and what to do.

An accepted failure stays an item, as a deviation that somebody approved until a date. No dates or owners of a plan
are made up: those are the organisation's to add.
"""

from __future__ import annotations

from datetime import datetime

from reports import findings, wording
from reports.document import Check, Document, Waiver
from reports.oscal_form import (
    DEFAULT_VERSION,
    NAMESPACE,
    Json,
    Names,
    assessment_resource,
    assets,
    demand_version,
    image_component,
    line,
    markdown,
    metadata,
    no_ssp_resource,
    origin,
    props,
    written,
)
from reports.oscal_observation import accepted, observation, risk


def render(document: Document, version: str = DEFAULT_VERSION) -> bytes:
    """The plan of action and milestones as JSON."""
    return written(plan_of_action(document, version))


def plan_of_action(document: Document, version: str = DEFAULT_VERSION) -> Json:
    """The OSCAL plan-of-action-and-milestones document. Raises UsageError for an unknown version.

    OSCAL demands an item: where nothing that counts failed, the only one says that.
    """
    demand_version(version)
    names = Names(document)
    failed = findings.counted([*findings.failed(document), *findings.waived(document)])
    no_ssp = names.of("resource", "no-ssp")
    plan: Json = {
        "uuid": names.of_document("poam", version),
        "metadata": {**metadata(document, "Plan of action", version), "remarks": _scope(document)},
        "import-ssp": {"href": f"#{no_ssp}"},
        "system-id": {"identifier-type": NAMESPACE, "id": document["subject"]["digest"]},
        "local-definitions": {
            "components": [image_component(document, names)],
            "assessment-assets": assets(document, names),
        },
    }
    if failed:
        plan["observations"] = [observation(check, document, names) for check in failed]
        plan["risks"] = [_risk(check, names) for check in failed]
    plan["poam-items"] = [_item(check, names) for check in failed] or [_none(document, names)]
    plan["back-matter"] = {"resources": [assessment_resource(names), no_ssp_resource(no_ssp)]}
    return {"plan-of-action-and-milestones": plan}


def _scope(document: Document) -> str:
    """What is no item, so that nobody takes the plan for all that is open."""
    told = ["Every item is a check that failed in this image and counts for its profile."]
    left = len(findings.uncounted(document["checks"]))
    if left:
        told.append(
            f"{wording.count(left, 'check')} that the profile does not count, whatever the outcome, gave no item."
        )
    open_ones = len(findings.undetermined(document))
    if open_ones:
        told.append(f"{wording.count(open_ones, 'check')} could not be determined, and may hide failures.")
    return " ".join(told)


def _risk(check: Check, names: Names) -> Json:
    value = risk(check, names)
    if end := _end(check["waiver"]):
        value["deadline"] = end
    return value


def _end(waiver: Waiver | None) -> str | None:
    """When the acceptance ends and the failure has to be gone: a date counts to its end. None where it says no time."""
    if waiver is None or waiver["expires"] is None:
        return None
    try:
        moment = datetime.fromisoformat(waiver["expires"])
    except ValueError:
        return None
    if len(waiver["expires"]) == len("2027-01-01"):
        return f"{moment.date().isoformat()}T23:59:59Z"
    return None if moment.tzinfo is None else moment.isoformat().replace("+00:00", "Z")


def _item(check: Check, names: Names) -> Json:
    waiver = check["waiver"]
    told = [f"{check['id']} failed: {check['title']}."]
    if waiver:
        told.append(f"Accepted. {accepted(waiver)}.")
    else:
        told.append(f"To do: {check['remediation'] or 'nothing is known.'}")
    return {
        "uuid": names.of("poam-item", check["id"]),
        "title": line(f"{check['id']}: {check['title']}"),
        "description": " ".join(told) if waiver else markdown(" ".join(told)),
        "props": props(check_id=check["id"], severity=check["severity"], disposition="accepted" if waiver else "open"),
        "origins": [origin(names)],
        "related-observations": [{"observation-uuid": names.of("observation", check["id"])}],
        "related-risks": [{"risk-uuid": names.of("risk", check["id"])}],
    }


def _none(document: Document, names: Names) -> Json:
    return {
        "uuid": names.of("poam-item"),
        "title": "Nothing to do is known",
        "description": f"No check that counts failed. {wording.verdict_sentence(document)}",
        "props": props(disposition="none"),
    }
