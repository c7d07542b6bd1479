"""trivy's JSON reports, schema version 2 (trivy, pkg/types/report.go): vulnerabilities only."""

from __future__ import annotations

from collections.abc import Mapping

from compliance.errors import FormatError
from compliance.formats.named_image import NamedImage, digests_in
from compliance.formats.predicate_values import CODE, inner, line, lines, moment
from compliance.formats.signed_json import JsonObject
from compliance.formats.vulnerability_scan import (
    Finding,
    FixState,
    VulnerabilityScan,
    severity_word,
)

_SCHEMA = 2
_NO_FIX = frozenset({"affected", "will_not_fix", "fix_deferred", "end_of_life"})


def is_trivy(values: Mapping[str, object]) -> bool:
    """Whether it looks like one. ``Results`` is left out where nothing at all was scanned."""
    return "SchemaVersion" in values and "ArtifactName" in values


def read_trivy(report: JsonObject) -> VulnerabilityScan:
    """Read a report. One that scanned no packages for vulnerabilities is not exhaustive. Raises FormatError."""
    if report.number("SchemaVersion") != _SCHEMA:
        raise FormatError(f"a trivy report of another schema version than {_SCHEMA}", code=CODE, where=report.where)
    results = report.members("Results")
    about = inner(report, "Trivy")
    return VulnerabilityScan(
        scanner=f"trivy {line(about, 'Version', 60)}".strip(),
        findings=tuple(_finding(item) for result in results for item in result.members("Vulnerabilities")),
        scanned_at=moment(report, "CreatedAt"),
        database_at=moment(inner(about, "VulnerabilityDB"), "UpdatedAt"),
        suppressed=sum(len(result.members("ExperimentalModifiedFindings")) for result in results),
        exhaustive=any(line(result, "Class", 40) in ("os-pkgs", "lang-pkgs") for result in results),
        image=_image(inner(report, "Metadata")),
    )


def _finding(item: JsonObject) -> Finding:
    identifier = line(item, "VulnerabilityID", 100)
    if not identifier:
        raise item.wrong("VulnerabilityID", "a vulnerability's identifier")
    fixed_in = line(item, "FixedVersion", 200)
    status = line(item, "Status", 40)
    return Finding(
        id=identifier,
        aliases=lines(item, "VendorIDs", 100),
        severity=severity_word(line(item, "Severity", 40)),
        purl=line(inner(item, "PkgIdentifier"), "PURL", 2048),
        package=line(item, "PkgName", 200),
        version=line(item, "InstalledVersion", 200),
        fix=FixState.AVAILABLE if fixed_in else FixState.NONE if status in _NO_FIX else FixState.UNSTATED,
        fixed_in=fixed_in,
    )


def _image(metadata: JsonObject) -> NamedImage:
    return NamedImage(
        configs=digests_in((line(metadata, "ImageID"),)),
        manifests=digests_in(lines(metadata, "RepoDigests")),
    )
