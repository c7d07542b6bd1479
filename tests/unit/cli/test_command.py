"""The command as a user runs it: exit codes, one-line errors, nothing half-written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders.evidence import directory, file
from tests.builders.layout import simple_image

TIME = "2026-11-01T00:00:00Z"


def hullmark(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "compliance.cli.main", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
    )


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return simple_image(
        tmp_path / "image",
        ({"etc": directory(), "etc/os-release": "ID=debian\nVERSION_ID=12\n", "app": file(b"\x7fELF", 0o755)},),
        config={"Entrypoint": ["/app"], "User": "65532:65532"},
    )


def layer_of(image: Path) -> Path:
    return next(path for path in (image / "blobs" / "sha256").iterdir() if path.read_bytes()[:2] == b"\x1f\x8b")


def assert_one_line(run: subprocess.CompletedProcess[str]) -> None:
    assert run.stdout == ""
    assert run.stderr.startswith("hullmark: ")
    assert run.stderr.count("\n") == 1
    assert "Traceback" not in run.stderr


def test_version_is_told_by_word_and_by_flag() -> None:
    assert hullmark("version").stdout == hullmark("--version").stdout
    assert hullmark("version").stdout.startswith("hullmark ")


@pytest.mark.parametrize("command", ["sbom", "assess"])
def test_an_image_that_nobody_signed_is_read_without_importing_cryptography(command: str, image: Path) -> None:
    program = (
        "import atexit, sys\n"
        "from compliance.cli.main import main\n"
        "atexit.register(lambda: print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr))\n"
        "main()\n"
    )
    argv = (sys.executable, "-c", program, command, "--no-cache", "--quiet", f"oci-dir:{image}")
    loaded = set(subprocess.run(argv, capture_output=True, text=True, timeout=120).stderr.split())
    assert "compliance" in loaded
    assert not {"cryptography", "sigstore", "pandas", "weasyprint", "sqlalchemy", "requests"} & loaded


def test_truncated_layer_is_one_line_and_exit_12_and_leaves_nothing(image: Path, tmp_path: Path) -> None:
    layer_of(image).write_bytes(layer_of(image).read_bytes()[:-9])
    run = hullmark("assess", f"oci-dir:{image}", "--evidence", tmp_path / "evidence", "-q")
    assert run.returncode == 12
    assert_one_line(run)
    assert not (tmp_path / "evidence").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["image"]


def test_wrong_digest_is_one_line_and_exit_12(image: Path) -> None:
    content = bytearray(layer_of(image).read_bytes())
    content[4] ^= 1
    layer_of(image).write_bytes(content)
    run = hullmark("assess", f"oci-dir:{image}", "-q")
    assert run.returncode == 12
    assert "digest-mismatch" in run.stderr
    assert_one_line(run)


def test_missing_blob_and_missing_image_are_one_line_and_exit_1(image: Path, tmp_path: Path) -> None:
    layer_of(image).unlink()
    run = hullmark("assess", f"oci-dir:{image}", "-q")
    assert run.returncode == 1
    assert "blob-missing" in run.stderr
    assert_one_line(run)
    run = hullmark("assess", tmp_path / "nothing", "-q")
    assert run.returncode == 1
    assert_one_line(run)


def test_path_that_is_no_image_is_one_line_and_exit_1(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    run = hullmark("assess", tmp_path / "notes.txt", "-q")
    assert run.returncode == 1
    assert_one_line(run)


@pytest.mark.parametrize(
    "arguments",
    [
        ("-o", "nonsense"),
        ("-o", "json", "-o", "table"),
        ("--fail-on", "terrible"),
        ("--profile", "prod"),
        ("--effective-time", "yesterday"),
        ("--effective-time", "2026-11-01T00:00:00"),
        ("--framework", "no-such-framework"),
        ("--key", "no-such-file.pem"),
        ("--sign-key", "key.pem"),
        ("--platform", "linux"),
        ("--no-such-flag",),
    ],
)
def test_usage_errors_exit_2_without_output(image: Path, arguments: tuple[str, ...]) -> None:
    run = hullmark("assess", f"oci-dir:{image}", *arguments)
    assert run.returncode == 2, run.stderr
    assert run.stdout == ""
    assert "Traceback" not in run.stderr


def test_outputs_go_where_they_are_told_and_progress_never_to_stdout(image: Path, tmp_path: Path) -> None:
    run = hullmark(
        "assess", f"oci-dir:{image}", "-o", "json", "-o", f"csv={tmp_path / 'x.csv'}", "--effective-time", TIME
    )
    assert run.returncode in (0, 10, 11), run.stderr
    document = json.loads(run.stdout)
    assert document["effectiveTime"] == TIME
    assert document["subject"]["digest"].startswith("sha256:")
    assert document["subject"]["digest"] in run.stderr
    assert (tmp_path / "x.csv").read_text().startswith("check")
    quiet = hullmark("assess", f"oci-dir:{image}", "-o", "json", "-q", "--effective-time", TIME)
    assert (quiet.stdout, quiet.stderr) == (run.stdout, "")


def test_a_device_or_pipe_is_written_to_and_not_replaced(image: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = tmp_path / "read"
    with read.open("wb") as sink, subprocess.Popen(["timeout", "120", "cat", pipe], stdout=sink) as reader:
        hullmark("assess", f"oci-dir:{image}", "-o", f"json={pipe}", "-q", "--effective-time", TIME)
        reader.wait(timeout=60)
    assert json.loads(read.read_text())["effectiveTime"] == TIME
    assert pipe.is_fifo()


def test_source_date_epoch_is_the_effective_time(image: Path) -> None:
    run = hullmark("assess", f"oci-dir:{image}", "-o", "json", "-q", SOURCE_DATE_EPOCH="1793491200")
    assert json.loads(run.stdout)["effectiveTime"] == TIME


def test_closed_pipe_is_no_traceback(image: Path) -> None:
    command = f"{sys.executable} -m compliance.cli.main assess oci-dir:{image} -o json -q | true"
    run = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120)
    assert "Traceback" not in run.stderr


def test_report_renders_an_assessment_again_without_the_image(image: Path, tmp_path: Path) -> None:
    stored = tmp_path / "assessment.json"
    hullmark("assess", f"oci-dir:{image}", "-o", f"json={stored}", "-q", "--effective-time", TIME)
    layer_of(image).unlink()
    again = hullmark("report", stored, "-o", "json")
    assert again.returncode == 0, again.stderr
    assert again.stdout == stored.read_text()


def test_verify_of_an_unsigned_image_is_undetermined(image: Path) -> None:
    run = hullmark("verify", f"oci-dir:{image}", "-q")
    assert run.returncode == 11, run.stderr
    assert "no signature" in run.stdout
