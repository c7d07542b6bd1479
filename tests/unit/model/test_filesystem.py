"""Look-ups in the merged tree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.model.filesystem import display_path
from tests.builders.evidence import directory, file, symlink, tree

TREE = tree(
    {
        "usr/bin/env": file("env", 0o755),
        "bin": symlink("usr/bin"),
        "sbin": symlink("/usr/bin"),
        "etc/alternatives/pager": symlink("../../bin/env"),
        "out": symlink("../../../../usr/bin/env"),
        "loop": symlink("loop"),
        "ring/a": symlink("b"),
        "ring/b": symlink("a"),
        "dangling": symlink("nowhere/at/all"),
        "usr/bin/twin": file(same_as="usr/bin/env"),
        "var": directory(),
    }
)


@pytest.mark.parametrize(
    "path", ["/bin/env", "bin/env", "/sbin/env", "/etc/alternatives/pager", "/out", "usr/../bin/./env"]
)
def test_links_are_followed_inside_the_root(path: str) -> None:
    found = TREE.resolve(path)
    assert found is not None
    assert found.path == "usr/bin/env"


@pytest.mark.parametrize("path", ["/loop", "/ring/a", "/dangling", "/nowhere", "/usr/bin/env/x"])
def test_what_leads_nowhere_is_none(path: str) -> None:
    assert TREE.resolve(path) is None


def test_a_path_or_link_that_nothing_can_follow_leads_nowhere() -> None:
    long = tree({"a": symlink("b/" * 80_000), "b": directory()})
    assert long.resolve("/a") is None
    assert long.resolve("/b/" + "x/" * 80_000) is None


def test_real_path_of_something_missing_is_where_it_would_be() -> None:
    assert TREE.real_path("/bin/new") == "usr/bin/new"
    assert TREE.real_path("/loop/x") is None


def test_one_inode_has_all_its_names() -> None:
    assert TREE.names(TREE.entries["usr/bin/twin"]) == ("usr/bin/env", "usr/bin/twin")
    assert TREE.names(TREE.entries["var"]) == ("var",)


def test_children_are_listed_in_order() -> None:
    assert [entry.name for entry in TREE.children("/usr/bin")] == ["env", "twin"]
    assert [entry.name for entry in TREE.children("")][:2] == ["bin", "dangling"]


@given(st.text(st.characters(), max_size=50))
def test_displayed_paths_are_printable_utf8_on_one_line(path: str) -> None:
    shown = display_path(path)
    assert shown.startswith("/")
    shown.encode("utf-8")
    assert not any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 for char in shown)


def test_undecodable_bytes_and_direction_overrides_are_shown_as_escapes() -> None:
    assert display_path(b"caf\xe9\n".decode("utf-8", "surrogateescape")) == "/caf\\xe9\\x0a"
    assert display_path("evil\u202etxt") == "/evil\\u202etxt"
