"""Public keys: reading them, naming them, checking a signature with one."""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from compliance.errors import FormatError

PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey

KEY_SIZE_MAX = 64 * 2**10
RSA_BITS_MIN = 2048

_CURVE_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "secp256r1": hashes.SHA256,
    "secp384r1": hashes.SHA384,
    "secp521r1": hashes.SHA512,
}


def load_public_key(pem: bytes) -> PublicKey:
    """Read a PEM SubjectPublicKeyInfo: ECDSA on a NIST curve, Ed25519, or RSA of at least 2048 bits.

    Raises FormatError for everything else, a private key or a certificate too.
    """
    if len(pem) > KEY_SIZE_MAX:
        raise FormatError(f"a public key of more than {KEY_SIZE_MAX} bytes", code="limit-exceeded")
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise FormatError("not a PEM public key", code="key-invalid") from None
    return usable(key)


def usable(key: object) -> PublicKey:
    """`key` if it is of a kind that can be checked with here. Raises FormatError."""
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVE_HASHES:
        return key
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= RSA_BITS_MIN:
        return key
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key
    raise FormatError("a public key of a kind that is not supported", code="key-unsupported")


def subject_public_key_info(key: PublicKey) -> bytes:
    """The DER form of `key` (RFC 5280, section 4.1.2.7)."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def public_pem(key: PublicKey) -> bytes:
    """The PEM form of `key`."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def key_id(key: PublicKey) -> str:
    """The hex sha256 of the SubjectPublicKeyInfo: what names a key everywhere in outputs."""
    return hashlib.sha256(subject_public_key_info(key)).hexdigest()


def signature_holds(key: PublicKey, signature: bytes, message: bytes) -> bool:
    """Whether `signature` over `message` was made with the private half of `key`.

    ECDSA goes with the hash of its curve's size; older clients took SHA-256 whatever the curve, so that is tried
    too. RSA is PKCS #1 v1.5 with SHA-256.
    """
    if isinstance(key, ec.EllipticCurvePublicKey):
        algorithms: set[type[hashes.HashAlgorithm]] = {_CURVE_HASHES[key.curve.name], hashes.SHA256}
        return any(_holds(key, signature, message, algorithm()) for algorithm in algorithms)
    return _holds(key, signature, message, hashes.SHA256())


def digest_signature_holds(key: PublicKey, signature: bytes, sha256: bytes) -> bool:
    """The same where only the message's SHA-256 is known; False for Ed25519, which signs no digest."""
    if isinstance(key, ed25519.Ed25519PublicKey):
        return False
    return _holds(key, signature, sha256, utils.Prehashed(hashes.SHA256()))


def _holds(key: PublicKey, signature: bytes, data: bytes, algorithm: hashes.HashAlgorithm | utils.Prehashed) -> bool:
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, data, ec.ECDSA(algorithm))
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, data, padding.PKCS1v15(), algorithm)
        else:
            key.verify(signature, data)
    except InvalidSignature:
        return False
    return True
