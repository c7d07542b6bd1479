"""A program: moto's server of AWS's key management service, on the port that is its argument.

moto 5.2.5 hashes what it is sent even where that is a digest already (MessageType DIGEST, which it says is not yet
implemented). Here it signs the digest, as the service does (AWS KMS API reference, "Sign"), unless told ``as-is``.
"""

from __future__ import annotations

import sys
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}


def _sign_digest(self: Any, message: bytes, signing_algorithm: str) -> bytes:
    digest = Prehashed(_HASHES[signing_algorithm[-3:]])
    if signing_algorithm.startswith("ECDSA"):
        return bytes(self.private_key.sign(message, ec.ECDSA(digest)))
    assert "PKCS1" in signing_algorithm
    return bytes(self.private_key.sign(message, padding.PKCS1v15(), digest))


def main() -> None:
    """Serve until ended."""
    import moto.kms.utils  # type: ignore[import-not-found, unused-ignore]
    from moto.server import main as serve  # type: ignore[import-not-found, unused-ignore]

    if "as-is" not in sys.argv:
        for kind in (moto.kms.utils.ECDSAPrivateKey, moto.kms.utils.RSAPrivateKey):
            kind.sign = _sign_digest
    serve(["-H", "127.0.0.1", "-p", sys.argv[1]])


if __name__ == "__main__":
    main()
