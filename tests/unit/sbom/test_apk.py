"""Alpine-style packages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.model.inventory import Cataloged, Distribution
from compliance.sbom.catalogers.apk import CATALOGER
from tests.builders.evidence import tree

ALPINE = Distribution(id="alpine", version_id="3.20.1")
RECORD = (
    "C:Q1AAAA=\nP:musl\nV:1.2-r0\nA:x86_64\nL:MIT\no:musl-src\nm:N <n@a.org>\nU:https://musl.libc.org/\n"
    "D:so:libx.so.1 zlib>=1.2 !old /bin/sh\np:so:libc.musl-x86_64.so.1=1 cmd:ldd=1.2-r0\n"
    "F:lib\nR:ld-musl.so.1\na:0:0:755\nZ:Q1iiiiiiiiiiiiiiiiiiiiiiiiiiU=\nR:empty\nF:\nR:root\n"
)


def catalog(database: bytes | str, path: str = "lib/apk/db/installed") -> Cataloged:
    return CATALOGER.catalog(tree({path: database}, requests=CATALOGER.requests), ALPINE)


@pytest.mark.parametrize("path", ["lib/apk/db/installed", "usr/lib/apk/db/installed"])
def test_record_becomes_a_package_with_what_it_states(path: str) -> None:
    (package,) = catalog(RECORD, path).packages
    assert package.purl == "pkg:apk/alpine/musl@1.2-r0?arch=x86_64&distro=alpine-3.20.1"
    assert (package.source_name, package.supplier) == ("musl-src", "N <n@a.org>")
    assert package.depends == ("so:libx.so.1", "zlib", "/bin/sh")
    assert package.provides == ("so:libc.musl-x86_64.so.1", "cmd:ldd")
    assert package.files == ("lib/ld-musl.so.1", "lib/empty", "root")
    assert list(package.file_digests) == ["lib/ld-musl.so.1"]
    assert package.file_digests["lib/ld-musl.so.1"].startswith("sha1:8a28a28a")


def test_record_without_version_is_an_unknown() -> None:
    found = catalog("P:nameless\n\n" + RECORD)
    assert [package.name for package in found.packages] == ["musl"]
    assert [unknown.reason for unknown in found.unknowns] == ["the record of nameless has no version"]


def test_old_list_of_licences_becomes_one_each_only_if_all_are_known() -> None:
    both, one = catalog("P:a\nV:1\nL:MPL-2.0 GPL2+\n\nP:b\nV:1\nL:MIT custom\n").packages
    assert [licence.expression for licence in both.licenses] == ["MPL-2.0", "GPL-2.0-or-later"]
    assert [(licence.raw, licence.expression) for licence in one.licenses] == [("MIT custom", None)]


@given(st.binary(max_size=300))
def test_any_bytes_are_catalogued(noise: bytes) -> None:
    for package in catalog(RECORD.encode() + noise).packages:
        package.purl.encode()
