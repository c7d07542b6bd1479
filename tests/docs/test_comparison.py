"""docs/comparison.md: each line has a source, and those whose source is a test are tested."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from compliance.cli.main import run
from compliance.errors import IntegrityError
from tests.builders.layout import layer_tar, simple_image
from tests.interop.test_syft import syft_program

PAGE = Path(__file__).resolve().parents[2] / "docs" / "comparison.md"
SYFT = "1.18.1"


def _rows() -> list[list[str]]:
    rows = [line.strip("|").split("|") for line in PAGE.read_text().splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows if row[-1].strip() not in ("source", "---")]


def test_each_line_has_a_source() -> None:
    rows = _rows()
    assert len(rows) > 20
    assert [row for row in rows if row[-1] not in ("test", "measured", "read")] == []


def test_a_measured_line_about_a_program_names_its_version() -> None:
    said = PAGE.read_text()
    for program, version in (("syft", "1.57.0"), ("trivy", "0.74.0"), ("dockle", "0.4.15")):
        assert f"{program} {version}" in said.partition("##")[0], "the introduction states it for all of them"


@pytest.fixture
def replaced(tmp_path: Path) -> Path:
    """A layout in which a layer is another valid one, under the old name, and nothing else was touched."""
    layout = tmp_path / "image"
    simple_image(layout, ({"etc/os-release": "ID=debian\n"},))
    manifest = json.loads((layout / "index.json").read_bytes())["manifests"][0]["digest"].partition(":")[2]
    layers = json.loads((layout / "blobs" / "sha256" / manifest).read_bytes())["layers"]
    blob = layout / "blobs" / "sha256" / layers[0]["digest"].partition(":")[2]
    assert layers[0]["mediaType"].endswith("gzip")
    blob.write_bytes(gzip.compress(layer_tar({"etc/os-release": "ID=alpine\n"})))
    return layout


def test_hullmark_refuses_a_replaced_layer_and_names_it(replaced: Path) -> None:
    with pytest.raises(IntegrityError, match="layer") as raised:
        run(["sbom", f"oci-dir:{replaced}", "-q", "--no-cache", "-o", f"cyclonedx-json={replaced}.json"])
    assert raised.value.exit_code == 12


def test_syft_does_not(replaced: Path) -> None:
    version = subprocess.run([syft_program(), "--version"], capture_output=True, text=True, check=True).stdout
    assert SYFT in version
    assert re.search(rf"syft {re.escape(SYFT)} writes an SBOM, exit code 0, no warning", PAGE.read_text())
    answer = subprocess.run(
        [syft_program(), f"oci-dir:{replaced}", "-o", "cyclonedx-json"],
        capture_output=True,
        text=True,
        env={"SYFT_CHECK_FOR_APP_UPDATE": "false", "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
    )
    assert answer.returncode == 0
    assert "WARN" not in answer.stderr
    assert json.loads(answer.stdout)["bomFormat"] == "CycloneDX"


def test_two_sboms_as_of_the_same_time_are_the_same_bytes(samples: Path, tmp_path: Path) -> None:
    shutil.copytree(samples / "hardened", tmp_path / "hardened")
    written = []
    for name in ("one", "two"):
        target = tmp_path / name
        arguments = ["sbom", f"oci-dir:{tmp_path / 'hardened'}", "-q", "--no-cache"]
        run([*arguments, "--effective-time", "2026-11-01T00:00:00Z", "-o", f"cyclonedx-json={target}"])
        written.append(target.read_bytes())
    assert written[0] == written[1]
