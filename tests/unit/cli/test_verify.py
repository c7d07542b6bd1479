"""``hullmark verify`` and ``assess`` with a trust policy, on real layouts: exit codes, errors, what is shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from compliance.cli.main import run
from compliance.errors import PolicyError, UsageError
from compliance.formats.dsse import IN_TOTO, Envelope, pre_authentication_encoding
from compliance.formats.intoto import COSIGN_SIGN, write_statement
from compliance.formats.public_key import public_pem
from compliance.formats.sigstore_bundle import write_keyed_bundle
from compliance.ingest.limits import DEFAULT_LIMITS
from compliance.ingest.source import parse_reference
from compliance.pipeline import policy_name
from tests.builders.evidence import directory, file
from tests.builders.layout import Layout, Nodes
from tests.builders.signed_layout import attach, put_into_index

RELEASE, STRANGER = (ec.derive_private_key(number, ec.SECP256R1()) for number in (31, 32))
SBOM = "https://cyclonedx.org/bom"
PROVENANCE = "https://slsa.dev/provenance/v1"
TIME = "2026-11-01T00:00:00Z"

POLICY = """\
schema: 1
expires: 2027-01-01T00:00:00Z
signers:
  release: {key: release.pub, transparency-log: not-required}
rules:
  - images: oci-dir:**
    require:
      - {what: signature, by: release}
"""


def bundle(digest: object, predicate_type: str = COSIGN_SIGN, key: ec.EllipticCurvePrivateKey = RELEASE) -> bytes:
    said = write_statement(name="image", digest=str(digest), predicate_type=predicate_type, predicate={})
    signature = key.sign(pre_authentication_encoding(IN_TOTO, said), ec.ECDSA(hashes.SHA256()))
    return write_keyed_bundle(Envelope(payload_type=IN_TOTO, payload=said, signatures=(signature,)), key.public_key())


class Bench:
    """An image in a layout, a policy, a key, and the command run on them in this process."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.layout = Layout(root=root / "image")
        nodes: Nodes = {
            "etc": directory(),
            "etc/os-release": "ID=debian\nVERSION_ID=12\n",
            "app": file(b"\x7fELF", 0o755),
        }
        self.image = self.layout.add_image([nodes], config={"Entrypoint": ["/app"], "User": "65532:65532"})
        (root / "release.pub").write_bytes(public_pem(RELEASE.public_key()))
        self.policy(POLICY)

    def policy(self, text: str) -> None:
        (self.root / "trust.yaml").write_text(text)

    def attach(self, *bundles: bytes) -> None:
        for one in bundles:
            attach(self.layout, self.image, one)

    def run(self, *arguments: str, command: str = "verify", trust: bool = True) -> tuple[int, dict[str, Any]]:
        out = self.root / "out.json"
        policy = ("--trust", str(self.root / "trust.yaml")) if trust else ()
        given = (command, f"oci-dir:{self.root / 'image'}", "-q", "-o", f"json={out}", "--effective-time", TIME)
        code = run([*given, *policy, *arguments])
        return code, json.loads(out.read_bytes())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.parametrize(
    ("key", "code", "state"), [(RELEASE, 0, "held"), (STRANGER, 12, "not-held"), (None, 11, "undetermined")]
)
def test_a_policy_decides_the_exit_code(
    bench: Bench, key: ec.EllipticCurvePrivateKey | None, code: int, state: str
) -> None:
    if key is not None:
        bench.attach(bundle(bench.image["digest"], key=key))
    found, document = bench.run()
    assert (found, document["policy"]["state"]) == (code, state)
    (requirement,) = document["policy"]["requirements"]
    assert (requirement["what"], requirement["signers"], requirement["state"]) == (["signature"], ["release"], state)
    assert requirement["materials"] == [item["material"] for item in document["signatures"]]


def test_the_policy_and_its_files_are_identified(bench: Bench) -> None:
    _, document = bench.run()
    policy = document["policy"]
    assert policy["digest"].startswith("sha256:")
    assert [file["name"] for file in policy["files"]] == ["release.pub"]
    assert (policy["expires"], policy["image"]) == ("2027-01-01T00:00:00Z", f"oci-dir:{bench.root / 'image'}")
    bench.policy(POLICY + "# reviewed\n")
    assert bench.run()[1]["policy"]["digest"] != policy["digest"]


def test_an_image_that_no_rule_is_about_is_not_determined(bench: Bench) -> None:
    bench.attach(bundle(bench.image["digest"]))
    bench.policy(POLICY.replace("oci-dir:**", "registry.test/**"))
    code, document = bench.run()
    assert (code, document["policy"]["state"], document["policy"]["requirements"]) == (11, "undetermined", [])
    assert document["policy"]["reason"].startswith("the policy has no rule for oci-dir:")


def test_without_a_policy_there_is_none_in_the_document(bench: Bench) -> None:
    bench.attach(bundle(bench.image["digest"]))
    code, document = bench.run(trust=False)
    assert (code, document["policy"]) == (11, None)


@pytest.mark.parametrize(
    ("time", "expired"),
    [("2026-12-31T23:59:59Z", False), ("2027-01-01T00:00:00Z", True), ("2031-01-01T00:00:00Z", True)],
)
@pytest.mark.parametrize("command", ["verify", "assess"])
def test_expiry_goes_by_the_effective_time(bench: Bench, command: str, time: str, expired: bool) -> None:
    bench.attach(bundle(bench.image["digest"]))
    if expired:
        with pytest.raises(PolicyError, match=r"expired at 2027-01-01T00:00:00Z \[.*trust\.yaml\] — review it"):
            bench.run("--effective-time", time, command=command)
    else:
        assert bench.run("--effective-time", time, command=command)[1]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--key", "release.pub"),
        ("--certificate-identity", "x", "--certificate-oidc-issuer", "y"),
        ("--insecure-ignore-tlog",),
        ("--trusted-root", "x"),
        ("--require", "signature"),
    ],
)
def test_a_policy_and_another_source_of_trust_exclude_each_other(bench: Bench, arguments: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        bench.run(*arguments)


def test_a_policy_that_is_not_there_is_a_usage_error(bench: Bench) -> None:
    (bench.root / "trust.yaml").unlink()
    with pytest.raises(UsageError, match="can't read the trust policy"):
        bench.run()
    bench.policy(POLICY.replace("release.pub", "gone.pub"))
    with pytest.raises(PolicyError, match=r"can't read the file.*line 4, signers\.release\.key\] — paths are relative"):
        bench.run()


@pytest.mark.parametrize(
    ("key", "fail_on", "code", "outcome"),
    [
        (STRANGER, "low", 12, "not-verified"),  # checks fail too: who signed comes before what is in it
        (STRANGER, "critical", 12, "not-verified"),
        (None, "low", 10, "not-satisfied"),  # a failure is known, the policy is open
        (RELEASE, "low", 10, "not-satisfied"),
        (None, "critical", 11, "not-determined"),
    ],
)
def test_of_several_answers_of_assess_the_image_itself_comes_first(
    bench: Bench, key: ec.EllipticCurvePrivateKey | None, fail_on: str, code: int, outcome: str
) -> None:
    if key is not None:
        bench.attach(bundle(bench.image["digest"], key=key))
    found, document = bench.run("--fail-on", fail_on, command="assess")
    assert (found, document["summary"]["outcome"], document["summary"]["exitCode"]) == (code, outcome, code)
    signature = next(check for check in document["checks"] if check["id"] == "SP-SIG")
    assert signature["outcome"] == {RELEASE: "passed", STRANGER: "failed", None: "unknown"}[key]
    assert document["verification"]["policy"]["state"] in ("held", "not-held", "undetermined")


def test_what_nobody_signed_is_listed_and_is_nothing_to_verify(tmp_path: Path) -> None:
    """buildkit's statements in the index: shown as unsigned, never as verified, and not as damage."""
    statement = write_statement(
        name="image", digest="sha256:IMAGE", predicate_type=PROVENANCE, predicate={"buildDefinition": {}}
    )
    put_into_index(tmp_path / "image", statement)
    (tmp_path / "release.pub").write_bytes(public_pem(RELEASE.public_key()))
    out = tmp_path / "out.json"
    base = ["verify", f"oci-dir:{tmp_path / 'image'}", "-q", "-o", f"json={out}"]
    key = ["--key", str(tmp_path / "release.pub"), "--insecure-ignore-tlog"]
    for arguments in (
        [],
        key,
        [*key, "--require", PROVENANCE],
        ["--certificate-identity-regexp", ".", "--certificate-oidc-issuer-regexp", "."],
    ):
        assert run([*base, *arguments]) == 11
        document = json.loads(out.read_bytes())
        (found,) = document["attestations"]
        assert (found["kind"], found["verdict"], found["verified"]) == ("in-toto-unsigned", "unsigned", False)
        assert "signed by nobody" in found["reason"]
        assert (found["identity"], found["keyId"], document["unreadable"]) == (None, None, [])


def test_what_is_required_and_missing_is_not_determined_and_what_fails_is_not_verified(bench: Bench) -> None:
    digest = bench.image["digest"]
    key = ("--key", str(bench.root / "release.pub"), "--insecure-ignore-tlog")
    bench.attach(bundle(digest))
    both = ("--require", "signature", "--require", SBOM)
    assert bench.run(*key, trust=False)[0] == 0
    assert bench.run(*key, *both, trust=False)[0] == 11
    assert bench.run(*key, "--require", SBOM, trust=False)[0] == 12  # there is material, and nothing demanded verifies
    bench.attach(bundle(digest, SBOM, STRANGER))
    assert bench.run(*key, *both, trust=False)[0] == 12
    bench.attach(bundle(digest, SBOM))
    assert bench.run(*key, *both, trust=False)[0] == 0


def test_an_attestation_that_calls_itself_a_signature_is_none(bench: Bench) -> None:
    bench.attach(bundle(bench.image["digest"], "signature"))
    key = ("--key", str(bench.root / "release.pub"), "--insecure-ignore-tlog")
    assert bench.run(*key, "--require", "signature", trust=False)[0] == 12


def test_an_attestation_of_100_megabytes_is_refused_by_a_limit_that_says_so(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rest is verified all the same, and what was not read is in the document."""
    bench.attach(b" " * 100_000_000)
    bench.attach(bundle(bench.image["digest"]))
    code, document = bench.run()
    assert (code, document["policy"]["state"], len(document["signatures"])) == (0, "held", 1)
    (unread,) = document["unreadable"]
    assert f"more than {DEFAULT_LIMITS.attached_bytes} bytes" in unread["reason"]
    assert "attached_bytes" in unread["reason"]
    bench.policy(POLICY.replace("what: signature", f"what: {SBOM}"))
    document = bench.run()[1]
    assert "some of what lies there can't be read" in document["policy"]["requirements"][0]["reason"]
    run(["verify", f"oci-dir:{bench.root / 'image'}"])
    shown = capsys.readouterr()
    assert "attached_bytes" in shown.err
    assert "attached_bytes" in shown.out


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("registry:registry.test/acme/app:v1", "registry.test/acme/app:v1"),
        ("registry:registry.test/acme/app", "registry.test/acme/app:latest"),
        (f"registry:registry.test/acme/app@sha256:{'0' * 64}", "registry.test/acme/app"),
        ("registry:alpine", "docker.io/library/alpine:latest"),
        ("docker:alpine:3", "docker.io/library/alpine:3"),
        ("podman:quay.io/acme/app", "quay.io/acme/app:latest"),
        ("oci-dir:dist/app:v1", "oci-dir:dist/app:v1"),
        ("oci-dir:registry.test/acme/app", "oci-dir:registry.test/acme/app"),
    ],
)
def test_a_policy_knows_images_by_their_registrys_names_and_files_by_their_scheme(reference: str, name: str) -> None:
    assert policy_name(parse_reference(reference)) == name


def test_the_table_tells_each_requirement(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.attach(bundle(bench.image["digest"]))
    run(
        [
            "verify",
            f"oci-dir:{bench.root / 'image'}",
            "-q",
            "--trust",
            str(bench.root / "trust.yaml"),
            "--effective-time",
            TIME,
        ]
    )
    shown = capsys.readouterr().out
    assert "trust policy held: 1 of 1 requirements held (sha256:" in shown
    assert "held         signature by release" in shown
