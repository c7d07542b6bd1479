"""What was verified about an image: its digests, its signatures, its attestations."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class SignatureKind(StrEnum):
    """The wire format of a signature or attestation."""

    COSIGN_SIMPLE_SIGNING = "cosign-simple-signing"  # .sig tag
    COSIGN_DSSE = "cosign-dsse"  # .att tag
    SIGSTORE_BUNDLE = "sigstore-bundle"


class Verdict(StrEnum):
    """`unchecked`: there was no key, identity or trusted root to check it with; nothing is claimed then."""

    VERIFIED = "verified"
    INVALID = "invalid"
    UNCHECKED = "unchecked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Who signed, as far as it was verified: a certificate identity (SAN) with its issuer, or a key id."""

    identity: str | None = None
    issuer: str | None = None
    key_id: str | None = None  # hex sha256 of the SubjectPublicKeyInfo DER


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One signature over the image digest (an attestation is never one).

    `transparency` says in words what log evidence was verified ("inclusion proof, log …", "none");
    `reason` why the verdict is what it is; `material` the digest of the bytes that were checked.
    """

    kind: SignatureKind
    verdict: Verdict
    signer: Signer
    transparency: str
    reason: str
    material: str
    found_in: str
    signed_at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestation:
    """One in-toto statement about this image. `statement` are the signed bytes, `predicate_type` its URI."""

    kind: SignatureKind
    predicate_type: str
    verdict: Verdict
    signer: Signer
    transparency: str
    reason: str
    material: str
    found_in: str
    subjects: tuple[str, ...] = ()  # digests, "sha256:…"
    signed_at: str | None = None
    statement: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What the user asked signatures to be verified against. Empty: nothing was demanded, nothing is trusted.

    `key` is the file name or key id; identities are exact, or regular expressions where so named.
    """

    key_id: str | None = None
    identity: str | None = None
    identity_regexp: str | None = None
    issuer: str | None = None
    issuer_regexp: str | None = None

    @property
    def made(self) -> bool:
        """Whether a signer was named at all."""
        return any((self.key_id, self.identity, self.identity_regexp, self.issuer, self.issuer_regexp))


@dataclass(frozen=True, slots=True, kw_only=True)
class Integrity:
    """Every digest that was recomputed from bytes and agreed: (what, digest). A mismatch never gets here."""

    checked: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """All of it for one image, in a stable order. `unreadable`: (where, why) of material that is not understood."""

    integrity: Integrity
    demand: Demand
    signatures: tuple[Signature, ...] = ()
    attestations: tuple[Attestation, ...] = ()
    unreadable: tuple[tuple[str, str], ...] = ()
