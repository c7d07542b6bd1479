"""Sign statements with an ECDSA P-256 key, in the form that `cosign verify-attestation --key` reads."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from compliance.errors import SigningError
from compliance.formats.dsse import IN_TOTO, Envelope, pre_authentication_encoding
from compliance.formats.public_key import KEY_SIZE_MAX, key_id, public_pem
from compliance.formats.sigstore_bundle import write_keyed_bundle

PASSWORD_VARIABLE = "HULLMARK_KEY_PASSWORD"  # noqa: S105
"""The environment variable that holds the password of an encrypted key."""

GENERATE_PREFIX = "generate:"
"""Before a path: make a key there unless there is one."""

_COSIGN_MARKERS = (b"ENCRYPTED COSIGN PRIVATE KEY", b"ENCRYPTED SIGSTORE PRIVATE KEY")


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A private key that signs. It is never shown or written again."""

    private: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def public_pem(self) -> bytes:
        """The public half, for whoever verifies."""
        return public_pem(self.private.public_key())

    @property
    def key_id(self) -> str:
        """The hex sha256 of the public half's SubjectPublicKeyInfo."""
        return key_id(self.private.public_key())


def signing_key(reference: str) -> SigningKey:
    """The key of ``--sign-key``: a path, or ``generate:PATH``. Raises SigningError."""
    if reference.startswith(GENERATE_PREFIX):
        return load_or_generate(Path(reference.removeprefix(GENERATE_PREFIX)))
    return load_signing_key(Path(reference))


def load_signing_key(path: Path) -> SigningKey:
    """Read a PEM private key; the password of an encrypted one comes from HULLMARK_KEY_PASSWORD.

    Raises SigningError; for keys in cosign's own encryption and for other kinds than ECDSA P-256 too.
    """
    try:
        with path.open("rb") as file:
            pem = file.read(KEY_SIZE_MAX + 1)
    except OSError as error:
        raise SigningError(
            f"the signing key can't be read: {error.strerror}", code="key-unreadable", where=str(path)
        ) from None
    if any(marker in pem for marker in _COSIGN_MARKERS):
        raise SigningError(
            "this key is encrypted in cosign's own form, which is not supported",
            code="key-unsupported",
            where=str(path),
            hint="use a PKCS #8 key, such as --sign-key generate:PATH makes",
        )
    key = _decode(pem, path)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise SigningError(
            "the signing key is not an ECDSA key on P-256",
            code="key-unsupported",
            where=str(path),
            hint="make one with --sign-key generate:PATH",
        )
    return SigningKey(private=key)


def load_or_generate(path: Path) -> SigningKey:
    """The key at `path`; made new where there is none: PKCS #8 PEM with mode 0600, and ``PATH.pub`` beside it.

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


def sign_statement(statement: bytes, key: SigningKey) -> bytes:
    """A Sigstore bundle (version 0.3, JSON) with `statement` in a DSSE envelope signed by `key`.

    Equal input gives equal bytes: the signature is deterministic (RFC 6979) where the cryptographic library can.
    No transparency log holds it, so cosign needs --insecure-ignore-tlog.
    """
    signed = pre_authentication_encoding(IN_TOTO, statement)
    envelope = Envelope(payload_type=IN_TOTO, payload=statement, signatures=(key.private.sign(signed, _algorithm()),))
    return write_keyed_bundle(envelope, key.private.public_key())


def _algorithm() -> ec.ECDSA:
    try:
        return ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    except UnsupportedAlgorithm:
        return ec.ECDSA(hashes.SHA256())


def _decode(pem: bytes, path: Path) -> object:
    password = os.environ.get(PASSWORD_VARIABLE)
    try:
        return serialization.load_pem_private_key(pem, password.encode() if password else None)
    except TypeError:
        # Either it is encrypted and there is no password, or the other way round.
        if not password:
            raise SigningError(
                "the signing key is encrypted",
                code="key-encrypted",
                where=str(path),
                hint=f"set {PASSWORD_VARIABLE}",
            ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise SigningError(
            "not a PEM private key, or the password is wrong", code="key-invalid", where=str(path)
        ) from None
    try:
        return serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise SigningError("not a PEM private key", code="key-invalid", where=str(path)) from None


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
