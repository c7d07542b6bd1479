"""Trust policies against real signatures: what holds, what does not and why, and that less evidence never does."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from compliance.errors import FormatError
from compliance.formats.dsse import IN_TOTO, Envelope, pre_authentication_encoding
from compliance.formats.intoto import COSIGN_SIGN, write_statement
from compliance.formats.public_key import public_pem
from compliance.formats.sigstore_bundle import write_keyed_bundle
from compliance.model.image import AttachedArtifact, AttachmentSource
from compliance.model.verification import PolicyState, Verdict, Verification
from compliance.verify.image_pattern import names
from compliance.verify.trust_policy import together
from compliance.verify.trust_policy_file import read_policy
from compliance.verify.verifier import verify_by_policy
from tests.builders.signed_image import BUNDLE, artifact, blob, image_of, sha256, verdicts
from tests.builders.sigstore_instance import IDENTITY, ISSUER, Mistakes, SigstoreInstance

RELEASE, STRANGER = (ec.derive_private_key(number, ec.SECP256R1()) for number in (21, 22))
OURS, THEIRS = SigstoreInstance(), SigstoreInstance()
MANIFEST = b'{"schemaVersion":2}'
DIGEST = sha256(MANIFEST)
NAME = "registry.test/acme/app:v1"
SBOM = "https://cyclonedx.org/bom"
PROVENANCE = "https://slsa.dev/provenance/v1"
HOSTED = "https://github.com/actions/runner/github-hosted"
NOW = datetime(2026, 12, 1, tzinfo=UTC)
HELD, NOT_HELD, UNDETERMINED = PolicyState

FILES = {
    "release.pub": public_pem(RELEASE.public_key()),
    "ours.json": json.dumps(OURS.trusted_root()).encode(),
    "theirs.json": json.dumps(THEIRS.trusted_root()).encode(),
}
SIGNERS = f"""\
schema: 1
trusted-root: ours.json
signers:
  release: {{key: release.pub, transparency-log: not-required}}
  logged: {{key: release.pub}}
  workflow: {{identity: {IDENTITY}, issuer: {ISSUER}}}
  any-workflow: {{identity-regexp: '^https://github\\.com/acme/demo/.*$', issuer: {ISSUER}}}
  other: {{identity: https://github.com/acme/other, issuer: {ISSUER}}}
  theirs: {{identity: {IDENTITY}, issuer: {ISSUER}, trusted-root: theirs.json}}
rules:
"""


def statement(predicate_type: str, predicate: object = None, digest: str = DIGEST) -> bytes:
    return write_statement(name="image", digest=digest, predicate_type=predicate_type, predicate=predicate or {})


def keyed(predicate_type: str, key: ec.EllipticCurvePrivateKey = RELEASE, digest: str = DIGEST) -> bytes:
    said = statement(predicate_type, digest=digest)
    signature = key.sign(pre_authentication_encoding(IN_TOTO, said), ec.ECDSA(hashes.SHA256()))
    return write_keyed_bundle(Envelope(payload_type=IN_TOTO, payload=said, signatures=(signature,)), key.public_key())


def keyless(predicate_type: str, predicate: object = None, instance: SigstoreInstance = OURS) -> bytes:
    return instance.bundle(statement(predicate_type, predicate), Mistakes())


def provenance(builder: str = HOSTED, source: str = "https://github.com/acme/demo") -> dict[str, object]:
    return {
        "buildDefinition": {
            "externalParameters": {"workflow": {"repository": source}},
            "resolvedDependencies": [{"uri": "git+https://github.com/mallory/library"}],
        },
        "runDetails": {"builder": {"id": builder}},
    }


def attached(content: bytes) -> AttachedArtifact:
    return artifact(blob(content, BUNDLE))


def unsigned(content: bytes) -> AttachedArtifact:
    return artifact(blob(content, IN_TOTO), source=AttachmentSource.INDEX)


def check(rules: str, *artifacts: AttachedArtifact, name: str = NAME) -> Verification:
    policy = read_policy("trust.yaml", (SIGNERS + rules).encode(), lambda file, _: FILES[file])
    return verify_by_policy(image_of(MANIFEST, *artifacts), name, policy, public_root=FILES["theirs.json"], now=NOW)


def rule(*requirements: str, images: str = "registry.test/acme/**") -> str:
    return f"  - images: {images}\n    require:\n" + "".join(f"      - {{{item}}}\n" for item in requirements)


def states(found: Verification) -> list[PolicyState]:
    assert found.policy is not None
    return [answer.state for answer in found.policy.requirements]


def state(found: Verification) -> PolicyState:
    assert found.policy is not None
    return found.policy.state


def reason(found: Verification) -> str:
    assert found.policy is not None
    (answer,) = found.policy.requirements
    return answer.reason


SIGNATURE = rule("what: signature, by: release")
BUILT = rule(f"what: {PROVENANCE}, by: workflow, builders: {HOSTED}, sources: 'https://github.com/acme/*'")


def test_every_requirement_of_every_rule_about_the_image_has_to_hold() -> None:
    rules = SIGNATURE + rule(f"what: {SBOM}, by: workflow", images="registry.test/*/app:v*")
    signature, sbom = attached(keyed(COSIGN_SIGN)), attached(keyless(SBOM))
    found = check(rules, signature, sbom)
    assert (state(found), states(found)) == (HELD, [HELD, HELD])
    assert found.policy is not None
    assert [answer.materials for answer in found.policy.requirements] == [
        (found.signatures[0].material,),
        (found.attestations[0].material,),
    ]
    assert (found.signatures[0].accepted_as, found.attestations[0].accepted_as) == (("release",), ("workflow",))
    assert (state(check(rules, signature)), states(check(rules, signature))) == (UNDETERMINED, [HELD, UNDETERMINED])


def test_what_fails_is_told_by_material_and_reason() -> None:
    found = check(SIGNATURE, attached(keyed(COSIGN_SIGN, STRANGER)))
    assert (state(found), states(found)) == (NOT_HELD, [NOT_HELD])
    assert reason(found) == "its signature does not verify"
    assert found.policy is not None
    assert found.policy.requirements[0].materials == (found.signatures[0].material,)


def test_nothing_there_is_undetermined_and_says_so() -> None:
    found = check(SIGNATURE)
    assert state(found) is UNDETERMINED
    assert reason(found) == "no signature lies with the image"


def test_material_of_another_kind_does_not_stand_in() -> None:
    """Signed things are there, and none of what is demanded: that is not held, whoever signed them."""
    found = check(SIGNATURE, attached(keyed(SBOM)))
    assert (state(found), states(found)) == (NOT_HELD, [UNDETERMINED])
    assert found.attestations[0].verdict is Verdict.VERIFIED
    assert "names nobody to sign this" in found.attestations[0].reason
    assert not found.demand.covers(SBOM)
    assert found.demand.covers("signature")


def test_an_attestation_that_calls_itself_a_signature_is_none() -> None:
    found = check(SIGNATURE, attached(keyed("signature")))
    assert states(found) == [UNDETERMINED]
    assert not found.demand.covers(found.attestations[0].what)


@pytest.mark.parametrize("name", ["registry.test/other/app:v1", "oci-dir:registry.test/acme/app", "oci-dir:/x:v1"])
def test_an_image_without_a_rule_is_undetermined_whoever_signed_it(name: str) -> None:
    found = check(SIGNATURE, attached(keyed(COSIGN_SIGN)), name=name)
    assert (state(found), states(found)) == (UNDETERMINED, [])
    assert found.policy is not None
    assert "no rule for" in found.policy.reason
    assert not found.demand.made
    assert "nobody is trusted" in found.signatures[0].reason


def test_a_key_is_no_identity_and_an_identity_no_key() -> None:
    by_identity = check(rule("what: signature, by: workflow"), attached(keyed(COSIGN_SIGN)))
    assert (state(by_identity), "accepts identities alone" in reason(by_identity)) == (NOT_HELD, True)
    by_key = check(SIGNATURE, attached(keyless(COSIGN_SIGN)))
    assert (state(by_key), "accepts keys alone" in reason(by_key)) == (NOT_HELD, True)


def test_another_identity_of_the_same_instance_is_named_and_refused() -> None:
    found = check(rule("what: signature, by: other"), attached(keyless(COSIGN_SIGN)))
    assert state(found) is NOT_HELD
    assert f"signed by {IDENTITY} (issuer {ISSUER}), whom the policy does not accept" in reason(found)
    assert found.signatures[0].signer.identity == IDENTITY


def test_an_identity_counts_by_the_root_that_its_signer_is_known_by() -> None:
    """The same name, issued by another authority, is somebody else."""
    for signer, instance, held in (("workflow", OURS, HELD), ("theirs", THEIRS, HELD), ("workflow", THEIRS, NOT_HELD)):
        found = check(rule(f"what: signature, by: {signer}"), attached(keyless(COSIGN_SIGN, instance=instance)))
        assert state(found) is held


def test_a_regular_expression_must_match_the_whole_identity() -> None:
    assert state(check(rule("what: signature, by: any-workflow"), attached(keyless(COSIGN_SIGN)))) is HELD
    mistakes = Mistakes(identity=f"https://mallory.test/{IDENTITY}")
    bundle = OURS.bundle(statement(COSIGN_SIGN), mistakes)
    assert state(check(rule("what: signature, by: any-workflow"), attached(bundle))) is NOT_HELD


def test_the_same_identity_by_another_issuer_is_somebody_else() -> None:
    bundle = OURS.bundle(statement(COSIGN_SIGN), Mistakes(issuer="https://issuer.mallory.test"))
    for signer in ("workflow", "any-workflow"):
        assert state(check(rule(f"what: signature, by: {signer}"), attached(bundle))) is NOT_HELD


def test_a_log_entry_is_required_of_those_of_whom_it_is_required() -> None:
    assert state(check(SIGNATURE, attached(keyed(COSIGN_SIGN)))) is HELD
    found = check(rule("what: signature, by: logged"), attached(keyed(COSIGN_SIGN)))
    assert (state(found), "no transparency log holds it" in reason(found)) == (NOT_HELD, True)


def test_two_requirements_take_two_signers() -> None:
    both = rule("what: signature, by: release", "what: signature, by: workflow")
    one, other = attached(keyed(COSIGN_SIGN)), attached(keyless(COSIGN_SIGN))
    assert states(check(both, one)) == [HELD, NOT_HELD]
    assert states(check(both, one, other)) == [HELD, HELD]


def test_one_of_several_kinds_and_signers_is_enough() -> None:
    rules = rule(f"what: [{PROVENANCE}, {SBOM}], by: [other, workflow]")
    assert state(check(rules, attached(keyless(SBOM)))) is HELD


@pytest.mark.parametrize(
    ("predicate", "expected", "said"),
    [
        (provenance(), HELD, "signed by"),
        (provenance(source="git+https://github.com/acme/demo.git@refs/heads/main"), HELD, "signed by"),
        (provenance(builder="https://mallory.test/builder"), NOT_HELD, "built by https://mallory.test/builder"),
        (provenance(builder=""), NOT_HELD, "a builder without a name"),
        (provenance(source="https://github.com/mallory/demo"), NOT_HELD, "from https://github.com/mallory/demo"),
        (provenance(source="https://github.com/acme/../mallory/demo"), NOT_HELD, "which is not accepted"),
        (provenance(source=""), NOT_HELD, "names no source repository"),
        ({"buildDefinition": "odd"}, NOT_HELD, "its provenance can't be read"),
        ({}, NOT_HELD, "a builder without a name"),
    ],
)
def test_provenance_has_to_name_builder_and_source(predicate: object, expected: PolicyState, said: str) -> None:
    found = check(BUILT, attached(keyless(PROVENANCE, predicate)))
    assert (state(found), said in reason(found)) == (expected, True), reason(found)


def test_a_source_that_climbs_is_none_of_those_below() -> None:
    below = rule(f"what: {PROVENANCE}, by: workflow, sources: 'https://github.com/acme/**'")
    for source, held in (("acme/group/demo", HELD), ("acme/../mallory/demo", NOT_HELD), ("acme/..", NOT_HELD)):
        said = provenance(source=f"https://github.com/{source}")
        assert state(check(below, attached(keyless(PROVENANCE, said)))) is held


def test_inputs_of_the_build_are_no_source() -> None:
    mallory = rule(f"what: {PROVENANCE}, by: workflow, sources: https://github.com/mallory/library")
    assert state(check(mallory, attached(keyless(PROVENANCE, provenance())))) is NOT_HELD


def test_what_nobody_signed_is_shown_and_holds_nothing() -> None:
    found = check(BUILT, unsigned(statement(PROVENANCE, provenance())))
    assert verdicts(found) == [f"{PROVENANCE} unsigned"]
    assert (state(found), "one is there that nobody signed" in reason(found)) == (UNDETERMINED, True)
    assert found.attestations[0].statement == statement(PROVENANCE, provenance())
    assert found.attestations[0].subjects == (DIGEST,)


def test_what_cannot_be_read_is_told_where_something_is_missing() -> None:
    damaged = replace(artifact(), unread=("more than 9 bytes: the limit attached_bytes is passed",))
    found = check(SIGNATURE, damaged)
    assert (state(found), reason(found).endswith("some of what lies there can't be read")) == (UNDETERMINED, True)
    assert found.unreadable == (("referrer attached", "more than 9 bytes: the limit attached_bytes is passed"),)


def test_a_root_that_is_none_is_one_clear_error() -> None:
    policy = read_policy("x", (SIGNERS + SIGNATURE).encode(), lambda file, _: FILES[file])
    broken = replace(policy, signers={name: replace(one, trusted_root=b"{}") for name, one in policy.signers.items()})
    with pytest.raises(FormatError):
        verify_by_policy(image_of(MANIFEST), NAME, broken, public_root=b"", now=NOW)


@pytest.mark.parametrize(
    ("pattern", "image", "named"),
    [
        ("registry.test/acme/app", "registry.test/acme/app:v1", True),
        ("registry.test/acme/app", "registry.test/acme/app", True),
        ("registry.test/acme/app:v1", "registry.test/acme/app:v1", True),
        ("registry.test/acme/app:v1", "registry.test/acme/app:v10", False),
        ("registry.test/acme/app:v*", "registry.test/acme/app:v10", True),
        ("registry.test/acme/app:*", "registry.test/acme/app", False),
        ("registry.test/*/app", "registry.test/a/b/app:x", False),
        ("registry.test/**/app", "registry.test/a/b/app:x", True),
        ("registry.test/acme/**", "registry.test/acme", False),
        ("registry.test/acme/**", "registry.test/acme-evil/app:v1", False),
        ("registry.test/acme/**", "registry-test/acme/app:v1", False),
        ("registry.test:5000/acme/*", "registry.test:5000/acme/app", True),
        ("registry.test:5000/acme/*", "registry.test/acme/app", False),
        ("*.test/acme/app", "registry.test/acme/app", True),
        ("Registry.test/acme/app", "registry.TEST/acme/app", True),
        ("**", "registry.test/acme/app:v1", True),
        ("**", "oci-dir:/somewhere", False),
        ("**/app", "oci-dir:/somewhere/app", False),
        ("oci-dir:**", "oci-dir:/somewhere/app:v1", True),
        ("oci-dir:dist/*", "oci-dir:dist/app", True),
        ("oci-dir:dist/*:v1", "oci-dir:dist/app:v2", False),
        ("oci-archive:**", "oci-dir:/somewhere", False),
        ("{ghcr.io,quay.io}/acme/*", "quay.io/acme/app:1", True),
        ("registry.test/acme/app", "registry.test/acme/app\n", False),
    ],
)
def test_patterns(pattern: str, image: str, named: bool) -> None:
    assert names(pattern, image) is named


@pytest.mark.parametrize(
    ("found", "material", "expected"),
    [
        ([], True, UNDETERMINED),
        ([HELD, HELD], True, HELD),
        ([HELD, UNDETERMINED], True, UNDETERMINED),
        ([HELD, NOT_HELD], True, NOT_HELD),
        ([UNDETERMINED], False, UNDETERMINED),
        ([UNDETERMINED], True, NOT_HELD),
    ],
)
def test_all_together(found: list[PolicyState], material: bool, expected: PolicyState) -> None:
    assert together(found, material=material) is expected


REQUIREMENTS = (
    "what: signature, by: release",
    "what: signature, by: logged",
    "what: signature, by: [workflow, theirs]",
    f"what: {SBOM}, by: [release, other]",
    f"what: [{SBOM}, {PROVENANCE}], by: any-workflow",
    f"what: {PROVENANCE}, by: workflow, builders: {HOSTED}",
    f"what: {PROVENANCE}, by: [workflow, theirs], sources: 'https://github.com/acme/*'",
)


def without_log(bundle: bytes) -> bytes:
    value = json.loads(bundle)
    del value["verificationMaterial"]["tlogEntries"]
    return json.dumps(value).encode()


@cache
def evidence() -> tuple[AttachedArtifact, ...]:
    """All kinds of it, signed once: every signature has other bytes."""
    other = "sha256:" + "0" * 64
    bundles = (
        *(keyed(kind, key) for kind in (COSIGN_SIGN, SBOM) for key in (RELEASE, STRANGER)),
        *(keyless(kind, instance=instance) for kind in (COSIGN_SIGN, SBOM) for instance in (OURS, THEIRS)),
        keyless(PROVENANCE, provenance()),
        keyless(PROVENANCE, provenance(builder="https://mallory.test/")),
        keyless(PROVENANCE, provenance(source="https://mallory.test/demo")),
        keyed(SBOM, digest=other),
        b"damaged",
    )
    return (*map(attached, bundles), unsigned(statement(PROVENANCE, provenance())))


def reduced(item: AttachedArtifact) -> AttachedArtifact:
    """The same without what a log says of it."""
    content = item.blobs[0].content
    return attached(without_log(content)) if b"tlogEntries" in content else item


def weaker(kept: Iterable[AttachedArtifact], data: st.DataObject) -> list[AttachedArtifact]:
    """Some evidence of the image is gone, and some lost its log entry."""
    fates = ((item, data.draw(st.sampled_from(["stays", "goes", "loses its log entry"]))) for item in kept)
    return [item if fate == "stays" else reduced(item) for item, fate in fates if fate != "goes"]


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_less_evidence_never_passes_more(data: st.DataObject) -> None:
    requirements = data.draw(st.lists(st.sampled_from(REQUIREMENTS), min_size=1, max_size=3))
    more = data.draw(st.lists(st.sampled_from(evidence()), unique_by=id, max_size=8))
    rules = "".join(rule(requirement) for requirement in requirements)
    before, after = check(rules, *more), check(rules, *weaker(more, data))
    for had, has in zip((state(before), *states(before)), (state(after), *states(after)), strict=True):
        assert has is not HELD or had is HELD


def test_that_property_sees_policies_that_hold() -> None:
    """Each requirement holds with all the evidence there is, but for the one that no log vouches for."""
    held = [states(check(rule(requirement), *evidence()))[0] is HELD for requirement in REQUIREMENTS]
    assert held == [requirement != REQUIREMENTS[1] for requirement in REQUIREMENTS]


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_the_order_of_evidence_does_not_matter(data: st.DataObject) -> None:
    found = data.draw(st.permutations(evidence()))
    rules = "".join(rule(requirement) for requirement in REQUIREMENTS)
    assert states(check(rules, *found)) == states(check(rules, *evidence()))
