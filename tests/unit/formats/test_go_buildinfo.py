"""The Go linker's build info: inline and by pointer, replaced modules, and what only looks like it."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import pytest

from compliance.formats.elf import read_elf
from compliance.formats.go_buildinfo import MAGIC, read_go_buildinfo
from compliance.model.filesystem import GoBuildInfo
from tests.builders import elf as make

SENTINEL = b"s" * 16
TEXT = (
    "path\texample.org/app/cmd/app\n"
    "mod\texample.org/app\tv1.2.3\th1:aaa=\n"
    "dep\texample.org/one\tv1.0.0\th1:bbb=\n"
    "dep\texample.org/two\tv2.0.0\n"
    "=>\texample.org/fork\tv2.0.1\th1:ccc=\n"
    "dep\texample.org/three\tv3.0.0\n"
    "=>\t./three\t(devel)\n"
    "build\t-compiler=gc\n"
    'build\t-ldflags="-s -w"\n'
)


def inline(version: str, text: str) -> bytes:
    modules = SENTINEL + text.encode() + SENTINEL
    return (
        (MAGIC + bytes((0, 2))).ljust(32, b"\0")
        + bytes((len(version),))
        + version.encode()
        + bytes((len(modules) & 0x7F | 0x80, len(modules) >> 7))
        + modules
    )


def read(content: bytes) -> GoBuildInfo | None:
    offsets = [at for at in range(len(content)) if content.startswith(MAGIC, at)]
    return read_go_buildinfo(content, read_elf(content)[1], offsets)


def test_inline_build_info_is_read() -> None:
    found = read(make.static_program(inline("go1.23.4", TEXT)))
    assert found is not None
    assert (found.go_version, found.path) == ("go1.23.4", "example.org/app/cmd/app")
    assert found.main == ("example.org/app", "v1.2.3", "h1:aaa=")
    assert dict(found.settings) == {"-compiler": "gc", "-ldflags": "-s -w"}


def test_a_replaced_module_is_the_replacement_unless_that_is_a_folder() -> None:
    found = read(make.static_program(inline("go1.23.4", TEXT)))
    assert found is not None
    assert found.modules == (
        ("example.org/one", "v1.0.0", "h1:bbb="),
        ("example.org/fork", "v2.0.1", "h1:ccc="),
        ("example.org/three", "v3.0.0", ""),
    )


def test_build_info_by_pointer_is_read() -> None:
    modules = SENTINEL + TEXT.encode() + SENTINEL
    start = len(make.static_program()) + (-len(make.static_program()) % 16)
    version_at, modules_at = start + 64, start + 96
    header = (MAGIC + bytes((8, 0))) + struct.pack("<QQ", make.BASE + start + 32, make.BASE + start + 48)
    pointers = struct.pack("<QQQQ", make.BASE + version_at, 8, make.BASE + modules_at, len(modules))
    content = make.static_program(header + pointers + b"go1.16.1".ljust(32, b"\0") + modules)
    assert content.index(MAGIC) == start
    found = read(content)
    assert found is not None
    assert found.go_version == "go1.16.1"
    assert len(found.modules) == 3


def test_the_magic_alone_is_no_build_info() -> None:
    assert read(make.static_program(MAGIC + b"\x08\x02 is what the linker writes")) is None


def test_build_info_off_its_boundary_is_none() -> None:
    assert read(make.static_program(b"x" + inline("go1.23.4", TEXT))) is None


@pytest.mark.parametrize(
    ("fixture", "version", "modules"),
    [("gobin-1.26-replace", "go1.26.8", 4), ("trivy-test-elf", "go1.15.2", 3), ("scalibr-linux-arm64", "go1.22.0", 1)],
)
def test_real_programs_are_read(shared: Path, fixture: str, version: str, modules: int) -> None:
    path = shared / "fixtures/packages/go" / fixture / "rootfs/usr/local/bin/app.fixture.gz"
    found = read(gzip.decompress(path.read_bytes()))
    assert found is not None
    assert found.go_version == version
    assert len(found.modules) == modules
