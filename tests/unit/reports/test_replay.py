"""Comparing two assessments of one image: the same, or why not, and never a reason that is not there."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from compliance.model.verification import Verdict
from reports import assessment_json
from reports.document import Document
from reports.replay import compare
from tests.builders.assessment import assessment


@pytest.fixture
def then() -> Document:
    return assessment_json.document(assessment())


def changed(document: Document, change: Callable[[Any], object]) -> Document:
    other = copy.deepcopy(document)
    change(other)
    return other


def fail(document: Any) -> None:
    document["checks"][0]["outcome"] = "errored"


def test_the_same_results_are_verified_to_the_observation(then: Document) -> None:
    found = compare(then, copy.deepcopy(then))
    assert {item.verdict for item in found} == {Verdict.VERIFIED}
    assert any(f"{len(then['checks'])} checks came out" in item.reason for item in found)


def test_another_image_is_wrong_and_nothing_else_is_compared(then: Document) -> None:
    other = changed(then, lambda document: document["subject"].update(digest="sha256:" + "0" * 64))
    (found,) = compare(then, other)
    assert found.verdict is Verdict.INVALID
    assert "another image" in found.reason


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (fail, "in the evidence, errored now"),
        (lambda document: document["checks"][0]["observations"].pop(), "other things were observed"),
        (lambda document: document["checks"][0].update(severity="low"), "another severity"),
        (lambda document: document["checks"].pop(0), "it is in the evidence only"),
        (lambda document: document["controls"][0].update(status="satisfied"), "otherwise"),
        (lambda document: document["inventory"].update(packages=0), "otherwise"),
        (lambda document: document["coverage"].update(files=1), "otherwise"),
        (lambda document: document["summary"].update(outcome="satisfied"), "otherwise"),
    ],
)
def test_a_difference_without_a_reason_is_wrong(then: Document, change: Callable[[Any], object], said: str) -> None:
    wrong = [item for item in compare(then, changed(then, change)) if item.verdict is Verdict.INVALID]
    assert wrong
    assert said in wrong[0].reason
    assert "are the same" in wrong[0].reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda document: document["tool"].update(version="9.9"), "it was version 0.1.0 of the tool, this is 9.9"),
        (lambda document: document["tool"].update(controlsDigest="sha256:1"), "the control library is another"),
        (lambda document: document.update(effectiveTime="2027-01-01T00:00:00Z"), "as of 2026-11-01T12:00:00Z"),
        (lambda document: document["profile"].update(id="dev"), "against the profile runtime, now against dev"),
        (lambda document: document.update(suppliedReports=[]), "reports of others (--scan): 1 missing now, 0 new"),
        (lambda document: document["frameworks"].pop(), "frameworks: 1 missing now"),
        (lambda document: document["verification"].update(attestations=[]), "1 missing now, 0 new"),
        (lambda document: document["verification"]["demand"].update(keyId="ab"), "other signers were demanded"),
        (lambda document: document["subject"].update(reference="oci-dir:x"), "now oci-dir:x"),
    ],
)
def test_a_difference_with_a_reason_is_told_with_it_and_not_called_wrong(
    then: Document, change: Callable[[Any], object], reason: str
) -> None:
    other = changed(then, fail)
    change(other)
    found = compare(then, other)
    assert not [item for item in found if item.verdict is Verdict.INVALID]
    assert found[0].verdict is Verdict.UNCHECKED
    assert found[0].what == f"replay, {then['checks'][0]['id']}"
    assert reason in found[0].reason


def test_a_reason_alone_makes_no_difference(then: Document) -> None:
    other = changed(then, lambda document: document["tool"].update(version="9.9"))
    assert {item.verdict for item in compare(then, other)} == {Verdict.VERIFIED}
