"""Memory protections of ELF files: hand-made headers, programs that gcc and Go build, and readelf on this machine's."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.formats.elf import is_elf, read_elf, read_protections
from compliance.formats.examine import Examiner, PackageExaminer
from compliance.model.filesystem import ElfProtections
from tests.builders import elf as make

X86 = 62
FILES_MAX = 400
SIZE_MAX = 8 * 2**20


def protections(content: bytes) -> ElfProtections | None:
    facts, layout = read_elf(content)
    return read_protections(content, layout, facts)


def known(content: bytes) -> ElfProtections:
    found = protections(content)
    assert found is not None
    return found


# ---- readelf as the second opinion


def readelf(path: Path) -> str:
    options = ("--wide", "--file-header", "--program-headers", "--dynamic", "--dyn-syms", "--notes")
    return subprocess.run(["readelf", *options, str(path)], capture_output=True, text=True, errors="replace").stdout


def second_opinion(text: str) -> dict[str, object]:
    """The same questions answered from readelf's text, as checksec.sh puts them."""
    symbols = [line.split() for line in text.splitlines() if re.match(r"\s+\d+: [0-9a-f]{8,16} ", line)]
    imported = {words[7].split("@")[0] for words in symbols if len(words) > 7 and words[6] == "UND"}
    dynamic = "NEEDED" in text
    stack = re.search(r"GNU_STACK\s+(?:0x\w+\s+){5}([RWE ]{3})", text)
    loads = re.findall(r"^\s+LOAD\s+(?:0x\w+\s+){5}([RWE ]{3})", text, re.MULTILINE)
    now = bool(re.search(r"\(BIND_NOW\)|\(FLAGS\).*BIND_NOW|\(FLAGS_1\).*\bNOW\b", text))
    interpreter = "Requesting program interpreter" in text
    entry = re.search(r"Entry point address:\s+0x(\w+)", text)
    always = {"printf", "fprintf", "vprintf", "vfprintf", "dprintf", "syslog", "vsyslog"}
    checked = any(re.fullmatch(r"__\w+_chk", name) for name in imported)
    return {
        "pie": bool(re.search(r"Type:\s+DYN", text))
        and (interpreter or bool(re.search(r"\(FLAGS_1\).*\bPIE\b", text)))
        and entry is not None
        and int(entry[1], 16) != 0,
        "relro": "none" if "GNU_RELRO" not in text else "full" if now else "partial",
        "executable_stack": True if stack is None else "E" in stack[1],
        "writable_code": any("W" in flags and "E" in flags for flags in loads),
        "text_relocations": bool(re.search(r"\(TEXTREL\)|\(FLAGS\).*TEXTREL", text)),
        "stack_protector": "__stack_chk_fail" in imported if dynamic else None,
        "fortified": (True if checked else False if imported & always else None) if dynamic else None,
    }


def machine_files() -> Iterator[Path]:
    """ELF programs and libraries of this machine, evenly taken from its folders."""
    for folder, number in (("/usr/bin", FILES_MAX), ("/usr/sbin", 60), ("/usr/lib/x86_64-linux-gnu", FILES_MAX)):
        paths = [path for path in sorted(Path(folder).glob("*")) if path.is_file() and not path.is_symlink()]
        found = []
        for path in paths:
            with path.open("rb") as stream:
                if is_elf(stream.read(4)) and path.stat().st_size <= SIZE_MAX:
                    found.append(path)
        yield from found[:: max(1, len(found) // number)]


@pytest.mark.skipif(shutil.which("readelf") is None, reason="needs binutils")
def test_the_programs_and_libraries_of_this_machine_are_as_readelf_shows_them() -> None:
    compared = 0
    differing = []
    for path in machine_files():
        text = readelf(path)
        if not re.search(r"Type:\s+(?:DYN|EXEC)", text) or not re.search(r"Machine:.*X86-64", text):
            continue
        found = protections(path.read_bytes())
        assert found is not None, path
        said = second_opinion(text)
        ours = {name: getattr(found, name) for name in said}
        compared += 1
        if ours != said:
            differing.append((str(path), {name: (ours[name], said[name]) for name in said if ours[name] != said[name]}))
    assert not differing
    assert compared > 100


# ---- programs that a compiler makes as it is told


PROGRAM = r"""
#include <stdio.h>
#include <string.h>
#ifdef ADDRESS_IN_CODE
__asm__(".text\n.quad main\n");
#endif
int main(int argc, char **argv) {
    char line[64];
    strcpy(line, argv[argc - 1]);
    printf("%s %d\n", line, argc);
    return 0;
}
"""
HARDENED = (
    "-O2",
    "-fPIE",
    "-pie",
    "-fstack-protector-all",
    "-U_FORTIFY_SOURCE",
    "-D_FORTIFY_SOURCE=2",
    "-Wl,-z,relro,-z,now",
)
needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")


def compiled(folder: Path, *options: str) -> bytes:
    source, program = folder / "program.c", folder / "program"
    source.write_text(PROGRAM)
    done = subprocess.run(["gcc", "-w", *options, "-o", str(program), str(source)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return program.read_bytes()


@needs_gcc
def test_a_program_built_with_every_protection_has_them_all(tmp_path: Path) -> None:
    assert known(compiled(tmp_path, *HARDENED)) == ElfProtections(
        pie=True,
        relro="full",
        executable_stack=False,
        writable_code=False,
        text_relocations=False,
        stack_protector=True,
        fortified=True,
    )


@needs_gcc
@pytest.mark.parametrize(
    ("options", "field", "value"),
    [
        (("-no-pie",), "pie", False),
        (("-Wl,-z,lazy",), "relro", "partial"),
        (("-Wl,-z,norelro",), "relro", "none"),
        (("-Wl,-z,execstack",), "executable_stack", True),
        (("-DADDRESS_IN_CODE", "-Wl,-z,notext"), "text_relocations", True),
        (("-fno-stack-protector",), "stack_protector", False),
        (("-U_FORTIFY_SOURCE",), "fortified", False),
        (("-static", "-no-pie"), "stack_protector", None),
        (("-static", "-no-pie"), "fortified", None),
        (("-static-pie",), "pie", True),
        (("-static-pie",), "stack_protector", None),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_what_the_compiler_was_told_to_leave_out_is_missing(
    tmp_path: Path, options: tuple[str, ...], field: str, value: object
) -> None:
    hardened = [option for option in HARDENED if "static" not in " ".join(options) or option not in ("-pie", "-fPIE")]
    if options == ("-U_FORTIFY_SOURCE",):
        hardened = [option for option in hardened if "FORTIFY" not in option]
    assert getattr(known(compiled(tmp_path, *hardened, *options)), field) == value


@pytest.mark.skipif(shutil.which("go") is None, reason="needs Go")
def test_a_program_that_go_built_is_known_as_such(tmp_path: Path) -> None:
    (tmp_path / "main.go").write_text("package main\nfunc main() { println(1) }\n")
    environment = {
        "PATH": f"{Path(str(shutil.which('go'))).parent}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "GO111MODULE": "off",
    }
    done = subprocess.run(
        ["go", "build", "-ldflags=-s -w", "-o", "program", "main.go"],
        cwd=tmp_path, env={**environment, "CGO_ENABLED": "0"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = known((tmp_path / "program").read_bytes())
    assert (found.made_by, found.pie, found.stack_protector, found.executable_stack) == ("go", False, None, False)


# ---- headers made by hand


@pytest.mark.parametrize(
    ("machine", "executable"), [(3, True), (X86, True), (40, True), (make.AARCH64, False), (243, False), (9999, None)]
)
def test_a_file_without_a_stack_header_has_the_stack_of_its_machine(machine: int, executable: bool | None) -> None:
    assert known(make.program(needed=("libc.so.6",), machine=machine)).executable_stack is executable


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_width_and_byte_order_is_read(bits: int, order: str) -> None:
    content = make.build(make.Elf(bits=bits, order=order, interpreter="/lib/ld.so.1", needed=("libc.so.6",), flags_1=1))
    found = known(content)
    assert (found.pie, found.relro, found.writable_code, found.text_relocations) == (True, "none", False, False)
    assert found.stack_protector is None  # no symbol table: nothing tells


def test_a_segment_that_is_writable_and_executable_is_told() -> None:
    content = bytearray(make.program(needed=("libc.so.6",)))
    assert not known(bytes(content)).writable_code
    content[64 + 4] = 7  # p_flags of the first program header: read, write, execute
    assert known(bytes(content)).writable_code


@pytest.mark.parametrize("name", ["libc.musl-x86_64.so.1", "libc.so"])
def test_a_c_library_without_checked_functions_tells_nothing_of_fortification(name: str) -> None:
    assert known(make.program(needed=(name,), loader=make.MUSL_LOADER)).fortified is None


def test_objects_and_damaged_files_have_none() -> None:
    assert protections(make.build(make.Elf(file_type=make.RELOCATABLE, entry=0))) is None
    assert protections(make.program()[:70]) is None
    assert protections(b"\x7fELF") is None


def test_an_inventory_does_not_look_for_them_and_an_examination_does() -> None:
    content = make.program(needed=("libc.so.6",))
    plain, whole = PackageExaminer().examine(content), Examiner(()).examine(content)
    assert plain is not None
    assert plain.elf is not None
    assert plain.elf.protections is None
    assert whole is not None
    assert whole.elf is not None
    assert whole.elf.protections == protections(content)


@given(data=st.data())
def test_a_damaged_program_never_breaks_the_reading(data: st.DataObject) -> None:
    content = bytearray(Path("/bin/true").read_bytes()[: data.draw(st.integers(0, 40_000))])
    for _ in range(data.draw(st.integers(0, 30))):
        if content:
            content[data.draw(st.integers(0, min(len(content) - 1, 4000)))] = data.draw(st.integers(0, 255))
    protections(bytes(content))
