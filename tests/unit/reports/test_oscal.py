"""OSCAL results and plan against their schemas and the rules that no schema has."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from compliance.errors import UsageError
from compliance.model.outcome import Failed
from reports import assessment_json, oscal
from reports.document import Document
from tests.builders.assessment import HIDDEN, assessment
from tests.unit.reports import oscal_rules

_DEFINITIONS = {
    "assessment-results": "oscal-complete-oscal-ar:assessment-results",
    "assessment-plan": "oscal-complete-oscal-ap:assessment-plan",
}
_MAKERS = {"assessment-results": oscal.assessment_results, "assessment-plan": oscal.assessment_plan}


@pytest.fixture(scope="module")
def document() -> Document:
    return assessment_json.document(assessment())


@pytest.fixture(scope="session")
def catalog(shared: Path) -> dict[str, Any]:
    path = shared / "reference" / "controls" / "nist_sp800_53r5_needed_controls.json"
    controls: dict[str, Any] = json.loads(path.read_bytes())["controls"]
    return controls


def schema(shared: Path, version: str, model: str) -> Any:
    path = shared / "schemas" / "oscal" / f"oscal_complete_schema-{version.replace('.', '-')}.json"
    complete = json.loads(path.read_bytes())
    reference = f"#/definitions/{_DEFINITIONS[model]}"
    return {"$schema": complete["$schema"], "definitions": complete["definitions"], "$ref": reference}


def without_checks() -> Document:
    plain = assessment(frameworks=0)
    return assessment_json.document(replace(plain, results=()))


@pytest.mark.parametrize("model", _MAKERS)
@pytest.mark.parametrize("version", oscal.VERSIONS)
@pytest.mark.parametrize("make", [lambda: assessment_json.document(assessment()), without_checks])
def test_it_is_valid_against_the_schema_and_its_unwritten_rules(
    model: str, version: str, make: Callable[[], Document], shared: Path, catalog: dict[str, Any]
) -> None:
    written = _MAKERS[model](make(), version)
    validator = jsonschema_rs.Draft7Validator(schema(shared, version, model))
    assert [str(error) for error in validator.iter_errors(written[model])] == []
    oscal_rules.check(written, version, catalog)


@pytest.mark.parametrize(("name", "render"), [("results", oscal.render_results), ("plan", oscal.render_plan)])
def test_bytes_are_those_of_the_golden_file(
    name: str, render: Callable[[Document], bytes], document: Document, golden: Callable[[str, bytes], None]
) -> None:
    golden(f"reports/assessment-{name}.json", render(document))


def test_every_check_is_an_observation_and_every_failure_a_risk(document: Document) -> None:
    result = _result(document)
    failed = [check for check in document["checks"] if check["outcome"] == "failed"]
    assert len(result["observations"]) == len(document["checks"])
    assert len(result["risks"]) == len(failed)


def test_findings_are_only_counter_examples_in_the_catalog(document: Document) -> None:
    findings = _result(document)["findings"]
    # AC-6 and CM-7(2) are contradicted too, but their checks only provide evidence: a person must judge.
    assert [finding["target"]["target-id"] for finding in findings] == ["cm-7_obj"]
    assert {finding["target"]["status"]["state"] for finding in findings} == {"not-satisfied"}


def test_a_waived_failure_stays_a_risk_with_its_waiver(document: Document) -> None:
    waived = [risk for risk in _result(document)["risks"] if risk["status"] == "deviation-approved"]
    assert [risk["title"].split()[0] for risk in waived] == ["IM-HEALTH"]
    assert "security@example.org" in waived[0]["mitigating-factors"][0]["description"]


def test_uuids_are_the_same_for_the_same_image(document: Document) -> None:
    again = oscal.assessment_results(assessment_json.document(assessment()))
    assert oscal_rules.defined_uuids(again) == oscal_rules.defined_uuids(oscal.assessment_results(document))


def test_another_image_shares_no_uuid() -> None:
    plain = assessment()
    image = replace(plain.evidence.image, digest="sha256:" + "0" * 64)
    other = assessment_json.document(replace(plain, evidence=replace(plain.evidence, image=image)))
    one = oscal.assessment_results(assessment_json.document(plain))
    shared_ones = set(oscal_rules.defined_uuids(one)) & set(oscal_rules.defined_uuids(oscal.assessment_results(other)))
    assert shared_ones == set()


def test_plan_and_results_name_the_same_image_component(document: Document) -> None:
    results, plan = oscal.assessment_results(document), oscal.assessment_plan(document)
    common = set(oscal_rules.defined_uuids(results)) & set(oscal_rules.defined_uuids(plan))
    component: Any = plan["assessment-plan"]
    assert component["local-definitions"]["components"][0]["uuid"] in common


def test_the_assessment_document_is_referred_to_by_digest(document: Document) -> None:
    import hashlib

    body: Any = oscal.assessment_results(document)["assessment-results"]
    link = body["back-matter"]["resources"][0]["rlinks"][0]
    assert link["hashes"][0]["value"] == hashlib.sha256(assessment_json.render(document)).hexdigest()


def test_no_secret_and_no_live_markup(document: Document) -> None:
    text = oscal.render_results(document).decode()
    assert HIDDEN not in text
    for value in (value for _, value in oscal_rules.walk(oscal.assessment_results(document)) if isinstance(value, str)):
        assert "\x1b" not in value
    descriptions = [value for path, value in oscal_rules.walk(json.loads(text)) if path.endswith("/description")]
    assert any(r"\<script\>" in value for value in descriptions)
    assert not any("<script>" in value for value in descriptions)


def test_evidence_is_capped_and_the_rest_counted() -> None:
    plain = assessment()
    first = plain.results[0]
    assert isinstance(first.outcome, Failed)
    crowd = replace(first, outcome=Failed(observations=first.outcome.observations * 20))
    document = assessment_json.document(replace(plain, results=(crowd, *plain.results[1:])))
    observation = _result(document)["observations"][0]
    assert len(observation["relevant-evidence"]) == 50
    assert "70 further observations" in observation["description"]


def test_an_unknown_version_is_refused(document: Document) -> None:
    with pytest.raises(UsageError, match=r"9\.9\.9"):
        oscal.assessment_results(document, "9.9.9")


def test_the_shipped_targets_are_those_of_the_catalog(catalog: dict[str, Any]) -> None:
    targets = oscal._targets()
    assert set(targets) == {name for name, control in catalog.items() if not control["withdrawn"]}
    for name, target in targets.items():
        assert target in (*catalog[name]["objective_ids"], *catalog[name]["statement_ids"])


def _result(document: Document) -> Any:
    body: Any = oscal.assessment_results(document)["assessment-results"]
    return body["results"][0]
