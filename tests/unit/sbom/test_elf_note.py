"""Packages that ELF files name in themselves."""

from __future__ import annotations

import json

import pytest

from compliance.formats.examine import Examiner
from compliance.model.inventory import Cataloged, Distribution
from compliance.sbom.catalogers.elf_note import CATALOGER
from tests.builders import elf
from tests.builders.evidence import Node, program, tree

NOTE = {"type": "rpm", "name": "tool", "version": "1.0-1.fc39", "osCpe": "cpe:/o:fedoraproject:fedora:39"}
DEBIAN = Distribution(id="debian", version_id="12")


def noted(note: object, machine: int = elf.X86_64) -> Node:
    return program(elf.program(package_note=note if isinstance(note, str) else json.dumps(note), machine=machine))


def catalog(nodes: dict[str, Node | bytes | str], distribution: Distribution | None = DEBIAN) -> Cataloged:
    return CATALOGER.catalog(tree(nodes, examiner=Examiner(())), distribution)


def test_note_names_package_system_and_files() -> None:
    (package,) = catalog({"a": noted(NOTE), "b": noted(NOTE)}).packages
    assert package.purl == "pkg:rpm/fedora/tool@1.0-1.fc39?arch=x86_64&distro=fedora-39"
    assert [location.path for location in package.locations] == ["a", "b"]
    assert package.source_name == "tool"


@pytest.mark.parametrize(
    ("more", "purl"),
    [
        ({"os": "fedora", "osVersion": "33"}, "pkg:rpm/fedora/tool@1.0-1.fc39?arch=x86_64&distro=fedora-33"),
        ({"architecture": "noarch"}, "pkg:rpm/fedora/tool@1.0-1.fc39?arch=noarch&distro=fedora-39"),
        ({"type": "deb", "osCpe": None}, "pkg:deb/debian/tool@1.0-1.fc39?arch=amd64&distro=debian-12"),
    ],
)
def test_identity_of_the_note_comes_before_that_of_the_image(more: dict[str, str | None], purl: str) -> None:
    assert [package.purl for package in catalog({"a": noted({**NOTE, **more})}).packages] == [purl]


def test_note_of_an_image_without_os_release_has_no_namespace() -> None:
    stated = {"type": "deb", "name": "tool", "version": "1"}
    assert [package.purl for package in catalog({"a": noted(stated)}, None).packages] == ["pkg:deb/tool@1?arch=amd64"]


def test_package_database_of_the_same_kind_tells_more_truly() -> None:
    assert catalog({"a": noted(NOTE), "var/lib/rpm/rpmdb.sqlite": "x"}).packages == ()
    assert len(catalog({"a": noted(NOTE), "var/lib/dpkg/status": "x"}).packages) == 1


@pytest.mark.parametrize("note", ["{", "[]", {"type": "rpm"}, {**NOTE, "type": "No Type"}, {**NOTE, "name": 7}])
def test_note_that_names_nothing_is_an_unknown(note: object) -> None:
    found = catalog({"a": noted(note)})
    assert (found.packages, [unknown.path for unknown in found.unknowns]) == ((), ["a"])
