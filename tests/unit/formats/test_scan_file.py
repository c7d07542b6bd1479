"""Reports given as files: recognised by their content, read or refused, never believed by their name."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compliance.errors import FormatError
from compliance.formats.benchmark_result import BenchmarkScan
from compliance.formats.named_image import NamedImage, names_this
from compliance.formats.plain_text import plain_text
from compliance.formats.scan_file import read_scan_file
from compliance.formats.suite_result import SuiteResult
from compliance.formats.vulnerability_scan import FixState, VulnerabilityScan
from compliance.formats.xml_events import walk
from compliance.model.outcome import Severity
from tests.builders import others_reports as others
from tests.builders.evidence import DIGEST, image


def arf(result: str) -> str:
    """An ARF collection around an XCCDF TestResult."""
    inner = result[result.index("<TestResult") : result.index("</Benchmark>")]
    inner = inner.replace("<TestResult", '<TestResult xmlns="http://checklists.nist.gov/xccdf/1.2"', 1)
    return (
        '<arf:asset-report-collection xmlns:arf="http://scap.nist.gov/schema/asset-reporting-format/1.1"><arf:reports>'
        f'<arf:report id="xccdf1"><arf:content>{inner}</arf:content></arf:report>'
        "</arf:reports></arf:asset-report-collection>"
    )


def content(report: dict[str, Any] | str) -> bytes:
    return (json.dumps(report) if isinstance(report, dict) else report).encode()


BOTH = NamedImage(configs=(others.CONFIG,), manifests=(DIGEST,))
MANIFEST = NamedImage(manifests=(DIGEST,))
EITHER = NamedImage(digests=(DIGEST,))
FILES: list[tuple[dict[str, Any] | str, str, tuple[NamedImage, ...]]] = [
    (others.grype(others.grype_match()), "grype report", (BOTH,)),
    (others.trivy(others.trivy_vulnerability()), "trivy report", (BOTH,)),
    (others.sarif(others.sarif_result(), rules=(others.sarif_rule(),)), "SARIF log", (BOTH,)),
    (others.cyclonedx(others.cyclonedx_vulnerability()), "CycloneDX document", (MANIFEST,)),
    (others.openvex(others.vex_statement()), "OpenVEX document", ()),
    (others.ctrf(), "CTRF report", ()),
    (others.clamav(), "ClamAV report", ()),
    (others.xccdf(("a", "pass")), "XCCDF results", (EITHER,)),
    (arf(others.xccdf(("a", "pass"))), "XCCDF results", (EITHER,)),
    (others.junit(("a", ""), ("b", "failure")), "JUnit file", ()),
]


@pytest.mark.parametrize(("report", "form", "images"), FILES)
def test_a_report_is_recognised_by_its_content(
    report: dict[str, Any] | str, form: str, images: tuple[NamedImage, ...]
) -> None:
    for beginning in (b"", b"\xef\xbb\xbf"):
        read = read_scan_file(beginning + content(report))
        assert read.form == form
        assert read.images == images
        assert read.summary


@pytest.mark.parametrize(
    "report",
    [
        "",
        "hello",
        "{}",
        "[]",
        "{",
        '{"matches": []}',
        '{"matches": null, "descriptor": {}}',
        '{"matches": [7], "descriptor": {}}',
        '{"SchemaVersion": 1, "ArtifactName": "x"}',
        '{"SchemaVersion": 2, "ArtifactName": "x", "Results": {}}',
        '{"bomFormat": "CycloneDX", "vulnerabilities": []}',
        '{"version": "2.0.0", "runs": []}',
        '{"version": "2.1.0", "runs": []}',
        content(others.sarif({"ruleId": "no-unused", "message": {"text": "x"}}, tool="linter")).decode(),
        "<html/>",
        "<Benchmark/>",
        '<!DOCTYPE x [<!ENTITY a "b">]><testsuite>&a;</testsuite>',
        "<testsuite>",
        "<TestResult><rule-result idref='a'><result>maybe</result></rule-result></TestResult>",
        "<TestResult><score>NaN</score></TestResult>",
        "<?xml version='1.0' encoding='klingon'?><testsuite/>",
        "----------- SCAN SUMMARY -----------\nInfected files: many\n",
    ],
)
def test_what_is_no_known_report_or_a_damaged_one_is_refused(report: str) -> None:
    with pytest.raises(FormatError):
        read_scan_file(report.encode())


def test_xml_that_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(FormatError, match="nested too deeply"):
        read_scan_file(b"<testsuite>" * 300 + b"</testsuite>" * 300)


def test_names_in_xml_are_read_without_namespace_and_text_is_bounded() -> None:
    seen: list[tuple[str, int]] = []

    class Visitor:
        def start(self, name: str, attributes: object) -> None:
            pass

        def end(self, name: str, text: str) -> None:
            seen.append((name, len(text)))

    walk(b'<n:a xmlns:n="urn:x"><n:b>' + b"x" * 10_000 + b"</n:b></n:a>", Visitor())
    assert seen == [("b", 4096), ("a", 0)]


def findings(report: dict[str, Any]) -> VulnerabilityScan:
    (scan,) = read_scan_file(content(report)).said
    assert isinstance(scan, VulnerabilityScan)
    return scan


def test_sarif_results_get_their_severity_from_the_rule_and_their_fix_from_the_message() -> None:
    scan = findings(others.sarif(others.sarif_result(), rules=(others.sarif_rule(score="9.8"),)))
    (finding,) = scan.findings
    assert (finding.severity, finding.fix, finding.fixed_in) == (Severity.CRITICAL, FixState.AVAILABLE, "3.0.15-1")
    assert finding.place == "openssl 3.0.11-1"
    unranked = findings(others.sarif(others.sarif_result("GHSA-aaaa-bbbb-cccc")))
    assert unranked.findings[0].severity is None
    accepted = others.sarif_result() | {"suppressions": [{"kind": "external"}]}
    assert (findings(others.sarif(accepted)).findings, findings(others.sarif(accepted)).suppressed) == ((), 1)
    grype = others.sarif_result("CVE-2026-1111-openssl")
    assert findings(others.sarif(grype, tool="grype")).findings[0].id == "CVE-2026-1111"


@pytest.mark.parametrize(
    ("state", "fix"),
    [
        ("fixed", FixState.AVAILABLE),
        ("not-fixed", FixState.NONE),
        ("wont-fix", FixState.NONE),
        ("unknown", FixState.UNSTATED),
        ("", FixState.UNSTATED),
    ],
)
def test_fix_states_of_grype(state: str, fix: FixState) -> None:
    assert findings(others.grype(others.grype_match(fix=state))).findings[0].fix is fix


@pytest.mark.parametrize(
    ("fixed", "status", "fix"),
    [
        ("1.2", "fixed", FixState.AVAILABLE),
        ("", "will_not_fix", FixState.NONE),
        ("", "affected", FixState.NONE),
        ("", "under_investigation", FixState.UNSTATED),
        ("", "", FixState.UNSTATED),
    ],
)
def test_fix_states_of_trivy(fixed: str, status: str, fix: FixState) -> None:
    found = others.trivy_vulnerability(fixed=fixed, status=status)
    assert findings(others.trivy(found)).findings[0].fix is fix


def test_databases_and_what_the_scanner_left_out_are_told() -> None:
    scan = findings(others.grype(ignoredMatches=[others.grype_match()]))
    assert scan.suppressed == 1
    assert f"{scan.database_at:%Y-%m-%d}" == "2026-10-29"
    old = others.grype(descriptor={"name": "grype", "version": "0.7", "db": {"built": "2026-01-01T00:00:00Z"}})
    assert f"{findings(old).database_at:%Y-%m-%d}" == "2026-01-01"


def test_a_trivy_report_that_looked_at_no_packages_is_not_exhaustive() -> None:
    assert findings(others.trivy()).exhaustive
    assert not findings(others.trivy(Results=[{"Target": "x", "Class": "secret"}])).exhaustive
    assert not findings(others.trivy(Results=None)).exhaustive


def test_a_grype_report_about_a_directory_names_no_image() -> None:
    report = others.grype(source={"type": "directory", "target": "/src"})
    assert read_scan_file(content(report)).images == ()


def test_junit_cases_count_by_what_is_inside_them() -> None:
    (result,) = read_scan_file(
        others.junit(("a", ""), ("b", "failure"), ("c", "error"), ("d", "skipped")).encode()
    ).said
    assert isinstance(result, SuiteResult)
    assert (result.passed, result.failed, result.not_run) == (1, 2, 1)
    assert result.failing == ("app b", "app c")


def test_every_test_result_of_an_xccdf_document_is_read() -> None:
    report = others.xccdf(("a", "pass"), ("b", "fail"), score="50.0", target="host")
    twice = report.replace("</Benchmark>", report[report.index("<TestResult") :])
    read = read_scan_file(twice.encode())
    (scan,) = read.said
    assert isinstance(scan, BenchmarkScan)
    assert [(profile.failed, profile.score) for profile in scan.profiles] == [(("b",), 50.0)] * 2
    assert read.images == ()


INDEX = "sha256:" + "3" * 64


@pytest.mark.parametrize(
    ("named", "about"),
    [
        ((), None),
        ((NamedImage(manifests=(DIGEST,)),), True),
        ((NamedImage(manifests=(INDEX,)),), True),
        ((NamedImage(configs=(others.CONFIG,)),), True),
        ((NamedImage(configs=(others.CONFIG,), manifests=(INDEX,)),), True),
        ((NamedImage(configs=(others.OTHER,), manifests=(INDEX,)),), False),
        ((NamedImage(configs=(others.OTHER,), manifests=(DIGEST,)),), True),
        ((NamedImage(manifests=(others.CONFIG,)),), False),
        *(((NamedImage(digests=(digest,)),), True) for digest in (DIGEST, INDEX, others.CONFIG)),
        ((NamedImage(digests=(others.OTHER,)),), False),
        ((NamedImage(manifests=(DIGEST,)), NamedImage(manifests=(others.OTHER,))), False),
    ],
)
def test_which_image_a_report_is_about(named: tuple[NamedImage, ...], about: bool | None) -> None:
    assert names_this(replace(image(), index_digest=INDEX), named) is about


@given(st.sampled_from([content(report) for report, _, _ in FILES]), st.data())
@settings(deadline=None, max_examples=300)
def test_damaged_files_are_refused_and_nothing_else_is_raised(report: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(report)))
    end = data.draw(st.integers(start, min(len(report), start + 40)))
    changed = report[:start] + data.draw(st.binary(max_size=12)) + report[end:]
    with contextlib.suppress(FormatError):
        text = read_scan_file(changed).summary
        assert plain_text(text, len(text)) == text


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(report: bytes) -> None:
    with contextlib.suppress(FormatError):
        read_scan_file(report)
