"""What is read from ELF headers, for both widths and byte orders, and from damaged ones."""

import struct
from pathlib import Path

import pytest

from compliance.formats.elf import LIST_MAX, is_elf, read_elf
from compliance.model.filesystem import ElfFacts
from tests.builders import elf as make


def facts(content: bytes) -> ElfFacts:
    return read_elf(content)[0]


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("order", ["<", ">"])
def test_headers_of_every_width_and_byte_order_are_read(bits: int, order: str) -> None:
    content = make.build(
        make.Elf(
            bits=bits,
            order=order,
            machine=make.S390X,
            interpreter="/lib/ld.so.1",
            needed=("libc.so.6", "libz.so.1"),
            soname="libx.so.2",
            rpath="/opt/a:/opt/b",
            runpath="$ORIGIN/../lib",
            build_id=bytes(range(20)),
            package_note='{"type":"deb"}',
            sections={b".dep-v0": b"zlib", b".text": b"code"},
        )
    )
    found = facts(content)
    assert found == ElfFacts(
        file_type="shared",
        machine=make.S390X,
        bits=bits,
        runnable=True,
        interpreter="/lib/ld.so.1",
        soname="libx.so.2",
        needed=("libc.so.6", "libz.so.1"),
        rpath=("/opt/a", "/opt/b"),
        runpath=("$ORIGIN/../lib",),
        build_id=bytes(range(20)).hex(),
        package_note='{"type":"deb"}',
        rust_audit=b"zlib",
        sections_stripped=False,
        problem=None,
    )


@pytest.mark.parametrize(
    ("content", "runnable"),
    [
        (make.program(needed=("libc.so.6",)), True),
        (make.static_program(), True),
        (make.build(make.Elf(needed=("libc.so.6",), flags_1=make.DF_1_PIE)), True),
        (make.library("libz.so.1"), False),
        (make.build(make.Elf(needed=("libc.so.6",), entry=0x1000)), False),
        (make.build(make.Elf(file_type=make.RELOCATABLE, entry=0)), False),
    ],
    ids=["pie", "static", "static-pie", "library", "module-with-entry", "object"],
)
def test_a_program_is_told_from_a_library(content: bytes, runnable: bool) -> None:
    assert facts(content).runnable is runnable


def test_stripped_section_headers_are_told_and_lose_only_what_sections_hold() -> None:
    found = facts(make.program(needed=("libc.so.6",)))
    assert found.sections_stripped
    assert found.needed == ("libc.so.6",)
    assert found.rust_audit is None


def test_needed_names_are_decoded_as_paths_are() -> None:
    content = make.program(needed=("libx.so",)).replace(b"libx.so", b"lib\xff.so")
    assert facts(content).needed == ("lib\udcff.so",)


def test_a_short_file_is_damaged() -> None:
    found = facts(b"\x7fELF\x02\x01\x01")
    assert found.problem is not None
    assert not found.runnable


def test_an_unknown_class_is_damaged() -> None:
    assert facts(b"\x7fELF\x07\x01" + bytes(100)).problem is not None


def test_program_headers_past_the_end_are_damaged() -> None:
    content = bytearray(make.program())
    struct.pack_into("<Q", content, 32, 2**62)
    assert "outside" in (facts(bytes(content)).problem or "")


def test_a_segment_past_the_end_is_told_and_the_rest_read() -> None:
    content = make.program(needed=("libc.so.6",), text=b"x" * 100)
    found = facts(content[:-50])
    assert found.needed == ("libc.so.6",)
    assert facts(content).problem is None


def test_a_string_outside_its_table_is_told() -> None:
    content = make.program(needed=("libc.so.6",))
    entry = struct.pack("<qQ", 1, 1)
    damaged = content.replace(entry, struct.pack("<qQ", 1, 10**6), 1)
    found = facts(damaged)
    assert found.needed == ()
    assert "string" in (found.problem or "")


def test_more_names_than_the_bound_are_told() -> None:
    content = make.program(needed=tuple(f"l{number}.so" for number in range(LIST_MAX + 1)))
    found = facts(content)
    assert len(found.needed) == LIST_MAX
    assert found.problem is not None


def test_plain_data_is_no_elf_file() -> None:
    assert not is_elf(b"#!/bin/sh\n")
    assert is_elf(make.program())


@pytest.mark.parametrize("path", ["/bin/dash", "/bin/bash", "/usr/bin/env"])
def test_a_real_program_is_read(path: str) -> None:
    real = Path(path)
    if not real.exists() or not is_elf(real.read_bytes()):
        pytest.skip(f"{path} is no ELF file here")
    found = facts(real.read_bytes())
    assert found.problem is None
    assert found.runnable
    assert any(name.startswith("libc.") for name in found.needed) or not found.interpreter
