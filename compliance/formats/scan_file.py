"""Reports that a user gives as files, recognised by their content. Nobody's signature covers them.

grype and trivy JSON, SARIF 2.1.0, CycloneDX with vulnerabilities (JSON), OpenVEX, CTRF, XCCDF results and ARF,
JUnit XML, ClamAV's report in text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from compliance.errors import FormatError
from compliance.formats.benchmark_result import BenchmarkScan, read_xccdf
from compliance.formats.cyclonedx_vulnerabilities import has_vulnerabilities, read_cyclonedx_vulnerabilities
from compliance.formats.grype_report import is_grype, read_grype
from compliance.formats.malware_scan import is_clamav, read_clamav
from compliance.formats.named_image import NO_IMAGE, NamedImage
from compliance.formats.predicates import Said
from compliance.formats.sarif_log import is_sarif, read_sarif
from compliance.formats.signed_json import JsonObject, read_object
from compliance.formats.suite_result import read_ctrf, read_junit
from compliance.formats.trivy_report import is_trivy, read_trivy
from compliance.formats.vex import OPENVEX, VexDocument, read_openvex
from compliance.formats.vulnerability_scan import VulnerabilityScan

SCAN_FILE_MAX = 128 * 2**20
"""Bytes of one file: grype writes 50 MB about a large image."""
KNOWN = "grype or trivy JSON, SARIF, CycloneDX or OpenVEX JSON, CTRF, XCCDF results, JUnit XML, ClamAV's report"

_CODE = "scan-unknown"
_COMMENT = re.compile(rb"(?s)<!--.*?-->")
_ELEMENT = re.compile(rb"<(?:[A-Za-z_][A-Za-z0-9_.-]*:)?([A-Za-z_][A-Za-z0-9_.-]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanFile:
    """A report as read: `form` in words, what it states, and the images that it names, if it names any."""

    form: str
    said: tuple[Said, ...]
    images: tuple[NamedImage, ...]

    @property
    def summary(self) -> str:
        """What it states in one line."""
        return "; ".join(said.summary for said in self.said)


def read_scan_file(content: bytes) -> ScanFile:
    """Recognise and read a report. Raises FormatError for what is none of the known ones, or is damaged."""
    if len(content) > SCAN_FILE_MAX:
        raise FormatError(f"a report of more than {SCAN_FILE_MAX} bytes", code="limit-exceeded")
    content = content.removeprefix(b"\xef\xbb\xbf")
    beginning = content[:4096].lstrip()
    if beginning.startswith(b"{"):
        return _from_json(read_object(content, "report"))
    if beginning.startswith(b"<"):
        return _from_xml(content, beginning)
    if is_clamav(content):
        return ScanFile(form="ClamAV report", said=(read_clamav(content),), images=())
    raise FormatError("not a report that is known here", code=_CODE, hint=KNOWN)


_JSON: tuple[tuple[str, Callable[[Mapping[str, object]], bool], Callable[[JsonObject], tuple[Said, ...]]], ...] = (
    ("grype report", is_grype, lambda it: (read_grype(it),)),
    ("trivy report", is_trivy, lambda it: (read_trivy(it),)),
    ("SARIF log", is_sarif, read_sarif),
    ("CycloneDX document", has_vulnerabilities, read_cyclonedx_vulnerabilities),
    (
        "OpenVEX document",
        lambda values: str(values.get("@context", "")).startswith(OPENVEX),
        lambda it: (read_openvex(it),),
    ),
    ("CTRF report", lambda values: values.get("reportFormat") == "CTRF", lambda it: (read_ctrf(it),)),
)


def _from_json(report: JsonObject) -> ScanFile:
    for form, recognises, read in _JSON:
        if recognises(report.values):
            said = read(report)
            return ScanFile(form=form, said=said, images=tuple(_images(said)))
    hint = KNOWN
    if report.values.get("bomFormat") == "CycloneDX":
        hint = "this CycloneDX document lists no vulnerabilities, so it says nothing about them"
    raise FormatError("not a report that is known here", code=_CODE, hint=hint)


def _from_xml(content: bytes, beginning: bytes) -> ScanFile:
    """By the outermost element, as far as the beginning shows it; the readers look again."""
    found = _ELEMENT.search(_COMMENT.sub(b"", beginning))
    root = found[1].decode() if found else ""
    if root in ("testsuites", "testsuite"):
        return ScanFile(form="JUnit file", said=(read_junit(content),), images=())
    if root in ("Benchmark", "TestResult", "asset-report-collection", "data-stream-collection"):
        scan = read_xccdf(content)
        return ScanFile(form="XCCDF results", said=(scan,), images=tuple(_images((scan,))))
    raise FormatError(f"not a report that is known here: <{root[:60]}>", code=_CODE, hint=KNOWN)


def _images(said: tuple[Said, ...]) -> list[NamedImage]:
    found: list[NamedImage] = []
    for one in said:
        if isinstance(one, VulnerabilityScan | VexDocument):
            found.append(one.image)
        elif isinstance(one, BenchmarkScan):
            found.extend(profile.image for profile in one.profiles)
    return list(dict.fromkeys(image for image in found if image != NO_IMAGE))
