"""One reading of a file: scripts, ELF files, names for dlopen, multi-call tables, packers, plain data."""

import hashlib
import io
import zipfile
from pathlib import Path

import pytest

from compliance.formats.examine import ANY_LIBRARY, DLOPEN_NAMES_MAX, SHEBANG_MAX, UNPACKED, Examiner
from compliance.formats.markers import Marker, MarkerRule
from compliance.formats.multicall import busybox_applets, toybox_commands
from compliance.model.filesystem import ElfFacts, FileFacts
from tests.builders import elf as make
from tests.builders import upx as packs

EXAMINER = Examiner(())
APPLETS = (b"[", b"[[", b"ash", b"awk", b"cat", b"ls", b"sh", b"vi", b"wget")


def elf(content: bytes) -> ElfFacts:
    facts = EXAMINER.examine(content)
    assert facts is not None
    assert facts.elf is not None
    return facts.elf


@pytest.mark.parametrize("content", [b"", b"#", b"\x7fEL", b"hello", b"PK\x03\x04", b"\0" * 100])
def test_plain_data_has_no_facts(content: bytes) -> None:
    assert EXAMINER.examine(content) is None


@pytest.mark.parametrize(
    ("content", "shebang"),
    [
        (b"#!/bin/sh\necho", "/bin/sh"),
        (b"#! /usr/bin/env python3\r\n", "/usr/bin/env python3"),
        (b"#!/bin/sh", "/bin/sh"),
        (b"#!\n", ""),
        (b"#!/x\xff\n", "/x\udcff"),
        (b"#!" + b"a" * 999, "a" * SHEBANG_MAX),
    ],
)
def test_the_first_line_of_a_script_is_kept(content: bytes, shebang: str) -> None:
    assert EXAMINER.examine(content) == FileFacts(shebang=shebang)


def test_a_script_that_ends_as_a_zip_archive_is_a_zip_application() -> None:
    facts = EXAMINER.examine(b"#!/usr/bin/env python3\nPK\x03\x04__main__.py" + b"PK\x05\x06" + bytes(18))
    assert facts == FileFacts(shebang="/usr/bin/env python3", zip_app=True)


def test_library_names_among_strings_are_kept_without_those_of_the_headers() -> None:
    content = make.program(
        b"\0libssl.so.3\0/opt/libplugin-x.so\0libc.so.6\0libfoo.so.1.2.3error\0", needed=("libc.so.6",)
    )
    assert elf(content).dlopen_names == ("libfoo.so.1.2.3", "libplugin-x.so", "libssl.so.3")


def test_too_many_library_names_stand_for_any_library() -> None:
    text = b"\0".join(b"libx%d.so.1" % number for number in range(DLOPEN_NAMES_MAX + 5))
    names = elf(make.program(text)).dlopen_names
    assert len(names) == DLOPEN_NAMES_MAX + 1
    assert names[-1] == ANY_LIBRARY


def test_the_applet_table_of_a_busybox_is_read() -> None:
    table = b"\0" + b"\0".join(APPLETS) + b"\0"
    facts = EXAMINER.examine(make.static_program(b"BusyBox v1.36.1\0: applet not found\0" + table + b"\1"))
    assert facts is not None
    assert facts.applets == tuple(sorted(name.decode() for name in APPLETS))


def test_without_busyboxs_own_words_no_table_is_looked_for() -> None:
    facts = EXAMINER.examine(make.static_program(b"\0" + b"\0".join(APPLETS) + b"\0\1"))
    assert facts is not None
    assert facts.applets == ()


def test_the_longest_ascending_run_is_the_applet_table() -> None:
    noise = b"\0".join((b"zz", b"aa", b"bb", b"yy", b"cc", b"dd", b"ee", b"ff", b"gg", b"hh"))
    assert busybox_applets(b"\0" + noise + b"\0\1\0" + b"\0".join(APPLETS) + b"\0") == tuple(
        name.decode() for name in sorted(APPLETS)
    )


def test_a_busybox_of_one_applet_has_no_table() -> None:
    assert busybox_applets(b"\0sh\0") == ()


def test_the_commands_of_a_toybox_are_those_of_its_help() -> None:
    text = b"(see toybox --help)\0usage: toybox [--long]\0usage: wget [OPTIONS]\0usage: cat [-u]\nusage: not this\0"
    facts = EXAMINER.examine(make.static_program(b"\0" + text))
    assert facts is not None
    assert facts.applets == ("cat", "wget")
    assert toybox_commands(b"") == ()


def test_upx_is_told_by_its_magic_behind_the_headers_only() -> None:
    packed = make.static_program(b"UPX!" + bytes(5000))
    mentions = make.static_program(bytes(5000) + b"UPX!" + bytes(5000))
    assert [getattr(EXAMINER.examine(one), "packer", "-") for one in (packed, mentions)] == ["UPX", None]


def test_code_that_is_all_noise_is_packed_by_something_unknown() -> None:
    noise = hashlib.shake_128(b"noise").digest(200_000)
    facts = EXAMINER.examine(make.static_program(noise))
    assert facts is not None
    assert facts.packer == "unknown"
    plain = EXAMINER.examine(make.static_program(b"The quick brown fox. " * 5000))
    assert plain is not None
    assert plain.packer is None


@pytest.mark.parametrize("path", ["/bin/dash", "/bin/bash", "/usr/bin/perl", "/usr/bin/python3"])
def test_a_real_program_is_not_packed(path: str) -> None:
    if not Path(path).exists():
        pytest.skip(f"no {path} here")
    facts = EXAMINER.examine(Path(path).read_bytes())
    assert facts is not None
    assert facts.packer is None


PIP = MarkerRule(id="pip", minimum=1, markers=(Marker(alternatives=(b"pip/_internal/cli/main.py",)),), scripts=True)
ASH = MarkerRule(id="ash", minimum=1, markers=(Marker(alternatives=(b"PS1=$ ",)),))
WITH_RULES = Examiner((PIP, ASH))


def zipped(*names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, b"PS1=$ ")
    return stream.getvalue()


def test_rules_for_scripts_are_for_scripts_and_others_for_elf_files() -> None:
    both = b"pip/_internal/cli/main.py PS1=$ "
    script, program = WITH_RULES.examine(b"#!/bin/sh\n" + both), WITH_RULES.examine(make.program(both))
    assert [facts.markers for facts in (script, program) if facts is not None] == [("pip",), ("ash",)]


def test_the_names_in_a_zip_archive_tell_an_application_and_its_contents_do_not() -> None:
    archive = zipped("pip/_internal/cli/main.py", "pip/__main__.py")
    assert WITH_RULES.examine(archive) == FileFacts(markers=("pip",), zip_app=True)
    assert WITH_RULES.examine(zipped("app/pip.py")) is None
    assert WITH_RULES.examine(archive[:-22]) is None
    assert WITH_RULES.examine(b"#!/usr/bin/python3\n" + archive) == FileFacts(
        shebang="/usr/bin/python3", markers=("pip",), zip_app=True
    )


def test_a_directory_that_claims_to_be_larger_than_the_archive_is_read_from_its_start() -> None:
    archive = bytearray(zipped("pip/_internal/cli/main.py"))
    archive[-10:-6] = b"\xff" * 4
    assert WITH_RULES.examine(bytes(archive)) == FileFacts(markers=("pip",), zip_app=True)


def test_a_program_packed_with_upx_is_read_as_the_program_inside() -> None:
    inside = make.program(b"\0PS1=$ \0" + b"text " * 1000, needed=("libc.so.6",))
    facts = WITH_RULES.examine(packs.pack(inside, 14, packs.lzma_block))
    assert facts is not None
    assert facts.elf is not None
    assert (facts.markers, facts.packer, facts.elf.needed) == (("ash",), UNPACKED, ("libc.so.6",))


def test_what_a_packed_program_shows_by_itself_counts_too() -> None:
    inside = make.program(b"text " * 1000, needed=("libc.so.6",))
    facts = WITH_RULES.examine(packs.pack(inside, 14, packs.lzma_block) + b"\0PS1=$ \0")
    assert facts is not None
    assert (facts.markers, facts.packer) == (("ash",), UNPACKED)


def test_a_program_packed_twice_stays_hidden() -> None:
    inside = make.program(b"text " * 1000, needed=("libc.so.6",))
    outer = packs.pack(inside, 14, packs.lzma_block)
    facts = WITH_RULES.examine(packs.pack(outer + bytes(5000), 14, packs.lzma_block))
    assert facts is not None
    assert facts.packer == "UPX"
