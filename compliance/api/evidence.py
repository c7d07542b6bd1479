"""Somebody's evidence, checked: what holds, what is not shown, and what does not hold."""

from __future__ import annotations

from os import PathLike, fspath
from typing import TYPE_CHECKING

from compliance.api.trust import FilePath, Trust

if TYPE_CHECKING:
    from pandas import DataFrame

    from compliance.api.assessment import Assessment
    from compliance.api.evidence_place import Evidence
    from compliance.store.evidence_bundle import BundleReport


def verify_evidence(place: str | PathLike[str], *, trust: FilePath | Trust | None = None) -> EvidenceCheck:
    """Check every digest and signature of an evidence folder, a report.pdf, or an image with attached evidence.

    Without `trust` the key that lies in the evidence is taken: that shows that nothing changed since it signed, not who
    signed, as anybody can sign with a key of theirs. Only an image in a registry is reached over the network. Raises
    StoreError where there is no evidence, VerificationError or FormatError where it can't be read safely; all else that
    is wrong is in the answer.
    """
    from compliance.api.assessing import reading_options
    from compliance.api.evidence_check import check
    from compliance.api.evidence_place import open_evidence

    options = reading_options(trust)
    evidence = open_evidence(fspath(place), options)
    return EvidenceCheck(evidence, check(evidence, options.trust, options, whole=True))


class EvidenceCheck:
    """What came of checking evidence. Ask `outcome` or `demand`, not whether there is an answer."""

    def __init__(self, evidence: Evidence, report: BundleReport) -> None:
        self._evidence = evidence
        self.report = report

    @property
    def outcome(self) -> str:
        """holds; not-shown where nothing is wrong but not enough is signed; or does-not-hold."""
        from compliance.api.evidence_check import outcome
        from compliance.errors import ExitCode

        words = {ExitCode.SATISFIED: "holds", ExitCode.NOT_DETERMINED: "not-shown"}
        return words.get(outcome(self._evidence, self.report), "does-not-hold")

    @property
    def digest(self) -> str:
        """Of the image that the evidence is about."""
        return self.report.subject

    @property
    def key_id(self) -> str | None:
        """The key that signatures were checked with; None where it was no key."""
        return self.report.key_id

    @property
    def assessment(self) -> Assessment:
        """What the evidence says. Raises VerificationError where it does not hold."""
        from compliance.api.assessment import ASSESSMENT_FILE, SBOM_FILE, Assessment
        from compliance.api.evidence_place import contents

        self.demand()
        files = contents(self._evidence)
        return Assessment(files[ASSESSMENT_FILE], files.get(SBOM_FILE))

    def demand(self) -> None:
        """Raise VerificationError if anything does not hold. What is merely not shown is passed over: see `outcome`."""
        self.report.demand()

    def to_frame(self) -> DataFrame:
        """One row for each thing that was looked at."""
        from compliance.api import tables

        rows = ({"what": one.what, "verdict": one.verdict.value, "reason": one.reason} for one in self.report.findings)
        return tables.table(tables.FINDINGS_OF_EVIDENCE, rows)

    def __repr__(self) -> str:
        return f"<Evidence {self.outcome}: {self._evidence.place}, about {self.digest}>"

    def _repr_html_(self) -> str:
        from reports import notebook

        findings = [(one.what, one.verdict.value, one.reason) for one in self.report.findings]
        return notebook.evidence(self._evidence.place, self.outcome, self.digest, self.key_id, findings)
