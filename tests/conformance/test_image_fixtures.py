"""Images that other projects test with: read, or refused in words a person can act on."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from compliance.errors import ComplianceError
from compliance.formats.examine import Examiner
from compliance.ingest.read import Reading, read_tree
from compliance.ingest.source import open_source, parse_reference
from compliance.sbom.inventory import requests, take_inventory

IMAGES = (
    "alpine-3.10-legacy-gz",
    "apko-base-image",
    "container-inspector-hello-world",
    "dive-docker-archive",
    "dive-oci-gzip",
    "dive-oci-zstd",
    "ggcr-hello-world-v25",
    "ggcr-test-image-1",
    "ggcr-whiteout-image",
    "stereoscope-multiplatform",
    "trivy-test-oci",
)
REFUSED = {
    "container-inspector-v11": "archive",  # Docker 1.1: no manifest.json
    "ggcr-no-manifest": "archive",
    "ggcr-layout-index": "fit",  # four tags
    "regclient-testrepo": "fit",  # many tags
}


def expectation(shared: Path, name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((shared / "fixtures" / "images" / name / "expected.json").read_text())
    return loaded


@pytest.mark.parametrize("name", IMAGES)
def test_image_of_another_project_is_read_with_its_packages(name: str, shared: Path) -> None:
    expected = expectation(shared, name)
    source = open_source(parse_reference(str(shared / "fixtures" / "images" / name / expected["path"])))
    try:
        image, tree = read_tree(source, source.image(None), Reading(requests=requests(), examiner=Examiner(())))
    finally:
        source.close()
    assert image.digest.startswith("sha256:")
    if "expected" in expected:
        inventory = take_inventory(tree)
        assert {(package.name, package.version) for package in inventory.packages} == {
            (package["name"], package["version"]) for package in expected["expected"]
        }


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_single_image_is_refused_in_one_line(name: str, shared: Path) -> None:
    expected = expectation(shared, name)
    reference = str(shared / "fixtures" / "images" / name / expected["path"])
    with (
        pytest.raises(ComplianceError, match=REFUSED[name]) as caught,
        closing(open_source(parse_reference(reference))) as source,
    ):
        source.image(None)
    assert "\n" not in str(caught.value)
