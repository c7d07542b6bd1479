"""What is attached, byte for byte."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric import ec

from compliance.formats.dsse import IN_TOTO, Envelope
from compliance.formats.oci import OCI_MANIFEST
from compliance.sign.attachment import (
    EVIDENCE_TYPE,
    EvidenceFile,
    Subject,
    bundle_attachment,
    evidence_attachment,
    legacy_layer,
    legacy_manifest,
    listing,
)
from compliance.sign.key_signer import SigningKey

SUBJECT = Subject(digest=f"sha256:{'a' * 64}", media_type=OCI_MANIFEST, size=7)
NOW = datetime(2026, 11, 1, 12, 30, tzinfo=UTC)
KEY = SigningKey(private=ec.derive_private_key(1234567, ec.SECP256R1()))
EMPTY = b'{"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",'
EMPTY += b'"mediaType":"application/vnd.oci.empty.v1+json","size":2}'


def test_the_bundle_of_a_key_is_the_same_forever() -> None:
    """The signature too: ECDSA is deterministic (RFC 6979) with the library that is locked."""
    assert KEY.sign_statement(b'{"a":1}') == (
        b'{"dsseEnvelope":{"payload":"eyJhIjoxfQ==","payloadType":"application/vnd.in-toto+json",'
        b'"signatures":[{"sig":"MEUCIBSYCDZdwT9QCmBD0SPklLmUCCkhPa7R1xRqvpiNGSkyAiEA1PVcnet6/KMldn7spKoaCIUv+b1H6fzbp0hnmV/C0Sk="}]},'
        b'"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json",'
        b'"verificationMaterial":{"publicKey":{"hint":"89gIEz/GAPhoUqvK0KKIZ/d1jE+Iv2aKiz06BpNzXqs="}}}'
    )


def test_the_manifest_of_a_bundle() -> None:
    """As cosign 3.1.2 finds and verifies it: tests/interop/cosign/test_attest.py."""
    attachment = bundle_attachment(b'{"b":1}', "https://example.test/v1", SUBJECT, NOW)
    assert attachment.blobs == (b"{}", b'{"b":1}')
    assert attachment.manifest == (
        b'{"annotations":{"dev.sigstore.bundle.content":"dsse-envelope",'
        b'"dev.sigstore.bundle.predicateType":"https://example.test/v1",'
        b'"org.opencontainers.image.created":"2026-11-01T12:30:00Z"},'
        b'"artifactType":"application/vnd.dev.sigstore.bundle.v0.3+json",'
        b'"config":' + EMPTY + b","
        b'"layers":[{"digest":"sha256:eb8ed3ccb5023093b56f490a46501e88d09736687e609fdbc1c71b3df8b9ccd3",'
        b'"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","size":7}],'
        b'"mediaType":"application/vnd.oci.image.manifest.v1+json","schemaVersion":2,'
        b'"subject":{"digest":"sha256:' + b"a" * 64 + b'",'
        b'"mediaType":"application/vnd.oci.image.manifest.v1+json","size":7}}'
    )


def test_what_lists_it_repeats_its_type_and_annotations() -> None:
    attachment = bundle_attachment(b'{"b":1}', "https://example.test/v1", SUBJECT, NOW)
    assert listing(attachment.manifest) == {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": attachment.digest,
        "size": len(attachment.manifest),
        "artifactType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "annotations": {
            "dev.sigstore.bundle.content": "dsse-envelope",
            "dev.sigstore.bundle.predicateType": "https://example.test/v1",
            "org.opencontainers.image.created": "2026-11-01T12:30:00Z",
        },
    }


def test_evidence_is_one_layer_a_file_and_its_attestations_are_no_bundles_there() -> None:
    bundle = "application/vnd.dev.sigstore.bundle.v0.3+json"
    files = [
        EvidenceFile(path="report.pdf", media_type="application/pdf", content=b"%PDF"),
        EvidenceFile(path="attestations/svr.sigstore.json", media_type=bundle, content=b"{}"),
    ]
    attachment = evidence_attachment(files, SUBJECT, NOW)
    assert attachment.blobs == (b"{}", b"%PDF")
    manifest = json.loads(attachment.manifest)
    assert manifest["artifactType"] == EVIDENCE_TYPE == "application/vnd.hullmark.evidence.v1"
    titles = [
        (layer["mediaType"], layer["annotations"]["org.opencontainers.image.title"]) for layer in manifest["layers"]
    ]
    assert titles == [("application/json", "attestations/svr.sigstore.json"), ("application/pdf", "report.pdf")]
    assert evidence_attachment(reversed(files), SUBJECT, NOW) == attachment


def test_the_older_form() -> None:
    """Without the empty signature annotation cosign passes over a layer."""
    envelope = Envelope(payload_type=IN_TOTO, payload=b'{"a":1}', signatures=(b"sig",))
    content, layer = legacy_layer(envelope, "https://example.test/v1")
    assert content == (
        b'{"payload":"eyJhIjoxfQ==","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"c2ln"}]}'
    )
    digest = str(layer["digest"]).encode()
    manifest, config = legacy_manifest([layer])
    assert config == (
        b'{"architecture":"","config":{},"created":"0001-01-01T00:00:00Z","os":"",'
        b'"rootfs":{"diff_ids":["' + digest + b'"],"type":"layers"}}'
    )
    assert manifest == (
        b'{"config":{"digest":"sha256:6650b1cd3e8d47983b1289b31ec3ec1e972ed70ceff206f5288b40b30ed67e65",'
        b'"mediaType":"application/vnd.oci.image.config.v1+json","size":' + str(len(config)).encode() + b"},"
        b'"layers":[{"annotations":{"dev.cosignproject.cosign/signature":"","predicateType":"https://example.test/v1"},'
        b'"digest":"'
        + digest
        + b'","mediaType":"application/vnd.dsse.envelope.v1+json","size":'
        + b"%d}]," % len(content)
        + b'"mediaType":"application/vnd.oci.image.manifest.v1+json","schemaVersion":2}'
    )
