"""Lock files of JavaScript package managers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.errors import FormatError
from compliance.formats.npm_locks import read_bun_lock, read_package_lock, read_pnpm_lock, read_yarn_lock
from compliance.formats.stated_package import StatedPackage

Reader = Callable[[bytes, str], Iterable[StatedPackage]]
SHA512 = "sha512-" + "A" * 86 + "=="


def stated(read: Reader, content: str | object) -> dict[str, StatedPackage]:
    data = content if isinstance(content, str) else json.dumps(content)
    return {f"{package.name}@{package.version}": package for package in read(data.encode(), "")}


def test_package_lock_resolves_a_need_to_the_nearest_node_modules() -> None:
    packages = {
        "": {"name": "app", "version": "1.0.0", "dependencies": {"a": "*"}},
        "node_modules/a": {"version": "1.0.0", "dependencies": {"b": "*", "gone": "*"}, "license": "MIT"},
        "node_modules/a/node_modules/b": {"version": "2.0.0", "integrity": SHA512},
        "node_modules/b": {"version": "1.0.0"},
        "node_modules/@s/c": {"version": "3.0.0", "optionalDependencies": {"b": "*"}},
    }
    found = stated(read_package_lock, {"lockfileVersion": 3, "packages": packages})
    assert set(found) == {"app@1.0.0", "a@1.0.0", "b@2.0.0", "b@1.0.0", "@s/c@3.0.0"}
    assert found["a@1.0.0"].depends == ("b@2.0.0",)
    assert found["a@1.0.0"].licenses == ("MIT",)
    assert found["@s/c@3.0.0"].depends == ("b@1.0.0",)
    assert found["b@2.0.0"].digests == (("SHA-512", "00" * 64),)


def test_package_lock_leaves_out_what_is_for_development_linked_or_versionless() -> None:
    packages = {
        "node_modules/dev": {"version": "1.0.0", "dev": True},
        "node_modules/either": {"version": "1.0.0", "devOptional": True},
        "node_modules/w": {"resolved": "packages/w", "link": True},
        "packages/w": {"version": "4.0.0"},
        "packages/v": {"name": "@s/v"},
        "node_modules/tar": {"version": "file:x.tgz"},
        "node_modules/alias": {"name": "true-name", "version": "5.0.0"},
    }
    assert set(stated(read_package_lock, {"packages": packages})) == {"either@1.0.0", "w@4.0.0", "true-name@5.0.0"}


def test_package_lock_of_version_1_is_nested_and_may_hold_aliases_and_git() -> None:
    dependencies = {
        "a": {"version": "1.0.0", "dependencies": {"b": {"version": "2.0.0"}, "d": {"version": "1.0.0", "dev": True}}},
        "alias": {"version": "npm:@s/real@3.0.0"},
        "git": {"version": "git+ssh://git@example.org/x/y.git#c0ffee0123"},
        "short": {"version": "github:x/y#c0ffee0123"},
        "tar": {"version": "https://example.org/x.tgz"},
    }
    found = stated(read_package_lock, {"lockfileVersion": 1, "dependencies": dependencies})
    assert set(found) == {"a@1.0.0", "b@2.0.0", "@s/real@3.0.0", "git@c0ffee0123", "short@c0ffee0123"}
    assert found["git@c0ffee0123"].qualifiers == (("vcs_url", "git+ssh://git@example.org/x/y.git@c0ffee0123"),)


def test_yarn_1_follows_needs_and_aliases() -> None:
    content = (
        "# yarn lockfile v1\n\n"
        '"@s/a@^1.0.0", "@s/a@^1.1.0":\n  version "1.1.0"\n  dependencies:\n    b "^2.0.0"\n    gone "1"\n\n'
        'b@^2.0.0:\n  version "2.1.0"\n\n'
        '"x@npm:real@^1":\n  version "1.0.0"\n\n'
        'y@^1:\n  version "1.0.0"\n  resolved "https://example.org/@t%2fz/-/z-1.0.0.tgz#0"\n'
    )
    found = stated(read_yarn_lock, content)
    assert set(found) == {"@s/a@1.1.0", "b@2.1.0", "real@1.0.0", "@t/z@1.0.0"}
    assert found["@s/a@1.1.0"].depends == ("b@2.1.0",)


def test_yarn_berry_leaves_out_workspaces() -> None:
    content = (
        "__metadata:\n  version: 8\n\n"
        '"@s/a@npm:^1.0.0, @s/a@npm:^1.1.0":\n  version: 1.1.0\n  resolution: "@s/a@npm:1.1.0"\n'
        '  dependencies:\n    b: "npm:^2.0.0"\n  linkType: hard\n\n'
        '"b@npm:^2.0.0":\n  version: 2.1.0\n  resolution: "b@npm:2.1.0"\n  linkType: hard\n\n'
        '"app@workspace:.":\n  version: 0.0.0-use.local\n  resolution: "app@workspace:."\n  linkType: soft\n'
    )
    found = stated(read_yarn_lock, content)
    assert set(found) == {"@s/a@1.1.0", "b@2.1.0"}
    assert found["@s/a@1.1.0"].depends == ("b@2.1.0",)


@pytest.mark.parametrize(
    ("version", "a", "b", "need"),
    [
        ("5.4", "/@s/a/1.0.0_b@2.0.0", "/b/2.0.0", "2.0.0_x@1"),
        ("'6.0'", "/@s/a@1.0.0(b@2.0.0)", "/b@2.0.0", "2.0.0(x@1)"),
    ],
)
def test_pnpm_keys_of_each_version(version: str, a: str, b: str, need: str) -> None:
    content = (
        f"lockfileVersion: {version}\n\npackages:\n\n"
        f"  {a}:\n    resolution: {{integrity: {SHA512}}}\n    dependencies:\n      b: {need}\n    dev: false\n\n"
        f"  {b}:\n    resolution: {{integrity: x}}\n\n"
        f"  {b.replace('b', 'd', 1)}:\n    dev: true\n"
    )
    found = stated(read_pnpm_lock, content)
    assert set(found) == {"@s/a@1.0.0", "b@2.0.0"}
    assert found["@s/a@1.0.0"].depends == ("b@2.0.0",)
    assert [name for name, _ in found["@s/a@1.0.0"].digests] == ["SHA-512"]


def test_pnpm_9_keeps_dependencies_in_snapshots_and_versions_of_archives_in_the_entry() -> None:
    content = (
        "lockfileVersion: '9.0'\n\npackages:\n\n"
        "  a@1.0.0:\n    resolution: {integrity: x}\n\n"
        "  '@s/t@https://example.org/t.tgz':\n    resolution: {tarball: https://example.org/t.tgz}\n"
        "    version: 3.0.0\n\n"
        "snapshots:\n\n  a@1.0.0(p@1):\n    dependencies:\n      '@s/t': https://example.org/t.tgz\n      b: 2.0.0\n"
    )
    found = stated(read_pnpm_lock, content)
    assert set(found) == {"a@1.0.0", "@s/t@3.0.0"}
    assert "b@2.0.0" in found["a@1.0.0"].depends


def test_bun_lock_has_trailing_commas_and_leaves_out_workspaces() -> None:
    content = """{ // comment
      "packages": {
        "a": ["a@1.0.0", "", {"dependencies": {"b": "*", "c": "*"}}, "SHA512"],
        "a/b": ["b@2.0.0", "", {}, "x"],
        "b": ["b@1.0.0", "", {}, "x"],
        "c": ["real@3.0.0", "", {}, "x, ]"],
        "w": ["w@workspace:packages/w"],
      },
    }"""
    found = stated(read_bun_lock, content.replace("SHA512", SHA512))
    assert set(found) == {"a@1.0.0", "b@2.0.0", "b@1.0.0", "real@3.0.0"}
    assert found["a@1.0.0"].depends == ("b@2.0.0", "real@3.0.0")
    assert found["a@1.0.0"].digests


@pytest.mark.parametrize(
    ("read", "content"),
    [
        (read_package_lock, b"{"),
        (read_package_lock, b"[]"),
        (read_package_lock, b"[" * 100_000),
        (read_yarn_lock, b"  indented: 1"),
        (read_pnpm_lock, b"packages:\n  a@1.0.0:\n"),
        (read_bun_lock, b"[" * 100_000),
    ],
)
def test_damaged_lock_is_a_format_error(read: Reader, content: bytes) -> None:
    with pytest.raises(FormatError):
        list(read(content, ""))


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    for read, start in (
        (read_package_lock, b'{"packages": '),
        (read_yarn_lock, b'"a@^1":\n  version "1"\n'),
        (read_yarn_lock, b"__metadata:\n"),
        (read_pnpm_lock, b"lockfileVersion: 9\npackages:\n  a@1:\n"),
        (read_bun_lock, b'{"packages": '),
    ):
        try:
            list(read(start + content, ""))
        except FormatError:
            continue


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["", "node_modules/a", "a", "packages", "dependencies", "version", "name", "license"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_is_read_or_refused(value: object) -> None:
    for read in (read_package_lock, read_bun_lock):
        try:
            list(read(json.dumps({"packages": value, "dependencies": value}).encode(), ""))
        except FormatError:
            continue
