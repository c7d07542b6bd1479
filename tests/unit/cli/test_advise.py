"""``hullmark advise``: exit codes, formats, a Dockerfile beside the image, one clear line where it fails."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import elf as make
from tests.builders.evidence import Node, program
from tests.builders.layout import simple_image

STATIC: dict[str, Node | bytes | str] = {"srv/app": program(make.static_program())}


def advise(*arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "compliance.cli.main", "advise", "--no-cache", *map(str, arguments)],
        capture_output=True,
        timeout=120,
    )


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    return simple_image(tmp_path / "ready", (STATIC,), config={"Entrypoint": ["/srv/app"], "User": "65532:65532"})


@pytest.fixture
def scripted(tmp_path: Path) -> Path:
    files = {**STATIC, "run.sh": program('#!/bin/sh\nexec /srv/app "$@"\n')}
    return simple_image(tmp_path / "scripted", (files,), config={"Entrypoint": ["/run.sh"], "User": "1"})


def test_nothing_breaks_is_0(ready: Path) -> None:
    run = advise(f"oci-dir:{ready}", "-q", "-o", "json")
    assert (run.returncode, run.stderr) == (0, b"")
    assert json.loads(run.stdout)["summary"]["outcome"] == "nothing-breaks"


def test_something_that_breaks_is_10_and_every_format_is_written(scripted: Path, tmp_path: Path) -> None:
    names = ("table", "json", "markdown", "dockerfile")
    outputs = [word for name in names for word in ("-o", f"{name}={tmp_path / name}")]
    run = advise(f"oci-dir:{scripted}", *outputs)
    assert run.returncode == 10, run.stderr
    assert run.stdout == b""
    assert b"sha256:" in run.stderr, "the digest is always printed"
    assert b'ENTRYPOINT ["/srv/app"]' in (tmp_path / "dockerfile").read_bytes()
    assert all(b"shell-script" in (tmp_path / name).read_bytes() for name in ("table", "json", "markdown"))


def test_what_can_not_be_said_is_11(tmp_path: Path) -> None:
    image = simple_image(tmp_path / "image", (STATIC,), config={"User": "65532"})
    assert advise(f"oci-dir:{image}", "-q").returncode == 11


def test_a_target_and_a_dockerfile(scripted: Path, ready: Path, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text('FROM a\nRUN x\nCOPY run.sh /\nENTRYPOINT ["/run.sh"]\n')
    arguments = ("--to", f"oci-dir:{ready}", "--dockerfile", tmp_path / "Dockerfile", "-q", "-o", "json")
    run = advise(f"oci-dir:{scripted}", *arguments)
    assert run.returncode == 10, run.stderr
    shape = json.loads(run.stdout)
    assert shape["target"]["reference"] == f"oci-dir:{ready}"
    lines = {one["id"]: [place["dockerfileLine"] for place in one["places"]] for one in shape["advice"]}
    assert (lines["run-in-last-stage"], lines["shell-script"]) == ([2], [4, 3])
    assert shape["proposal"]["dockerfile"].splitlines()[1] == "FROM a AS application"


def test_two_runs_write_the_same_bytes(scripted: Path) -> None:
    first, second = (advise(f"oci-dir:{scripted}", "-q", "-o", "json").stdout for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("content", "code", "word"),
    [(b"RUN x\n", 1, b"dockerfile-invalid"), (b"FROM a\nRUN <<E\n", 1, b"line 2"), (b"FROM \xff\n", 1, b"not UTF-8")],
)
def test_a_damaged_dockerfile_is_one_line(ready: Path, tmp_path: Path, content: bytes, code: int, word: bytes) -> None:
    (tmp_path / "Dockerfile").write_bytes(content)
    run = advise(f"oci-dir:{ready}", "--dockerfile", tmp_path / "Dockerfile", "-q")
    assert (run.returncode, run.stdout, run.stderr.count(b"\n")) == (code, b"", 1)
    assert word in run.stderr


def test_usage_errors_are_2(ready: Path, tmp_path: Path) -> None:
    assert advise(f"oci-dir:{ready}", "--dockerfile", tmp_path / "none").returncode == 2
    assert advise(f"oci-dir:{ready}", "-o", "pdf").returncode == 2
    assert advise().returncode == 2
