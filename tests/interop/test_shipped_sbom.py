"""DR-SBOM judges the documents of syft and our own, shipped with the sample images, by what is in the images."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from compliance import pipeline
from compliance.model.evidence import Evidence
from compliance.model.outcome import Failed, Outcome, Passed
from compliance.model.verification import Attestation, SignatureKind, Signer, Verdict
from controls.checks.dr_sbom import CHECK as DR_SBOM
from tests.interop.test_syft import syft_program

FORMATS = ("cyclonedx-json@1.6", "spdx-json")
NAMES = ("ordinary", "hardened")


def judged(evidence: Evidence, document: dict[str, Any]) -> Outcome:
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "image", "digest": {"sha256": evidence.image.digest.partition(":")[2]}}],
        "predicateType": "https://cyclonedx.org/bom",
        "predicate": document,
    }
    attestation = Attestation(
        kind=SignatureKind.SIGSTORE_BUNDLE,
        predicate_type="https://cyclonedx.org/bom",
        verdict=Verdict.UNCHECKED,
        signer=Signer(),
        transparency="none",
        reason="",
        material="sha256:0",
        found_in="referrer",
        subjects=(evidence.image.digest,),
        statement=json.dumps(statement).encode(),
    )
    return DR_SBOM.run(replace(evidence, verification=replace(evidence.verification, attestations=(attestation,))))


@pytest.fixture(scope="module")
def found(samples: Path) -> dict[str, Evidence]:
    options = pipeline.Options(now=datetime(2026, 11, 1, tzinfo=UTC))
    return {name: pipeline.gather(f"oci-dir:{samples / name}", options, requests=()) for name in NAMES}


def of_syft(layout: Path, form: str) -> dict[str, Any]:
    run = subprocess.run(
        [syft_program(), "-q", f"oci-dir:{layout}", "-o", form],
        capture_output=True,
        check=True,
        timeout=300,
        env={"SYFT_CHECK_FOR_APP_UPDATE": "false", "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
    )
    return dict(json.loads(run.stdout))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", NAMES)
def test_syfts_document_agrees_with_its_image_and_not_with_the_other(
    found: dict[str, Evidence], samples: Path, name: str, form: str
) -> None:
    document = of_syft(samples / name, form)
    outcome = judged(found[name], document)
    assert isinstance(outcome, Passed), outcome
    (other,) = set(NAMES) - {name}
    outcome = judged(found[other], document)
    assert isinstance(outcome, Failed)
    assert "which is not this image" in outcome.observations[0].summary


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", NAMES)
def test_our_document_agrees_with_its_image_and_not_with_the_other(
    found: dict[str, Evidence], name: str, form: str
) -> None:
    document = json.loads(pipeline.sbom(found[name], form))
    assert isinstance(judged(found[name], document), Passed)
    (other,) = set(NAMES) - {name}
    assert isinstance(judged(found[other], document), Failed)
