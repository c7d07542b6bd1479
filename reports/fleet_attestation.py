"""The in-toto statement about the files of a fleet report: what gets signed. Nothing is signed here."""

from __future__ import annotations

from collections.abc import Iterable

from compliance.formats.intoto import REFERENCE, write_files_statement
from reports.attestation import ReferencedFile
from reports.fleet_document import FleetDocument


def files_statement(document: FleetDocument, files: Iterable[ReferencedFile]) -> bytes:
    """Reference v0.1 with each file as a subject, so that any of them can be verified alone.

    `hullmarkFleet` says which run of which fleet they are about, and what its hash chain and its store were.
    """
    files = sorted(files, key=lambda file: file.path)
    tool, run = document["tool"], document["run"]
    predicate = {
        "attester": {"id": f"pkg:generic/{tool['name']}@{tool['version']}"},
        "references": [
            {
                "name": file.path,
                "downloadLocation": file.path,
                "digest": {"sha256": file.sha256},
                "mediaType": file.media_type,
            }
            for file in files
        ],
        "hullmarkFleet": {
            "fleet": document["fleet"],
            "run": run["number"],
            "chain": run["chain"],
            "head": document["store"]["head"],
            "store": document["store"]["digest"],
        },
    }
    return write_files_statement(
        {file.path: file.sha256 for file in files}, predicate_type=REFERENCE, predicate=predicate
    )
