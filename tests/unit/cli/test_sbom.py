"""``hullmark sbom``: formats by name and version, documents of other tools, one clear line where it fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders.evidence import Node, file
from tests.builders.layout import simple_image

TIME = "2026-11-01T00:00:00Z"
STATUS = "Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: all\nMaintainer: M <m@x.org>\n"


def sbom(*arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "compliance.cli.main", "sbom", "--no-cache", *map(str, arguments)],
        capture_output=True,
        env={name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"},
        timeout=120,
    )


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    nodes: dict[str, Node | bytes | str] = {
        "etc/os-release": "ID=debian\nVERSION_ID=12\n",
        "var/lib/dpkg/status": STATUS,
        "var/lib/dpkg/info/a.list": "/usr\n/usr/bin\n/usr/bin/a\n",
        "usr/bin/a": file("#!/bin/sh\n", 0o755),
    }
    return simple_image(tmp_path_factory.mktemp("sbom") / "image", (nodes,))


def test_each_format_by_name_and_version_into_files(image: Path, tmp_path: Path) -> None:
    names = ("cyclonedx-json", "cyclonedx-json@1.7", "cyclonedx-xml@1.7", "spdx-json@2.3")
    outputs = [word for name in names for word in ("-o", f"{name}={tmp_path / name}")]
    assert sbom(f"oci-dir:{image}", "--effective-time", TIME, *outputs).returncode == 0
    begins = [(tmp_path / name).read_bytes()[:200] for name in names]
    assert b'"specVersion": "1.6"' in begins[0]
    assert b'"specVersion": "1.7"' in begins[1]
    assert b'xmlns="http://cyclonedx.org/schema/bom/1.7"' in begins[2]
    assert b'"spdxVersion": "SPDX-2.3"' in begins[3]


def test_the_same_document_comes_out_of_an_assessment(image: Path, tmp_path: Path) -> None:
    run = sbom(f"oci-dir:{image}", "--effective-time", TIME, "-q")
    assert (run.returncode, run.stderr) == (0, b"")
    command = [sys.executable, "-m", "compliance.cli.main", "assess", "--no-cache", "-q", f"oci-dir:{image}"]
    subprocess.run(
        [*command, "--effective-time", TIME, "-o", f"cyclonedx-json={tmp_path / 'x'}"], capture_output=True, timeout=120
    )
    assert (tmp_path / "x").read_bytes() == run.stdout
    (component,) = json.loads(run.stdout)["components"]
    assert component["hashes"][0]["alg"] == "SHA-256"


def test_document_of_another_tool_is_written_anew_as_of_its_own_time(image: Path, tmp_path: Path) -> None:
    given = tmp_path / "given.xml"
    sbom(f"oci-dir:{image}", "--effective-time", TIME, "-q", "-o", f"cyclonedx-xml={given}")
    run = sbom("--from-sbom", given, "-o", "spdx-json")
    assert run.returncode == 0, run.stderr
    document = json.loads(run.stdout)
    assert document["creationInfo"]["created"] == TIME
    assert [one["name"] for one in document["packages"][1:]] == ["a"]
    assert run.stderr.startswith(b"read: CycloneDX 1.6 sha256:")
    assert sbom("--from-sbom", given, "-o", "spdx-json").stdout == run.stdout


def test_files_author_and_supplier(image: Path) -> None:
    run = sbom(f"oci-dir:{image}", "-q", "--files", "--author", "Jane <j@x.org>", "--supplier", "ACME")
    document = json.loads(run.stdout)
    assert document["metadata"]["authors"] == [{"name": "Jane", "email": "j@x.org"}]
    assert document["metadata"]["supplier"] == {"name": "ACME"}
    (component, *loose) = document["components"]
    assert [part["name"] for part in component["components"]] == ["/usr/bin/a"]
    assert "/etc/os-release" in {part["name"] for part in loose}


@pytest.mark.parametrize(
    ("content", "said", "code"),
    [
        (b'{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"type": "library"}]}', "components[0]", 1),
        (b"PK\x03\x04", "SBOM", 1),
        (b"<html/>", "<html>", 1),
    ],
)
def test_what_is_no_document_is_one_line_with_its_place(tmp_path: Path, content: bytes, said: str, code: int) -> None:
    (tmp_path / "x").write_bytes(content)
    run = sbom("--from-sbom", tmp_path / "x")
    assert (run.returncode, run.stdout) == (code, b"")
    assert run.stderr.count(b"\n") == 1
    assert said in run.stderr.decode()


@pytest.mark.parametrize(
    "arguments",
    [(), ("image", "--from-sbom", "x"), ("--from-sbom", "/nonexistent"), ("image", "-o", "cyclonedx-json@1.5")],
)
def test_usage_errors_exit_2(arguments: tuple[str, ...]) -> None:
    run = sbom(*arguments)
    assert (run.returncode, run.stdout) == (2, b"")
    assert run.stderr.count(b"\n") == 1
