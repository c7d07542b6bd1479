"""What the comparison with ground truth counts as found, missing, extra, repeated."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.benchmarks.package_managers import Known, debian, node, python
from tests.benchmarks.truth import compare, components, parse


def file(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def package(folder: Path, name: str, version: str = "1.0.0") -> None:
    file(folder / "package.json", json.dumps({"name": name, "version": version}))


@pytest.mark.parametrize(
    ("purl", "known"),
    [
        ("pkg:deb/debian/zlib1g@1%3A1.2.13?arch=amd64", Known("deb", "zlib1g", "1:1.2.13")),
        ("pkg:deb/debian/zlib1g@1.2.13?epoch=1", Known("deb", "zlib1g", "1:1.2.13")),
        ("pkg:rpm/rocky/bash@5.1?epoch=0", Known("rpm", "bash", "5.1")),
        ("pkg:npm/%40babel/core", Known("npm", "@babel/core", "")),
        ("pkg:pypi/ruamel.yaml@0.18", Known("pypi", "ruamel-yaml", "0.18")),
        ("pkg:golang/stdlib@go1.22.1", Known("golang", "stdlib", "1.22.1")),
        ("pkg:golang/github.com/a/b@v3.1.0#v3", Known("golang", "github.com/a/b/v3", "v3.1.0")),
        ("pkg:golang/example.org/main@(devel)", Known("golang", "example.org/main", "")),
    ],
)
def test_package_urls_have_one_spelling(purl: str, known: Known) -> None:
    assert parse(purl).known == known


def test_each_difference_is_counted_in_its_place() -> None:
    truth = [Known("npm", name, "1.0.0") for name in ("a", "b", "c")]
    purls = ["a@1.0.0", "a@1.0.0", "B@1.0.0", "b@2.0.0", "stub"]
    document = {"components": [{"components": [{"purl": f"pkg:npm/{purl}"} for purl in purls]}]}
    found = compare("npm", truth, components(document))
    assert found == {
        "true": ["a@1.0.0", "b@1.0.0"],
        "missing": ["c@1.0.0"],
        "extra": ["b@2.0.0"],
        "versionless": ["stub"],
        "repeated": 1,
    }


def test_two_architectures_of_one_package_are_no_repetition() -> None:
    document = {"components": [{"purl": f"pkg:deb/debian/libc6@1?arch={arch}"} for arch in ("amd64", "i386")]}
    assert compare("deb", [Known("deb", "libc6", "1")], components(document))["repeated"] == 0


def test_a_main_module_without_version_is_found_under_any(tmp_path: Path) -> None:
    document = {"components": [{"purl": "pkg:golang/example.org/main@v1.2.3"}]}
    found = compare("golang", [Known("golang", "example.org/main", "")], components(document))
    assert (found["missing"], found["extra"], found["versionless"]) == ([], [], [])


def test_npm_installed_only_what_lies_in_a_chain_of_node_modules(tmp_path: Path) -> None:
    package(tmp_path / "app", "app")
    modules = tmp_path / "app/node_modules"
    package(modules / "a", "a")
    package(modules / "@scope/b", "@scope/b")
    package(modules / "a/node_modules/c", "c")
    package(modules / "a/test/node_modules/fixture", "fixture")
    package(modules / "a/dist/compiled/bundled", "bundled")
    (modules / ".bin").mkdir()
    assert {str(known) for known in node(tmp_path, tmp_path)} == {"a@1.0.0", "@scope/b@1.0.0", "c@1.0.0"}


@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="dpkg-query reads the database")
def test_dpkg_says_what_is_installed_not_what_left_its_configuration(tmp_path: Path) -> None:
    stanzas = [
        f"Package: {name}\nStatus: {status}\nArchitecture: all\nMaintainer: x\nVersion: 1\nDescription: x\n"
        for name, status in (("here", "install ok installed"), ("gone", "deinstall ok config-files"))
    ]
    file(tmp_path / "var/lib/dpkg/status", "\n".join(stanzas))
    file(tmp_path / "var/lib/dpkg/status.d/single", "Package: single\nVersion: 2\nArchitecture: all\n")
    assert {str(known) for known in debian(tmp_path, tmp_path)} == {"here@1", "single@2"}


def test_python_distributions_are_read_from_every_site(tmp_path: Path) -> None:
    for site, name in (("venv/lib/python3.11/site-packages", "Foo.Bar"), ("usr/lib/python3/dist-packages", "wheel")):
        file(tmp_path / site / f"{name}-1.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    assert {str(known) for known in python(tmp_path, tmp_path)} == {"foo-bar@1", "wheel@1"}
