"""A timestamp authority in memory (RFC 3161): its answers are of whatever time it was made for."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from asn1crypto import algos, cms, tsp
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFE = timedelta(days=3000)
_SHA256 = algos.DigestAlgorithm({"algorithm": "sha256"})


class TimestampAuthority:
    """Stamps everything with one time. `chain` is the signer's certificate and the root that issued it."""

    def __init__(self, time: datetime) -> None:
        """New keys each time."""
        self._time = time
        root = ec.generate_private_key(ec.SECP256R1())
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.chain = (
            _certificate("stamps", self._key, root, time, is_root=False),
            _certificate("stamps root", root, root, time, is_root=True),
        )

    def stamp(self, message: bytes) -> bytes:
        """A TimeStampResp about `message` (section 2.4.2), without the signer's certificate."""
        info = tsp.TSTInfo(
            {
                "version": "v1",
                "policy": "1.3.6.1.4.1.57264.2",
                "message_imprint": {"hash_algorithm": _SHA256, "hashed_message": hashlib.sha256(message).digest()},
                "serial_number": 1,
                "gen_time": self._time,
            }
        ).dump()
        signer = asn1.Certificate.load(self.chain[0].public_bytes(Encoding.DER))
        attributes = cms.CMSAttributes(
            [
                _attribute("content_type", "tst_info"),
                _attribute("message_digest", hashlib.sha256(info).digest()),
                _attribute("signing_certificate_v2", {"certs": [{"cert_hash": signer.sha256}]}),
            ]
        )
        signature = self._key.sign(attributes.dump(), ec.ECDSA(hashes.SHA256()))
        named = {"issuer": signer.issuer, "serial_number": signer.serial_number}
        signed = {
            "version": "v3",
            "digest_algorithms": [_SHA256],
            "encap_content_info": {"content_type": "tst_info", "content": cms.ParsableOctetString(info)},
            "signer_infos": [
                {
                    "version": "v1",
                    "sid": {"issuer_and_serial_number": named},
                    "digest_algorithm": _SHA256,
                    "signed_attrs": attributes,
                    "signature_algorithm": {"algorithm": "sha256_ecdsa"},
                    "signature": signature,
                }
            ],
        }
        token = {"content_type": "signed_data", "content": cms.SignedData(signed)}
        answer: bytes = tsp.TimeStampResp({"status": {"status": "granted"}, "time_stamp_token": token}).dump()
        return answer


def _attribute(kind: str, value: object) -> cms.CMSAttribute:
    return cms.CMSAttribute({"type": kind, "values": [value]})


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, by: ec.EllipticCurvePrivateKey, time: datetime, *, is_root: bool
) -> x509.Certificate:
    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    builder = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named("stamps root"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(time - _LIFE)
        .not_valid_after(time + _LIFE)
        .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
        .add_extension(_key_usage(is_root=is_root), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
    )
    if not is_root:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
    return builder.sign(by, hashes.SHA256())


def _key_usage(*, is_root: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_root,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_root,
        crl_sign=is_root,
        encipher_only=False,
        decipher_only=False,
    )
