"""Evidence held against whom the user trusts: what is checked, with which keys, and whether enough is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from compliance.errors import ExitCode, FormatError

if TYPE_CHECKING:
    from compliance.api.evidence_place import Evidence
    from compliance.pipeline import Options, Trust
    from compliance.store.evidence_bundle import Answer, BundleReport, ReportChecks, Signers
    from reports.document import Document

_MADE_AGAIN = "report.pdf, made again"


def check(evidence: Evidence, trust: Trust, reading: Options, *, whole: bool = False) -> BundleReport:
    """Every digest and signature of it; the `whole` makes a report again, which takes seconds. Raises as it is read."""
    from compliance.api.evidence_place import verify

    signers = _signers(trust, reading, evidence)
    return verify(evidence, signers, _report_checks(evidence, signers, whole=whole))


def outcome(evidence: Evidence, report: BundleReport) -> ExitCode:
    """Whether enough is shown, in an exit code's words: a bundle that nobody signed shows nothing."""
    from compliance.api.report_signature import WHAT as SIGNATURE
    from compliance.model.verification import Verdict

    if report.wrong:
        return ExitCode.NOT_VERIFIED
    verified = {finding.what for finding in report.findings if finding.verdict is Verdict.VERIFIED}
    signed = any(what.startswith("attestations/") for what in verified)
    # What a PDF alone says on its pages is signed data only where the PDF is signed, or what the data give.
    pages = evidence.report is None or not verified.isdisjoint((SIGNATURE, _MADE_AGAIN))
    came_out = all(finding.what in verified for finding in report.findings if finding.what.startswith("replay"))
    return ExitCode.SATISFIED if signed and pages and came_out else ExitCode.NOT_DETERMINED


def document_of(evidence: Evidence) -> tuple[Document, Mapping[str, bytes]]:
    """The assessment in the evidence, and all files of it but the manifest of a report, which has none."""
    from compliance.api.evidence_place import contents
    from compliance.errors import StoreError
    from compliance.store.bundle_manifest import ASSESSMENT
    from reports.assessment_json import parse

    files = evidence.files or contents(evidence)
    if ASSESSMENT not in files:
        raise StoreError(f"no evidence bundle: there is no {ASSESSMENT}", code="bundle-missing", where=evidence.place)
    return parse(files[ASSESSMENT]), files


def _signers(trust: Trust, reading: Options, evidence: Evidence) -> Signers:
    """Whose signatures are demanded; a key is held against keyed signatures here, all else as for images."""
    from compliance.api.evidence_place import prover
    from compliance.store.evidence_bundle import Signers

    asked = any((trust.policy, trust.identity, trust.identity_regexp, trust.issuer, trust.issuer_regexp))
    reference = str(evidence.image.reference) if evidence.image is not None else ""
    if asked and trust.policy is not None and not reference:
        reference = document_of(evidence)[0]["subject"]["reference"]
    return Signers(
        key=None if asked else trust.key,
        prove=None if trust.key is not None and not asked else prover(trust, reading, reference),
        demanding=asked,
    )


def _report_checks(evidence: Evidence, signers: Signers, *, whole: bool) -> ReportChecks:
    from compliance.api import report_signature
    from compliance.api.evidence_place import contents
    from compliance.store.bundle_manifest import SIGNING_KEY
    from compliance.store.evidence_bundle import ReportChecks, ReportContent
    from reports.pdf_attachments import embedded_files
    from reports.pdf_text import page_text

    def read(content: bytes) -> ReportContent:
        return ReportContent(files=embedded_files(content), text=page_text(content))

    shipped = None if signers.demanding else (evidence.files or contents(evidence)).get(SIGNING_KEY)
    signature = report_signature.signature_check(signers.key, shipped, needless=evidence.report is None)
    others: dict[str, Callable[[bytes], Answer | None]] = {report_signature.WHAT: signature}
    if evidence.report is not None and whole:
        others[_MADE_AGAIN] = lambda content: _made_again(evidence, content)
    return ReportChecks(read=read, others=others)


def _made_again(evidence: Evidence, content: bytes) -> Answer:
    """Whether the pages are those that the embedded data give: only the same tool with the same parts can say so."""
    from compliance.model.verification import Verdict
    from compliance.pipeline import report_pdf, tool_version
    from compliance.store.evidence_bundle import Answer

    try:
        document, files = document_of(evidence)
    except FormatError as error:
        reason = f"it was not made again: this version can't read the assessment in it: {error.message}"
        return Answer(verdict=Verdict.UNCHECKED, reason=reason)
    if document["tool"]["version"] != tool_version():
        reason = f"version {document['tool']['version']} made it, this is {tool_version()}: it was not made again"
        return Answer(verdict=Verdict.UNCHECKED, reason=reason)
    if content.startswith(report_pdf(document, files)):
        reason = "made again from the data embedded in it, it is the same to the byte, its signature aside"
        return Answer(verdict=Verdict.VERIFIED, reason=reason)
    reason = (
        "made again from the data embedded in it, it is another: it bears somebody's title or logo, was made with "
        "other libraries, or was changed"
    )
    return Answer(verdict=Verdict.UNCHECKED, reason=reason)
