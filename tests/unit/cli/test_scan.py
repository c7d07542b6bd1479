"""``assess --scan``: the user's reports from the command line to the document, unsigned all the way."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.builders import others_reports as others
from tests.builders.evidence import Node, directory, file
from tests.builders.layout import simple_image


def assess(image: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "compliance.cli.main", "assess", f"oci-dir:{image}", "-q", "-o", "json"]
    return subprocess.run(
        [*words, "--effective-time", "2026-11-01T12:00:00Z", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def image(tmp_path: Path) -> Path:
    nodes: dict[str, Node | bytes | str] = {
        "etc": directory(),
        "etc/os-release": "ID=debian\nVERSION_ID=12\n",
        "app": file(b"\x7fELF", 0o755),
    }
    return simple_image(tmp_path / "image", (nodes,), config={"Entrypoint": ["/app"], "User": "65532:65532"})


def digests(image: Path) -> tuple[str, str]:
    """(manifest, config)"""
    manifest = json.loads((image / "index.json").read_text())["manifests"][0]["digest"]
    blob = image / "blobs" / "sha256" / manifest.removeprefix("sha256:")
    return manifest, json.loads(blob.read_text())["config"]["digest"]


def checks(run: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    return {check["id"]: check for check in json.loads(run.stdout)["checks"]}


def test_reports_are_listed_with_digest_form_and_subject_and_marked_unsigned(image: Path, tmp_path: Path) -> None:
    manifest, config = digests(image)
    metadata = {"ImageID": config, "RepoDigests": [f"r.example/app@{manifest}"]}
    here, there, log = (tmp_path / name for name in ("here.json", "there.json", "clam.log"))
    here.write_text(json.dumps(others.trivy(others.trivy_vulnerability(), Metadata=metadata)))
    there.write_text(json.dumps(others.grype(others.grype_match("CVE-2026-2222"))))
    log.write_text(others.clamav())
    run = assess(image, "--scan", here, "--scan", there, "--scan", log, "--scan", here)
    assert run.returncode == 10, run.stderr
    found = json.loads(run.stdout)["suppliedReports"]
    assert [(one["name"], one["form"], one["about"], one["signed"]) for one in found] == [
        (str(here), "trivy report", "this-image", False),
        (str(there), "grype report", "another-image", False),
        (str(log), "ClamAV report", "not-stated", False),
    ]
    assert found[0]["sha256"] == hashlib.sha256(here.read_bytes()).hexdigest()
    assert "1 finding (1 critical)" in found[0]["summary"]
    vulnerabilities = checks(run)["SP-VULN"]
    assert vulnerabilities["outcome"] == "failed"
    said = " ".join(seen["summary"] for seen in vulnerabilities["observations"])
    assert "CVE-2026-1111" in said
    assert "there.json (grype report) is about another image" in said
    assert "CVE-2026-2222" not in said
    assert checks(run)["SP-MALWARE"]["outcome"] == "unknown"
    assert "clam.log is unsigned" in checks(run)["SP-MALWARE"]["reason"]


def test_without_reports_those_checks_are_unknown_and_nothing_is_listed(image: Path) -> None:
    run = assess(image)
    assert json.loads(run.stdout)["suppliedReports"] == []
    outcomes = {id_: checks(run)[id_]["outcome"] for id_ in ("SP-VULN", "SP-VEX", "SP-MALWARE", "SP-STIG", "SP-TEST")}
    assert set(outcomes.values()) == {"unknown"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"hello", "scan-unknown: can't use the report: not a report that is known here"),
        (b'{"bomFormat": "CycloneDX"}', "lists no vulnerabilities"),
        (b'{"matches": [1], "descriptor": {}}', "report.matches[0]"),
        (b"<!DOCTYPE a><testsuite/>", "an XML document type"),
        (None, "can't read the report: No such file"),
    ],
)
def test_a_file_that_is_no_report_is_one_line_and_exit_2(
    image: Path, tmp_path: Path, content: bytes | None, said: str
) -> None:
    report = tmp_path / "report"
    if content is not None:
        report.write_bytes(content)
    run = assess(image, "--scan", report)
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.count("\n") == 1
    assert said in run.stderr
    assert str(report) in run.stderr


def test_equal_reports_give_equal_bytes(image: Path, tmp_path: Path) -> None:
    report = tmp_path / "scan.json"
    log = others.sarif(others.sarif_result(), rules=(others.sarif_rule(),))
    del log["runs"][0]["properties"]  # it names no image
    report.write_text(json.dumps(log))
    first, second = (assess(image, "--scan", report) for _ in range(2))
    assert checks(first)["SP-VULN"]["outcome"] == "failed", first.stderr
    assert first.stdout == second.stdout
