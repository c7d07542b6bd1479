"""The knowledge files: every one is read, nothing in them is without effect, and mistakes are named."""

from __future__ import annotations

from importlib.resources import files

import pytest

from compliance.errors import PolicyError
from compliance.formats.markers import MarkerSearch
from controls.knowledge import (
    Kind,
    kind,
    marker_rules,
    parse_kind,
    parse_path_sorts,
    parse_rules,
    path_sorts,
)
from controls.name_pattern import NamePattern

KINDS = (
    "shells",
    "os-package-managers",
    "language-package-managers",
    "compilers",
    "interpreters",
    "debuggers",
    "network-tools",
    "remote-access",
    "editors",
)
SORTS = ("docs", "debug-symbols", "caches", "libraries", "development-residue")
RULES = frozenset({"shell:one", "shell:two"})
# What may follow a literal so that the expression at it matches.
TAILS = (
    b"", b"1", b"1.2", b"LEGACY KSH", b"46", b" %s", b"tools.", b" ", b" import BPF", b"MainGenericCompiler",
    b"/opt/ghc/bin/ghc-9.0\" --interactive", b"v2/ui.", b"v3/cli",
    b"v2/internal/action.InitBindings", b"/src/install/",
)  # fmt: skip


def tools(text: str) -> Kind:
    return parse_kind("k", f"schema: 1\nkind: k\nnoun: thing\ntools:\n{text}".encode(), RULES)


def test_every_knowledge_file_is_read() -> None:
    names = {entry.name for entry in (files("controls") / "knowledge").iterdir() if entry.name.endswith(".yaml")}
    assert names >= {f"{name}.yaml" for name in (*KINDS, *SORTS, "markers", "end-of-life")}
    assert all(kind(name).tools for name in KINDS)
    assert all(path_sorts(name) for name in SORTS)


def test_every_marker_rule_tells_some_tool() -> None:
    named = {rule for name in KINDS for tool in kind(name).tools for rule in (*tool.markers, *tool.unless)}
    multi_call = {"multi:busybox", "multi:toybox"}  # judged by their applets
    assert {rule.id for rule in marker_rules()} - named == multi_call


@pytest.mark.parametrize("name", KINDS)
def test_a_tool_is_there_once(name: str) -> None:
    ids = [tool.id for tool in kind(name).tools]
    assert sorted(set(ids)) == sorted(ids)


def test_no_literal_counts_for_two_markers_of_one_rule() -> None:
    for rule in marker_rules():
        for number, marker in enumerate(rule.markers):
            others = [literal for other in rule.markers[number + 1 :] for literal in other.alternatives]
            for literal in marker.alternatives:
                for other in others:
                    assert literal not in other, (rule.id, literal, other)
                    assert other not in literal, (rule.id, literal, other)


def test_every_expression_matches_something_that_begins_with_its_literal() -> None:
    for rule in marker_rules():
        for marker in rule.markers:
            if marker.regex is not None:
                for literal in marker.alternatives:
                    some = (literal + tail for tail in TAILS)
                    search = MarkerSearch((type(rule)(id="x", minimum=1, markers=(marker,)),))
                    assert any(search.search(one).rules for one in some), (rule.id, marker.regex)


def test_a_prefix_stands_for_all_its_rules() -> None:
    found = tools('  - {id: sh, markers: ["shell:*"]}')
    assert found.tools[0].markers == ("shell:one", "shell:two")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("  - {id: sh, nams: [sh]}", "unknown key"),
        ("  - {id: sh}", "recognise"),
        ('  - {id: sh, markers: ["shell:three"]}', "no marker rule"),
        ("  - {id: sh, names: sh}", "list"),
        ("  - {id: sh, names: [sh], size_max: 5}", "needs"),
        ("  - {id: sh, names: [sh], packages: [sh]}", "purl types"),
        ("  - {id: sh, names: [sh], ambiguous: perhaps}", "true or false"),
        ("  - {id: sh, id: sh, names: [sh]}", "duplicate"),
    ],
)
def test_a_mistake_in_a_kind_is_named(text: str, said: str) -> None:
    with pytest.raises(PolicyError, match=said) as caught:
        tools(text)
    assert "k.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- {id: a, minimum: 2, markers: [abc]}", "minimum"),
        ("- {id: a, minimum: 1, markers: [ab]}", "3 bytes"),
        ("- {id: a, minimum: 1, markers: [{at: abc}]}", "'at' and 'regex'"),
        ("- {id: a, minimum: 1, markers: [5]}", "not a text"),
        ("- {id: a, minimum: 1, markers: [ab€]}", "above 127"),
        ("- {id: a, minimum: x, markers: [abc]}", "number"),
        ("- {id: a, in: libraries, minimum: 1, markers: [abc]}", "scripts"),
        ("- {id: a, minimum: 1, markers: [abc]}\n- {id: a, minimum: 1, markers: [abd]}", "twice"),
    ],
)
def test_a_mistake_in_a_rule_is_named(text: str, said: str) -> None:
    with pytest.raises(PolicyError, match=said):
        parse_rules("markers.yaml", f"schema: 1\nrules:\n{text}".encode())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- {what: x, globs: [a], depth: 0}", "at least 1"),
        ("- {what: x, glob: [a], depth: 1}", "unknown key"),
    ],
)
def test_a_mistake_in_a_sort_is_named(text: str, said: str) -> None:
    with pytest.raises(PolicyError, match=said):
        parse_path_sorts("k", f"schema: 1\nkind: k\nsorts:\n{text}".encode())


@pytest.mark.parametrize(
    ("name", "is_python"),
    [
        ("python3", True),
        ("python3.11", True),
        ("python3.13t", True),
        ("python3-config", False),
        ("python3.11-config", False),
    ],
)
def test_names_of_interpreters_are_not_those_of_their_helpers(name: str, is_python: bool) -> None:
    python = next(tool for tool in kind("interpreters").tools if tool.id == "python")
    assert NamePattern(python.names).matches(name) is is_python
