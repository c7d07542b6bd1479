"""Packages of pacman."""

from __future__ import annotations

import gzip

from compliance.model.inventory import Cataloged, Distribution
from compliance.sbom.catalogers.alpm import CATALOGER
from compliance.sbom.inventory import requests, take_inventory
from tests.builders.evidence import Node, tree

ARCH = Distribution(id="arch", version_id="rolling")
FOLDER = "var/lib/pacman/local/gmp-1:6.2-2"
DESC = """%NAME%
gmp

%VERSION%
1:6.2-2

%BASE%
gmp-base

%URL%
https://gmplib.org/

%ARCH%
x86_64

%PACKAGER%
A <a@b.org>

%LICENSE%
LGPL3
GPL

%DEPENDS%
glibc>=2.36
libfoo.so=1-64

%PROVIDES%
libgmp.so=10-64
"""
FILES = "%FILES%\nusr/\nusr/lib/\nusr/lib/libgmp.so\netc/gmp a.conf\n\n%BACKUP%\netc/gmp a.conf\t" + "a" * 32 + "\n"


def catalog(nodes: dict[str, Node | bytes | str]) -> Cataloged:
    return CATALOGER.catalog(tree(nodes, requests=CATALOGER.requests), ARCH)


def test_record_with_everything_it_states() -> None:
    mtree = gzip.compress(
        b"#mtree\n/set type=file\n./usr/lib type=dir\n"
        b"./usr/lib/libgmp.so size=1 md5digest=x sha256digest=" + b"B" * 64 + b" x=y\n"
    )
    (package,) = catalog({f"{FOLDER}/desc": DESC, f"{FOLDER}/files": FILES, f"{FOLDER}/mtree": mtree}).packages
    assert package.purl == "pkg:alpm/arch/gmp@1:6.2-2?arch=x86_64&distro=arch-rolling"
    assert (package.supplier, package.homepage, package.source_name) == (
        "A <a@b.org>",
        "https://gmplib.org/",
        "gmp-base",
    )
    assert [licence.expression for licence in package.licenses] == ["LGPL-3.0-only", None]
    assert package.depends == ("glibc", "libfoo.so=1-64")
    assert package.provides == ("libgmp.so=10-64", "libgmp.so")
    assert package.files == ("usr/lib/libgmp.so", "etc/gmp a.conf")
    assert package.file_digests == {"usr/lib/libgmp.so": "sha256:" + "b" * 64, "etc/gmp a.conf": "md5:" + "a" * 32}


def test_octal_escapes_of_mtree_name_the_file() -> None:
    mtree = gzip.compress(b"./etc/gmp\\040a.conf sha256digest=" + b"c" * 64 + b"\n")
    (package,) = catalog({f"{FOLDER}/desc": DESC, f"{FOLDER}/files": FILES, f"{FOLDER}/mtree": mtree}).packages
    assert package.file_digests == {"etc/gmp a.conf": "sha256:" + "c" * 64}


def test_damaged_mtree_costs_the_digests_only() -> None:
    (package,) = catalog({f"{FOLDER}/desc": DESC, f"{FOLDER}/files": FILES, f"{FOLDER}/mtree": b"\x1f\x8bxx"}).packages
    assert package.files == ("usr/lib/libgmp.so", "etc/gmp a.conf")


def test_record_without_version_is_an_unknown() -> None:
    found = catalog({f"{FOLDER}/desc": "%NAME%\ngmp\n"})
    assert (found.packages, [unknown.path for unknown in found.unknowns]) == ((), [f"{FOLDER}/desc"])


def test_database_of_a_root_inside_the_image_owns_files_there() -> None:
    (package,) = catalog({f"chroot/{FOLDER}/desc": DESC, f"chroot/{FOLDER}/files": FILES}).packages
    assert package.files[0] == "chroot/usr/lib/libgmp.so"


def test_shared_library_is_needed_in_its_version() -> None:
    def record(name: str, more: str) -> str:
        return f"%NAME%\n{name}\n\n%VERSION%\n1-1\n\n{more}"

    nodes: dict[str, Node | bytes | str] = {
        "etc/os-release": "ID=arch\n",
        "var/lib/pacman/local/lib-1-1/desc": record("lib", "%PROVIDES%\nliba.so=0-64\n"),
        "var/lib/pacman/local/new-1-1/desc": record("new", "%DEPENDS%\nliba.so=1-64\n"),
        "var/lib/pacman/local/old-1-1/desc": record("old", "%DEPENDS%\nliba.so=0-64\n"),
        "var/lib/pacman/local/any-1-1/desc": record("any", "%DEPENDS%\nliba.so\n"),
    }
    edges = take_inventory(tree(nodes, requests=requests()), [CATALOGER]).relationships
    assert [(edge.source, edge.target) for edge in edges] == [
        ("pkg:alpm/arch/any@1-1?distro=arch", "pkg:alpm/arch/lib@1-1?distro=arch"),
        ("pkg:alpm/arch/old@1-1?distro=arch", "pkg:alpm/arch/lib@1-1?distro=arch"),
    ]
