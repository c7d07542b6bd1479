"""The YAML of lock files; compared with a full parser where both read."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from compliance.formats.indented_text import flow_pairs, lines, split_entry


def test_lines_have_indent_key_and_value() -> None:
    content = "# comment\n---\na:\n  'b ''c''': \"d\\\"e\" # why\n  - f: g\n  - h\n\n"
    assert [tuple(line) for line in lines(content)] == [
        (0, False, "a", ""),
        (2, False, "b 'c'", 'd"e'),
        (4, True, "f", "g"),
        (4, True, "", "h"),
    ]


@pytest.mark.parametrize(
    "entry", ["a: b", '"a: b": c', "'a''b': c", "a:b: c", '"a\\\\": b', "a: 'it''s'", 'a: "x"', "/@s/a@1.0(b@2): c"]
)
def test_entries_are_those_of_a_full_parser(entry: str) -> None:
    assert dict([split_entry(entry)]) == yaml.safe_load(entry)


def test_flow_mapping_on_one_line() -> None:
    assert flow_pairs("{integrity: sha512-x==, tarball: 'https://a/b', c: \"d, e\"}") == {
        "integrity": "sha512-x==",
        "tarball": "https://a/b",
        "c": "d, e",
    }
    assert flow_pairs("text") == {}


@given(st.text(max_size=200))
def test_any_text_is_read(content: str) -> None:
    for line in lines("a:\n  b: {c: " + content):
        flow_pairs(line.value)
