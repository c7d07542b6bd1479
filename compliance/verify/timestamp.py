"""RFC 3161 timestamps: when a signature certainly existed."""

from __future__ import annotations

from datetime import datetime

from compliance.verify.refusal import RejectedError
from compliance.verify.trusted_root import Authority, TrustedRoot

TOKEN_SIZE_MAX = 64 * 2**10


def timestamp_time(token: bytes, stamped: bytes, root: TrustedRoot) -> datetime:
    """The time in `token`, proved by a timestamp authority that `root` trusted then.

    It must stamp `stamped`. The authority's certificate comes from `root`; one inside the token must be
    the same (RFC 3161, section 2.4.2).
    """
    from rfc3161_client import decode_timestamp_response

    if len(token) > TOKEN_SIZE_MAX:
        raise RejectedError(f"a timestamp of more than {TOKEN_SIZE_MAX} bytes")
    try:
        response = decode_timestamp_response(token)
        time = response.tst_info.gen_time
    except ValueError:
        raise RejectedError("a timestamp that is not one of RFC 3161") from None
    for authority in root.timestamp_authorities(time):
        if _stamps(token, stamped, authority):
            return time
    raise RejectedError("its timestamp does not verify against the trusted root")


def _stamps(token: bytes, message: bytes, authority: Authority) -> bool:
    from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

    builder = VerifierBuilder().add_root_certificate(authority.anchor)
    if authority.leaf is not None:
        builder = builder.tsa_certificate(authority.leaf)
    for certificate in authority.intermediates:
        builder = builder.add_intermediate_certificate(certificate)
    try:
        # Read anew each time: the verifier empties the set of signers that it looks at.
        return builder.build().verify_message(decode_timestamp_response(token), message)
    except VerificationError:
        return False
