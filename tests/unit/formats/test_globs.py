"""Path globs."""

from __future__ import annotations

import pytest

from compliance.formats.globs import PathMatcher


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
        ("a/[!x]b", ("a/yb",), ("a/xb",)),
        ("a/[*]b", ("a/*b",), ("a/xb",)),
    ],
)
def test_glob_matches_whole_paths(glob: str, matching: tuple[str, ...], other: tuple[str, ...]) -> None:
    matcher = PathMatcher((glob, "never/seen"))
    assert [path for path in matching if not matcher.matches(path)] == []
    assert [path for path in other if matcher.matches(path)] == []


def test_newline_in_a_name_does_not_end_the_match() -> None:
    assert PathMatcher(("tmp/**",)).matches("tmp/a\nb")
