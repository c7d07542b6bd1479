"""What reports say of a trust policy: every requirement with its state and reason, and what the verdict is due to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compliance.errors import ExitCode
from compliance.model.assessment import Assessment
from compliance.model.verification import (
    Attestation,
    PolicyAnswer,
    PolicyState,
    RequirementAnswer,
    SignatureKind,
    Signer,
    Verdict,
)
from reports import assessment_json, audit_page, markdown, table
from tests.builders.assessment import ESCAPING, assessment

REASON = "signed by somebody else, whom the policy does not accept for this"


def policy(state: PolicyState) -> PolicyAnswer:
    requirement = RequirementAnswer(
        images=f"registry.test/**{ESCAPING}",
        what=("signature",),
        signers=("release", "backup"),
        state=state,
        reason=REASON,
        materials=("sha256:" + "1" * 64,),
    )
    return PolicyAnswer(
        digest="sha256:" + "2" * 64,
        files=(("keys/release.pub", "sha256:" + "3" * 64),),
        image="registry.test/acme/app:v1",
        expires="2027-01-01T00:00:00Z",
        state=state,
        reason="0 of 1 requirements held",
        requirements=(requirement,),
    )


def assessed(state: PolicyState, outcome: ExitCode) -> Assessment:
    made = assessment()
    unsigned = Attestation(
        kind=SignatureKind.IN_TOTO_UNSIGNED,
        predicate_type="https://slsa.dev/provenance/v1",
        verdict=Verdict.UNSIGNED,
        signer=Signer(),
        transparency="none",
        reason="about this image; signed by nobody",
        material="sha256:" + "4" * 64,
        found_in="index sha256:5, blob 0",
    )
    verification = replace(made.evidence.verification, policy=policy(state), attestations=(unsigned,))
    return replace(
        made,
        evidence=replace(made.evidence, verification=verification),
        summary=replace(made.summary, outcome=outcome),
    )


@pytest.mark.parametrize("state", list(PolicyState))
def test_the_document_holds_the_answer_and_is_read_back(state: PolicyState) -> None:
    document = assessment_json.document(assessed(state, ExitCode.NOT_DETERMINED))
    found = document["verification"]["policy"]
    assert found is not None
    assert (found["state"], found["requirements"][0]["state"]) == (state.value, state.value)
    assert found["files"] == [{"name": "keys/release.pub", "digest": "sha256:" + "3" * 64}]
    assert assessment_json.parse(assessment_json.render(document)) == document


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (PolicyState.HELD, "holds"),
        (PolicyState.NOT_HELD, "DOES NOT HOLD"),
        (PolicyState.UNDETERMINED, "undetermined"),
    ],
)
def test_every_requirement_is_shown(state: PolicyState, word: str) -> None:
    document = assessment_json.document(assessed(state, ExitCode.NOT_DETERMINED))
    for shown in (table.render(document), audit_page.html(document, ())):
        assert "signature by release or backup" in shown
        assert REASON in " ".join(shown.split())
        assert word in shown
        assert "No key and no identity was named" not in shown
        assert "unsigned" in shown
    assert "sha256:" + "2" * 64 in audit_page.html(document, ())


@pytest.mark.parametrize(
    ("state", "outcome", "said"),
    [
        (PolicyState.NOT_HELD, ExitCode.NOT_VERIFIED, "The trust policy does not hold: 0 of 1 requirements held."),
        (PolicyState.HELD, ExitCode.NOT_SATISFIED, "failed"),
    ],
)
def test_the_verdict_says_what_it_is_due_to(state: PolicyState, outcome: ExitCode, said: str) -> None:
    document = assessment_json.document(assessed(state, outcome))
    assert said in markdown.render(document).decode()
    assert said in table.render(document)


def test_an_open_policy_is_the_reason_where_no_check_is_open() -> None:
    document = assessment_json.document(assessed(PolicyState.UNDETERMINED, ExitCode.NOT_DETERMINED))
    document["checks"] = [check for check in document["checks"] if check["outcome"] == "passed"]
    said = "Whether the trust policy holds could not be determined: 0 of 1 requirements held."
    assert said in markdown.render(document).decode()
