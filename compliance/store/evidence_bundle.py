"""Evidence bundles: a folder with everything about one assessment, and a manifest of it.

`write_bundle`, `verify_bundle` and `verify_report` are the interface. A bundle proves what its attestations sign; its
manifest is signed by nobody, and only says which files there should be.
"""

from __future__ import annotations

from compliance.store.bundle_manifest import BundledFile, describe
from compliance.store.bundle_verifier import (
    Answer,
    BundleReport,
    Finding,
    Prove,
    ReportChecks,
    ReportContent,
    Signers,
    report_files,
    verify_bundle,
    verify_report,
)
from compliance.store.bundle_writer import write_bundle, write_files

__all__ = [
    "Answer",
    "BundleReport",
    "BundledFile",
    "Finding",
    "Prove",
    "ReportChecks",
    "ReportContent",
    "Signers",
    "describe",
    "report_files",
    "verify_bundle",
    "verify_report",
    "write_bundle",
    "write_files",
]
