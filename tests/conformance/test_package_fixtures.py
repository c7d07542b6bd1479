"""Pieces of real root file systems: the inventory finds what their package databases state, and nothing more."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from compliance.formats.cyclonedx import to_cyclonedx_json
from compliance.formats.examine import Examiner
from compliance.formats.sbom_document import Tool, of_image
from compliance.model.inventory import Inventory, Package, RelationshipKind
from compliance.sbom.inventory import requests, take_inventory
from tests.builders.evidence import image, tree_from_directory

FIXTURES = Path(os.environ.get("HULLMARK_SHARED") or Path(__file__).resolve().parents[3] / "shared") / "fixtures"
CASES = sorted(path.parent for path in FIXTURES.glob("packages/*/*/expected.json"))

COVERED = frozenset(
    {
        "apk",
        "binary",
        "bitnami",
        "chisel",
        "composite",
        "conan",
        "conda",
        "dart",
        "dotnet",
        "dpkg",
        "elf-note",
        "elixir",
        "embedded-sbom",
        "erlang",
        "go",
        "haskell",
        "java",
        "lua",
        "npm",
        "pacman",
        "php",
        "portage",
        "python",
        "r",
        "rpm",
        "ruby",
        "rust",
        "snap",
        "swift",
        "wordpress",
    }
)
# Stated in a case and rightly not found, as `comparable` spells it.
ONLY_LOCKED = {
    # a lock file beside node_modules that has not got them
    "npm/package-lock-v2-node_modules": {"pkg:npm/ansi-colors@3.2.3", "pkg:npm/array-flatten@1.1.1"},
    # ranges (>= 3.4.1, ~= 1.1, == 2.8.*): they name no version
    "python/requirements": {
        "pkg:pypi/bar@2.0.0",
        "pkg:pypi/mopidy-dirble@1.1",
        "pkg:pypi/numpy@3.4.1",
        "pkg:pypi/requests@2.8.0",
        "pkg:pypi/sqlalchemy@2.0.0",
    },
    "composite/syft-pkg-coverage": {
        # databases below /pkgs, where no package manager keeps them
        "pkg:deb/ubuntu/apt@1.8.2?arch=amd64",
        "pkg:deb/ubuntu/dash@0.5.8-2.4?arch=amd64",
        "pkg:deb/ubuntu/netbase@5.4?arch=all",
        "pkg:rpm/ubuntu/dive@0.9.2-1?arch=x86_64",
        # for the tests of a project whose jar lies beside the pom.xml, without it
        "pkg:maven/junit/junit@4.12",
        # a string in setup.py, which is a program
        "pkg:pypi/mypy@v0.770",
    },
}


def case_name(case: Path) -> str:
    return f"{case.parent.name}/{case.name}"


def inventory_of(case: Path) -> Inventory:
    return take_inventory(tree_from_directory(case / "rootfs", requests=requests(), examiner=Examiner(())))


def comparable(purl: str, *, namespace: bool = True) -> str:
    """The purl as packageurl-python spells it, without what the fixtures leave out or other tools add."""
    parts = PackageURL.from_string(purl)
    left_out = ("build", "channel", "subdir", "type") if parts.type == "conda" else ("distro", "upstream")
    kept = {key: value for key, value in parts.qualifiers.items() if key not in left_out}
    parts = parts._replace(qualifiers=kept, namespace=parts.namespace if namespace else None)
    if parts.type == "golang":  # of vendored modules some leave out the "v" that a Go version begins with
        parts = parts._replace(version=(parts.version or "").removeprefix("v") or None)
    if parts.type == "cocoapods" and "/" in parts.name:  # a subspec is the subpath (purl-spec, cocoapods)
        pod, _, subspec = parts.name.partition("/")
        parts = parts._replace(name=pod, subpath=subspec)
    return parts.to_string()


def expected_of(case: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((case / "expected.json").read_text())
    return loaded


def wanted(expected: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    """(purl, whether it may be left out)."""
    for package in expected["expected"]:
        if "purl" in package:
            yield package["purl"], bool(package.get("optional"))


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_inventory_finds_what_the_case_states(case: Path) -> None:
    name = case_name(case)
    if case.parent.name not in COVERED:
        pytest.skip(f"no cataloger for {case.parent.name}")
    expected = expected_of(case)
    stated = list(wanted(expected))
    types = {PackageURL.from_string(purl).type for purl, _ in stated}
    with_namespace = any(PackageURL.from_string(purl).namespace for purl, _ in stated)
    found = {
        comparable(package.purl, namespace=with_namespace)
        for package in inventory_of(case).packages
        if package.type in types
    }
    must = {comparable(purl) for purl, optional in stated if not optional}
    may = {comparable(purl) for purl, _ in stated}
    assert must - found - {comparable(purl) for purl in ONLY_LOCKED.get(name, ())} == set()
    if expected["expected_complete"]:
        assert found - may == set()


@pytest.mark.parametrize("case", [case for case in CASES if case.parent.name in ("dpkg", "apk", "rpm")], ids=case_name)
def test_facts_of_system_packages_are_those_of_the_database(case: Path) -> None:
    found = {comparable(package.purl): package for package in inventory_of(case).packages}
    for stated in expected_of(case)["expected"]:
        package = found.get(comparable(stated.get("purl", "pkg:generic/none")))
        if package is None:
            continue
        assert package.version == stated["version"]
        assert package.architecture == stated.get("arch", package.architecture)
        assert package.supplier == (stated.get("maintainer") or stated.get("vendor") or package.supplier)
        assert package.homepage == (stated.get("homepage") or stated.get("url") or package.homepage)
        assert package.source_version == stated.get("source_version", package.source_version)
        if "source" in stated:
            assert package.source_name == stated["source"]
        if stated.get("licence_text"):
            assert " ".join(licence.raw for licence in package.licenses) == stated["licence_text"]


def test_damaged_apk_database_gives_its_readable_records_and_says_so(shared: Path) -> None:
    inventory = inventory_of(shared / "fixtures/packages/apk/corrupt-entry")
    assert [package.name for package in inventory.packages] == ["alpine-baselayout-data"]
    assert [unknown.path for unknown in inventory.unknowns] == ["lib/apk/db/installed"]


def test_python_packages_that_a_deb_ships_are_contained_in_it(shared: Path) -> None:
    inventory = inventory_of(shared / "fixtures/packages/dpkg/debian-12-live")
    owned = {package.name: package.parent for package in inventory.packages if package.type == "pypi"}
    assert owned["requests"] == "pkg:deb/debian/python3-requests@2.28.1%2Bdfsg-1?arch=all&distro=debian-12"
    assert len(owned) == 7
    assert None not in owned.values()
    contained = {edge.target for edge in inventory.relationships if edge.kind is RelationshipKind.CONTAINS}
    assert contained == {package.purl for package in inventory.packages if package.type == "pypi"}


REFERENCES = sorted((FIXTURES / "reference").glob("syft-*.cdx.json.gz"))
# What another tool states of these cases and the bytes do not: packages without version, keys, the application itself.
UNTRUE = {
    "pkg:apk/alpine/invalidPackageWithoutAVersion",
    "pkg:golang/example.test/localdep",
    "pkg:maven/test/test",
    "pkg:npm/app@1.0.0",
    "pkg:rpm/fedora/gpg-pubkey@9867c58f-601c49ca",
}
# Node.js loads the nearer node_modules first, which that tool does not heed.
UNTRUE_EDGES = {
    ("pkg:npm/debug@2.6.9", "pkg:npm/ms@2.1.3"),
    ("pkg:npm/send@0.18.0", "pkg:npm/ms@2.0.0"),
}


def bare(purl: str) -> str:
    return PackageURL.from_string(purl)._replace(qualifiers={}).to_string()


@pytest.mark.parametrize("reference", REFERENCES, ids=lambda path: path.name.split(".cdx")[0])
def test_nothing_that_another_tool_finds_is_missing(reference: Path) -> None:
    _, ecosystem, name = reference.name.removesuffix(".cdx.json.gz").split("_", 2)
    document = json.loads(gzip.decompress(reference.read_bytes()))
    inventory = inventory_of(FIXTURES / "packages" / ecosystem / name)
    theirs = {part["bom-ref"]: bare(part["purl"]) for part in document["components"] if part.get("purl")}
    ours = {package.purl: bare(package.purl) for package in inventory.packages}
    assert set(theirs.values()) - set(ours.values()) - {bare(purl) for purl in UNTRUE} == set()
    edges = {
        (theirs[line["ref"]], theirs[target])
        for line in document.get("dependencies", ())
        for target in line.get("dependsOn", ())
        if line["ref"] in theirs and target in theirs
    }
    found = {(ours[edge.source], ours[edge.target]) for edge in inventory.relationships}
    untrue = {bare(purl) for purl in UNTRUE}
    missing = {edge for edge in edges - found if not untrue & set(edge)}
    assert missing - UNTRUE_EDGES == set()


@pytest.mark.parametrize("case", [case for case in CASES if case.parent.name in COVERED], ids=case_name)
def test_every_sbom_is_valid_and_names_every_package_once(case: Path) -> None:
    inventory = inventory_of(case)
    effective = datetime(2026, 11, 1, tzinfo=UTC)
    tool = Tool(name="hullmark", version="1")
    written = to_cyclonedx_json(of_image(image(), inventory, tool=tool, effective=effective))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(written.decode()) is None
    document = json.loads(written)
    refs = [part["bom-ref"] for part in nested(document["components"])]
    assert sorted(refs) == sorted(package.purl for package in inventory.packages)
    lines = {line["ref"] for line in document["dependencies"]}
    assert lines == {*refs, document["metadata"]["component"]["bom-ref"]}


def nested(components: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for component in components:
        yield component
        yield from nested(component.get("components", []))


def test_every_location_lies_in_the_tree() -> None:
    for case in CASES:
        if case.parent.name in COVERED:
            tree = tree_from_directory(case / "rootfs", requests=requests(), examiner=Examiner(()))
            packages: tuple[Package, ...] = take_inventory(tree).packages
            assert [p.purl for p in packages for place in p.locations if place.path not in tree.entries] == []
