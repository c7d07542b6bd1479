"""Kinds of keys, and of signatures with them, put to `hullmark verify` and to cosign: all are good signatures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from compliance.formats.dsse import IN_TOTO, Envelope, pre_authentication_encoding
from compliance.formats.intoto import write_statement
from compliance.formats.sigstore_bundle import write_keyed_bundle
from tests.builders.sigstore_stack import public_pem
from tests.builders.specimen import TYPE, Form, Kind, Specimen

Private = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
_HASHES: Mapping[str, hashes.HashAlgorithm] = {
    "SHA-256": hashes.SHA256(),
    "SHA-384": hashes.SHA384(),
    "SHA-512": hashes.SHA512(),
}


@dataclass(frozen=True, kw_only=True)
class KeyKind:
    """A key and how it signs. `algorithm` names the hash; Ed25519 has its own."""

    make: Callable[[], Private]
    algorithm: str = "SHA-256"
    pss: bool = False

    def sign(self, key: Private, message: bytes) -> bytes:
        """Its signature over `message`."""
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return key.sign(message)
        algorithm = _HASHES[self.algorithm]
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key.sign(message, ec.ECDSA(algorithm))
        if self.pss:
            return key.sign(message, padding.PSS(padding.MGF1(algorithm), algorithm.digest_size), algorithm)
        return key.sign(message, padding.PKCS1v15(), algorithm)


def _curve(curve: ec.EllipticCurve, algorithm: str) -> KeyKind:
    return KeyKind(make=lambda: ec.generate_private_key(curve), algorithm=algorithm)


def _rsa(bits: int, algorithm: str = "SHA-256", *, pss: bool = False) -> KeyKind:
    return KeyKind(make=lambda: rsa.generate_private_key(65537, bits), algorithm=algorithm, pss=pss)


KEYS: Mapping[str, KeyKind] = {
    "P-256, SHA-256": _curve(ec.SECP256R1(), "SHA-256"),
    "P-384, SHA-256": _curve(ec.SECP384R1(), "SHA-256"),
    "P-384, SHA-384": _curve(ec.SECP384R1(), "SHA-384"),
    "P-521, SHA-256": _curve(ec.SECP521R1(), "SHA-256"),
    "P-521, SHA-512": _curve(ec.SECP521R1(), "SHA-512"),
    "Ed25519": KeyKind(make=ed25519.Ed25519PrivateKey.generate),
    "RSA-2048, PKCS #1 v1.5, SHA-256": _rsa(2048),
    "RSA-4096, PKCS #1 v1.5, SHA-256": _rsa(4096),
    "RSA-2048, PSS, SHA-256": _rsa(2048, pss=True),
    "P-256, SHA-512": _curve(ec.SECP256R1(), "SHA-512"),
    "RSA-2048, PKCS #1 v1.5, SHA-512": _rsa(2048, "SHA-512"),
    "P-224, SHA-256": _curve(ec.SECP224R1(), "SHA-256"),
    "RSA-1024, PKCS #1 v1.5, SHA-256": _rsa(1024),
    "secp256k1, SHA-256": _curve(ec.SECP256K1(), "SHA-256"),
}


def signed_with_keys(image: str) -> dict[str, Specimen]:
    """A bundle with an attestation about the digest `image`, by each kind of key."""
    return {name: _signed(kind, image) for name, kind in KEYS.items()}


def _signed(kind: KeyKind, image: str) -> Specimen:
    key = kind.make()
    statement = write_statement(name="image", digest=image, predicate_type=TYPE, predicate={})
    signature = kind.sign(key, pre_authentication_encoding(IN_TOTO, statement))
    envelope = Envelope(payload_type=IN_TOTO, payload=statement, signatures=(signature,))
    return Specimen(
        kind=Kind(form=Form.STATEMENT, version="0.3", keyed=True),
        content=write_keyed_bundle(envelope, key.public_key()),
        image=image,
        trusted_root={},
        key=public_pem(key),
        ignore_log=True,
        cosign_options=("--signature-digest-algorithm", kind.algorithm.lower().replace("-", "")),
    )
