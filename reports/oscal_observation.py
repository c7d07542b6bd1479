"""A check's outcome as OSCAL has it: an observation, and for a failure a risk."""

from __future__ import annotations

from reports import findings, wording
from reports.document import Check, Control, Document, Observation, Waiver
from reports.oscal_form import NAMESPACE, Json, Names, catalogued, line, markdown, origin, props, subject

_EVIDENCE_MAX = 50
"""Observations of one check that are written out; all are in assessment.json, which the document refers to."""

_OSCAL = "http://csrc.nist.gov/ns/oscal"
_UNMAPPED = "unmapped"


def observation(check: Check, document: Document, names: Names) -> Json:
    """What the check saw, whatever its outcome."""
    controls = [control for control in document["controls"] if check["id"] in control["checks"]]
    pinned = {control["id"] for control in catalogued(document)}
    value: Json = {
        "uuid": names.of("observation", check["id"]),
        "title": line(f"{check['id']}: {check['title']}"),
        "description": _text(check),
        "props": [
            *props(check_id=check["id"], outcome=check["outcome"], severity=check["severity"], trait=check["trait"]),
            *props(uncounted=check["uncounted"]),
            *(_control_prop(control, check["id"]) for control in controls),
        ],
        "methods": ["EXAMINE"],
        "types": ["control-objective"] if any(control["id"] in pinned for control in controls) else ["discovery"],
        "origins": [origin(names)],
        "subjects": [subject(names)],
        "collected": document["finishedAt"],
    }
    if check["observations"]:
        value["relevant-evidence"] = [_evidence(item, names) for item in findings.telling(check)[:_EVIDENCE_MAX]]
    return value


def risk(check: Check, names: Names) -> Json:
    """What a failed check leaves open; accepted where a waiver covers it, and never closed: the failure is there."""
    waiver = check["waiver"]
    value: Json = {
        "uuid": names.of("risk", check["id"]),
        "title": line(f"{check['id']} failed: {check['title']}"),
        "description": f"The check failed with {wording.count(len(check['observations']), 'observation')}.",
        "statement": check["rationale"] or check["title"],
        "props": props(check_id=check["id"]),
        "status": "deviation-approved" if waiver else "open",
        "origins": [origin(names)],
        "characterizations": [
            {
                "origin": origin(names),
                "facets": [{"name": "severity", "system": _OSCAL, "value": check["severity"]}],
            }
        ],
        "remediations": [
            {
                "uuid": names.of("remediation", check["id"]),
                "lifecycle": "recommendation",
                "title": line(f"Make {check['id']} pass"),
                "description": check["remediation"] or "None is known.",
            }
        ],
        "related-observations": [{"observation-uuid": names.of("observation", check["id"])}],
    }
    if waiver:
        value["props"] = [*props(check_id=check["id"], waiver=waiver["id"]), {"name": "accepted", "value": "yes"}]
        value["mitigating-factors"] = [{"uuid": names.of("waiver", check["id"]), "description": accepted(waiver)}]
    return value


def accepted(waiver: Waiver) -> str:
    """Who accepted a failure, until when and why."""
    until = f" until {waiver['expires']}" if waiver["expires"] else ""
    ticket = f", ticket {markdown(waiver['ticket'])}" if waiver["ticket"] else ""
    signed = f"signed by {markdown(waiver['signer'])}" if waiver["signer"] else "in a file that nobody signed"
    return (
        f"Waiver {markdown(waiver['id'])} ({signed}), approved by {markdown(waiver['approver'])}{until}{ticket}: "
        f"{markdown(waiver['reason'])}"
    )


def _text(check: Check) -> str:
    parts = [f"Outcome: {wording.OUTCOMES[check['outcome']]}."]
    if check["reason"]:
        parts.append(f"{markdown(check['reason'])}.")
    parts.append(f"Looked at: {check['looksAt']}")
    parts.append(check["proves"])
    if (more := len(check["observations"]) - _EVIDENCE_MAX) > 0:
        parts.append(f"{wording.count(more, 'further observation')} of this check: see assessment.json.")
    return " ".join(parts).strip()


def _evidence(item: Observation, names: Names) -> Json:
    return {
        "href": f"#{names.of('resource', 'assessment')}",
        "description": markdown(item["summary"]) or "Observed.",
        "props": props(
            kind=item["kind"],
            path=item["path"],
            layer=item["layer"],
            package=item["package"],
            sha256=item["sha256"],
            value=item["value"],
            method=item["method"],
            verdict=item["verdict"],
        ),
    }


def _control_prop(control: Control, check: str) -> Json:
    """How the check bears on a control; ids of SP 800-53 are OSCAL's, others stand with their framework's."""
    relation = next((item["relation"] for item in control["mapping"] if item["check"] == check), _UNMAPPED)
    name, value = ("control-id", control["id"])
    if control["baselines"] is None:
        name, value = "framework-control", f"{control['framework']}: {control['label']}"
    return {"name": name, "ns": NAMESPACE, "value": value, "class": relation.replace(" ", "-")}
