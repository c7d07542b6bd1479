"""Whom to trust, as a person says it: in cosign's words, files by their paths."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING

from compliance.api.given import policy_trust
from compliance.formats.user_file import read_file

if TYPE_CHECKING:
    from compliance import pipeline

FilePath = str | PathLike[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The one signer whose signatures count: a key, or an identity with its issuer. Empty: nobody is trusted.

    `key` is the path of a public key in PEM, `trusted_root` that of a Sigstore trusted_root.json.
    `insecure_ignore_tlog` accepts a key's signature that no transparency log holds. Who trusts different signers for
    different images or statements writes a trust policy, and gives its path in place of this.
    """

    key: FilePath | None = None
    certificate_identity: str | None = None
    certificate_identity_regexp: str | None = None
    certificate_oidc_issuer: str | None = None
    certificate_oidc_issuer_regexp: str | None = None
    trusted_root: FilePath | None = None
    insecure_ignore_tlog: bool = False


def read_trust(trust: FilePath | Trust | None) -> pipeline.Trust:
    """What the pipeline takes: files read. Raises UsageError, PolicyError."""
    from compliance.pipeline import Trust as Given

    if trust is None:
        return Given()
    if not isinstance(trust, Trust):
        return policy_trust(fspath(trust))
    return Given(
        key=None if trust.key is None else read_file(Path(trust.key), "public key"),
        identity=trust.certificate_identity,
        identity_regexp=trust.certificate_identity_regexp,
        issuer=trust.certificate_oidc_issuer,
        issuer_regexp=trust.certificate_oidc_issuer_regexp,
        trusted_root=None if trust.trusted_root is None else read_file(Path(trust.trusted_root), "trusted root"),
        allow_no_log=trust.insecure_ignore_tlog,
    )
