"""Public keys: which are read, how they are named, what they verify."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from compliance.errors import FormatError
from compliance.formats.public_key import (
    digest_signature_holds,
    key_id,
    load_public_key,
    public_pem,
    signature_holds,
)

MESSAGE = b"message"


def pem(key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
@pytest.mark.parametrize("algorithm", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()], ids=lambda a: a.name)
def test_ecdsa_goes_with_the_hash_of_the_curve_or_sha256(
    curve: ec.EllipticCurve, algorithm: hashes.HashAlgorithm
) -> None:
    private = ec.generate_private_key(curve)
    key = load_public_key(pem(private.public_key()))
    signature = private.sign(MESSAGE, ec.ECDSA(algorithm))
    fits = algorithm.name in ("sha256", {256: "sha256", 384: "sha384", 521: "sha512"}[curve.key_size])
    assert signature_holds(key, signature, MESSAGE) is fits
    assert not signature_holds(key, signature, MESSAGE + b"!")
    by_digest = digest_signature_holds(key, signature, hashlib.sha256(MESSAGE).digest())
    assert by_digest is (algorithm.name == "sha256")


@pytest.fixture(scope="module")
def big() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


_MGF = padding.MGF1(hashes.SHA256())


@pytest.mark.parametrize(
    ("scheme", "algorithm", "fits"),
    [
        (padding.PKCS1v15(), hashes.SHA256(), True),
        (padding.PSS(_MGF, padding.PSS.DIGEST_LENGTH), hashes.SHA256(), False),
        (padding.PSS(_MGF, padding.PSS.MAX_LENGTH), hashes.SHA256(), False),
        (padding.PSS(padding.MGF1(hashes.SHA1()), padding.PSS.DIGEST_LENGTH), hashes.SHA256(), False),  # noqa: S303
        (padding.PKCS1v15(), hashes.SHA512(), False),
        (padding.PKCS1v15(), hashes.SHA1(), False),  # noqa: S303
    ],
    ids=["v1.5", "PSS", "PSS-longest-salt", "PSS-MGF1-SHA1", "v1.5-SHA512", "v1.5-SHA1"],
)
def test_rsa_goes_with_sha256_and_pkcs1_alone(
    big: rsa.RSAPrivateKey, scheme: padding.PSS | padding.PKCS1v15, algorithm: hashes.HashAlgorithm, fits: bool
) -> None:
    key = load_public_key(pem(big.public_key()))
    signature = big.sign(MESSAGE, scheme, algorithm)
    assert signature_holds(key, signature, MESSAGE) is fits
    assert digest_signature_holds(key, signature, hashlib.sha256(MESSAGE).digest()) is fits
    assert not signature_holds(key, signature, MESSAGE + b"!")


def test_an_rsa_key_may_be_written_as_pkcs1(big: rsa.RSAPrivateKey) -> None:
    pkcs1 = big.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1)
    assert key_id(load_public_key(pkcs1)) == key_id(big.public_key())


def test_ecdsa_has_one_form_only() -> None:
    """DER; the two numbers side by side (IEEE P1363) are no signature, though cosign takes them."""
    private = ec.generate_private_key(ec.SECP256R1())
    signature = private.sign(MESSAGE, ec.ECDSA(hashes.SHA256()))
    raw = b"".join(number.to_bytes(32, "big") for number in decode_dss_signature(signature))
    assert not signature_holds(private.public_key(), raw, MESSAGE)


def test_ed25519_verifies() -> None:
    edwards = ed25519.Ed25519PrivateKey.generate()
    assert signature_holds(load_public_key(pem(edwards.public_key())), edwards.sign(MESSAGE), MESSAGE)
    assert not signature_holds(edwards.public_key(), edwards.sign(MESSAGE), b"other")
    assert not digest_signature_holds(edwards.public_key(), edwards.sign(MESSAGE), b"\0" * 32)


@pytest.mark.parametrize("signature", [b"", b"\0" * 64, b"\x30\x06\x02\x01\x00\x02\x01\x00"])
def test_no_bytes_are_a_signature_by_accident(signature: bytes) -> None:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    assert not signature_holds(key, signature, MESSAGE)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 100_000,
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        pem(ec.generate_private_key(ec.SECP256K1()).public_key()),
        pem(rsa.generate_private_key(65537, 1024).public_key()),  # noqa: S505
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    ],
    ids=["empty", "large", "damaged", "secp256k1", "rsa-1024", "private"],
)
def test_what_is_no_usable_public_key_is_refused(content: bytes) -> None:
    with pytest.raises(FormatError):
        load_public_key(content)


def test_a_certificate_or_private_key_in_place_of_a_public_key_is_told_apart() -> None:
    for what in ("CERTIFICATE", "PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED SIGSTORE PRIVATE KEY"):
        with pytest.raises(FormatError, match="not a public key — "):
            load_public_key(f"-----BEGIN {what}-----\nAAAA\n-----END {what}-----\n".encode())


def test_a_key_is_named_by_its_subject_public_key_info() -> None:
    key = ec.derive_private_key(42, ec.SECP256R1()).public_key()
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert key_id(key) == hashlib.sha256(der).hexdigest()
    assert key_id(load_public_key(public_pem(key))) == key_id(key)
