"""manifest.json of an evidence bundle: every other file with its digest, size, media type and role."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from compliance.errors import VerificationError
from compliance.formats.signed_json import JsonObject, read_object
from compliance.formats.sigstore_bundle import BUNDLE_V03

MANIFEST = "manifest.json"
ASSESSMENT = "assessment.json"
SBOM = "sbom.cdx.json"
REPORT_PDF = "report.pdf"
REPORT_SIGNATURE = "report.pdf.sigstore.json"
"""The signature of report.pdf as a file, beside it: what signs it can't lie in it."""
BRANDING = "branding.json"
SIGNING_KEY = "attestations/signing-key.pub"
REFERENCE_ATTESTATION = "attestations/reference.sigstore.json"
"""Says the digest of every other file of a bundle."""
REPORT_REFERENCE = "attestations/report-files.sigstore.json"
"""Says those of the files that are embedded in report.pdf, in which it lies itself."""
REFERENCES = (REFERENCE_ATTESTATION, REPORT_REFERENCE)
ATTESTATION_SUFFIX = ".sigstore.json"

SCHEMA_VERSION = "1"
MANIFEST_SIZE_MAX = 4 * 2**20
FILES_MAX = 1000
FILE_SIZE_MAX = 512 * 2**20
"""Bytes of one file of a bundle; SBOMs and reports of the largest images stay well below."""
BUNDLE_SIZE_MAX = 2**30

_PATH = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}/){0,3}[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_SHA256 = re.compile(r"[0-9a-f]{64}")

# By path, else by ending: (media type, role).
_KNOWN: Mapping[str, tuple[str, str]] = {
    ASSESSMENT: ("application/json", "assessment"),
    SBOM: ("application/vnd.cyclonedx+json", "sbom"),
    "sbom.spdx.json": ("application/spdx+json", "sbom"),
    "oscal/assessment-results.json": ("application/json", "oscal-assessment-results"),
    "oscal/assessment-plan.json": ("application/json", "oscal-assessment-plan"),
    REPORT_PDF: ("application/pdf", "report"),
    REPORT_SIGNATURE: (BUNDLE_V03, "signature"),
    BRANDING: ("application/json", "branding"),
    "report.html": ("text/html", "report"),
    "findings.csv": ("text/csv", "findings"),
    SIGNING_KEY: ("application/x-pem-file", "public-key"),
}
_ENDINGS: Mapping[str, tuple[str, str]] = {
    ATTESTATION_SUFFIX: (BUNDLE_V03, "attestation"),
    ".json": ("application/json", "data"),
    ".pdf": ("application/pdf", "report"),
    ".html": ("text/html", "report"),
    ".md": ("text/markdown", "report"),
    ".csv": ("text/csv", "data"),
    ".xml": ("application/xml", "data"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BundledFile:
    """A line of the manifest; `sha256` in hex, `size` in bytes."""

    path: str
    sha256: str
    size: int
    media_type: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleManifest:
    """The manifest as read. `subject` is the digest of the image that the bundle is about."""

    content: bytes = field(repr=False)
    subject: str
    files: tuple[BundledFile, ...]


def is_bundle_path(path: str) -> bool:
    """Whether `path` may name a file of a bundle: relative, at most four plain parts, none starting with a dot."""
    return _PATH.fullmatch(path) is not None


def describe(path: str, content: bytes) -> BundledFile:
    """The manifest's line for a file; media type and role follow from its name."""
    known = _KNOWN.get(path)
    if known is None:
        endings = (kinds for ending, kinds in _ENDINGS.items() if path.endswith(ending))
        known = next(endings, ("application/octet-stream", "data"))
    return BundledFile(
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        media_type=known[0],
        role=known[1],
    )


def render_manifest(files: Mapping[str, bytes], assessment: JsonObject) -> bytes:
    """The manifest of `files`, sorted by path. Equal files give equal bytes."""
    tool = assessment.member("tool")
    lines = [describe(path, files[path]) for path in sorted(files)]
    document = {
        "schemaVersion": SCHEMA_VERSION,
        "tool": {"name": tool.text("name"), "version": tool.text("version")},
        "subject": {"digest": assessment.member("subject").text("digest")},
        "files": [
            {
                "path": line.path,
                "sha256": line.sha256,
                "size": line.size,
                "mediaType": line.media_type,
                "role": line.role,
            }
            for line in lines
        ],
    }
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()


def read_manifest(content: bytes) -> BundleManifest:
    """Read a manifest that anybody may have written.

    Raises FormatError, and VerificationError for paths that leave the folder, come twice, or are too many.
    """
    value = read_object(content, MANIFEST, size_max=MANIFEST_SIZE_MAX)
    if value.text("schemaVersion") != SCHEMA_VERSION:
        raise value.wrong("schemaVersion", f'"{SCHEMA_VERSION}"')
    value.member("tool").text("name")
    files = tuple(_line(item) for item in value.members("files"))
    if sum(file.size for file in files) > BUNDLE_SIZE_MAX:
        raise VerificationError(f"files of more than {BUNDLE_SIZE_MAX} bytes", code="limit-exceeded", where=MANIFEST)
    paths = {file.path for file in files}
    if len(paths) != len(files) or MANIFEST in paths or len(files) > FILES_MAX:
        raise VerificationError(
            f"{MANIFEST} lists a file twice, itself, or more than {FILES_MAX}", code="manifest-invalid", where=MANIFEST
        )
    return BundleManifest(content=content, subject=value.member("subject").text("digest"), files=files)


def _line(value: JsonObject) -> BundledFile:
    path = value.text("path")
    if not is_bundle_path(path):
        raise VerificationError("not a path inside an evidence bundle", code="path-unsafe", where=f"{value.where}.path")
    sha256, size = value.text("sha256"), value.number("size")
    if not _SHA256.fullmatch(sha256):
        raise value.wrong("sha256", "64 lower-case hexadecimal digits")
    if size > FILE_SIZE_MAX:
        raise VerificationError(
            f"a file of more than {FILE_SIZE_MAX} bytes", code="limit-exceeded", where=f"{value.where}.size"
        )
    return BundledFile(path=path, sha256=sha256, size=size, media_type=value.text("mediaType"), role=value.text("role"))
