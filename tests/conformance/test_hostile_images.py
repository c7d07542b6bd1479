"""Every hostile or odd image of the shared set is accepted or refused as its expectation says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from compliance.errors import ComplianceError
from compliance.formats.examine import Examiner
from compliance.ingest.read import Reading, read_tree
from compliance.ingest.source import open_source, parse_reference
from compliance.model.filesystem import FileTree
from compliance.model.image import Image
from compliance.model.reference import Platform
from compliance.sbom.inventory import requests, take_inventory

SHARED = Path(os.environ.get("HULLMARK_SHARED") or Path(__file__).resolve().parents[3] / "shared")
LISTING = SHARED / "fixtures" / "hostile" / "expected.json"
CASES = json.loads(LISTING.read_text())["cases"] if LISTING.is_file() else []
SCHEMES = {"oci": "oci-dir"}
# Warnings that belong to the inventory, not to the reading of the image.
INVENTORY_WARNINGS = frozenset({"no-os", "limit"})


def read(case: Mapping[str, Any], shared: Path) -> tuple[Image, FileTree]:
    scheme = SCHEMES.get(case["form"], case["form"])
    source = open_source(parse_reference(f"{scheme}:{shared}/fixtures/hostile/{case['path']}"))
    try:
        platform = Platform.parse(case["platform"]) if "platform" in case else None
        return read_tree(source, source.image(platform), Reading(requests=requests(), examiner=Examiner(())))
    finally:
        source.close()


def test_the_shared_set_is_there(shared: Path) -> None:
    assert (shared / "fixtures" / "hostile" / "expected.json").is_file()
    assert len(CASES) >= 42


@pytest.mark.parametrize("case", [case for case in CASES if case["accept"]], ids=lambda case: case["name"])
def test_odd_image_is_read_as_a_container_would_see_it(case: Mapping[str, Any], shared: Path) -> None:
    image, tree = read(case, shared)
    assert [path for path in case.get("present", ()) if tree.resolve(path) is None] == []
    assert [path for path in case.get("absent", ()) if tree.get(path) is not None] == []
    assert {path: tree.entries[path].size for path in case.get("sizes", {})} == case.get("sizes", {})
    for word in set(case.get("warn", ())) - INVENTORY_WARNINGS:
        assert any(word in notice for notice in image.notices), (word, image.notices)
    wanted = {name.removesuffix(" (npm)") for name in case.get("packages", ())}
    found = {f"{package.name}@{package.version}" for package in take_inventory(tree).packages}
    if "packages" in case:
        assert found == wanted


@pytest.mark.parametrize("case", [case for case in CASES if not case["accept"]], ids=lambda case: case["name"])
def test_hostile_image_is_refused_with_its_reason(case: Mapping[str, Any], shared: Path) -> None:
    with pytest.raises(ComplianceError) as caught:
        read(case, shared)
    assert caught.value.code == case["error"]
    assert "\n" not in str(caught.value)


def test_nothing_is_written_where_a_layer_points(shared: Path) -> None:
    case = next(case for case in CASES if case["name"] == "symlink-escape-on-write")
    read(case, shared)
    assert not Path("/tmp/hostile-fixture-escape").exists()  # noqa: S108 - the fixture's own target


def test_decompression_bomb_stays_within_bounded_memory(shared: Path) -> None:
    program = (
        "import sys;"
        "from tests.conformance.test_hostile_images import CASES, read;"
        "from pathlib import Path;"
        "case = next(case for case in CASES if case['name'] == 'gzip-bomb-512-mib');"
        "read(case, Path(sys.argv[1]));"
        # Not ru_maxrss, which a process takes over from the one that started it.
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    checkout = Path(__file__).resolve().parents[2]
    run = subprocess.run(
        [sys.executable, "-c", program, str(shared)], cwd=checkout, capture_output=True, text=True, check=True
    )
    assert 0 < int(run.stdout) * 1024 < 300 * 2**20
