"""RPM packages from a database that SQLite wrote."""

from __future__ import annotations

import sqlite3
import struct
from pathlib import Path

import pytest

from compliance.formats.rpm_header import Tag
from compliance.model.inventory import Cataloged, Distribution
from compliance.sbom.catalogers.rpm import CATALOGER
from tests.builders.evidence import Node, tree

FEDORA = Distribution(id="fedora", version_id="40")


def header(texts: dict[Tag, str | list[str]], numbers: dict[Tag, list[int]] | None = None) -> bytes:
    entries = data = b""
    for tag, value in texts.items():
        values = [value] if isinstance(value, str) else value
        entries += struct.pack(">iIiI", tag, 6 if isinstance(value, str) else 8, len(data), len(values))
        data += b"".join(text.encode() + b"\0" for text in values)
    for tag, integers in (numbers or {}).items():
        entries += struct.pack(">iIiI", tag, 4, len(data), len(integers))
        data += struct.pack(f">{len(integers)}I", *integers)
    return struct.pack(">II", len(entries) // 16, len(data)) + entries + data


BASH = header(
    {
        Tag.NAME: "bash",
        Tag.VERSION: "5.2",
        Tag.RELEASE: "1.fc40",
        Tag.ARCH: "x86_64",
        Tag.LICENSE: "GPL-3.0-or-later",
        Tag.VENDOR: "Fedora Project",
        Tag.SOURCE_RPM: "bash-src-5.2-1.fc40.src.rpm",
        Tag.REQUIRE_NAME: ["rpmlib(CompressedFileNames)", "libc.so.6()(64bit)", "(a if b)", "/bin/sh"],
        Tag.PROVIDE_NAME: ["bash", "/bin/bash"],
        Tag.DIR_NAMES: ["/usr/", "/usr/bin/"],
        Tag.BASE_NAMES: ["bin", "bash"],
        Tag.FILE_DIGESTS: ["", "AB" * 32],
    },
    {Tag.DIR_INDEXES: [0, 1], Tag.FILE_MODES: [0o40755, 0o100755], Tag.FILE_DIGEST_ALGORITHM: [8], Tag.EPOCH: [2]},
)


def database(tmp_path: Path, *blobs: bytes) -> bytes:
    path = tmp_path / "db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB)")
        connection.executemany("INSERT INTO Packages (blob) VALUES (?)", [(blob,) for blob in blobs])
    return path.read_bytes()


def catalog(nodes: dict[str, Node | bytes | str], distribution: Distribution | None = FEDORA) -> Cataloged:
    return CATALOGER.catalog(tree(nodes, requests=CATALOGER.requests), distribution)


@pytest.mark.parametrize("folder", ["var/lib/rpm", "usr/lib/sysimage/rpm"])
def test_header_becomes_a_package_with_what_it_states(tmp_path: Path, folder: str) -> None:
    (package,) = catalog({f"{folder}/rpmdb.sqlite": database(tmp_path, BASH)}).packages
    assert package.purl == "pkg:rpm/fedora/bash@5.2-1.fc40?arch=x86_64&distro=fedora-40&epoch=2"
    assert package.version == "2:5.2-1.fc40"
    assert (package.source_name, package.source_version) == ("bash-src", "5.2-1.fc40")
    assert package.depends == ("libc.so.6()(64bit)", "/bin/sh")
    assert package.files == ("usr/bin/bash",)
    assert package.file_digests == {"usr/bin/bash": "sha256:" + "ab" * 32}


def test_without_os_release_the_vendor_of_the_record_is_the_namespace(tmp_path: Path) -> None:
    (package,) = catalog({"var/lib/rpm/rpmdb.sqlite": database(tmp_path, BASH)}, None).packages
    assert package.purl == "pkg:rpm/fedora/bash@5.2-1.fc40?arch=x86_64&epoch=2"


def test_public_keys_are_no_packages_and_damaged_headers_are_unknowns(tmp_path: Path) -> None:
    key = header({Tag.NAME: "gpg-pubkey", Tag.VERSION: "1", Tag.RELEASE: "2"})
    nameless = header({Tag.VERSION: "1"})
    found = catalog({"var/lib/rpm/rpmdb.sqlite": database(tmp_path, key, BASH, nameless, b"\xff" * 40)})
    assert [package.name for package in found.packages] == ["bash"]
    assert [unknown.reason for unknown in found.unknowns] == [
        "an RPM header without a name",
        "an RPM header that is longer than its record",
    ]


def test_damaged_database_is_an_unknown() -> None:
    found = catalog({"var/lib/rpm/rpmdb.sqlite": b"SQLite format 3\0" + bytes(5000)})
    assert found.packages == ()
    assert [unknown.path for unknown in found.unknowns] == ["var/lib/rpm/rpmdb.sqlite"]
