"""What decides an assessment is in the digest of its policy; what does not, is not."""

from __future__ import annotations

import pickle
import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from compliance.errors import ComplianceError, PolicyError, UsageError, VerificationError
from compliance.fleet.fleet_file import read_fleet
from compliance.fleet.group_policy import GroupPolicy, group_policy
from compliance.formats.public_key import public_pem
from compliance.ingest.limits import DEFAULT_LIMITS
from compliance.ingest.registry_options import RegistryOptions
from compliance.model.evidence import Variant
from compliance.model.outcome import Severity
from compliance.model.reference import Platform
from compliance.pipeline import Options, assess
from tests.conftest import CHECKOUT

NOW = datetime(2026, 11, 1, tzinfo=UTC)
KEYS = [ec.derive_private_key(number, ec.SECP256R1()) for number in (41, 43)]
TRUST = """schema: 1
expires: 2027-01-01T00:00:00Z
signers:
  release: {key: keys/release.pub, transparency-log: not-required}
rules:
  - images: r.example/**
    require: [{what: signature, by: release}]
  - images: r.example/payments/**
    require: [{what: https://slsa.dev/provenance/v1, by: release}]
"""
WAIVERS = """schema: 1
waivers:
  - id: W-1
    check: RM-SHELL
    images: r.example/payments/**
    reason: The start script needs it.
    approver: somebody
    created: 2026-06-01T00:00:00Z
    expires: 2026-12-01T00:00:00Z
"""
FIELDS = "trust: policy/trust.yaml\nwaivers: policy/waivers.yaml\nframeworks: [nist-800-53]\nprofile: runtime"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "policy" / "keys").mkdir(parents=True)
    (tmp_path / "policy" / "trust.yaml").write_text(TRUST)
    (tmp_path / "policy" / "waivers.yaml").write_text(WAIVERS)
    (tmp_path / "policy" / "keys" / "release.pub").write_bytes(public_pem(KEYS[0].public_key()))
    return tmp_path


def policy(folder: Path, fields: str = FIELDS, effective: datetime = NOW) -> GroupPolicy:
    lines = "".join(f"    {line}\n" for line in fields.splitlines())
    path = folder / "FLEET.yaml"
    path.write_text(f"schema: 1\nname: f\ngroups:\n  g:\n    owner: o\n    images: r.example/a:1\n{lines}")
    fleet = read_fleet(path)
    return group_policy(fleet, fleet.groups[0], effective)


def options(given: GroupPolicy) -> Options:
    return given.options(now=NOW, effective=NOW, cache=None, registry=RegistryOptions(), limits=DEFAULT_LIMITS)


def test_the_same_bytes_are_the_same_policy_wherever_they_lie(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    shutil.copytree(folder / "policy", other / "policy")
    assert policy(folder).digest == policy(other).digest
    assert policy(folder).digest.startswith("sha256:")
    assert policy(folder, FIELDS + "\nfail-on: high").digest == policy(folder).digest, "the default, written out"


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("policy/trust.yaml", "https://slsa.dev/provenance/v1", "https://slsa.dev/provenance/v0.2"),
        ("policy/waivers.yaml", "somebody", "somebody-else"),
        ("policy/trust.yaml", "schema: 1\n", "schema: 1\n# a comment\n"),
    ],
)
def test_every_byte_of_a_file_counts(folder: Path, file: str, old: str, new: str) -> None:
    before = policy(folder).digest
    path = folder / file
    path.write_text(path.read_text().replace(old, new))
    assert policy(folder).digest != before


def test_a_key_that_a_policy_names_counts(folder: Path) -> None:
    before = policy(folder).digest
    (folder / "policy" / "keys" / "release.pub").write_bytes(public_pem(KEYS[1].public_key()))
    assert policy(folder).digest != before


@pytest.mark.parametrize(
    "fields",
    [
        FIELDS.replace("runtime", "dev"),
        FIELDS.replace("runtime", "auto"),
        FIELDS.replace("nist-800-53", "nist-800-53, pci-dss"),
        FIELDS + "\nfail-on: low",
        FIELDS.replace("trust: policy/trust.yaml\n", ""),
        FIELDS.replace("waivers: policy/waivers.yaml\n", ""),
    ],
)
def test_every_field_counts(folder: Path, fields: str) -> None:
    assert policy(folder, fields).digest != policy(folder).digest


def test_the_owner_and_the_images_do_not(folder: Path) -> None:
    before = policy(folder).digest
    path = folder / "FLEET.yaml"
    path.write_text(path.read_text().replace("owner: o", "owner: p").replace("r.example/a:1", "r.example/b:2"))
    fleet = read_fleet(path)
    assert group_policy(fleet, fleet.groups[0], NOW).digest == before


def test_what_the_time_puts_in_and_out_of_force_counts(folder: Path) -> None:
    moments = {
        "before": datetime(2026, 5, 1, tzinfo=UTC),
        "in force": NOW,
        "expired": datetime(2026, 12, 1, tzinfo=UTC),
        "trust expired": datetime(2027, 1, 1, tzinfo=UTC),
    }
    digests = {name: policy(folder, effective=moment).digest for name, moment in moments.items()}
    assert len(set(digests.values())) == 4
    assert policy(folder, effective=datetime(2026, 11, 30, 23, tzinfo=UTC)).digest == digests["in force"]


def test_a_bundle_beside_waivers_counts(folder: Path) -> None:
    unsigned = policy(folder).digest
    (folder / "policy" / "waivers.yaml.sigstore.json").write_text("{}")
    assert policy(folder).digest != unsigned
    assert options(policy(folder)).waivers[0].bundle == b"{}"


def test_a_bundle_that_does_not_verify_where_it_has_to_is_told_before_any_image(folder: Path) -> None:
    rule = "  - images: waivers/*\n    require: [{what: signature, by: release}]\n"
    (folder / "policy" / "trust.yaml").write_text(TRUST + rule)
    (folder / "policy" / "waivers.yaml.sigstore.json").write_text("{}")
    with pytest.raises(VerificationError):
        policy(folder)


def test_names_count_only_where_the_policy_tells_them_apart(folder: Path) -> None:
    base = policy(folder)
    payments = base.for_image("r.example/payments/api:1")
    other = base.for_image("r.example/web:1")
    assert payments == base.for_image("r.example/payments/web:2")
    assert len({base.digest, payments.digest, other.digest}) == 3
    plain = policy(folder, "profile: runtime")
    assert plain.for_image("r.example/payments/api:1") == plain
    assert len({plain.digest, plain.for_platform(Platform.parse("linux/arm64")).digest}) == 2


def test_it_travels_whole(folder: Path) -> None:
    base = policy(folder).for_platform(Platform.parse("linux/amd64")).for_image("r.example/payments/api:1")
    shutil.rmtree(folder / "policy")
    again = pickle.loads(pickle.dumps(base))  # noqa: S301 - our own
    assert again == base
    made = options(again)
    assert (made.variant, made.fail_on, str(made.platform)) == (Variant.RUNTIME, Severity.HIGH, "linux/amd64")
    assert made.trust.policy is not None
    assert made.trust.policy_file == "policy/trust.yaml"
    assert [one.id for one in made.definitions.library.frameworks] == ["nist-800-53"] if made.definitions else False
    assert [file.name for file in made.waivers] == ["policy/waivers.yaml"]


def test_an_assessment_under_it_is_as_by_the_command(folder: Path, samples: Path) -> None:
    made = options(policy(folder, "profile: runtime\nfail-on: low"))
    by_command = replace(Options(now=NOW, effective=NOW), variant=Variant.RUNTIME, fail_on=Severity.LOW)
    reference = f"oci-dir:{samples}/hardened"
    ours, theirs = assess(reference, made), assess(reference, by_command)
    assert [(one.check.id, one.outcome) for one in ours.results] == [
        (one.check.id, one.outcome) for one in theirs.results
    ]
    assert (ours.summary, ours.controls) == (theirs.summary, theirs.controls)


def yaml_blocks() -> list[str]:
    return re.findall(r"```yaml\n(schema: 1\n.*?)```", (CHECKOUT / "docs" / "own-controls.md").read_text(), re.DOTALL)


def test_own_checks_and_the_frameworks_that_map_them_are_carried(folder: Path) -> None:
    checks = next(block for block in yaml_blocks() if "\nchecks:" in block)
    framework = next(block for block in yaml_blocks() if "\ncontrols:" in block)
    (folder / "policy" / "checks.yaml").write_text(checks)
    (folder / "policy" / "house.yaml").write_text(framework)
    given = policy(folder, "frameworks: policy/house.yaml\nchecks: policy/checks.yaml")
    shutil.rmtree(folder / "policy")
    made = options(given)
    assert made.definitions is not None
    assert {file.name for file in made.definitions.files} == {"policy/checks.yaml", "policy/house.yaml"}
    assert len(made.definitions.library.frameworks) == 1


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ("trust: none.yaml", UsageError, "can't read the file"),
        ("waivers: none.yaml", UsageError, "can't read the file"),
        ("profile: none.yaml", UsageError, "can't read the file"),
        ("frameworks: none.yaml", UsageError, "can't read the file"),
        ("checks: none.yaml", UsageError, "can't read the file"),
        ("frameworks: nist-800-5", UsageError, "nist-800-5"),
        ("trust: policy/waivers.yaml", PolicyError, "unknown key"),
        ("waivers: [policy/waivers.yaml, policy/again.yaml]", PolicyError, "is also in"),
    ],
)
def test_what_is_wrong_is_told_before_any_image(
    folder: Path, fields: str, error: type[ComplianceError], words: str
) -> None:
    shutil.copy(folder / "policy" / "waivers.yaml", folder / "policy" / "again.yaml")
    with pytest.raises(error, match=words):
        policy(folder, fields)
