"""Zip members within bounds."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compliance.errors import FormatError
from compliance.formats.zip_archive import ZipArchive


def archive(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as written:
        for name, content in members.items():
            written.writestr(name, content)
    return file.getvalue()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("before", [b"", b"#!/bin/sh\nexec java -jar $0\n"])
def test_members_are_read_whole(method: int, before: bytes) -> None:
    members = {"a": b"", "b/c.txt": b"text" * 5000}
    read = ZipArchive(before + archive(members, method))
    assert {member.name: bytes(read.read(member, 10**6)) for member in read.members()} == members


def test_a_member_is_inflated_no_further_than_its_limit() -> None:
    read = ZipArchive(archive({"zeros": bytes(50 * 2**20)}))
    (member,) = read.members()
    with pytest.raises(FormatError, match="more than 1000 bytes"):
        read.read(member, 1000)


def test_other_methods_are_refused() -> None:
    read = ZipArchive(archive({"a": b"text"}, zipfile.ZIP_BZIP2))
    (member,) = read.members()
    with pytest.raises(FormatError, match="unknown method"):
        read.read(member, 1000)


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"no zip", archive({"a": b"x"})[:60]], ids=["empty", "magic", "text", "cut"]
)
def test_what_is_no_archive_is_refused(content: bytes) -> None:
    with pytest.raises(FormatError):
        list(ZipArchive(content).members())


def test_an_empty_archive_has_no_members() -> None:
    assert list(ZipArchive(archive({})).members()) == []


@settings(deadline=None)
@given(st.data())
def test_damage_is_an_error_but_never_a_traceback(data: st.DataObject) -> None:
    content = bytearray(archive({"a/pom.properties": b"x=1" * 50, "b": b"\0" * 500}))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        read = ZipArchive(bytes(content))
        for member in read.members():
            read.read(member, 10_000)
    except FormatError:
        pass
