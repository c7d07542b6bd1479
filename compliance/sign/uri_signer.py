"""Sign with a key that never leaves a token or a key management service, through securesystemslib's signers.

Each needs a library of its own, installed on request: ``hullmark[kms]`` and ``hullmark[pkcs11]``. Credentials are what
the library finds in its environment; the PIN of a token is HULLMARK_KEY_PASSWORD.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, unquote, unquote_to_bytes, urlencode, urlsplit

from cryptography.exceptions import UnsupportedAlgorithm

from compliance.errors import ComplianceError, FormatError, SigningError, UsageError
from compliance.formats.plain_text import plain_text
from compliance.formats.public_key import PublicKey, load_public_key, signature_holds
from compliance.sign.password import password_for
from compliance.sign.signer import KeySigner

if TYPE_CHECKING:
    from securesystemslib.signer._signer import Signer as RemoteKey

MODULE_VARIABLE = "PYKCS11LIB"
"""Names the PKCS#11 module, as securesystemslib has it; ``module-path`` of a pkcs11: URI does too."""

_SECRET_ATTRIBUTES = ("pin-value", "pin-source")
_PKCS1_SHA256 = "rsa-pkcs1v15-sha256"


@dataclass(frozen=True, slots=True, kw_only=True)
class UriSigner(KeySigner):
    """A key that a URI names. Each signature is checked before it is handed on."""

    uri: str
    key: RemoteKey
    verifies: PublicKey

    @property
    def public(self) -> PublicKey:
        """See KeySigner."""
        return self.verifies

    def sign(self, message: bytes) -> bytes:
        """See KeySigner. The service sees the digest of the message at most, save for Ed25519."""
        with _failures(self.uri):
            signature = bytes.fromhex(self.key.sign(message).signature)
        if not signature_holds(self.verifies, signature, message):
            raise SigningError(
                "its signatures can't be verified: they are of a kind that Sigstore does not know",
                code="key-unsupported",
                where=self.uri,
                hint="ECDSA on P-256 or P-384, or RSA with SHA-256",
            )
        return signature


def is_uri(reference: str) -> bool:
    """Whether `reference` names a key in a token or service."""
    return reference.partition(":")[0] in _OPENERS


def open_uri_signer(uri: str) -> UriSigner:
    """The signer for ``pkcs11:``, ``hsm:``, ``awskms:``, ``gcpkms:``, ``azurekms:``, ``hashivault:`` or ``hv:``.

    cosign's spelling of the services (``awskms:///…``) is understood too. Asks the service for the public key.
    Raises UsageError for a URI that is none, SigningError.
    """
    opener, extra = _OPENERS[uri.partition(":")[0]]
    for name in ("securesystemslib", "botocore", "google", "azure", "hvac"):
        logging.getLogger(name).addHandler(logging.NullHandler())  # else they write lines of their own to stderr
    with _failures(uri, extra):
        key = opener(uri)
        described: Any = key.public_key
        return UriSigner(uri=uri, key=key, verifies=load_public_key(described.keyval["public"].encode()))


class _failures:  # noqa: N801 - reads as a function
    """Turns whatever a token's or service's library raises into one line."""

    def __init__(self, uri: str, extra: str = "kms") -> None:
        self._uri = uri
        self._extra = extra

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        from securesystemslib.exceptions import UnsupportedLibraryError

        if error is None or isinstance(error, UsageError | SigningError) or not isinstance(error, Exception):
            return
        if isinstance(error, UnsupportedLibraryError | ImportError):
            raise SigningError(
                "signing with this key needs a library that is not installed",
                code="extra-missing",
                where=self._uri,
                hint=f"install hullmark[{self._extra}]",
            ) from None
        if isinstance(error, FormatError | UnsupportedAlgorithm):
            raise SigningError(
                "a key of a kind that can't sign here", code="key-unsupported", where=self._uri
            ) from None
        message = error.message if isinstance(error, ComplianceError) else plain_text(str(error), 300)
        raise SigningError(
            f"the key can't be used: {message or type(error).__name__}", code="key-unusable", where=self._uri
        ) from None


def _hsm(uri: str) -> RemoteKey:
    """``hsm:[ID][?label=TOKEN]``."""
    from securesystemslib.signer._hsm_signer import HSMSigner

    parts = urlsplit(uri)
    if parts.path and not parts.path.isdecimal():
        raise _no_uri(uri, "hsm:ID?label=TOKEN, with the number of the key")
    label = dict(parse_qsl(parts.query)).get("label")
    pin = _Pin(uri)
    full, public = HSMSigner.import_(int(parts.path) if parts.path else None, label, pin)
    return HSMSigner.from_priv_key_uri(full, public, pin)


def _pkcs11(uri: str) -> RemoteKey:
    """``pkcs11:token=LABEL;id=%02?module-path=FILE`` (RFC 7512); other attributes can't select here."""
    path, _, query = uri.removeprefix("pkcs11:").partition("?")
    attributes = dict(part.split("=", 1) for part in path.split(";") if "=" in part)
    asked = {name: values[0] for name, values in parse_qs(query).items()}
    if any(name in attributes or name in asked for name in _SECRET_ATTRIBUTES):
        raise UsageError(
            "a PIN does not belong into an argument, which everybody on the machine can see",
            code="pin-in-argument",
            hint="set HULLMARK_KEY_PASSWORD, or type it when asked",
        )
    unknown = sorted(set(attributes) - {"token", "id", "type"})
    if unknown:
        raise _no_uri(uri, f"pkcs11:token=LABEL;id=%02?module-path=FILE; {unknown[0]} selects nothing here")
    if "module-path" in asked:
        os.environ[MODULE_VARIABLE] = asked["module-path"]
    number = int.from_bytes(unquote_to_bytes(attributes["id"]), "big") if "id" in attributes else ""
    label = urlencode({"label": unquote(attributes["token"])}) if "token" in attributes else ""
    return _hsm(f"hsm:{number}?{label}")


class _Pin:
    """Asks for the PIN once; every signature needs it."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._pin: str | None = None

    def __call__(self, secret: str) -> str:
        if self._pin is None:
            self._pin = password_for("the PIN of the token", self._uri)
        return self._pin


def _aws(uri: str) -> RemoteKey:
    """``awskms:KEY``: an id, an ARN or ``alias/NAME``. RSA keys sign with PKCS #1 v1.5, as cosign verifies."""
    from securesystemslib.signer._aws_signer import AWSSigner

    name = _after_scheme(uri)
    full, public = AWSSigner.import_(name)
    if public.keytype == "rsa":
        full, public = AWSSigner.import_(name, _PKCS1_SHA256)
    return AWSSigner.from_priv_key_uri(full, public)


def _gcp(uri: str) -> RemoteKey:
    """``gcpkms:projects/…/cryptoKeyVersions/N``, whole."""
    from securesystemslib.signer._gcp_signer import GCPSigner

    name = _after_scheme(uri).replace("/versions/", "/cryptoKeyVersions/")
    if "/cryptoKeyVersions/" not in name:
        raise _no_uri(uri, "gcpkms:projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N")
    full, public = GCPSigner.import_(name)
    return GCPSigner.from_priv_key_uri(full, public)


def _azure(uri: str) -> RemoteKey:
    """``azurekms://VAULT.vault.azure.net/[keys/]KEY``; always its newest version."""
    from securesystemslib.signer._azure_signer import AzureSigner

    vault, _, key = _after_scheme(uri).partition("/")
    name = key.removeprefix("keys/")
    if not vault or not name or "/" in name:
        raise _no_uri(uri, "azurekms://VAULT.vault.azure.net/KEY, without a version")
    full, public = AzureSigner.import_(vault.partition(".")[0], name)
    return AzureSigner.from_priv_key_uri(full, public)


def _vault(uri: str) -> RemoteKey:
    """``hashivault:KEY``, or ``hv:KEY``: an Ed25519 key of the transit engine, its newest version."""
    from securesystemslib.signer._vault_signer import VaultSigner

    full, public = VaultSigner.import_(_after_scheme(uri))
    return VaultSigner.from_priv_key_uri(full, public)


def _after_scheme(uri: str) -> str:
    name = uri.partition(":")[2].lstrip("/")
    if not name:
        raise _no_uri(uri, "SCHEME:KEY")
    return name


def _no_uri(uri: str, wanted: str) -> UsageError:
    return UsageError(f"not the name of a key: {uri}", code="key-reference-invalid", hint=f"write {wanted}")


_OPENERS: dict[str, tuple[Callable[[str], RemoteKey], str]] = {
    "pkcs11": (_pkcs11, "pkcs11"),
    "hsm": (_hsm, "pkcs11"),
    "awskms": (_aws, "kms"),
    "gcpkms": (_gcp, "kms"),
    "azurekms": (_azure, "kms"),
    "hashivault": (_vault, "kms"),
    "hv": (_vault, "kms"),
}
