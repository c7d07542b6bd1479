"""Check an evidence bundle offline: files against its manifest, attestations against signers, one against the other."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from compliance.errors import ComplianceError, FormatError, StoreError, VerificationError
from compliance.formats.dsse import IN_TOTO, Envelope
from compliance.formats.intoto import (
    COSIGN_SIGN,
    CYCLONEDX,
    REFERENCE,
    SIMPLE_VERIFICATION_RESULT,
    TEST_RESULT,
    Statement,
    read_statement,
)
from compliance.formats.plain_text import plain_text
from compliance.formats.public_key import PublicKey, key_id, load_public_key, signature_holds
from compliance.formats.result_lists import overall_result, property_of, result_lists
from compliance.formats.signed_json import JsonObject, read_object
from compliance.formats.sigstore_bundle import Bundle, read_bundle
from compliance.model.verification import Verdict
from compliance.store.bundle_files import BundleFiles, MemoryFiles, folder_files
from compliance.store.bundle_manifest import (
    ASSESSMENT,
    ATTESTATION_SUFFIX,
    MANIFEST,
    MANIFEST_SIZE_MAX,
    REFERENCES,
    REPORT_PDF,
    REPORT_SIGNATURE,
    SBOM,
    SIGNING_KEY,
    BundleManifest,
    is_bundle_path,
    read_manifest,
    render_manifest,
)

_ATTESTATIONS = "attestations/"
_DIGEST = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_DIGEST_BYTES = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportContent:
    """What a PDF report carries and shows: the embedded files by name, and its pages' text, piece by piece.

    Without `text` its digests were not looked for.
    """

    files: Mapping[str, bytes] = field(repr=False)
    text: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of checking a signature: verified, invalid or unchecked, by whom and why."""

    verdict: Verdict
    reason: str


ReadReport = Callable[[bytes], ReportContent]
"""Reads a PDF. Raises ComplianceError."""
Prove = Callable[[bytes, str], Answer]
"""Checks the signature of a Sigstore bundle about an image digest."""
CheckReport = Callable[[bytes], Answer | None]
"""Checks a PDF as a whole: its own signature, or that its pages are those that the data give. None: not to be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signers:
    """Whose signatures are asked for.

    `key` (PEM) is demanded. Without it the key that the bundle ships is taken, which proves that nothing changed
    since that key signed, not who signed: anybody can make a bundle with a key of theirs. `prove` checks bundles
    that were made with a certificate; all of them where it is `demanding`, as it knows who is demanded.
    """

    key: bytes | None = None
    prove: Prove | None = field(default=None, repr=False)
    demanding: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportChecks:
    """How report.pdf is looked into. Without `read` it is covered by its digest only. `others` by what they check."""

    read: ReadReport | None = None
    others: Mapping[str, CheckReport] = field(default_factory=dict)


_ANY_SIGNER = Signers()
_NO_REPORT = ReportChecks()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at: `what` (a path, mostly), the verdict and why."""

    what: str
    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleReport:
    """All findings in a stable order. `subject` is the image digest; `key_id` names the key that was checked with."""

    subject: str
    key_id: str | None
    findings: tuple[Finding, ...]

    @property
    def wrong(self) -> tuple[Finding, ...]:
        """What does not hold."""
        return tuple(finding for finding in self.findings if finding.verdict is Verdict.INVALID)

    @property
    def unproved(self) -> tuple[Finding, ...]:
        """What nothing shows, though nothing speaks against it."""
        return tuple(finding for finding in self.findings if finding.verdict is Verdict.UNCHECKED)

    def demand(self) -> None:
        """Raise VerificationError if anything does not hold."""
        if self.wrong:
            first, more = self.wrong[0], len(self.wrong) - 1
            raise VerificationError(
                f"the evidence bundle does not verify: {first.reason}" + (f" (and {more} more)" if more else ""),
                code="bundle-invalid",
                where=first.what,
            )


def verify_bundle(
    source: Path | Mapping[str, bytes],
    *,
    signers: Signers = _ANY_SIGNER,
    report: ReportChecks = _NO_REPORT,
) -> BundleReport:
    """Check the bundle in a folder, or the files of one by path, offline, without following any link.

    Raises StoreError where there is no bundle, VerificationError or FormatError where it can't be read safely,
    FormatError for a key that is none. All else that is wrong is a finding: ask `BundleReport.demand`.
    """
    return _checked(source, signers, report)[0]


def verify_report(
    content: bytes, read: ReadReport, *, signers: Signers = _ANY_SIGNER, others: Mapping[str, CheckReport]
) -> BundleReport:
    """Check a PDF report alone: what is embedded in it, and that its pages show the digests of that.

    Raises like `verify_bundle`, and what `read` raises.
    """
    files = report_files(read(content))
    check = _Check(MemoryFiles(files=files), _manifest_of(files), listed=False)
    check.run(signers)
    check.report(content, ReportChecks(read=read, others=others))
    return check.answer


def report_files(content: ReportContent) -> Mapping[str, bytes]:
    """The embedded files of a report as those of a bundle. Raises StoreError where they can't be that."""
    strange = sorted(name for name in content.files if not is_bundle_path(name))
    if ASSESSMENT not in content.files or strange:
        missing = f"{plain_text(strange[0], 100)} is embedded in it" if strange else f"no {ASSESSMENT} is in it"
        raise StoreError(f"no evidence in the PDF: {missing}", code="bundle-missing", where=REPORT_PDF)
    return content.files


def read_bundle_files(directory: Path, subject: str) -> Mapping[str, bytes]:
    """The files of a bundle about the image with digest `subject`, by path, without its manifest.

    They are as the manifest says, agree with each other, and with the bundle's attestations if it has some; their
    signatures are checked with the key that the bundle brings along. Raises like `verify_bundle`, and
    VerificationError when anything does not hold or the bundle is about another image.
    """
    report, files = _checked(directory, _ANY_SIGNER, _NO_REPORT)
    report.demand()
    if report.subject != subject:
        raise VerificationError(
            f"the evidence bundle is about {plain_text(report.subject, 100)}, not about this image",
            code="subject-mismatch",
            where=str(directory),
        )
    return files


def _checked(
    source: Path | Mapping[str, bytes], signers: Signers, report: ReportChecks
) -> tuple[BundleReport, Mapping[str, bytes]]:
    files: BundleFiles = folder_files(source) if isinstance(source, Path) else MemoryFiles(files=source)
    if MANIFEST not in files.paths:
        where = str(source) if isinstance(source, Path) else None
        raise StoreError(f"no evidence bundle: there is no {MANIFEST}", code="bundle-missing", where=where)
    check = _Check(files, read_manifest(files.read(MANIFEST, MANIFEST_SIZE_MAX)))
    check.run(signers)
    if (content := check.content.get(REPORT_PDF)) is not None:
        check.report(content, report)
    return check.answer, check.content


def _manifest_of(files: Mapping[str, bytes]) -> BundleManifest:
    """The manifest that files without one would have."""
    return read_manifest(render_manifest(files, read_object(files[ASSESSMENT], ASSESSMENT)))


class _Check:
    """One run over one bundle; collects findings. Without `listed` the manifest was made from the files just now."""

    def __init__(self, files: BundleFiles, manifest: BundleManifest, *, listed: bool = True) -> None:
        self.findings: list[Finding] = []
        self._files = files
        self._manifest = manifest
        self._listed = f"it is as {MANIFEST} says, but " if listed else ""
        self._content: dict[str, bytes] = {}  # of the files that agree with the manifest
        self._document: JsonObject | None = None
        self._key: PublicKey | None = None
        self._signed: dict[str, str] = {}  # path to sha256, as verified reference attestations say

    def run(self, signers: Signers) -> None:
        """All that is asked of the files but report.pdf."""
        self.files()
        self.assessment()
        self.manifest()
        self.signer(signers)
        self.attestations(signers)
        self.coverage()

    @property
    def answer(self) -> BundleReport:
        """What was found."""
        return BundleReport(
            subject=self._manifest.subject,
            key_id=None if self._key is None else key_id(self._key),
            findings=tuple(self.findings),
        )

    def files(self) -> None:
        """Every listed file is there with its size and digest, and no other is."""
        for line in self._manifest.files:
            if line.path not in self._files.paths:
                self._wrong(line.path, "it is missing")
                continue
            try:
                content = self._files.read(line.path, line.size)
            except ComplianceError as error:
                self._wrong(line.path, error.message)
                continue
            if len(content) != line.size or hashlib.sha256(content).hexdigest() != line.sha256:
                self._wrong(line.path, f"it is not the file that {MANIFEST} lists: size or sha256 differs")
                continue
            self._content[line.path] = content
        listed = {line.path for line in self._manifest.files}
        for path in sorted(self._files.paths - listed - {MANIFEST}):
            self._wrong(plain_text(path), f"{MANIFEST} does not list it")

    def assessment(self) -> None:
        """assessment.json can be read and is about the manifest's image."""
        content = self._content.get(ASSESSMENT)
        if content is None:
            if ASSESSMENT not in {line.path for line in self._manifest.files}:
                self._wrong(ASSESSMENT, "it is missing")
            return
        try:
            document = read_object(content, ASSESSMENT)
            subject = document.member("subject").text("digest")
        except FormatError as error:
            self._wrong(ASSESSMENT, str(error))
            return
        if subject != self._manifest.subject:
            self._wrong(ASSESSMENT, f"it is about another image than {MANIFEST}")
            return
        self._document = document

    def manifest(self) -> None:
        """manifest.json is what these files give, to the byte; this is only known when each of them is right."""
        if self._document is None or self.wrong:
            return
        try:
            expected = render_manifest(self._content, self._document)
        except FormatError as error:
            self._wrong(ASSESSMENT, str(error))
            return
        if expected != self._manifest.content:
            self._wrong(MANIFEST, "it is not the manifest that these files give")

    def signer(self, signers: Signers) -> None:
        """The key to check with, and what that can prove."""
        if signers.demanding:
            return
        if signers.key is not None:
            self._key = load_public_key(signers.key)
            self._holds("signer", f"the given key {key_id(self._key)} is demanded")
            return
        shipped = self._content.get(SIGNING_KEY)
        if shipped is None:
            self._unproved("signer", "nobody was demanded, and the bundle ships no key: see each attestation")
            return
        try:
            self._key = load_public_key(shipped)
        except FormatError as error:
            self._wrong(SIGNING_KEY, str(error))
            return
        self._unproved(
            "signer",
            f"no key was given, so the one in the bundle ({key_id(self._key)}) was taken: that shows that nothing "
            "changed since it signed, not who signed",
        )

    def attestations(self, signers: Signers) -> None:
        """Each attestation is signed, is about the image, and agrees with the files beside it."""
        paths = [path for path in sorted(self._content) if path.endswith(ATTESTATION_SUFFIX)]
        if not paths:
            self._unproved("attestations", "there are none: nobody signed this bundle")
        for path in paths:
            try:
                answer = self._attestation(path, signers)
            except ComplianceError as error:
                self._wrong(path, error.message if isinstance(error, VerificationError) else str(error))
            else:
                self.findings.append(Finding(what=path, verdict=answer.verdict, reason=answer.reason))

    def coverage(self) -> None:
        """Whether a signed reference covers each file; the manifest alone can be rewritten by anybody."""
        for path in sorted(self._content):
            if path not in self._signed and path.endswith(ATTESTATION_SUFFIX):
                continue  # it carries its own signature
            if path not in self._signed:
                self._unproved(path, f"{self._listed}no verified reference attestation covers it")
            elif hashlib.sha256(self._content[path]).hexdigest() == self._signed[path]:
                self._holds(path, "its sha256 is signed")
            else:
                self._wrong(path, "its sha256 is not the one that was signed")
        for path in sorted(set(self._signed) - set(self._content)):
            if path not in {finding.what for finding in self.wrong}:
                self._wrong(path, "it was signed, and is missing")

    def report(self, content: bytes, checks: ReportChecks) -> None:
        """What report.pdf carries is what lies beside it, its pages show its digests, and whatever else is asked."""
        for what, check in checks.others.items():
            try:
                answer = check(content)
            except ComplianceError as error:
                answer = Answer(verdict=Verdict.INVALID, reason=str(error))
            if answer is not None:
                self.findings.append(Finding(what=what, verdict=answer.verdict, reason=answer.reason))
        if checks.read is None:
            return
        try:
            read = checks.read(content)
        except ComplianceError as error:
            self._wrong(REPORT_PDF, str(error))
            return
        for name in sorted(read.files):
            own = self._content.get(name)
            # Attestations are left aside: others may sign the same evidence again, and the report stays as it is.
            if own is not None and read.files[name] != own and not name.startswith(_ATTESTATIONS):
                self._wrong(REPORT_PDF, f"the {plain_text(name)} embedded in it is another than the one beside it")
                return
        self._holds(REPORT_PDF, f"the files embedded in it ({len(read.files)}) are those beside it")
        self._printed(read)

    def _printed(self, read: ReportContent) -> None:
        """The digests on the pages are those of the data: each file's is there, and there is none but of the data."""
        what = f"{REPORT_PDF}, pages"
        shown = "".join("".join(read.text).split())
        if not shown:
            self._unproved(what, "no text could be read in them, so the digests on them were not compared")
            return
        for name in sorted(read.files):
            if hashlib.sha256(read.files[name]).hexdigest() not in shown:
                self._wrong(what, f"they do not show the sha256 of the {plain_text(name)} embedded in it")
                return
        if self._manifest.subject.partition(":")[2] not in shown:
            self._wrong(what, f"they do not show the digest of the image that {ASSESSMENT} is about")
            return
        known = {hashlib.sha256(content).hexdigest() for content in read.files.values()}
        for content in read.files.values():
            known.update(digest.decode() for digest in _DIGEST_BYTES.findall(content))
        printed = {digest for piece in read.text for digest in _DIGEST.findall(piece)}
        if strange := sorted(printed - known):
            self._wrong(what, f"they show a digest that the data embedded in it do not hold: {strange[0]}")
            return
        self._holds(what, f"the digests on them ({len(printed)} whole ones) are those of the data embedded in it")

    @property
    def content(self) -> Mapping[str, bytes]:
        """The files that agree with the manifest, by path."""
        return self._content

    @property
    def wrong(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.verdict is Verdict.INVALID)

    def _attestation(self, path: str, signers: Signers) -> Answer:
        """What one attestation says, after everything about it was checked. Raises ComplianceError."""
        bundle = read_bundle(self._content[path])
        if not isinstance(bundle.content, Envelope) or bundle.content.payload_type != IN_TOTO:
            raise _mismatch("it is not an in-toto statement")
        statement = read_statement(bundle.content.payload)
        if path == REPORT_SIGNATURE:
            return self._report_signature(path, bundle, statement, signers)
        proved = self._proved(path, bundle, signers, self._manifest.subject)
        if proved.verdict is Verdict.INVALID:
            raise _mismatch(proved.reason)
        if self._document is None:
            raise _mismatch(f"{ASSESSMENT} can't be compared with it")
        if self._manifest.subject not in statement.digests:
            raise _mismatch("it is about another image")
        compare = _COMPARISONS.get(statement.predicate_type)
        kind = plain_text(statement.predicate_type, 200)
        if compare is None:
            said = f"{proved.reason}: {kind}; its content was not compared with a file"
            return Answer(verdict=proved.verdict, reason=said)
        compare(statement, self._document, self._content)
        if statement.predicate_type == REFERENCE and path in REFERENCES and proved.verdict is Verdict.VERIFIED:
            self._sign(_references(statement))
        return Answer(verdict=proved.verdict, reason=f"{proved.reason}, and it agrees: {kind}")

    def _report_signature(self, path: str, bundle: Bundle, statement: Statement, signers: Signers) -> Answer:
        """What the signature of report.pdf as a file says. Raises ComplianceError."""
        if REPORT_PDF not in self._content:
            raise _mismatch(f"{REPORT_PDF}, which it signs, is missing or damaged")
        digest = f"sha256:{hashlib.sha256(self._content[REPORT_PDF]).hexdigest()}"
        if statement.predicate_type != COSIGN_SIGN or statement.digests != (digest,):
            raise _mismatch(f"it is no signature of the {REPORT_PDF} beside it")
        proved = self._proved(path, bundle, signers, digest)
        if proved.verdict is Verdict.INVALID:
            raise _mismatch(proved.reason)
        return Answer(verdict=proved.verdict, reason=f"{proved.reason}: the bytes of {REPORT_PDF}")

    def _proved(self, path: str, bundle: Bundle, signers: Signers, subject: str) -> Answer:
        """Who signed, by whatever there is to check it with; with a certificate it is checked as about `subject`."""
        if bundle.keyed and not signers.demanding:
            return self._proved_by_key(bundle)
        if signers.key is not None:
            return Answer(verdict=Verdict.INVALID, reason="it was made with a certificate, and a key is demanded")
        if signers.prove is None:
            reason = "its signature was not checked: it was made with a certificate"
            return Answer(verdict=Verdict.UNCHECKED, reason=reason)
        return signers.prove(self._content[path], subject)

    def _proved_by_key(self, bundle: Bundle) -> Answer:
        if self._key is None:
            return Answer(verdict=Verdict.UNCHECKED, reason="its signature was not checked: there is no key")
        assert isinstance(bundle.content, Envelope)  # noqa: S101
        if not signature_holds(self._key, bundle.content.signatures[0], bundle.content.signed):
            reason = f"its signature does not verify with key {key_id(self._key)}"
            return Answer(verdict=Verdict.INVALID, reason=reason)
        return Answer(verdict=Verdict.VERIFIED, reason="signed")

    def _sign(self, references: Mapping[str, str]) -> None:
        """Take over what a verified reference attestation says of files."""
        for path, sha256 in references.items():
            if self._signed.setdefault(path, sha256) != sha256:
                raise _mismatch(f"another reference attestation says another sha256 of {plain_text(path)}")

    def _holds(self, what: str, reason: str) -> None:
        self.findings.append(Finding(what=what, verdict=Verdict.VERIFIED, reason=reason))

    def _wrong(self, what: str, reason: str) -> None:
        self.findings.append(Finding(what=what, verdict=Verdict.INVALID, reason=reason))

    def _unproved(self, what: str, reason: str) -> None:
        self.findings.append(Finding(what=what, verdict=Verdict.UNCHECKED, reason=reason))


_Comparison = Callable[[Statement, JsonObject, Mapping[str, bytes]], None]


def _compare_sbom(statement: Statement, document: JsonObject, content: Mapping[str, bytes]) -> None:
    if SBOM not in content:
        raise _mismatch(f"{SBOM}, which it holds, is missing or damaged")
    if read_object(content[SBOM], SBOM).values != statement.predicate.values:
        raise _mismatch(f"the SBOM in it is another than {SBOM}")


def _compare_results(statement: Statement, document: JsonObject, content: Mapping[str, bytes]) -> None:
    """Check by check, so that the answer names the first that differs."""
    lists = result_lists(_outcomes(document))
    for name, checks in lists.items():
        stated = _texts(statement.predicate, name)
        for check in sorted(set(checks) ^ set(stated)):
            raise _mismatch(f"{plain_text(check)} is in {name} of only one of it and {ASSESSMENT}")
        if len(stated) != len(checks):
            raise _mismatch(f"{name} names a check twice")
    if statement.predicate.text("result") != overall_result(lists):
        raise _mismatch(f"its result is not that of {ASSESSMENT}")


def _compare_properties(statement: Statement, document: JsonObject, content: Mapping[str, bytes]) -> None:
    passed = {property_of(check) for check in result_lists(_outcomes(document))["passedTests"]}
    for name in sorted(passed ^ set(_texts(statement.predicate, "properties"))):
        raise _mismatch(f"{plain_text(name)} is a passed check in only one of it and {ASSESSMENT}")


def _compare_references(statement: Statement, document: JsonObject, content: Mapping[str, bytes]) -> None:
    """That each reference can be read; the digests are compared file by file, see `_Check.coverage`."""
    if not _references(statement):
        raise _mismatch("it refers to nothing")


_COMPARISONS: Mapping[str, _Comparison] = {
    CYCLONEDX: _compare_sbom,
    TEST_RESULT: _compare_results,
    SIMPLE_VERIFICATION_RESULT: _compare_properties,
    REFERENCE: _compare_references,
}


def _references(statement: Statement) -> dict[str, str]:
    references = statement.predicate.members("references")
    return {item.text("name"): item.member("digest").text("sha256") for item in references}


def _outcomes(document: JsonObject) -> dict[str, str]:
    return {check.text("id"): check.text("outcome") for check in document.members("checks")}


def _texts(value: JsonObject, key: str) -> list[str]:
    items = value.values.get(key)
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise value.wrong(key, "a list of texts")
    return items


def _mismatch(message: str) -> VerificationError:
    return VerificationError(message, code="bundle-invalid")
