"""Fulcio certificates: that one was issued by a trusted authority for signing code, and to whom."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from compliance.formats.plain_text import plain_text
from compliance.model.verification import Signer
from compliance.verify.refusal import RejectedError
from compliance.verify.trusted_root import TrustedRoot

CERTIFICATE_SIZE_MAX = 64 * 2**10
_NAME_MAX = 4096

_Kind = TypeVar("_Kind", bound=x509.ExtensionType)

_ISSUER = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
_ISSUER_BEFORE_2023 = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")  # raw text instead of DER
_OTHER_NAME = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.7")


def verify_certificate(certificate: x509.Certificate, times: Iterable[datetime], root: TrustedRoot) -> None:
    """Prove that `certificate` could sign code at each of `times` (Sigstore client spec, "Verification").

    The times must be proved already; without one nothing can be said. Raises RejectedError.
    """
    moments = tuple(times)
    if not moments:
        raise RejectedError("no proved time of signing: a certificate is valid for minutes only")
    chain: tuple[x509.Certificate, ...] = ()
    for time in moments:
        if not certificate.not_valid_before_utc <= time <= certificate.not_valid_after_utc:
            raise RejectedError(f"signed at {time:%Y-%m-%dT%H:%M:%SZ}, when its certificate was not valid")
        chain = _chain(certificate, time, root)
    _verify_issuance_logged(certificate, chain, root)
    _verify_usage(certificate)


def certificate_signer(certificate: x509.Certificate) -> Signer:
    """To whom the certificate was issued, and on whose word (fulcio docs/oid-info.md)."""
    names = list(_extension(certificate, x509.SubjectAlternativeName))
    if len(names) != 1:
        raise RejectedError(f"a certificate with {len(names)} identities instead of one")
    return Signer(identity=_exact(_name(names[0])), issuer=_exact(_issuer(certificate)))


def _exact(text: str) -> str:
    """`text` if it can be shown as it is: what is compared with a demand must be what a person reads."""
    if plain_text(text, _NAME_MAX) != text:
        raise RejectedError("its certificate names somebody in characters that can't be shown as they are")
    return text


def _chain(certificate: x509.Certificate, time: datetime, root: TrustedRoot) -> tuple[x509.Certificate, ...]:
    """The issuers of `certificate` up to an anchor of `root` (RFC 5280, section 6), whose own time holds `time`."""
    anything = (x509.ExtendedKeyUsage, Criticality.NON_CRITICAL, None)  # code signing is checked by _verify_usage
    for authority in root.certificate_authorities(time):
        verifier = (
            PolicyBuilder()
            .store(Store([authority.anchor]))
            .time(time)
            .extension_policies(
                ca_policy=ExtensionPolicy.webpki_defaults_ca().may_be_present(*anything),
                ee_policy=ExtensionPolicy.webpki_defaults_ee().may_be_present(*anything),
            )
            .build_client_verifier()
        )
        try:
            return tuple(verifier.verify(certificate, list(authority.intermediates)).chain[1:])
        except (VerificationError, x509.UnsupportedGeneralNameType):
            continue
    raise RejectedError("its certificate does not lead to an authority that the trusted root trusted at that time")


def _verify_issuance_logged(
    certificate: x509.Certificate, chain: tuple[x509.Certificate, ...], root: TrustedRoot
) -> None:
    """The certificate transparency log promised to list it (RFC 6962, section 3.2): one SCT, of a trusted log."""
    from sigstore._internal.sct import verify_sct
    from sigstore._internal.trust import CTKeyring
    from sigstore.errors import VerificationError as SigstoreRefusal

    promises = list(_extension(certificate, x509.PrecertificateSignedCertificateTimestamps))
    if len(promises) != 1:
        raise RejectedError(f"its certificate has {len(promises)} signed certificate timestamps instead of one")
    keyring = root.certificate_log(promises[0].log_id, promises[0].timestamp.replace(tzinfo=UTC))
    try:
        verify_sct(certificate, list(chain), CTKeyring(keyring))
    except SigstoreRefusal:
        raise RejectedError("the signed certificate timestamp of its certificate does not verify") from None


def _verify_usage(certificate: x509.Certificate) -> None:
    if not _extension(certificate, x509.KeyUsage).digital_signature:
        raise RejectedError("its certificate is not for digital signatures")
    if ExtendedKeyUsageOID.CODE_SIGNING not in _extension(certificate, x509.ExtendedKeyUsage):
        raise RejectedError("its certificate is not for code signing")


def _extension(certificate: x509.Certificate, kind: type[_Kind]) -> _Kind:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        raise RejectedError(f"its certificate has no {kind.__name__}") from None


def _name(name: x509.GeneralName) -> str:
    if isinstance(name, x509.RFC822Name | x509.UniformResourceIdentifier):
        return name.value
    if isinstance(name, x509.OtherName) and name.type_id == _OTHER_NAME:
        return asn1.decode_der(str, name.value)
    raise RejectedError("its certificate names an identity of a kind that Sigstore does not issue")


def _issuer(certificate: x509.Certificate) -> str:
    """The identity provider; where a certificate states it in both forms, they must agree."""
    before, now = _raw(certificate, _ISSUER_BEFORE_2023), _raw(certificate, _ISSUER)
    stated = {before.decode()} if before is not None else set()
    if now is not None:
        stated.add(asn1.decode_der(str, now))
    if len(stated) != 1:
        raise RejectedError("its certificate does not name one issuer of the identity")
    return stated.pop()


def _raw(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> bytes | None:
    try:
        extension = certificate.extensions.get_extension_for_oid(oid).value
    except x509.ExtensionNotFound:
        return None
    return extension.value if isinstance(extension, x509.UnrecognizedExtension) else None
