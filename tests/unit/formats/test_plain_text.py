"""Text from an image is one printable line."""

from hypothesis import given
from hypothesis import strategies as st

from compliance.formats.plain_text import decode, plain_text


def test_what_steers_a_terminal_or_has_no_utf8_is_replaced() -> None:
    assert plain_text("a\x1b[2Jb\ud800") == "a�[2Jb�"
    assert plain_text("user\u202etxt.exe") == "user�txt.exe"


def test_blanks_and_line_ends_become_one_space() -> None:
    assert plain_text("  Debian \n  Maintainers\t<x> ") == "Debian Maintainers <x>"


def test_names_of_people_stay_as_they_are() -> None:
    assert plain_text("Jérôme 李 <j@example.org>") == "Jérôme 李 <j@example.org>"


@given(st.text(), st.integers(1, 50))
def test_result_is_one_encodable_line_within_its_limit(text: str, limit: int) -> None:
    line = plain_text(text, limit)
    line.encode()
    assert len(line) <= limit
    assert "\n" not in line
    assert "\x1b" not in line


@given(st.binary())
def test_any_bytes_decode(data: bytes) -> None:
    decode(data).encode()
