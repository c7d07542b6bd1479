"""Options of whoever signs: ``assess`` and ``attest``."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from compliance.cli.options import read_given
from compliance.cli.parser import Parser

if TYPE_CHECKING:
    from compliance.sign.signer import Signer


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
