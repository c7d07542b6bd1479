"""SARIF 2.1.0 logs of vulnerability scanners (OASIS, sarif-v2.1.0-os): results whose rule is a vulnerability.

Logs of other analysers hold no such rules and are refused: their silence says nothing about vulnerabilities.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from compliance.errors import FormatError
from compliance.formats.named_image import NamedImage, digests_in
from compliance.formats.predicate_values import CODE, decimal, inner, line, lines, moment
from compliance.formats.signed_json import JsonObject
from compliance.formats.vulnerability_scan import (
    Finding,
    FixState,
    VulnerabilityScan,
    severity_word,
)

_IDENTIFIER = re.compile(
    r"(?:CVE-\d{4}-\d+|GHSA(?:-[0-9a-z]{4}){3}|(?:ALAS\w*|DLA|DSA|ELSA|RHSA|RUSTSEC|USN|PYSEC|GO)-[\w:.-]+)"
)
_SCANNERS = re.compile(r"(?i)^(?:trivy|grype|docker scout|snyk container|clair|osv-scanner)\b")
_FIXED = re.compile(r"(?i)\bfixed version: *([^\s,]+)")
_PACKAGE = re.compile(r"(?im)^package: *(\S+)")
_VERSION = re.compile(r"(?im)^installed version: *(\S+)")


def is_sarif(values: Mapping[str, object]) -> bool:
    """Whether it looks like one."""
    return "runs" in values and "version" in values


def read_sarif(log: JsonObject) -> tuple[VulnerabilityScan, ...]:
    """The vulnerability scans among the runs. Raises FormatError, also where there are none."""
    if line(log, "version", 20) != "2.1.0":
        raise FormatError("a SARIF log of another version than 2.1.0", code=CODE, where=log.where)
    scans = tuple(scan for run in log.members("runs") if (scan := _run(run)) is not None)
    if not scans:
        raise FormatError("a SARIF log of no vulnerability scanner known here", code=CODE, where=log.where)
    return scans


def _run(run: JsonObject) -> VulnerabilityScan | None:
    driver = run.member("tool").member("driver")
    rules = {line(rule, "id", 200): rule for rule in driver.members("rules")}
    results = run.members("results")
    suppressed = [item for item in results if item.members("suppressions")]
    found = (_finding(item, rules) for item in results if not item.members("suppressions"))
    findings = tuple(finding for finding in found if finding is not None)
    name = line(driver, "name", 60)
    if not findings and _SCANNERS.match(name) is None:
        return None
    version = line(driver, "semanticVersion", 40) or line(driver, "version", 40)
    ended = [time for item in run.members("invocations") if (time := moment(item, "endTimeUtc")) is not None]
    properties = inner(run, "properties")
    return VulnerabilityScan(
        scanner=f"{name} {version}".strip(),
        findings=findings,
        scanned_at=max(ended, default=None),
        suppressed=len(suppressed),
        exhaustive=_SCANNERS.match(name) is not None,
        image=NamedImage(
            configs=digests_in((line(properties, "imageID"),)), manifests=digests_in(lines(properties, "repoDigests"))
        ),
    )


def _finding(result: JsonObject, rules: Mapping[str, JsonObject]) -> Finding | None:
    """None for a rule that is no vulnerability. grype's rules are called ``CVE-…-package``."""
    identifier = line(result, "ruleId", 200)
    named = _IDENTIFIER.match(identifier)
    if named is None:
        return None
    rule = rules.get(identifier, JsonObject({}, "rule"))
    properties = inner(rule, "properties")
    score = decimal(properties, "security-severity")
    message = result.member("message").values.get("text")
    text = message[:2000] if isinstance(message, str) else ""
    fixed = _FIXED.search(text)
    return Finding(
        id=named[0],
        severity=severity_word(str(score)) if score is not None else None,
        package=_first(_PACKAGE, text),
        version=_first(_VERSION, text),
        fix=FixState.AVAILABLE if fixed else FixState.UNSTATED,
        fixed_in=fixed[1][:100] if fixed else "",
    )


def _first(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return match[1][:200] if match else ""
