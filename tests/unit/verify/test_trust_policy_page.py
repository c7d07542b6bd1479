"""docs/trust-policy.md is true: its example is read, decides as it says, and its schema is where it says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from compliance.formats.dsse import IN_TOTO, Envelope, pre_authentication_encoding
from compliance.formats.intoto import COSIGN_SIGN, write_statement
from compliance.formats.public_key import key_id, public_pem
from compliance.formats.sigstore_bundle import write_keyed_bundle
from compliance.model.image import AttachedArtifact
from compliance.model.verification import PolicyState
from compliance.verify.trust_policy import TrustPolicy
from compliance.verify.trust_policy_file import read_policy
from compliance.verify.trusted_root import embedded_trusted_root
from compliance.verify.verifier import verify_by_policy
from tests.builders.signed_image import BUNDLE, artifact, blob, image_of, sha256
from tests.conftest import CHECKOUT

KEY = ec.derive_private_key(41, ec.SECP256R1())
MANIFEST = b"{}"


@pytest.fixture(scope="module")
def page() -> str:
    return (CHECKOUT / "docs" / "trust-policy.md").read_text()


@pytest.fixture(scope="module")
def policy(page: str) -> TrustPolicy:
    (example,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (stated,) = re.findall(r"key-id: (\w+)", example)
    return read_policy(
        "trust.yaml",
        example.replace(stated, key_id(KEY.public_key())).encode(),
        lambda name, _: {"keys/release.pub": public_pem(KEY.public_key())}[name],
    )


def signature() -> AttachedArtifact:
    said = write_statement(name="x", digest=sha256(MANIFEST), predicate_type=COSIGN_SIGN, predicate={})
    made = KEY.sign(pre_authentication_encoding(IN_TOTO, said), ec.ECDSA(hashes.SHA256()))
    envelope = Envelope(payload_type=IN_TOTO, payload=said, signatures=(made,))
    return artifact(blob(write_keyed_bundle(envelope, KEY.public_key()), BUNDLE))


@pytest.mark.parametrize(
    ("name", "signed", "state"),
    [
        ("oci-dir:dist/image", True, PolicyState.HELD),
        ("oci-dir:dist/image", False, PolicyState.UNDETERMINED),
        ("registry.example.com/acme/app:v1", True, PolicyState.UNDETERMINED),  # provenance is missing
        ("registry.example.com/other/app:v1", True, PolicyState.UNDETERMINED),
    ],
)
def test_the_example_decides(policy: TrustPolicy, name: str, signed: bool, state: PolicyState) -> None:
    image = image_of(MANIFEST, *([signature()] if signed else []))
    now = datetime(2026, 12, 1, tzinfo=UTC)
    found = verify_by_policy(image, name, policy, public_root=embedded_trusted_root(), now=now)
    assert found.policy is not None
    assert found.policy.state is state


def test_every_field_is_explained(page: str) -> None:
    schema = json.loads((CHECKOUT / "compliance" / "verify" / "trust-policy.schema.json").read_bytes())
    fields = set(schema["properties"]) | set(schema["properties"]["rules"]["items"]["properties"])
    for name in ("identity", "key", "requirement"):
        fields |= set(schema["$defs"][name]["properties"])
    table = page.partition("## What it says")[2].partition("\n- ")[0]
    told = set(re.findall(r"`([a-z-]+)`", table))
    assert fields - told <= {"rules", "require"}


def test_the_schema_is_where_it_says(page: str) -> None:
    (code,) = re.findall(r'python -c "(.*?)"', page)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=CHECKOUT)
    assert json.loads(Path(run.stdout.strip()).read_bytes())["title"] == "Trust policy of hullmark"
