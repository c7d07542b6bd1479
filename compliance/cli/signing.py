"""Options of whoever signs: ``assess`` and ``attest``."""

from __future__ import annotations

from argparse import Namespace
from datetime import datetime
from typing import TYPE_CHECKING, TypeGuard

from compliance.cli.options import read_given
from compliance.cli.parser import Parser
from compliance.errors import UsageError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from compliance.pipeline import SignsPdf
    from compliance.sign.signer import KeySigner, Signer


def add_signer(parser: Parser) -> None:
    """Who signs. A password or PIN is no option: HULLMARK_KEY_PASSWORD, or it is asked for."""
    parser.add_argument(
        "--sign-key",
        metavar="REF",
        help="who signs: a key's PATH, generate:PATH (make it where it is missing), pkcs11:…, awskms:…, gcpkms:…, "
        "azurekms:…, hashivault:…, or keyless",
    )
    parser.add_argument(
        "--identity-token",
        metavar="FILE",
        help="keyless: file with the identity token (-: standard input); default: the CI system's, else the browser",
    )
    parser.add_argument(
        "--trust-config", metavar="FILE", help="keyless: client trust config of a Sigstore instance of your own"
    )


def signer_of(values: Namespace) -> Signer | None:
    """The signer that was asked for; None without one. Raises SigningError, UsageError."""
    if values.sign_key is None:
        return None
    from compliance.sign.keyless import KeylessOptions
    from compliance.sign.reference import open_signer

    return open_signer(
        values.sign_key,
        KeylessOptions(
            identity_token=values.identity_token,
            trust_config=read_given(values.trust_config, "trust config"),
            offline=values.offline,
        ),
    )


def add_pdf_signing(parser: Parser) -> None:
    """How report.pdf is signed, which it is with every key that signs the evidence."""
    parser.add_argument(
        "--sign-certificate",
        metavar="PEM",
        help="certificate of the key for the signature in report.pdf, then those that issued it; default: self-signed",
    )
    parser.add_argument(
        "--tsa-url", metavar="URL", help="timestamp authority (RFC 3161) for the signature in report.pdf"
    )
    parser.add_argument(
        "--tsa-certificate",
        metavar="PEM",
        help="roots of the timestamp authority: what is needed to verify later is put into report.pdf (PAdES B-LT)",
    )


def pdf_signing_of(values: Namespace, signer: Signer | None, now: datetime) -> SignsPdf | None:
    """Signs report.pdf as of `now`; None where nobody signs, or an identity does, whose certificate lives minutes.

    Raises SigningError, UsageError.
    """
    given = [
        option
        for option, value in (
            ("--sign-certificate", values.sign_certificate),
            ("--tsa-url", values.tsa_url),
            ("--tsa-certificate", values.tsa_certificate),
        )
        if value is not None
    ]
    if signer is None or not _has_key(signer):
        if given:
            raise UsageError(
                f"{given[0]} is for a signature with a key", code="usage", hint="add --sign-key with a key"
            )
        return None
    if values.tsa_certificate is not None and values.tsa_url is None:
        raise UsageError("--tsa-certificate is for --tsa-url", code="usage", hint="add --tsa-url URL")
    if values.offline and values.tsa_url is not None:
        raise UsageError("--offline touches no network", code="usage", hint="leave out --tsa-url")
    from functools import partial

    from compliance.sign.pdf_signer import pdf_signer

    timestamps = None
    if values.tsa_url is not None:
        from compliance.sign.timestamps import TimestampService

        timestamps = TimestampService(url=values.tsa_url, roots=_certificates(values.tsa_certificate))
    return partial(pdf_signer(signer, _certificates(values.sign_certificate), timestamps).sign, moment=now)


def _has_key(signer: Signer) -> TypeGuard[KeySigner]:
    from compliance.sign.signer import KeySigner

    return isinstance(signer, KeySigner)


def _certificates(path: str | None) -> tuple[Certificate, ...]:
    from compliance.sign.pdf_signer import read_certificates

    content = read_given(path, "certificate")
    return () if content is None or path is None else read_certificates(content, path)
