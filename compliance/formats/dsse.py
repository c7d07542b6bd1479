"""DSSE envelopes (secure-systems-lab/dsse 1.0.2): a payload, its type, and signatures over both."""

from __future__ import annotations

from dataclasses import dataclass, field

from compliance.errors import FormatError
from compliance.formats.signed_json import JsonObject, base64_text

IN_TOTO = "application/vnd.in-toto+json"
"""The payload type of in-toto statements."""
SIGNATURES_MAX = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """An envelope as read; nothing in it is verified. `signatures` are raw bytes, in order."""

    payload_type: str
    payload: bytes = field(repr=False)
    signatures: tuple[bytes, ...] = field(repr=False)

    @property
    def signed(self) -> bytes:
        """The bytes that each signature covers."""
        return pre_authentication_encoding(self.payload_type, self.payload)


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """PAE (protocol.md, "Signature Definition"): lengths before contents, so that type and payload can't be moved."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def read_envelope(value: JsonObject) -> Envelope:
    """Read an envelope (envelope.md, "Standard JSON envelope"). Raises FormatError; without signatures too."""
    signatures = tuple(item.base64("sig") for item in value.members("signatures"))
    if not 0 < len(signatures) <= SIGNATURES_MAX or not all(signatures):
        raise FormatError(
            f"not 1 to {SIGNATURES_MAX} signatures", code="dsse-invalid", where=f"{value.where}.signatures"
        )
    return Envelope(payload_type=value.text("payloadType"), payload=value.base64("payload"), signatures=signatures)


def envelope_value(envelope: Envelope) -> dict[str, object]:
    """The JSON value of `envelope`. No `keyid`: it is optional, and cosign refuses one in a keyed bundle."""
    return {
        "payload": base64_text(envelope.payload),
        "payloadType": envelope.payload_type,
        "signatures": [{"sig": base64_text(signature)} for signature in envelope.signatures],
    }
