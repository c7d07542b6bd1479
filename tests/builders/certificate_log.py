"""A certificate transparency log on loopback that keeps no tree: Fulcio gets the timestamps it embeds from it."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager

from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.builders.json_server import json_server

_POISON = "1.3.6.1.4.1.11129.2.4.3"  # RFC 6962, section 3.1: makes a precertificate none that verifies


@contextmanager
def certificate_log(key: ec.EllipticCurvePrivateKey) -> Iterator[str]:
    """Answer until the context ends (RFC 6962, section 4); gives the log's address."""

    def answer(path: str, body: bytes) -> object:
        if path.endswith("/ct/v1/get-roots"):
            return {"certificates": []}
        if path.endswith("/ct/v1/add-pre-chain"):
            certificate, issuer, *_ = (base64.b64decode(item) for item in json.loads(body)["chain"])
            return _promise(key, certificate, issuer)
        return None

    with json_server(lambda address: answer) as address:
        yield address


def _promise(key: ec.EllipticCurvePrivateKey, precertificate: bytes, issuer: bytes) -> dict[str, object]:
    """A signed certificate timestamp for a precertificate (RFC 6962, section 3.2)."""
    tbs = asn1.Certificate.load(precertificate)["tbs_certificate"]
    kept = [item for item in tbs["extensions"] if item["extn_id"].dotted != _POISON]
    tbs["extensions"] = asn1.Extensions(kept)
    listed = tbs.dump(force=True)
    milliseconds = int(time.time() * 1000)  # the certificate is of now as well
    signed = struct.pack(">BBQH", 0, 0, milliseconds, 1)
    signed += hashlib.sha256(_spki(x509.load_der_x509_certificate(issuer).public_key())).digest()
    signed += len(listed).to_bytes(3, "big") + listed + b"\0\0"
    signature = key.sign(signed, ec.ECDSA(hashes.SHA256()))
    return {
        "sct_version": 0,
        "id": base64.b64encode(hashlib.sha256(_spki(key.public_key())).digest()).decode(),
        "timestamp": milliseconds,
        "extensions": "",
        "signature": base64.b64encode(b"\x04\x03" + struct.pack(">H", len(signature)) + signature).decode(),
    }


def _spki(key: object) -> bytes:
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
