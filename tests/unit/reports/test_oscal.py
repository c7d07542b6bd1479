"""Every OSCAL document against its schema, the rules that no schema has, and other people's readers."""

import copy
import importlib
import json
import shutil
import subprocess
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from compliance.errors import UsageError
from compliance.evaluate.rollup import roll_up
from compliance.model.control import Relation
from compliance.model.outcome import CheckResult, Failed, Unknown
from controls.loader import load_library
from controls.registry import CHECKS
from reports import assessment_json, oscal
from reports.document import Document
from reports.exporter import FORMATS
from reports.oscal_component import component_definition
from reports.oscal_form import VERSIONS, targets
from reports.oscal_mapping import MAPPING_VERSIONS, mapping_collection
from reports.oscal_poam import plan_of_action
from tests.builders.assessment import HIDDEN, assessment
from tests.unit.reports import oscal_rules

_DEFINITIONS = {
    "assessment-results": "oscal-complete-oscal-ar:assessment-results",
    "assessment-plan": "oscal-complete-oscal-ap:assessment-plan",
    "component-definition": "oscal-complete-oscal-component-definition:component-definition",
    "mapping-collection": "oscal-complete-oscal-mapping:mapping-collection",
    "plan-of-action-and-milestones": "oscal-complete-oscal-poam:plan-of-action-and-milestones",
    "catalog": "oscal-complete-oscal-catalog:catalog",
}
_MAKERS: dict[str, Callable[..., dict[str, Any]]] = {
    "assessment-results": oscal.assessment_results,
    "assessment-plan": oscal.assessment_plan,
    "component-definition": component_definition,
    "mapping-collection": mapping_collection,
    "plan-of-action-and-milestones": plan_of_action,
}
_WRITTEN = [
    (model, version)
    for model in _MAKERS
    for version in (MAPPING_VERSIONS if model == "mapping-collection" else VERSIONS)
]
_TRESTLE = {
    "assessment-results": "trestle.oscal.assessment_results:AssessmentResults",
    "assessment-plan": "trestle.oscal.assessment_plan:AssessmentPlan",
    "component-definition": "trestle.oscal.component:ComponentDefinition",
    "mapping-collection": "trestle.oscal.mapping:MappingCollection",
    "plan-of-action-and-milestones": "trestle.oscal.poam:PlanOfActionAndMilestones",
    "catalog": "trestle.oscal.catalog:Catalog",
}


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


@cache
def whole_library() -> Document:
    """Every shipped check and framework, on a plain image: all that an assessment can hold."""
    plain = assessment()
    controls = load_library()
    results = tuple(CheckResult(check=check, outcome=Unknown(reason="nothing was looked at here")) for check in CHECKS)
    return assessment_json.document(replace(plain, results=results, controls=roll_up(controls, results)))


_DOCUMENTS: dict[str, Callable[[], Document]] = {
    "some checks": lambda: assessment_json.document(assessment()),
    "no checks": without_checks,
    "the whole library": whole_library,
}


@pytest.mark.parametrize(("model", "version"), _WRITTEN)
@pytest.mark.parametrize("what", _DOCUMENTS)
def test_it_is_valid_against_the_schema_and_its_unwritten_rules(
    model: str, version: str, what: str, shared: Path, catalog: dict[str, Any]
) -> None:
    if (model, what) == ("mapping-collection", "no checks"):
        pytest.skip("there is nothing to map")
    written = _MAKERS[model](_DOCUMENTS[what](), version)
    validator = jsonschema_rs.Draft7Validator(schema(shared, version, model))
    assert [str(error) for error in validator.iter_errors(written[model])] == []
    oscal_rules.check(written, version, catalog)
    inside = [oscal_rules.embedded(resource) for resource in oscal_rules.resources(written[model])]
    catalogs = jsonschema_rs.Draft7Validator(schema(shared, version, "catalog"))
    for one in filter(None, inside):
        assert [str(error) for error in catalogs.iter_errors(one["catalog"])] == []


@pytest.mark.parametrize(("model", "version"), _WRITTEN)
def test_compliance_trestle_loads_it(model: str, version: str) -> None:
    pytest.importorskip("trestle", reason="compliance-trestle is not installed")
    written = _MAKERS[model](whole_library(), version)
    _load_with_trestle(model, written[model])
    for resource in oscal_rules.resources(written[model]):
        if inside := oscal_rules.embedded(resource):
            _load_with_trestle("catalog", inside["catalog"])


def _load_with_trestle(model: str, content: Any) -> None:
    module, _, name = _TRESTLE[model].partition(":")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaded = getattr(importlib.import_module(module), name).model_validate(content)
    assert str(loaded.uuid) == content["uuid"]


@pytest.mark.parametrize(("model", "version"), _WRITTEN)
def test_nists_own_validator_accepts_it(model: str, version: str, tmp_path: Path) -> None:
    program = shutil.which("oscal-cli")
    if program is None:
        pytest.skip("oscal-cli is not on the path: its artifacts are not in the package registry that is used here")
    file = tmp_path / f"{model}.json"
    file.write_bytes(json.dumps(_MAKERS[model](whole_library(), version)).encode())
    done = subprocess.run([program, "validate", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


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
    assert set(targets()) == {name for name, control in catalog.items() if not control["withdrawn"]}
    for name, target in targets().items():
        assert target in (*catalog[name]["objective_ids"], *catalog[name]["statement_ids"])


@pytest.mark.parametrize("model", _MAKERS)
def test_the_format_gives_the_versions_that_it_names(model: str, document: Document) -> None:
    name = "oscal/poam.json" if model.startswith("plan") else f"oscal/{model}.json"
    (format_,) = (one for one in FORMATS.values() if one.file_name == name)
    assert format_.versions == tuple(version for name, version in _WRITTEN if name == model)
    for version in format_.versions:
        body = json.loads(format_.render(document, version))[model]
        assert body["metadata"]["oscal-version"] == version


def test_mappings_do_not_exist_before_1_2(document: Document) -> None:
    with pytest.raises(UsageError, match=r"1\.1\.3"):
        mapping_collection(document, "1.1.3")


def test_the_library_documents_say_nothing_about_the_image(document: Document) -> None:
    for written in (component_definition(document), mapping_collection(document)):
        text = json.dumps(written)
        assert document["subject"]["digest"] not in text
        assert document["subject"]["reference"] not in text
        assert not any(word in text for word in ("contradicted", '"failed"', '"passed"'))


def test_the_component_claims_no_implementation(document: Document) -> None:
    component: Any = component_definition(document)["component-definition"]
    requirements = component["components"][0]["control-implementations"][0]["implemented-requirements"]
    assert all(one["description"].startswith("Hullmark does not implement") for one in requirements)


def test_every_relation_of_the_library_is_one_map(document: Document) -> None:
    whole = whole_library()
    have = {check["id"] for check in whole["checks"]}
    relations = [
        (control["framework"], item["check"], item["relation"])
        for control in whole["controls"]
        for item in control["mapping"]
        if item["check"] in have
    ]
    body: Any = mapping_collection(whole)["mapping-collection"]
    assert sum(len(mapping["maps"]) for mapping in body["mappings"]) == len(relations)
    words = {relation.value: relation.set_relation for relation in Relation}
    found = Counter(one["relationship"] for mapping in body["mappings"] for one in mapping["maps"])
    assert found == Counter(words[relation] for _, _, relation in relations)


def test_baselines_stand_beside_controls_and_caveats_with_their_framework(document: Document) -> None:
    whole = whole_library()
    body: Any = mapping_collection(whole)["mapping-collection"]
    first = next(one for one in body["mappings"] if "SP 800-53" in one["mapping-description"])
    assert "in no SP 800-53B baseline" in first["mapping-description"]
    named = {one["targets"][0]["id-ref"]: one["targets"][0]["props"][0]["value"] for one in first["maps"]}
    assert named["cm-14"] == "none"
    assert named["si-7.15"] == "high"
    assert "in no SP 800-53B baseline" in _result(whole)["remarks"]


def test_a_control_of_any_framework_stands_with_the_observations_that_bear_on_it() -> None:
    whole = whole_library()
    shell = next(one for one in _result(whole)["observations"] if one["title"].startswith("RM-SHELL"))
    bearing = {
        f"{control['framework']}: {control['label']}"
        for control in whole["controls"]
        if "RM-SHELL" in control["checks"] and control["baselines"] is None
    }
    assert {prop["value"] for prop in shell["props"] if prop["name"] == "framework-control"} == bearing


def test_open_failures_that_count_are_items_and_accepted_ones_stay(document: Document) -> None:
    body: Any = plan_of_action(document)["plan-of-action-and-milestones"]
    failed = [check for check in document["checks"] if check["outcome"] == "failed" and check["counts"]]
    assert {item["title"].partition(":")[0] for item in body["poam-items"]} == {check["id"] for check in failed}
    states = {risk["title"].split()[0]: risk["status"] for risk in body["risks"]}
    assert states == {check["id"]: "deviation-approved" if check["waiver"] else "open" for check in failed}
    accepted = next(item for item in body["poam-items"] if item["title"].startswith("IM-HEALTH"))
    assert "approved by" in accepted["description"]


@pytest.mark.parametrize(
    ("expires", "deadline"),
    [
        ("2027-01-31", "2027-01-31T23:59:59Z"),
        ("2027-01-31T12:00:00Z", "2027-01-31T12:00:00Z"),
        ("2027-01-31T12:00:00", None),
        ("some day", None),
        (None, None),
    ],
)
def test_an_acceptance_ends_when_its_waiver_does(expires: str | None, deadline: str | None, document: Document) -> None:
    changed = copy.deepcopy(document)
    check = next(check for check in changed["checks"] if check["waiver"])
    assert check["waiver"] is not None
    check["waiver"]["expires"] = expires
    body: Any = plan_of_action(changed)["plan-of-action-and-milestones"]
    risk = next(risk for risk in body["risks"] if risk["title"].startswith(check["id"]))
    assert risk.get("deadline") == deadline


def test_a_failure_that_does_not_count_is_no_item_and_is_counted(document: Document) -> None:
    changed = copy.deepcopy(document)
    for check in changed["checks"]:
        check["counts"], check["uncounted"] = False, "the profile says so"
    body: Any = plan_of_action(changed)["plan-of-action-and-milestones"]
    assert [item["title"] for item in body["poam-items"]] == ["Nothing to do is known"]
    assert f"{len(changed['checks'])} checks that the profile does not count" in body["metadata"]["remarks"]


def _result(document: Document) -> Any:
    body: Any = oscal.assessment_results(document)["assessment-results"]
    return body["results"][0]
