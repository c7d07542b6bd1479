"""cosign's own encryption of private keys: PKCS #8 in NaCl's secretbox, the key of which scrypt makes of a password.

The file is PEM around JSON (go-securesystemslib, ``encrypted``). The cipher comes with PyNaCl, which is installed on
request: ``hullmark[cosign-key]``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

from compliance.errors import FormatError, SigningError
from compliance.formats.signed_json import JsonObject, read_object

PEM_LABELS = ("ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY")

_KEY_SIZE, _NONCE_SIZE, _SALT_SIZE_MAX = 32, 24, 64
_SCRYPT_MEMORY_MAX = 2**30
"""Bytes that deriving a key may take: cosign's own parameters take 64 MiB."""


def is_cosign_key(pem: bytes) -> bool:
    """Whether `pem` is a key in this form."""
    return any(f"-----BEGIN {label}-----".encode() in pem for label in PEM_LABELS)


def decrypt(pem: bytes, password: str, where: str) -> bytes:
    """The PKCS #8 DER inside. Raises SigningError (``key-invalid``, ``extra-missing``)."""
    try:
        document = read_object(_armored(pem), "key")
        kdf, cipher = document.member("kdf"), document.member("cipher")
        if (kdf.text("name"), cipher.text("name")) != ("scrypt", "nacl/secretbox"):
            raise kdf.wrong("name", "scrypt and nacl/secretbox")
        key = _derived(kdf.member("params"), kdf.base64("salt"), password)
        nonce, sealed = cipher.base64("nonce"), document.base64("ciphertext")
    except (FormatError, binascii.Error, ValueError):
        raise _invalid("not a key in cosign's form", where) from None
    if len(nonce) != _NONCE_SIZE:
        raise _invalid("not a key in cosign's form", where)
    return _opened(sealed, nonce, key, where)


def _armored(pem: bytes) -> bytes:
    lines = pem.decode("ascii").strip().splitlines()
    return base64.b64decode("".join(line.strip() for line in lines if not line.startswith("-----")), validate=True)


def _derived(params: JsonObject, salt: bytes, password: str) -> bytes:
    n, r, p = params.number("N"), params.number("r"), params.number("p")
    if len(salt) > _SALT_SIZE_MAX or not (0 < p <= 16 and 0 < r <= 64 and 128 * n * r <= _SCRYPT_MEMORY_MAX):
        raise params.wrong("N", "parameters of a usual size")
    return hashlib.scrypt(
        password.encode(), salt=salt, n=n, r=r, p=p, maxmem=_SCRYPT_MEMORY_MAX + 2**20, dklen=_KEY_SIZE
    )


def _opened(sealed: bytes, nonce: bytes, key: bytes, where: str) -> bytes:
    try:
        from nacl.exceptions import CryptoError
        from nacl.secret import SecretBox
    except ImportError:
        raise SigningError(
            "keys in cosign's own encryption need PyNaCl",
            code="extra-missing",
            where=where,
            hint="install hullmark[cosign-key], or use a PKCS #8 key",
        ) from None
    try:
        return bytes(SecretBox(key).decrypt(sealed, nonce))
    except CryptoError:
        raise _invalid("the password of the signing key is wrong, or the key is damaged", where) from None


def _invalid(message: str, where: str) -> SigningError:
    return SigningError(message, code="key-invalid", where=where)
