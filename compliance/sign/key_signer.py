"""Sign with a private key in a file, in the form that `cosign verify-attestation --key` reads."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from compliance.errors import FormatError, SigningError
from compliance.formats.public_key import KEY_SIZE_MAX, PublicKey, usable
from compliance.sign.cosign_key import decrypt, is_cosign_key
from compliance.sign.password import password_for
from compliance.sign.signer import KeySigner

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey(KeySigner):
    """A private key that signs. It is never shown or written again.

    All kinds sign deterministically where the cryptographic library can (RFC 6979 for ECDSA), so equal statements
    give equal bundles. ECDSA and RSA (PKCS #1 v1.5) take SHA-256 whatever their size: cosign 3.1.2 verifies with a
    key that way unless told otherwise, and PSS not at all.
    """

    private: PrivateKey = field(repr=False)

    @property
    def public(self) -> PublicKey:
        """See KeySigner."""
        return self.private.public_key()

    def sign(self, message: bytes) -> bytes:
        """See KeySigner."""
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            return self.private.sign(message, _ecdsa())
        if isinstance(self.private, rsa.RSAPrivateKey):
            return self.private.sign(message, padding.PKCS1v15(), hashes.SHA256())
        return self.private.sign(message)


def load_signing_key(path: Path) -> SigningKey:
    """Read a PEM private key: ECDSA on a NIST curve, Ed25519, or RSA; PKCS #8, or cosign's own encrypted form.

    The password of an encrypted one comes from HULLMARK_KEY_PASSWORD or is asked for. Raises SigningError.
    """
    try:
        with path.open("rb") as file:
            pem = file.read(KEY_SIZE_MAX + 1)
    except OSError as error:
        raise SigningError(
            f"the signing key can't be read: {error.strerror}", code="key-unreadable", where=str(path)
        ) from None
    key = _decode(pem, path)
    if isinstance(key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey):
        try:
            usable(key.public_key())
        except FormatError:
            pass
        else:
            return SigningKey(private=key)
    raise SigningError(
        "a signing key of a kind that is not supported",
        code="key-unsupported",
        where=str(path),
        hint="ECDSA on a NIST curve, Ed25519, or RSA of at least 2048 bits; --sign-key generate:PATH makes one",
    )


def load_or_generate(path: Path) -> SigningKey:
    """The key at `path`; made new where there is none: P-256, PKCS #8 PEM with mode 0600, and ``PATH.pub`` beside it.

    Nothing is ever overwritten. Raises SigningError, also where ``PATH.pub`` belongs to another key.
    """
    public = path.with_name(path.name + ".pub")
    if not path.exists():
        if public.exists():
            raise SigningError("a public key is in the way of a new key", code="key-mismatch", where=str(public))
        private = ec.generate_private_key(ec.SECP256R1())
        pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        _create(path, pem, 0o600)
    key = load_signing_key(path)
    if _create(public, key.public_pem, 0o644):
        return key
    if public.read_bytes() != key.public_pem:
        raise SigningError("it is not the public half of the signing key", code="key-mismatch", where=str(public))
    return key


def _ecdsa() -> ec.ECDSA:
    try:
        return ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    except UnsupportedAlgorithm:
        return ec.ECDSA(hashes.SHA256())


def _decode(pem: bytes, path: Path) -> object:
    """The key in `pem`. A password is asked for only where the key is encrypted. Raises SigningError."""
    try:
        if is_cosign_key(pem):
            password = password_for("the password of the signing key", str(path))
            return serialization.load_der_private_key(decrypt(pem, password, str(path)), None)
        try:
            return serialization.load_pem_private_key(pem, None)
        except TypeError:  # it is encrypted
            password = password_for("the password of the signing key", str(path))
            return serialization.load_pem_private_key(pem, password.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise SigningError(
            "not a PEM private key, or the password is wrong", code="key-invalid", where=str(path)
        ) from None


def _create(path: Path, content: bytes, mode: int) -> bool:
    """Write a new file, whole or not at all; False where there is one already."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        return False
    except OSError as error:
        raise SigningError(
            f"the signing key can't be written: {error.strerror}", code="key-unwritable", where=str(path)
        ) from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        path.unlink()
        raise SigningError(
            f"the signing key can't be written: {error.strerror}", code="key-unwritable", where=str(path)
        ) from None
    return True
