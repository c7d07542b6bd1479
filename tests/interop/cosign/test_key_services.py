"""Signing with a key in AWS's key management service (moto's, on loopback), by the real client library."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.builders.hullmark import verify
from tests.builders.program import foreign_file
from tests.builders.sigstore_stack import SigstoreStack
from tests.interop.cosign.conftest import NewImage

TYPE = "https://example.test/result/v1"
CANARY = "secret-canary-4408"
MAKE = """
import base64, sys, boto3
client = boto3.client("kms")
key = client.create_key(KeyUsage="SIGN_VERIFY", KeySpec=sys.argv[1])["KeyMetadata"]["KeyId"]
client.create_alias(AliasName="alias/" + sys.argv[1], TargetKeyId=key)
public = base64.encodebytes(client.get_public_key(KeyId=key)["PublicKey"]).decode()
print(f"-----BEGIN PUBLIC KEY-----\\n{public}-----END PUBLIC KEY-----")
"""
SPECS = {"ECC_NIST_P256": "sha256", "ECC_NIST_P384": "sha384", "RSA_2048": "sha256", "RSA_4096": "sha256"}


@contextmanager
def service(folder: Path, *arguments: str) -> Iterator[Mapping[str, str]]:
    """The environment in which the client finds it."""
    packages = foreign_file("kms/moto/server.py").parents[1]
    with socket.socket() as any_socket:
        any_socket.bind(("127.0.0.1", 0))
        port = any_socket.getsockname()[1]
    root = Path(__file__).resolve().parents[3]
    environment = {
        **os.environ,
        "PYTHONPATH": f"{packages}{os.pathsep}{root}",
        "HOME": str(folder),
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": CANARY,
        "AWS_DEFAULT_REGION": "eu-central-1",
    }
    command = [sys.executable, "-m", "tests.builders.aws_key_service", str(port), *arguments]
    with (folder / "service.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            until = time.monotonic() + 60
            while time.monotonic() < until and process.poll() is None:
                with socket.socket() as attempt:
                    if attempt.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield environment
        finally:
            process.terminate()
            process.wait(10)


def make(spec: str, environment: Mapping[str, str], folder: Path) -> Path:
    done = subprocess.run([sys.executable, "-c", MAKE, spec], env=environment, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    (folder / f"{spec}.pub").write_bytes(done.stdout)
    return folder / f"{spec}.pub"


def attest(image: str, predicate: Path, key: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "compliance.cli.main", "attest", image, "--sign-key", key, "-q", "-o", "json"]
    command += ["--predicate", str(predicate), "--type", TYPE]
    return subprocess.run(command, env=environment, capture_output=True, timeout=120, stdin=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def aws(stack: SigstoreStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    with service(tmp_path_factory.mktemp("kms")) as environment:
        yield environment


@pytest.mark.parametrize("spec", SPECS)
def test_a_key_in_the_service_signs_what_cosign_accepts(
    stack: SigstoreStack, aws: Mapping[str, str], new_image: NewImage, predicate: Path, tmp_path: Path, spec: str
) -> None:
    public = make(spec, aws, tmp_path)
    image = new_image(stack.referrers)
    for new in (True, False):
        done = attest(image, predicate, f"awskms:alias/{spec}", aws)
        assert done.returncode == 0, done.stderr
        assert [item["new"] for item in json.loads(done.stdout)["attached"]] == [new], "the same is signed once"
        assert CANARY.encode() not in done.stdout + done.stderr
    trust = ("--key", public, "--insecure-ignore-tlog")
    hashed = ("--signature-digest-algorithm", SPECS[spec])
    stack.cosign.do("verify-attestation", *trust, *hashed, "--type", TYPE, image)
    assert verify(image, *trust, folder=tmp_path, require=[TYPE]).accepts


def test_no_such_key_is_one_line(
    stack: SigstoreStack, aws: Mapping[str, str], new_image: NewImage, predicate: Path
) -> None:
    done = attest(new_image(stack.referrers), predicate, "awskms:alias/none", aws)
    assert done.returncode != 0
    assert b" key-unusable: " in done.stderr
    assert done.stderr.count(b"\n") == 1
    assert CANARY.encode() not in done.stderr


def test_a_service_that_signs_something_else_is_found_out_before_anything_is_attached(
    stack: SigstoreStack, new_image: NewImage, predicate: Path, tmp_path: Path
) -> None:
    """moto as it is hashes the digest again."""
    image = new_image(stack.referrers)
    with service(tmp_path, "as-is") as environment:
        public = make("ECC_NIST_P256", environment, tmp_path)
        done = attest(image, predicate, "awskms:alias/ECC_NIST_P256", environment)
    assert done.returncode != 0
    assert b" key-unsupported: " in done.stderr
    found = verify(image, "--key", public, "--insecure-ignore-tlog", folder=tmp_path)
    assert found.verdicts == []
