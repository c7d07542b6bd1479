"""What `hullmark attest` attaches is found and accepted by cosign: every kind of key, and identities."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from compliance.cli.main import run
from compliance.sign.password import PASSWORD_VARIABLE
from tests.builders.hullmark import verify
from tests.builders.identity_provider import EMAIL, WORKFLOW_IDENTITY
from tests.builders.registry_server import Server
from tests.builders.sigstore_stack import SigstoreStack, private_pem, public_pem
from tests.interop.cosign.conftest import NewImage

TYPE = "https://example.test/result/v1"
KEYS: dict[str, Callable[[], PrivateKeyTypes]] = {
    "p-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "p-521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "rsa-2048": lambda: rsa.generate_private_key(65537, 2048),
    "rsa-3072": lambda: rsa.generate_private_key(65537, 3072),
    "rsa-4096": lambda: rsa.generate_private_key(65537, 4096),
}


@pytest.fixture(scope="module")
def trust_config(stack: SigstoreStack) -> Path:
    """The instance as sigstore-python is told of it."""
    path = stack.folder / "trust-config.json"
    config = {
        "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
        "trustedRoot": json.loads(stack.trusted_root.read_bytes()),
        "signingConfig": json.loads(stack.everything.read_bytes()),
    }
    path.write_text(json.dumps(config))
    return path


def attest(image: str, predicate: Path, out: Path, *arguments: str | Path) -> list[bool]:
    """Attest; whether each of what lies with the image now is new."""
    common = ["--predicate", str(predicate), "--type", TYPE, "-q", "-o", f"json={out}"]
    assert run(["attest", image, *common, *map(str, arguments)]) == 0
    return [item["new"] for item in json.loads(out.read_bytes())["attached"]]


@pytest.mark.parametrize("form", ["bundle", "legacy"])
@pytest.mark.parametrize("kind", KEYS)
def test_cosign_accepts_each_kind_of_key(
    stack: SigstoreStack, server: Server, new_image: NewImage, predicate: Path, tmp_path: Path, kind: str, form: str
) -> None:
    private = KEYS[kind]()
    (tmp_path / "key.pem").write_bytes(private_pem(private))
    (tmp_path / "key.pub").write_bytes(public_pem(private))
    image = new_image(server)
    legacy = ("--legacy",) if form == "legacy" else ()
    assert attest(image, predicate, tmp_path / "out", "--sign-key", tmp_path / "key.pem", *legacy) == [True]
    assert attest(image, predicate, tmp_path / "out", "--sign-key", tmp_path / "key.pem", *legacy) == [False]
    trust = ("--key", tmp_path / "key.pub", "--insecure-ignore-tlog")
    cosign = stack.cosign("verify-attestation", *trust, "--type", TYPE, image)
    assert cosign.returncode == 0, cosign.stderr
    assert len(cosign.stdout.splitlines()) == 1, "attested twice"
    assert verify(image, *trust, folder=tmp_path, require=[TYPE]).accepts


def test_cosigns_own_key_signs(
    stack: SigstoreStack,
    server: Server,
    new_image: NewImage,
    predicate: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("nacl")
    monkeypatch.setenv(PASSWORD_VARIABLE, "")
    private, public = stack.cosign.key_pair(f"own-{server.host.rpartition(':')[2]}")
    image = new_image(server)
    attest(image, predicate, tmp_path / "out", "--sign-key", private)
    stack.cosign.do("verify-attestation", "--key", public, "--insecure-ignore-tlog", "--type", TYPE, image)


@pytest.mark.parametrize("who", ["person", "workflow"])
def test_cosign_accepts_identities(
    stack: SigstoreStack,
    trust_config: Path,
    server: Server,
    new_image: NewImage,
    predicate: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    who: str,
) -> None:
    identities = stack.identities
    token = identities.email_token() if who == "person" else identities.workflow_token()
    identity = EMAIL if who == "person" else WORKFLOW_IDENTITY
    issuer = identities.address if who == "person" else identities.workflow_issuer
    (tmp_path / "token").write_text(token)
    keyless = ("--sign-key", "keyless", "--identity-token", tmp_path / "token", "--trust-config", trust_config)
    image = new_image(server)
    assert attest(image, predicate, tmp_path / "out", *keyless) == [True]
    assert attest(image, predicate, tmp_path / "out", *keyless) == [False], "signed again by the same"
    trust = ("--certificate-identity", identity, "--certificate-oidc-issuer", issuer)
    rooted = (*trust, "--trusted-root", stack.trusted_root)
    stack.cosign.do("verify-attestation", *rooted, "--use-signed-timestamps", "--type", TYPE, image)
    assert verify(image, *rooted, folder=tmp_path, require=[TYPE]).accepts
    shown = capfd.readouterr()
    assert token not in shown.out + shown.err + (tmp_path / "out").read_text()
    assert token.rpartition(".")[2] not in shown.out + shown.err


def test_another_identity_signs_beside_the_first(
    stack: SigstoreStack, trust_config: Path, new_image: NewImage, predicate: Path, tmp_path: Path
) -> None:
    image = new_image(stack.referrers)
    for token in (stack.identities.email_token(), stack.identities.workflow_token()):
        (tmp_path / "token").write_text(token)
        keyless = ("--sign-key", "keyless", "--identity-token", tmp_path / "token", "--trust-config", trust_config)
        assert attest(image, predicate, tmp_path / "out", *keyless) == [True]


def test_an_assessment_is_signed_by_an_identity(
    stack: SigstoreStack, trust_config: Path, new_image: NewImage, tmp_path: Path
) -> None:
    image = new_image(stack.plain)
    (tmp_path / "token").write_text(stack.identities.email_token())
    command = ["attest", image, "--sign-key", "keyless", "--identity-token", str(tmp_path / "token")]
    assert run([*command, "--trust-config", str(trust_config), "-q", "--no-cache"]) == 0
    who = ("--certificate-identity", EMAIL, "--certificate-oidc-issuer", stack.identities.address)
    rooted = (*who, "--trusted-root", stack.trusted_root)
    for name in ("test-result/v0.1", "svr/v0.2", "reference/v0.1"):
        kind = f"https://in-toto.io/attestation/{name}"
        stack.cosign.do("verify-attestation", *rooted, "--use-signed-timestamps", "--type", kind, image)
    assert verify(image, *rooted, folder=tmp_path, require=["https://cyclonedx.org/bom"]).accepts


def test_an_assessment_is_signed_by_an_identity_once(
    stack: SigstoreStack, trust_config: Path, server: Server, new_image: NewImage, tmp_path: Path
) -> None:
    """Every signature of an identity has another certificate; the same statements by the same are there already."""
    image = new_image(server)
    out = tmp_path / "out.json"
    command = [
        "attest",
        image,
        "--sign-key",
        "keyless",
        "--identity-token",
        str(tmp_path / "token"),
        "-o",
        f"json={out}",
    ]
    command += ["--trust-config", str(trust_config), "-q", "--no-cache", "--effective-time", "2026-11-01T00:00:00Z"]
    found = []
    for _ in range(2):
        (tmp_path / "token").write_text(stack.identities.email_token())
        assert run(command) == 0
        found.append(json.loads(out.read_bytes())["attached"])
    assert [item["new"] for item in found[0]] == [True] * 5
    assert [item["new"] for item in found[1]] == [False] * 5
    assert [item["digest"] for item in found[1]] == [item["digest"] for item in found[0]]
    (tmp_path / "token").write_text(stack.identities.workflow_token())
    assert run(command) == 0
    assert all(item["new"] for item in json.loads(out.read_bytes())["attached"]), "another identity signs beside"
