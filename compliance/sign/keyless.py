"""Sign as an identity: a certificate of minutes for a key that is forgotten, and an entry in a transparency log.

sigstore-python does it. What it made is verified before it is handed on.
"""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from compliance.errors import ComplianceError, SigningError, UsageError
from compliance.formats.plain_text import plain_text

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, ObjectIdentifier
    from sigstore.models import ClientTrustConfig
    from sigstore.oidc import IdentityToken
    from sigstore.sign import Signer as CertificateSigner
    from sigstore.verify import Verifier

TRUST_CONFIG_MAX = 4 * 2**20
_TOKEN_MAX = 64 * 2**10
_ISSUER = "1.3.6.1.4.1.57264.1.8"
_NAMES = "2.5.29.17"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeylessOptions:
    """`identity_token` is a token or the name of a file with one (``-``: standard input); without it that of the CI
    system is taken, or a person is asked in the browser. `trust_config` names a Sigstore instance; None is the
    public one.
    """

    identity_token: str | None = None
    trust_config: bytes | None = None
    offline: bool = False


class KeylessSigner:
    """Signs as the identity of a token. Each signature is another, and lands in the log for everybody to see."""

    def __init__(self, signer: CertificateSigner, certificate: Certificate, verifier: Verifier, name: str) -> None:
        """`certificate` is the one that `signer` got; `verifier` trusts the same instance."""
        self._signer = signer
        self._certificate = certificate
        self._verifier = verifier
        self._name = name

    @property
    def name(self) -> str:
        """See Signer."""
        return self._name

    @property
    def public_pem(self) -> bytes | None:
        """See Signer."""
        return None

    def sign_statement(self, statement: bytes) -> bytes:
        """See Signer."""
        from sigstore.dsse import Statement

        try:
            bundle = self._signer.sign_dsse(Statement(statement)).to_json().encode()
        except Exception as error:  # noqa: BLE001 - services, and libraries below, raise anything
            raise _failed("signing failed", error) from None
        if not self.has_signed(bundle, statement):
            raise SigningError(
                "what was signed does not verify",
                code="signing-failed",
                where=self._name,
                hint="look whether the timestamp authority answers, and whether the trusted root fits the services",
            )
        return bundle

    def has_signed(self, bundle: bytes, statement: bytes) -> bool:
        """See Signer: by the same names and the same issuer, whatever the certificate."""
        from sigstore.models import Bundle

        try:
            _, payload = self._verifier.verify_dsse(Bundle.from_json(bundle), _SameIdentity(self._certificate))
        except Exception:  # noqa: BLE001 - of a bundle that anybody made
            return False
        return payload == statement


class _SameIdentity:
    """A policy of sigstore-python: the certificate names whom `mine` names, by the word of the same issuer."""

    def __init__(self, mine: Certificate) -> None:
        self._mine = mine

    def verify(self, cert: Certificate) -> None:
        """Raise VerificationError for anybody else."""
        from sigstore.errors import VerificationError

        if any(_extension(cert, name) != _extension(self._mine, name) for name in (_NAMES, _ISSUER)):
            raise VerificationError("another identity")


def open_keyless_signer(options: KeylessOptions) -> KeylessSigner:
    """Get a token, and a certificate for it. Raises SigningError, UsageError (``offline``)."""
    if options.offline:
        raise UsageError("signing without a key needs the network", code="offline", hint="give a key with --sign-key")
    for name in ("sigstore", "tuf", "securesystemslib", "id"):
        logging.getLogger(name).addHandler(logging.NullHandler())  # else they write lines of their own to stderr
    from sigstore.sign import Signer, SigningContext
    from sigstore.verify import Verifier

    given = None if options.identity_token is None else _read_token(options.identity_token)
    config = _trust_config(options.trust_config)
    token = _token(given, config)
    try:
        signer = Signer(token, SigningContext.from_trust_config(config))
        certificate = signer._signing_cert()
        verifier = Verifier(trusted_root=config.trusted_root)
    except Exception as error:  # noqa: BLE001 - see above
        raise _failed("no certificate was issued", error) from None
    return KeylessSigner(signer, certificate, verifier, f"{token.identity} (issuer {token.issuer})")


def _trust_config(content: bytes | None) -> ClientTrustConfig:
    from sigstore.models import ClientTrustConfig

    try:
        return ClientTrustConfig.production() if content is None else ClientTrustConfig.from_json(content.decode())
    except Exception as error:  # noqa: BLE001 - see above
        if content is not None:
            raise UsageError("not a Sigstore client trust config", code="trust-config-invalid") from None
        raise _failed("the public Sigstore instance is not known", error) from None


def _token(given: str | None, config: ClientTrustConfig) -> IdentityToken:
    from sigstore.oidc import IdentityToken, Issuer, detect_credential

    try:
        raw = given or detect_credential()
        if raw is not None:
            return IdentityToken(raw)
        if not sys.stdin.isatty():
            raise SigningError(
                "there is no identity to sign as: no token was given, and no CI system was recognised",
                code="no-identity",
                hint="give --identity-token FILE, or allow the job to request tokens",
            )
        return Issuer(config.signing_config.get_oidc_url()).identity_token()
    except ComplianceError:
        raise
    except Exception as error:  # noqa: BLE001 - see above
        raise _failed("there is no identity to sign as", error) from None


def _read_token(given: str) -> str:
    """The token in the file `given`, or `given` itself: a JSON Web Token has two dots and no file is called so."""
    if given == "-":
        return sys.stdin.readline(_TOKEN_MAX).strip()
    if given.count(".") == 2 and given.startswith("ey") and not os.path.lexists(given[:255]):
        return given
    try:
        with Path(given).open("rb") as file:
            return file.read(_TOKEN_MAX).decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        # The name is not shown: it may be a token cut short.
        raise UsageError(
            "the identity token can't be read", code="not-found", where="--identity-token", hint="name a file with it"
        ) from None


def _extension(certificate: Certificate, oid: str) -> object:
    from cryptography.x509 import ExtensionNotFound, ObjectIdentifier

    name: ObjectIdentifier = ObjectIdentifier(oid)
    try:
        return certificate.extensions.get_extension_for_oid(name).value
    except ExtensionNotFound:
        return None


def _failed(what: str, error: Exception) -> SigningError:
    """One line; of the services' answers only what they say, never the token that they were sent."""
    said = plain_text(str(error), 200) or type(error).__name__
    cause = error.__cause__ or error.__context__
    more = f": {plain_text(str(cause), 200)}" if cause is not None and str(cause) else ""
    return SigningError(f"{what}: {said}{more}", code="signing-failed", hint="look at the services and the network")
