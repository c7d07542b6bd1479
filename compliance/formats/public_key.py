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
"""Less has not 112 bits of security (NIST SP 800-131A); cosign takes smaller keys too."""

_CURVE_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "secp256r1": hashes.SHA256,
    "secp384r1": hashes.SHA384,
    "secp521r1": hashes.SHA512,
}


_NOT_PUBLIC = {
    b"-----BEGIN CERTIFICATE-----": (
        "a certificate, not a public key",
        "openssl x509 -pubkey -noout takes the key out of it; nothing else of the certificate would be looked at",
    ),
    b"PRIVATE KEY-----": ("a private key, not a public key", "give its public half: nothing here needs the other"),
}


def load_public_key(pem: bytes) -> PublicKey:
    """Read a PEM public key: ECDSA on a NIST curve, Ed25519, or RSA of at least 2048 bits.

    As with cosign it may be a SubjectPublicKeyInfo (``PUBLIC KEY``) or PKCS #1 (``RSA PUBLIC KEY``), and a
    certificate is none. Raises FormatError for everything else.
    """
    if len(pem) > KEY_SIZE_MAX:
        raise FormatError(f"a public key of more than {KEY_SIZE_MAX} bytes", code="limit-exceeded")
    for marker, (what, hint) in _NOT_PUBLIC.items():
        if marker in pem:
            raise FormatError(what, code="key-invalid", hint=hint)
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

    As Sigstore's algorithm registry has it: ECDSA in DER with the hash of the curve's size, or with SHA-256, which
    cosign takes whatever the curve; RSA with SHA-256 and PKCS #1 v1.5; Ed25519 over the message itself. PSS is none, as
    for cosign: a public key does not say which scheme it is for, and one key should have one. cosign also takes ECDSA
    in the raw form of IEEE P1363, which is no signature here: nothing that signs images writes it, and one signature
    should have one form.
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
