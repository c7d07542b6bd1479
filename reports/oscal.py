"""OSCAL assessment results and the assessment plan that they must import.

Every check becomes an observation and every failed check a risk. A finding is written only where a failed check
is a counter-example to a control of SP 800-53, so only ever as not-satisfied: that one image passed does not make
an organisation's control satisfied, and OSCAL has no word between the two.

Both are version 1.1.3 unless told otherwise, as the tools of the FedRAMP era read no newer one.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import cast

from compliance.errors import UsageError
from reports import assessment_json, findings, wording
from reports.document import Check, Control, Document, Observation

VERSIONS = ("1.1.3", "1.2.1", "1.2.2")
"""The versions whose schemas the output was validated against."""

DEFAULT_VERSION = VERSIONS[0]
NAMESPACE = "urn:uuid:1f0f2f3c-6f3b-5d0a-9c55-4f3f9d1f7a52"
"""Of our own properties. A made-up name that nobody else will use; it resolves to nothing."""

_UUID_SPACE = uuid.UUID("1f0f2f3c-6f3b-5d0a-9c55-4f3f9d1f7a52")
_EVIDENCE_MAX = 50
"""Observations of one check that are written out; all are in assessment.json, which the document refers to."""

_SEVERITY_SYSTEM = "http://csrc.nist.gov/ns/oscal"
_MARKUP = re.compile(r"[\\`*_\[\]<>^~{}$]")
_COUNTER_EXAMPLE = ("satisfies", "partially supports")
"""Relations by which what the check tests lies within the control, so that its failure is the control's."""

Json = dict[str, object]


def render_results(document: Document) -> bytes:
    """The assessment results as JSON."""
    return _bytes(assessment_results(document, DEFAULT_VERSION))


def render_plan(document: Document) -> bytes:
    """The assessment plan as JSON."""
    return _bytes(assessment_plan(document, DEFAULT_VERSION))


def assessment_results(document: Document, version: str = DEFAULT_VERSION) -> Json:
    """The OSCAL assessment-results document. Raises UsageError for a version not in VERSIONS."""
    _known(version)
    names = _Names(document)
    return {
        "assessment-results": {
            "uuid": names.of_document("assessment-results", version),
            "metadata": _metadata(document, "Assessment results", version),
            "import-ap": {"href": "assessment-plan.json"},
            "results": [_result(document, names)],
            "back-matter": {"resources": [_assessment_resource(document, names), _catalog_resource(names)]},
        }
    }


def assessment_plan(document: Document, version: str = DEFAULT_VERSION) -> Json:
    """The OSCAL assessment-plan document: what was to be looked at. Raises UsageError as above.

    There is no system security plan for an image outside any system, yet the format demands one: the plan
    refers to a resource that says so.
    """
    _known(version)
    names = _Names(document)
    activities = [_activity(check, names) for check in document["checks"]]
    local: Json = {"components": [_image_component(document, names)]}
    if activities:
        local["activities"] = activities
    subject: Json = {"type": "component", "include-subjects": [_subject(names)]}
    return {
        "assessment-plan": {
            "uuid": names.of_document("assessment-plan", version),
            "metadata": _metadata(document, "Assessment plan", version),
            "import-ssp": {"href": f"#{names.of('resource', 'no-ssp')}"},
            "local-definitions": local,
            "reviewed-controls": _reviewed(document),
            "assessment-subjects": [subject],
            "assessment-assets": _assets(document, names),
            "tasks": [_task(document, names, subject)],
            "back-matter": {"resources": [_no_ssp_resource(names), _catalog_resource(names)]},
        }
    }


class _Names:
    """Stable UUIDs, version 5, over the image digest and what is named: the same for the same image in every run."""

    def __init__(self, document: Document) -> None:
        self.digest = document["subject"]["digest"]
        self.content = assessment_json.render(document)

    def of(self, kind: str, *parts: str) -> str:
        return str(uuid.uuid5(_UUID_SPACE, "\n".join((self.digest, kind, *parts))))

    def of_document(self, kind: str, version: str) -> str:
        """Changes with the content, as OSCAL wants of a document's UUID."""
        return self.of(kind, version, self.content_sha256())

    def content_sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def _result(document: Document, names: _Names) -> Json:
    checks = document["checks"]
    failed = [check for check in checks if check["outcome"] == "failed"]
    summary = document["summary"]
    result: Json = {
        "uuid": names.of("result", document["effectiveTime"]),
        "title": f"{wording.VERDICTS[summary['outcome']]}: {_line(document['subject']['reference'])}",
        "description": wording.verdict_sentence(document) + " Every check is an observation, every failed check a risk."
        " Findings are written only where a failed check is a counter-example to a control.",
        "start": document["startedAt"],
        "end": document["finishedAt"],
        "props": _props(outcome=summary["outcome"], profile=document["profile"]["id"], fail_on=summary["failOn"]),
        "local-definitions": {
            "components": [_image_component(document, names)],
            "assessment-assets": _assets(document, names),
        },
        "reviewed-controls": _reviewed(document),
    }
    if checks:
        result["observations"] = [_observation(check, document, names) for check in checks]
    if failed:
        result["risks"] = [_risk(check, names) for check in failed]
    if contradicted := _contradicted(document):
        result["findings"] = [_finding(control, counter, names) for control, counter in contradicted]
    return result


def _observation(check: Check, document: Document, names: _Names) -> Json:
    controls = [control for control in _catalogued(document) if check["id"] in control["checks"]]
    observation: Json = {
        "uuid": names.of("observation", check["id"]),
        "title": _line(f"{check['id']}: {check['title']}"),
        "description": _observation_text(check),
        "props": [
            *_props(check_id=check["id"], outcome=check["outcome"], severity=check["severity"], trait=check["trait"]),
            *(_control_prop(control, check["id"]) for control in controls),
        ],
        "methods": ["EXAMINE"],
        "types": ["control-objective"] if controls else ["discovery"],
        "origins": [_origin(names)],
        "subjects": [_subject(names)],
        "collected": document["finishedAt"],
    }
    if check["observations"]:
        evidence = findings.telling(check)[:_EVIDENCE_MAX]
        observation["relevant-evidence"] = [_evidence(item, names) for item in evidence]
    return observation


def _observation_text(check: Check) -> str:
    parts = [f"Outcome: {wording.OUTCOMES[check['outcome']]}."]
    if check["reason"]:
        parts.append(f"{_markdown(check['reason'])}.")
    parts.append(f"Looked at: {check['looksAt']}")
    parts.append(check["proves"])
    if (more := len(check["observations"]) - _EVIDENCE_MAX) > 0:
        parts.append(f"{wording.count(more, 'further observation')} of this check: see assessment.json.")
    return " ".join(parts).strip()


def _evidence(item: Observation, names: _Names) -> Json:
    evidence: Json = {
        "href": f"#{names.of('resource', 'assessment')}",
        "description": _markdown(item["summary"]) or "Observed.",
    }
    facts = {
        "kind": item["kind"],
        "path": item["path"],
        "layer": item["layer"],
        "package": item["package"],
        "sha256": item["sha256"],
        "value": item["value"],
        "method": item["method"],
        "verdict": item["verdict"],
    }
    evidence["props"] = _props(**facts)
    return evidence


def _risk(check: Check, names: _Names) -> Json:
    waiver = check["waiver"]
    risk: Json = {
        "uuid": names.of("risk", check["id"]),
        "title": _line(f"{check['id']} failed: {check['title']}"),
        "description": f"The check failed with {wording.count(len(check['observations']), 'observation')}.",
        "statement": check["rationale"] or check["title"],
        "props": _props(check_id=check["id"]),
        "status": "deviation-approved" if waiver else "open",
        "origins": [_origin(names)],
        "characterizations": [
            {
                "origin": _origin(names),
                "facets": [{"name": "severity", "system": _SEVERITY_SYSTEM, "value": check["severity"]}],
            }
        ],
        "remediations": [
            {
                "uuid": names.of("remediation", check["id"]),
                "lifecycle": "recommendation",
                "title": _line(f"Make {check['id']} pass"),
                "description": check["remediation"] or "None is known.",
            }
        ],
        "related-observations": [{"observation-uuid": names.of("observation", check["id"])}],
    }
    if waiver:
        until = f" until {waiver['expires']}" if waiver["expires"] else ""
        risk["mitigating-factors"] = [
            {
                "uuid": names.of("waiver", check["id"]),
                "description": f"Waiver {_markdown(waiver['id'])}, approved by {_markdown(waiver['approver'])}"
                f"{until}: {_markdown(waiver['reason'])}",
            }
        ]
    return risk


def _finding(control: Control, counter: list[Check], names: _Names) -> Json:
    target = _targets()[control["id"]]
    failed = ", ".join(check["id"] for check in counter)
    return {
        "uuid": names.of("finding", control["id"]),
        "title": _line(f"{control['label']} {control['title']}"),
        "description": f"Failed in this image: {failed}. What these checks test lies within the control.",
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
    for control in _catalogued(document):
        within = [mapped["check"] for mapped in control["mapping"] if mapped["relation"] in _COUNTER_EXAMPLE]
        counter = [checks[name] for name in within if name in checks and checks[name]["outcome"] == "failed"]
        if counter and control["status"] == "contradicted":
            found.append((control, counter))
    return found


def _catalogued(document: Document) -> list[Control]:
    """The controls of SP 800-53 that the pinned catalog has; other frameworks have no baselines and no OSCAL id."""
    targets = _targets()
    return [
        control for control in document["controls"] if control["baselines"] is not None and control["id"] in targets
    ]


def _reviewed(document: Document) -> Json:
    ids = [control["id"] for control in _catalogued(document)]
    if not ids:
        # The schema demands one of two; "all" is all of what the system security plan names, and there is none.
        nothing = "No control was reviewed: no system security plan is imported, so that all of its controls are none."
        return {"control-selections": [{"description": nothing, "include-all": {}}]}
    selection: Json = {
        "description": "The controls on which the checks of this assessment bear; none of them as a whole.",
        "include-controls": [{"control-id": identifier} for identifier in dict.fromkeys(ids)],
    }
    return {"control-selections": [selection]}


def _control_prop(control: Control, check: str) -> Json:
    relation = next((item["relation"] for item in control["mapping"] if item["check"] == check), "unmapped")
    return {"name": "control-id", "ns": NAMESPACE, "value": control["id"], "class": relation.replace(" ", "-")}


def _metadata(document: Document, title: str, version: str) -> Json:
    subject = document["subject"]
    return {
        "title": _line(f"{title} of container image {subject['reference']}"),
        "last-modified": document["finishedAt"],
        "version": document["effectiveTime"],
        "oscal-version": version,
        "props": _props(image_digest=subject["digest"], platform=subject["platform"]),
    }


def _image_component(document: Document, names: _Names) -> Json:
    subject = document["subject"]
    standard = {"asset-id": subject["digest"], "version": subject["tag"]}
    return {
        "uuid": names.of("component", "image"),
        "type": "software",
        "title": _line(subject["reference"]),
        "description": f"The container image with digest {subject['digest']}.",
        "props": [
            *({"name": name, "value": value.strip()} for name, value in standard.items() if value and value.strip()),
            *_props(
                media_type=subject["mediaType"], platform=subject["platform"], config_digest=subject["configDigest"]
            ),
        ],
        "status": {"state": "operational"},
    }


def _assets(document: Document, names: _Names) -> Json:
    tool = document["tool"]
    component = names.of("component", "tool")
    return {
        "components": [
            {
                "uuid": component,
                "type": "software",
                "title": _line(tool["name"]),
                "description": "Reads the image's own bytes, lists packages, verifies signatures, runs the checks.",
                "props": [
                    {"name": "version", "value": tool["version"].strip() or "unknown"},
                    *_props(controls_digest=tool["controlsDigest"]),
                ],
                "status": {"state": "operational"},
            }
        ],
        "assessment-platforms": [
            {
                "uuid": names.of("platform", "tool"),
                "title": _line(f"{tool['name']} {tool['version']}"),
                "uses-components": [{"component-uuid": component}],
            }
        ],
    }


def _activity(check: Check, names: _Names) -> Json:
    return {
        "uuid": names.of("activity", check["id"]),
        "title": _line(f"{check['id']}: {check['title']}"),
        "description": f"{check['looksAt']} {check['proves']}".strip() or check["title"],
        "props": _props(check_id=check["id"], severity=check["severity"], trait=check["trait"]),
    }


def _task(document: Document, names: _Names, subject: Json) -> Json:
    task: Json = {
        "uuid": names.of("task", "assess"),
        "type": "action",
        "title": "Read the image and run the checks",
        "timing": {"within-date-range": {"start": document["startedAt"], "end": document["finishedAt"]}},
        "subjects": [subject],
    }
    if document["checks"]:
        task["associated-activities"] = [
            {"activity-uuid": names.of("activity", check["id"]), "subjects": [subject]} for check in document["checks"]
        ]
    return task


def _subject(names: _Names) -> Json:
    return {"subject-uuid": names.of("component", "image"), "type": "component"}


def _origin(names: _Names) -> Json:
    return {"actors": [{"type": "tool", "actor-uuid": names.of("component", "tool")}]}


def _assessment_resource(document: Document, names: _Names) -> Json:
    return {
        "uuid": names.of("resource", "assessment"),
        "title": "The assessment document",
        "description": "Every observation with its path, layer, package and digest.",
        "rlinks": [
            {
                "href": "../assessment.json",
                "media-type": "application/json",
                "hashes": [{"algorithm": "SHA-256", "value": names.content_sha256()}],
            }
        ],
    }


def _catalog_resource(names: _Names) -> Json:
    return {
        "uuid": names.of("resource", "catalog"),
        "title": "NIST SP 800-53 Rev. 5 catalog",
        "description": "The catalog whose control, statement and objective ids are used here.",
        "rlinks": [{"href": cast(str, _catalog()["catalog"]), "media-type": "application/oscal.catalog+json"}],
    }


def _no_ssp_resource(names: _Names) -> Json:
    return {
        "uuid": names.of("resource", "no-ssp"),
        "title": "No system security plan",
        "description": "The image was assessed by itself, outside any system, so there is no system security plan.",
    }


@cache
def _catalog() -> Mapping[str, object]:
    return cast(
        Mapping[str, object], json.loads((resources.files("reports") / "data" / "sp800-53-targets.json").read_bytes())
    )


def _targets() -> Mapping[str, str]:
    """The objective, else the statement, that stands for each control as a whole."""
    return cast(Mapping[str, str], _catalog()["targets"])


def _props(**facts: str | None) -> list[Json]:
    """Properties of ours; facts that are not there, or blank, are left out, as OSCAL forbids empty values."""
    return [
        {"name": name.replace("_", "-"), "ns": NAMESPACE, "value": value.strip()}
        for name, value in facts.items()
        if value is not None and value.strip()
    ]


def _line(text: str) -> str:
    """A title: one line without blanks at its ends, never empty."""
    return _markdown(text) or "unnamed"


def _markdown(text: str) -> str:
    """`text` so that it has no markup: these fields are Markdown to whoever shows them."""
    return _MARKUP.sub(lambda match: f"\\{match.group()}", " ".join(text.split()))


def _known(version: str) -> None:
    if version not in VERSIONS:
        raise UsageError(
            f"no OSCAL version {version!r}", code="oscal-version", hint=f"choose one of {', '.join(VERSIONS)}"
        )


def _bytes(value: Json) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()
