"""The same packages as syft, from the same images."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tests.builders.evidence import Node, directory, file
from tests.builders.layout import simple_image

TYPES = ("pkg:deb/", "pkg:pypi/")


def syft_program() -> str:
    beside = Path(sys.executable).with_name("syft")
    found = str(beside) if beside.is_file() else shutil.which("syft")
    if found is None:
        pytest.skip("syft is not installed: its wheel exists for x86-64 Linux only")
    return found


def spelling(purl: str) -> str:
    """syft writes pypi names as PEP 503 normalises them; purl-spec turns underscores alone into dashes."""
    name, at, version = purl.partition("@")
    return name.replace(".", "-") + at + version if purl.startswith("pkg:pypi/") else purl


def purls(document: dict[str, Any]) -> set[str]:
    """Package URLs without qualifiers, of nested components too, with one spelling of escapes and case."""

    def each(components: list[dict[str, Any]]) -> Iterator[str]:
        for component in components:
            if component.get("purl", "").startswith(TYPES):
                yield spelling(unquote(component["purl"].partition("?")[0]).lower())
            yield from each(component.get("components", []))

    return set(each(document.get("components", [])))


def of_syft(image: Path) -> set[str]:
    run = subprocess.run(
        [syft_program(), "-q", f"oci-dir:{image}", "-o", "cyclonedx-json"],
        capture_output=True,
        check=True,
        timeout=300,
        env={"SYFT_CHECK_FOR_APP_UPDATE": "false", "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
    )
    return purls(json.loads(run.stdout))


def ours(image: Path) -> set[str]:
    run = subprocess.run(
        [sys.executable, "-m", "compliance.cli.main", "sbom", "-q", f"oci-dir:{image}"],
        capture_output=True,
        check=True,
        timeout=300,
    )
    return purls(json.loads(run.stdout))


@pytest.mark.parametrize("name", ["ordinary", "hardened"])
def test_same_packages_in_the_samples(samples: Path, name: str) -> None:
    found = ours(samples / name)
    assert found
    assert found == of_syft(samples / name)


def test_same_packages_in_a_python_application_image(tmp_path: Path) -> None:
    """The packages of the environment that runs the tests, as an application image would hold them."""
    site = Path(sysconfig.get_paths()["purelib"])
    nodes: dict[str, Node] = {"app/venv/lib/python3.11/site-packages": directory()}
    for info in sorted(site.glob("*.dist-info")):
        for name in ("METADATA", "RECORD", "top_level.txt", "direct_url.json"):
            if (info / name).is_file():
                nodes[f"app/venv/lib/python3.11/site-packages/{info.name}/{name}"] = file((info / name).read_bytes())
    image = simple_image(tmp_path / "image", (nodes,))
    found = ours(image)
    assert len(found) >= 50
    assert found == of_syft(image)
