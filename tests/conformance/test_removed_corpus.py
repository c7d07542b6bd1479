"""The small part of the corpus of removed_corpus.py: programs of this machine, hidden in every way but packing."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.conformance.removed_corpus import (
    CHECKS,
    Alarms,
    File,
    Result,
    Tools,
    Variant,
    alarms,
    corpus,
    is_found,
    render,
    result,
    variants,
)

SIZE_MAX = 4 * 2**20
CERTAIN = {"shells": 2, "os-package-managers": 10, "interpreters": 1}
"""Programs of a kind that every Debian machine has at the least."""
OTHERS = (
    "base-files", "base-passwd", "bsdutils", "coreutils", "debianutils", "diffutils", "e2fsprogs", "findutils",
    "grep", "gzip", "hostname", "init-system-helpers", "libc-bin", "libc6", "libstdc++6", "login", "lsb-base",
    "ncurses-bin", "passwd", "perl-modules-5.36", "sed", "sysvinit-utils", "tar", "zlib1g",
)  # fmt: skip
"""Packages of every Debian machine without a tool in them."""


@cache
def listed(package: str) -> frozenset[str]:
    """The paths in the list that dpkg keeps of an installed package."""
    for name in (f"{package}.list", f"{package}:amd64.list"):
        place = Path("/var/lib/dpkg/info", name)
        if place.exists():
            return frozenset(line.strip("/") for line in place.read_text("utf-8").splitlines())
    return frozenset()


@cache
def on_this_machine(kind: str) -> tuple[tuple[str, str, bytes], ...]:
    """(label, path, content) of the programs of the corpus that are installed here from their packages."""
    out = []
    for package, path in corpus().programs[kind]:
        real = Path("/", path)
        if path in listed(package) and real.is_file() and real.stat().st_size <= SIZE_MAX:
            out.append((f"{package} /{path}", path, real.read_bytes()))
    return tuple(out)


@pytest.mark.parametrize("kind", CHECKS)
def test_a_program_is_found_in_every_variant(kind: str, tmp_path: Path) -> None:
    programs = on_this_machine(kind)
    if not programs:
        pytest.skip(f"none of the {kind} is on this machine")
    if Path("/etc/debian_version").exists():
        assert len(programs) >= CERTAIN.get(kind, 0)
    found = result(kind, programs, Tools(objcopy=Tools.found(tmp_path).objcopy, upx=None, kept=tmp_path))
    assert found.misses == ()
    assert sum(found.found.values()) == sum(found.tried.values()) >= 6 * len(programs)


def files_of(package: str) -> Iterator[File]:
    for path in sorted(listed(package)):
        real = Path("/", path)
        if real.is_file() and not real.is_symlink():
            yield File.read(path, real.read_bytes(), real.stat().st_mode & 0o7777)


def test_other_programs_of_this_machine_are_not_taken_for_tools() -> None:
    if not Path("/var/lib/dpkg/status").exists():
        pytest.skip("no Debian machine")
    files = {file.path: file for package in OTHERS for file in files_of(package) if file.facts is not None}
    seen = alarms(files.values())
    assert seen.elf > 100
    assert seen.scripts > 10
    assert seen.false == ()


def test_a_program_that_only_runs_in_a_shell_is_no_shell() -> None:
    script = File.read(
        "usr/bin/backup", b"#!/bin/sh\n# GNU bash, version 5; BusyBox v1.36\nexec /bin/dash -c 'pip install x'\n"
    )
    assert alarms([script]).false == ()


def test_a_variant_that_is_not_named_is_a_miss(tmp_path: Path) -> None:
    tools = Tools(objcopy=None, upx=None, kept=tmp_path)
    plain = b"#!/usr/bin/awk -f\nBEGIN { print }\n"
    assert [variant.name for variant in variants("usr/bin/x", plain, tools)] == [
        "plain", "copied", "renamed", "not executable", "hard-linked", "symlinked",
    ]  # fmt: skip
    found = result("shells", [("x /usr/bin/x", "usr/bin/x", plain)], tools)
    assert dict(found.found) == {}
    assert found.misses[0] == "shells: x /usr/bin/x, plain"


def test_a_hard_link_counts_only_if_all_names_are_told() -> None:
    dash = Path("/bin/dash")
    if not dash.exists():
        pytest.skip("no dash on this machine")
    file = File.read("opt/a", dash.read_bytes())
    link = File(path="opt/b", target="opt/a", hard=True)
    assert is_found("shells", Variant(name="hard-linked", files=(file, link), at="opt/a"))
    missing = Variant(name="hard-linked", files=(file, link, File(path="opt/c", target="opt/a", hard=True)), at="opt/d")
    assert not is_found("shells", missing)


def test_the_table_lists_misses_and_alarms(tmp_path: Path) -> None:
    one = Result(kind="shells", programs=2, tried={"plain": 2}, found={"plain": 1}, misses=("shells: x, plain",))
    other = Alarms(elf=3, scripts=4, false=("shells: /bin/x present",), explained=())
    text = render([one], other, Tools(objcopy=None, upx=None, kept=tmp_path))
    assert text.startswith("| class  | programs | variants | found | recall |\n")
    assert "| shells |        2 |        2 |     1 | 50.0 % |" in text
    assert "- no UPX: nothing packed" in text
    assert "missed: 1\n- shells: x, plain" in text
    assert "other files: 3 ELF files, 4 scripts\nfalse alarms: 1\n- shells: /bin/x present" in text


def test_every_program_of_the_corpus_is_listed_once_and_every_kind_has_some() -> None:
    assert set(corpus().programs) == set(CHECKS)
    for programs in corpus().programs.values():
        assert len(set(programs)) == len(programs) >= 20
    packages = {package for programs in corpus().programs.values() for package, _ in programs}
    assert not packages & set(corpus().others)
