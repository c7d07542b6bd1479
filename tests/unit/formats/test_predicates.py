"""What statements of others state: every known predicate is read and summed up, damaged ones are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compliance.errors import FormatError
from compliance.formats.benchmark_result import BenchmarkScan
from compliance.formats.docker_predicates import CryptographicModules
from compliance.formats.intoto import Statement, read_statement
from compliance.formats.malware_scan import MalwareScan, read_clamav
from compliance.formats.plain_text import plain_text
from compliance.formats.predicates import SUMMARY_MAX, Said, summary, understand
from compliance.formats.provenance import Provenance
from compliance.formats.suite_result import SuiteResult
from compliance.formats.vex import VexDocument, VexStatus, purl_parts
from compliance.formats.vulnerability_scan import FixState, VulnerabilityScan, severity_word
from compliance.model.outcome import Severity
from tests.builders import others_reports as others
from tests.builders.evidence import DIGEST


def statement(predicate_type: str, predicate: object) -> Statement:
    return read_statement(others.attestation(predicate_type, predicate).statement)


def said(predicate_type: str, predicate: object) -> Said:
    (one,) = understand(statement(predicate_type, predicate))
    return one


@pytest.mark.parametrize(("predicate_type", "predicate"), others.SAMPLES)
def test_every_known_predicate_has_a_summary_of_one_line(predicate_type: str, predicate: Callable[[], object]) -> None:
    text = summary(statement(predicate_type, predicate()))
    assert text
    assert "not understood" not in text
    assert "\n" not in text
    assert len(text) <= SUMMARY_MAX


@pytest.mark.parametrize(
    ("predicate_type", "text"),
    [
        (
            others.SLSA_V1,
            "SLSA provenance v1: built by https://ci.example/build from "
            f"https://github.com/acme/demo@refs/heads/main at gitCommit:{'a' * 40}; 2 inputs named",
        ),
        (
            "https://slsa.dev/verification_summary/v1",
            "verification summary of 2026-10-12 by https://verifier.example/v1: PASSED, levels SLSA_BUILD_LEVEL_2",
        ),
        (others.TEST_RESULT, "test results (in-toto) by https://ci.example/1: 1 passed, 0 failed"),
        (
            others.IN_TOTO,
            "vulnerability scan by pkg:github/example/scanner@v1 1.2.0 of 2026-10-30, database of 2026-10-30: "
            "2 findings (1 critical, 1 medium)",
        ),
        (
            others.OPENVEX,
            "OpenVEX document of 2026-10-01 by Example Security <security@vex.example>: 2 statements (1 not_affected, "
            "1 affected)",
        ),
        (
            others.VIRUS,
            "malware scan by ClamAV 1.5.2 (clamav/clamav:stable) of 2026-10-30 with 3,627,833 signatures of "
            "2026-10-29: 0 infected of 21 files",
        ),
        ("https://scout.docker.com/secrets/v0.1", "secrets scan: 1 secret found"),
    ],
)
def test_the_summary_says_what_is_stated(predicate_type: str, text: str) -> None:
    predicate = next(make for kind, make in others.SAMPLES if kind == predicate_type)
    assert summary(statement(predicate_type, predicate())) == text


def test_an_unknown_type_has_no_summary_and_a_damaged_predicate_says_so() -> None:
    assert summary(statement("https://example.test/report/v1", {"a": 1})) is None
    assert understand(statement("https://example.test/report/v1", {"a": 1})) == ()
    assert summary(statement("https://scout.docker.com/health/v0.1", {})) == "a health score of Docker Scout"
    damaged = summary(statement(others.IN_TOTO, {"scanner": {"result": {}}}))
    assert damaged is not None
    assert damaged.startswith("not understood: ")


def test_the_sources_and_inputs_of_a_build_are_read() -> None:
    built = said(others.SLSA_V1, others.slsa_v1())
    assert isinstance(built, Provenance)
    assert built.build_type == "https://actions.github.io/buildtypes/workflow/v1"
    assert [item.digest for item in built.dependencies] == ["gitCommit:" + "a" * 40, ""]
    assert built.parameters == ("workflow",)
    assert built.started == datetime(2026, 10, 1, tzinfo=UTC)
    old = said(others.SLSA_V02, next(make for kind, make in others.SAMPLES if kind == others.SLSA_V02)())
    assert isinstance(old, Provenance)
    assert old.source is not None
    assert (old.source.uri, old.source.digest) == ("git+https://x.example/y", "sha1:" + "b" * 40)


@pytest.mark.parametrize(
    ("external", "source"),
    [
        ({"workflow": {"repository": "https://x.example/y"}}, ("https://x.example/y", "")),
        (
            {"workflow": {"repository": "https://github.com/acme/demo.git", "ref": "v1"}},
            ("https://github.com/acme/demo.git@v1", "gitCommit:" + "a" * 40),
        ),
        (
            {"source": {"uri": "git+https://x.example/y", "digest": {"sha1": "b"}}},
            ("git+https://x.example/y", "sha1:b"),
        ),
        ({"source": {"artifact": {"uri": "git+https://x.example/y"}}}, ("git+https://x.example/y", "")),
        ({"source": "https://x.example/y"}, ("https://x.example/y", "")),
        ({"configSource": {"uri": "https://x.example/y#main"}}, ("https://x.example/y#main", "")),
        ({"ref": "refs/heads/main"}, None),
        ({"source": ""}, None),
    ],
)
def test_the_source_is_what_the_builder_was_started_with_and_never_an_input(
    external: dict[str, object], source: tuple[str, str] | None
) -> None:
    predicate = others.slsa_v1()
    predicate["buildDefinition"]["externalParameters"] = external
    built = said(others.SLSA_V1, predicate)
    assert isinstance(built, Provenance)
    assert (built.source and (built.source.uri, built.source.digest)) == source


def test_values_of_parameters_are_not_repeated() -> None:
    predicate = others.slsa_v1()
    predicate["buildDefinition"]["externalParameters"]["token"] = "hunter2"  # noqa: S105
    assert "hunter2" not in repr(said(others.SLSA_V1, predicate))


def test_grype_and_trivy_reports_inside_cosigns_predicate() -> None:
    for report in (others.grype(others.grype_match()), others.trivy(others.trivy_vulnerability(severity="HIGH"))):
        scan = said(others.COSIGN, others.cosign_scan(report))
        assert isinstance(scan, VulnerabilityScan)
        (finding,) = scan.findings
        assert (finding.id, finding.severity, finding.fix) == ("CVE-2026-1111", Severity.HIGH, FixState.AVAILABLE)
        assert purl_parts(finding.purl) == ("deb/debian/openssl", "3.0.11-1~deb12u2")
        assert scan.scanned_at == datetime(2026, 10, 30, 0, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize("result", [{"findings": []}, None, "clean", {}])
def test_a_scan_whose_result_is_not_understood_is_no_clean_scan(result: object) -> None:
    with pytest.raises(FormatError):
        understand(statement(others.COSIGN, others.cosign_scan(result)))


@pytest.mark.parametrize(
    ("predicate_type", "predicate"),
    [
        (others.IN_TOTO, {"scanner": {}}),
        (others.IN_TOTO, {"scanner": {"result": [{"severity": []}]}}),
        (others.IN_TOTO, {"scanner": {"result": [7]}}),
        (others.IN_TOTO, others.in_toto_scan(at="yesterday")),
        (others.TESTS, {"reportFormat": "CTRF", "results": {"summary": {"passed": 3}}}),
        (others.TESTS, {"reportFormat": "CTRF", "results": {"summary": {"passed": 3, "failed": -1}}}),
        (others.TESTS, {"reportFormat": "CTRF", "results": {"summary": {"passed": 3, "failed": "none"}}}),
        (others.TEST_RESULT, others.suite_result("GREEN")),
        (others.TEST_RESULT, others.suite_result(failed=[1])),  # type: ignore[list-item]
        (others.VIRUS, {"scanner": {"report": "%%%"}}),
        (others.VIRUS, others.virus("all is well")),
        (others.STIG, {}),
        (others.STIG, []),
        (others.STIG, others.stig("<Benchmark/>")),
        (others.STIG, others.stig(others.xccdf(("a", "pass"), score="50"))),
        ("https://scout.docker.com/secrets/v0.1", {}),
        (others.OPENVEX, others.openvex(others.vex_statement(status="harmless"))),
        (others.CYCLONEDX, others.cyclonedx(others.cyclonedx_vulnerability(state="fine"))),
    ],
)
def test_what_is_damaged_or_incomplete_is_refused_and_reads_as_nothing_good(
    predicate_type: str, predicate: object
) -> None:
    with pytest.raises(FormatError):
        understand(statement(predicate_type, predicate))


def test_a_predicate_that_is_a_list_is_read_as_its_entries() -> None:
    found = statement("https://docker.com/dhi/fips/v0.1", [{"name": "OpenSSL", "sunsetDate": "2030-03-10"}])
    assert found.entries is not None
    assert found.predicate.values == {}
    (modules,) = understand(found)
    assert isinstance(modules, CryptographicModules)
    assert str(modules.modules[0].sunset) == "2030-03-10"


def test_the_rules_of_a_stig_scan_are_read_from_the_report_inside() -> None:
    report = others.xccdf(("a", "pass"), ("b", "notchecked"), ("c", "notapplicable"), ("d", "error"))
    scan = said(others.STIG, others.stig(report))
    assert isinstance(scan, BenchmarkScan)
    (profile,) = scan.profiles
    assert profile.counts == {"error": 1, "notapplicable": 1, "notchecked": 1, "pass": 1}
    assert (profile.unchecked, profile.undecided, profile.failed) == (("b",), ("d",), ())
    assert profile.ended == datetime(2026, 10, 20, 10, tzinfo=UTC)
    assert profile.image.digests == (DIGEST,)


def test_own_results_are_recognised_by_either_mark() -> None:
    tool = {"name": "tool", "uri": "pkg:generic/hullmark@1.0"}
    marks: tuple[dict[str, Any], ...] = ({"hullmarkOutcomes": {}}, {"configuration": [tool]})
    for mark in marks:
        result = said(others.TEST_RESULT, others.suite_result(**mark))
        assert isinstance(result, SuiteResult)
        assert result.own
    other = said(others.TEST_RESULT, others.suite_result())
    assert isinstance(other, SuiteResult)
    assert not other.own


def test_failures_count_wherever_a_test_report_tells_of_them() -> None:
    report = others.ctrf(failed=2)
    report["results"]["summary"]["failed"] = 0
    result = said(others.TESTS, report)
    assert isinstance(result, SuiteResult)
    assert result.failed == 2


def test_openvex_of_both_versions() -> None:
    old = {"vulnerability": "CVE-1", "products": ["pkg:oci/app@sha256%3A" + "1" * 64], "status": "fixed"}
    document = said("https://openvex.dev/ns", others.openvex(old, at="2023-01-01T00:00:00Z"))
    assert isinstance(document, VexDocument)
    assert document.statements[0].products[0].digests == (DIGEST,)
    assert document.statements[0].status is VexStatus.FIXED
    hashed = {"@id": "https://x.example", "hashes": {"sha-256": "1" * 64}, "subcomponents": [{"@id": others.OPENSSL}]}
    new = said(
        others.OPENVEX, others.openvex(others.vex_statement(product=hashed, last_updated="2026-10-09T00:00:00Z"))
    )
    assert isinstance(new, VexDocument)
    (product,) = new.statements[0].products
    assert (product.digests, product.components) == ((DIGEST,), (others.OPENSSL,))
    assert new.statements[0].at == datetime(2026, 10, 9, tzinfo=UTC)


def test_a_cyclonedx_document_without_vulnerabilities_is_an_sbom_and_no_clean_scan() -> None:
    for document in (others.cyclonedx(), {**others.cyclonedx(), "vulnerabilities": None}):
        assert understand(statement(others.CYCLONEDX, document)) == ()


def test_vulnerabilities_of_cyclonedx_are_findings_and_those_analysed_are_vex() -> None:
    document = others.cyclonedx(
        others.cyclonedx_vulnerability("CVE-1"),
        others.cyclonedx_vulnerability("CVE-2", state="false_positive"),
        {
            **others.cyclonedx_vulnerability("CVE-3", state="resolved"),
            "affects": [{"ref": f"urn:cdx:x/1#{others.OPENSSL}"}],
        },
    )
    scan, vex = understand(statement(others.CYCLONEDX, document))
    assert isinstance(scan, VulnerabilityScan)
    assert isinstance(vex, VexDocument)
    assert [finding.purl for finding in scan.findings] == [others.OPENSSL] * 3
    assert not scan.exhaustive
    assert [(one.vulnerability, one.status) for one in vex.statements] == [
        ("CVE-2", VexStatus.NOT_AFFECTED),
        ("CVE-3", VexStatus.FIXED),
    ]


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        ("Negligible", Severity.LOW),
        ("moderate", Severity.MEDIUM),
        ("IMPORTANT", Severity.HIGH),
        ("9.0", Severity.CRITICAL),
        ("8.99", Severity.HIGH),
        ("0", Severity.LOW),
        ("unknown", None),
        ("", None),
        ("nan", None),
        ("-1", None),
    ],
)
def test_words_and_scores_of_severity(word: str, severity: Severity | None) -> None:
    assert severity_word(word) is severity


@pytest.mark.parametrize(
    ("purl", "parts"),
    [
        ("pkg:deb/debian/openssl@1%3A3.0~1?arch=amd64", ("deb/debian/openssl", "1:3.0~1")),
        ("pkg:npm/%40scope/name@1.0.0#sub/x@y", ("npm/@scope/name", "1.0.0")),
        ("pkg:oci/app@sha256%3Aab?repository_url=r.example/a@b", ("oci/app", "sha256:ab")),
        ("pkg:golang/Example.com/X", ("golang/example.com/x", "")),
        ("", ("", "")),
    ],
)
def test_parts_of_package_urls(purl: str, parts: tuple[str, str]) -> None:
    assert purl_parts(purl) == parts


def test_a_log_of_several_malware_scans_is_added_up() -> None:
    log = others.clamav(0, 10, end="2026:10:29 01:00:00") + others.clamav(2, 5, found=("/a: X", "/b: Y"))
    scan = read_clamav(log.encode())
    assert (scan.infected, scan.scanned_files, scan.infections) == (2, 15, ("/a: X", "/b: Y"))
    assert scan.scanned_at == datetime(2026, 10, 29, 1, tzinfo=UTC)
    assert scan.database_at == datetime(2026, 10, 29, 7, 25, 13, tzinfo=UTC)


def test_infected_files_count_even_where_the_summary_leaves_them_out() -> None:
    assert read_clamav(others.clamav(0, 5, found=("/a: Eicar-Test-Signature",)).encode()).infected == 1


@pytest.mark.parametrize("end", [None, "2026:13:45 99:00:00"])
def test_a_malware_report_without_a_time_has_none(end: str | None) -> None:
    scan = said(others.VIRUS, others.virus(others.clamav(end=end)))
    assert isinstance(scan, MalwareScan)
    assert scan.scanned_at is None


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def damaged(draw: st.DrawFn) -> Statement:
    """A sample with one of its values, however deep, replaced, removed or doubled."""
    kind, make = draw(st.sampled_from(others.SAMPLES))
    holder: dict[str, object] = {"predicate": make()}
    place: object = holder
    while isinstance(place, dict | list) and place:
        keys = sorted(place) if isinstance(place, dict) else list(range(len(place)))
        key = draw(st.sampled_from(keys))
        inside = place[key]
        if not isinstance(inside, dict | list) or not inside or draw(st.integers(0, 3)) == 0:
            place[key] = draw(_VALUES)
            break
        place = inside
    return statement(kind, holder["predicate"])


@given(st.data())
@settings(deadline=None, max_examples=400)
def test_damaged_predicates_are_refused_and_nothing_else_is_raised(data: st.DataObject) -> None:
    try:
        found = data.draw(damaged())
        for one in understand(found):
            assert one.summary
    except FormatError:
        return
    text = summary(found) or ""
    assert plain_text(text, SUMMARY_MAX) == text


@given(st.sampled_from([kind for kind, _ in others.SAMPLES]), st.dictionaries(st.text(max_size=8), _VALUES, max_size=4))
@settings(deadline=None)
def test_a_summary_is_never_an_error(predicate_type: str, predicate: dict[str, object]) -> None:
    found = statement(predicate_type, json.loads(json.dumps(predicate)))
    text = summary(found) or ""
    assert plain_text(text, SUMMARY_MAX) == text
