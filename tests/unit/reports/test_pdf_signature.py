"""The signature of a report is read back: no byte of a signed file can change without being noticed."""

import io
import random
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from compliance.errors import ComplianceError, FormatError, VerificationError
from compliance.sign.key_signer import SigningKey
from compliance.sign.pdf_signer import pdf_signer
from compliance.sign.timestamps import TimestampService
from reports import assessment_json, pdf
from reports.pdf_signature import read_signature
from tests.builders.assessment import assessment
from tests.builders.timestamp_server import StampingKey, serving

NOW = datetime(2026, 11, 2, 8, 30, tzinfo=UTC)
SIGNER = pdf_signer(SigningKey(private=ec.generate_private_key(ec.SECP256R1())))


@pytest.fixture(scope="module")
def unsigned() -> bytes:
    return pdf.render(assessment_json.document(assessment(frameworks=0)))


@pytest.fixture(scope="module")
def signed(unsigned: bytes) -> bytes:
    return SIGNER.sign(unsigned, NOW)


def gap(content: bytes) -> tuple[int, int]:
    """Where the signature's own bytes begin and end, with their brackets."""
    from pyhanko.pdf_utils.reader import PdfFileReader

    (signature,) = PdfFileReader(io.BytesIO(content)).embedded_signatures
    _, before, after, _ = (int(number) for number in signature.byte_range)
    return before, after


def undetected(content: bytes, flips: Iterator[tuple[int, int]]) -> list[tuple[int, int]]:
    """The flips (place, mask) after which the signature still reads as good, or as none."""
    missed = []
    for place, mask in flips:
        changed = bytearray(content)
        changed[place] ^= mask
        try:
            read_signature(bytes(changed))
        except ComplianceError:
            continue
        missed.append((place, mask))
    return missed


def test_an_unsigned_report_has_none(unsigned: bytes) -> None:
    assert read_signature(unsigned) is None


def test_any_flipped_byte_is_noticed(signed: bytes) -> None:
    """1,000 anywhere in the file."""
    chance = random.Random(20261102)  # noqa: S311
    flips = ((chance.randrange(len(signed)), chance.randrange(1, 256)) for _ in range(1_000))
    assert undetected(signed, flips) == []


def test_any_flipped_bit_around_the_signature_is_noticed(unsigned: bytes, signed: bytes) -> None:
    """In what signing added: catalog, form, signature dictionary, cross-references; each byte, a bit of it."""
    chance = random.Random(20261103)  # noqa: S311
    before, after = gap(signed)
    places = [place for place in range(len(unsigned), len(signed)) if not before <= place < after]
    chosen = chance.sample(places, 100) + list(range(after, len(signed)))[:60]
    assert undetected(signed, ((place, 1 << chance.randrange(8)) for place in chosen)) == []


def test_any_change_of_the_signature_itself_is_noticed(signed: bytes) -> None:
    """Members of CMS that no signature covers, the padding, and another spelling of the same bytes among them."""
    chance = random.Random(20261104)  # noqa: S311
    before, after = gap(signed)
    assert undetected(signed, ((place, 1 << chance.randrange(8)) for place in range(before, after, 11))) == []
    letters = [place for place in range(before + 1, after - 1) if signed[place : place + 1].isalpha()]
    assert undetected(signed, ((place, 0x20) for place in letters[:40])) == []


def test_every_digit_of_the_signature_counts(signed: bytes) -> None:
    """Each hexadecimal digit by another one, as a careful hand would do it."""
    chance = random.Random(20261105)  # noqa: S311
    before, after = gap(signed)
    for place in range(before + 1, after - 1, 13):
        other = chance.choice([digit for digit in b"0123456789ABCDEF" if digit != signed[place]])
        assert undetected(signed, iter([(place, signed[place] ^ other)])) == [], place


@pytest.mark.parametrize("more", [b"\n", b"%comment\n", b"\n1 0 obj\n<<>>\nendobj\n"])
def test_what_is_added_afterwards_is_noticed(more: bytes, signed: bytes) -> None:
    with pytest.raises(VerificationError, match="does not cover the whole file"):
        read_signature(signed + more)


def test_a_second_signature_is_refused(signed: bytes) -> None:
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.sign.fields import SigFieldSpec, append_signature_field

    writer = IncrementalPdfFileWriter(io.BytesIO(signed))
    append_signature_field(writer, SigFieldSpec("Another"))
    out = io.BytesIO()
    writer.write(out)  # type: ignore[no-untyped-call]
    with pytest.raises(VerificationError):
        read_signature(out.getvalue())


def test_a_signature_over_other_bytes_is_refused(unsigned: bytes, signed: bytes) -> None:
    other = SIGNER.sign(unsigned.replace(b"%PDF-1.7", b"%PDF-1.6"), NOW)
    before, after = gap(signed)
    with pytest.raises(VerificationError, match="changed after it was signed"):
        read_signature(signed[:before] + other[slice(*gap(other))] + signed[after:])


def test_a_report_that_is_cut_off_is_no_unsigned_one(unsigned: bytes, signed: bytes) -> None:
    for end in range(len(unsigned) + 1, len(signed), 997):
        try:
            assert read_signature(signed[:end]) is None
        except ComplianceError:
            continue
        assert b"/ByteRange" not in signed[:end]
        assert b"/ETSI.CAdES.detached" not in signed[:end]


def test_flips_in_a_timestamp_are_noticed(unsigned: bytes) -> None:
    with serving(StampingKey(NOW).answer) as url:
        service = TimestampService(url=url)
        stamped = pdf_signer(SIGNER.key, timestamps=service).sign(unsigned, NOW)
    chance = random.Random(20261106)  # noqa: S311
    before, after = gap(stamped)
    places = chance.sample(range(before + 1, after - 1), 80)
    assert undetected(stamped, ((place, 1) for place in places)) == []


def test_what_is_no_pdf_is_a_format_error() -> None:
    with pytest.raises(FormatError):
        read_signature(b"nothing")
