"""npm packages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.model.inventory import Cataloged
from compliance.sbom.catalogers.npm import CATALOGER, Manifest, read_manifest
from tests.builders.evidence import Node, tree


def catalog(nodes: dict[str, Node | bytes | str]) -> Cataloged:
    return CATALOGER.catalog(tree(nodes, requests=CATALOGER.requests), None)


def manifest(name: str, version: str | None = "1.0.0", **more: Any) -> str:
    return json.dumps({"name": name, **({"version": version} if version else {}), **more})


def test_installed_package_with_what_it_states() -> None:
    stated = manifest(
        "@s/x",
        license={"type": "MIT", "url": "u"},
        author={"name": "A", "email": "a@b.org"},
        homepage="https://x.org/",
        dependencies={"y": "^1"},
        optionalDependencies={"z": "*"},
        devDependencies={"jest": "*"},
    )
    (package,) = catalog({"app/node_modules/@s/x/package.json": stated}).packages
    assert (package.purl, package.name) == ("pkg:npm/%40s/x@1.0.0", "@s/x")
    assert (package.supplier, package.homepage) == ("A <a@b.org>", "https://x.org/")
    assert package.licenses[0].expression == "MIT"
    assert package.depends == ("y", "z")


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("app/node_modules/x/package.json", True),
        ("app/node_modules/@s/x/package.json", True),
        ("app/node_modules/.pnpm/x@1/node_modules/x/package.json", True),
        ("app/node_modules/y/node_modules/x/package.json", True),
        ("usr/share/nodejs/x/package.json", True),
        ("app/node_modules/next/dist/compiled/x/package.json", False),
        ("app/node_modules/resolve/test/x/package.json", False),
        ("app/node_modules/package.json", False),
    ],
)
def test_only_what_npm_put_there_counts(path: str, counts: bool) -> None:
    assert len(catalog({path: manifest("x")}).packages) == counts


@pytest.mark.parametrize("sign", ["node_modules/y/index.js", "package-lock.json", "yarn.lock"])
def test_application_with_its_dependencies_beside_it_is_no_package(sign: str) -> None:
    assert catalog({"app/package.json": manifest("app"), f"app/{sign}": "x"}).packages == ()


def test_private_manifest_names_no_package() -> None:
    assert catalog({"srv/package.json": manifest("app", private=True)}).packages == ()


def test_no_purl_without_a_version() -> None:
    found = catalog({"node_modules/x/package.json": manifest("x", None), "b/package.json": manifest("b", None)})
    assert found.packages == ()
    assert [unknown.path for unknown in found.unknowns] == ["node_modules/x/package.json"]


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{", b"[" * 100_000, b'{"name": {"a": 1}, "version": 2, "license": [1, null], "author": 3}'],
)
def test_odd_manifests_are_read_without_a_traceback(content: bytes) -> None:
    assert isinstance(read_manifest(content), Manifest)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["name", "version", "license", "licenses", "author", "type", "email", "dependencies"]),
                inner,
            )
        ),
    )
)
def test_any_json_is_read(value: object) -> None:
    read = read_manifest(json.dumps(value).encode())
    "".join((read.name, read.version, *read.licenses, *read.dependencies, read.author or "")).encode(
        "utf-8", "surrogatepass"
    )


LOCK = json.dumps(
    {
        "lockfileVersion": 3,
        "packages": {
            "": {"name": "app", "version": "1.0.0"},
            "node_modules/x": {"version": "1.0.0"},
            "node_modules/y": {"version": "2.0.0"},
            "node_modules/z": {"version": "3.0.0"},
        },
    }
)


def test_lock_file_declares_where_nothing_is_installed() -> None:
    found = catalog({"srv/package-lock.json": LOCK, "opt/node_modules/w/package.json": manifest("w")}).packages
    assert {package.purl: package.declared for package in found} == {
        "pkg:npm/w@1.0.0": False,
        "pkg:npm/app@1.0.0": True,
        "pkg:npm/x@1.0.0": True,
        "pkg:npm/y@2.0.0": True,
        "pkg:npm/z@3.0.0": True,
    }


@pytest.mark.parametrize(
    "installed",
    ["srv/node_modules/x", "srv/app/node_modules/x", "node_modules/x", "srv/node_modules/.pnpm/x@1/node_modules/x"],
)
def test_lock_file_adds_nothing_where_node_modules_is_beside_or_above(installed: str) -> None:
    nodes: dict[str, Node | bytes | str] = {
        "srv/app/package-lock.json": LOCK,
        f"{installed}/package.json": manifest("x", "9.0.0"),
    }
    assert [package.purl for package in catalog(nodes).packages] == ["pkg:npm/x@9.0.0"]


def test_lock_file_adds_nothing_where_half_of_it_is_installed_elsewhere() -> None:
    nodes: dict[str, Node | bytes | str] = {
        "srv/package-lock.json": LOCK,
        "opt/node_modules/x/package.json": manifest("x"),
        "opt/node_modules/y/package.json": manifest("y", "9.0.0"),
    }
    assert [package.declared for package in catalog(nodes).packages] == [False, False]


def test_declared_package_that_is_installed_elsewhere_is_one_installed_package() -> None:
    nodes: dict[str, Node | bytes | str] = {
        "srv/package-lock.json": LOCK,
        "opt/node_modules/x/package.json": manifest("x"),
    }
    found = [package for package in catalog(nodes).packages if package.name == "x"]
    assert [(package.purl, package.declared) for package in found] == [("pkg:npm/x@1.0.0", False)]


def test_lock_file_of_an_installed_package_says_nothing() -> None:
    nodes: dict[str, Node | bytes | str] = {"usr/lib/node_modules/x/yarn.lock": 'a@^1:\n  version "1.0.0"\n'}
    assert catalog(nodes) == Cataloged()


def test_damaged_lock_file_is_an_unknown() -> None:
    found = catalog({"a/package-lock.json": "{", "b/bun.lock": "[", "c/pnpm-lock.yaml": "x: 1"})
    assert [unknown.path for unknown in found.unknowns] == ["a/package-lock.json", "c/pnpm-lock.yaml", "b/bun.lock"]
