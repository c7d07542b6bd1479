"""Lock files of Python projects."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.errors import FormatError
from compliance.formats.python_locks import (
    read_pdm_lock,
    read_pipfile_lock,
    read_poetry_lock,
    read_pylock,
    read_requirements,
    read_uv_lock,
)
from compliance.formats.stated_package import StatedPackage

Reader = Callable[[bytes, str], Iterable[StatedPackage]]


def stated(read: Reader, content: str) -> dict[str, tuple[str, ...]]:
    return {f"{package.name}@{package.version}": package.depends for package in read(content.encode(), "")}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Foo_Bar==1.0", "foo-bar@1.0"),
        ("zope.interface===5.0 # why", "zope.interface@5.0"),
        ("a [x, y] == 1.0 ; python_version < '3.8'", "a@1.0"),
        ("a==1.0 \\\n    --hash=sha256:00", "a@1.0"),
        ("a==1.0 --hash=sha256:00", "a@1.0"),
        ("a==1!2.0+local.1", "a@1!2.0+local.1"),
        ("a==1.*", None),
        ("a>=1.0", None),
        ("a~=1.0", None),
        ("a", None),
        ("a @ https://example.org/a-1.0.tar.gz", None),
        ("# a==1.0", None),
        ("-e git+https://example.org/a.git@1.0#egg=a==1.0", None),
        ("==1.0", None),
    ],
)
def test_only_a_pinned_requirement_is_a_package(line: str, expected: str | None) -> None:
    assert list(stated(read_requirements, line)) == ([expected] if expected else [])


def test_pipfile_lock_states_what_is_not_for_development() -> None:
    lock = {"default": {"a": {"version": "==1.0"}, "g": {"git": "x"}}, "develop": {"b": {"version": "==2.0"}}}
    assert list(stated(read_pipfile_lock, json.dumps(lock))) == ["a@1.0"]


def test_poetry_lock_of_old_and_new() -> None:
    content = (
        '[[package]]\nname = "a"\nversion = "1.0"\ncategory = "main"\n\n'
        '[package.dependencies]\nC_d = ">=1"\n"e.f" = {version = "*", optional = true}\n\n'
        '[[package]]\nname = "b"\nversion = "1.0"\ncategory = "dev"\n\n'
        '[[package]]\nname = "c-d"\nversion = "2.0"\ngroups = ["main", "dev"]\nfiles = [\n'
        '    {file = "x[1].whl", hash = "sha256:0"},\n]\n\n'
        '[[package]]\nname = "d"\nversion = "1.0"\ngroups = ["dev"]\n\n[metadata]\nname = "no"\nversion = "9"\n'
    )
    assert stated(read_poetry_lock, content) == {"a@1.0": ("c-d", "e-f"), "c-d@2.0": ()}


def test_pdm_uv_and_pylock() -> None:
    pdm = '[[package]]\nname = "a"\nversion = "1.0"\ndependencies = [\n  "b[x]>=1; python_version > \'3\'",\n]\n'
    assert stated(read_pdm_lock, pdm) == {"a@1.0": ("b",)}
    uv = (
        'version = 1\n\n[[package]]\nname = "a"\nversion = "1.0"\nsource = { registry = "https://example.org" }\n'
        'dependencies = [\n  { name = "b", marker = "x" },\n  { name = "C" },\n]\n\n'
        '[package.metadata]\nrequires-dist = [{ name = "z" }]\n\n[[package]]\nname = "c"\nversion = "2"\n'
    )
    assert stated(read_uv_lock, uv) == {"a@1.0": ("b", "c"), "c@2": ()}
    pylock = (
        'lock-version = "1.0"\n[[packages]]\nname = "a"\nversion = "1.0"\n[[packages.dependencies]]\nname = "b"\n'
        '[[packages.wheels]]\nname = "a-1.0.whl"\n[[packages]]\nname = "folder"\n[packages.directory]\npath = "."\n'
    )
    assert stated(read_pylock, pylock)["a@1.0"] == ("b",)


@pytest.mark.parametrize("read", [read_poetry_lock, read_pdm_lock, read_uv_lock, read_pylock])
def test_file_without_any_table_is_a_format_error(read: Reader) -> None:
    with pytest.raises(FormatError):
        list(read(b"<html>", ""))


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    for read in (read_requirements, read_pipfile_lock, read_poetry_lock, read_pdm_lock, read_uv_lock, read_pylock):
        for start in (b"", b'[[package]]\nname = "a"\n', b'{"default": '):
            try:
                list(read(start + content, ""))
            except FormatError:
                continue
