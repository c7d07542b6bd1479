"""Keys in cosign's own encryption: opened with the password alone, and only in one clear line otherwise."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

import pytest

from compliance.errors import SigningError
from compliance.sign.cosign_key import PEM_LABELS
from compliance.sign.key_signer import load_signing_key
from compliance.sign.password import PASSWORD_VARIABLE


@pytest.fixture
def keys(shared: Path) -> Path:
    return shared / "fixtures" / "sigstore" / "keys"


def sealed(keys: Path) -> dict[str, dict[str, object]]:
    """The document inside cosign's file."""
    lines = (keys / "cosign.key").read_text().splitlines()
    document: dict[str, dict[str, object]] = json.loads(base64.b64decode("".join(lines[1:-1])))
    return document


def armored(document: object, path: Path) -> Path:
    body = base64.encodebytes(json.dumps(document).encode()).decode()
    path.write_text(f"-----BEGIN {PEM_LABELS[0]}-----\n{body}-----END {PEM_LABELS[0]}-----\n")
    return path


def test_the_password_opens_it(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("nacl")
    monkeypatch.setenv(PASSWORD_VARIABLE, "")
    assert load_signing_key(keys / "cosign.key").public_pem == (keys / "cosign.pub").read_bytes()


def test_another_password_does_not(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("nacl")
    monkeypatch.setenv(PASSWORD_VARIABLE, "wrong")
    with pytest.raises(SigningError, match="password") as caught:
        load_signing_key(keys / "cosign.key")
    assert caught.value.code == "key-invalid"


def test_without_the_library_one_line_says_what_to_install(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "")
    monkeypatch.setitem(sys.modules, "nacl.secret", None)
    monkeypatch.setitem(sys.modules, "nacl.exceptions", None)
    with pytest.raises(SigningError, match=r"hullmark\[cosign-key\]"):
        load_signing_key(keys / "cosign.key")


@pytest.mark.parametrize(
    ("member", "name", "value"),
    [
        ("kdf", "params", {"N": 2**30, "r": 8, "p": 1}),
        ("kdf", "params", {"N": 2**16, "r": 2**20, "p": 1}),
        ("kdf", "params", {"N": 2**16, "r": 8, "p": 2**20}),
        ("kdf", "params", {"N": 3, "r": 8, "p": 1}),
        ("kdf", "name", "pbkdf2"),
        ("kdf", "salt", "***"),
        ("cipher", "nonce", "AAAA"),
        ("cipher", "name", "rot13"),
    ],
)
def test_what_is_damaged_or_greedy_is_refused_at_once(
    keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, member: str, name: str, value: object
) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "")
    document = sealed(keys)
    document[member][name] = value
    with pytest.raises(SigningError) as caught:
        load_signing_key(armored(document, tmp_path / "key"))
    assert caught.value.code == "key-invalid"
