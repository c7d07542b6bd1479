"""Python packages."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.model.inventory import Cataloged
from compliance.sbom.catalogers.python import CATALOGER
from tests.builders.evidence import Node, tree

SITE = "usr/lib/python3/site-packages"


def catalog(nodes: dict[str, Node | bytes | str]) -> Cataloged:
    return CATALOGER.catalog(tree(nodes, requests=CATALOGER.requests), None)


def test_dist_info_becomes_a_package_with_what_it_states() -> None:
    metadata = (
        "Metadata-Version: 2.4\nName: Foo_Bar\nVersion: 1.0\nLicense-Expression: MIT\nAuthor: A\n"
        "Project-URL: Homepage, https://foo.org/\nRequires-Dist: Baz.Qux[extra] (>=1); python_version > '3'\n"
        "Requires-Dist: pytest; extra == 'test'\n\nName: of the description\n"
    )
    record = (
        "foo/__init__.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n"
        '"foo/a,b.py",,\n../../../bin/foo,,\nfoo-1.0.dist-info/RECORD,,\n'
    )
    folder = f"{SITE}/foo-1.0.dist-info"
    (package,) = catalog({f"{folder}/METADATA": metadata, f"{folder}/RECORD": record}).packages
    assert (package.purl, package.name) == ("pkg:pypi/foo-bar@1.0", "Foo_Bar")
    assert (package.supplier, package.homepage) == ("A", "https://foo.org/")
    assert package.depends == ("baz-qux",)
    assert package.files == (
        f"{SITE}/foo/__init__.py",
        f"{SITE}/foo/a,b.py",
        "usr/bin/foo",
        f"{folder}/RECORD",
        f"{folder}/METADATA",
    )
    assert package.file_digests == {
        f"{SITE}/foo/__init__.py": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    }


@pytest.mark.parametrize("path", [f"{SITE}/foo.egg-info/PKG-INFO", f"{SITE}/foo.egg-info", "x/EGG-INFO/PKG-INFO"])
def test_egg_info_as_folder_and_as_file(path: str) -> None:
    (package,) = catalog({path: "Name: foo\nVersion: 1.0\n"}).packages
    assert package.purl == "pkg:pypi/foo@1.0"


def test_zipped_egg_is_read_and_a_damaged_one_is_an_unknown() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as egg:
        egg.writestr("EGG-INFO/PKG-INFO", "Name: foo\nVersion: 1.0\n")
    found = catalog({"opt/foo-1.0.egg": file.getvalue(), "opt/bar.egg": b"no zip"})
    assert [package.purl for package in found.packages] == ["pkg:pypi/foo@1.0"]
    assert [(unknown.path, unknown.reason) for unknown in found.unknowns] == [
        ("opt/bar.egg", "Python egg: not a zip archive")
    ]


def test_metadata_without_name_or_version_are_unknowns() -> None:
    found = catalog({"a.dist-info/METADATA": "Version: 1\n", "b.dist-info/METADATA": "Name: b\n"})
    assert found.packages == ()
    assert len(found.unknowns) == 2


def test_direct_url_names_the_commit_but_no_password() -> None:
    direct = {"url": "https://user:secret@git.org/a.git", "vcs_info": {"vcs": "git", "commit_id": "c0ffee"}}
    folder = f"{SITE}/a-1.dist-info"
    nodes: dict[str, Node | bytes | str] = {
        f"{folder}/METADATA": "Name: a\nVersion: 1\n",
        f"{folder}/direct_url.json": json.dumps(direct),
    }
    (package,) = catalog(nodes).packages
    assert package.purl == "pkg:pypi/a@1?vcs_url=git%2Bhttps://git.org/a.git%40c0ffee"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("License-Expression: MIT OR Apache-2.0\nLicense: x", ["MIT OR Apache-2.0"]),
        ("License: BSD\nClassifier: License :: OSI Approved :: MIT License", ["MIT"]),
        ("License: Apache 2.0\nClassifier: License :: OSI Approved :: MIT License", ["Apache-2.0"]),
        ("License: BSD", ["BSD"]),
        ("License: UNKNOWN", []),
        ("Classifier: License :: OSI Approved", []),
        ("License: a whole\n  licence text\n  here", []),
    ],
)
def test_licences(header: str, expected: list[str]) -> None:
    (package,) = catalog({"a.dist-info/METADATA": f"Name: a\nVersion: 1\n{header}\n"}).packages
    assert [licence.expression or licence.raw for licence in package.licenses] == expected


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes_are_catalogued(metadata: bytes, beside: bytes) -> None:
    found = catalog(
        {
            "a.dist-info/METADATA": b"Name: a\nVersion: 1\n" + metadata,
            "b.dist-info/METADATA": metadata,
            "a.dist-info/RECORD": beside,
            "a.dist-info/direct_url.json": beside,
            "c.egg": beside,
        }
    )
    for package in found.packages:
        package.purl.encode()


def test_lock_files_declare_where_nothing_is_installed() -> None:
    nodes: dict[str, Node | bytes | str] = {
        "a/requirements.txt": "Foo.Bar==1.0\nranged>=2\n",
        "b/requirements/prod.txt": "one==1\n",
        "c/poetry.lock": '[[package]]\nname = "two"\nversion = "2"\n',
        "d/pylock.toml": '[[packages]]\nname = "three"\nversion = "3"\n',
        "e/Pipfile.lock": '{"default": {"four": {"version": "==4"}}}',
    }
    found = catalog(nodes).packages
    assert {package.purl for package in found} == {
        "pkg:pypi/foo.bar@1.0",
        "pkg:pypi/one@1",
        "pkg:pypi/two@2",
        "pkg:pypi/three@3",
        "pkg:pypi/four@4",
    }
    assert all(package.declared for package in found)
    assert found[0].provides == ("foo-bar",)


@pytest.mark.parametrize("venv", ["srv/.venv", "srv/app/venv"])
def test_virtual_environment_below_the_project_counts_before_its_lock_file(venv: str) -> None:
    nodes: dict[str, Node | bytes | str] = {
        "srv/requirements.txt": "a==1\nb==1\nc==1\n",
        f"{venv}/lib/python3/site-packages/a-2.dist-info/METADATA": "Name: a\nVersion: 2\n",
    }
    assert [package.purl for package in catalog(nodes).packages] == ["pkg:pypi/a@2"]


def test_lock_file_of_which_half_is_installed_anywhere_adds_nothing() -> None:
    nodes: dict[str, Node | bytes | str] = {
        "requirements.txt": "Zope.Interface==1\nb==1\n",
        f"{SITE}/z.dist-info/METADATA": "Name: zope-interface\nVersion: 2\n",
    }
    assert [package.purl for package in catalog(nodes).packages] == ["pkg:pypi/zope-interface@2"]


def test_declared_package_that_is_installed_is_one_package_however_it_is_spelt() -> None:
    nodes: dict[str, Node | bytes | str] = {
        "srv/requirements.txt": "Zope.Interface==1\nb==1\nc==1\n",
        f"{SITE}/z.dist-info/METADATA": "Name: zope-interface\nVersion: 1\n",
    }
    assert [(package.purl, package.declared) for package in catalog(nodes).packages] == [
        ("pkg:pypi/zope-interface@1", False),
        ("pkg:pypi/b@1", True),
        ("pkg:pypi/c@1", True),
    ]


def test_zipped_egg_has_its_place_inside() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as egg:
        egg.writestr("EGG-INFO/PKG-INFO", "Name: foo\nVersion: 1.0\n")
    (package,) = catalog({"opt/foo-1.0.egg": file.getvalue()}).packages
    assert (package.locations[0].path, package.locations[0].inner) == ("opt/foo-1.0.egg", "EGG-INFO/PKG-INFO")
