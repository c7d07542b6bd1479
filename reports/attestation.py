"""in-toto statements about an image, out of its assessment document: what gets signed. Nothing is signed here.

Each statement has the image's digest as its subject, and says only what the document says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from compliance.formats.intoto import (
    COSIGN_SIGN,
    CYCLONEDX,
    REFERENCE,
    SIMPLE_VERIFICATION_RESULT,
    TEST_RESULT,
    write_statement,
)
from compliance.formats.result_lists import overall_result, property_of, result_lists
from compliance.formats.signed_json import base64_text, read_object
from reports.document import Definition, Document


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferencedFile:
    """A file beside the attestation; `path` is relative to the evidence bundle, `sha256` in hex."""

    path: str
    sha256: str
    media_type: str


def sbom_statement(document: Document, sbom: bytes) -> bytes:
    """The whole CycloneDX JSON `sbom` as predicate. Raises FormatError when it is no JSON object."""
    return _statement(document, CYCLONEDX, read_object(sbom, "SBOM").values)


def results_statement(document: Document) -> bytes:
    """Test result v0.1: which checks passed, failed, or are undetermined, and by which configuration.

    Unknown and errored checks are `warnedTests`; those that do not apply are in no list. `hullmarkOutcomes` has
    the outcome of every check in our own words, `hullmarkWaived` those whose failure somebody accepted,
    `hullmarkUncounted` those that the answer for the image, `hullmarkOutcome`, does not rest on; `hullmarkControls`
    what the checks say about each control, by framework.
    """
    outcomes = _outcomes(document)
    lists = result_lists(outcomes)
    return _statement(
        document,
        TEST_RESULT,
        {
            "result": overall_result(lists),
            "configuration": _configuration(document),
            **lists,
            "hullmarkOutcomes": outcomes,
            "hullmarkWaived": sorted(check["id"] for check in document["checks"] if check["waiver"] is not None),
            "hullmarkUncounted": sorted(check["id"] for check in document["checks"] if not check["counts"]),
            "hullmarkOutcome": document["summary"]["outcome"],
            "hullmarkControls": _controls(document),
        },
    )


def verification_result_statement(document: Document) -> bytes:
    """Simple verification result v0.2: the checks that passed, as properties. What is not listed was not shown."""
    passed = result_lists(_outcomes(document))["passedTests"]
    return _statement(
        document,
        SIMPLE_VERIFICATION_RESULT,
        {
            "verifier": {"id": _tool_uri(document), "policies": _configuration(document)},
            "timeCreated": document["finishedAt"],
            "properties": [property_of(check) for check in passed],
        },
    )


def reference_statement(document: Document, files: Iterable[ReferencedFile]) -> bytes:
    """Reference v0.1: the digests of `files`. `downloadLocation`, which it demands, is relative to the bundle."""
    return _statement(
        document,
        REFERENCE,
        {
            "attester": {"id": _tool_uri(document)},
            "references": [
                {
                    "name": file.path,
                    "downloadLocation": file.path,
                    "digest": {"sha256": file.sha256},
                    "mediaType": file.media_type,
                }
                for file in sorted(files, key=lambda file: file.path)
            ],
        },
    )


def file_signature_statement(name: str, content: bytes) -> bytes:
    """That a file was signed, in the form of cosign's signatures: nothing is said of it but its digest."""
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return write_statement(name=name, digest=digest, predicate_type=COSIGN_SIGN, predicate={})


def _statement(document: Document, predicate_type: str, predicate: object) -> bytes:
    subject = document["subject"]
    return write_statement(
        name=subject["reference"],
        digest=subject["digest"],
        predicate_type=predicate_type,
        predicate=predicate,
    )


def _outcomes(document: Document) -> dict[str, str]:
    return {check["id"]: check["outcome"] for check in document["checks"]}


def _controls(document: Document) -> dict[str, dict[str, str]]:
    statuses: dict[str, dict[str, str]] = {}
    for control in document["controls"]:
        statuses.setdefault(control["framework"], {})[control["id"]] = control["status"]
    return statuses


def _configuration(document: Document) -> list[dict[str, object]]:
    """What the checks were run with, as resource descriptors: tool, control library, profile, files of the user."""
    tool, profile = document["tool"], document["profile"]
    algorithm, _, digest = tool["controlsDigest"].partition(":")
    return [
        {"name": "tool", "uri": _tool_uri(document)},
        {"name": "control library", "digest": {algorithm: digest}},
        {
            "name": "profile",
            "content": base64_text(profile["id"].encode()),
            "mediaType": "text/plain",
            "annotations": {"source": profile["source"]},
        },
        *map(_defined, document["definitions"]),
    ]


def _defined(file: Definition) -> dict[str, object]:
    return {"name": f"{file['role']} {file['name']}", "digest": {"sha256": file["sha256"]}}


def _tool_uri(document: Document) -> str:
    tool = document["tool"]
    return f"pkg:generic/{tool['name']}@{tool['version']}"
