"""Reading trust policies: what they say, and that every slip is an error that names file, line, field and mend."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib.resources import files

import jsonschema_rs
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from compliance.errors import PolicyError, UsageError
from compliance.formats.public_key import key_id, public_pem
from compliance.verify.trust_policy import TrustPolicy
from compliance.verify.trust_policy_file import read_policy

KEY = ec.derive_private_key(7, ec.SECP256R1()).public_key()
PEM = public_pem(KEY).decode()
FILES = {"keys/release.pub": PEM.encode(), "root.json": b'{"a": "root"}', "text.txt": b"no key"}

POLICY = f"""\
schema: 1
expires: 2027-06-30T00:00:00Z
trusted-root: root.json
signers:
  workflow:
    identity: https://github.com/acme/app/.github/workflows/release.yml@refs/heads/main
    issuer: https://token.actions.githubusercontent.com
    trusted-root: public
  people:
    identity-regexp: ^[a-z]+@acme\\.test$
    issuer-regexp: ^https://accounts\\.acme\\.test$
  release:
    key: keys/release.pub
    key-id: {key_id(KEY)}
    transparency-log: not-required
rules:
  - images: registry.test/acme/**
    require:
      - what: signature
        by: [release, workflow]
  - images: [registry.test/acme/app:v*, oci-dir:**]
    require:
      - what: [https://slsa.dev/provenance/v1, https://slsa.dev/provenance/v0.2]
        by: workflow
        builders: https://github.com/actions/runner/github-hosted
        sources: [https://github.com/acme/*]
"""


def read_file(name: str, size_max: int) -> bytes:
    if name not in FILES:
        raise UsageError("can't read the file: No such file or directory", code="not-found", where=name)
    return FILES[name][:size_max]


def read(text: str) -> TrustPolicy:
    return read_policy("trust.yaml", text.encode(), read_file)


def test_a_policy_says_whom_to_trust_for_what() -> None:
    policy = read(POLICY)
    assert policy.expires == datetime(2027, 6, 30, tzinfo=UTC)
    workflow, people, release = policy.signers.values()
    assert (workflow.trusted_root, people.trusted_root) == (None, FILES["root.json"])
    assert (people.identity_regexp, people.log_required) == (r"^[a-z]+@acme\.test$", True)
    assert release.key is not None
    assert (key_id(release.key), release.log_required) == (key_id(KEY), False)
    assert [rule.images for rule in policy.rules] == [
        ("registry.test/acme/**",),
        ("registry.test/acme/app:v*", "oci-dir:**"),
    ]
    assert policy.rules[1].requirements[0].sources == ("https://github.com/acme/*",)
    assert [name for name, _ in policy.files] == ["root.json", "keys/release.pub"]


def test_the_digest_changes_with_every_byte() -> None:
    assert read(POLICY).digest != read(POLICY + "# as approved\n").digest


def test_a_key_may_stand_in_the_policy() -> None:
    block = "".join(f"      {line}\n" for line in PEM.splitlines())
    policy = read(POLICY.replace("    key: keys/release.pub\n", f"    key: |\n{block}"))
    assert policy.signers["release"].key is not None
    assert [name for name, _ in policy.files] == ["root.json"]


MISTAKES = [
    # old, new, line and field, what is said, what to do
    ("schema: 1", "schema: 2", "line 1, schema", "must be 1", "begin the file with schema: 1"),
    ("schema: 1", "schema: true", "line 1, schema", "must be 1", "begin the file"),
    ("expires:", "expire:", "line 2, expire", "unknown key", "did you mean expires?"),
    ("2027-06-30T00:00:00Z", "2027-06-30", "line 2, expires", "an offset", "write e.g. 2027-01-01T00:00:00Z"),
    ("root: root.json", "root: none.json", "line 3, trusted-root", "can't read the file", "relative to the policy"),
    ("    issuer: https", "    isuer: https", "line 7, signers.workflow.isuer", "unknown key", "mean issuer?"),
    (
        "    issuer-regexp: ^https://accounts\\.acme\\.test$\n",
        "",
        "line 10, signers.people",
        "needs either issuer",
        "only with",
    ),
    (
        "regexp: ^[a-z]+@acme\\.test$",
        "regexp: '@acme\\.test$'",
        "line 10, signers.people.identity-regexp",
        "begin with ^",
        "^@acme",
    ),
    ("regexp: ^[a-z]+@acme\\.test$", "regexp: ^([$", "line 10, signers.people.identity-regexp", "not a regular", ""),
    ("key: keys/release.pub", "key: text.txt", "line 13, signers.release.key", "not a PEM public key", "path of one"),
    (
        "key: keys/release.pub",
        "key: '-----BEGIN CERTIFICATE-----'",
        "line 13, signers.release.key",
        "a certificate",
        "openssl",
    ),
    ("key: keys/release.pub", "key: 5", "line 13, signers.release.key", "must be a text, not 5", "into quotes"),
    (f"key-id: {key_id(KEY)}", f"key-id: {'0' * 64}x", "line 14, signers.release.key-id", "64 lower-case", key_id(KEY)),
    (
        f"key-id: {key_id(KEY)}",
        f"key-id: {'a' * 64}",
        "line 14, signers.release.key-id",
        "is not the id of the key",
        "",
    ),
    ("    key: keys/release.pub\n", "", "line 13, signers.release", "either a key or an identity", "write key, or"),
    ("log: not-required", "log: maybe", "line 15, signers.release.transparency-log", "'maybe' is not one of", ""),
    (
        "    key: keys/release.pub\n",
        "    key: keys/release.pub\n    issuer: x\n",
        "line 13, signers.release",
        "either a key or",
        "",
    ),
    ("images: registry.test/acme/**", "images: ''", "line 17, rules[0].images", "must be a text", ""),
    ("images: registry.test/acme/**", "images: []", "line 17, rules[0].images", "must not be empty", ""),
    ("images: registry.test/acme/**", "images: alpine", "line 17, rules[0].images", "needs a registry", ""),
    (
        "images: registry.test/acme/**",
        "images: registry:x.test/a",
        "line 17, rules[0].images",
        "begins with the registry",
        "",
    ),
    (
        "images: registry.test/acme/**",
        "images: 'x.test/a@sha256:00'",
        "line 17, rules[0].images",
        "can't name a digest",
        "",
    ),
    ("oci-dir:**]", "'x.test/[z-a]']", "line 21, rules[1].images[1]", "not a glob", ""),
    (
        "by: [release, workflow]",
        "by: [release, workflw]",
        "line 20, rules[0].require[0].by[1]",
        "no signer is called",
        "workflow?",
    ),
    ("by: [release, workflow]", "by: []", "line 20, rules[0].require[0].by", "must not be empty", ""),
    ("        by: [release, workflow]\n", "", "line 19, rules[0].require[0].by", "missing", ""),
    ("what: signature", "what: signatures", "line 19, rules[0].require[0].what", "neither signature nor", "an address"),
    ("what: signature", "what: [signature, 'x:y']", "line 19, rules[0].require[0].what", "stands alone", "of its own"),
    (
        "what: signature",
        "builders: x\n        what: signature",
        "line 19, rules[0].require[0].builders",
        "provenance only",
        "",
    ),
    (
        "builders: https",
        "builders: '[z-a]'\n        sources2: https",
        "line 26, rules[1].require[0].sources2",
        "unknown",
        "sources?",
    ),
    (
        "sources: [https://github.com/acme/*]",
        "sources: []",
        "line 26, rules[1].require[0].sources",
        "must not be empty",
        "",
    ),
    (
        "sources: [https://github.com/acme/*]",
        "sources: ['[z-a]']",
        "line 26, rules[1].require[0].sources[0]",
        "not a glob",
        "",
    ),
]


@pytest.mark.parametrize(("old", "new", "where", "what", "mend"), MISTAKES)
def test_a_mistake_is_refused_with_line_field_and_mend(old: str, new: str, where: str, what: str, mend: str) -> None:
    assert POLICY.count(old) == 1
    with pytest.raises(PolicyError) as caught:
        read(POLICY.replace(old, new))
    assert caught.value.where == f"trust.yaml, {where}"
    assert what in caught.value.message
    assert mend in (caught.value.hint or "")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "schema: 1",
        "schema: 1\nsigners: {}\nrules: []",
        POLICY.partition("rules:")[0],
        POLICY.partition("rules:")[0] + "rules: []",
        POLICY.partition("rules:")[0] + "rules: [{images: '**', require: []}]",
        POLICY.partition("rules:")[0] + "rules: [{images: '**'}]",
        "schema: 1\nsigners: {}\nrules: [{images: '**', require: [{what: signature, by: x}]}]",
        "schema: 1\nrules: [{images: '**', require: [{what: signature, by: x}]}]",
    ],
)
def test_a_policy_that_demands_nothing_of_anybody_is_refused(text: str) -> None:
    with pytest.raises(PolicyError):
        read(text)


def test_expiry_is_the_moment_from_which_it_is_refused() -> None:
    policy = read(POLICY)
    policy.demand_current("trust.yaml", datetime(2027, 6, 29, 23, 59, 59, tzinfo=UTC))
    with pytest.raises(PolicyError, match="expired at 2027-06-30T00:00:00Z") as caught:
        policy.demand_current("trust.yaml", datetime(2027, 6, 30, tzinfo=UTC))
    assert (caught.value.code, caught.value.where) == ("policy-expired", "trust.yaml")
    read(POLICY.replace("expires: 2027-06-30T00:00:00Z\n", "")).demand_current("x", datetime(9999, 1, 1, tzinfo=UTC))


def schema() -> jsonschema_rs.Validator:
    content = (files("compliance.verify") / "trust-policy.schema.json").read_bytes()
    return jsonschema_rs.validator_for(json.loads(content))


def as_json(text: str) -> object:
    """What an editor holds against the schema: YAML 1.2, in which a time is a text."""

    loader = type("_Loader", (yaml.SafeLoader,), {})
    loader.yaml_implicit_resolvers = {  # type: ignore[attr-defined]
        first: [item for item in resolvers if not item[0].endswith("timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    return yaml.load(text, loader)  # noqa: S506 - a safe loader


BEYOND_THE_SCHEMA = (
    "can't read the file",
    "not a PEM public key",
    "a certificate",
    "is not the id of the key",
    "not a regular",
    "needs a registry",
    "begins with the registry",
    "can't name a digest",
    "not a glob",
    "no signer is called",
)


def test_the_schema_takes_what_is_read() -> None:
    assert schema().is_valid(as_json(POLICY))


@pytest.mark.parametrize(("old", "new", "where", "what", "mend"), MISTAKES)
def test_the_schema_refuses_what_is_refused_for_its_form(old: str, new: str, where: str, what: str, mend: str) -> None:
    assert schema().is_valid(as_json(POLICY.replace(old, new))) is (what in BEYOND_THE_SCHEMA)


VALUES = ("", "[]", "{}", "null", "5", "yes", "'x'", "[a, 1]", "2027-01-01", "&a b", "*a", "!!str x", "[[]]")


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_any_edit_is_a_policy_or_one_clear_error(data: st.DataObject) -> None:
    """Lines gone, moved, or with something else in them: never another exception, never a rule without signers."""
    lines = POLICY.splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        key = lines[at].partition(":")[0]
        value = data.draw(st.sampled_from(VALUES))
        lines[at : at + 1] = data.draw(
            st.sampled_from([[], [lines[at], lines[at]], [f"{key}: {value}"], [f"  {lines[at]}"], [lines[at][2:]]])
        )
        if not lines:
            return
    try:
        policy = read("\n".join(lines))
    except PolicyError as error:
        said = str(error)
        policy = None
    assert policy is not None or ("\n" not in said and "trust.yaml" in said)
    if policy is not None:
        requirements = [requirement for rule in policy.rules for requirement in rule.requirements]
        assert requirements
        assert all(requirement.signers and requirement.what for requirement in requirements)
