"""R packages."""

from __future__ import annotations

import json

import pytest

from compliance.model.inventory import Cataloged
from compliance.sbom.catalogers.r import CATALOGER
from tests.builders.evidence import Node, tree

DESCRIPTION = """Package: stringr
Version: 1.5.0-2
Authors@R:
    c(person("H"))
Maintainer: H <h@b.org>
License: MIT + file LICENSE
URL: https://stringr.example, https://other.example/
Depends: R (>= 3.3), methods
Imports:
    cli,
    glue (>= 1.6.1)
LinkingTo: cli
Suggests: covr
"""


def catalog(nodes: dict[str, Node | bytes | str]) -> Cataloged:
    return CATALOGER.catalog(tree(nodes, requests=CATALOGER.requests), None)


def test_package_of_a_library_with_what_it_states() -> None:
    (package,) = catalog({"usr/lib/R/site-library/stringr/DESCRIPTION": DESCRIPTION}).packages
    assert package.purl == "pkg:cran/stringr@1.5.0-2"
    assert (package.supplier, package.homepage) == ("H <h@b.org>", "https://stringr.example")
    assert package.depends == ("methods", "cli", "glue")


@pytest.mark.parametrize(
    ("stated", "raw", "expression"),
    [
        ("MIT + file LICENSE", "MIT", "MIT"),
        ("GPL (>= 2)", "GPL-2-or-later", "GPL-2.0-or-later"),
        ("GPL-2 | GPL-3", "GPL-2 or GPL-3", "GPL-2.0-only OR GPL-3.0-only"),
        ("LGPL (>= 2.1) | file LICENCE", "LGPL-2.1-or-later", "LGPL-2.1-or-later"),
        ("file LICENSE", "file LICENSE", None),
        ("Part of R 4.3.0", "Part of R 4.3.0", None),
    ],
)
def test_licences_in_the_words_of_r(stated: str, raw: str, expression: str | None) -> None:
    content = DESCRIPTION.replace("MIT + file LICENSE", stated)
    (package,) = catalog({"usr/lib/R/library/stringr/DESCRIPTION": content}).packages
    assert [(licence.raw, licence.expression) for licence in package.licenses] == [(raw, expression)]


def test_built_package_counts_wherever_it_lies_and_sources_do_not() -> None:
    found = catalog({"opt/a/DESCRIPTION": DESCRIPTION + "Built: R 4.3.0\n", "src/b/DESCRIPTION": DESCRIPTION})
    assert [package.locations[0].path for package in found.packages] == ["opt/a/DESCRIPTION"]
    assert found.unknowns == ()


def test_incomplete_description_in_a_library_is_an_unknown() -> None:
    found = catalog({"usr/lib/R/library/x/DESCRIPTION": "Package: x\nVersion: no\n"})
    assert (found.packages, len(found.unknowns)) == ((), 1)


def test_lock_file_of_renv_declares() -> None:
    lock = {"R": {"Version": "4.3"}, "Packages": {"R6": {"Package": "R6", "Version": "2.5.1"}, "x": None}}
    (package,) = catalog({"srv/renv.lock": json.dumps(lock)}).packages
    assert (package.purl, package.declared) == ("pkg:cran/R6@2.5.1", True)
