"""What counts as asked for: signers, policies and files that the user named, and nothing that came with the image."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from compliance.model.evidence import ApprovedBase, Evidence, SuppliedReport
from compliance.model.filesystem import FileTree
from compliance.model.inventory import Inventory
from compliance.model.verification import Attestation, Demand, Integrity, Signer, Verdict, Verification
from compliance.model.verification import SignatureKind as Kind
from controls.asking import asked_for
from tests.builders import others_reports as others
from tests.builders.evidence import evidence

PLAIN = evidence({"app": "x"})


def demanding(**demand: object) -> Evidence:
    verification = Verification(integrity=Integrity(checked=()), demand=Demand(**demand))  # type: ignore[arg-type]
    return replace(PLAIN, verification=verification)


def supplied(report: object) -> Evidence:
    content = report if isinstance(report, bytes) else json.dumps(report).encode()
    return replace(
        PLAIN, supplied=(SuppliedReport(name="r", sha256=hashlib.sha256(content).hexdigest(), content=content),)
    )


def test_a_plain_assessment_asks_about_the_image_alone() -> None:
    assert asked_for(PLAIN, baseline=False) == frozenset()


@pytest.mark.parametrize("demand", [{"key_id": "00"}, {"identity": "a@b", "issuer": "https://i"}])
def test_a_signer_named_for_everything_is_asked_about_the_image(demand: dict[str, str]) -> None:
    assert asked_for(demanding(**demand), baseline=False) == {"SP-SIG"}


@pytest.mark.parametrize(
    ("what", "checks"),
    [
        ("signature", {"SP-SIG"}),
        ("https://slsa.dev/provenance/v1", {"SP-PROV"}),
        ("https://cyclonedx.org/bom", {"SP-SBOM", "SP-SBOMSIG"}),
        ("https://spdx.dev/Document/v2.3", {"SP-SBOM", "SP-SBOMSIG"}),
        ("https://in-toto.io/attestation/vulns/v0.1", {"SP-VULN"}),
        ("https://openvex.dev/ns/v0.2.0", {"SP-VEX"}),
        ("https://in-toto.io/attestation/test-result/v0.1", {"SP-TEST"}),
        ("https://example.org/something-else", set()),
    ],
)
def test_a_policy_asks_for_the_kinds_that_it_requires(what: str, checks: set[str]) -> None:
    assert asked_for(demanding(by_policy=(what,)), baseline=False) == checks


@pytest.mark.parametrize(
    ("report", "check"),
    [
        (others.trivy(others.trivy_vulnerability()), "SP-VULN"),
        (others.grype(others.grype_match("CVE-2026-1")), "SP-VULN"),
        (others.clamav().encode(), "SP-MALWARE"),
    ],
)
def test_a_report_asks_for_the_check_that_reads_its_kind_whatever_it_says(report: object, check: str) -> None:
    assert asked_for(supplied(report), baseline=False) == {check}


def test_a_baseline_and_approved_bases_ask_by_being_named() -> None:
    assert asked_for(PLAIN, baseline=True) == {"DR-BASELINE"}
    assert asked_for(replace(PLAIN, approved_bases=(ApprovedBase(named="x"),)), baseline=False) == {"SP-BASE"}


def test_evidence_neither_asks_nor_unasks() -> None:
    """With all that an image can bring, and with all of it taken away, the same is asked."""
    attested = Attestation(
        kind=Kind.SIGSTORE_BUNDLE, predicate_type="https://slsa.dev/provenance/v1", verdict=Verdict.VERIFIED,
        signer=Signer(key_id="00"), transparency="none", reason="r", material="m", found_in="f",
    )  # fmt: skip
    for asking in (demanding(), demanding(key_id="00"), demanding(by_policy=("signature",))):
        rich = replace(asking, verification=replace(asking.verification, attestations=(attested,)))
        bare = replace(asking, filesystem=FileTree({}), inventory=Inventory(packages=()))
        assert asked_for(rich, baseline=False) == asked_for(asking, baseline=False) == asked_for(bare, baseline=False)
