"""Debian packages."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from compliance.model.inventory import Cataloged, Distribution, Package
from compliance.sbom.catalogers.dpkg import CATALOGER
from tests.builders.evidence import Node, symlink, tree

DEBIAN = Distribution(id="debian", version_id="12")


def catalog(nodes: dict[str, Node | bytes | str]) -> Cataloged:
    return CATALOGER.catalog(tree(nodes, requests=CATALOGER.requests), DEBIAN)


def record(name: str, state: str = "install ok installed", more: str = "") -> str:
    return f"Package: {name}\nStatus: {state}\nArchitecture: amd64\nVersion: 1:2.0-1\n{more}\n"


def only(found: Cataloged) -> Package:
    assert len(found.packages) == 1
    return found.packages[0]


def test_record_becomes_a_package_with_what_it_states() -> None:
    more = (
        "Maintainer: A B <a@b.org>\nHomepage: https://a.org/\nSource: src (3.0)\nPre-Depends: libc6 (>= 2)\n"
        "Depends: a:any, b (<< 1) | c\nProvides: v (= 1), w\n"
    )
    package = only(catalog({"var/lib/dpkg/status": record("x", more=more)}))
    assert package.purl == "pkg:deb/debian/x@1:2.0-1?arch=amd64&distro=debian-12"
    assert (package.source_name, package.source_version) == ("src", "3.0")
    assert (package.supplier, package.homepage) == ("A B <a@b.org>", "https://a.org/")
    assert package.depends == ("libc6", "a", "b | c")
    assert package.provides == ("v", "w")


def test_state_decides_not_what_somebody_wanted() -> None:
    status = "".join(
        record(name, state)
        for name, state in (
            ("a", "deinstall ok installed"),
            ("b", "install ok half-configured"),
            ("c", "install reinstreq half-installed"),
            ("d", "install ok unpacked"),
            ("e", "deinstall ok config-files"),
            ("f", "unknown ok not-installed"),
        )
    )
    found = catalog({"var/lib/dpkg/status": status + "Package: g\nVersion: 1\n\n"})
    assert [package.name for package in found.packages] == ["a", "b"]
    assert [unknown.reason for unknown in found.unknowns] == [
        "the record of b is half-configured: its configuration did not end",
        "the record of c is half-installed",
        "the record of d is unpacked",
        "the record of g is without a state",
    ]


def test_files_and_sums_come_from_the_info_folder_by_name_and_architecture() -> None:
    found = catalog(
        {
            "var/lib/dpkg/status": record("libx") + record("y"),
            "var/lib/dpkg/info/libx:amd64.list": "/.\n/usr\n/usr/lib/libx.so\n",
            "var/lib/dpkg/info/libx:amd64.md5sums": "0123456789abcdef0123456789ABCDEF  usr/lib/libx.so\n",
            "var/lib/dpkg/info/y.list": "/bin/y\n",
        }
    )
    libx, y = found.packages
    assert libx.files == ("usr", "usr/lib/libx.so")
    assert libx.file_digests == {"usr/lib/libx.so": "md5:0123456789abcdef0123456789abcdef"}
    assert y.files == ("bin/y",)


def test_status_d_needs_no_state_and_has_its_sums_beside() -> None:
    package = only(
        catalog(
            {
                "var/lib/dpkg/status.d/libssl1.1": "Package: libssl1.1\nVersion: 1\n",
                "var/lib/dpkg/status.d/libssl1.1.md5sums": "0" * 32 + "  ./usr/lib/libssl.so\n",
                "var/lib/dpkg/status.d/libssl1.1.preinst": "#!/bin/sh\n",
            }
        )
    )
    assert (package.name, package.files) == ("libssl1.1", ("usr/lib/libssl.so",))
    assert package.purl == "pkg:deb/debian/libssl1.1@1?distro=debian-12"


def test_licences_of_a_machine_readable_copyright_file_are_its_license_fields() -> None:
    text = (
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n"
        "Files: *\nLicense: GPL-2+\n See /usr/share/common-licenses/GPL-2\n\nLicense: Expat\n text\n"
    )
    nodes: dict[str, Node | bytes | str] = {
        "var/lib/dpkg/status": record("x"),
        "usr/share/doc/x": symlink("y"),
        "usr/share/doc/y/copyright": text,
    }
    assert [licence.expression for licence in only(catalog(nodes)).licenses] == ["GPL-2.0-or-later", "MIT"]


def test_reference_to_a_gnu_licence_does_not_say_which_versions() -> None:
    text = "On Debian systems see /usr/share/common-licenses/GPL-2.\nor /usr/share/common-licenses/Apache-2.0"
    nodes: dict[str, Node | bytes | str] = {"var/lib/dpkg/status": record("x"), "usr/share/doc/x/copyright": text}
    found = {licence.raw: licence.expression for licence in only(catalog(nodes)).licenses}
    assert found == {"GPL-2": None, "Apache-2.0": "Apache-2.0"}


@given(st.binary(max_size=300), st.binary(max_size=100))
def test_any_bytes_are_catalogued(status: bytes, other: bytes) -> None:
    for head in (b"", b"Package: a\nStatus: install ok installed\nVersion: 1\n"):
        found = catalog(
            {
                "var/lib/dpkg/status": head + status,
                "var/lib/dpkg/status.d/a.b": b"Package: a\nVersion: " + other,
                "var/lib/dpkg/info/a.list": other,
                "var/lib/dpkg/info/a.md5sums": other,
                "usr/share/doc/a/copyright": b"Format: dep5\n" + other,
            }
        )
        for package in found.packages:
            package.purl.encode()
