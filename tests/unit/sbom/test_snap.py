"""Snaps."""

from __future__ import annotations

import pytest

from compliance.model.inventory import Cataloged
from compliance.sbom.catalogers.snap import CATALOGER
from tests.builders.evidence import tree

PATH = "snap/hello/42/meta/snap.yaml"


def catalog(content: str) -> Cataloged:
    return CATALOGER.catalog(tree({PATH: content}, requests=CATALOGER.requests), None)


def test_snap_with_what_it_states() -> None:
    (package,) = catalog(
        "name: hello\nversion: 1.10\nlicense: GPL-3.0\nwebsite: https://h.example\n"
        "base: core22\narchitectures: [amd64]\n"
    ).packages
    assert package.purl == "pkg:snap/hello@1.10?arch=amd64"
    assert (package.homepage, package.depends) == ("https://h.example", ("core22",))
    assert [licence.expression for licence in package.licenses] == ["GPL-3.0-only"]


def test_snap_of_several_architectures_has_none() -> None:
    (package,) = catalog("name: hello\nversion: '1'\narchitectures:\n- amd64\n- arm64\n").packages
    assert (package.purl, package.architecture) == ("pkg:snap/hello@1", None)


@pytest.mark.parametrize(
    "content",
    ["", "a: [", "- a", "name: x\n", "name: {}\nversion: 1\n", "? [" * 5000, "&a [*a]", "\x00"],
    ids=["empty", "cut", "a list", "no version", "a mapping", "deep", "cycle", "zero"],
)
def test_file_that_names_nothing_is_an_unknown(content: str) -> None:
    found = catalog(content)
    assert (found.packages, [unknown.path for unknown in found.unknowns]) == ((), [PATH])


def test_aliases_are_not_multiplied() -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40)]
    assert len(catalog("\n".join((*lines, "name: x", "version: 1"))).packages) == 1
