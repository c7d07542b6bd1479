"""Reports and predicates as scanners, builders and test tools write them, written here by hand after their formats.

And evidence that holds them: attestations about the image under test, and files given beside it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from compliance.model.evidence import Evidence, SuppliedReport
from compliance.model.inventory import Location, Package
from compliance.model.outcome import Check, Outcome
from compliance.model.verification import Attestation, Demand, SignatureKind, Signer, Verdict
from tests.builders.evidence import DIGEST, evidence

NAMED = Demand(identity="https://ci.example/build", issuer="https://issuer.example")
SIGNER = Signer(identity="https://ci.example/build", issuer="https://issuer.example")
OTHER = "sha256:" + "7" * 64
CONFIG = "sha256:" + "2" * 64
OPENSSL = "pkg:deb/debian/openssl@3.0.11-1~deb12u2?arch=amd64&distro=debian-12"

IN_TOTO = "https://in-toto.io/attestation/vulns/v0.2"
COSIGN = "https://cosign.sigstore.dev/attestation/vuln/v1"
OPENVEX = "https://openvex.dev/ns/v0.2.0"
CYCLONEDX = "https://cyclonedx.org/bom/v1.6"
VIRUS = "https://scout.docker.com/virus/v0.1"
STIG = "https://docker.com/dhi/stig/v0.1"
TESTS = "https://scout.docker.com/tests/v0.1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
SLSA_V1 = "https://slsa.dev/provenance/v1"
SLSA_V02 = "https://slsa.dev/provenance/v0.2"


def attestation(
    predicate_type: str, predicate: object, verdict: Verdict = Verdict.VERIFIED, subject: str = DIGEST, **more: Any
) -> Attestation:
    """A statement about `subject`, found as a referrer and judged `verdict`."""
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "example", "digest": {"sha256": subject.partition(":")[2]}}],
        "predicateType": predicate_type,
        "predicate": predicate,
    }
    content = json.dumps(statement).encode()
    made = Attestation(
        kind=SignatureKind.SIGSTORE_BUNDLE,
        predicate_type=predicate_type,
        verdict=verdict,
        signer=SIGNER if verdict is Verdict.VERIFIED else Signer(),
        transparency="inclusion proof, log 1",
        reason="the signer is another" if verdict is Verdict.INVALID else "as told",
        material="sha256:" + hashlib.sha256(content).hexdigest(),
        found_in="referrer x, blob 0",
        subjects=(subject,),
        statement=content,
    )
    return replace(made, **more)


def file(content: bytes | str | dict[str, Any], name: str = "report.json") -> SuppliedReport:
    """A file that the user gives."""
    if isinstance(content, dict):
        content = json.dumps(content)
    data = content.encode() if isinstance(content, str) else content
    return SuppliedReport(name=name, sha256=hashlib.sha256(data).hexdigest(), content=data)


def package(purl: str) -> Package:
    """An installed package."""
    name, _, version = purl.partition("?")[0].rpartition("/")[2].partition("@")
    location = Location(path="var/lib/dpkg/status", layer=0)
    return Package(name=name, version=version, type="deb", purl=purl, found_by="dpkg", locations=(location,))


def with_reports(
    *attested: Attestation, files: Iterable[SuppliedReport] = (), demand: Demand = NAMED, purls: tuple[str, ...] = ()
) -> Evidence:
    """Evidence of an image with these attestations and files, and these packages."""
    base = evidence({}, packages=tuple(package(purl) for purl in purls or (OPENSSL,)))
    verification = replace(base.verification, demand=demand, attestations=attested)
    return replace(base, verification=verification, supplied=tuple(files))


def outcome(check: Check, *attested: Attestation, **more: Any) -> Outcome:
    """What `check` says of it."""
    return check.run(with_reports(*attested, **more))


def told(result: Outcome) -> str:
    """All that an outcome says."""
    reason = getattr(result, "reason", "")
    return "\n".join((reason, *(seen.summary for seen in result.observations)))


# Vulnerability scans


def grype(*matches: dict[str, Any], at: str = "2026-10-30T08:00:00.123456789Z", **changed: Any) -> dict[str, Any]:
    """grype 0.9x: `matches` from `grype_match`."""
    report: dict[str, Any] = {
        "matches": list(matches),
        "ignoredMatches": [],
        "source": {
            "type": "image",
            "target": {
                "userInput": "registry.example/app:1",
                "imageID": CONFIG,
                "manifestDigest": DIGEST,
                "repoDigests": [f"registry.example/app@{DIGEST}"],
                "layers": [],
            },
        },
        "distro": {"name": "debian", "version": "12", "idLike": []},
        "descriptor": {
            "name": "grype",
            "version": "0.104.0",
            "db": {"status": {"schemaVersion": "v6.1.2", "built": "2026-10-29T06:30:11Z", "valid": True}},
            "timestamp": at,
        },
    }
    return report | changed


def grype_match(
    identifier: str = "CVE-2026-1111", severity: str = "High", fix: str = "fixed", purl: str = OPENSSL
) -> dict[str, Any]:
    """One match in openssl."""
    return {
        "vulnerability": {
            "id": identifier,
            "dataSource": f"https://security.example/{identifier}",
            "namespace": "debian:distro:debian:12",
            "severity": severity,
            "fix": {"versions": ["3.0.15-1"] if fix == "fixed" else [], "state": fix},
        },
        "relatedVulnerabilities": [{"id": identifier, "namespace": "nvd:cpe"}],
        "matchDetails": [{"type": "exact-direct-match", "matcher": "dpkg-matcher"}],
        "artifact": {
            "name": "openssl",
            "version": "3.0.11-1~deb12u2",
            "type": "deb",
            "purl": purl,
            "locations": [{"path": "/var/lib/dpkg/status"}],
        },
    }


def trivy(*vulnerabilities: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """trivy 0.6x, schema 2."""
    report: dict[str, Any] = {
        "SchemaVersion": 2,
        "CreatedAt": "2026-10-30T10:15:00.5+02:00",
        "ArtifactName": "registry.example/app:1",
        "ArtifactType": "container_image",
        "Metadata": {
            "OS": {"Family": "debian", "Name": "12.5"},
            "ImageID": CONFIG,
            "DiffIDs": ["sha256:" + "b" * 64],
            "RepoTags": ["registry.example/app:1"],
            "RepoDigests": [f"registry.example/app@{DIGEST}"],
        },
        "Results": [
            {
                "Target": "app (debian 12.5)",
                "Class": "os-pkgs",
                "Type": "debian",
                "Vulnerabilities": list(vulnerabilities),
            }
        ],
    }
    return report | changed


def trivy_vulnerability(
    identifier: str = "CVE-2026-1111", severity: str = "CRITICAL", fixed: str = "3.0.15-1", status: str = "fixed"
) -> dict[str, Any]:
    """One vulnerability of openssl."""
    found = {
        "VulnerabilityID": identifier,
        "PkgID": "openssl@3.0.11-1~deb12u2",
        "PkgName": "openssl",
        "PkgIdentifier": {"PURL": OPENSSL},
        "InstalledVersion": "3.0.11-1~deb12u2",
        "FixedVersion": fixed,
        "Status": status,
        "Severity": severity,
    }
    return {key: value for key, value in found.items() if value}


def in_toto_scan(
    *results: tuple[str, str], at: str = "2026-10-30T17:50:50.52Z", database: str | None = "2026-10-30T06:00:00Z"
) -> dict[str, Any]:
    """in-toto vulns v0.2: identifiers with their severities."""
    db: dict[str, Any] = {"uri": "https://db.example", "version": "v1"}
    return {
        "scanner": {
            "uri": "pkg:github/example/scanner@v1",
            "version": "1.2.0",
            "db": db | ({"lastUpdate": database} if database else {}),
            "result": [
                {"id": identifier, "severity": [{"method": "nvd", "score": severity}] if severity else []}
                for identifier, severity in results
            ],
        },
        "metadata": {"scanStartedOn": at, "scanFinishedOn": at},
    }


def cosign_scan(result: object, at: str = "2026-10-30T00:00:01Z") -> dict[str, Any]:
    """cosign's vuln predicate around a scanner's own report."""
    return {
        "invocation": {"parameters": None, "uri": "", "event_id": "", "builder.id": ""},
        "scanner": {
            "uri": "pkg:github/aquasecurity/trivy@v0.6",
            "version": "0.6",
            "db": {"uri": "", "version": ""},
            "result": result,
        },
        "metadata": {"scanStartedOn": at, "scanFinishedOn": at},
    }


def sarif(*results: dict[str, Any], tool: str = "Trivy", rules: Iterable[dict[str, Any]] = ()) -> dict[str, Any]:
    """A SARIF log of one run."""
    return {
        "version": "2.1.0",
        "$schema": "https://json.schemastore.example/sarif-2.1.0.json",
        "runs": [
            {
                "tool": {"driver": {"name": tool, "version": "0.66.0", "rules": list(rules)}},
                "results": list(results),
                "properties": {
                    "imageName": "app",
                    "imageID": CONFIG,
                    "repoDigests": [f"registry.example/app@{DIGEST}"],
                },
            }
        ],
    }


def sarif_result(identifier: str = "CVE-2026-1111") -> dict[str, Any]:
    """A result as trivy words it."""
    lines = (
        "Package: openssl",
        "Installed Version: 3.0.11-1",
        f"Vulnerability {identifier}",
        "Fixed Version: 3.0.15-1",
    )
    text = "\n".join(lines)
    return {"ruleId": identifier, "level": "error", "message": {"text": text}}


def sarif_rule(identifier: str = "CVE-2026-1111", score: str = "8.1") -> dict[str, Any]:
    """Its rule, with a CVSS score."""
    return {"id": identifier, "properties": {"security-severity": score, "tags": ["vulnerability"]}}


def cyclonedx(*vulnerabilities: dict[str, Any], digest: str = DIGEST) -> dict[str, Any]:
    """A CycloneDX document about the image, with openssl in it."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "metadata": {
            "timestamp": "2026-10-30T10:00:00Z",
            "tools": {"components": [{"type": "application", "name": "scanner", "version": "1"}]},
            "component": {"bom-ref": "root", "type": "container", "name": "app", "version": digest},
        },
        "components": [
            {"bom-ref": "openssl", "type": "library", "name": "openssl", "version": "3.0.11-1~deb12u2", "purl": OPENSSL}
        ],
        "vulnerabilities": list(vulnerabilities),
    }


def cyclonedx_vulnerability(identifier: str = "CVE-2026-1111", **analysis: str) -> dict[str, Any]:
    """One of severity high; with an analysis it is VEX."""
    return {
        "id": identifier,
        "ratings": [{"severity": "high", "method": "CVSSv31"}],
        "affects": [{"ref": "openssl"}],
        **({"analysis": analysis} if analysis else {}),
    }


# VEX


def openvex(*statements: dict[str, Any], at: str = "2026-10-01T00:00:00Z") -> dict[str, Any]:
    """An OpenVEX document."""
    return {
        "@context": OPENVEX,
        "@id": "https://vex.example/1",
        "author": "Example Security <security@vex.example>",
        "timestamp": at,
        "version": 1,
        "statements": list(statements),
    }


def vex_statement(
    identifier: str = "CVE-2026-1111",
    status: str = "not_affected",
    product: str | dict[str, Any] = "pkg:docker/example/app",
    justification: str = "vulnerable_code_not_in_execute_path",
    **more: Any,
) -> dict[str, Any]:
    """A statement about one product."""
    named = {"@id": product} if isinstance(product, str) else product
    statement = {"vulnerability": {"name": identifier}, "products": [named], "status": status}
    return statement | ({"justification": justification} if justification else {}) | more


# Malware


def clamav(
    infected: int = 0,
    files: int = 21,
    *,
    end: str | None = "2026:10:30 02:36:30",
    found: Iterable[str] = (),
    errors: int = 0,
    header: str = "ClamAV 1.5.2/27968/Thu Oct 29 07:25:13 2026\n",
) -> str:
    """The report of clamscan."""
    lines = [header, *(f"{line} FOUND\n" for line in found), "\n----------- SCAN SUMMARY -----------\n"]
    lines += ["Known viruses: 3627833\n", "Engine version: 1.5.2\n", "Scanned directories: 4\n"]
    lines += [f"Scanned files: {files}\n", f"Infected files: {infected}\n"]
    lines += [f"Total errors: {errors}\n"] if errors else []
    lines += ["Data scanned: 44.90 MiB\n", "Time: 11.473 sec (0 m 11 s)\n", "Start Date: 2026:10:30 02:36:19\n"]
    lines += [f"End Date:   {end}\n"] if end else []
    return "".join(lines)


def virus(report: str) -> dict[str, Any]:
    """Docker's predicate with a ClamAV report."""
    return {"scanner": {"report": base64.b64encode(report.encode()).decode(), "uri": "clamav/clamav:stable"}}


# Benchmarks


def xccdf(
    *results: tuple[str, str],
    score: str = "100.000000",
    end: str = "2026-10-20T10:00:00+00:00",
    target: str = f"docker-image://registry.example/app@{DIGEST}",
) -> str:
    """A Benchmark with the TestResult that oscap adds to it."""
    rules = "".join(
        f'<rule-result idref="xccdf_org.ssgproject.content_rule_{name}" severity="medium" weight="1.0">'
        f"<result>{result}</result></rule-result>"
        for name, result in results
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<Benchmark xmlns="http://checklists.nist.gov/xccdf/1.2" id="xccdf_org.ssgproject.content_benchmark_DHI">'
        '<Rule id="xccdf_org.ssgproject.content_rule_a"><title>pass</title></Rule>'
        f'<TestResult id="xccdf_org.open-scap_testresult_x" start-time="{end}" end-time="{end}">'
        '<benchmark href="/x.xml" id="xccdf_org.ssgproject.content_benchmark_DHI"/>'
        '<profile idref="xccdf_org.ssgproject.content_profile_stig"/>'
        f"<target>{target}</target>{rules}"
        f'<score system="urn:xccdf:scoring:default" maximum="100.000000">{score}</score>'
        "</TestResult></Benchmark>"
    )


def stig(report: str | None, score: float = 100.0, maximum: float = 100.0) -> list[dict[str, Any]]:
    """The predicate of Docker Hardened Images: a list of profiles."""
    encoded = [{"format": "html", "content": base64.b64encode(b"<html></html>").decode()}]
    if report is not None:
        encoded.append({"format": "xccdf", "content": base64.b64encode(report.encode()).decode()})
    summary = {"defaultScore": score, "maxDefaultScore": maximum, "passed": 91, "failed": 0}
    return [{"name": "Docker Hardened Image STIG", "version": "1", "summary": summary, "output": encoded}]


# Tests


def ctrf(passed: int = 3, failed: int = 0, skipped: int = 0, **changed: Any) -> dict[str, Any]:
    """A CTRF report."""
    tests = [{"name": f"starts {number}", "status": "passed", "duration": 5} for number in range(passed)]
    tests += [{"name": f"stops {number}", "status": "failed", "duration": 5} for number in range(failed)]
    summary = {"tests": passed + failed + skipped, "passed": passed, "failed": failed, "skipped": skipped}
    summary |= {"pending": 0, "other": 0, "start": 1749216533, "stop": 1749216574}
    results = {"tool": {"name": "jest"}, "summary": summary, "tests": tests}
    return {"reportFormat": "CTRF", "specVersion": "0.0.0", "results": results} | changed


def suite_result(
    result: str = "PASSED", passed: Iterable[str] = ("starts",), failed: Iterable[str] = (), **more: Any
) -> dict[str, Any]:
    """in-toto's test result."""
    lists = {"passedTests": list(passed), "warnedTests": [], "failedTests": list(failed)}
    return {"result": result, "configuration": [{"name": "ci.yml"}], "url": "https://ci.example/1", **lists, **more}


def junit(*cases: tuple[str, str]) -> str:
    """A JUnit file; a case is a name and what stands inside it: "", failure, error or skipped."""
    verdicts = {what: f'<{what} message="x"/>' if what else "" for _, what in cases}
    inside = "".join(f'<testcase classname="app" name="{name}">{verdicts[what]}</testcase>' for name, what in cases)
    return (
        f'<?xml version="1.0"?><testsuites name="smoke"><testsuite name="s" tests="1">{inside}</testsuite></testsuites>'
    )


# Provenance


def slsa_v1(builder: str = "https://ci.example/build") -> dict[str, Any]:
    """As GitHub's builders write it."""
    return {
        "buildDefinition": {
            "buildType": "https://actions.github.io/buildtypes/workflow/v1",
            "externalParameters": {
                "workflow": {
                    "ref": "refs/heads/main",
                    "repository": "https://github.com/acme/demo",
                    "path": "release.yml",
                }
            },
            "internalParameters": {"github": {"event_name": "push"}},
            "resolvedDependencies": [
                {"uri": "git+https://github.com/acme/demo@refs/heads/main", "digest": {"gitCommit": "a" * 40}},
                {"uri": "pkg:docker/debian@12"},
            ],
        },
        "runDetails": {
            "builder": {"id": builder},
            "metadata": {"invocationId": "https://ci.example/runs/42", "startedOn": "2026-10-01T00:00:00Z"},
        },
    }


SAMPLES: tuple[tuple[str, Callable[[], object]], ...] = (
    (SLSA_V1, slsa_v1),
    (
        SLSA_V02,
        lambda: {
            "builder": {"id": "https://b.example"},
            "buildType": "t",
            "invocation": {
                "configSource": {"uri": "git+https://x.example/y", "digest": {"sha1": "b" * 40}},
                "parameters": {"a": 1},
            },
            "metadata": {"buildStartedOn": "2026-10-01T00:00:00Z"},
            "materials": [{"uri": "https://x.example/deb", "digest": {"sha256": ""}}],
        },
    ),
    (
        "https://slsa.dev/verification_summary/v1",
        lambda: {
            "timeVerified": "2026-10-12T07:24:34.351608Z",
            "verifier": {"id": "https://verifier.example/v1"},
            "verificationResult": "PASSED",
            "verifiedLevels": ["SLSA_BUILD_LEVEL_2"],
            "policy": {"uri": "https://policy.example"},
        },
    ),
    (
        "https://in-toto.io/attestation/svr/v0.2",
        lambda: {
            "verifier": {"id": "https://v.example", "policies": []},
            "timeCreated": "2026-10-01T00:00:00Z",
            "properties": ["ORG_REVIEWED"],
        },
    ),
    (
        "https://in-toto.io/attestation/svr/v0.1",
        lambda: {"verifier": {"id": "https://v.example"}, "timeCreated": "2026-10-01T00:00:00Z", "properties": []},
    ),
    (
        "https://in-toto.io/attestation/scai/v0.3",
        lambda: {
            "attributes": [{"attribute": "WITH_STACK_PROTECTION", "evidence": {"name": "x"}}],
            "producer": {"name": "gcc"},
        },
    ),
    (TEST_RESULT, suite_result),
    (TESTS, ctrf),
    (IN_TOTO, lambda: in_toto_scan(("CVE-2026-1111", "medium"), ("CVE-2026-2", "9.8"))),
    (COSIGN, lambda: cosign_scan(trivy(trivy_vulnerability()))),
    (COSIGN, lambda: cosign_scan(grype(grype_match()))),
    (OPENVEX, lambda: openvex(vex_statement(), vex_statement(status="affected", justification=""))),
    (CYCLONEDX, lambda: cyclonedx(cyclonedx_vulnerability(state="not_affected", justification="code_not_reachable"))),
    (STIG, lambda: stig(xccdf(("a", "pass"), ("b", "notchecked")))),
    (
        "https://docker.com/dhi/fips/v0.1",
        lambda: [
            {
                "certification": "CMVP #4985",
                "name": "OpenSSL FIPS Provider",
                "package": "pkg:dhi/openssl-provider-fips@3.1.2",
                "standard": "FIPS 140-3",
                "status": "active",
                "sunsetDate": "2030-03-10",
                "version": "3.1.2",
            }
        ],
    ),
    ("https://scout.docker.com/secrets/v0.1", lambda: [{"ruleId": "aws-access-key"}]),
    (VIRUS, lambda: virus(clamav())),
    ("https://spdx.dev/Document/v2.3", lambda: {"spdxVersion": "SPDX-2.3", "packages": [{"name": "a"}]}),
    ("https://in-toto.io/attestation/reference/v0.1", lambda: {"references": [{"name": "report.pdf"}]}),
)
"""Predicate types with a predicate of each."""
