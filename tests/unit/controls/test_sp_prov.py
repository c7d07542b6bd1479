"""SP-PROV: what verified provenance says of the build, and the level it shows, which is never more than the first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from compliance.model.outcome import Failed, Outcome, Passed, Unknown
from compliance.model.verification import (
    Attestation,
    Demand,
    PolicyAnswer,
    PolicyState,
    RequirementAnswer,
    Verdict,
)
from compliance.pipeline import Options, Trust, open_image, verify
from controls.checks.sp_prov import CHECK
from tests.builders import others_reports as others
from tests.builders.evidence import NOW, evidence
from tests.builders.others_reports import attestation, told

ISSUER = "https://token.actions.githubusercontent.com"


def outcome(*attested: Attestation, **more: Any) -> Outcome:
    return others.outcome(CHECK, *attested, **more)


def test_builder_source_and_inputs_are_told() -> None:
    result = outcome(attestation(others.SLSA_V1, others.slsa_v1()))
    assert isinstance(result, Passed)
    text = told(result)
    assert "names the builder https://ci.example/build; no list of builders was given" in text
    assert f"built from https://github.com/acme/demo@refs/heads/main at gitCommit:{'a' * 40}." in text
    assert "workflow/v1 and names 2 inputs, 1 of them without a digest." in text


def test_no_more_than_level_one_is_claimed_and_only_where_builder_and_type_are_named() -> None:
    by_itself = told(outcome(attestation(others.SLSA_V1, others.slsa_v1())))
    assert "SLSA Build level 1 is shown; it is signed by the builder that it names; " in by_itself
    assert "levels 2 and 3 are not claimed: no list of trusted builders was given." in by_itself
    by_other = told(outcome(attestation(others.SLSA_V1, others.slsa_v1("https://builder.example"))))
    assert (
        "level 1 is shown; it is signed by https://ci.example/build (issuer https://issuer.example), not by" in by_other
    )
    assert "No SLSA Build level is shown" in told(outcome(attestation(others.SLSA_V1, {})))


def test_what_cannot_be_read_is_told_and_claims_nothing() -> None:
    result = outcome(attestation(others.SLSA_V1, {"buildDefinition": 7}))
    assert isinstance(result, Passed)
    assert "can't be read" in told(result)
    assert "level 1" not in told(result)


def test_a_verified_summary_is_told_as_its_verifiers_word() -> None:
    predicate = next(make for kind, make in others.SAMPLES if "verification_summary" in kind)()
    summary = attestation("https://slsa.dev/verification_summary/v1", predicate)
    assert "levels SLSA_BUILD_LEVEL_2" in told(outcome(attestation(others.SLSA_V1, others.slsa_v1()), summary))
    unverified = replace(summary, verdict=Verdict.UNCHECKED)
    assert "LEVEL_2" not in told(outcome(attestation(others.SLSA_V1, others.slsa_v1()), unverified))


@pytest.mark.parametrize(
    ("builders", "state", "said", "higher"),
    [
        (
            ("https://ci.example/*",),
            PolicyState.HELD,
            "that is one whom the trust policy accepts",
            "the trust policy accepts this builder, and does not say that it is hosted or keeps builds apart",
        ),
        (
            ("https://other/*",),
            PolicyState.NOT_HELD,
            "this is not what holds the trust policy's requirement on builders",
            "the trust policy does not accept it as of one of its builders",
        ),
        (
            (),
            PolicyState.HELD,
            "no list of builders was given to compare it with",
            "no list of trusted builders was given",
        ),
    ],
)
def test_a_policys_list_of_builders_is_told_and_makes_no_level(
    builders: tuple[str, ...], state: PolicyState, said: str, higher: str
) -> None:
    attested = attestation(others.SLSA_V1, others.slsa_v1())
    answer = RequirementAnswer(
        images="**",
        what=(others.SLSA_V1,),
        signers=("ci",),
        builders=builders,
        state=state,
        reason="r",
        materials=(attested.material,),
    )
    policy = PolicyAnswer(
        digest="sha256:0", files=(), image="x", expires=None, state=state, reason="r", requirements=(answer,)
    )
    found = others.with_reports(attested)
    result = CHECK.run(replace(found, verification=replace(found.verification, policy=policy)))
    assert f"names the builder https://ci.example/build; {said}." in told(result)
    assert "SLSA Build level 1 is shown" in told(result)
    assert f"levels 2 and 3 are not claimed: {higher}." in told(result)


def test_the_signer_decides() -> None:
    assert isinstance(outcome(), Unknown)
    assert isinstance(outcome(attestation(others.SLSA_V1, others.slsa_v1()), demand=Demand()), Unknown)
    assert isinstance(outcome(attestation(others.SLSA_V1, others.slsa_v1(), Verdict.INVALID)), Failed)


def test_provenance_of_a_real_builder_is_read_from_a_real_image(shared: Path) -> None:
    folder = shared / "fixtures" / "sigstore-real"
    builder = (
        "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml"
        "@refs/tags/v2.1.0"
    )
    root = (folder / "trusted_root.production.json").read_bytes()
    options = Options(trust=Trust(identity=builder, issuer=ISSUER, trusted_root=root), now=NOW)
    image = open_image(f"oci-dir:{folder / 'images-full' / 'slsa-v2.1.0'}", options)
    found = replace(evidence({}), image=image, verification=verify(image, options))
    result = CHECK.run(found)
    assert isinstance(result, Passed)
    text = told(result)
    assert f"names the builder {builder};" in text
    assert "git+https://github.com/slsa-framework/example-package@refs/heads/main at sha1:4d329c75e7ec" in text
    assert "it is signed by the builder that it names; levels 2 and 3 are not claimed" in text
