"""Stanzas and fields of control files."""

from hypothesis import given
from hypothesis import strategies as st

from compliance.formats.control_file import fields, stanzas, unique_fields


def test_stanzas_end_at_empty_lines_and_values_continue_on_indented_ones() -> None:
    text = "\nPackage: a\nDescription: one\n two\n .\n three\n\n \nPackage: b\nVersion:\n"
    first, second = stanzas(text)
    assert fields(first) == [("package", "a"), ("description", "one\n two\n .\n three")]
    assert unique_fields(second) == {"package": "b", "version": ""}


def test_of_a_repeated_field_the_first_counts_and_no_field_lines_are_passed_over() -> None:
    assert unique_fields("Version: 1\nnonsense\nversion: 2\n# no: field") == {"version": "1"}


@given(st.text(st.sampled_from("ab: \n\t#.-"), max_size=200))
def test_any_text_is_read(text: str) -> None:
    for stanza in stanzas(text):
        for name, value in fields(stanza):
            assert name
            assert value == value.strip()
