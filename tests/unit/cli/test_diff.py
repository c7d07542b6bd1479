"""``hullmark diff`` as a user runs it, and what ``assess`` makes of a baseline and of approved bases."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reports.drift_document import schema
from tests.builders.evidence import directory, file, program, symlink
from tests.builders.layout import Nodes, layer_tar, simple_image

TIME = "2026-11-01T00:00:00Z"
LOWER: Nodes = {
    "etc": directory(),
    "etc/passwd": "root:x:0:0::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n",
    "app/run": program("#!/bin/true\n"),
    "app/gone": "x",
}
UPPER: Nodes = {"app/.wh.gone": "", "app/data": "1"}
MERGED: Nodes = {path: node for path, node in {**LOWER, "app/data": "1"}.items() if path != "app/gone"}
CONFIG = {"User": "app", "Entrypoint": ["/app/run"]}


def hullmark(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).resolve().parents[3]
    return subprocess.run(
        [sys.executable, "-m", "compliance.cli.main", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
        cwd=cwd,
        timeout=120,
    )


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return simple_image(tmp_path / "image", (LOWER, UPPER), config=CONFIG)


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    upper: Nodes = {**UPPER, "app/run": file("#!/bin/true\n", 0o4755)}
    return simple_image(tmp_path / "changed", (LOWER, upper), config=CONFIG)


def exported(tmp_path: Path, extra: Nodes | None = None) -> Path:
    """What docker export would write of a container of the image, with `extra` made in it."""
    started: Nodes = {
        ".dockerenv": file("", 0o755),
        "etc/hosts": file("", 0o755),
        "etc/mtab": symlink("/proc/mounts"),
        "proc": directory(),
    }
    path = tmp_path / "export.tar"
    path.write_bytes(layer_tar({**MERGED, **started, **(extra or {})}))
    return path


def test_the_same_image_is_the_same_and_exits_0(image: Path) -> None:
    run = hullmark("diff", image, image, "-q")
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith(" SAME ")


def test_a_difference_exits_10_and_is_told_once(image: Path, changed: Path) -> None:
    run = hullmark("diff", image, changed, "-o", "json", "-q")
    assert run.returncode == 10, run.stderr
    document = json.loads(run.stdout)
    schema().check(document)
    (area,) = document["areas"]
    (one,) = area["differences"]
    assert (area["area"], one["change"], one["subject"]) == ("privileges", "changed", "/app/run")
    assert document["layers"] == {"before": 2, "after": 2, "shared": 1}


def test_both_digests_are_told_on_stderr_and_data_only_on_stdout(image: Path, changed: Path) -> None:
    run = hullmark("diff", image, changed, "-o", "json")
    document = json.loads(run.stdout)
    for side in ("before", "after"):
        assert document[side]["digest"] in run.stderr


def test_table_and_markdown_tell_the_same(image: Path, changed: Path, tmp_path: Path) -> None:
    run = hullmark("diff", image, changed, "-q", "-o", "table", "-o", f"markdown={tmp_path / 'x.md'}")
    assert run.returncode == 10, run.stderr
    for text in (run.stdout, (tmp_path / "x.md").read_text()):
        assert "/app/run" in text
        assert "0755 → 4755" in text
    assert max(map(len, run.stdout.splitlines())) <= 80


def test_the_bytes_are_the_same_whatever_the_hash_seed(image: Path, changed: Path) -> None:
    outputs = set()
    for seed in ("0", "1"):
        command = [sys.executable, "-m", "compliance.cli.main", "diff", str(image), str(changed), "-o", "json", "-q"]
        run = subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONHASHSEED": seed}, timeout=120)
        outputs.add(run.stdout)
    assert len(outputs) == 1


def test_a_running_container_shows_only_what_starting_it_makes_and_exits_0(image: Path, tmp_path: Path) -> None:
    run = hullmark("diff", image, exported(tmp_path), "-o", "json", "-q")
    assert run.returncode == 0, run.stdout
    document = json.loads(run.stdout)
    normal = {one["subject"] for area in document["normalAtRunTime"] for one in area["differences"]}
    assert normal == {"/.dockerenv", "/etc/hosts", "/etc/mtab", "/proc"}
    assert document["after"]["kind"] == "root filesystem"
    assert any("no config" in text for text in document["notCompared"])


def test_what_was_made_in_a_running_container_is_drift(image: Path, tmp_path: Path) -> None:
    dropped: Nodes = {"tmp": directory(0o1777), "tmp/x": program(b"\x7fELF"), "app/data": "2"}
    run = hullmark("diff", image, f"rootfs-tar:{exported(tmp_path, dropped)}", "-q")
    assert run.returncode == 10
    assert "+ /tmp/x" in run.stdout
    assert "~ /app/data" in run.stdout
    assert "Normal at run time" in run.stdout


def test_what_could_not_be_read_is_not_the_same_and_exits_11(image: Path, tmp_path: Path) -> None:
    path = exported(tmp_path)
    content = path.read_bytes().rstrip(b"\0")
    path.write_bytes(content + bytes(-len(content) % 512))
    run = hullmark("diff", image, path, "-q")
    assert run.returncode == 11
    assert "NOT DETERMINED" in run.stdout
    assert "cut off" in " ".join(run.stdout.split())


@pytest.mark.parametrize("broken", ["nothing", "text"])
def test_what_can_not_be_read_is_one_line_and_exits_1(image: Path, tmp_path: Path, broken: str) -> None:
    (tmp_path / "text").write_text("hello")
    run = hullmark("diff", image, tmp_path / broken, "-q")
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.count("\n") == 1
    assert "Traceback" not in run.stderr


def assessed(image: Path, to: Path) -> Path:
    hullmark("assess", f"oci-dir:{image}", "-q", "--effective-time", TIME, "-o", f"json={to}")
    return to


def test_two_assessments_are_compared_without_their_images(image: Path, changed: Path, tmp_path: Path) -> None:
    before, after = assessed(image, tmp_path / "a.json"), assessed(changed, tmp_path / "b.json")
    assert hullmark("diff", before, before, "-q").returncode == 0
    run = hullmark("diff", before, after, "-o", "json")
    assert run.returncode == 10
    document = json.loads(run.stdout)
    schema().check(document)
    checks = next(area["differences"] for area in document["areas"] if area["area"] == "checks")
    assert ("IM-SETUID", "worse") in [(one["subject"], one["note"]) for one in checks]


def test_an_assessment_and_an_image_can_not_be_compared(image: Path, tmp_path: Path) -> None:
    run = hullmark("diff", image, assessed(image, tmp_path / "a.json"), "-q")
    assert run.returncode == 2
    assert "another assessment" in run.stderr


def test_a_file_that_only_looks_like_an_assessment_is_one_line(image: Path, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    run = hullmark("diff", tmp_path / "a.json", tmp_path / "a.json", "-q")
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1


def test_assess_with_a_baseline_names_its_digest_and_counts_the_drift(image: Path, changed: Path) -> None:
    run = hullmark("assess", f"oci-dir:{changed}", "--baseline", image, "-o", "json", "--effective-time", TIME)
    document = json.loads(run.stdout)
    baseline = document["baseline"]
    assert baseline["digest"] in run.stderr
    assert baseline["areas"] == [{"area": "privileges", "added": 0, "removed": 0, "changed": 1}]
    check = next(one for one in document["checks"] if one["id"] == "DR-BASELINE")
    assert check["outcome"] == "failed"
    assert any(one["path"] == "/app/run" for one in check["observations"])


def test_a_baseline_that_can_not_be_read_is_one_line_and_exits_1(image: Path, tmp_path: Path) -> None:
    run = hullmark("assess", image, "--baseline", tmp_path / "nothing", "-q")
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.count("\n") == 1


def test_an_assessment_is_no_baseline(image: Path, tmp_path: Path) -> None:
    run = hullmark("assess", image, "--baseline", assessed(image, tmp_path / "a.json"), "-q")
    assert run.returncode == 2
    assert "a baseline is an image" in run.stderr


def test_approved_bases_come_from_the_command_line_or_the_configuration(image: Path, tmp_path: Path) -> None:
    base = simple_image(tmp_path / "base", (LOWER,))
    (tmp_path / "hullmark.toml").write_text(f'[assess]\napproved-base = ["oci-dir:{base}"]\n')
    for more in (("--approved-base", f"oci-dir:{base}", "--config", os.devnull), ()):
        run = hullmark("assess", f"oci-dir:{image}", *more, "-o", "json", "-q", "--effective-time", TIME, cwd=tmp_path)
        assert run.stdout, run.stderr
        check = next(one for one in json.loads(run.stdout)["checks"] if one["id"] == "SP-BASE")
        assert check["outcome"] == "passed"
