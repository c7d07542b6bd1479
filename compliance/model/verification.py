"""What was verified about an image: its digests, its signatures, its attestations."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class SignatureKind(StrEnum):
    """The wire format of a signature or attestation."""

    COSIGN_SIMPLE_SIGNING = "cosign-simple-signing"  # .sig tag
    COSIGN_DSSE = "cosign-dsse"  # .att tag
    SIGSTORE_BUNDLE = "sigstore-bundle"
    IN_TOTO_UNSIGNED = "in-toto-unsigned"  # a bare statement, as buildkit puts into its indexes


class Verdict(StrEnum):
    """`unchecked`: there was no key, identity or trusted root to check it with; nothing is claimed then.

    `unsigned`: there is nothing to check, nobody signed it; it is a claim of whoever could write to the place.
    """

    VERIFIED = "verified"
    INVALID = "invalid"
    UNCHECKED = "unchecked"
    UNSIGNED = "unsigned"


SIGNATURE = "signature"
"""What a signature is called where attestations are called by their predicate types."""


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
    `reason` why the verdict is what it is; `material` the digest of the bytes that were checked; `accepted_as`
    the names under which a trust policy accepts the signer for this.
    """

    kind: SignatureKind
    verdict: Verdict
    signer: Signer
    transparency: str
    reason: str
    material: str
    found_in: str
    signed_at: str | None = None
    accepted_as: tuple[str, ...] = ()

    @property
    def what(self) -> str:
        """What it is to a demand."""
        return SIGNATURE


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
    accepted_as: tuple[str, ...] = ()

    @property
    def what(self) -> str:
        """What it is to a demand: its predicate type, and never a signature, whatever it calls itself."""
        return "" if self.predicate_type == SIGNATURE else self.predicate_type


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What the user asked signatures to be verified against. Empty: nothing was demanded, nothing is trusted.

    On the command line one signer is named, for everything: `key_id`, or an identity and its issuer, exact or as
    regular expressions where so named. A trust policy names signers for each kind: `by_policy` are the kinds, SIGNATURE
    and predicate types; the signers are in `Verification.policy`.
    """

    key_id: str | None = None
    identity: str | None = None
    identity_regexp: str | None = None
    issuer: str | None = None
    issuer_regexp: str | None = None
    by_policy: tuple[str, ...] = ()

    @property
    def made(self) -> bool:
        """Whether a signer was named at all."""
        return self._for_everything or bool(self.by_policy)

    def covers(self, what: str) -> bool:
        """Whether a signer was named for that kind, SIGNATURE or a predicate type: else nobody is trusted for it."""
        return self._for_everything or what in self.by_policy

    @property
    def _for_everything(self) -> bool:
        return any((self.key_id, self.identity, self.identity_regexp, self.issuer, self.issuer_regexp))


class PolicyState(StrEnum):
    """`undetermined`: evidence is missing or unreadable, or no rule is about the image; never as good as held."""

    HELD = "held"
    NOT_HELD = "not-held"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequirementAnswer:
    """Whether one requirement of a trust policy holds, and why.

    `images` is the pattern of its rule that names the image, `what` lists the kinds of which one is required,
    `signers` the names of those who may have signed it, `builders` and `sources` what provenance has to name.
    `materials` are the digests of what holds it, or of what was weighed and did not.
    """

    images: str
    what: tuple[str, ...]
    signers: tuple[str, ...]
    builders: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    state: PolicyState
    reason: str
    materials: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyAnswer:
    """What a trust policy says about one image.

    `digest` is that of the policy's bytes, `files` are (name, digest) of the keys and trusted roots it refers to.
    `image` is the name by which its rules were chosen, `expires` RFC 3339. `state` is held only where there is a
    requirement and every one holds.
    """

    digest: str
    files: tuple[tuple[str, str], ...]
    image: str
    expires: str | None
    state: PolicyState
    reason: str
    requirements: tuple[RequirementAnswer, ...] = ()


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
    policy: PolicyAnswer | None = None
