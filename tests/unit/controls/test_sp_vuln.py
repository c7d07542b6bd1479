"""SP-VULN: scans of others, by signer, age and what is open in them after VEX."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compliance.model.outcome import Failed, Outcome, Passed, Unknown
from compliance.model.verification import Attestation, Demand, Verdict
from controls.checks.sp_vuln import CHECK
from tests.builders import others_reports as others
from tests.builders.evidence import DIGEST
from tests.builders.others_reports import attestation, file, told

INDEX = "sha256:" + "3" * 64


def scan(*results: tuple[str, str], verdict: Verdict = Verdict.VERIFIED, **more: Any) -> Attestation:
    return attestation(others.IN_TOTO, others.in_toto_scan(*results, **more), verdict)


def grype(*matches: dict[str, Any], **more: Any) -> Attestation:
    return attestation(others.COSIGN, others.cosign_scan(others.grype(*matches, **more)))


def vex(*statements: dict[str, Any], verdict: Verdict = Verdict.VERIFIED, **more: Any) -> Attestation:
    return attestation(others.OPENVEX, others.openvex(*statements, **more), verdict)


def outcome(*attested: Attestation, **more: Any) -> Outcome:
    return others.outcome(CHECK, *attested, **more)


CLEAN, BAD = scan(), scan(("CVE-2026-1111", "critical"))


def test_a_fresh_verified_scan_without_serious_findings_passes() -> None:
    for found in (
        CLEAN,
        scan(("CVE-1", "medium")),
        grype(),
        grype(others.grype_match(severity="Medium")),
        attestation(others.COSIGN, others.cosign_scan(others.trivy())),
    ):
        result = outcome(found)
        assert isinstance(result, Passed)
        assert "2026-10-30" in told(result)
        assert "https://ci.example/build" in result.observations[0].summary


@pytest.mark.parametrize("severity", ["high", "critical", "important", "9.8"])
def test_an_open_finding_from_high_up_fails(severity: str) -> None:
    result = outcome(scan(("CVE-2026-1111", severity), ("CVE-2", "low")))
    assert isinstance(result, Failed)
    assert "CVE-2026-1111" in told(result)
    assert "CVE-2 " not in told(result)


def test_a_finding_without_a_fix_does_not_fail_but_is_told() -> None:
    result = outcome(grype(others.grype_match(severity="Critical", fix="wont-fix")))
    assert isinstance(result, Passed)
    assert "CVE-2026-1111 in openssl 3.0.11-1~deb12u2 is critical; no fix is available." in told(result)
    assert isinstance(outcome(grype(others.grype_match(severity="Critical", fix="unknown"))), Failed)


def test_a_finding_without_severity_leaves_it_open() -> None:
    result = outcome(scan(("CVE-1", "")))
    assert isinstance(result, Unknown)
    assert "1 open finding without a severity" in result.reason
    assert isinstance(outcome(scan(("CVE-1", ""), ("CVE-2", "high"))), Failed)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"at": "2026-09-30T00:00:00Z"}, "32 days old: more than 30"),
        ({"database": "2026-01-01T00:00:00Z"}, "a vulnerability database of 2026-01-01"),
        ({"at": "2026-11-09T00:00:00Z"}, "after the time of this assessment"),
        ({"at": ""}, "does not say when"),
    ],
)
def test_a_clean_scan_that_is_old_or_of_no_known_day_is_unknown(more: dict[str, Any], said: str) -> None:
    result = outcome(scan(**more))
    assert isinstance(result, Unknown)
    assert said in result.reason
    assert isinstance(outcome(scan(**more), CLEAN), Passed)
    assert isinstance(outcome(scan(("CVE-1", "high"), **more)), Failed)


def test_an_age_of_thirty_days_is_allowed_and_a_database_of_unknown_age_is_told() -> None:
    assert isinstance(outcome(scan(at="2026-10-02T12:00:00Z", database=None)), Passed)
    assert "does not say how old its vulnerability database was" in told(outcome(scan(database=None)))


def test_the_worst_of_several_scans_decides() -> None:
    for order in ((CLEAN, BAD), (BAD, CLEAN)):
        assert isinstance(outcome(*order), Failed)
    unclear = attestation(others.COSIGN, others.cosign_scan({"findings": []}))
    result = outcome(unclear, CLEAN)
    assert isinstance(result, Unknown)
    assert "can't be read" in result.reason


def test_only_attestations_about_this_image_by_a_demanded_signer_are_heard() -> None:
    about_other = replace(BAD, subjects=(others.OTHER,))
    assert isinstance(outcome(about_other), Unknown)
    assert isinstance(outcome(about_other, CLEAN), Passed)
    nobody = outcome(CLEAN, demand=Demand())
    assert isinstance(nobody, Unknown)
    assert "no key or identity was named" in nobody.reason
    unchecked = replace(BAD, verdict=Verdict.UNCHECKED)
    assert isinstance(outcome(unchecked), Unknown)
    assert isinstance(outcome(unchecked, CLEAN), Passed)
    invalid = outcome(scan(verdict=Verdict.INVALID))
    assert isinstance(invalid, Failed)
    assert "CVE" not in told(outcome(replace(BAD, verdict=Verdict.INVALID)))


def test_a_policy_that_names_a_signer_for_another_kind_trusts_nobody_for_scans() -> None:
    result = outcome(BAD, demand=Demand(by_policy=(others.SLSA_V1,)))
    assert isinstance(result, Unknown)
    assert isinstance(outcome(CLEAN, demand=Demand(by_policy=(others.SLSA_V1, others.IN_TOTO))), Passed)


def test_nothing_at_all_is_unknown() -> None:
    result = outcome()
    assert isinstance(result, Unknown)
    assert "none was found" in result.reason
    assert isinstance(outcome(attestation(others.CYCLONEDX, others.cyclonedx())), Unknown)


def test_a_form_that_is_not_read_is_no_clean_scan() -> None:
    scout = attestation("https://scout.docker.com/vulnerabilities/v0.1", {"vulnerabilities": []})
    result = outcome(scout)
    assert isinstance(result, Unknown)
    assert "form that is not read" in result.reason
    assert isinstance(outcome(scout, CLEAN), Passed)


@pytest.mark.parametrize(
    "report",
    [
        others.grype(others.grype_match()),
        others.trivy(others.trivy_vulnerability()),
        others.sarif(others.sarif_result(), rules=(others.sarif_rule(),)),
        others.cyclonedx(others.cyclonedx_vulnerability()),
        others.grype(others.grype_match(), at="2020-01-01T00:00:00Z"),
    ],
)
def test_an_unsigned_file_with_open_findings_fails_whatever_its_age(report: dict[str, Any]) -> None:
    result = outcome(files=[file(report, "scan.json")])
    assert isinstance(result, Failed)
    assert "unsigned file scan.json" in result.observations[0].summary
    assert all(seen.method == "file scan.json, unsigned" for seen in result.observations)
    assert isinstance(outcome(CLEAN, files=[file(report)]), Failed)


@pytest.mark.parametrize("report", [others.grype(), others.trivy(), others.sarif()])
def test_an_unsigned_clean_file_never_passes(report: dict[str, Any]) -> None:
    result = outcome(files=[file(report, "scan.json")])
    assert isinstance(result, Unknown)
    assert "the file scan.json is unsigned: nobody vouches for it" in result.reason


def test_a_file_about_another_image_is_refused_and_said_so() -> None:
    target = {"imageID": others.OTHER, "manifestDigest": others.OTHER}
    other = others.grype(others.grype_match(), source={"type": "image", "target": target})
    result = outcome(files=[file(other, "other.json")])
    assert isinstance(result, Unknown)
    assert "The file other.json (grype report) is about another image" in told(result)
    assert isinstance(outcome(CLEAN, files=[file(other)]), Passed)


def test_the_report_of_another_platform_in_the_same_index_is_about_another_image() -> None:
    found = others.with_reports()
    found = replace(found, image=replace(found.image, index_digest=INDEX))
    for config, expected in ((others.CONFIG, Failed), (others.OTHER, Unknown)):
        metadata = {"ImageID": config, "RepoDigests": [f"r.example/app@{INDEX}"]}
        report = others.trivy(others.trivy_vulnerability(), Metadata=metadata)
        assert isinstance(CHECK.run(replace(found, supplied=(file(report),))), expected)
    unnamed = others.trivy(others.trivy_vulnerability(), Metadata={})
    result = CHECK.run(replace(found, supplied=(file(unnamed),)))
    assert isinstance(result, Failed)
    assert "which names no image" in told(result)


def test_a_bom_that_lists_vulnerabilities_can_fail_but_not_pass() -> None:
    assert isinstance(
        outcome(attestation(others.CYCLONEDX, others.cyclonedx(others.cyclonedx_vulnerability()))), Failed
    )
    mild = others.cyclonedx_vulnerability() | {"ratings": [{"severity": "low"}]}
    result = outcome(attestation(others.CYCLONEDX, others.cyclonedx(mild)))
    assert isinstance(result, Unknown)
    assert "does not show that all packages were looked at" in result.reason


def test_what_the_scanner_left_out_is_told() -> None:
    assert "told to leave out 1 finding" in told(outcome(grype(ignoredMatches=[others.grype_match()])))


# VEX


APPLIES: list[dict[str, Any]] = [
    others.vex_statement(),
    others.vex_statement(product=f"pkg:oci/app@{DIGEST.replace(':', '%3A')}?repository_url=r.example/app"),
    others.vex_statement(product={"@id": "x", "hashes": {"sha-256": "1" * 64}}),
    others.vex_statement(product={"@id": "x", "identifiers": {"purl": others.OPENSSL}}),
    others.vex_statement(product={"@id": "pkg:oci/app", "subcomponents": [{"@id": "pkg:deb/debian/openssl"}]}),
    others.vex_statement(status="fixed", justification="", product=others.OPENSSL.partition("?")[0]),
    others.vex_statement(justification="", impact_statement="the code is not called"),
    others.vex_statement("GHSA-xxxx-xxxx-xxxx")
    | {"vulnerability": {"name": "GHSA-xxxx-xxxx-xxxx", "aliases": ["cve-2026-1111"]}},
    {"vulnerability": "CVE-2026-1111", "status": "fixed"},
]


@pytest.mark.parametrize("statement", APPLIES)
def test_a_verified_statement_about_this_image_suppresses_and_is_told(statement: dict[str, Any]) -> None:
    bad = grype(others.grype_match())
    assert isinstance(outcome(bad), Failed)
    result = outcome(bad, vex(statement))
    assert isinstance(result, Passed)
    assert "CVE-2026-1111 in openssl 3.0.11-1~deb12u2 (high) is suppressed by VEX" in told(result)


APPLIES_NOT: list[dict[str, Any]] = [
    others.vex_statement("CVE-2026-9999"),
    others.vex_statement(product=f"pkg:oci/app@{others.OTHER}"),
    others.vex_statement(product={"@id": "pkg:docker/app", "hashes": {"sha-256": "7" * 64}}),
    others.vex_statement(product="pkg:deb/debian/openssl@9.9"),
    others.vex_statement(product="pkg:deb/debian/openssl"),
    others.vex_statement(product="pkg:deb/ubuntu/openssl@3.0.11-1~deb12u2"),
    others.vex_statement(product="https://product.example"),
    others.vex_statement(product={"@id": "pkg:oci/app", "subcomponents": [{"@id": "pkg:deb/debian/zlib"}]}),
    others.vex_statement(product={"@id": "pkg:oci/app", "subcomponents": [{"@id": "pkg:deb/debian/bash@5"}]}),
    others.vex_statement(justification=""),
    others.vex_statement(status="affected"),
    others.vex_statement(status="under_investigation"),
    others.vex_statement(timestamp="2026-12-01T00:00:00Z"),
]


@pytest.mark.parametrize("statement", APPLIES_NOT)
def test_a_statement_that_does_not_apply_suppresses_nothing(statement: dict[str, Any]) -> None:
    purls = (others.OPENSSL, "pkg:deb/debian/bash@5")
    assert isinstance(outcome(grype(others.grype_match()), vex(statement), purls=purls), Failed)


def test_statements_of_nobody_demanded_suppress_nothing() -> None:
    bad = grype(others.grype_match())
    for verdict in (Verdict.UNCHECKED, Verdict.INVALID):
        assert isinstance(outcome(bad, vex(others.vex_statement(), verdict=verdict)), Failed)
    assert isinstance(outcome(bad, files=[file(others.openvex(others.vex_statement()))]), Failed)
    elsewhere = replace(vex(others.vex_statement()), subjects=(others.OTHER,))
    assert isinstance(outcome(bad, elsewhere), Failed)


def test_the_newest_statement_counts_and_of_equal_ones_the_warning() -> None:
    bad = grype(others.grype_match())
    calm, alarm = others.vex_statement(), others.vex_statement(status="affected", justification="")
    assert isinstance(outcome(bad, vex(calm, at="2026-10-02T00:00:00Z"), vex(alarm)), Passed)
    assert isinstance(outcome(bad, vex(calm), vex(alarm, at="2026-10-02T00:00:00Z")), Failed)
    assert isinstance(outcome(bad, vex(calm, alarm)), Failed)
    assert isinstance(outcome(bad, vex(calm, at="2026-10-09T00:00:00Z"), vex(alarm, at="")), Failed)


def test_a_statement_about_one_package_does_not_cover_a_finding_that_names_none() -> None:
    package = others.vex_statement(product=others.OPENSSL)
    assert isinstance(outcome(BAD, vex(package)), Failed)
    assert isinstance(outcome(BAD, vex(others.vex_statement())), Passed)


def test_an_analysis_in_a_signed_bom_suppresses_in_a_scan() -> None:
    analysed = others.cyclonedx_vulnerability(state="not_affected", justification="code_not_reachable")
    bom = attestation(
        others.CYCLONEDX, others.cyclonedx(analysed) | {"metadata": {"timestamp": "2026-10-30T10:00:00Z"}}
    )
    result = outcome(grype(others.grype_match()), bom)
    assert isinstance(result, Passed)
    assert "code_not_reachable" in told(result)


# Less evidence never improves a result

ITEMS = (
    CLEAN,
    BAD,
    scan(at="2026-01-01T00:00:00Z"),
    scan(("CVE-1", "")),
    grype(others.grype_match()),
    vex(others.vex_statement()),
    replace(CLEAN, verdict=Verdict.UNCHECKED),
    replace(CLEAN, subjects=(others.OTHER,)),
)
FILES = (
    file(others.grype(), "clean.json"),
    file(others.grype(others.grype_match()), "bad.json"),
    file(others.openvex(others.vex_statement()), "vex.json"),
)


@given(st.sets(st.integers(0, len(ITEMS) - 1)), st.sets(st.integers(0, len(FILES) - 1)))
@settings(deadline=None, max_examples=300)
def test_it_passes_only_by_signed_fresh_scans_and_weaker_evidence_never_helps(items: set[int], files: set[int]) -> None:
    attested = [ITEMS[number] for number in sorted(items)]
    supplied = [FILES[number] for number in sorted(files)]
    result = outcome(*attested, files=supplied)
    if isinstance(result, Passed):
        assert {0, 1, 4} & items  # a signed and fresh scan
        assert 5 in items or not ({1, 4} & items or 1 in files)  # and whatever is open in any is suppressed
    if not isinstance(result, Failed):
        assert not isinstance(outcome(*attested), Failed)
    nobody = outcome(*attested, files=supplied, demand=Demand())
    assert not isinstance(nobody, Passed)
    unchecked = [replace(one, verdict=Verdict.UNCHECKED) for one in attested]
    assert not isinstance(outcome(*unchecked, files=supplied), Passed)
