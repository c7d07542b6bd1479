"""Statements about an image say what its assessment document says, in in-toto's words."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from compliance.errors import FormatError
from reports.assessment_json import document
from reports.attestation import (
    ReferencedFile,
    reference_statement,
    results_statement,
    sbom_statement,
    verification_result_statement,
)
from tests.builders.assessment import assessment

ABOUT = document(assessment())
OUTCOMES = {check["id"]: check["outcome"] for check in ABOUT["checks"]}


def predicate(statement: bytes, kind: str) -> Any:
    """The predicate, after everything around it was looked at."""
    value = json.loads(statement)
    algorithm, _, digest = ABOUT["subject"]["digest"].partition(":")
    assert value["_type"] == "https://in-toto.io/Statement/v1"
    assert value["subject"] == [{"name": ABOUT["subject"]["reference"], "digest": {algorithm: digest}}]
    assert value["predicateType"] == kind
    return value["predicate"]


def test_the_sbom_is_carried_whole() -> None:
    sbom = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"name": "böök", "version": "1"}]}
    statement = sbom_statement(ABOUT, json.dumps(sbom).encode())
    assert predicate(statement, "https://cyclonedx.org/bom") == sbom


@pytest.mark.parametrize("content", [b"", b"[]", b"<bom/>", b'{"a":1,"a":2}'])
def test_what_is_no_json_object_is_no_sbom(content: bytes) -> None:
    with pytest.raises(FormatError):
        sbom_statement(ABOUT, content)


def test_each_check_is_in_the_list_of_its_outcome() -> None:
    value = predicate(results_statement(ABOUT), "https://in-toto.io/attestation/test-result/v0.1")
    lists = {"passed": "passedTests", "failed": "failedTests", "unknown": "warnedTests", "errored": "warnedTests"}
    assert set(OUTCOMES.values()) == {*lists, "not-applicable"}, "the example lacks an outcome"
    for check, outcome in OUTCOMES.items():
        inside = [name for name in ("passedTests", "warnedTests", "failedTests") if check in value[name]]
        assert inside == ([lists[outcome]] if outcome in lists else [])
    assert value["result"] == "FAILED"
    assert value["hullmarkOutcomes"] == OUTCOMES
    assert value["hullmarkWaived"] == ["IM-HEALTH"]
    assert "IM-HEALTH" in value["failedTests"], "an accepted failure stays one"


def test_the_configuration_names_tool_library_and_profile() -> None:
    value = predicate(results_statement(ABOUT), "https://in-toto.io/attestation/test-result/v0.1")
    by_name = {item["name"]: item for item in value["configuration"]}
    assert by_name["tool"]["uri"] == f"pkg:generic/hullmark@{ABOUT['tool']['version']}"
    digest = by_name["control library"]["digest"]
    assert f"sha256:{digest['sha256']}" == ABOUT["tool"]["controlsDigest"]
    assert base64.b64decode(by_name["profile"]["content"]).decode() == ABOUT["profile"]["id"]
    for item in value["configuration"]:  # a resource descriptor must have one of these
        assert {"uri", "digest", "content"} & set(item)


@pytest.mark.parametrize(
    ("outcomes", "result"),
    [
        (["passed", "passed"], "PASSED"),
        (["passed", "not-applicable"], "PASSED"),
        (["passed", "unknown"], "WARNED"),
        (["passed", "errored"], "WARNED"),
        (["unknown", "failed"], "FAILED"),
        (["not-applicable"], "WARNED"),
        ([], "WARNED"),
    ],
)
def test_less_evidence_never_makes_a_better_result(outcomes: list[str], result: str) -> None:
    checks = [{**ABOUT["checks"][0], "id": f"C-{n}", "outcome": outcome} for n, outcome in enumerate(outcomes)]
    about = {**ABOUT, "checks": checks}
    value = predicate(results_statement(about), "https://in-toto.io/attestation/test-result/v0.1")  # type: ignore[arg-type]
    assert value["result"] == result


def test_only_passed_checks_are_properties() -> None:
    value = predicate(verification_result_statement(ABOUT), "https://in-toto.io/attestation/svr/v0.2")
    passed = sorted(check for check, outcome in OUTCOMES.items() if outcome == "passed")
    assert value["properties"] == [f"HULLMARK_{check.replace('-', '_')}" for check in passed]
    assert value["timeCreated"] == ABOUT["finishedAt"]
    assert value["verifier"]["policies"], "svr v0.2 demands the member"


def test_references_have_what_the_predicate_demands() -> None:
    files = [
        ReferencedFile(path="sbom.cdx.json", sha256="b" * 64, media_type="application/vnd.cyclonedx+json"),
        ReferencedFile(path="assessment.json", sha256="a" * 64, media_type="application/json"),
    ]
    value = predicate(reference_statement(ABOUT, files), "https://in-toto.io/attestation/reference/v0.1")
    assert value["attester"]["id"].startswith("pkg:generic/hullmark@")
    assert [item["downloadLocation"] for item in value["references"]] == ["assessment.json", "sbom.cdx.json"]
    assert all({"digest", "mediaType"} <= set(item) for item in value["references"])
    assert reference_statement(ABOUT, files) == reference_statement(ABOUT, reversed(files))
