"""A certificate for a key that no authority knows: signed with that key itself, and always the same."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from compliance.formats.public_key import key_id, subject_public_key_info

if TYPE_CHECKING:
    from compliance.sign.signer import KeySigner

_NOT_BEFORE = datetime(2000, 1, 1, tzinfo=UTC)
_NOT_AFTER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""No well-defined end (RFC 5280, section 4.1.2.5)."""


def self_signed(signer: KeySigner) -> x509.Certificate:
    """A certificate (RFC 5280) that names `signer` by its key's id.

    It says nothing but which key it is: whoever trusts it trusts that key. The same key gives the same certificate,
    byte for byte, wherever it signs deterministically. Raises SigningError.
    """
    from asn1crypto import x509 as asn1

    spki = subject_public_key_info(signer.public)
    name = asn1.Name.build({"common_name": f"Hullmark signing key {key_id(signer.public)[:16]}"})
    algorithm = {"algorithm": signature_algorithm(signer)}
    fields = asn1.TbsCertificate(
        {
            "version": "v3",
            "serial_number": int.from_bytes(hashlib.sha256(spki).digest()[:16]) >> 1 | 1,
            "signature": algorithm,
            "issuer": name,
            "validity": {
                "not_before": asn1.Time({"utc_time": _NOT_BEFORE}),
                "not_after": asn1.Time({"general_time": _NOT_AFTER}),
            },
            "subject": name,
            "subject_public_key_info": asn1.PublicKeyInfo.load(spki),
            "extensions": [
                {"extn_id": "basic_constraints", "critical": True, "extn_value": {"ca": False}},
                {"extn_id": "key_usage", "critical": True, "extn_value": {"digital_signature", "non_repudiation"}},
                {"extn_id": "key_identifier", "extn_value": hashlib.sha256(spki).digest()[:20]},
            ],
        }
    )
    certificate = asn1.Certificate(
        {
            "tbs_certificate": fields,
            "signature_algorithm": algorithm,
            "signature_value": signer.sign(fields.dump()),
        }
    )
    return x509.load_der_x509_certificate(certificate.dump())


def signature_algorithm(signer: KeySigner) -> str:
    """The name that CMS and X.509 have for how `signer` signs."""
    if isinstance(signer.public, ec.EllipticCurvePublicKey):
        return "sha256_ecdsa"
    return "sha256_rsa" if isinstance(signer.public, rsa.RSAPublicKey) else "ed25519"
