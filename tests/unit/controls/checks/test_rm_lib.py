"""RM-LIB: fails on libraries that nothing can load, and says nothing it can't know."""

from __future__ import annotations

from compliance.formats.examine import Examiner
from compliance.model.evidence import Variant
from compliance.model.filesystem import Unread
from compliance.model.inventory import Package
from compliance.model.outcome import Failed, NotApplicable, Outcome, Passed, Unknown
from controls.checks.rm_lib import CHECK
from controls.knowledge import marker_rules
from controls.loader import check_catalog
from tests.builders import elf as make
from tests.builders.evidence import Node, evidence, file, program

EXAMINER = Examiner(marker_rules())
Files = dict[str, Node | bytes | str]
APP: Files = {
    "bin/app": program(make.program(needed=("liba.so.1",))),
    "usr/lib/liba.so.1": file(make.library("liba.so.1")),
}
DEAD: Files = {**APP, "usr/lib/libdead.so.1": file(make.library("libdead.so.1"))}


def run(files: Files, **more: object) -> Outcome:
    return CHECK.run(evidence(files, examiner=EXAMINER, **more))  # type: ignore[arg-type]


def test_the_check_says_what_the_catalog_says() -> None:
    known = check_catalog()[CHECK.id]
    assert (CHECK.title, CHECK.severity, CHECK.rationale) == (known.title, known.severity, known.rationale)


def test_an_image_of_used_libraries_passes() -> None:
    outcome = run(APP)
    assert isinstance(outcome, Passed)
    assert "1 shared library held against the needs of 1 program: 1 used" in outcome.observations[0].summary


def test_a_library_that_nothing_names_fails_with_its_size_and_package() -> None:
    owner = Package(
        name="libdead1",
        version="1",
        type="deb",
        purl="pkg:deb/libdead1@1",
        found_by="dpkg",
        locations=(),
        files=("usr/lib/libdead.so.1",),
    )
    outcome = run(DEAD, packages=(owner,))
    assert isinstance(outcome, Failed)
    seen = outcome.observations[0]
    assert (seen.path, seen.verdict, seen.package) == ("usr/lib/libdead.so.1", "unused", "pkg:deb/libdead1@1")
    assert seen.size == len(make.library("libdead.so.1"))


def test_a_library_that_is_named_never_fails() -> None:
    outcome = run({**DEAD, "bin/other": program(make.program(b"\0libdead.so.1\0"))})
    assert isinstance(outcome, Passed)


def test_an_interpreter_that_loads_by_name_leaves_nothing_unused() -> None:
    outcome = run({**DEAD, "usr/bin/python3": program(make.program(needed=("libpython3.13.so.1.0",)))})
    assert isinstance(outcome, Passed)
    assert any("/usr/bin/python3 can load any by name" in seen.summary for seen in outcome.observations)
    assert all(seen.verdict in (None, "possibly-used") for seen in outcome.observations)


def test_perl_can_load_any_library_only_with_a_module_for_it() -> None:
    perl = program(make.program(needed=("libperl.so.5.36",)))
    assert isinstance(run({**DEAD, "usr/bin/perl": perl}), Failed)
    assert isinstance(run({**DEAD, "usr/bin/perl": perl, "usr/share/perl5/FFI/Platypus.pm": "1;"}), Passed)


def test_the_parts_of_the_c_library_come_as_a_whole() -> None:
    assert isinstance(run({**APP, "usr/lib/libmvec.so.1": file(make.library("libmvec.so.1"))}), Passed)


def test_a_file_that_was_not_read_leaves_the_answer_unknown() -> None:
    outcome = run(DEAD, unread=(Unread(path="opt/big", reason="larger than the bound"),))
    assert isinstance(outcome, Unknown)


def test_libraries_without_a_program_are_for_others() -> None:
    assert isinstance(run({"usr/lib/liba.so.1": file(make.library("liba.so.1"))}), NotApplicable)


def test_a_dev_image_carries_libraries_to_build_against() -> None:
    assert isinstance(run(DEAD, variant=Variant.DEV), NotApplicable)


def test_an_image_without_libraries_passes() -> None:
    outcome = run({"bin/app": program(make.static_program())})
    assert isinstance(outcome, Passed)
    assert "0 shared libraries" in outcome.observations[0].summary
