"""The signature that report.pdf itself bears, as one more thing that `evidence verify` looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compliance.store.bundle_verifier import Answer, CheckReport
    from reports.pdf_signature import PdfSignature

WHAT = "report.pdf, signature"
"""What findings call it."""


def signature_check(key: bytes | None, shipped: bytes | None = None, *, needless: bool = False) -> CheckReport:
    """Whether the whole file is as it was signed, by the demanded `key` (PEM), else by that `shipped` in the evidence.

    A signature of anybody else shows nothing: whoever changes a report can sign it again. Where the report lies
    beside files that are signed with it, one without a signature of its own is `needless` to speak of.
    """

    def check(content: bytes) -> Answer | None:
        from compliance.formats.public_key import key_id, load_public_key
        from compliance.model.verification import Verdict
        from compliance.store.bundle_verifier import Answer
        from reports.pdf_signature import read_signature

        signature = read_signature(content)
        if signature is None and needless:
            return None
        if signature is None:
            return Answer(verdict=Verdict.UNCHECKED, reason="it bears no signature of its own")
        if key is not None and signature.key_id != key_id(load_public_key(key)):
            reason = f"it is signed with key {signature.key_id}, which is not the one that is demanded"
            return Answer(verdict=Verdict.INVALID, reason=reason)
        if key is None and (shipped is None or signature.key_id != key_id(load_public_key(shipped))):
            reason = f"nobody demanded this signer, who is not that of the data embedded in it: {_said(signature)}"
            return Answer(verdict=Verdict.UNCHECKED, reason=reason)
        return Answer(verdict=Verdict.VERIFIED, reason=_said(signature))

    return check


def _said(signature: PdfSignature) -> str:
    when = f", at {signature.signed_at:%Y-%m-%dT%H:%M:%SZ} as the signer says" if signature.signed_at else ""
    stamp = (
        f", stamped at {signature.stamped_at:%Y-%m-%dT%H:%M:%SZ} by {signature.stamped_by}, whoever that is"
        if signature.stamped_at
        else ""
    )
    by = "" if signature.self_signed else f" ({signature.signer})"
    since = f"nothing of it changed since it was signed (PAdES {signature.level})"
    return f"{since} with key {signature.key_id}{by}{when}{stamp}"
