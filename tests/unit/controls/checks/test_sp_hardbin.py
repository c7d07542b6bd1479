"""SP-HARDBIN: what decides, what is only counted, and what can't be told."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from compliance.model.filesystem import FileAttributes, FileEntry, FileKind, FileReading, FileTree, Unread
from compliance.model.inventory import Inventory, Package
from compliance.model.outcome import Failed, NotApplicable, Passed, Unknown
from controls.checks.sp_hardbin import CHECK
from tests.builders import elf as make
from tests.builders.evidence import directory, evidence, file, program
from tests.builders.examiner import examiner

HARDENED = ("-O2", "-fPIE", "-pie", "-fstack-protector-all", "-D_FORTIFY_SOURCE=2", "-Wl,-z,relro,-z,now")
SOURCE = '#include <stdio.h>\nint main(int c, char **v) { char a[32]; sprintf(a, "%d", c); return printf("%s", a); }\n'


Compiler = Callable[..., bytes]


@pytest.fixture(scope="module")
def compiler(tmp_path_factory: pytest.TempPathFactory) -> Compiler:
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc")
    folder = tmp_path_factory.mktemp("programs")
    (folder / "program.c").write_text(SOURCE)

    @cache
    def compiled(*options: str) -> bytes:
        command = ["gcc", "-w", *HARDENED, *options, "-o", "program", "program.c"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return (folder / "program").read_bytes()

    return compiled


def summaries(outcome: object) -> list[str]:
    assert isinstance(outcome, Passed | Failed | Unknown)
    return [observation.summary for observation in outcome.observations]


def test_a_program_with_every_protection_passes_with_its_figures(compiler: Compiler) -> None:
    outcome = CHECK.run(evidence({"app/x": program(compiler())}, examiner=examiner()))
    assert isinstance(outcome, Passed)
    assert summaries(outcome) == [
        "1 program or library: PIE 100 % of 1, RELRO 100 % of 1, BIND_NOW 100 % of 1, NX stack 100 % of 1, "
        "stack protector 100 % of 1, FORTIFY 100 % of 1."
    ]


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        (("-no-pie",), "no PIE"),
        (("-Wl,-z,norelro",), "no RELRO"),
        (("-Wl,-z,execstack",), "executable stack"),
        (("-no-pie", "-Wl,-z,norelro"), "no PIE, no RELRO"),
        (("-static", "-no-pie"), "no PIE"),
    ],
    ids=str,
)
def test_what_the_headers_prove_to_be_missing_fails_with_path_layer_and_package(
    compiler: Compiler, options: tuple[str, ...], missing: str
) -> None:
    package = Package(
        type="deb", name="x", version="1", purl="pkg:deb/debian/x@1", found_by="dpkg", locations=(), files=("app/x",)
    )
    given = evidence({"app/x": program(compiler(*options), layer=1)}, examiner=examiner(), packages=(package,))
    outcome = CHECK.run(given)
    assert isinstance(outcome, Failed)
    first = outcome.observations[0]
    assert (first.path, first.layer, first.package, first.value) == ("app/x", 1, package.purl, missing)
    assert first.summary == f"The program /app/x is built without protection: {missing}."


@pytest.mark.parametrize(
    ("options", "share"),
    [
        (("-Wl,-z,lazy",), "BIND_NOW 0 % of 1"),
        (("-fno-stack-protector",), "stack protector 0 % of 1"),
        (("-U_FORTIFY_SOURCE",), "FORTIFY 0 % of 1"),
    ],
    ids=str,
)
def test_what_only_symbols_or_binding_tell_is_counted_and_fails_nothing(
    compiler: Compiler, options: tuple[str, ...], share: str
) -> None:
    outcome = CHECK.run(evidence({"app/x": program(compiler(*options))}, examiner=examiner()))
    assert isinstance(outcome, Passed)
    assert share in outcome.observations[0].summary
    assert summaries(outcome)[1].startswith("Files of no package: 1 program or library: ")


def test_a_library_needs_no_position_independence_of_programs(compiler: Compiler) -> None:
    outcome = CHECK.run(evidence({"usr/lib/libx.so": file(compiler("-shared", "-fPIC"))}, examiner=examiner()))
    assert isinstance(outcome, Passed)
    assert "PIE" not in outcome.observations[0].summary


@pytest.mark.skipif(shutil.which("go") is None, reason="needs Go")
def test_a_program_made_by_go_is_not_failed_for_what_go_does_otherwise(tmp_path: Path) -> None:
    (tmp_path / "main.go").write_text("package main\nfunc main() { println(1) }\n")
    settings = {"HOME": str(tmp_path), "GO111MODULE": "off", "CGO_ENABLED": "0"}
    path = f"{Path(str(shutil.which('go'))).parent}:/usr/bin:/bin"
    done = subprocess.run(
        ["go", "build", "-o", "x", "main.go"], cwd=tmp_path, env={"PATH": path, **settings}, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    outcome = CHECK.run(evidence({"app/x": program((tmp_path / "x").read_bytes())}, examiner=examiner()))
    assert isinstance(outcome, Passed)
    assert summaries(outcome) == ["1 program or library: NX stack 100 % of 1. Among them 1 file made by Go."]


def test_an_image_without_programs_is_not_asked() -> None:
    nodes = {"etc/x": file("text"), "usr/lib/x.o": file(make.build(make.Elf(file_type=make.RELOCATABLE, entry=0)))}
    assert isinstance(CHECK.run(evidence(nodes, examiner=examiner())), NotApplicable)


def test_no_program_in_a_tree_that_was_not_wholly_read_is_unknown() -> None:
    unread = (Unread(path="x", reason="cut short", layer=0),)
    assert isinstance(CHECK.run(evidence({}, examiner=examiner(), unread=unread)), Unknown)


def test_damaged_packed_and_strange_files_are_unknown(compiler: Compiler) -> None:
    good = compiler()
    packed = good.replace(b"\0" * 16, b"\0" * 12 + b"UPX!", 1)
    strange = bytearray(make.program(needed=("libc.so.6",), machine=9999))
    for content, reason in (
        (good[:70], "program headers point outside the file"),
        (packed, "it is packed (UPX)"),
    ):
        outcome = CHECK.run(evidence({"app/ok": program(good), "app/x": program(content)}, examiner=examiner()))
        assert isinstance(outcome, Unknown), reason
        assert outcome.reason.startswith("/app/x: ")
        assert reason in outcome.reason
    outcome = CHECK.run(evidence({"app/x": program(bytes(strange))}, examiner=examiner()))
    assert isinstance(outcome, Failed)  # no RELRO either: a proved gap outweighs what is not known


def test_detached_debug_symbols_are_no_programs() -> None:
    nodes = {"usr/lib/debug/.build-id/aa/bb.debug": file(make.static_program())}
    assert isinstance(CHECK.run(evidence(nodes, examiner=examiner())), NotApplicable)


def test_loose_run_paths_are_told_and_left_to_the_check_that_decides_on_them(compiler: Compiler) -> None:
    nodes = {
        "app/a": program(compiler("-Wl,-rpath,plugins")),
        "app/b": program(compiler("-Wl,-rpath,/srv/lib")),
        "app/c": program(compiler("-Wl,-rpath,$ORIGIN/lib")),
        "srv/lib": directory(0o1777),
    }
    outcome = CHECK.run(evidence(nodes, examiner=examiner()))
    assert isinstance(outcome, Passed)
    assert summaries(outcome)[-1].startswith("2 files with a run path that is relative, empty or ")


def test_shares_are_given_by_package_and_leave_out_what_has_everything(compiler: Compiler) -> None:
    nodes = {
        "usr/bin/a": program(compiler()),
        "usr/bin/b": program(compiler("-Wl,-z,lazy")),
        "usr/bin/c": program(compiler()),
    }
    owners = {
        "usr/bin/a": "pkg:deb/debian/whole@1",
        "usr/bin/b": "pkg:deb/debian/part@1",
        "usr/bin/c": "pkg:deb/debian/part@1",
    }
    outcome = CHECK.run(evidence(nodes, examiner=examiner(), inventory=Inventory(packages=(), owners=owners)))
    assert isinstance(outcome, Passed)
    assert [(o.package, "BIND_NOW 50 % of 2" in o.summary) for o in outcome.observations[1:]] == [
        ("pkg:deb/debian/part@1", True)
    ]


def test_thousands_of_weak_programs_are_told_as_hundreds() -> None:
    weak = make.static_program()
    facts = examiner().examine(weak)
    owned, read = FileAttributes(0o755, 0, 0, 0), FileReading(facts=facts)
    entries = {
        f"app/{number:05}": FileEntry(f"app/{number:05}", FileKind.REGULAR, 9, number + 1, owned, read)
        for number in range(1200)
    }
    outcome = CHECK.run(evidence(FileTree(entries)))
    assert isinstance(outcome, Failed)
    assert sum(observation.path is not None for observation in outcome.observations) == 500
    assert any(line == "700 more programs and libraries like these." for line in summaries(outcome))
