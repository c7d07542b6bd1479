"""grype's JSON reports (grype, grype/presenter/models): matches, what was ignored, and the image scanned."""

from __future__ import annotations

from collections.abc import Mapping

from compliance.formats.named_image import NO_IMAGE, NamedImage, digests_in
from compliance.formats.predicate_values import inner, line, lines, moment
from compliance.formats.signed_json import JsonObject
from compliance.formats.vulnerability_scan import (
    Finding,
    FixState,
    VulnerabilityScan,
    severity_word,
)

_FIX = {"fixed": FixState.AVAILABLE, "not-fixed": FixState.NONE, "wont-fix": FixState.NONE}


def is_grype(values: Mapping[str, object]) -> bool:
    """Whether it looks like one."""
    return "matches" in values and "descriptor" in values


def read_grype(report: JsonObject) -> VulnerabilityScan:
    """Read a report. Raises FormatError, also where `matches` is no list."""
    if not isinstance(report.values.get("matches"), list):
        raise report.wrong("matches", "a list")
    descriptor = inner(report, "descriptor")
    name = f"{line(descriptor, 'name', 60)} {line(descriptor, 'version', 60)}".strip()
    database = inner(descriptor, "db")
    status = inner(database, "status") if isinstance(database.values.get("status"), dict) else database
    return VulnerabilityScan(
        scanner=name,
        findings=tuple(_finding(match) for match in report.members("matches")),
        scanned_at=moment(descriptor, "timestamp"),
        database_at=moment(status, "built"),
        suppressed=len(report.members("ignoredMatches")),
        image=_image(inner(report, "source")),
    )


def _finding(match: JsonObject) -> Finding:
    vulnerability, artifact = match.member("vulnerability"), match.member("artifact")
    identifier = line(vulnerability, "id", 100)
    if not identifier:
        raise vulnerability.wrong("id", "a vulnerability's identifier")
    fix = inner(vulnerability, "fix")
    related = tuple(line(item, "id", 100) for item in match.members("relatedVulnerabilities"))
    return Finding(
        id=identifier,
        aliases=tuple(alias for alias in dict.fromkeys(related) if alias and alias != identifier),
        severity=severity_word(line(vulnerability, "severity", 40)),
        purl=line(artifact, "purl", 2048),
        package=line(artifact, "name", 200),
        version=line(artifact, "version", 200),
        fix=_FIX.get(line(fix, "state", 40), FixState.UNSTATED),
        fixed_in=", ".join(lines(fix, "versions", 100)[:3]),
    )


def _image(source: JsonObject) -> NamedImage:
    """A target that is no image is a text: a directory, an SBOM's path."""
    if line(source, "type", 40) != "image" or not isinstance(source.values.get("target"), dict):
        return NO_IMAGE
    target = source.member("target")
    return NamedImage(
        configs=digests_in((line(target, "imageID"),)),
        manifests=digests_in((line(target, "manifestDigest"), *lines(target, "repoDigests"))),
    )
