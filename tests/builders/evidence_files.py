"""The files of a small evidence bundle, signed as the command signs them."""

from __future__ import annotations

import json

from compliance.sign.key_signer import SigningKey
from compliance.store.evidence_bundle import describe
from reports.assessment_json import document, render
from reports.attestation import (
    ReferencedFile,
    reference_statement,
    results_statement,
    sbom_statement,
    verification_result_statement,
)
from tests.builders.assessment import assessment

SBOM = json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": []}).encode()


def unsigned_files() -> dict[str, bytes]:
    """What a bundle holds before it is signed."""
    return {
        "assessment.json": render(document(assessment())),
        "sbom.cdx.json": SBOM,
        "oscal/assessment-results.json": b"{}\n",
        "report.pdf": b"%PDF-1.7\n",
        "findings.csv": b"check,outcome\n",
    }


def signed_files(key: SigningKey, files: dict[str, bytes] | None = None) -> dict[str, bytes]:
    """The same with the attestations of `key`, and its public half."""
    files = dict(unsigned_files() if files is None else files)
    about = document(assessment())
    statements = {
        "sbom": sbom_statement(about, files["sbom.cdx.json"]),
        "test-result": results_statement(about),
        "svr": verification_result_statement(about),
    }
    for name, statement in statements.items():
        files[f"attestations/{name}.sigstore.json"] = key.sign_statement(statement)
    files["attestations/signing-key.pub"] = key.public_pem
    lines = [describe(path, files[path]) for path in files]
    references = [ReferencedFile(path=line.path, sha256=line.sha256, media_type=line.media_type) for line in lines]
    files["attestations/reference.sigstore.json"] = key.sign_statement(reference_statement(about, references))
    return files
