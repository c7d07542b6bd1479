"""Keys that never leave a token or a service: a real PKCS#11 token (SoftHSM), and what goes wrong with any."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from compliance.errors import SigningError, UsageError
from compliance.sign.password import PASSWORD_VARIABLE
from compliance.sign.reference import open_signer
from compliance.sign.uri_signer import MODULE_VARIABLE, UriSigner, is_uri, open_uri_signer
from tests.builders.program import program

STATEMENT = b'{"_type":"https://in-toto.io/Statement/v1"}'
PIN = "pin-canary-8241"
CURVES = {"p-256": ("secp256r1", hashes.SHA256()), "p-384": ("secp384r1", hashes.SHA384())}
MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")

# SoftHSM reads its configuration once a process, so that the token is made and used in processes of their own.
MAKE = """
import sys, pkcs11
from pkcs11.util.ec import encode_named_curve_parameters
module, pin = sys.argv[1:3]
token = pkcs11.lib(module).get_token(token_label="tests")
with token.open(rw=True, user_pin=pin) as session:
    for number, curve in ((1, "secp256r1"), (2, "secp384r1")):
        parameters = session.create_domain_parameters(
            pkcs11.KeyType.EC,
            {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters(curve)},
            local=True,
        )
        parameters.generate_keypair(store=True, id=bytes([number]), label=curve)
"""
SIGN = """
import sys
from compliance.errors import ComplianceError
from compliance.sign.reference import open_signer
try:
    signer = open_signer(sys.argv[1])
    sys.stdout.buffer.write(signer.public_pem + signer.sign_statement(sys.stdin.buffer.read()))
except ComplianceError as error:
    sys.exit(f"{error.code}: {error}")
"""


@pytest.fixture(scope="module")
def module() -> str:
    pytest.importorskip("pkcs11")
    program("softhsm2-util")
    return next(path for path in MODULES if Path(path).exists())


@pytest.fixture(scope="module")
def token(module: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which there is a token ``tests`` with two keys."""
    folder = tmp_path_factory.mktemp("token")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n")
    environment = {**os.environ, "SOFTHSM2_CONF": str(folder / "softhsm2.conf"), MODULE_VARIABLE: module}
    environment.pop(PASSWORD_VARIABLE, None)
    init = [program("softhsm2-util"), "--init-token", "--free", "--label", "tests", "--so-pin", "0000", "--pin", PIN]
    subprocess.run(init, env=environment, check=True, capture_output=True)
    subprocess.run([sys.executable, "-c", MAKE, module, PIN], env=environment, check=True)
    return environment


def sign(uri: str, environment: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", SIGN, uri], env=environment, input=STATEMENT, capture_output=True, timeout=60
    )


@pytest.mark.parametrize(
    ("uri", "curve"),
    [
        ("hsm:1?label=tests", "p-256"),
        ("hsm:2", "p-384"),
        ("pkcs11:token=tests;id=%01", "p-256"),
        ("pkcs11:token=tests;id=%02", "p-384"),
    ],
)
def test_a_token_signs(token: dict[str, str], uri: str, curve: str) -> None:
    """Verified with `cryptography` alone."""
    done = sign(uri, {**token, PASSWORD_VARIABLE: PIN})
    assert done.returncode == 0, done.stderr
    pem, _, bundle = done.stdout.partition(b"{")
    public = serialization.load_pem_public_key(pem)
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert public.curve.name == CURVES[curve][0]
    (signature,) = json.loads(b"{" + bundle)["dsseEnvelope"]["signatures"]
    signed = b"DSSEv1 28 application/vnd.in-toto+json %d %s" % (len(STATEMENT), STATEMENT)
    public.verify(base64.b64decode(signature["sig"]), signed, ec.ECDSA(CURVES[curve][1]))
    assert PIN.encode() not in done.stdout + done.stderr


def test_the_module_may_stand_in_the_uri(token: dict[str, str], module: str) -> None:
    environment = {**token, PASSWORD_VARIABLE: PIN}
    del environment[MODULE_VARIABLE]
    assert sign(f"pkcs11:token=tests;id=%01?module-path={module}", environment).returncode == 0
    done = sign("pkcs11:token=tests;id=%01", environment)
    assert b"key-unusable" in done.stderr
    assert MODULE_VARIABLE.encode() in done.stderr


@pytest.mark.parametrize(
    ("uri", "pin", "code"),
    [
        ("hsm:1?label=tests", "wrong-pin-canary", b"key-unusable"),
        ("hsm:1?label=tests", None, b"key-encrypted"),
        ("hsm:1?label=other", PIN, b"key-unusable"),
        ("hsm:9?label=tests", PIN, b"key-unusable"),
    ],
    ids=["wrong PIN", "no PIN", "no such token", "no such key"],
)
def test_what_goes_wrong_with_a_token_is_one_line(
    token: dict[str, str], uri: str, pin: str | None, code: bytes
) -> None:
    done = sign(uri, token if pin is None else {**token, PASSWORD_VARIABLE: pin})
    assert done.returncode == 1
    assert done.stdout == b""
    assert done.stderr.startswith(code), done.stderr
    assert done.stderr.count(b"\n") == 1
    assert b"canary" not in done.stderr


@pytest.mark.parametrize("uri", ["pkcs11:token=tests?pin-value=1234", "pkcs11:token=tests;pin-source=/tmp/pin"])
def test_a_pin_in_an_argument_is_refused_and_not_repeated(uri: str) -> None:
    with pytest.raises(UsageError, match="everybody") as caught:
        open_uri_signer(uri)
    assert "1234" not in str(caught.value)


@pytest.mark.parametrize(
    "uri",
    [
        "pkcs11:object=mine",
        "hsm:two",
        "awskms:",
        "gcpkms:projects/p",
        "azurekms://vault",
        "azurekms://v/keys/k/1",
        "hv:",
    ],
)
def test_what_names_no_key_is_a_mistake_of_the_user(uri: str) -> None:
    with pytest.raises(UsageError):
        open_uri_signer(uri)


@pytest.mark.parametrize(
    ("uri", "library"),
    [
        ("awskms:alias/mine", "_aws_signer.AWS_IMPORT_ERROR"),
        ("awskms:///alias/mine", "_aws_signer.AWS_IMPORT_ERROR"),
        ("azurekms://vault.vault.azure.net/mine", "_azure_signer.AZURE_IMPORT_ERROR"),
        ("gcpkms:projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1", "_gcp_signer.GCP_IMPORT_ERROR"),
        ("gcpkms://projects/p/locations/l/keyRings/r/cryptoKeys/k/versions/1", "_gcp_signer.GCP_IMPORT_ERROR"),
        ("hashivault://mine", "_vault_signer.VAULT_IMPORT_ERROR"),
        ("hv:mine", "_vault_signer.VAULT_IMPORT_ERROR"),
    ],
)
def test_a_missing_library_is_one_line_that_names_the_extra(
    uri: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"securesystemslib.signer.{library}", "not installed")
    with pytest.raises(SigningError, match=r"hullmark\[kms\]") as caught:
        open_signer(uri)
    assert caught.value.code == "extra-missing"
    assert caught.value.__cause__ is None


def test_a_path_is_no_uri() -> None:
    assert not is_uri("keys/signing.pem")
    assert not is_uri("generate:signing.pem")
    assert is_uri("pkcs11:token=x")


def test_a_signature_that_does_not_verify_is_not_handed_on() -> None:
    """A service may sign in a way that nobody who verifies Sigstore bundles would try."""

    class Wrong:
        def sign(self, payload: bytes) -> object:
            return type("Signature", (), {"signature": "00" * 64})()

    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    signer = UriSigner(uri="awskms:x", key=Wrong(), verifies=public)  # type: ignore[arg-type]
    with pytest.raises(SigningError, match="can't be verified"):
        signer.sign_statement(STATEMENT)
