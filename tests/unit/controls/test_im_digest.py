"""IM-DIGEST: the image and its base by digest."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from compliance.model.evidence import Evidence
from compliance.model.outcome import Failed, NotApplicable, Passed, Unknown
from compliance.model.reference import ImageReference, Scheme
from compliance.model.verification import Attestation, Demand, SignatureKind, Signer, Verdict
from controls.checks.im_digest import CHECK as IM_DIGEST
from tests.builders.evidence import DIGEST, evidence

BASE = {"org.opencontainers.image.base.digest": "sha256:" + "b" * 64, "org.opencontainers.image.base.name": "x/base:1"}
PIN = "c" * 64
NAMED = Demand(key_id="ab")


def referred(scheme: Scheme, *, tag: str | None = None, digest: str | None = None, base: bool = False) -> Evidence:
    found = evidence({}, annotations=BASE if base else {})
    reference = ImageReference(scheme=scheme, target="r.example/app", tag=tag, digest=digest)
    return replace(found, image=replace(found.image, reference=reference))


def provenance(subject: str, verdict: Verdict, predicate: object) -> Attestation:
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "x", "digest": {"sha256": subject.partition(":")[2]}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": predicate,
    }
    return Attestation(
        kind=SignatureKind.SIGSTORE_BUNDLE,
        predicate_type="https://slsa.dev/provenance/v1",
        verdict=verdict,
        signer=Signer(key_id="ab"),
        transparency="none",
        reason="",
        material="sha256:0",
        found_in="referrer",
        subjects=(subject,),
        statement=json.dumps(statement).encode(),
    )


def with_provenance(attestation: Attestation, demand: Demand = NAMED) -> Evidence:
    found = referred(Scheme.REGISTRY, digest=DIGEST)
    return replace(found, verification=replace(found.verification, attestations=(attestation,), demand=demand))


V1 = {"buildDefinition": {"resolvedDependencies": [{"uri": "pkg:docker/x/base@1", "digest": {"sha256": PIN}}]}}
V02 = {"materials": [{"uri": "pkg:docker/x/base@1?platform=linux%2Famd64", "digest": {"sha256": PIN}}]}


@pytest.mark.parametrize("scheme", [Scheme.REGISTRY, Scheme.OCI_DIR, Scheme.DOCKER, Scheme.PODMAN])
@pytest.mark.parametrize("tag", [None, "latest", "1.2.3"])
def test_a_reference_without_digest_fails(scheme: Scheme, tag: str | None) -> None:
    assert isinstance(IM_DIGEST.run(referred(scheme, tag=tag, base=True)), Failed)


def test_a_pinned_reference_and_a_stated_base_pass_and_the_claim_is_called_one() -> None:
    outcome = IM_DIGEST.run(referred(Scheme.REGISTRY, tag="1", digest=DIGEST, base=True))
    assert isinstance(outcome, Passed)
    assert "unsigned" in outcome.observations[1].summary


def test_the_digest_of_the_index_pins_too() -> None:
    index = "sha256:" + "9" * 64
    found = referred(Scheme.REGISTRY, digest=index, base=True)
    assert isinstance(IM_DIGEST.run(found), Failed)
    assert isinstance(IM_DIGEST.run(replace(found, image=replace(found.image, index_digest=index))), Passed)


def test_a_base_that_nothing_shows_is_unknown() -> None:
    assert isinstance(IM_DIGEST.run(referred(Scheme.REGISTRY, digest=DIGEST)), Unknown)


@pytest.mark.parametrize("predicate", [V1, V02])
def test_verified_provenance_shows_the_base(predicate: object) -> None:
    outcome = IM_DIGEST.run(with_provenance(provenance(DIGEST, Verdict.VERIFIED, predicate)))
    assert isinstance(outcome, Passed)
    assert f"sha256:{PIN}" in outcome.observations[1].summary


@pytest.mark.parametrize(
    "attestation",
    [
        provenance(DIGEST, Verdict.UNCHECKED, V1),
        provenance(DIGEST, Verdict.INVALID, V1),
        provenance("sha256:" + "7" * 64, Verdict.VERIFIED, V1),
        provenance(DIGEST, Verdict.VERIFIED, {}),
        provenance(DIGEST, Verdict.VERIFIED, {"materials": "x"}),
        provenance(DIGEST, Verdict.VERIFIED, {"materials": [{"uri": "pkg:docker/x", "digest": {"sha256": "short"}}]}),
        provenance(DIGEST, Verdict.VERIFIED, {"materials": [{"uri": "git+https://x", "digest": {"sha256": PIN}}]}),
        replace(provenance(DIGEST, Verdict.VERIFIED, V1), statement=b"not json"),
    ],
)
def test_provenance_that_does_not_verify_or_says_nothing_shows_no_base(attestation: Attestation) -> None:
    assert isinstance(IM_DIGEST.run(with_provenance(attestation)), Unknown)


def test_provenance_signed_by_just_anybody_shows_no_base() -> None:
    assert isinstance(IM_DIGEST.run(with_provenance(provenance(DIGEST, Verdict.VERIFIED, V1), Demand())), Unknown)


def test_archives_and_root_filesystems_are_no_references() -> None:
    assert isinstance(IM_DIGEST.run(referred(Scheme.OCI_ARCHIVE, base=True)), Unknown)
    assert isinstance(IM_DIGEST.run(referred(Scheme.DOCKER_ARCHIVE)), Unknown)
    assert isinstance(IM_DIGEST.run(referred(Scheme.DIR)), NotApplicable)
