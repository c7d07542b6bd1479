"""SP-VEX: statements that a vulnerability does not matter here are signed, about what is in here, and give a reason."""

from __future__ import annotations

from functools import partial

from compliance.formats.vex import OPENVEX, VexDocument, VexStatus
from compliance.formats.vulnerability_predicates import COSIGN_VULNERABILITIES, IN_TOTO_VULNERABILITIES
from compliance.formats.vulnerability_scan import VulnerabilityScan
from compliance.model.evidence import Evidence
from compliance.model.outcome import (
    Check,
    Failed,
    NotApplicable,
    Observation,
    Outcome,
    Passed,
    Severity,
    Trait,
    Unknown,
)
from controls.observe import count
from controls.suppression import place_all
from controls.testimony import Testimony, docket, judge, listed, note_about

LISTED_MAX = 1000


def run(evidence: Evidence) -> Outcome:
    """Every statement of every VEX document, held against this image's digests and inventory."""
    found = docket(evidence, VexDocument, (OPENVEX,))
    if not (found.heard or found.attested or found.aside) and _nothing_to_suppress(evidence):
        return NotApplicable(reason="a verified vulnerability scan about this digest lists no finding to suppress")
    return judge(
        evidence,
        found,
        "VEX document about this digest",
        weigh=partial(_weigh, evidence),
        reservation=lambda _: None,
    )


def _nothing_to_suppress(evidence: Evidence) -> bool:
    scans = docket(evidence, VulnerabilityScan, (IN_TOTO_VULNERABILITIES, COSIGN_VULNERABILITIES))
    complete = any(one.signed and one.said.exhaustive for one in scans.heard)
    return complete and not scans.damaged and not any(one.said.findings for one in scans.heard)


def _weigh(evidence: Evidence, document: Testimony[VexDocument]) -> Outcome:
    """A document that nobody signed suppresses nothing here, so what is wrong in it speaks against nothing either."""
    if not document.signed:
        return Unknown(reason="it is unsigned")
    unjustified: list[Observation] = []
    applied: list[Observation] = []
    elsewhere: list[Observation] = []
    for one in place_all(evidence, (document,)):
        suppresses = one.statement.status.suppresses
        if not one.applies:
            elsewhere.append(
                note_about(f"{one.statement.vulnerability}: {one.why}, so the statement suppresses nothing.")
            )
        elif not one.justified:
            unjustified.append(note_about(f"{one.text}: without a justification, so it suppresses nothing."))
        else:
            effect = "suppresses it" if suppresses else "suppresses nothing"
            applied.append(note_about(f"{one.text}; the statement {effect}."))
    others = (
        *applied,
        *listed(elsewhere, LISTED_MAX),
    )
    if unjustified:
        return Failed(observations=(*unjustified, *others))
    if applied:
        return Passed(observations=others)
    what = f"none of its {count(len(elsewhere), 'statement')} is" if elsewhere else "it has no statements"
    return Unknown(reason=f"{what} about anything in this image" if elsewhere else what, observations=others)


CHECK = Check(
    id="SP-VEX",
    title="VEX statements verified and applied only where they apply",
    trait=Trait.SUPPLY,
    severity=Severity.MEDIUM,
    rationale="A VEX statement makes a finding disappear from reports. An auditor has to be able to see who said "
    "so, about what exactly, and for which reason.",
    looks_at="Attestations about this digest whose predicate is OpenVEX, or CycloneDX with analysed vulnerabilities, "
    "verified against the key or identity that was named; their products, held against the image's digests and the "
    "packages of its inventory by purl and version.",
    proves="A pass proves that every statement that applies to this image comes from the named signer, is about this "
    f"digest or a package and version in it, and gives a reason where it says {VexStatus.NOT_AFFECTED}; each is "
    f"listed, and up to {LISTED_MAX:,} of those that apply to nothing here. It does not prove that the reasons are "
    "true. Documents given as files without a signature suppress nothing; they are named, and leave the check open.",
    remediation="Attest OpenVEX documents about the digest (cosign attest --type openvex), with purl and version of "
    "the product and a justification for each not_affected.",
    run=run,
    references=("OpenVEX specification v0.2.0", "CycloneDX (ECMA-424), vulnerabilities"),
)
