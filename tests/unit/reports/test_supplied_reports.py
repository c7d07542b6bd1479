"""Reports given as files, and statements of attestations, as the document and its pages tell of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compliance.model.assessment import Assessment
from reports import assessment_json, audit_signatures, table
from reports import document as shape
from tests.builders import others_reports as others
from tests.builders.assessment import assessment


def with_file(content: str, name: str) -> shape.Document:
    made: Assessment = assessment()
    evidence = replace(made.evidence, supplied=(others.file(content, name),))
    return assessment_json.document(replace(made, evidence=evidence))


def test_a_file_that_is_not_understood_is_listed_with_the_reason() -> None:
    document = with_file("hello", "notes.txt")
    (report,) = document["suppliedReports"]
    assert (report["signed"], report["form"], report["summary"], report["about"]) == (False, None, None, "not-stated")
    assert report["reason"] is not None
    assert report["reason"].startswith("not a report that is known here")
    assert assessment_json.parse(assessment_json.render(document)) == document


def test_hostile_names_and_texts_are_cleaned() -> None:
    report = others.junit(("a", "failure")).replace('name="smoke"', 'name="&#x202e;smoke"')
    document = with_file(report, "a\x1b[31m\u202eb.xml")
    written = assessment_json.render(document).decode()
    assert "\u202e" not in written
    assert "\x1b" not in written


@pytest.mark.parametrize("content", ["hello", others.clamav(1)])
def test_pages_call_it_unsigned(content: str) -> None:
    document = with_file(content, "clam.log")
    assert "file clam.log, unsigned: " in table.render(document)
    groups = audit_signatures.signatures(document)["signed"]
    assert isinstance(groups, list)
    rows = next(group["rows"] for group in groups if "nobody signed" in group["title"])
    assert [row["word"] for row in rows] == ["unsigned"]


def test_a_damaged_statement_and_an_unknown_type_are_listed_too() -> None:
    made = assessment()
    unknown = others.attestation("https://example.test/report/v1", {"a": 1})
    damaged = others.attestation(others.IN_TOTO, {"scanner": []})
    verification = replace(made.evidence.verification, attestations=(unknown, damaged))
    document = assessment_json.document(replace(made, evidence=replace(made.evidence, verification=verification)))
    first, second = document["verification"]["attestations"]
    assert (first["predicateType"], first["summary"]) == ("https://example.test/report/v1", None)
    assert second["summary"] is not None
    assert second["summary"].startswith("not understood: ")
