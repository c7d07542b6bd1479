"""Conda packages."""

from __future__ import annotations

import json
from typing import Any

from compliance.model.inventory import Cataloged
from compliance.sbom.catalogers.conda import CATALOGER
from tests.builders.evidence import Node, tree

RECORD: dict[str, Any] = {
    "name": "zlib",
    "version": "1.2.11",
    "build": "h90dfc92_1014",
    "subdir": "linux-64",
    "channel": "https://conda.example/conda-forge/linux-64",
    "fn": "zlib-1.2.11-h90dfc92_1014.tar.bz2",
    "license": "Zlib",
    "md5": "3" * 32,
    "sha256": "a" * 64,
    "depends": ["libzlib 1.2.11 h90dfc92_1014", "__glibc >=2.17"],
    "files": ["lib/libz.a", "lib/libz.so"],
    "paths_data": {
        "paths": [
            {"_path": "lib/libz.a", "path_type": "hardlink", "sha256": "b" * 64, "sha256_in_prefix": "c" * 64},
            {"_path": "lib/libz.so", "path_type": "softlink", "sha256": "d" * 64},
        ]
    },
}
PATH = "opt/conda/envs/x/conda-meta/zlib.json"


def catalog(nodes: dict[str, Node | bytes | str]) -> Cataloged:
    return CATALOGER.catalog(tree(nodes, requests=CATALOGER.requests), None)


def test_record_with_everything_it_states() -> None:
    (package,) = catalog({PATH: json.dumps(RECORD)}).packages
    assert package.purl == (
        "pkg:conda/zlib@1.2.11?build=h90dfc92_1014&channel=conda-forge&subdir=linux-64&type=tar.bz2"
    )
    assert (package.supplier, package.architecture) == ("conda-forge", "linux-64")
    assert [licence.expression for licence in package.licenses] == ["Zlib"]
    assert package.digests == (("MD5", "3" * 32), ("SHA-256", "a" * 64))
    assert package.depends == ("libzlib", "__glibc")


def test_files_lie_in_the_environment_with_their_digests_there() -> None:
    (package,) = catalog({PATH: json.dumps(RECORD)}).packages
    assert package.files == (PATH, "opt/conda/envs/x/lib/libz.a", "opt/conda/envs/x/lib/libz.so")
    assert package.file_digests == {"opt/conda/envs/x/lib/libz.a": "sha256:" + "c" * 64}


def test_record_that_is_none_is_an_unknown() -> None:
    found = catalog({PATH: "{", "a/conda-meta/b.json": json.dumps({"name": "b"})})
    assert found.packages == ()
    assert [unknown.reason for unknown in found.unknowns] == [
        "conda record: no name or version",
        "conda record: not JSON",
    ]
