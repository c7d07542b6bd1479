"""SP-VEX: each suppression is signed, about something in this image, and gives a reason; all are listed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from compliance.model.outcome import Failed, NotApplicable, Outcome, Passed, Unknown
from compliance.model.verification import Attestation, Demand, Verdict
from controls.checks.sp_vex import CHECK
from tests.builders import others_reports as others
from tests.builders.others_reports import attestation, file, told

CLEAN = attestation(others.IN_TOTO, others.in_toto_scan())


def vex(*statements: dict[str, Any], verdict: Verdict = Verdict.VERIFIED) -> Attestation:
    return attestation(others.OPENVEX, others.openvex(*statements), verdict)


def outcome(*attested: Attestation, **more: Any) -> Outcome:
    return others.outcome(CHECK, *attested, **more)


def test_statements_that_apply_pass_and_each_is_listed() -> None:
    other_package = others.vex_statement("CVE-2", product="pkg:deb/debian/zlib@1")
    warned = others.vex_statement("CVE-3", status="affected", justification="", product=others.OPENSSL)
    result = outcome(vex(others.vex_statement(product=others.OPENSSL), other_package, warned))
    assert isinstance(result, Passed)
    text = told(result)
    assert "CVE-2026-1111 is not_affected in deb/debian/openssl@3.0.11-1~deb12u2: vulnerable_code_not_in" in text
    assert "the statement suppresses it." in text
    assert "CVE-2: no package pkg:deb/debian/zlib@1 is in the inventory, so the statement suppresses nothing." in text
    assert "CVE-3 is affected in deb/debian/openssl@3.0.11-1~deb12u2; the statement suppresses nothing." in text


def test_a_statement_without_a_reason_fails() -> None:
    result = outcome(vex(others.vex_statement(justification=""), others.vex_statement("CVE-2")))
    assert isinstance(result, Failed)
    assert "CVE-2026-1111 is not_affected in the whole image: without a justification" in told(result)
    elsewhere = others.vex_statement(justification="", product="pkg:deb/debian/zlib@1")
    assert isinstance(outcome(vex(elsewhere, others.vex_statement("CVE-2"))), Passed)


def test_a_document_about_nothing_here_is_unknown() -> None:
    result = outcome(vex(others.vex_statement(product="pkg:deb/debian/zlib@1")))
    assert isinstance(result, Unknown)
    assert "none of its 1 statement is about anything in this image" in result.reason
    assert isinstance(outcome(vex()), Unknown)


def test_a_document_is_judged_by_its_signer() -> None:
    assert isinstance(outcome(vex(others.vex_statement(), verdict=Verdict.INVALID)), Failed)
    assert isinstance(outcome(vex(others.vex_statement(), verdict=Verdict.UNCHECKED)), Unknown)
    assert isinstance(outcome(vex(others.vex_statement()), demand=Demand()), Unknown)
    assert isinstance(outcome(replace(vex(others.vex_statement()), subjects=(others.OTHER,))), Unknown)


def test_a_file_that_nobody_signed_is_named_and_decides_nothing() -> None:
    for statement in (others.vex_statement(), others.vex_statement(justification="")):
        result = outcome(files=[file(others.openvex(statement), "vex.json")])
        assert isinstance(result, Unknown)
        assert "the file vex.json is unsigned" in result.reason
        assert "The unsigned file vex.json" in told(result)
        assert isinstance(outcome(vex(others.vex_statement("CVE-2")), files=[file(others.openvex(statement))]), Passed)


def test_without_statements_it_is_unknown_unless_there_is_nothing_to_suppress() -> None:
    assert isinstance(outcome(), Unknown)
    assert isinstance(outcome(CLEAN), NotApplicable)
    assert isinstance(outcome(CLEAN, demand=Demand()), Unknown)
    assert isinstance(outcome(replace(CLEAN, verdict=Verdict.UNCHECKED)), Unknown)
    assert isinstance(outcome(attestation(others.IN_TOTO, others.in_toto_scan(("CVE-1", "low")))), Unknown)
    assert isinstance(outcome(CLEAN, files=[file(others.grype(others.grype_match()))]), Unknown)
    assert isinstance(outcome(CLEAN, vex(others.vex_statement())), Passed)
    assert isinstance(outcome(CLEAN, attestation(others.COSIGN, others.cosign_scan({}))), Unknown)


def test_a_damaged_document_that_verifies_leaves_it_open() -> None:
    result = outcome(vex(others.vex_statement(status="harmless")), vex(others.vex_statement()))
    assert isinstance(result, Unknown)
    assert "can't be read" in result.reason
