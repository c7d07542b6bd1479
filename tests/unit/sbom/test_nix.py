"""Nix packages by their store paths."""

from __future__ import annotations

import pytest

from compliance.model.inventory import Package
from compliance.sbom.catalogers.nix import CATALOGER
from tests.builders.evidence import Node, symlink, tree

HASH = "h0cnbmfcn93xm5dg2x27ixhag1cwndga"


def packages(nodes: dict[str, Node | bytes | str]) -> tuple[Package, ...]:
    return CATALOGER.catalog(tree(nodes), None).packages


@pytest.mark.parametrize(
    ("name", "purl"),
    [
        ("glibc-2.34-210-bin", f"pkg:nix/glibc@2.34-210?output=bin&outputhash={HASH}"),
        ("bash-5.2", f"pkg:nix/bash@5.2?outputhash={HASH}"),
        ("python3.11-pip-23.0", f"pkg:nix/python3.11-pip@23.0?outputhash={HASH}"),
        ("gtk+3-3.24.1-dev", f"pkg:nix/gtk%2B3@3.24.1?output=dev&outputhash={HASH}"),
    ],
)
def test_store_path_tells_name_version_and_output(name: str, purl: str) -> None:
    assert [package.purl for package in packages({f"nix/store/{HASH}-{name}/bin/x": "x"})] == [purl]


def test_package_owns_what_is_in_its_folder() -> None:
    folder = f"nix/store/{HASH}-bash-5.2"
    (package,) = packages({f"{folder}/bin/bash": "x", f"{folder}/bin/sh": symlink("bash"), "nix/store/other": "x"})
    assert package.files == (f"{folder}/bin/bash", f"{folder}/bin/sh")
    assert package.locations[0].path == folder


@pytest.mark.parametrize(
    "path",
    [
        f"nix/store/{HASH}-source/a",
        f"nix/store/{HASH}-bash-5.2.drv",
        f"nix/store/{HASH}-bash-5.2.tar/a",
        f"nix/store/{HASH[:-1]}-bash-5.2/a",
        f"nix/store/{HASH[:-1]}e-bash-5.2/a",
        f"store/{HASH}-bash-5.2/a",
    ],
    ids=["no version", "plan", "source", "short hash", "no hash", "elsewhere"],
)
def test_what_is_no_package_of_a_store(path: str) -> None:
    assert packages({path: "x"}) == ()
