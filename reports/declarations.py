"""CycloneDX attestations (CDXA, ECMA-424 8.16): a bill of materials that also says what was claimed, on what evidence.

Each framework is a standard with requirements, each check that passed or failed a claim with its evidence, and each
framework an attestation that maps claims to requirements. No score is given: how much of a control one image check
covers is not a number that anybody measured. Signed by whoever signs the file; nobody affirms anything in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from compliance.errors import FormatError
from compliance.formats.cyclonedx import dump
from compliance.formats.signed_json import read_object
from reports import findings, wording
from reports.document import Check, Control, Document, Framework

_EVIDENCE_MAX = 20
"""Observations of one check that are written out; all are in assessment.json."""

_VERSIONS = ("1.6", "1.7")
_ASSESSOR = "assessor:hullmark"


def with_declarations(sbom: bytes, document: Document) -> bytes:
    """The CycloneDX JSON `sbom` of the image with its assessment in it.

    Raises FormatError where it is none of version 1.6 or later, or about no component.
    """
    value = dict(read_object(sbom, "SBOM").values)
    target = _target(value)
    frameworks = [(framework, findings.of_framework(document, framework["id"])) for framework in document["frameworks"]]
    decided = [check for check in document["checks"] if check["outcome"] in ("passed", "failed")]
    value["definitions"] = {"standards": [_standard(framework, controls) for framework, controls in frameworks]}
    value["declarations"] = {
        "assessors": [{"bom-ref": _ASSESSOR, "organization": {"name": _assessor(document)}}],
        "attestations": [_attestation(framework, controls, document) for framework, controls in frameworks],
        "claims": [_claim(check, target) for check in decided],
        "evidence": [_evidence(check, document) for check in decided],
    }
    return dump(value)


def _target(value: dict[str, Any]) -> str:
    """The reference of what the bill of materials is about."""
    component = value.get("metadata", {}).get("component", {})
    reference = component.get("bom-ref") if isinstance(component, dict) else None
    if value.get("specVersion") not in _VERSIONS or not isinstance(reference, str):
        raise FormatError("not a CycloneDX document of version 1.6 or 1.7 about a component", code="sbom-invalid")
    return reference


def _assessor(document: Document) -> str:
    return f"whoever ran {document['tool']['name']} {document['tool']['version']}"


def _standard(framework: Framework, controls: list[Control]) -> dict[str, object]:
    return {
        "bom-ref": _standard_reference(framework["id"]),
        "name": framework["name"],
        "version": framework["version"],
        "description": " ".join(
            ("Only the requirements on which checks of an image bear are listed.", *framework["caveats"])
        ),
        "requirements": [_requirement(control) for control in controls],
    }


def _requirement(control: Control) -> dict[str, object]:
    facts = {
        "hullmark:title": None if control["verbatim"] else "paraphrased",
        "hullmark:confirmed": None if control["confirmed"] else "no",
        "hullmark:source": control["source"],
        "hullmark:baselines": None if control["baselines"] is None else " ".join(control["baselines"]) or "none",
    }
    return {
        "bom-ref": _requirement_reference(control),
        "identifier": control["label"],
        "title": control["title"],
        "properties": [{"name": name, "value": value} for name, value in facts.items() if value],
    }


def _attestation(framework: Framework, controls: list[Control], document: Document) -> dict[str, object]:
    counts = findings.status_counts(controls)
    told = ", ".join(f"{counts[one]} {wording.STATUSES[one]}" for one in findings.STATUSES if counts[one])
    return {
        "summary": f"{framework['name']}: of {wording.count(len(controls), 'requirement')} on which checks of an image "
        f"bear, {told or 'none'}. That is evidence about one image, and no conformance of an organisation or system.",
        "assessor": _ASSESSOR,
        "map": [_mapped(control, document) for control in controls],
    }


def _mapped(control: Control, document: Document) -> dict[str, object]:
    outcomes = {check["id"]: check["outcome"] for check in document["checks"]}
    mapped: dict[str, object] = {"requirement": _requirement_reference(control)}
    for key, outcome in (("claims", "passed"), ("counterClaims", "failed")):
        found = [_claim_reference(check) for check in control["checks"] if outcomes[check] == outcome]
        if found:
            mapped[key] = found
    mapped["conformance"] = {"rationale": " ".join(_rationale(control))}
    return mapped


def _rationale(control: Control) -> Iterator[str]:
    yield f"{wording.STATUSES[control['status']].capitalize()}: {wording.STATUS_MEANINGS[control['status']]}"
    if control["waived"]:
        yield "Somebody accepted every failure that stands against it."
    for item in control["mapping"]:
        yield f"{item['check']} {item['relation']}: {item['rationale']}"


def _claim(check: Check, target: str) -> dict[str, object]:
    failed = check["outcome"] == "failed"
    accepted = f" Accepted by a waiver: {check['waiver']['reason']}" if check["waiver"] else ""
    reason = check["rationale"] if failed else check["proves"]
    return {
        "bom-ref": _claim_reference(check["id"]),
        "target": target,
        "predicate": f"{check['id']} {wording.OUTCOMES[check['outcome']]}: {check['title']}",
        "reasoning": f"Looked at: {check['looksAt']} {reason}{accepted}".strip(),
        "evidence": [_evidence_reference(check["id"])],
    }


def _evidence(check: Check, document: Document) -> dict[str, object]:
    told = findings.telling(check)
    lines = [f"{where}: {what}" if where else what for where, what in map(wording.seen, told[:_EVIDENCE_MAX])]
    if len(told) > _EVIDENCE_MAX:
        lines.append(f"{len(told) - _EVIDENCE_MAX:,} more in assessment.json")
    return {
        "bom-ref": _evidence_reference(check["id"]),
        "propertyName": f"hullmark:check:{check['id']}",
        "description": f"What {check['id']} saw in the image.",
        "data": [
            {
                "name": f"observations of {check['id']}",
                "contents": {"attachment": {"contentType": "text/plain", "content": "\n".join(lines)}},
            }
        ],
        "created": document["finishedAt"],
    }


def _standard_reference(framework: str) -> str:
    return f"standard:{framework}"


def _requirement_reference(control: Control) -> str:
    return f"requirement:{control['framework']}:{control['id']}"


def _claim_reference(check: str) -> str:
    return f"claim:{check}"


def _evidence_reference(check: str) -> str:
    return f"evidence:{check}"
