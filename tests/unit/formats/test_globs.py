"""Path globs."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compliance.formats.globs import PathMatcher, PathTable, translate


@pytest.mark.parametrize(
    ("glob", "matching", "other"),
    [
        ("etc/passwd", ("etc/passwd",), ("etc/passwd-", "x/etc/passwd")),
        ("**/METADATA", ("METADATA", "a/b/METADATA"), ("METADATA.txt", "a/METADATA/b")),
        ("**/*.jar", ("a.jar", "x/y.z.jar"), ("x/jar", "x/y.jar.old")),
        ("var/lib/dpkg/status.d/*", ("var/lib/dpkg/status.d/libc6",), ("var/lib/dpkg/status.d/a/b",)),
        ("usr/share/**", ("usr/share/a", "usr/share/a/b"), ("usr/sharex",)),
        ("{usr/,}lib/os-release", ("usr/lib/os-release", "lib/os-release"), ("etc/os-release",)),
        ("**/*.dist-info/{METADATA,RECORD}", ("x/a.dist-info/RECORD",), ("x/a.dist-info/WHEEL",)),
        ("lib/ld-?.so", ("lib/ld-2.so",), ("lib/ld-22.so", "lib/ld-/.so")),
        ("a/[!x]b", ("a/yb",), ("a/xb", "a//b")),
        ("a/[*]b", ("a/*b",), ("a/xb",)),
        ("{a/b.c,lib}/[!b]*", ("lib/a", "a/b.c/a"), ("b.c,lib}/a", "lib/b")),
        ("[!b]*{,/lib}", ("a/lib", "ax"), ("a/lib}", "b/lib")),
    ],
)
def test_glob_matches_whole_paths(glob: str, matching: tuple[str, ...], other: tuple[str, ...]) -> None:
    matcher = PathMatcher((glob, "never/seen"))
    assert [path for path in matching if not matcher.matches(path)] == []
    assert [path for path in other if matcher.matches(path)] == []


def test_newline_in_a_name_does_not_end_the_match() -> None:
    assert PathMatcher(("tmp/**",)).matches("tmp/a\nb")


_PARTS = st.sampled_from(
    ("a", "b.c", ".git", "lib", "x.jar", "libz.so.1", "METADATA", "test_a.py", "{", "}", ",", "a,b", "", "o.tar.gz",
     "[", "]")
)  # fmt: skip
_GLOB_PARTS = st.sampled_from(
    ("**", "*", "*.jar", "lib*", "libz.so*", ".git", "METADATA", "{a,b.c}", "{,x.}*", "test_*.{py,js}", "a", "[!b]*",
     "{", "?", "*{*,a}", "{**,a}", "{a,{b.c,lib}}", "*.{tar.gz,jar}", "x}{,a}", "{a/b.c,lib}", "[", "x]")
)  # fmt: skip


@settings(max_examples=1000)
@given(
    st.lists(st.lists(_GLOB_PARTS, min_size=1, max_size=4).map("/".join), min_size=1, max_size=5),
    st.lists(st.lists(_PARTS, min_size=1, max_size=5).map("/".join), min_size=1, max_size=4),
)
def test_the_table_answers_as_each_glob_alone(globs: list[str], paths: list[str]) -> None:
    table = PathTable((number, (glob,)) for number, glob in enumerate(globs))
    for path in paths:
        expected = [number for number, glob in enumerate(globs) if re.fullmatch(translate(glob), path, re.DOTALL)]
        assert list(table.owners(path)) == expected
