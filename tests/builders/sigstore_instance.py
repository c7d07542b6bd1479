"""A Sigstore instance in memory: authorities, certificate log and Rekor logs, with any of them able to be wrong.

It issues what Fulcio, Rekor v1, Rekor v2 and a timestamp authority would, at a time of its own, so tests can make
each mistake by itself.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import rfc8785
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from compliance.formats.dsse import IN_TOTO, pre_authentication_encoding
from tests.builders.timestamp_authority import TimestampAuthority

IDENTITY = "https://github.com/acme/demo/.github/workflows/release.yml@refs/heads/main"
ISSUER = "https://token.actions.githubusercontent.com"
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_FOREVER = timedelta(days=3000)
_SHA256 = ec.ECDSA(hashes.SHA256())

Key = ec.EllipticCurvePrivateKey


def new_key() -> Key:
    """A fresh P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True, kw_only=True)
class Mistakes:
    """How one signature departs from a good one; the defaults are a good one."""

    identity: str = IDENTITY
    issuer: str = ISSUER
    stated_issuer: str | None = None  # in the older of the two extensions
    usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.CODE_SIGNING
    digital_signature: bool = True
    authority: Key | None = None  # issues in the name of the real one
    certificate_log: Key | None = None
    promised_listings: int = 1
    logged_after: timedelta = timedelta(minutes=1)  # the certificate lives from 0 to 10
    promise_key: Key | None = None
    checkpoint_key: Key | None = None
    logged_statement: bytes | None = None
    tree_size_said: str = "2"


class SigstoreInstance:
    """Keys, a chain, and what they sign. `trusted_root` is the JSON value of a root that trusts them."""

    def __init__(self) -> None:
        """New keys each time."""
        self.root_key, self.authority_key, self.log_key, self.certificate_log_key = (new_key() for _ in range(4))
        self.tiles_key = ed25519.Ed25519PrivateKey.generate()
        self.stamps = TimestampAuthority(START + timedelta(minutes=1))
        self.root = _authority("root", self.root_key, "root", self.root_key, path_length=1)
        self.authority = _authority("issuing", self.authority_key, "root", self.root_key, path_length=0)

    def trusted_root(self) -> dict[str, Any]:
        """Everything trusted from the start on, without an end."""
        since = {"start": (START - _FOREVER).strftime("%Y-%m-%dT%H:%M:%SZ")}
        chain = [{"rawBytes": _b64(_der(one))} for one in (self.authority, self.root)]
        return {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [_log("https://rekor.instance.test", self.log_key, since), self._tiles(since)],
            "ctlogs": [_log("https://ct.instance.test", self.certificate_log_key, since)],
            "certificateAuthorities": [
                {"uri": "https://fulcio.instance.test", "certChain": {"certificates": chain}, "validFor": since}
            ],
            "timestampAuthorities": [
                {
                    "subject": {"organization": "", "commonName": "stamps root"},
                    "uri": "https://stamps.instance.test",
                    "certChain": {"certificates": [{"rawBytes": _b64(_der(one))} for one in self.stamps.chain]},
                    "validFor": since,
                }
            ],
        }

    def bundle(self, statement: bytes, mistakes: Mistakes) -> bytes:
        """`statement` signed with a new key and certificate, and logged, as a version 0.3 bundle."""
        key = new_key()
        certificate = self.certificate(key, mistakes)
        signature = key.sign(pre_authentication_encoding(IN_TOTO, statement), _SHA256)
        body: Any = {
            "apiVersion": "0.0.1",
            "kind": "dsse",
            "spec": {
                "envelopeHash": {"algorithm": "sha256", "value": "0" * 64},
                "payloadHash": {"algorithm": "sha256", "value": _hash(mistakes.logged_statement or statement).hex()},
                "signatures": [
                    {"signature": _b64(signature), "verifier": _b64(certificate.public_bytes(_PEM))},
                ],
            },
        }
        value = {
            "mediaType": BUNDLE_TYPE,
            "verificationMaterial": {
                "certificate": {"rawBytes": _b64(_der(certificate))},
                "tlogEntries": [self.entry(body, mistakes)],
            },
            "dsseEnvelope": {
                "payload": _b64(statement),
                "payloadType": IN_TOTO,
                "signatures": [{"sig": _b64(signature)}],
            },
        }
        return json.dumps(value).encode()

    def entry(self, body: Any, mistakes: Mistakes) -> dict[str, Any]:
        """What Rekor v1 would answer: the second leaf of a tree of two, with promise, proof and checkpoint."""
        canonical = rfc8785.dumps(body)
        time = int((START + mistakes.logged_after).timestamp())
        log_id = _hash(_spki(self.log_key))
        promised: Any = {"body": _b64(canonical), "integratedTime": time, "logID": log_id.hex(), "logIndex": 7}
        proof = _proof(canonical)
        note = _note(proof, "rekor.instance.test - 1")
        signature = (mistakes.checkpoint_key or self.log_key).sign(note.encode(), _SHA256)
        return {
            "logIndex": "7",
            "logId": {"keyId": _b64(log_id)},
            "kindVersion": {"kind": body["kind"], "version": body["apiVersion"]},
            "integratedTime": str(time),
            "inclusionPromise": {
                "signedEntryTimestamp": _b64(
                    (mistakes.promise_key or self.log_key).sign(rfc8785.dumps(promised), _SHA256)
                )
            },
            "inclusionProof": {
                **proof,
                "treeSize": mistakes.tree_size_said,
                "checkpoint": {"envelope": f"{note}\n\u2014 rekor.instance.test {_b64(log_id[:4] + signature)}\n"},
            },
            "canonicalizedBody": _b64(canonical),
        }

    def tiles_entry(self, body: Any) -> dict[str, Any]:
        """What Rekor v2 would answer: the second leaf of a tree of two, with proof and checkpoint; it tells no time."""
        canonical = rfc8785.dumps(body)
        proof = _proof(canonical)
        note = _note(proof, _TILES)
        signature = self.tiles_key.sign(note.encode())
        return {
            "logIndex": "1",
            "logId": {"keyId": _b64(self._tiles_id())},
            "kindVersion": {"kind": body["kind"], "version": body["apiVersion"]},
            "inclusionProof": {
                **proof,
                "checkpoint": {"envelope": f"{note}\n\u2014 {_TILES} {_b64(self._tiles_id()[:4] + signature)}\n"},
            },
            "canonicalizedBody": _b64(canonical),
        }

    def _tiles(self, since: dict[str, str]) -> dict[str, Any]:
        key = self.tiles_key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        public = {"rawBytes": _b64(key), "keyDetails": "PKIX_ED25519", "validFor": dict(since)}
        log_id = {"keyId": _b64(self._tiles_id())}
        return {"baseUrl": f"https://{_TILES}", "hashAlgorithm": "SHA2_256", "publicKey": public, "logId": log_id}

    def _tiles_id(self) -> bytes:
        """The name of a key of checkpoints (C2SP signed-note, "Signatures"), uncut."""
        return _hash(_TILES.encode() + b"\n\x01" + self.tiles_key.public_key().public_bytes_raw())

    def certificate(self, key: Key, mistakes: Mistakes) -> x509.Certificate:
        """What Fulcio would issue for `key`, valid for ten minutes from `START`."""
        signer = mistakes.authority or self.authority_key
        older = mistakes.stated_issuer or mistakes.issuer
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self.authority.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(START)
            .not_valid_after(START + timedelta(minutes=10))
            .add_extension(key_usage(digital_signature=mistakes.digital_signature), critical=True)
            .add_extension(x509.ExtendedKeyUsage([mistakes.usage]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.authority_key.public_key()), critical=False
            )
            .add_extension(
                x509.SubjectAlternativeName([x509.UniformResourceIdentifier(mistakes.identity)]), critical=True
            )
            .add_extension(_extension("1.3.6.1.4.1.57264.1.1", older.encode()), critical=False)
            .add_extension(_extension("1.3.6.1.4.1.57264.1.8", _tlv(0x0C, mistakes.issuer.encode())), critical=False)
        )
        if mistakes.promised_listings:
            listing = self._listing(builder.sign(signer, hashes.SHA256()), mistakes) * mistakes.promised_listings
            content = _tlv(0x04, struct.pack(">H", len(listing)) + listing)
            builder = builder.add_extension(_extension("1.3.6.1.4.1.11129.2.4.2", content), critical=False)
        return builder.sign(signer, hashes.SHA256())

    def _listing(self, certificate: x509.Certificate, mistakes: Mistakes) -> bytes:
        """A signed certificate timestamp over the precertificate (RFC 6962, sections 3.2 and 3.3)."""
        tbs = certificate.tbs_certificate_bytes
        milliseconds = int(START.timestamp() * 1000)
        signed = struct.pack(">BBQH", 0, 0, milliseconds, 1) + _hash(_spki(self.authority_key))
        signed += len(tbs).to_bytes(3, "big") + tbs + b"\0\0"
        signature = (mistakes.certificate_log or self.certificate_log_key).sign(signed, _SHA256)
        one = b"\0" + _hash(_spki(self.certificate_log_key)) + struct.pack(">QH", milliseconds, 0)
        one += b"\x04\x03" + struct.pack(">H", len(signature)) + signature
        return struct.pack(">H", len(one)) + one


_PEM = serialization.Encoding.PEM
_TILES = "tiles.instance.test"


def _proof(leaf: bytes) -> dict[str, Any]:
    """That `leaf` is the second of a tree of two (RFC 6962, section 2.1)."""
    sibling = _hash(b"\0first")
    root_hash = _hash(b"\1" + sibling + _hash(b"\0" + leaf))
    return {"logIndex": "1", "rootHash": _b64(root_hash), "treeSize": "2", "hashes": [_b64(sibling)]}


def _note(proof: dict[str, Any], origin: str) -> str:
    """The text of a checkpoint (C2SP tlog-checkpoint)."""
    return f"{origin}\n{proof['treeSize']}\n{proof['rootHash']}\n"


def _authority(name: str, key: Key, issuer: str, issuer_key: Key, *, path_length: int) -> x509.Certificate:
    def named(common_name: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])

    return (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(START - _FOREVER)
        .not_valid_after(START + _FOREVER)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(key_usage(certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )


def key_usage(*, digital_signature: bool = False, certificates: bool = False) -> x509.KeyUsage:
    """For signatures, for certificates, or for neither."""
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=not digital_signature and not certificates,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _log(address: str, key: Key, since: dict[str, str]) -> dict[str, Any]:
    public = {"rawBytes": _b64(_spki(key)), "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": dict(since)}
    log_id = {"keyId": _b64(_hash(_spki(key)))}
    return {"baseUrl": address, "hashAlgorithm": "SHA2_256", "publicKey": public, "logId": log_id}


def _extension(oid: str, content: bytes) -> x509.UnrecognizedExtension:
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), content)


def _tlv(tag: int, content: bytes) -> bytes:
    """DER: the length is in the byte after the tag, or in as many more as that byte says."""
    size = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    length = size if len(content) < 128 else bytes((0x80 | len(size),)) + size
    return bytes((tag,)) + length + content


def _spki(key: Key) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def _hash(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
