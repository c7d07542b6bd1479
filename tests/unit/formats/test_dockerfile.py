"""Dockerfiles as BuildKit reads them: continued lines, here-documents, directives, stages, variables; bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.errors import FormatError, LimitError
from compliance.formats.dockerfile import (
    EXPANDED_MAX,
    INSTRUCTIONS_MAX,
    SIZE_MAX,
    Instruction,
    expand,
    parse_dockerfile,
    variables,
)


def instructions(text: str) -> list[Instruction]:
    parsed = parse_dockerfile(text.encode())
    return [one for stage in parsed.stages for one in (stage.origin, *stage.instructions)]


def test_instructions_with_their_lines() -> None:
    found = instructions('# comment\n\nFROM a\n  run x\nENTRYPOINT ["/x", "y"]\n')
    assert [(one.name, one.arguments, one.line, one.end) for one in found] == [
        ("FROM", "a", 3, 3),
        ("RUN", "x", 4, 4),
        ("ENTRYPOINT", '["/x", "y"]', 5, 5),
    ]
    assert found[2].form == ("/x", "y")
    assert found[1].form is None


def test_continued_lines_pass_over_comments_and_empty_lines() -> None:
    found = instructions("FROM a\nRUN x && \\\n# note\n\n  y \\\n  z\nUSER b\n")
    assert (found[1].arguments, found[1].line, found[1].end) == ("x &&   y   z", 2, 6)
    assert found[2].line == 7


def test_a_doubled_backslash_continues_nothing() -> None:
    found = instructions("FROM a\nRUN x \\\\\nUSER b\n")
    assert [one.name for one in found] == ["FROM", "RUN", "USER"]


def test_the_escape_directive_changes_what_continues_a_line() -> None:
    parsed = parse_dockerfile(b"# escape=`\nFROM a\nRUN x `\n  y\\\nUSER b\n")
    assert parsed.escape == "`"
    assert [one.arguments for one in parsed.stages[0].instructions] == ["x   y\\", "b"]


def test_directives_only_at_the_top() -> None:
    parsed = parse_dockerfile(b"# syntax=docker/dockerfile:1\n# a comment\n# escape=`\nFROM a\n")
    assert parsed.directives == {"syntax": "docker/dockerfile:1"}


def test_what_a_here_document_holds_is_no_instruction() -> None:
    text = "FROM a\nRUN <<EOF\napt-get update\nFROM evil\nEOF\nCOPY <<-A <<'B' /x/\n\tone $y\n\tA\ntwo\nB\nUSER c\n"
    found = instructions(text)
    assert [one.name for one in found] == ["FROM", "RUN", "COPY", "USER"]
    assert found[1].here[0].text == "apt-get update\nFROM evil\n"
    assert [(one.name, one.text, one.expands) for one in found[2].here] == [
        ("A", "one $y\n", True),
        ("B", "two\n", False),
    ]
    assert (found[2].line, found[2].end, found[3].line) == (6, 10, 11)


def test_a_here_document_behind_onbuild_too() -> None:
    assert [one.name for one in instructions("FROM a\nONBUILD RUN <<E\nUSER x\nE\nUSER y\n")] == [
        "FROM",
        "ONBUILD",
        "USER",
    ]


def test_less_than_signs_of_other_instructions_are_text() -> None:
    assert [one.name for one in instructions("FROM a\nLABEL x=<<E\nENV A=<<B\nUSER y\n")] == [
        "FROM",
        "LABEL",
        "ENV",
        "USER",
    ]


def test_flags_are_apart_from_arguments() -> None:
    one = instructions("FROM a\nCOPY --from=b --chown=1:2 --link x y\n")[1]
    assert (one.flags, one.arguments) == ((("from", "b"), ("chown", "1:2"), ("link", "")), "x y")
    assert (one.flag("chown"), one.flag("link"), one.flag("chmod")) == ("1:2", "", None)


def test_a_health_check_keeps_what_its_command_is_told() -> None:
    one = instructions("FROM a\nHEALTHCHECK --interval=5s CMD curl --fail x\n")[1]
    assert one.arguments == "CMD curl --fail x"


def test_stages_by_name_and_number_and_what_holds_in_the_last() -> None:
    parsed = parse_dockerfile(b"FROM x AS Base\nUSER a\nCMD b\nFROM base\nCMD c\nFROM y\n")
    base, middle, last = parsed.stages
    assert (base.name, middle.name) == ("base", None)
    assert [one.index for one in parsed.lineage(middle)] == [1, 0]
    assert parsed.stage("BASE") is base
    assert parsed.stage("1") is middle
    assert parsed.stage("7") is None
    user, command = parsed.last(middle, "USER"), parsed.last(middle, "CMD")
    assert user is not None
    assert command is not None
    assert (user.line, command.line) == (2, 5)
    assert parsed.last(last, "USER") is None


def test_a_stage_that_names_itself_is_another_image() -> None:
    parsed = parse_dockerfile(b"FROM alpine AS alpine\nFROM alpine\n")
    assert [one.index for one in parsed.lineage(parsed.stages[0])] == [0]


def test_the_base_takes_arguments_from_before_the_first_stage() -> None:
    parsed = parse_dockerfile(b"ARG V=1\nARG I=img:$V\nFROM ${I}-${X:-slim}\nFROM $NO\n")
    assert [(stage.base, stage.unresolved) for stage in parsed.stages] == [("img:1-slim", False), ("$NO", True)]


def test_variables_of_a_stage() -> None:
    text = b'ARG V=1\nFROM a AS b\nARG V\nENV A=x B="y $A"\nFROM b\nARG C=$A\nENV D $B z\n'
    parsed = parse_dockerfile(text)
    assert variables(parsed, parsed.stages[0]) == {"V": "1", "A": "x", "B": "y $A"}
    assert variables(parsed, parsed.stages[1])["C"] == "x"


@pytest.mark.parametrize(
    ("text", "value", "whole"),
    [
        ("$A ${A}", "x x", True),
        ("${E:-d} ${E-d} ${N:-d} ${N-d}", "d  d d", True),
        ("${A:+d} ${E:+d} ${E+d} ${N+d}.", "d  d .", True),
        ("$N", "$N", False),
        ("\\$A", "\\$A", True),
        ("$$ $ ${", "$$ $ ${", True),
    ],
)
def test_expansion(text: str, value: str, whole: bool) -> None:
    assert expand(text, {"A": "x", "E": ""}) == (value, whole)


def test_values_that_double_at_each_step_are_stopped() -> None:
    text = b"FROM a\nENV A=xxxxxxxx\n" + b"ENV A=$A$A\n" * 60
    parsed = parse_dockerfile(text)
    assert len(variables(parsed, parsed.stages[0])["A"]) <= EXPANDED_MAX


@pytest.mark.parametrize(
    ("content", "line", "what"),
    [
        (b"", 1, "no FROM instruction"),
        (b"# only\n", 1, "no FROM instruction"),
        (b"USER x\nFROM a\n", 1, "USER before the first FROM"),
        (b"FROM a\nFROB x\n", 2, "not an instruction: 'FROB x'"),
        (b"FROM a\n\nRUN\n", 3, "RUN without arguments"),
        (b"FROM a b\n", 1, "not FROM IMAGE [AS NAME]: 'a b'"),
        (b"FROM a\nRUN <<EOF\nx\n", 2, "the here-document EOF has no end"),
        (b"FROM a\nRUN \xff\n", 2, "not UTF-8"),
        (b"FROM a\nRUN \0\n", 2, "a NUL character"),
        (b"# escape=x\nFROM a\n", 1, "the escape character must be \\ or `"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(content: bytes, line: int, what: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_dockerfile(content)
    assert (caught.value.message, caught.value.where) == (what, f"Dockerfile, line {line}")


def test_size_and_number_of_instructions_are_bounded() -> None:
    with pytest.raises(LimitError):
        parse_dockerfile(b"FROM a\n" + b"#" * SIZE_MAX)
    with pytest.raises(LimitError):
        parse_dockerfile(b"FROM a\n" * (INSTRUCTIONS_MAX + 1))


def test_a_deep_list_is_no_exec_form() -> None:
    assert instructions("FROM a\nCMD " + "[" * 100_000 + "\n")[1].form is None
    assert instructions('FROM a\nCMD ["x", 1]\n')[1].form is None


@given(st.text(alphabet="FROMRUNCPY <>-\"'\\`\n#=$[]{}:a1", max_size=200))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        parsed = parse_dockerfile(b"FROM a\n" + text.encode())
    except FormatError:
        return
    for stage in parsed.stages:
        variables(parsed, stage)
        for one in (stage.origin, *stage.instructions):
            assert 1 <= one.line <= one.end <= len(parsed.lines)
            assert one.pairs is not None
