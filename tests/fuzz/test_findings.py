"""What fuzzing found, made again by hand: each stays fixed."""

from __future__ import annotations

import io
import tarfile

import pytest

from compliance.errors import FormatError
from compliance.formats import tar
from tests.fuzz.harnesses import MemoryStream, with_checksums


def entries(archive: bytes) -> list[tar.TarEntry]:
    return list(tar.TarReader(MemoryStream(archive)))


def header(at: int, field: bytes) -> bytes:
    """A tar of one file of eight bytes, with `field` put at offset `at` of its header."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        member = tarfile.TarInfo("name")
        member.size = 8
        archive.addfile(member, io.BytesIO(b"contents"))
    content = bytearray(out.getvalue())
    content[at : at + len(field)] = field
    return with_checksums(bytes(content))


NO_NUMBERS = (b"      -370\0", b"+0000000010\0", b"0o000000010\0", b"000000_0010\0", b"0000000001x\0")
NUMBERS = (b"00000000010\0", b"         10 ", b"10", bytes(8) + b"10")


@pytest.mark.parametrize("field", NO_NUMBERS)
def test_issue_001_number_with_a_sign_or_an_underscore_is_no_octal_number(field: bytes) -> None:
    """``int`` reads them; a negative size made the reader take all that was left of the layer at once."""
    with pytest.raises(FormatError, match="no number"):
        entries(header(124, field))


@pytest.mark.parametrize("field", NUMBERS)
def test_issue_001_octal_number_is_read_with_blanks_and_zeros_on_either_side(field: bytes) -> None:
    assert [entry.size for entry in entries(header(124, field.ljust(12, b"\0")))] == [8]
