"""Strict YAML: what is read as what, where errors are, and what a hostile file can't do."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from compliance.errors import PolicyError
from compliance.formats.strict_yaml import DEPTH_MAX, SIZE_MAX, Section, read_section

FILE = "x.yaml"


def read(text: str) -> Section:
    return read_section(FILE, text.encode(), "policy-invalid")


def refused(text: str) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        read(text)
    assert caught.value.code == "policy-invalid"
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("a: 1\nb: &x [1]\n", 2, "anchors and aliases are not read"),
        ("a: 1\nb: *x\n", 2, "anchors and aliases are not read"),
        ("a: &x y\nb: *x\n", 1, "anchors and aliases are not read"),
        ("a: !!str 1\n", 1, "tags are not read"),
        ("a: !!set {b, c}\n", 1, "tags are not read"),
        ("a:\n- !x [1]\n", 2, "tags are not read"),
        ("a: 1\na: 2\n", 2, "duplicate key 'a'"),
        ("a: {b: 1, b: 2}\n", 1, "duplicate key 'b'"),
        ("a: 1\n---\nb: 2\n", 2, "more than one document"),
        ("a: 2026-13-45\n", 1, "not a number or date"),
        ("a: " + "9" * 5000 + "\n", 1, "not a number or date"),
        ("? [1]\n: 2\n", 1, "a key that is no text"),
        ("yes: 1\n", 1, "a key that is no text: True"),
        ("a: [\n", 2, "did not find expected"),
        ("a:\n  b: 1\n c: 2\n", 3, "did not find expected"),
    ],
)
def test_what_is_not_read_is_an_error_with_its_line(text: str, line: int, problem: str) -> None:
    error = refused(text)
    assert error.where == f"{FILE}, line {line}"
    assert problem in error.message


def test_a_bomb_of_aliases_is_refused_at_its_first() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    assert refused("\n".join(lines)).where == f"{FILE}, line 1"


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "a:\n"])
def test_depth_is_bounded_before_anything_is_built(opening: str) -> None:
    if opening == "a:\n":
        text = "".join(" " * depth + opening for depth in range(200))
    else:
        text = "a: " + ("\n" if opening == "- " else "") + opening * 100_000
    assert f"nested more than {DEPTH_MAX} deep" in refused(text).message


def test_size_is_bounded() -> None:
    assert "bytes" in refused("a: " + "x" * SIZE_MAX).message


@pytest.mark.parametrize("text", ["", "# nothing", "- a", "text", "null", "5"])
def test_a_file_that_is_no_mapping_is_refused(text: str) -> None:
    assert "must be a mapping" in refused(text).message


def test_errors_name_the_line_of_the_field() -> None:
    section = read("a: 1\nb:\n  - x\n  - 7\nc:\n  - d: y\n    e: z\n")
    inner = section.sections("c")[0]
    for error, where in (
        (section.error("m", "a"), "line 1, a"),
        (section.error("m", "b[1]"), "line 4, b[1]"),
        (section.error("m", "absent"), "line 1, absent"),
        (inner.error("m", "e"), "line 7, c[0].e"),
        (inner.error("m"), "line 6, c[0]"),
    ):
        assert error.where == f"{FILE}, {where}"


def test_a_list_with_one_wrong_item_says_which_and_what_to_do() -> None:
    with pytest.raises(PolicyError) as caught:
        read("b:\n  - x\n  - 7\n").texts("b")
    assert caught.value.where == f"{FILE}, line 3, b[1]"
    assert caught.value.hint == "put it into quotes"


def test_a_key_that_is_nearly_known_is_guessed() -> None:
    with pytest.raises(PolicyError) as caught:
        read("expire: x\n").only("expires", "rules")
    assert caught.value.hint == "did you mean expires?"
    with pytest.raises(PolicyError) as caught:
        read("zzz: x\n").only("expires", "rules")
    assert "known are expires, rules" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["2027-01-01T00:00:00Z", "2027-01-01 01:00:00+01:00", "'2027-01-01T00:00:00Z'", "2026-12-31T23:00:00-01:00"],
)
def test_a_moment_is_a_time_with_an_offset(text: str) -> None:
    assert read(f"t: {text}").moment("t") == datetime(2027, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2027-01-01", "2027-01-01T00:00:00", "tomorrow", "5", "[]"])
def test_a_moment_without_an_offset_is_refused(text: str) -> None:
    with pytest.raises(PolicyError, match="write e"):
        read(f"t: {text}").moment("t")


def test_names_and_texts() -> None:
    section = read("one: a\nmany: [a, b]\nnone: []\nnames: {x: {k: v}, y: {k: w}}\nempty: {}\n")
    assert section.text_or_texts("one") == ("a",)
    assert section.text_or_texts("many") == ("a", "b")
    assert list(section.named_sections("names")) == ["x", "y"]
    assert section.named_sections("names")["y"].error("m", "k").where == f"{FILE}, line 4, names.y.k"
    for wrong in ("none", "empty"):
        with pytest.raises(PolicyError):
            section.text_or_texts(wrong)
    for wrong in ("one", "many", "empty", "absent"):
        with pytest.raises(PolicyError):
            section.named_sections(wrong)


_plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text(max_size=20) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(min_size=1, max_size=8), _plain, max_size=4))
def test_what_is_read_is_what_the_safe_loader_reads(values: dict[str, object]) -> None:
    text = yaml.safe_dump(values, allow_unicode=True)
    assert dict(read(text).values) == yaml.safe_load(text)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_section_or_one_clear_error(content: bytes) -> None:
    said = ""
    try:
        read_section(FILE, content)
    except PolicyError as error:
        said = str(error)
    assert "\n" not in said
