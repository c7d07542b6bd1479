"""RM-SHELL on the real shells of this machine, under names that hide them."""

from __future__ import annotations

from pathlib import Path

import pytest

from compliance.formats.examine import Examiner
from compliance.model.filesystem import GoBuildInfo
from compliance.model.outcome import Failed, Passed, Unknown
from controls.checks.rm_shell import CHECK
from controls.embedded import embedded_interpreters
from controls.knowledge import marker_rules
from tests.builders import elf as make
from tests.builders.evidence import Node, evidence, file, program, symlink
from tests.unit.formats.test_go_buildinfo import inline

EXAMINER = Examiner(marker_rules())
OTHER = make.program(b"an application")
SHELLS = ("/bin/dash", "/bin/bash", "/bin/busybox", "/bin/zsh", "/bin/mksh", "/bin/ksh93", "/usr/bin/fish")


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> bytes:
    path = Path(request.param)
    if not path.exists():
        pytest.skip(f"no {path} on this machine")
    return path.read_bytes()


@pytest.mark.parametrize(
    ("path", "make_node", "verdict"),
    [
        ("opt/app/worker", program, "present"),
        ("usr/share/zoneinfo/UTC", program, "present"),
        ("srv/data.bin", file, "dormant"),
    ],
    ids=["renamed", "among data", "without execute permission"],
)
def test_a_real_shell_is_found_under_any_name(shell: bytes, path: str, make_node: object, verdict: str) -> None:
    assert callable(make_node)
    outcome = CHECK.run(evidence({path: make_node(shell)}, examiner=EXAMINER))
    assert isinstance(outcome, Failed)
    assert (outcome.observations[0].path, outcome.observations[0].verdict) == (path, verdict)


def test_hard_and_symbolic_links_to_a_real_shell_are_one_finding(shell: bytes) -> None:
    files: dict[str, Node | bytes | str] = {
        "opt/app/worker": program(shell),
        "opt/app/again": Node(same_as="opt/app/worker"),
        "bin/sh": symlink("/opt/app/worker"),
    }
    outcome = CHECK.run(evidence(files, examiner=EXAMINER))
    assert isinstance(outcome, Failed)
    found = [seen for seen in outcome.observations if seen.verdict]
    assert len(found) == 1
    assert {found[0].path, *found[0].names} == {"opt/app/worker", "opt/app/again", "bin/sh"}


def test_a_real_shell_with_its_section_headers_cut_off_is_found(shell: bytes) -> None:
    outcome = CHECK.run(evidence({"x": program(shell[: int(len(shell) * 0.98)])}, examiner=EXAMINER))
    assert isinstance(outcome, Failed)
    assert outcome.observations[0].verdict == "present"


def test_an_empty_file_named_sh_is_no_shell() -> None:
    outcome = CHECK.run(evidence({"bin/sh": program(b""), "bin/app": program(OTHER)}, examiner=EXAMINER))
    assert isinstance(outcome, Passed)


def test_a_stub_named_sh_is_unknown() -> None:
    outcome = CHECK.run(evidence({"bin/sh": program(b"#!/bin/false\n")}, examiner=EXAMINER))
    assert isinstance(outcome, Unknown)
    assert outcome.observations[0].verdict == "possible"


def test_a_link_named_sh_that_leads_nowhere_is_no_shell() -> None:
    files: dict[str, Node | bytes | str] = {"bin/sh": symlink("/bin/busybox"), "bin/app": program(OTHER)}
    assert isinstance(CHECK.run(evidence(files, examiner=EXAMINER)), Passed)


def test_a_shell_as_go_main_program_fails_and_as_a_module_is_noted() -> None:
    main = "path\tmvdan.cc/sh/v3/cmd/gosh\nmod\tmvdan.cc/sh/v3\tv3.8.0\n"
    part = "path\texample.org/app\ndep\tmvdan.cc/sh/v3\tv3.8.0\n"
    shell, app = (make.static_program(inline("go1.23.4", text)) for text in (main, part))
    outcome = CHECK.run(evidence({"x": program(shell)}, examiner=EXAMINER))
    assert isinstance(outcome, Failed)
    assert outcome.observations[0].method == "Go build info: mvdan.cc/sh/v3/cmd/gosh"
    noted = CHECK.run(evidence({"x": program(app)}, examiner=EXAMINER))
    assert isinstance(noted, Passed)
    assert "a POSIX shell compiled in (mvdan.cc/sh/v3 v3.8.0)" in noted.observations[1].summary


def test_a_go_program_without_such_modules_has_no_note() -> None:
    content = make.static_program(inline("go1.23.4", "path\texample.org/app\ndep\tgithub.com/google/uuid\tv1.6.0\n"))
    seen = evidence({"x": program(content)}, examiner=EXAMINER)
    facts = seen.filesystem.entries["x"].facts
    assert facts is not None
    assert facts.elf is not None
    assert isinstance(facts.elf.go, GoBuildInfo)
    assert embedded_interpreters(seen) == ()
