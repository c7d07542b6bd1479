"""SARIF: what code-scanning UIs make of it."""

import copy
import json
import re
import subprocess
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

import pytest

from reports import assessment_json
from reports.document import Document, Observation
from reports.sarif import RESULTS_OF_CHECK_MAX, render
from tests.builders.assessment import DIGEST, ESCAPING, LONG_PATH, assessment
from tests.builders.program import program


@pytest.fixture(scope="module")
def document() -> Document:
    return assessment_json.document(assessment())


def run_of(document: Document) -> dict[str, Any]:
    log = json.loads(render(document))
    assert log["version"] == "2.1.0"
    [run] = log["runs"]
    return cast(dict[str, Any], run)


def results_of(document: Document, check: str) -> list[dict[str, Any]]:
    return [result for result in run_of(document)["results"] if result["ruleId"] == check]


def uri_of(result: dict[str, Any]) -> str:
    return str(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"])


def with_paths(document: Document, *paths: str) -> Document:
    changed = copy.deepcopy(document)
    seen = changed["checks"][0]["observations"][0]
    changed["checks"][0]["observations"] = [cast(Observation, {**seen, "path": path}) for path in paths]
    return changed


def test_every_check_is_a_rule_with_help(document: Document) -> None:
    rules = run_of(document)["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [check["id"] for check in document["checks"]]
    for rule in rules:
        assert "What to do" in rule["help"]["markdown"]
        assert rule["help"]["text"]
        assert 0 < len(rule["fullDescription"]["text"]) <= 1024


@pytest.mark.parametrize(
    ("severity", "level", "low", "high"),
    [
        ("critical", "error", 9.0, 10),
        ("high", "error", 7.0, 8.9),
        ("medium", "warning", 4, 6.9),
        ("low", "note", 0.1, 3.9),
    ],
)
def test_levels_and_scores_are_those_of_the_severity(
    document: Document, severity: str, level: str, low: float, high: float
) -> None:
    of_severity = {check["id"] for check in document["checks"] if check["severity"] == severity}
    rules = [rule for rule in run_of(document)["tool"]["driver"]["rules"] if rule["id"] in of_severity]
    assert rules
    for rule in rules:
        assert rule["defaultConfiguration"]["level"] == level
        assert low <= float(rule["properties"]["security-severity"]) <= high


def test_there_is_a_result_for_each_thing_that_a_failed_check_saw(document: Document) -> None:
    results = results_of(document, "RM-SHELL")
    assert len(results) == 6
    assert uri_of(results[0]) == "usr/bin/bash"
    assert {result["kind"] for result in results} == {"fail", "review"}
    assert [result["level"] for result in results if result["kind"] == "fail"] == ["error"] * 5
    assert [result["level"] for result in results if result["kind"] == "review"] == ["none"]


def test_passed_and_not_applicable_checks_have_no_result(document: Document) -> None:
    told = {result["ruleId"] for result in run_of(document)["results"]}
    assert not told & {c["id"] for c in document["checks"] if c["outcome"] in ("passed", "not-applicable")}


def test_an_open_question_that_counts_is_no_silence(document: Document) -> None:
    [result] = results_of(document, "RM-PKGMGR")
    assert (result["kind"], result["level"]) == ("open", "none")
    assert "not determined: usr/lib/blob.img could not be read" in result["message"]["text"]


def test_all_that_is_open_is_notified_with_its_rule(document: Document) -> None:
    run = run_of(document)
    notified = {
        item["associatedRule"]["id"]: item["level"]
        for item in run["invocations"][0]["toolExecutionNotifications"]
        if "associatedRule" in item
    }
    assert notified == {"RM-PKGMGR": "note", "SP-SIG": "note", "DR-UNOWNED": "error"}


def test_a_broken_check_makes_the_run_no_success(document: Document) -> None:
    assert run_of(document)["invocations"][0]["executionSuccessful"] is False
    whole = copy.deepcopy(document)
    whole["checks"] = [check for check in whole["checks"] if check["outcome"] != "errored"]
    for control in whole["controls"]:
        control["checks"] = [one for one in control["checks"] if one != "DR-UNOWNED"]
    assert run_of(whole)["invocations"][0]["executionSuccessful"] is True


def test_a_waived_failure_is_a_result_that_is_suppressed(document: Document) -> None:
    [result] = results_of(document, "IM-HEALTH")
    [suppression] = result["suppressions"]
    assert (suppression["kind"], suppression["status"]) == ("external", "accepted")
    assert "security@example.org" in suppression["justification"]
    assert not any("suppressions" in other for other in results_of(document, "RM-SHELL"))


def test_the_digest_of_the_image_is_with_the_run_and_every_result(document: Document) -> None:
    run = run_of(document)
    assert run["properties"]["image"]["digest"] == DIGEST
    for result in run["results"]:
        assert result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] == DIGEST


@pytest.mark.parametrize(
    "path",
    [
        "/usr/bin/a b",
        "/etc/100%",
        "/x?y#z",
        "/usr/b\u00fcro",
        "/..",
        "/a/../../b",
        "/.",
        "/a:b/c",
        "//x",
        "/" + LONG_PATH,
    ],
)
def test_a_path_is_a_relative_reference_that_leads_nowhere_else(document: Document, path: str) -> None:
    [result] = results_of(with_paths(document, path), "RM-SHELL")
    uri = uri_of(result)
    assert re.fullmatch(r"(?:[A-Za-z0-9._~%-]+)(?:/[A-Za-z0-9._~%-]+)*", uri)
    assert not {"..", "."} & set(uri.split("/"))
    assert "/" + unquote(uri) == path.replace("//", "/")


def test_what_lies_in_no_file_is_placed_at_the_image(document: Document) -> None:
    [result] = results_of(document, "NR-USER")
    assert uri_of(result) == "registry.example.org/team/payments-api"


def test_fingerprints_stay_when_digest_tag_and_version_change(document: Document) -> None:
    changed = copy.deepcopy(document)
    changed["subject"] |= {
        "digest": "sha256:" + "0" * 64,
        "tag": "3",
        "reference": "registry:registry.example.org/team/payments-api:3",
    }
    for item in changed["checks"][0]["observations"]:
        item["package"] = item["package"] and item["package"].replace("5.2.15", "5.3.0")
        item["sha256"], item["layer"] = "f" * 64, None
    before, after = run_of(document), run_of(changed)
    assert [one["partialFingerprints"] for one in before["results"]] == [
        one["partialFingerprints"] for one in after["results"]
    ]
    assert before["automationDetails"] == after["automationDetails"]


def test_no_two_results_have_the_same_fingerprint(document: Document) -> None:
    changed = with_paths(document, "/a", "/a", "/b")
    prints = [one["partialFingerprints"]["primaryLocationLineHash"] for one in run_of(changed)["results"]]
    assert len(set(prints)) == len(prints)


def test_images_of_one_repository_have_categories_of_their_own(document: Document) -> None:
    assert run_of(document)["automationDetails"]["id"] == (
        "hullmark/registry.example.org/team/payments-api/linux_2famd64/"
    )


def test_what_is_too_much_is_left_out_and_said(document: Document) -> None:
    changed = with_paths(document, *(f"/{place}" for place in range(RESULTS_OF_CHECK_MAX + 5)))
    run = run_of(changed)
    assert len([one for one in run["results"] if one["ruleId"] == "RM-SHELL"]) == RESULTS_OF_CHECK_MAX
    texts = [item["message"]["text"] for item in run["invocations"][0]["toolExecutionNotifications"]]
    assert "5 further observations of RM-SHELL are in findings.csv, not in this log." in texts


def test_no_message_has_a_link_or_a_placeholder(document: Document) -> None:
    changed = with_paths(document, "/[text](1)/{0}")
    changed["checks"][0]["observations"][0]["summary"] = "seen [text](https://example.org) {0}"
    [result] = results_of(changed, "RM-SHELL")
    assert not re.search(r"(?<!\\)\[[^\]]*\]\(", result["message"]["text"])
    assert "{{0}}" in result["message"]["text"]


def test_its_authors_and_github_find_it_valid(document: Document, tmp_path: Path) -> None:
    hostile = with_paths(document, "/usr/bin/" + ESCAPING, "/" + "x" * 4096, "/a b/%/\u00fc[x](1){0}")
    for name, shape in (("sample", document), ("hostile", hostile)):
        (tmp_path / f"{name}.sarif").write_bytes(render(shape))
        assert complaints(tmp_path / f"{name}.sarif") <= {"SARIF2005"}  # no informationUri: there is no such page
    broken = json.loads(render(document))
    del broken["runs"][0]["results"][0]["message"]
    (tmp_path / "broken.sarif").write_text(json.dumps(broken))
    assert complaints(tmp_path / "broken.sarif") - {"SARIF2005"}


def complaints(log: Path) -> set[str]:
    """The rules by which the validator finds fault, GitHub's ingestion rules among them."""
    found = log.with_suffix(".found")
    subprocess.run(
        [program("sarif-multitool"), "validate", str(log), "--rule-kind", "Sarif;Ghas", "--output", str(found)],
        env={"DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1", "HOME": str(log.parent)},
        capture_output=True,
        timeout=300,
    )
    answer = json.loads(found.read_text(encoding="utf-8-sig"))["runs"][0]
    assert answer["tool"]["driver"]["rules"] is not None
    return {result["ruleId"] for result in answer.get("results", [])}
