"""What signs statements: one interface for keys, wherever they lie, and for identities."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

from compliance.errors import FormatError
from compliance.formats.dsse import IN_TOTO, Envelope, pre_authentication_encoding
from compliance.formats.public_key import PublicKey, key_id, public_pem, signature_holds
from compliance.formats.sigstore_bundle import read_bundle, write_keyed_bundle


class Signer(Protocol):
    """Signs in-toto statements into Sigstore bundles (version 0.3, JSON)."""

    @property
    def name(self) -> str:
        """Who signs, for messages: ``key <id>``, or an identity and its issuer."""
        ...

    @property
    def public_pem(self) -> bytes | None:
        """The public key that verifies, as PEM; None for an identity, which a certificate in the bundle names."""
        ...

    def sign_statement(self, statement: bytes) -> bytes:
        """A bundle of `statement`. Raises SigningError."""
        ...

    def has_signed(self, bundle: bytes, statement: bytes) -> bool:
        """Whether `bundle`, which anybody may have made, holds this signer's good signature of this `statement`.

        Then signing again would add nothing, though it would give other bytes where signing is not deterministic.
        """
        ...


class KeySigner(ABC):
    """A Signer with a private key. No transparency log holds its signatures: cosign needs --insecure-ignore-tlog."""

    __slots__ = ()

    @property
    @abstractmethod
    def public(self) -> PublicKey:
        """The public half."""

    @abstractmethod
    def sign(self, message: bytes) -> bytes:
        """The signature over `message`, in the form `signature_holds` checks. Raises SigningError."""

    @property
    def name(self) -> str:
        """See Signer."""
        return f"key {self.key_id}"

    @property
    def key_id(self) -> str:
        """The hex sha256 of the public half's SubjectPublicKeyInfo."""
        return key_id(self.public)

    @property
    def public_pem(self) -> bytes:
        """The public half, for whoever verifies."""
        return public_pem(self.public)

    def sign_statement(self, statement: bytes) -> bytes:
        """See Signer."""
        signature = self.sign(pre_authentication_encoding(IN_TOTO, statement))
        envelope = Envelope(payload_type=IN_TOTO, payload=statement, signatures=(signature,))
        return write_keyed_bundle(envelope, self.public)

    def has_signed(self, bundle: bytes, statement: bytes) -> bool:
        """See Signer."""
        try:
            read = read_bundle(bundle)
        except FormatError:
            return False
        content = read.content
        return (
            read.keyed
            and isinstance(content, Envelope)
            and (content.payload_type, content.payload) == (IN_TOTO, statement)
            and signature_holds(self.public, content.signatures[0], content.signed)
        )
