"""What ``--sign-key`` names: a file, a key in a token or service, or nobody's key but an identity."""

from __future__ import annotations

from pathlib import Path

from compliance.sign.keyless import KeylessOptions
from compliance.sign.signer import Signer

GENERATE_PREFIX = "generate:"
"""Before a path: make a key there unless there is one."""
KEYLESS = "keyless"
"""Sign as an identity. A file of this name is ``./keyless``."""


def open_signer(reference: str, keyless: KeylessOptions | None = None) -> Signer:
    """The signer for a PATH, ``generate:PATH``, ``pkcs11:…``, a KMS's URI or ``keyless``.

    Raises SigningError, UsageError for a URI that is none.
    """
    if reference == KEYLESS:
        from compliance.sign.keyless import open_keyless_signer

        return open_keyless_signer(keyless or KeylessOptions())
    from compliance.sign.uri_signer import is_uri, open_uri_signer

    if is_uri(reference):
        return open_uri_signer(reference)
    from compliance.sign.key_signer import load_or_generate, load_signing_key

    if reference.startswith(GENERATE_PREFIX):
        return load_or_generate(Path(reference.removeprefix(GENERATE_PREFIX)))
    return load_signing_key(Path(reference))
