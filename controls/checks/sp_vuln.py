"""SP-VULN: somebody scanned this image for known vulnerabilities, lately, and what is open is within the limits."""

from __future__ import annotations

from functools import partial

from compliance.formats.vex import OPENVEX, VexDocument
from compliance.formats.vulnerability_predicates import COSIGN_VULNERABILITIES, IN_TOTO_VULNERABILITIES
from compliance.formats.vulnerability_scan import Finding, FixState, VulnerabilityScan
from compliance.model.evidence import AgeLimits, Evidence
from compliance.model.outcome import (
    Check,
    Failed,
    Observation,
    ObservationKind,
    Outcome,
    Passed,
    Severity,
    Trait,
    Unknown,
)
from controls.observe import count
from controls.suppression import Placed, Suppressions, place_all
from controls.testimony import Testimony, age_reservation, docket, judge, listed, note_about

AGE_DAYS = AgeLimits().vulnerability_scan
SEVERITY_MIN = Severity.HIGH
"""An open finding that can be mended fails from here up: the line that remediation deadlines are drawn at (FedRAMP,
and the fixable-vulnerabilities policy of Docker Hardened Images)."""
LISTED_MAX = 500

SCANS = (IN_TOTO_VULNERABILITIES, COSIGN_VULNERABILITIES, "https://scout.docker.com/vulnerabilities/")


def run(evidence: Evidence) -> Outcome:
    """Every scan about this digest; findings that verified VEX statements suppress are told, and do not count."""
    documents = docket(evidence, VexDocument, (OPENVEX,)).heard
    suppressions = Suppressions(place_all(evidence, (one for one in documents if one.signed)))
    return judge(
        evidence,
        docket(evidence, VulnerabilityScan, SCANS),
        "Vulnerability scan about this digest",
        weigh=partial(_weigh, suppressions=suppressions),
        reservation=partial(_reservation, evidence),
    )


def _weigh(testimony: Testimony[VulnerabilityScan], *, suppressions: Suppressions) -> Outcome:
    scan = testimony.said
    suppressed: list[Observation] = []
    open_: list[Finding] = []
    for finding in scan.findings:
        statement = suppressions.of(finding)
        if statement is None:
            open_.append(finding)
        else:
            suppressed.append(_suppressed(finding, statement))
    mendable = [finding for finding in open_ if finding.fix is not FixState.NONE]
    serious = [finding for finding in mendable if finding.severity is not None and finding.severity >= SEVERITY_MIN]
    if serious:
        return Failed(observations=(*listed(map(_finding, serious), LISTED_MAX), *suppressed))
    ungraded = [finding for finding in mendable if finding.severity is None]
    if ungraded:
        reason = f"{count(len(ungraded), 'open finding')} without a severity, which may be above the limit"
        return Unknown(reason=reason, observations=(*listed(map(_finding, ungraded), LISTED_MAX), *suppressed))
    unfixed = [item for item in open_ if item.severity is None or item.severity >= SEVERITY_MIN]
    seen = [
        note_about(
            f"{count(len(scan.findings), 'finding')}, of which verified VEX statements suppress {len(suppressed):,}; "
            f"none of the others is {SEVERITY_MIN} or critical and has a fix."
        ),
        *listed(map(_finding, unfixed), LISTED_MAX),
        *suppressed,
    ]
    if scan.suppressed:
        seen.append(note_about(f"The scanner itself was told to leave out {count(scan.suppressed, 'finding')}."))
    if scan.database_at is None:
        seen.append(note_about("The scan does not say how old its vulnerability database was."))
    return Passed(observations=tuple(seen))


def _reservation(evidence: Evidence, scan: VulnerabilityScan) -> str | None:
    if not scan.exhaustive:
        return "lists vulnerabilities, but does not show that all packages were looked at"
    days = evidence.profile.ages.vulnerability_scan
    late = age_reservation(scan.scanned_at, evidence.assessed_at, days, "a scan")
    if late is None and scan.database_at is not None:
        late = age_reservation(scan.database_at, evidence.assessed_at, days, "a vulnerability database")
    return late


def _finding(finding: Finding) -> Observation:
    severity = str(finding.severity) if finding.severity is not None else "of unstated severity"
    place = f" in {finding.place}" if finding.place else ""
    fixes = {
        FixState.AVAILABLE: f"fixed in {finding.fixed_in}" if finding.fixed_in else "a fix is available",
        FixState.NONE: "no fix is available",
        FixState.UNSTATED: "the scan does not say whether there is a fix",
    }
    return Observation(
        summary=f"{finding.id}{place} is {severity}; {fixes[finding.fix]}.",
        kind=ObservationKind.PACKAGE,
        package=finding.purl or None,
        value=finding.id,
    )


def _suppressed(finding: Finding, statement: Placed) -> Observation:
    place = f" in {finding.place}" if finding.place else ""
    severity = f" ({finding.severity})" if finding.severity is not None else ""
    return Observation(
        summary=f"{finding.id}{place}{severity} is suppressed by VEX: {statement.text}, says {statement.source}.",
        kind=ObservationKind.PACKAGE,
        package=finding.purl or None,
        value=finding.id,
    )


CHECK = Check(
    id="SP-VULN",
    title="Known-vulnerability scan present, fresh and within policy",
    trait=Trait.SUPPLY,
    severity=Severity.HIGH,
    rationale="That vulnerabilities are looked for, and fixed where a fix is there, is asked by most frameworks; a "
    "scan that is old, unsigned or about another digest is no evidence of it.",
    looks_at="Attestations about this digest that carry a vulnerability scan (in-toto vulns v0.1 and v0.2, cosign vuln "
    "with a grype or trivy report, CycloneDX with vulnerabilities), verified against the key or identity that was "
    "named; scan reports given as files (grype, trivy, SARIF, CycloneDX). This tool scans nothing itself.",
    proves="A pass proves that the named signer attested a scan of this digest, made, and with a database (where its "
    f"age is stated), not more than {AGE_DAYS} days ago (or what the profile sets), in which no finding of severity "
    f"{SEVERITY_MIN} or critical is open that has a fix or of which the scan does not say that there is none; VEX "
    "statements of the named signer count, and each suppression is listed. Open findings without a fix are listed, "
    "and do not fail. It does not prove that the scanner saw every package or knew every vulnerability. A file that "
    "nobody signed can make the check fail, however old it is, and never makes it pass.",
    remediation="Scan the digest and attest the result (cosign attest --type vuln), rebuild with fixed packages, and "
    "attest OpenVEX statements for findings that do not apply.",
    run=run,
    references=(
        "in-toto attestation: predicate vulns",
        "cosign: vulnerability attestation spec",
        "FedRAMP Vulnerability Scanning Requirements for Containers",
    ),
)
