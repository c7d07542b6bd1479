"""cosign's older formats (cosign specs/SIGNATURE_SPEC.md): layers of the ``.sig`` and ``.att`` tags.

A signature's payload is the layer; what checks it stands in the layer's annotations. Nothing is verified here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from compliance.errors import FormatError
from compliance.formats.signed_json import JsonObject, base64_bytes, read_object
from compliance.formats.sigstore_bundle import LogEntry

SIMPLE_SIGNING_LAYER = "application/vnd.dev.cosign.simplesigning.v1+json"
DSSE_LAYER = "application/vnd.dsse.envelope.v1+json"

_SIGNATURE = "dev.cosignproject.cosign/signature"
_CERTIFICATE = "dev.sigstore.cosign/certificate"
_LOG_ENTRY = "dev.sigstore.cosign/bundle"
_TIMESTAMP = "dev.sigstore.cosign/rfc3161timestamp"

_ANNOTATION_MAX = 2**20
_LOG_ID = re.compile(r"[0-9a-f]{64}")
_PAYLOAD_TYPE = "cosign container image signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerEvidence:
    """What the annotations of one layer carry. `certificate` is PEM; without one it was signed with a key."""

    signature: bytes = field(repr=False)
    certificate: bytes | None
    log_entry: LogEntry | None
    timestamp: bytes | None


def read_simple_signing(payload: bytes) -> str:
    """The image digest that a simple signing payload is about. Raises FormatError."""
    critical = read_object(payload, "payload", size_max=_ANNOTATION_MAX).member("critical")
    if critical.text("type") != _PAYLOAD_TYPE:
        raise critical.wrong("type", f'"{_PAYLOAD_TYPE}"')
    return critical.member("image").text("docker-manifest-digest")


def read_layer_evidence(annotations: Mapping[str, str]) -> LayerEvidence:
    """Read the annotations. The chain is left alone: only the trusted root says whom to trust. Raises FormatError."""
    if any(len(value) > _ANNOTATION_MAX for value in annotations.values()):
        raise FormatError(f"an annotation of more than {_ANNOTATION_MAX} characters", code="limit-exceeded")
    # Lines as `openssl base64` breaks them reach the annotation by way of `cosign attach signature`.
    signature = annotations.get(_SIGNATURE, "").replace("\n", "")
    certificate = annotations.get(_CERTIFICATE)
    entry = annotations.get(_LOG_ENTRY)
    timestamp = annotations.get(_TIMESTAMP)
    return LayerEvidence(
        signature=base64_bytes(signature, _SIGNATURE),
        certificate=certificate.encode() if certificate else None,
        log_entry=_log_entry(_json(entry, _LOG_ENTRY)) if entry else None,
        timestamp=_json(timestamp, _TIMESTAMP).base64("SignedRFC3161Timestamp") if timestamp else None,
    )


def _json(text: str, where: str) -> JsonObject:
    return read_object(text.encode("utf-8", "surrogatepass"), where)


def _log_entry(value: JsonObject) -> LogEntry:
    """A Rekor entry with its promise (SET) alone; its kind stands only in the body."""
    payload = value.member("Payload")
    body = payload.base64("body")
    entry = read_object(body, "log entry")
    log_id = payload.text("logID")
    if not _LOG_ID.fullmatch(log_id):
        raise payload.wrong("logID", "64 lower-case hexadecimal digits")
    return LogEntry(
        log_index=payload.number("logIndex"),
        log_id=bytes.fromhex(log_id),
        kind=entry.text("kind"),
        version=entry.text("apiVersion"),
        body=body,
        integrated_time=payload.number("integratedTime"),
        promise=value.base64("SignedEntryTimestamp"),
    )
