"""Evidence bundles: a folder with everything about one assessment, and a manifest of it.

`write_bundle` and `verify_bundle` are the whole interface. A bundle proves what its attestations sign; its
manifest is signed by nobody, and only says which files there should be.
"""

from __future__ import annotations

from compliance.store.bundle_manifest import BundledFile, describe
from compliance.store.bundle_verifier import BundleReport, Finding, verify_bundle
from compliance.store.bundle_writer import write_bundle

__all__ = ["BundleReport", "BundledFile", "Finding", "describe", "verify_bundle", "write_bundle"]
