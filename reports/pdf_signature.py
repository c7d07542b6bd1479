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
from compliance.formats.outside_loop import outside_loop
from compliance.formats.plain_text import plain_text
from reports.pdf_attachments import reading

_NAME_MAX = 200
_TAGS = bytes.fromhex("30 a0 30 02 31 30 a0 31")
"""Of ContentInfo, its content, SignedData and the members of that (RFC 5652, sections 3 and 5.1), without CRLs."""
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
        _demand_unchanged(signature, content)
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
    start, before, after, rest = (int(number) for number in signature.byte_range)
    if start != 0 or not 0 < before < after or after + rest != len(content):
        raise _invalid("its signature does not cover the whole file")
    gap = content[before:after]
    container = _first(bytes(signature.pkcs7_content))
    room = (len(gap) - 2) // 2
    if gap != b"<" + container.hex().upper().encode() + b"00" * (room - len(container)) + b">":
        raise _invalid("the place of its signature holds something else too")
    _demand_plain(container, 1)
    stamp = _stamp(signature.signer_info)
    if stamp is not None:
        _demand_plain(stamp.dump(), 3)


def _demand_unchanged(signature: Any, content: bytes) -> None:
    """The same is asked in the end, but most changes are told faster so."""
    start, before, after, rest = (int(number) for number in signature.byte_range)
    digest = hashlib.new(signature.md_algorithm)
    digest.update(content[start:before])
    digest.update(content[after : after + rest])
    (stated,) = next(one for one in signature.signer_info["signed_attrs"] if one["type"].native == "message_digest")[
        "values"
    ]
    if stated.native != digest.digest():
        raise _invalid("the file was changed after it was signed")


def _demand_plain(container: bytes, version: int) -> None:
    """What a CMS signature (RFC 5652, section 5) does not cover is as it has to be; `container` is a ContentInfo."""
    from asn1crypto import x509

    _, explicit = _parts(container)
    (signed,) = _parts(explicit)
    own_version, algorithms, _, certificates, infos = fields = _parts(signed)
    if bytes(part[0] for part in (container, explicit, signed, *fields)) != _TAGS:
        raise _invalid("its signature is not of the form that this tool writes")
    (algorithm,) = _parts(algorithms)
    (info,) = _parts(infos)
    info_version, signer, info_algorithm, _, signature_algorithm, _, *unsigned = _parts(info)
    chain = [x509.Certificate.load(one) for one in _parts(certificates)]
    plain = (
        own_version == bytes((2, 1, version))
        and info_version == b"\x02\x01\x01"
        and algorithm == info_algorithm
        and _is_plain(algorithm)
        and (_is_plain(signature_algorithm) or len(_parts(signature_algorithm)) == 2)
        and signer in [_named(certificate) for certificate in chain]
        and len(unsigned) <= 1
    )
    if not plain:
        raise _invalid("its signature is not of the form that this tool writes")
    _demand_chain(chain, signer)


def _demand_chain(chain: list[Any], signer: bytes) -> None:
    """Certificates beside the signer's own are issued by one of them: no other can be known to be unchanged."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature

    known = [x509.load_der_x509_certificate(one.dump()) for one in chain]
    for one, shape in zip(known, chain, strict=True):
        if _named(shape) == signer:
            continue
        for issuer in known:
            try:
                one.verify_directly_issued_by(issuer)
            except (ValueError, TypeError, InvalidSignature):
                continue
            break
        else:
            raise _invalid("its signature carries a certificate whose issuer is not there")


def _named(certificate: Any) -> bytes:
    """How a SignerInfo names the signer."""
    from asn1crypto import cms

    fields = {"issuer": certificate.issuer, "serial_number": certificate.serial_number}
    name: bytes = cms.IssuerAndSerialNumber(fields).dump()
    return name


def _is_plain(algorithm: bytes) -> bool:
    """Whether an AlgorithmIdentifier has no parameters, or NULL."""
    return len(parts := _parts(algorithm)) == 1 or parts[1:] == [b"\x05\x00"]


def _first(der: bytes) -> bytes:
    """The first value in `der`."""
    from asn1crypto import parser

    return der[: parser.peek(der)]


def _parts(der: bytes) -> list[bytes]:
    """The values in a constructed value, which fill it. Raises ValueError."""
    from asn1crypto import parser

    content = parser.parse(der, strict=True)[4]
    parts = []
    while content:
        parts.append(_first(content))
        content = content[len(parts[-1]) :]
    return parts


def _stamp(info: Any) -> Any:
    """The timestamp token of a SignerInfo, which may have nothing else that is not signed."""
    attributes = list(info["unsigned_attrs"] or ())
    if not attributes:
        return None
    if len(attributes) > 1 or attributes[0]["type"].native != "signature_time_stamp_token":
        raise _invalid("its signature carries something that is not signed")
    (token,) = attributes[0]["values"]
    return token


def _status(signature: Any) -> Any:
    """pyHanko's answer. The signers are their own roots: trust is decided by whoever knows the key."""
    from pyhanko.sign.validation import validate_pdf_signature

    stamp = _stamp(signature.signer_info)
    return outside_loop(
        lambda: validate_pdf_signature(
            signature,
            signer_validation_context=_trusting(signature.signer_cert),
            ts_validation_context=None if stamp is None else _trusting(*_certificates(stamp["content"])),
            skip_diff=True,  # there is nothing after what is signed
        )
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
