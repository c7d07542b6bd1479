"""Signing with a key: the wire format, keys made and read, and that nothing is overwritten."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import stat
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from compliance.errors import SigningError
from compliance.formats.public_key import load_public_key, signature_holds
from compliance.sign.key_signer import PrivateKey, SigningKey, load_or_generate, load_signing_key
from compliance.sign.password import PASSWORD_VARIABLE
from compliance.sign.reference import open_signer

STATEMENT = b'{"_type":"https://in-toto.io/Statement/v1"}'


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return SigningKey(private=ec.generate_private_key(ec.SECP256R1()))


KINDS: dict[str, PrivateKey] = {
    "p-256": ec.generate_private_key(ec.SECP256R1()),
    "p-384": ec.generate_private_key(ec.SECP384R1()),
    "p-521": ec.generate_private_key(ec.SECP521R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
    "rsa": rsa.generate_private_key(65537, 2048),
}


def pkcs8(key: PrivateKeyTypes, password: bytes | None = None) -> bytes:
    cipher = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, cipher)


def test_a_bundle_verifies_with_nothing_but_the_public_key(key: SigningKey) -> None:
    """An independent reading: JSON, base64, the PAE by hand, ECDSA of the cryptography package."""
    bundle = json.loads(key.sign_statement(STATEMENT))
    envelope = bundle["dsseEnvelope"]
    payload = base64.b64decode(envelope["payload"])
    signed = b"DSSEv1 28 application/vnd.in-toto+json %d %s" % (len(payload), payload)
    public = serialization.load_pem_public_key(key.public_pem)
    assert isinstance(public, ec.EllipticCurvePublicKey)
    (signature,) = envelope["signatures"]
    public.verify(base64.b64decode(signature["sig"]), signed, ec.ECDSA(hashes.SHA256()))
    with pytest.raises(InvalidSignature):
        public.verify(base64.b64decode(signature["sig"]), signed + b" ", ec.ECDSA(hashes.SHA256()))
    assert payload == STATEMENT


def test_the_format_is_what_cosign_reads(key: SigningKey) -> None:
    bundle = json.loads(key.sign_statement(STATEMENT))
    spki = key.private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert bundle["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    hint = base64.b64encode(hashlib.sha256(spki).digest()).decode()
    assert bundle["verificationMaterial"] == {"publicKey": {"hint": hint}}
    assert bundle["dsseEnvelope"]["payloadType"] == "application/vnd.in-toto+json"
    assert [list(signature) for signature in bundle["dsseEnvelope"]["signatures"]] == [["sig"]]  # and no keyid
    assert key.key_id == hashlib.sha256(spki).hexdigest()


def test_sigstore_python_reads_the_envelope_and_the_material(key: SigningKey) -> None:
    """It has no API for keys, so its model of the bundle is as far as it goes."""
    from sigstore import dsse
    from sigstore_models.bundle.v1 import VerificationMaterial

    bundle = json.loads(key.sign_statement(STATEMENT))
    envelope = dsse.Envelope._from_json(json.dumps(bundle["dsseEnvelope"]))
    public = serialization.load_pem_public_key(key.public_pem)
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert dsse._verify(public, envelope) == STATEMENT
    material = {**bundle["verificationMaterial"], "tlogEntries": []}
    assert VerificationMaterial.from_json(json.dumps(material)).public_key is not None


def test_signing_twice_gives_the_same_bytes(key: SigningKey) -> None:
    assert key.sign_statement(STATEMENT) == key.sign_statement(STATEMENT)
    assert key.sign_statement(STATEMENT) != key.sign_statement(STATEMENT + b"\n")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_signs_as_cosign_verifies_by_default(kind: str) -> None:
    """SHA-256 whatever the size, RSA with PKCS #1 v1.5, Ed25519 itself: read independently of this project."""
    key = SigningKey(private=KINDS[kind])
    bundle = key.sign_statement(STATEMENT)
    (signature,) = json.loads(bundle)["dsseEnvelope"]["signatures"]
    signed = b"DSSEv1 28 application/vnd.in-toto+json %d %s" % (len(STATEMENT), STATEMENT)
    raw = base64.b64decode(signature["sig"])
    public = serialization.load_pem_public_key(key.public_pem)
    if isinstance(public, ec.EllipticCurvePublicKey):
        public.verify(raw, signed, ec.ECDSA(hashes.SHA256()))
    elif isinstance(public, rsa.RSAPublicKey):
        public.verify(raw, signed, padding.PKCS1v15(), hashes.SHA256())
    else:
        assert isinstance(public, ed25519.Ed25519PublicKey)
        public.verify(raw, signed)
    assert signature_holds(load_public_key(key.public_pem), raw, signed)
    assert key.sign_statement(STATEMENT) == bundle, "not deterministic"


@pytest.mark.parametrize("kind", KINDS)
def test_a_signer_knows_its_own_signature_and_no_other(kind: str, key: SigningKey) -> None:
    mine = SigningKey(private=KINDS[kind])
    bundle = mine.sign_statement(STATEMENT)
    assert mine.has_signed(bundle, STATEMENT)
    assert not mine.has_signed(bundle, STATEMENT + b" ")
    assert mine.has_signed(key.sign_statement(STATEMENT), STATEMENT) is (mine.key_id == key.key_id)
    damaged = json.loads(bundle)
    damaged["dsseEnvelope"]["signatures"][0]["sig"] = base64.b64encode(b"0" * 64).decode()
    assert not mine.has_signed(json.dumps(damaged).encode(), STATEMENT)
    assert not mine.has_signed(b"{}", STATEMENT)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_read_encrypted_too(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(pkcs8(KINDS[kind], b"correct"))
    monkeypatch.setenv(PASSWORD_VARIABLE, "correct")
    assert load_signing_key(path).key_id == SigningKey(private=KINDS[kind]).key_id


def test_a_key_is_made_once_and_only_the_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    first = open_signer(f"generate:{path}")
    assert isinstance(first, SigningKey)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")
    assert (tmp_path / "signing.pem.pub").read_bytes() == first.public_pem
    again = open_signer(f"generate:{path}")
    assert again.name == first.name == open_signer(str(path)).name


def test_a_missing_public_key_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    key = load_or_generate(path)
    (tmp_path / "signing.pem.pub").unlink()
    assert load_or_generate(path).key_id == key.key_id
    assert (tmp_path / "signing.pem.pub").read_bytes() == key.public_pem


@pytest.mark.parametrize("private_there", [True, False])
def test_a_foreign_public_key_is_never_overwritten(tmp_path: Path, private_there: bool) -> None:
    path = tmp_path / "signing.pem"
    if private_there:
        load_or_generate(path)
    (tmp_path / "signing.pem.pub").write_bytes(b"mine")
    with pytest.raises(SigningError):
        load_or_generate(path)
    assert (tmp_path / "signing.pem.pub").read_bytes() == b"mine"
    assert path.exists() is private_there


def test_an_encrypted_key_is_opened_with_the_password_of_the_environment(
    tmp_path: Path, key: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(pkcs8(key.private, b"correct"))
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(SigningError, match=PASSWORD_VARIABLE):
        load_signing_key(path)
    monkeypatch.setenv(PASSWORD_VARIABLE, "wrong")
    with pytest.raises(SigningError, match="password is wrong"):
        load_signing_key(path)
    monkeypatch.setenv(PASSWORD_VARIABLE, "correct")
    assert load_signing_key(path).key_id == key.key_id


def test_a_password_does_not_get_in_the_way_of_a_plain_key(
    tmp_path: Path, key: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(pkcs8(key.private))
    monkeypatch.setenv(PASSWORD_VARIABLE, "anything")
    assert load_signing_key(path).key_id == key.key_id


def test_a_plain_key_of_the_fixtures_signs(shared: Path) -> None:
    keys = shared / "fixtures" / "sigstore" / "keys"
    assert load_signing_key(keys / "plain.key").public_pem == (keys / "plain.pub").read_bytes()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a key",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        pkcs8(x25519.X25519PrivateKey.generate()),
        pkcs8(ec.generate_private_key(ec.SECP256K1())),
        pkcs8(rsa.generate_private_key(65537, 1024)),  # noqa: S505 - it is to be refused
    ],
    ids=["empty", "text", "damaged", "x25519", "secp256k1", "rsa-1024"],
)
def test_what_is_no_usable_key_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(content)
    with pytest.raises(SigningError):
        load_signing_key(path)


def test_a_missing_key_and_a_missing_folder_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(SigningError, match="can't be read"):
        load_signing_key(tmp_path / "none.pem")
    with pytest.raises(SigningError, match="can't be written"):
        load_or_generate(tmp_path / "no" / "folder" / "key.pem")


def test_the_private_key_is_not_in_its_representation(key: SigningKey) -> None:
    assert "private" not in repr(key).lower()
