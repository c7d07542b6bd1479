"""Purls are those of packageurl-python, which follows the specification."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packageurl import PackageURL

from compliance.formats.purl import package_url

KEEP_CASE = ("deb", "rpm", "golang", "maven", "gem", "cargo")
LOWER_CASE = ("npm", "pypi", "apk", "composer")
# Lone surrogates have no UTF-8: text is cleaned of them before it gets here. A name is never blank.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
NAME = TEXT.filter(lambda text: bool(text.replace("/", "").strip()))
ASCII = st.text(st.characters(max_codepoint=0x7E, min_codepoint=0x21), min_size=1, max_size=30)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (
            package_url("deb", "zlib1g", "1:1.2.13.dfsg-1", namespace="debian", qualifiers={"arch": "amd64"}),
            "pkg:deb/debian/zlib1g@1:1.2.13.dfsg-1?arch=amd64",
        ),
        (
            package_url("deb", "base-files", "12.4+deb12u15", namespace="debian", qualifiers={"distro": "debian-12"}),
            "pkg:deb/debian/base-files@12.4%2Bdeb12u15?distro=debian-12",
        ),
        (package_url("npm", "core", "7.0.0", namespace="@babel"), "pkg:npm/%40babel/core@7.0.0"),
        (package_url("pypi", "Foo_Bar", "1.0"), "pkg:pypi/foo-bar@1.0"),
        (
            package_url("golang", "toml", "v1.2.1", namespace="github.com/BurntSushi"),
            "pkg:golang/github.com/BurntSushi/toml@v1.2.1",
        ),
        (package_url("golang", "app", None, namespace=""), "pkg:golang/app"),
        (
            package_url("rpm", "vim", "9-1", qualifiers={"epoch": "2", "arch": "", "distro": None}),
            "pkg:rpm/vim@9-1?epoch=2",
        ),
    ],
)
def test_known_purls(made: str, expected: str) -> None:
    assert made == expected


@given(type_=st.sampled_from(KEEP_CASE), name=NAME, version=TEXT, namespace=TEXT, arch=TEXT)
def test_any_text_is_written_as_packageurl_writes_it(
    type_: str, name: str, version: str, namespace: str, arch: str
) -> None:
    theirs = PackageURL(type_, namespace, name, version, {"arch": arch}).to_string()
    assert package_url(type_, name, version, namespace=namespace, qualifiers={"arch": arch}) == theirs


@given(type_=st.sampled_from(LOWER_CASE), name=ASCII.filter(lambda text: bool(text.strip("/"))), version=ASCII)
def test_names_without_case_are_lowered_as_packageurl_lowers_them(type_: str, name: str, version: str) -> None:
    # packageurl-python lowers the name after encoding it, escapes with it (%3C becomes %3c); readers take both.
    theirs = PackageURL(type_, None, name, version).to_string()
    assert package_url(type_, name, version).lower() == theirs.lower()
    assert PackageURL.from_string(package_url(type_, name, version)).name == PackageURL.from_string(theirs).name
