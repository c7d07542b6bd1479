"""The signature that a PDF report bears (PAdES), read back and checked offline. The PDF may be hostile.

A signature in a PDF leaves a gap for itself, and CMS has members that no signature covers: what is in them could be
changed without a reader noticing. Here they have to be as they are written, so that no byte of the file can change.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from compliance.errors import VerificationError
from compliance.formats.plain_text import plain_text
from reports.pdf_attachments import reading

_NAME_MAX = 200
_MARKS = (b"/ByteRange", b"/ETSI.CAdES.detached")
"""What a signature has uncompressed in the file, twice, so that no single change hides it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PdfSignature:
    """A signature that holds and covers the whole file. Whether its signer is to be trusted is not said.

    `key_id` is the hex sha256 of the SubjectPublicKeyInfo, `signer` the subject of the certificate. `signed_at` is
    what the signer says; `stamped_at` what the authority `stamped_by` says, whoever that is.
    """

    key_id: str
    signer: str
    certificate_sha256: str
    self_signed: bool
    signed_at: datetime | None
    stamped_at: datetime | None = None
    stamped_by: str | None = None
    validation_data: bool = False

    @property
    def level(self) -> str:
        """The baseline level (ETSI EN 319 142-1, clause 6)."""
        if self.stamped_at is None:
            return "B-B"
        return "B-LT" if self.validation_data else "B-T"


def read_signature(content: bytes) -> PdfSignature | None:
    """The signature of the PDF `content`; None where it bears none.

    Raises VerificationError where it bears one that does not hold or does not cover the whole file, FormatError where
    it is no PDF, LimitError where it is too large.
    """
    return reading(content, lambda reader: _read(reader, content))


def _read(reader: Any, content: bytes) -> PdfSignature | None:
    found = list(reader.embedded_signatures)
    if not found and any(mark in content for mark in _MARKS):
        raise _invalid("it holds parts of a signature")  # changed so that it can't be found
    if not found:
        return None
    if len(found) > 1:
        raise _invalid("it bears more than one signature or timestamp")
    (signature,) = found
    try:
        _demand_canonical(signature, content)
        status = _status(signature)
    except VerificationError:
        raise
    except Exception as error:
        raise _invalid(f"its signature can't be checked: {plain_text(str(error), _NAME_MAX)}") from error
    _demand_good(status)
    certificate, stamp = signature.signer_cert, status.timestamp_validity
    return PdfSignature(
        key_id=hashlib.sha256(certificate.public_key.dump()).hexdigest(),
        signer=_name(certificate),
        certificate_sha256=hashlib.sha256(certificate.dump()).hexdigest(),
        self_signed=bool(certificate.self_issued),
        signed_at=_in_utc(signature.self_reported_timestamp),
        stamped_at=None if stamp is None else _in_utc(stamp.timestamp),
        stamped_by=None if stamp is None else _name(stamp.signing_cert),
        validation_data="/DSS" in reader.root,
    )


def _demand_canonical(signature: Any, content: bytes) -> None:
    """What the signature does not cover is the gap for it, and the gap is written in one way only."""
    from asn1crypto import cms

    start, before, after, rest = (int(number) for number in signature.byte_range)
    if start != 0 or not 0 < before < after or after + rest != len(content):
        raise _invalid("its signature does not cover the whole file")
    gap = content[before:after]
    message = cms.ContentInfo.load(signature.pkcs7_content)
    container = message.dump(force=False)
    room = (len(gap) - 2) // 2
    written = b"<" + container.hex().upper().encode() + b"00" * (room - len(container)) + b">"
    if gap != written:
        raise _invalid("the place of its signature holds something else too")
    _demand_plain(message["content"], "v1")
    stamp = _stamp(signature.signer_info)
    if stamp is not None:
        _demand_plain(stamp, "v3")


def _demand_plain(signed: Any, version: str) -> None:
    """The members of a SignedData (RFC 5652, section 5.1) that its signature does not cover."""
    (info,) = signed["signer_infos"]
    algorithms = [one["algorithm"].native for one in signed["digest_algorithms"]]
    if signed["version"].native != version or algorithms != [info["digest_algorithm"]["algorithm"].native]:
        raise _invalid("its signature is not of the form that this tool writes")


def _stamp(info: Any) -> Any:
    """The timestamp token of a SignerInfo, which may have nothing else that is not signed."""
    attributes = list(info["unsigned_attrs"] or ())
    if not attributes:
        return None
    if len(attributes) > 1 or attributes[0]["type"].native != "signature_time_stamp_token":
        raise _invalid("its signature carries something that is not signed")
    (token,) = attributes[0]["values"]
    return token["content"]


def _status(signature: Any) -> Any:
    """pyHanko's answer. The signers are their own roots: trust is decided by whoever knows the key."""
    from pyhanko.sign.validation import validate_pdf_signature

    stamp = _stamp(signature.signer_info)
    return validate_pdf_signature(
        signature,
        signer_validation_context=_trusting(signature.signer_cert),
        ts_validation_context=None if stamp is None else _trusting(*_certificates(stamp)),
        skip_diff=True,  # there is nothing after what is signed
    )


def _trusting(*certificates: Any) -> Any:
    from pyhanko_certvalidator import ValidationContext

    return ValidationContext(trust_roots=list(certificates), allow_fetching=False, revocation_mode="soft-fail")


def _certificates(signed: Any) -> list[Any]:
    return [choice.chosen for choice in signed["certificates"] if choice.name == "certificate"]


def _demand_good(status: Any) -> None:
    from pyhanko.sign.validation import SignatureCoverageLevel

    if not status.intact:
        raise _invalid("the file was changed after it was signed")
    if not status.valid:
        raise _invalid("its signature does not verify")
    if status.coverage is not SignatureCoverageLevel.ENTIRE_FILE:
        raise _invalid("its signature does not cover the whole file")
    stamp = status.timestamp_validity
    if stamp is not None and not (stamp.intact and stamp.valid):
        raise _invalid("the timestamp of its signature does not verify")


def _name(certificate: Any) -> str:
    return plain_text(certificate.subject.human_friendly, _NAME_MAX)


def _in_utc(moment: Any) -> datetime | None:
    return moment.astimezone(UTC) if isinstance(moment, datetime) else None


def _invalid(why: str) -> VerificationError:
    return VerificationError(why, code="pdf-signature-invalid", where="report.pdf")
