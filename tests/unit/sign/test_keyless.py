"""Signing as an identity, where it fails: one line, without the token. Where it works: tests/interop/cosign."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path

import jwt
import pytest

from compliance.errors import ComplianceError
from compliance.sign.keyless import KeylessOptions, open_keyless_signer
from compliance.sign.reference import open_signer
from compliance.verify.trusted_root import embedded_trusted_root

NOWHERE = "http://127.0.0.1:1"
CI = ("GITHUB_ACTIONS", "GITLAB_CI", "BUILDKITE", "CIRCLECI", "SIGSTORE_ID_TOKEN", "GCE_METADATA_HOST")


def service(url: str, version: int) -> dict[str, object]:
    return {
        "url": url,
        "majorApiVersion": version,
        "validFor": {"start": "2020-01-01T00:00:00Z"},
        "operator": "example.test",
    }


@pytest.fixture
def trust_config() -> bytes:
    """The trusted root of the public instance, and services that nobody runs."""
    signing = {
        "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
        "caUrls": [service(NOWHERE, 1)],
        "oidcUrls": [service(NOWHERE, 1)],
        "rekorTlogUrls": [service(NOWHERE, 2)],
        "rekorTlogConfig": {"selector": "ANY"},
        "tsaUrls": [service(NOWHERE, 1)],
        "tsaConfig": {"selector": "ANY"},
    }
    config = {
        "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
        "trustedRoot": json.loads(embedded_trusted_root()),
        "signingConfig": signing,
    }
    return json.dumps(config).encode()


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CI:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO())


def token(**claims: object) -> str:
    now = int(time.time())
    return jwt.encode({"aud": "sigstore", "sub": "me", "iss": NOWHERE, "iat": now, "exp": now + 60, **claims}, "k" * 32)


def refused(options: KeylessOptions) -> ComplianceError:
    with pytest.raises(ComplianceError) as caught:
        open_signer("keyless", options)
    assert "\n" not in str(caught.value)
    return caught.value


def test_nobody_to_sign_as(trust_config: bytes) -> None:
    assert refused(KeylessOptions(trust_config=trust_config)).code == "no-identity"


def test_services_that_do_not_answer(trust_config: bytes, tmp_path: Path) -> None:
    secret = token()
    (tmp_path / "token").write_text(f"{secret}\n")
    error = refused(KeylessOptions(trust_config=trust_config, identity_token=str(tmp_path / "token")))
    assert error.code == "signing-failed"
    assert secret not in str(error)


@pytest.mark.parametrize(
    "claims", [{"exp": 1}, {"aud": "others"}, {"sub": None}], ids=["expired", "audience", "nobody"]
)
def test_a_token_that_is_for_nothing_here(trust_config: bytes, claims: dict[str, object]) -> None:
    secret = token(**claims)
    error = refused(KeylessOptions(trust_config=trust_config, identity_token=secret))
    assert error.code == "signing-failed"
    assert secret.rpartition(".")[2] not in str(error)


def test_standard_input_gives_the_token(trust_config: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(token() + "\n"))
    error = refused(KeylessOptions(trust_config=trust_config, identity_token="-"))  # noqa: S106
    assert error.message.startswith("no certificate was issued")


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"mediaType": "x"}'])
def test_what_is_no_trust_config(content: bytes) -> None:
    assert refused(KeylessOptions(trust_config=content, identity_token=token())).code == "trust-config-invalid"


def test_offline_nobody_is_asked(no_sockets: None, trust_config: bytes) -> None:
    with pytest.raises(ComplianceError) as caught:
        open_keyless_signer(KeylessOptions(trust_config=trust_config, offline=True))
    assert caught.value.code == "offline"
