"""Packages that files state: what lock files add, and what the installed truth takes away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from compliance.errors import FormatError
from compliance.formats.stated_package import StatedPackage
from compliance.model.inventory import Cataloged, Unknown
from compliance.model.request import DEFAULT_CONTENT_MAX, ContentRequest
from compliance.sbom import stated
from compliance.sbom.catalogers import CATALOGERS
from compliance.sbom.stated import StatingFiles, describes_installed, of_others
from tests.builders.evidence import Node, tree


def read_words(content: bytes, path: str) -> Iterator[StatedPackage]:
    for word in content.decode().split():
        if word == "BAD":
            raise FormatError("a bad word", code="bad")
        name, _, version = word.partition("=")
        yield StatedPackage(name=name, version=version)


WORDS = StatingFiles(
    id="words",
    type_="generic",
    readers=((ContentRequest(name="words", globs=("**/words",)), read_words),),
    declared=lambda path: not path.startswith("installed/"),
)


def catalog(nodes: dict[str, Node | bytes | str]) -> Cataloged:
    return WORDS.catalog(tree(nodes, requests=WORDS.requests), None)


def test_file_states_packages_up_to_where_it_is_damaged() -> None:
    found = catalog({"app/words": "a=1 none= b=2 BAD c=3"})
    assert [(package.purl, package.declared) for package in found.packages] == [
        ("pkg:generic/a@1", True),
        ("pkg:generic/b@2", True),
    ]
    assert found.unknowns == (Unknown(path="app/words", reason="a bad word"),)


def test_what_came_with_a_package_declares_nothing_but_may_be_installed() -> None:
    nodes: dict[str, Node | bytes | str] = {
        "app/node_modules/x/words": "a=1",
        "installed/node_modules/x/words": "b=2",
    }
    assert [(package.name, package.declared) for package in catalog(nodes).packages] == [("b", False)]


def test_number_of_packages_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stated, "STATED_MAX", 2)
    found = catalog({"a/words": "a=1", "b/words": "b=1 c=1 d=1"})
    assert [package.name for package in found.packages] == ["a", "b"]
    assert [unknown.path for unknown in found.unknowns] == ["b/words"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("app/yarn.lock", False),
        ("vendored/yarn.lock", False),
        ("app/node_modules/x/yarn.lock", True),
        ("usr/lib/python3/dist-packages/x/uv.lock", True),
        ("root/.cargo/registry/src/x/Cargo.lock", True),
        ("go/pkg/mod/a.org/x@v1/go.mod", True),
    ],
)
def test_files_of_others(path: str, expected: bool) -> None:
    assert of_others(path) is expected


@pytest.mark.parametrize(
    ("declared", "expected"), [((), False), (("a", "b"), True), (("a", "b", "c"), False), (("a",), True)]
)
def test_file_of_which_half_is_installed_describes_what_is_installed(declared: tuple[str, ...], expected: bool) -> None:
    assert describes_installed(declared, {"a"}) is expected


def test_no_lock_file_is_kept_beyond_the_usual_size() -> None:
    declaring = [cataloger for cataloger in CATALOGERS if isinstance(cataloger, StatingFiles)]
    assert declaring
    for cataloger in declaring:
        assert all(request.max_size <= DEFAULT_CONTENT_MAX for request in cataloger.requests)


def test_names_and_values_are_made_fit_to_print() -> None:
    (package,) = catalog({"app/words": "a\x1b[31m=1\u202e"}).packages
    assert (package.name.isprintable(), package.version.isprintable()) == (True, True)
