"""Where evidence can be: in a folder, inside a PDF report, or attached to an image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from compliance.errors import StoreError, VerificationError
from compliance.model.verification import Verdict

if TYPE_CHECKING:
    from compliance.model.image import AttachedArtifact, Image
    from compliance.pipeline import Options, Trust
    from compliance.store.evidence_bundle import Answer, BundleReport, Finding, Prove, ReportChecks, Signers

TITLE = "org.opencontainers.image.title"
CREATED = "org.opencontainers.image.created"

_PDF_HEAD = b"%PDF-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Evidence as it was found. `files` are read already, all but those of a folder; `report` is a PDF alone."""

    kind: str
    place: str
    folder: Path | None = None
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    report: bytes | None = field(default=None, repr=False)
    image: Image | None = None
    findings: tuple[Finding, ...] = ()


def open_evidence(text: str, options: Options) -> Evidence:
    """The evidence at `text`: a folder with a manifest.json, a PDF, else an image reference.

    Raises StoreError where there is none, and what opening an image raises.
    """
    from compliance.store.bundle_manifest import MANIFEST

    path = Path(text)
    if path.is_dir() and not (path / "oci-layout").is_file() and not _is_image_folder(path, MANIFEST):
        return Evidence(kind="folder", place=text, folder=path)
    if _is_pdf(path):
        return _of_report(text, path)
    return _of_image(text, options)


def verify(evidence: Evidence, signers: Signers, report: ReportChecks) -> BundleReport:
    """Check all of it. Raises as `verify_bundle` does."""
    from dataclasses import replace

    from compliance.store.evidence_bundle import verify_bundle, verify_report

    if evidence.report is not None:
        assert report.read is not None  # noqa: S101  whoever reads a PDF alone has to be able to
        return verify_report(evidence.report, report.read, signers=signers, others=report.others)
    source = evidence.folder if evidence.folder is not None else evidence.files
    found = verify_bundle(source, signers=signers, report=report)
    more = (*evidence.findings, *_about_image(evidence, found.subject))
    return replace(found, findings=(*found.findings, *more))


def contents(evidence: Evidence) -> Mapping[str, bytes]:
    """Every file of it by path, the manifest among them. Raises StoreError, VerificationError."""
    from compliance.formats.signed_json import read_object
    from compliance.store.bundle_files import folder_files
    from compliance.store.bundle_manifest import ASSESSMENT, BUNDLE_SIZE_MAX, FILE_SIZE_MAX, MANIFEST, render_manifest

    if evidence.folder is not None:
        folder = folder_files(evidence.folder)
        files: dict[str, bytes] = {}
        room = BUNDLE_SIZE_MAX
        for path in sorted(folder.paths):
            files[path] = folder.read(path, min(room, FILE_SIZE_MAX))
            room -= len(files[path])
            if room < 0:
                raise VerificationError(f"files of more than {BUNDLE_SIZE_MAX} bytes", code="limit-exceeded")
        return files
    files = dict(evidence.files)
    if evidence.report is not None:
        files[MANIFEST] = render_manifest(files, read_object(files[ASSESSMENT], ASSESSMENT))
    return files


def prover(trust: Trust, options: Options, reference: str) -> Prove:
    """Checks a Sigstore bundle against `trust`, as those that are attached to an image are checked."""
    from dataclasses import replace

    from compliance import pipeline

    asked = replace(options, trust=trust)

    def prove(bundle: bytes, subject: str) -> Answer:
        from compliance.store.evidence_bundle import Answer

        found = pipeline.verify(_image_with(bundle, subject, reference), asked)
        for attestation in found.attestations:
            return Answer(verdict=attestation.verdict, reason=attestation.reason)
        for signature in found.signatures:  # that of a report: cosign's predicate type says that it is one
            return Answer(verdict=signature.verdict, reason=signature.reason)
        reason = found.unreadable[0][1] if found.unreadable else "it holds no attestation"
        return Answer(verdict=Verdict.INVALID, reason=reason)

    return prove


def _is_image_folder(path: Path, manifest: str) -> bool:
    """Whether a folder is an image that was saved, not evidence: both may have a manifest.json."""
    return not (path / manifest).is_file() and (path / "index.json").is_file()


def _is_pdf(path: Path) -> bool:
    try:
        if not path.is_file():
            return False
        with path.open("rb") as stream:
            return stream.read(len(_PDF_HEAD)) == _PDF_HEAD
    except (OSError, ValueError):
        return False


def _of_report(text: str, path: Path) -> Evidence:
    from compliance.formats.user_file import read_file
    from compliance.store.evidence_bundle import ReportContent, report_files
    from reports.pdf_attachments import PDF_SIZE_MAX, embedded_files

    content = read_file(path, "report", PDF_SIZE_MAX)
    files = report_files(ReportContent(files=embedded_files(content)))
    return Evidence(kind="report", place=text, files=files, report=content)


def _of_image(text: str, options: Options) -> Evidence:
    """The newest evidence that is attached to an image."""
    from compliance.pipeline import open_image
    from compliance.sign.attachment import EVIDENCE_TYPE

    image = open_image(text, options)
    found = [artifact for artifact in image.attached if artifact.artifact_type == EVIDENCE_TYPE]
    if not found:
        raise StoreError(
            "no evidence is attached to this image",
            code="evidence-missing",
            where=image.digest,
            hint="hullmark attest attaches it; hullmark verify checks signatures and attestations alone",
        )
    newest = max(found, key=lambda artifact: (artifact.annotations.get(CREATED, ""), artifact.name))
    return Evidence(kind="image", place=text, files=_titled(newest), image=image, findings=tuple(_notes(found, newest)))


def _titled(artifact: AttachedArtifact) -> Mapping[str, bytes]:
    """The files of an artifact by their titles. Raises VerificationError."""
    from compliance.formats.plain_text import plain_text
    from compliance.store.bundle_manifest import is_bundle_path

    if artifact.unread:
        raise VerificationError(
            f"the attached evidence can't be read: {plain_text(artifact.unread[0], 200)}",
            code="bundle-unreadable",
            where=artifact.name,
        )
    files: dict[str, bytes] = {}
    for blob in artifact.blobs:
        path = blob.descriptor.annotations.get(TITLE, "")
        if not is_bundle_path(path) or path in files:
            raise VerificationError(
                f"a layer is titled {plain_text(path, 100)!r}, which is no path of its own inside an evidence bundle",
                code="path-unsafe",
                where=artifact.name,
            )
        files[path] = blob.content
    return files


def _notes(found: list[AttachedArtifact], newest: AttachedArtifact) -> Iterator[Finding]:
    from compliance.store.evidence_bundle import Finding

    if len(found) > 1:
        others = f"{len(found)} bundles of evidence are attached; this is the newest, {newest.name}"
        yield Finding(what="attached evidence", verdict=Verdict.UNCHECKED, reason=f"{others}; the others were not read")


def _about_image(evidence: Evidence, subject: str) -> Iterator[Finding]:
    """Whether evidence that was attached to an image is about it, and its attestations lie there too."""
    from compliance.formats.sigstore_bundle import BUNDLE_TYPES
    from compliance.store.bundle_manifest import ATTESTATION_SUFFIX, REPORT_REFERENCE, REPORT_SIGNATURE
    from compliance.store.evidence_bundle import Finding

    image = evidence.image
    if image is None:
        return
    if subject != image.digest:
        reason = f"the evidence is about another image than the one it is attached to, {image.digest}"
        yield Finding(what="attached evidence", verdict=Verdict.INVALID, reason=reason)
        return
    yield Finding(what="attached evidence", verdict=Verdict.VERIFIED, reason="it is about the image it is attached to")
    attached = {
        blob.content
        for artifact in image.attached
        for blob in artifact.blobs
        if blob.descriptor.media_type in BUNDLE_TYPES
    }
    apart = (REPORT_REFERENCE, REPORT_SIGNATURE)  # the one is covered, the other is about a file
    missing = [
        path
        for path, content in sorted(evidence.files.items())
        if path.endswith(ATTESTATION_SUFFIX) and path not in apart and content not in attached
    ]
    for path in missing:
        reason = f"{path} is not attached to the image by itself, so that others may not find it"
        yield Finding(what="attached attestations", verdict=Verdict.UNCHECKED, reason=reason)


def _image_with(bundle: bytes, subject: str, reference: str) -> Image:
    """An image of which no more is known than its digest, and that `bundle` lies with it."""
    import hashlib

    from compliance.errors import ComplianceError
    from compliance.formats.sigstore_bundle import BUNDLE_V03
    from compliance.ingest.source import parse_reference
    from compliance.model.image import AttachedArtifact, AttachedBlob, AttachmentSource, Descriptor, Image
    from compliance.model.reference import ImageReference, Scheme

    try:
        named = parse_reference(reference)
    except ComplianceError:  # a path on another machine
        named = ImageReference(scheme=Scheme.REGISTRY, target="unknown")
    descriptor = Descriptor(
        media_type=BUNDLE_V03, digest=f"sha256:{hashlib.sha256(bundle).hexdigest()}", size=len(bundle)
    )
    artifact = AttachedArtifact(
        source=AttachmentSource.FILE,
        name="attestation",
        artifact_type=None,
        annotations={},
        blobs=(AttachedBlob(descriptor=descriptor, content=bundle),),
    )
    return Image(
        reference=named,
        digest=subject,
        media_type="",
        platform=None,
        manifest=b"",
        config_digest=None,
        config_bytes=b"",
        config=None,
        layers=(),
        attached=(artifact,),
    )
