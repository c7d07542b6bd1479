"""Check an evidence bundle offline: files against its manifest, attestations against a key, one against the other."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from compliance.errors import ComplianceError, FormatError, StoreError, VerificationError
from compliance.formats.dsse import IN_TOTO, Envelope
from compliance.formats.intoto import (
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
from compliance.formats.sigstore_bundle import read_bundle
from compliance.model.verification import Verdict
from compliance.store.bundle_manifest import (
    ASSESSMENT,
    ATTESTATION_SUFFIX,
    FILE_SIZE_MAX,
    FILES_MAX,
    MANIFEST,
    MANIFEST_SIZE_MAX,
    REFERENCE_ATTESTATION,
    REPORT_PDF,
    SBOM,
    SIGNING_KEY,
    BundleManifest,
    read_manifest,
    render_manifest,
)

EmbeddedFiles = Callable[[bytes], Mapping[str, bytes]]
"""Reads the files embedded in a PDF, by name."""


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
    directory: Path, *, key: bytes | None = None, embedded_files: EmbeddedFiles | None = None
) -> BundleReport:
    """Check the bundle in `directory`, offline, without following any link.

    `key` (PEM) is whose signature is demanded. Without it the key shipped in the bundle is taken, which proves
    that nothing changed since that key signed, not who signed: anybody can make a bundle with a key of theirs.
    `embedded_files` reads what report.pdf carries, to compare it with the files beside it; without it the PDF is
    covered by its digest only.

    Raises StoreError where there is no bundle, VerificationError or FormatError where it can't be read safely,
    FormatError for a `key` that is none. All else that is wrong is a finding: ask `BundleReport.demand`.
    """
    return _checked(directory, key, embedded_files)[0]


def read_bundle_files(directory: Path, subject: str) -> Mapping[str, bytes]:
    """The files of a bundle about the image with digest `subject`, by path, without its manifest.

    They are as the manifest says, agree with each other, and with the bundle's attestations if it has some; their
    signatures are checked with the key that the bundle brings along. Raises like `verify_bundle`, and
    VerificationError when anything does not hold or the bundle is about another image.
    """
    report, files = _checked(directory, None, None)
    report.demand()
    if report.subject != subject:
        raise VerificationError(
            f"the evidence bundle is about {plain_text(report.subject, 100)}, not about this image",
            code="subject-mismatch",
            where=str(directory),
        )
    return files


def _checked(
    directory: Path, key: bytes | None, embedded_files: EmbeddedFiles | None
) -> tuple[BundleReport, Mapping[str, bytes]]:
    found = _regular_files(directory)
    if MANIFEST not in found:
        raise StoreError(f"no evidence bundle: there is no {MANIFEST}", code="bundle-missing", where=str(directory))
    manifest = read_manifest(_read(directory, MANIFEST, MANIFEST_SIZE_MAX))
    check = _Check(directory, manifest, found)
    check.files()
    check.assessment()
    check.manifest()
    public_key = check.signer(key)
    check.attestations(public_key)
    check.coverage()
    check.report(embedded_files)
    report = BundleReport(
        subject=manifest.subject,
        key_id=None if public_key is None else key_id(public_key),
        findings=tuple(check.findings),
    )
    return report, check.content


class _Check:
    """One run over one bundle; collects findings."""

    def __init__(self, directory: Path, manifest: BundleManifest, found: frozenset[str]) -> None:
        self.findings: list[Finding] = []
        self._directory = directory
        self._manifest = manifest
        self._found = found
        self._content: dict[str, bytes] = {}  # of the files that agree with the manifest
        self._document: JsonObject | None = None
        self._signed: dict[str, str] = {}  # path to sha256, as a verified reference attestation says

    def files(self) -> None:
        """Every listed file is there with its size and digest, and no other is."""
        for line in self._manifest.files:
            if line.path not in self._found:
                self._wrong(line.path, "it is missing")
                continue
            try:
                content = _read(self._directory, line.path, line.size)
            except ComplianceError as error:
                self._wrong(line.path, error.message)
                continue
            if len(content) != line.size or hashlib.sha256(content).hexdigest() != line.sha256:
                self._wrong(line.path, f"it is not the file that {MANIFEST} lists: size or sha256 differs")
                continue
            self._content[line.path] = content
        listed = {line.path for line in self._manifest.files}
        for path in sorted(self._found - listed - {MANIFEST}):
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

    def signer(self, key: bytes | None) -> PublicKey | None:
        """The key to check with, and what that can prove."""
        if key is not None:
            public_key = load_public_key(key)
            self._holds("signer", f"the given key {key_id(public_key)} is demanded")
            return public_key
        shipped = self._content.get(SIGNING_KEY)
        if shipped is None:
            self._unproved("signer", "no key was given, and the bundle ships none: no signature was checked")
            return None
        try:
            public_key = load_public_key(shipped)
        except FormatError as error:
            self._wrong(SIGNING_KEY, str(error))
            return None
        self._unproved(
            "signer",
            f"no key was given, so the one in the bundle ({key_id(public_key)}) was taken: that shows that nothing "
            "changed since it signed, not who signed",
        )
        return public_key

    def attestations(self, key: PublicKey | None) -> None:
        """Each attestation is signed with `key`, is about the image, and agrees with the files beside it."""
        paths = [path for path in sorted(self._content) if path.endswith(ATTESTATION_SUFFIX)]
        if not paths:
            self._unproved("attestations", "there are none: nobody signed this bundle")
        for path in paths:
            if key is None:
                self._unproved(path, "its signature was not checked: there is no key")
                continue
            try:
                self._holds(path, self._attestation(path, key))
            except ComplianceError as error:
                self._wrong(path, error.message if isinstance(error, VerificationError) else str(error))

    def coverage(self) -> None:
        """Whether a signed reference covers each file; the manifest alone can be rewritten by anybody."""
        for path in sorted(self._content):
            if path not in self._signed and path.endswith(ATTESTATION_SUFFIX):
                continue  # it carries its own signature
            if path not in self._signed:
                self._unproved(path, f"it is as {MANIFEST} says, but no verified reference attestation covers it")
            elif hashlib.sha256(self._content[path]).hexdigest() == self._signed[path]:
                self._holds(path, "its sha256 is signed")
            else:
                self._wrong(path, "its sha256 is not the one that was signed")
        for path in sorted(set(self._signed) - set(self._content)):
            if path not in {finding.what for finding in self.wrong}:
                self._wrong(path, "it was signed, and is missing")

    def report(self, embedded_files: EmbeddedFiles | None) -> None:
        """What report.pdf carries is what lies beside it."""
        content = self._content.get(REPORT_PDF)
        if content is None or embedded_files is None:
            return
        try:
            embedded = embedded_files(content)
        except ComplianceError as error:
            self._wrong(REPORT_PDF, str(error))
            return
        for name in sorted(embedded):
            if name in self._content and embedded[name] != self._content[name]:
                self._wrong(REPORT_PDF, f"the {plain_text(name)} embedded in it is another than the one beside it")
                return
        self._holds(REPORT_PDF, f"the files embedded in it ({len(embedded)}) are those beside it")

    @property
    def content(self) -> Mapping[str, bytes]:
        """The files that agree with the manifest, by path."""
        return self._content

    @property
    def wrong(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.verdict is Verdict.INVALID)

    def _attestation(self, path: str, key: PublicKey) -> str:
        """What one attestation says, after everything about it was checked. Raises ComplianceError."""
        bundle = read_bundle(self._content[path])
        if not bundle.keyed or not isinstance(bundle.content, Envelope) or bundle.content.payload_type != IN_TOTO:
            raise _mismatch("it is not an in-toto statement signed with a key")
        if not signature_holds(key, bundle.content.signatures[0], bundle.content.signed):
            raise _mismatch(f"its signature does not verify with key {key_id(key)}")
        statement = read_statement(bundle.content.payload)
        if self._document is None:
            raise _mismatch(f"{ASSESSMENT} can't be compared with it")
        if self._manifest.subject not in statement.digests:
            raise _mismatch("it is about another image")
        compare = _COMPARISONS.get(statement.predicate_type)
        if compare is None:
            return f"signed: {plain_text(statement.predicate_type, 200)}; its content was not compared with a file"
        compare(statement, self._document, self._content)
        if statement.predicate_type == REFERENCE and path == REFERENCE_ATTESTATION:
            self._signed = _references(statement)
        return f"signed, and it agrees: {statement.predicate_type}"

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


def _regular_files(directory: Path) -> frozenset[str]:
    """The paths of all files below. Raises VerificationError for links and devices: they could lead anywhere."""
    if directory.is_symlink() or not directory.is_dir():
        raise StoreError("no evidence bundle: not a folder", code="bundle-missing", where=str(directory))
    paths: set[str] = set()
    folders = [""]
    while folders:
        folder = folders.pop()
        with os.scandir(directory / folder) as entries:
            for entry in entries:
                path = f"{folder}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    folders.append(f"{path}/")
                elif entry.is_file(follow_symlinks=False):
                    paths.add(path)
                else:
                    raise VerificationError(
                        "an evidence bundle holds plain files only", code="path-unsafe", where=plain_text(path)
                    )
                if len(paths) + len(folders) > 2 * FILES_MAX:
                    raise VerificationError(f"more than {2 * FILES_MAX} files", code="limit-exceeded")
    return frozenset(paths)


def _read(directory: Path, path: str, size_max: int) -> bytes:
    """The bytes of one file, at most one more than `size_max`; a link in its place is refused."""
    try:
        descriptor = os.open(directory / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise VerificationError(f"it can't be read: {error.strerror}", code="bundle-unreadable", where=path) from None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > FILE_SIZE_MAX:
            raise VerificationError("it is too large, or no plain file", code="limit-exceeded", where=path)
        try:
            return file.read(size_max + 1)
        except OSError as error:
            raise VerificationError(
                f"it can't be read: {error.strerror}", code="bundle-unreadable", where=path
            ) from None
