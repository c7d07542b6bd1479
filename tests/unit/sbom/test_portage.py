"""Packages of Gentoo's Portage."""

from __future__ import annotations

import pytest

from compliance.model.inventory import Cataloged
from compliance.sbom.catalogers.portage import CATALOGER
from tests.builders.evidence import Node, tree

FOLDER = "var/db/pkg/dev-libs/openssl-3.0.9-r2"


def catalog(nodes: dict[str, Node | bytes | str]) -> Cataloged:
    return CATALOGER.catalog(tree(nodes, requests=CATALOGER.requests), None)


def test_record_with_everything_it_states() -> None:
    (package,) = catalog(
        {
            f"{FOLDER}/CONTENTS": "dir /usr\nobj /usr/lib/a b.so " + "a" * 32 + " 1649284374\n"
            "sym /usr/lib/c.so -> a b.so 1649284374\nnonsense\n",
            f"{FOLDER}/LICENSE": "Apache-2.0\n",
            f"{FOLDER}/HOMEPAGE": "https://openssl.org/ https://mirror.example/\n",
            f"{FOLDER}/RDEPEND": ">=app-misc/c_rehash-1.7-r1 !dev-libs/bad sys-libs/zlib:0/1= || ( x/y[z] )\n",
            f"{FOLDER}/CHOST": "x86_64-pc-linux-gnu\n",
        }
    ).packages
    assert package.purl == "pkg:ebuild/dev-libs%2Fopenssl@3.0.9-r2"
    assert (package.name, package.version, package.architecture) == ("dev-libs/openssl", "3.0.9-r2", "x86_64")
    assert package.homepage == "https://openssl.org/"
    assert package.depends == ("app-misc/c_rehash", "sys-libs/zlib", "x/y")
    assert package.files == ("usr/lib/a b.so", "usr/lib/c.so")
    assert package.file_digests == {"usr/lib/a b.so": "md5:" + "a" * 32}


@pytest.mark.parametrize(
    ("stated", "expression"),
    [
        ("Apache-2.0 BSD MIT", "Apache-2.0 AND BSD-3-Clause AND MIT"),
        ("|| ( GPL-2+ MIT )", "(GPL-2.0-or-later OR MIT)"),
        ("ISC || ( MIT ( BSD-2 ZLIB ) )", "ISC AND (MIT OR (BSD-2-Clause AND Zlib))"),
        ("all-rights-reserved", None),
        ("MIT ( BSD", None),
    ],
)
def test_licences_joined_as_the_package_manager_means_it(stated: str, expression: str | None) -> None:
    (package,) = catalog({f"{FOLDER}/CONTENTS": "", f"{FOLDER}/LICENSE": stated}).packages
    assert [(licence.raw, licence.expression) for licence in package.licenses] == [(stated, expression)]


def test_folder_without_version_is_an_unknown() -> None:
    found = catalog({"var/db/pkg/dev-libs/openssl/CONTENTS": "", "var/db/pkg/dev-libs/-MERGING-x-1/CONTENTS": ""})
    assert found.packages == ()
    assert len(found.unknowns) == 2
