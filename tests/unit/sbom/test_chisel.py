"""Packages of which chisel cut slices."""

from __future__ import annotations

import json
from typing import Any

import pytest
import zstandard

from compliance.model.inventory import Cataloged, Distribution
from compliance.sbom.catalogers.chisel import CATALOGER
from tests.builders.evidence import tree

UBUNTU = Distribution(id="ubuntu", version_id="24.04")
PATH = "var/lib/chisel/manifest.wall"
RECORDS: list[dict[str, Any]] = [
    {"jsonwall": "1.0", "schema": "1.0", "count": 5},
    {"kind": "package", "name": "libssl3t64", "version": "3.0.13-0ubuntu3", "sha256": "a" * 64, "arch": "amd64"},
    {"kind": "path", "path": "/usr/lib/", "slices": ["libssl3t64_libs"]},
    {"kind": "path", "path": "/usr/lib/libssl.so.3", "slices": ["libssl3t64_libs"], "sha256": "b" * 64},
    {"kind": "path", "path": "/etc/x", "slices": ["libssl3t64_x"], "sha256": "b" * 64, "final_sha256": "c" * 64},
    {"kind": "slice", "name": "libssl3t64_libs"},
]
WALL = "\n".join(json.dumps(record) for record in RECORDS).encode() + b"\n"


def catalog(content: bytes) -> Cataloged:
    return CATALOGER.catalog(tree({PATH: content}, requests=CATALOGER.requests), UBUNTU)


@pytest.mark.parametrize("content", [WALL, zstandard.compress(WALL)], ids=["plain", "zstandard"])
def test_package_with_the_paths_of_its_slices(content: bytes) -> None:
    (package,) = catalog(content).packages
    assert package.purl == "pkg:deb/ubuntu/libssl3t64@3.0.13-0ubuntu3?arch=amd64&distro=ubuntu-24.04"
    assert package.digests == (("SHA-256", "a" * 64),)
    assert package.files == ("usr/lib/libssl.so.3", "etc/x")
    assert package.file_digests == {"usr/lib/libssl.so.3": "sha256:" + "b" * 64, "etc/x": "sha256:" + "c" * 64}


@pytest.mark.parametrize(
    "content",
    [b"", b"{}\n", WALL + b"{", zstandard.compress(WALL)[:40], b"\x28\xb5\x2f\xfdnoise"],
    ids=["empty", "no header", "cut line", "cut", "noise"],
)
def test_damaged_manifest_is_an_unknown(content: bytes) -> None:
    found = catalog(content)
    assert (found.packages, [unknown.path for unknown in found.unknowns]) == ((), [PATH])
