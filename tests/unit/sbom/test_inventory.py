"""Merging, owning and relating packages."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from compliance.formats.purl import package_url
from compliance.model.filesystem import FileTree, Unread
from compliance.model.inventory import (
    Cataloged,
    Distribution,
    Inventory,
    Location,
    Package,
    RelationshipKind,
    Unknown,
)
from compliance.model.request import ContentRequest
from compliance.sbom.catalogers import CATALOGERS
from compliance.sbom.inventory import requests, take_inventory
from tests.builders.evidence import Node, symlink, tree


@dataclass
class Given:
    """A cataloger that found what the test says."""

    packages: tuple[Package, ...] = ()
    unknowns: tuple[Unknown, ...] = ()
    id: str = "given"
    requests: tuple[ContentRequest, ...] = ()

    def catalog(self, tree: FileTree, distribution: Distribution | None) -> Cataloged:
        return Cataloged(packages=self.packages, unknowns=self.unknowns)


def package(name: str, type_: str = "deb", version: str = "1", **more: object) -> Package:
    made = Package(
        name=name,
        version=version,
        type=type_,
        purl=package_url(type_, name, version),
        found_by="given",
        locations=(Location(path=f"db/{name}", layer=0),),
    )
    return replace(made, **more)  # type: ignore[arg-type]


def inventory(*packages: Package, nodes: dict[str, Node | bytes | str] | None = None) -> Inventory:
    return take_inventory(tree(nodes or {}), [Given(packages)])


def edges(found: Inventory, kind: RelationshipKind = RelationshipKind.DEPENDS_ON) -> set[tuple[str, str]]:
    names = {item.purl: item.name for item in found.packages}
    return {(names[edge.source], names[edge.target]) for edge in found.relationships if edge.kind is kind}


def test_packages_are_sorted_by_purl_and_each_is_there_once() -> None:
    a, b = package("a"), package("b")
    elsewhere = replace(a, locations=(Location(path="db/other", layer=2),), supplier="A", depends=("b",))
    found = inventory(b, a, elsewhere)
    assert [item.name for item in found.packages] == ["a", "b"]
    assert [location.path for location in found.packages[0].locations] == ["db/a", "db/other"]
    assert (found.packages[0].supplier, found.packages[0].depends) == ("A", ("b",))


def test_copies_with_different_bytes_have_no_common_digest() -> None:
    one = package("a", digests=(("SHA-256", "1" * 64),))
    other = replace(one, digests=(("SHA-256", "2" * 64),), locations=(Location(path="x", layer=0),))
    assert inventory(one, one).packages[0].digests
    assert inventory(one, other).packages[0].digests == ()


def test_owned_paths_are_those_of_the_tree_where_folders_are_links() -> None:
    nodes: dict[str, Node | bytes | str] = {
        "bin": symlink("usr/bin"),
        "usr/bin/sh": symlink("dash"),
        "usr/bin/dash": "x",
    }
    found = inventory(package("dash", files=("bin/sh", "bin/dash", "bin", "usr/bin", "gone")), nodes=nodes)
    assert set(found.owners) == {"bin", "usr/bin/dash", "usr/bin/sh"}
    assert found.owner("nowhere", "usr/bin/sh") == "pkg:deb/dash@1"


def test_file_of_a_system_package_belongs_to_it_and_not_to_the_language_package() -> None:
    language = package("requests", "pypi", files=("site/requests.py", "db/requests"))
    system = package("python3-requests", files=("site/requests.py", "db/requests"))
    nodes: dict[str, Node | bytes | str] = {"site/requests.py": "", "db/requests": ""}
    found = inventory(language, system, nodes=nodes)
    assert set(found.owners.values()) == {system.purl}
    assert [item.parent for item in found.packages if item.type == "pypi"] == [system.purl]
    assert edges(found, RelationshipKind.CONTAINS) == {("python3-requests", "requests")}


def test_copy_outside_of_the_system_package_is_not_contained_in_it() -> None:
    owned = package("requests", "pypi")
    installed = replace(owned, locations=(Location(path="venv/requests", layer=1),))
    system = package("python3-requests", files=("db/requests",))
    found = inventory(owned, installed, system, nodes={"db/requests": "", "venv/requests": ""})
    assert [item.parent for item in found.packages if item.type == "pypi"] == [None]


def test_dependencies_by_name_and_by_what_is_provided_within_one_ecosystem() -> None:
    found = inventory(
        package("app", depends=("lib", "mail-agent", "old | new", "absent", "app")),
        package("lib"),
        package("exim", provides=("mail-agent",)),
        package("new"),
        package("lib", "apk"),
    )
    assert edges(found) == {("app", "lib"), ("app", "exim"), ("app", "new")}
    assert "pkg:apk/lib@1" not in {edge.target for edge in found.relationships}


def test_rpm_dependencies_on_files() -> None:
    found = inventory(package("app", "rpm", depends=("/bin/sh",)), package("bash", "rpm", files=("bin/sh",)))
    assert edges(found) == {("app", "bash")}


def test_of_two_versions_the_one_in_the_same_environment_counts() -> None:
    def at(site: str, name: str, version: str, *depends: str) -> Package:
        place = (Location(path=f"{site}/{name}-{version}.dist-info/METADATA", layer=0),)
        return package(name, "pypi", version, locations=place, depends=depends, provides=(name,))

    found = inventory(at("v1", "app", "1", "lib"), at("v1", "lib", "1"), at("v2", "lib", "2"))
    assert [edge.target for edge in found.relationships] == ["pkg:pypi/lib@1"]


def test_npm_dependencies_are_those_that_require_would_load() -> None:
    def at(folder: str, name: str, version: str, *depends: str) -> Package:
        place = (Location(path=f"{folder}/package.json", layer=0),)
        return package(name, "npm", version, locations=place, depends=depends)

    found = inventory(
        at("app/node_modules/a", "a", "1", "ms", "b"),
        at("app/node_modules/a/node_modules/ms", "ms", "2"),
        at("app/node_modules/ms", "ms", "1"),
        at("app/node_modules/b", "b", "1", "ms"),
        at("other/node_modules/c", "c", "1", "ms"),
    )
    assert {(edge.source, edge.target) for edge in found.relationships} == {
        ("pkg:npm/a@1", "pkg:npm/ms@2"),
        ("pkg:npm/a@1", "pkg:npm/b@1"),
        ("pkg:npm/b@1", "pkg:npm/ms@1"),
    }


def test_what_was_not_read_is_unknown() -> None:
    files = tree({}, unread=(Unread(path="big", reason="too large"),))
    found = take_inventory(files, [Given(unknowns=(Unknown(path="a", reason="damaged"),))])
    assert [(unknown.path, unknown.reason) for unknown in found.unknowns] == [("a", "damaged"), ("big", "too large")]


def test_every_content_is_asked_for_under_its_own_name() -> None:
    names = [request.name for request in requests()]
    assert len(names) == len(set(names))
    assert {request.name for cataloger in CATALOGERS for request in cataloger.requests} < set(names)


def test_catalogers_have_their_own_ids() -> None:
    assert len({cataloger.id for cataloger in CATALOGERS}) == len(CATALOGERS)


def test_an_empty_tree_has_an_empty_inventory() -> None:
    assert take_inventory(tree({})) == Inventory(packages=())


def test_importing_the_inventory_is_light(checkout: Path) -> None:
    program = "import sys, json, compliance.sbom.inventory; print(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", program], cwd=checkout, capture_output=True, text=True, check=True)
    loaded = set(json.loads(run.stdout))
    assert not loaded & {"cyclonedx", "packageurl", "license_expression", "sqlite3", "zipfile", "email", "yaml"}


def test_an_installed_copy_wins_over_a_declared_one_and_a_database_over_a_statement() -> None:
    stated = package("zlib", found_by="embedded-sbom", locations=(Location(path="a/sbom.json", layer=0),))
    installed = package("zlib", source_name="zlib-src", locations=(Location(path="var/lib/db", layer=0),))
    declared = package("zlib", declared=True, cpes=("cpe:2.3:a:x",), locations=(Location(path="a/lock", layer=0),))
    (merged,) = take_inventory(tree({}), [Given((stated, installed, declared))]).packages
    assert not merged.declared
    assert merged.found_by == installed.found_by
    assert merged.source_name == "zlib-src"
    assert merged.cpes == ("cpe:2.3:a:x",)
    assert len(merged.locations) == 3
