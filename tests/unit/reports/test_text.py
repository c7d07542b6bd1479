"""Texts cleaned of what would harm a reader."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from reports.text import clean, sentence

_HOSTILE = st.text(alphabet=st.characters(codec=None, exclude_categories=()), max_size=40)


@given(_HOSTILE)
def test_cleaning_leaves_nothing_invisible_and_is_stable(text: str) -> None:
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    cleaned.encode()  # no lone surrogate
    assert not [char for char in cleaned if unicodedata.category(char) in ("Cc", "Cs")]


def test_undecodable_bytes_and_escapes_become_hex() -> None:
    assert clean("a\udcffb\x1b[0m\u202e") == r"a\xffb\x1b[0m\u202e"


def test_a_sentence_is_one_line() -> None:
    assert sentence("  two\n  lines\tand a tab ") == "two lines and a tab"
