"""RM-INTERP: which interpreter is the purpose of the image, and which is one too many."""

from __future__ import annotations

import pytest

from compliance.formats.examine import Examiner
from compliance.model.image import ImageConfig
from compliance.model.outcome import Failed, Outcome, Passed, Unknown
from controls.checks.rm_interp import CHECK
from controls.knowledge import marker_rules
from tests.builders import elf as make
from tests.builders.evidence import Node, evidence, program, symlink

EXAMINER = Examiner(marker_rules())
PYTHON = make.program(needed=("libpython3.13.so.1.0",))
RUBY = make.program(b"\0RUBYOPT\0RUBYLIB\0")
ASH = make.program(b"\0PPID=\0OPTIND=1\0PS1=$ \0PS4=+ \0Bad substitution\0Syntax error: \0")
Files = dict[str, Node | bytes | str]
BASE: Files = {
    "usr/local/bin/python3.13": program(PYTHON),
    "usr/local/bin/python3": symlink("python3.13"),
    "bin/sh": program(ASH),
    "lib64/ld-linux-x86-64.so.2": make.library("ld-linux-x86-64.so.2"),
    "app/main": program("#!/usr/bin/env python3\nprint()\n"),
    "usr/bin/env": program(make.program()),
}


def run(files: Files | None = None, **config: object) -> Outcome:
    return CHECK.run(evidence({**BASE, **(files or {})}, examiner=EXAMINER, config=ImageConfig(**config)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "config",
    [
        {"entrypoint": ("python3", "main.py")},
        {"cmd": ("python3",)},
        {"entrypoint": ("/app/main",)},
        {"entrypoint": ("/app/start.sh",), "cmd": ("python3", "app.py")},
        {"entrypoint": ("/app/exec.sh",)},
        {"cmd": ("/bin/sh", "-c", "exec python3 /app.py")},
        {"entrypoint": ("tini", "--", "python3")},
    ],
    ids=["entrypoint", "cmd", "script", "cmd behind a script", "exec line", "shell form", "wrapper"],
)
def test_the_interpreter_that_the_default_command_runs_on_is_reported_not_failed(config: dict[str, object]) -> None:
    scripts: Files = {
        "app/start.sh": program('#!/bin/sh\nexec "$@"\n'),
        "app/exec.sh": program("#!/bin/sh\nset -e\n  exec python3 -m app\n"),
    }
    outcome = run(scripts, **config)
    assert isinstance(outcome, Passed)
    assert any("is not counted" in seen.summary and "python" in seen.summary for seen in outcome.observations)


def test_another_interpreter_beside_it_fails() -> None:
    outcome = run({"usr/bin/ruby": program(RUBY)}, entrypoint=("python3",))
    assert isinstance(outcome, Failed)
    assert [seen.path for seen in outcome.observations if seen.verdict] == ["usr/bin/ruby"]


def test_another_copy_of_the_same_language_fails() -> None:
    outcome = run({"usr/bin/python3.11": program(PYTHON + b"other")}, entrypoint=("/usr/local/bin/python3",))
    assert isinstance(outcome, Failed)
    assert [seen.path for seen in outcome.observations if seen.verdict] == ["usr/bin/python3.11"]


def test_an_interpreter_that_the_command_does_not_run_on_fails() -> None:
    assert isinstance(run(entrypoint=("/usr/bin/env",)), Failed)


def test_a_label_that_names_the_interpreter_declares_it_and_is_called_unsigned() -> None:
    outcome = run(labels={"com.docker.dhi.name": "dhi/python"})
    assert isinstance(outcome, Passed)
    assert any("unsigned claim" in seen.summary for seen in outcome.observations)


def test_a_label_that_contains_the_word_does_not_declare_it() -> None:
    assert isinstance(run(labels={"org.opencontainers.image.title": "python-exporter"}), Failed)


def test_without_a_config_the_purpose_is_unknown() -> None:
    outcome = CHECK.run(evidence(BASE, examiner=EXAMINER, without_config=True))
    assert isinstance(outcome, Unknown)
    assert outcome.observations[0].path == "usr/local/bin/python3.13"


def test_programs_that_can_start_others_are_noted_not_counted() -> None:
    outcome = CHECK.run(evidence({"usr/bin/xargs": program(make.program())}, examiner=EXAMINER))
    assert isinstance(outcome, Passed)
    assert "noted, not counted" in outcome.observations[1].summary
