"""What is attached to an image and could be a signature or an attestation, old formats and new, as one shape."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from compliance.errors import FormatError
from compliance.formats.cosign_layer import (
    DSSE_LAYER,
    SIMPLE_SIGNING_LAYER,
    read_layer_evidence,
    read_simple_signing,
)
from compliance.formats.dsse import IN_TOTO, Envelope, read_envelope
from compliance.formats.intoto import COSIGN_SIGN, Statement, read_statement
from compliance.formats.plain_text import plain_text
from compliance.formats.signed_json import read_object
from compliance.formats.sigstore_bundle import BUNDLE_TYPES, Bundle, LogEntry, read_bundle
from compliance.model.image import AttachedArtifact, AttachedBlob, AttachmentSource, Image
from compliance.model.verification import SIGNATURE, SignatureKind

MATERIALS_MAX = 1000
"""Signatures and attestations looked at for one image."""
CERTIFICATE_SIZE_MAX = 64 * 2**10

_NOT_SUPPORTED = {
    "application/jose+json": "a Notary Project signature: not supported",
    "application/cose": "a Notary Project signature: not supported",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """A signature or attestation with what is there to check it by; nothing of it is verified.

    `message` is what `signatures` cover, None where only its digest is known. One good signature is enough: only
    old layers may have several. `envelope` is that of an old layer, which timestamps are over there. `statement` is
    None for signatures without one.
    """

    kind: SignatureKind
    found_in: str
    digest: str
    subjects: tuple[str, ...]
    signatures: tuple[bytes, ...] = field(repr=False)
    message: bytes | None = field(repr=False)
    message_sha256: bytes
    certificate: bytes | None = field(repr=False)  # DER; without one it was made with a key
    log_entries: tuple[LogEntry, ...] = field(repr=False)
    timestamps: tuple[bytes, ...] = field(repr=False)
    statement: Statement | None = None
    payload: bytes = field(default=b"", repr=False)
    envelope: bytes = field(default=b"", repr=False)

    @property
    def what(self) -> str:
        """What it is to a demand: SIGNATURE, or its predicate type."""
        if self.is_signature or self.statement is None:
            return SIGNATURE
        stated = plain_text(self.statement.predicate_type)
        return "" if stated == SIGNATURE else stated

    @property
    def is_signature(self) -> bool:
        """Whether it signs the image; any other statement attests something, and never makes an image look signed."""
        if self.statement is None:
            return True
        return self.kind is SignatureKind.SIGSTORE_BUNDLE and self.statement.predicate_type == COSIGN_SIGN


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """Material that is not understood: where it is and why."""

    found_in: str
    reason: str


def materials(image: Image) -> Iterator[Material | Unreadable]:
    """Everything attached to `image` that could be a signature or an attestation, in order, each once."""
    seen: set[tuple[object, ...]] = set()
    for artifact in image.attached:
        for reason in artifact.unread:
            yield Unreadable(found_in=f"{artifact.source} {plain_text(artifact.name)}", reason=plain_text(reason))
        for index, blob in enumerate(artifact.blobs):
            same = (blob.descriptor.media_type, blob.content, *sorted(blob.descriptor.annotations.items()))
            if same in seen:
                continue
            seen.add(same)
            found_in = f"{artifact.source} {plain_text(artifact.name)}, blob {index}"
            if len(seen) > MATERIALS_MAX:
                reason = f"more than {MATERIALS_MAX} are attached; this and the rest are not read"
                yield Unreadable(found_in=found_in, reason=reason)
                return
            try:
                item = _read(artifact, blob, found_in, image)
            except FormatError as error:
                item = Unreadable(found_in=found_in, reason=str(error))
            if item is not None:
                yield item


def _read(artifact: AttachedArtifact, blob: AttachedBlob, found_in: str, image: Image) -> Material | Unreadable | None:
    """The material in one blob; None for what is no signature material at all, e.g. an SBOM."""
    kind = blob.descriptor.media_type
    if kind in BUNDLE_TYPES or artifact.source is AttachmentSource.FILE:
        return _from_bundle(blob.content, found_in, image)
    if kind == SIMPLE_SIGNING_LAYER:
        return _from_simple_signing(blob, found_in)
    if kind == DSSE_LAYER:
        return _from_envelope_layer(blob, found_in)
    if kind == IN_TOTO:
        return _from_statement(blob.content, found_in)
    if kind in _NOT_SUPPORTED:
        return Unreadable(found_in=found_in, reason=_NOT_SUPPORTED[kind])
    return None


def _from_bundle(content: bytes, found_in: str, image: Image) -> Material:
    bundle = read_bundle(content)
    if isinstance(bundle.content, Envelope):
        return _from_envelope_bundle(content, bundle, bundle.content, found_in)
    # The image's manifest is the signed artifact; the bundle need not say so (HashOutput is but a hint).
    sha256 = bundle.content.sha256 or _sha256_of(image.digest)
    known = hashlib.sha256(image.manifest).digest() == sha256
    return Material(
        kind=SignatureKind.SIGSTORE_BUNDLE,
        found_in=found_in,
        digest=_digest(content),
        subjects=(f"sha256:{sha256.hex()}",),
        signatures=(bundle.content.signature,),
        message=image.manifest if known else None,
        message_sha256=sha256,
        certificate=_bounded(bundle.certificate),
        log_entries=bundle.log_entries,
        timestamps=bundle.timestamps,
    )


def _from_envelope_bundle(content: bytes, bundle: Bundle, envelope: Envelope, found_in: str) -> Material:
    statement = _statement(envelope)
    return Material(
        kind=SignatureKind.SIGSTORE_BUNDLE,
        found_in=found_in,
        digest=_digest(content),
        subjects=statement.digests,
        signatures=envelope.signatures,
        message=envelope.signed,
        message_sha256=hashlib.sha256(envelope.signed).digest(),
        certificate=_bounded(bundle.certificate),
        log_entries=bundle.log_entries,
        timestamps=bundle.timestamps,
        statement=statement,
        payload=envelope.payload,
    )


def _from_simple_signing(blob: AttachedBlob, found_in: str) -> Material:
    evidence = read_layer_evidence(blob.descriptor.annotations)
    if not evidence.signature:
        raise FormatError("a signature layer without a signature", code="signature-missing")
    return Material(
        kind=SignatureKind.COSIGN_SIMPLE_SIGNING,
        found_in=found_in,
        digest=_digest(blob.content),
        subjects=(read_simple_signing(blob.content),),
        signatures=(evidence.signature,),
        message=blob.content,
        message_sha256=hashlib.sha256(blob.content).digest(),
        certificate=_from_pem(evidence.certificate),
        log_entries=(evidence.log_entry,) if evidence.log_entry else (),
        timestamps=(evidence.timestamp,) if evidence.timestamp else (),
    )


def _from_envelope_layer(blob: AttachedBlob, found_in: str) -> Material:
    """An ``.att`` layer: the signature stands in the envelope; cosign's annotation for it is empty."""
    evidence = read_layer_evidence(blob.descriptor.annotations)
    envelope = read_envelope(read_object(blob.content, "envelope"))
    statement = _statement(envelope)
    return Material(
        kind=SignatureKind.COSIGN_DSSE,
        found_in=found_in,
        digest=_digest(blob.content),
        subjects=statement.digests,
        signatures=envelope.signatures,
        message=envelope.signed,
        message_sha256=hashlib.sha256(envelope.signed).digest(),
        certificate=_from_pem(evidence.certificate),
        log_entries=(evidence.log_entry,) if evidence.log_entry else (),
        timestamps=(evidence.timestamp,) if evidence.timestamp else (),
        statement=statement,
        payload=envelope.payload,
        envelope=blob.content,
    )


def _from_statement(content: bytes, found_in: str) -> Material:
    """A bare statement (buildkit, docs/attestations/attestation-storage.md): in the index, and nobody signed it."""
    statement = read_statement(content)
    return Material(
        kind=SignatureKind.IN_TOTO_UNSIGNED,
        found_in=found_in,
        digest=_digest(content),
        subjects=statement.digests,
        signatures=(),
        message=content,
        message_sha256=hashlib.sha256(content).digest(),
        certificate=None,
        log_entries=(),
        timestamps=(),
        statement=statement,
        payload=content,
    )


def _statement(envelope: Envelope) -> Statement:
    if envelope.payload_type != IN_TOTO:
        raise FormatError(
            f"an envelope of {plain_text(envelope.payload_type, 100)}, not of an in-toto statement",
            code="payload-type-unknown",
        )
    return read_statement(envelope.payload)


def _from_pem(pem: bytes | None) -> bytes | None:
    if pem is None:
        return None
    try:
        (certificate,) = x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise FormatError("not one PEM certificate", code="certificate-invalid") from None
    return certificate.public_bytes(Encoding.DER)


def _bounded(certificate: bytes | None) -> bytes | None:
    if certificate is not None and len(certificate) > CERTIFICATE_SIZE_MAX:
        raise FormatError(f"a certificate of more than {CERTIFICATE_SIZE_MAX} bytes", code="limit-exceeded")
    return certificate


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _sha256_of(digest: str) -> bytes:
    algorithm, _, value = digest.partition(":")
    if algorithm != "sha256":
        raise FormatError("a message signature without a digest", code="signature-invalid")
    return bytes.fromhex(value)
