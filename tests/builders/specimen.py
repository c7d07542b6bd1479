"""One signature or attestation of each kind there is, made by an instance in memory, with what to verify it by."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from compliance.formats.cosign_layer import DSSE_LAYER, SIMPLE_SIGNING_LAYER
from compliance.formats.dsse import IN_TOTO, pre_authentication_encoding
from compliance.formats.intoto import COSIGN_SIGN, write_statement
from compliance.formats.sigstore_bundle import BUNDLE_V03
from tests.builders.layout import digest
from tests.builders.sigstore_instance import IDENTITY, ISSUER, Key, Mistakes, SigstoreInstance, new_key

TYPE = "https://example.test/report/v1"

SIGNATURE_NOTE = "dev.cosignproject.cosign/signature"
CERTIFICATE_NOTE = "dev.sigstore.cosign/certificate"
LOG_NOTE = "dev.sigstore.cosign/bundle"
STAMP_NOTE = "dev.sigstore.cosign/rfc3161timestamp"

_PEM = serialization.Encoding.PEM
_DER = serialization.Encoding.DER


class Form(StrEnum):
    """How it lies with an image."""

    SIG = ".sig"
    ATT = ".att"
    MESSAGE = "message signature"
    SIGN = "DSSE signature"
    STATEMENT = "DSSE attestation"

    @property
    def signs(self) -> bool:
        """Whether it makes the image signed."""
        return self not in (Form.ATT, Form.STATEMENT)

    @property
    def is_envelope(self) -> bool:
        return self in (Form.ATT, Form.SIGN, Form.STATEMENT)


class Log(StrEnum):
    """What log holds it."""

    NONE = "no log"
    V1 = "Rekor v1"
    V1_INTOTO = "Rekor v1, intoto entry"
    V2 = "Rekor v2"


class Stamp(StrEnum):
    """What a timestamp is over."""

    NONE = ""
    SIGNATURE = "timestamp"
    ENVELOPE = "timestamp over the envelope"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of signature. `version` is that of a bundle, empty for layers."""

    form: Form
    version: str = ""
    keyed: bool
    log: Log = Log.NONE
    stamp: Stamp = Stamp.NONE

    @property
    def name(self) -> str:
        form = f"bundle {self.version}, {self.form}" if self.version else f"`{self.form}`"
        signer = "key" if self.keyed else "certificate"
        return ", ".join(part for part in (form, signer, self.log, self.stamp) if part)


@dataclass(frozen=True, kw_only=True)
class Specimen:
    """A signature as it lies with an image, and how it is asked about.

    `content` is a layer (with `annotations`) or a bundle; `image` the digest of what it lies with. `key` is PEM.
    """

    kind: Kind
    content: bytes = field(repr=False)
    annotations: Mapping[str, str] = field(default_factory=dict, repr=False)
    image: str
    trusted_root: Mapping[str, Any] = field(repr=False)
    key: bytes | None = field(default=None, repr=False)
    identity: str = ""
    issuer: str = ""
    ignore_log: bool = False
    cosign_options: tuple[str, ...] = ()
    as_signature: bool = False  # an attestation that is asked for as if it were one

    @property
    def is_signature(self) -> bool:
        """What it is asked for as."""
        return self.as_signature or self.kind.form.signs

    @property
    def media_type(self) -> str:
        if self.kind.form is Form.SIG:
            return SIMPLE_SIGNING_LAYER
        return DSSE_LAYER if self.kind.form is Form.ATT else bundle_type(self.kind.version)


def bundle_type(version: str) -> str:
    """The media type of a bundle."""
    return BUNDLE_V03 if version == "0.3" else f"application/vnd.dev.sigstore.bundle+json;version={version}"


def mint(kind: Kind, manifest: bytes, instance: SigstoreInstance) -> Specimen:
    """A good one about the image whose manifest is `manifest`."""
    made = _Made(kind, manifest, instance)
    return Specimen(
        kind=kind,
        content=made.bundle() if kind.version else made.layer(),
        annotations={} if kind.version else made.annotations(),
        image=digest(manifest),
        trusted_root=instance.trusted_root(),
        key=_public(made.key) if kind.keyed else None,
        identity="" if kind.keyed else IDENTITY,
        issuer="" if kind.keyed else ISSUER,
        ignore_log=kind.log is Log.NONE,
    )


class _Made:
    """The parts that go into layers and bundles alike."""

    def __init__(self, kind: Kind, manifest: bytes, instance: SigstoreInstance) -> None:
        self.kind = kind
        self.key = new_key()
        self.certificate = None if kind.keyed else instance.certificate(self.key, Mistakes())
        self.chain = instance.authority, instance.root
        self.verifier = _public(self.key) if self.certificate is None else self.certificate.public_bytes(_PEM)
        self.artifact = manifest
        if kind.form is Form.SIG:
            self.artifact = _simple_signing(digest(manifest))
        predicate_type = COSIGN_SIGN if kind.form is Form.SIGN else TYPE
        self.statement = write_statement(
            name="image", digest=digest(manifest), predicate_type=predicate_type, predicate={"result": "of a test"}
        )
        self.message = self.artifact
        if kind.form.is_envelope:
            self.message = pre_authentication_encoding(IN_TOTO, self.statement)
        self.signature = self.key.sign(self.message, ec.ECDSA(hashes.SHA256()))
        self.entry = self._entry(instance)
        stamped = self.envelope() if kind.stamp is Stamp.ENVELOPE else self.signature
        self.stamp = instance.stamps.stamp(stamped) if kind.stamp else None

    def envelope(self) -> bytes:
        return json.dumps(self._envelope_value()).encode()

    def layer(self) -> bytes:
        return self.artifact if self.kind.form is Form.SIG else self.envelope()

    def annotations(self) -> dict[str, str]:
        """cosign specs/SIGNATURE_SPEC.md, "Properties"; the signature of an attestation is in its envelope."""
        notes = {SIGNATURE_NOTE: _b64(self.signature) if self.kind.form is Form.SIG else ""}
        if self.certificate is not None:
            notes[CERTIFICATE_NOTE] = self.certificate.public_bytes(_PEM).decode()
            notes["dev.sigstore.cosign/chain"] = b"".join(one.public_bytes(_PEM) for one in self.chain).decode()
        if self.entry is not None:
            payload = {
                "body": self.entry["canonicalizedBody"],
                "integratedTime": int(self.entry["integratedTime"]),
                "logIndex": int(self.entry["logIndex"]),
                "logID": base64.b64decode(self.entry["logId"]["keyId"]).hex(),
            }
            promise = self.entry["inclusionPromise"]["signedEntryTimestamp"]
            notes[LOG_NOTE] = json.dumps({"SignedEntryTimestamp": promise, "Payload": payload})
        if self.stamp is not None:
            notes[STAMP_NOTE] = json.dumps({"SignedRFC3161Timestamp": _b64(self.stamp)})
        if self.kind.form is Form.ATT:
            notes["predicateType"] = TYPE
        return notes

    def bundle(self) -> bytes:
        """sigstore_bundle.proto; until version 0.2 certificates come in chains."""
        material: dict[str, Any] = {"tlogEntries": [self.entry] if self.entry else []}
        if self.certificate is None:
            material["publicKey"] = {"hint": _b64(_sha256(_public_der(self.key)))}
        else:
            raw = {"rawBytes": _b64(self.certificate.public_bytes(_DER))}
            if self.kind.version == "0.3":
                material["certificate"] = raw
            else:
                material["x509CertificateChain"] = {"certificates": [raw]}
        if self.stamp is not None:
            material["timestampVerificationData"] = {"rfc3161Timestamps": [{"signedTimestamp": _b64(self.stamp)}]}
        value: dict[str, Any] = {"mediaType": bundle_type(self.kind.version), "verificationMaterial": material}
        if self.kind.form.is_envelope:
            value["dsseEnvelope"] = self._envelope_value()
        else:
            value["messageSignature"] = {
                "messageDigest": {"algorithm": "SHA2_256", "digest": _b64(_sha256(self.artifact))},
                "signature": _b64(self.signature),
            }
        return json.dumps(value).encode()

    def _envelope_value(self) -> dict[str, Any]:
        return {
            "payload": _b64(self.statement),
            "payloadType": IN_TOTO,
            "signatures": [{"sig": _b64(self.signature)}],
        }

    def _entry(self, instance: SigstoreInstance) -> dict[str, Any] | None:
        if self.kind.log is Log.NONE:
            return None
        if self.kind.log is Log.V2:
            return instance.tiles_entry(self._hashedrekord_v2())
        if self.kind.log is Log.V1_INTOTO:
            return instance.entry(self._intoto(), Mistakes())
        body = self._dsse() if self.kind.form.is_envelope else self._hashedrekord()
        return instance.entry(body, Mistakes())

    def _hashedrekord(self) -> Any:
        """rekor pkg/types/hashedrekord/v0.0.1."""
        signature = {"content": _b64(self.signature), "publicKey": {"content": _b64(self.verifier)}}
        return {
            "apiVersion": "0.0.1",
            "kind": "hashedrekord",
            "spec": {"data": {"hash": _hash(self.message)}, "signature": signature},
        }

    def _dsse(self) -> Any:
        """rekor pkg/types/dsse/v0.0.1."""
        spec = {
            "envelopeHash": _hash(self.envelope()),
            "payloadHash": _hash(self.statement),
            "signatures": [{"signature": _b64(self.signature), "verifier": _b64(self.verifier)}],
        }
        return {"apiVersion": "0.0.1", "kind": "dsse", "spec": spec}

    def _intoto(self) -> Any:
        """rekor pkg/types/intoto: 0.0.1 for layers, 0.0.2 for bundles."""
        hashes_of = {"hash": _hash(self.envelope()), "payloadHash": _hash(self.statement)}
        if not self.kind.version:
            spec: Any = {"content": hashes_of, "publicKey": _b64(self.verifier)}
            return {"apiVersion": "0.0.1", "kind": "intoto", "spec": spec}
        signature = {"publicKey": _b64(self.verifier), "sig": _b64(_b64(self.signature).encode())}
        envelope = {"payloadType": IN_TOTO, "signatures": [signature]}
        return {"apiVersion": "0.0.2", "kind": "intoto", "spec": {"content": {**hashes_of, "envelope": envelope}}}

    def _hashedrekord_v2(self) -> Any:
        """rekor-tiles, hashedrekord 0.0.2."""
        verifier: dict[str, Any] = {"keyDetails": "PKIX_ECDSA_P256_SHA_256"}
        if self.certificate is None:
            verifier["publicKey"] = {"rawBytes": _b64(_public_der(self.key))}
        else:
            verifier["x509Certificate"] = {"rawBytes": _b64(self.certificate.public_bytes(_DER))}
        entry = {
            "data": {"algorithm": "SHA2_256", "digest": _b64(_sha256(self.message))},
            "signature": {"content": _b64(self.signature), "verifier": verifier},
        }
        return {"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": {"hashedRekordV002": entry}}


def _simple_signing(image: str) -> bytes:
    critical = {
        "identity": {"docker-reference": "image"},
        "image": {"docker-manifest-digest": image},
        "type": "cosign container image signature",
    }
    return json.dumps({"critical": critical, "optional": {"made": "here"}}).encode()


def _public(key: Key) -> bytes:
    return key.public_key().public_bytes(_PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _public_der(key: Key) -> bytes:
    return key.public_key().public_bytes(_DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _hash(content: bytes) -> dict[str, str]:
    return {"algorithm": "sha256", "value": _sha256(content).hex()}


def _sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def _b64(content: bytes) -> str:
    return base64.b64encode(content).decode()
