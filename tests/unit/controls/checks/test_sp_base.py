"""SP-BASE: pass, fail, not applicable and unknown; the approved images are built and looked up by the real sources."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from compliance.errors import UsageError
from compliance.model.evidence import ApprovedBase, Evidence
from compliance.model.image import BaseImage
from compliance.model.outcome import Failed, NotApplicable, Outcome, Passed, Unknown
from compliance.model.verification import Attestation, Demand, SignatureKind, Signer, Verdict
from compliance.pipeline import Options, assess
from controls.checks.sp_base import CHECK
from tests.builders.evidence import DIGEST, NOW, evidence
from tests.builders.layout import Layout, Nodes

LOWER: Nodes = {"etc/os-release": "ID=debian\n"}
UPPER: Nodes = {"app/run": "x"}
BASE_DIGEST = "org.opencontainers.image.base.digest"


def built(root: Path, layers: Sequence[Nodes], **more: object) -> str:
    """The reference of a new image in its own layout."""
    Layout(root=root).add_image(layers, **more)  # type: ignore[arg-type]
    return f"oci-dir:{root}"


def outcome(image: str, *approved: str) -> Outcome:
    assessment = assess(image, replace(Options(now=NOW), approved_bases=approved, frameworks=("slsa",)))
    found = next(result for result in assessment.results if result.check is CHECK).outcome
    assert isinstance(found, Passed | Failed | NotApplicable | Unknown)
    return found


def test_without_a_list_it_is_unknown_and_a_root_filesystem_has_no_base(tmp_path: Path) -> None:
    image = built(tmp_path / "image", [LOWER, UPPER])
    found = outcome(image)
    assert isinstance(found, Unknown)
    assert "--approved-base" in found.reason
    assert isinstance(CHECK.run(evidence({}, without_config=True)), NotApplicable)


def test_an_image_on_an_approved_base_passes_by_its_layers(tmp_path: Path) -> None:
    base, image = built(tmp_path / "base", [LOWER]), built(tmp_path / "image", [LOWER, UPPER])
    found = outcome(image, "oci-dir:" + str(tmp_path / "nowhere"), base)
    assert isinstance(found, Passed)
    assert "lowest 1 of 2 layers" in found.observations[0].summary
    assert isinstance(outcome(base, base), Passed)


def test_an_image_on_another_base_is_unknown_where_its_base_cannot_be_shown(tmp_path: Path) -> None:
    base = built(tmp_path / "base", [{"etc/os-release": "ID=other\n"}])
    claim = {BASE_DIGEST: "sha256:" + "b" * 64}
    image = built(tmp_path / "image", [LOWER, UPPER], manifest_extra={"annotations": claim})
    found = outcome(image, base)
    assert isinstance(found, Unknown)
    assert "unsigned claim" in found.reason


def test_a_base_without_layers_approves_nothing(tmp_path: Path) -> None:
    empty, image = built(tmp_path / "base", []), built(tmp_path / "image", [LOWER, UPPER])
    assert isinstance(outcome(image, empty), Unknown)


def beside(tmp_path: Path) -> tuple[str, str]:
    """An image whose base lies in the same layout, and the base's digest."""
    layout = Layout(root=tmp_path / "image")
    base = str(layout.add_image([LOWER], tag="base", listed=False)["digest"])
    layout.add_image([LOWER, UPPER], tag="app", manifest_extra={"annotations": {BASE_DIGEST: base}})
    return f"oci-dir:{layout.root}", base


def test_a_digest_is_enough_where_the_base_lies_beside_the_image(tmp_path: Path) -> None:
    image, base = beside(tmp_path)
    assert isinstance(outcome(image, base), Passed)
    assert isinstance(outcome(image, f"oci-dir:/nowhere@{base}"), Passed)


def test_a_base_that_is_shown_and_not_on_the_list_fails(tmp_path: Path) -> None:
    image, base = beside(tmp_path)
    other = built(tmp_path / "other", [{"etc/os-release": "ID=other\n"}])
    found = outcome(image, other)
    assert isinstance(found, Failed)
    assert found.observations[0].value == base
    # One of the list can't be read: it may be the base, under another digest.
    assert isinstance(outcome(image, other, "oci-dir:" + str(tmp_path / "nowhere")), Unknown)


def test_a_digest_that_is_nowhere_to_be_read_is_unknown(tmp_path: Path) -> None:
    image = built(tmp_path / "image", [LOWER, UPPER])
    found = outcome(image, "sha256:" + "c" * 64)
    assert isinstance(found, Unknown)
    assert "not at hand" in found.reason


def test_what_is_neither_reference_nor_digest_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        outcome(built(tmp_path / "image", [LOWER]), "oci-dir:")


PIN, OTHER = "sha256:" + "c" * 64, "sha256:" + "d" * 64


def provenance(*digests: str, verdict: Verdict = Verdict.VERIFIED) -> Attestation:
    dependencies = [
        {"uri": f"pkg:docker/base@{number}", "digest": {"sha256": digest.partition(":")[2]}}
        for number, digest in enumerate(digests)
    ]
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "x", "digest": {"sha256": DIGEST.partition(":")[2]}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {"buildDefinition": {"resolvedDependencies": dependencies}},
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
        subjects=(DIGEST,),
        statement=json.dumps(statement).encode(),
    )


def attested(*digests: str, approved: Sequence[ApprovedBase], verdict: Verdict = Verdict.VERIFIED) -> Outcome:
    found: Evidence = evidence({}, layers=2)
    signed = replace(
        found.verification, attestations=(provenance(*digests, verdict=verdict),), demand=Demand(key_id="ab")
    )
    return CHECK.run(replace(found, verification=signed, approved_bases=tuple(approved)))


KNOWN = ApprovedBase(named=PIN, digests=(PIN,), diff_ids=("sha256:" + "e" * 64,))
ONLY_DIGEST = ApprovedBase(named=PIN, digests=(PIN,), problem="only its digest is known")


@pytest.mark.parametrize(
    ("digests", "approved", "verdict", "wanted"),
    [
        ((PIN,), (KNOWN,), Verdict.VERIFIED, Passed),
        ((PIN,), (ONLY_DIGEST,), Verdict.VERIFIED, Passed),
        ((PIN, OTHER), (KNOWN,), Verdict.VERIFIED, Unknown),
        ((OTHER,), (KNOWN,), Verdict.VERIFIED, Failed),
        ((OTHER,), (ONLY_DIGEST,), Verdict.VERIFIED, Unknown),
        ((), (KNOWN,), Verdict.VERIFIED, Unknown),
        ((PIN,), (KNOWN,), Verdict.UNCHECKED, Unknown),
        ((OTHER,), (KNOWN,), Verdict.INVALID, Unknown),
    ],
)
def test_verified_provenance_shows_what_an_image_was_built_from(
    digests: Sequence[str], approved: Sequence[ApprovedBase], verdict: Verdict, wanted: type[Outcome]
) -> None:
    assert isinstance(attested(*digests, approved=approved, verdict=verdict), wanted)


def test_a_claimed_base_whose_layers_are_not_in_the_image_shows_nothing() -> None:
    found = evidence({}, layers=2)
    false = BaseImage(digest=OTHER, diff_ids=("sha256:" + "f" * 64,))
    claimed = replace(found, image=replace(found.image, base=false), approved_bases=(KNOWN,))
    assert isinstance(CHECK.run(claimed), Unknown)
