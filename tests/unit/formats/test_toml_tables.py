"""TOML as lock files have it; compared with the standard library's parser where both read."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.formats.toml_tables import tables


def test_tables_keys_and_values() -> None:
    content = (
        'top = "a" # comment\n[one]\n"quoted.key" = \'literal\'\nlist = [\n  "x", # [\n  "y]",\n]\nafter = "z"\n'
        '[[two."b.c"]]\ninline = { name = "n", other = "o" }\ntext = """\n[[not.a.table]]\n"""\nlast = "l"\n'
    )
    top, one, two = tables(content)
    assert (top.name, top.text("top")) == ("", "a")
    assert (one.name, one.text("quoted.key"), one.texts("list"), one.text("after")) == (
        "one",
        "literal",
        ["x", "y]"],
        "z",
    )
    assert (two.name, two.of_array, two.inline("inline", "name"), two.text("last")) == ("two.b.c", True, ["n"], "l")


@pytest.mark.parametrize("text", ['"a\\u00e9\\"b"', '"a\\tb"', "'a\\b'", '""'])
def test_strings_are_those_of_the_standard_library(text: str) -> None:
    (table,) = tables(f"a = {text}")
    assert table.text("a") == tomllib.loads(f"a = {text}")["a"]


@given(st.lists(st.tuples(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.text(max_size=12)), max_size=5))
def test_packages_are_read_as_the_standard_library_reads_them(pairs: list[tuple[str, str]]) -> None:
    plain = [(name, "".join(char for char in text if char.isprintable() and char not in '"\\')) for name, text in pairs]
    content = "".join(f'[[package]]\nname = "{name}"\nversion = "{text}"\nfiles = []\n\n' for name, text in plain)
    read = [(table.text("name"), table.text("version")) for table in tables(content) if table.name]
    parsed = tomllib.loads(content).get("package", [])
    assert read == [(package["name"], package["version"]) for package in parsed]


@given(st.text(max_size=200))
def test_any_text_is_read(content: str) -> None:
    for table in tables("[[a]]\nx = " + content):
        for key in table.values:
            table.text(key)
            table.texts(key)
            table.inline(key, "name")
