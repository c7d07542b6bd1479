"""Processes are measured with all they start; a failure is no figure."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.benchmarks import measure, page

HOLD = "import time; held = bytearray(64 * 2**20); time.sleep(1); print(len(held))"
TWO = f"import subprocess, sys; run = [subprocess.Popen([sys.executable, '-c', {HOLD!r}]) for _ in '12']; "
TWO += "sys.exit(max(each.wait() for each in run))"


def command(code: str, answers: tuple[int, ...] = (0,)) -> measure.Command:
    return measure.Command(argv=(sys.executable, "-c", code), environment=dict(os.environ), answers=answers)


def test_cpu_and_memory_of_children_count(tmp_path: Path) -> None:
    burn = "sum(range(3_000_000)); print(1)"
    inner = f"import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', {burn!r}]).returncode)"
    taken = measure.run(command(inner), tmp_path / "out", tmp_path)
    assert taken.cpu > measure.run(command("print(1)"), tmp_path / "out", tmp_path).cpu
    assert taken.wall > 0


def test_the_memory_of_a_tree_is_that_of_all_its_processes(tmp_path: Path) -> None:
    assert measure.peak_of_tree(command(TWO), tmp_path / "out", tmp_path) > 128


@pytest.mark.parametrize(("code", "answers"), [("print(1); raise SystemExit(3)", (0, 10)), ("pass", (0,))])
def test_a_failure_or_no_output_ends_the_measurement(tmp_path: Path, code: str, answers: tuple[int, ...]) -> None:
    for take in (measure.run, measure.peak_of_tree):
        with pytest.raises(SystemExit):
            take(command(code, answers), tmp_path / "out", tmp_path)


def test_an_exit_code_that_is_an_answer_is_none(tmp_path: Path) -> None:
    measure.run(command("print(1); raise SystemExit(10)", (0, 10)), tmp_path / "out", tmp_path)


def record(**walls: float) -> dict[str, object]:
    def one(wall: float) -> dict[str, object]:
        return {"tree": 1.0, "runs": [{"cpu": wall, "wall": wall, "memory": 2.0, "others": 0.0}]}

    named = {"floor": 1.0, page.SBOM: 1.0, page.WARM: 0.1, page.ASSESS: 1.0, **walls}
    return {"name": "x", "inflated": 10**9, "contenders": {name: one(wall) for name, wall in named.items()}}


def test_a_missed_aim_is_said() -> None:
    assert "(aim: 0.33)" in page.ratios([record(**{"syft 1.9.0": 2.0})])
    assert "(aim: 0.33)" not in page.ratios([record(**{"syft 1.9.0": 4.0})])


def test_ours_is_compared_with_the_newest_syft() -> None:
    assert page.syft(record(**{"syft 1.9.0": 9.0, "syft 1.57.0": 1.0})) == "syft 1.57.0"
