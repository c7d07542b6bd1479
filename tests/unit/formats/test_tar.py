"""The tar reader against the standard library's, against the real tar, and against damage."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compliance.errors import FormatError
from compliance.formats import tar

NAMES = st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1, max_size=80)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
FILES = st.dictionaries(PATHS, st.binary(max_size=2000), max_size=6)


class Bytes(io.BytesIO):
    """A tar in memory as the stream that the reader wants."""

    def peek(self, size: int) -> bytes:
        return self.getvalue()[self.tell() : self.tell() + size]

    def skip(self, size: int) -> int:
        return len(self.read(size))


def read(content: bytes) -> list[tuple[tar.TarEntry, bytes]]:
    reader = tar.TarReader(Bytes(content))
    return [(entry, reader.read(entry.size)) for entry in reader]


def make(format_: int, members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format_) as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


@pytest.mark.parametrize("format_", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT], ids=["pax", "gnu"])
@given(files=FILES)
def test_reads_what_the_standard_library_writes(format_: int, files: dict[str, bytes]) -> None:
    members = []
    for name, content in files.items():
        member = tarfile.TarInfo(name)
        member.mode, member.uid, member.gid = 0o4755, 2**31 + 5, 70000
        members.append((member, content))
    found = read(make(format_, members))
    assert [(entry.name, content) for entry, content in found] == list(files.items())
    assert all((entry.mode, entry.uid, entry.gid) == (0o4755, 2**31 + 5, 70000) for entry, _ in found)


@given(content=st.binary(max_size=3000))
def test_arbitrary_bytes_are_a_format_error_or_a_tar(content: bytes) -> None:
    try:
        read(content)
    except FormatError as error:
        assert error.code == "layer-corrupt"  # noqa: PT017 - both ends are right


@settings(max_examples=200)
@given(at=st.integers(0, 4000), value=st.integers(0, 255), cut=st.integers(0, 5000))
def test_a_damaged_tar_never_ends_in_anything_but_a_format_error(at: int, value: int, cut: int) -> None:
    member = tarfile.TarInfo("usr/bin/" + "x" * 120)
    member.pax_headers = {"SCHILY.xattr.security.capability": "caps", "comment": "ü"}
    content = bytearray(make(tarfile.PAX_FORMAT, [(member, b"content" * 100)]))
    if at < len(content):
        content[at] = value
    try:
        read(bytes(content[: len(content) - cut]))
    except FormatError as error:
        assert error.code == "layer-corrupt"  # noqa: PT017 - both ends are right


def test_links_devices_and_xattrs_are_told() -> None:
    link = tarfile.TarInfo("a")
    link.type, link.linkname = tarfile.SYMTYPE, "b" * 200
    hard = tarfile.TarInfo("h")
    hard.type, hard.linkname = tarfile.LNKTYPE, "a"
    device = tarfile.TarInfo("dev/null")
    device.type = tarfile.CHRTYPE
    capable = tarfile.TarInfo("bin/ping")
    capable.pax_headers = {
        "SCHILY.xattr.security.capability": "\x01\x02",
        "LIBARCHIVE.xattr.user.note": "aGVsbG8",
    }
    found = [entry for entry, _ in read(make(tarfile.PAX_FORMAT, [(m, b"") for m in (link, hard, device, capable)]))]
    assert [(entry.type, entry.link) for entry in found[:2]] == [(tar.SYMLINK, "b" * 200), (tar.HARD_LINK, "a")]
    assert found[2].type == tar.CHARACTER
    assert found[3].xattrs == {"security.capability": b"\x01\x02", "user.note": b"hello"}


@pytest.mark.parametrize(
    "options", [("--sparse-version=0.0",), ("--sparse-version=0.1",), ("--sparse-version=1.0",), ()]
)
def test_sparse_files_of_gnu_tar_read_as_their_content(options: tuple[str, ...], tmp_path: Path) -> None:
    content = bytearray(1_000_000)
    for at in (0, 70_000, 500_000, 999_000):
        content[at : at + 600] = bytes(range(1, 201)) * 3
    with (tmp_path / "sparse").open("wb") as stream:
        for at in (0, 70_000, 500_000, 999_000):
            stream.seek(at)
            stream.write(content[at : at + 600])
        stream.truncate(1_000_000)
    form = ("--format=pax",) if options else ("--format=gnu",)
    subprocess.run(["tar", *form, *options, "-S", "-C", tmp_path, "-cf", tmp_path / "x.tar", "sparse"], check=True)
    archive = (tmp_path / "x.tar").read_bytes()
    assert len(archive) < 200_000, "the file system here keeps no holes, so this shows nothing"
    ((entry, data),) = read(archive)
    assert (entry.name, entry.size) == ("sparse", 1_000_000)
    assert data == bytes(content)


def test_a_header_that_claims_more_than_the_stream_has_is_refused_without_allocating() -> None:
    content = bytearray(make(tarfile.GNU_FORMAT, [(tarfile.TarInfo("x"), b"")]))
    content[124:136] = b"\x80" + (2**40).to_bytes(11, "big")
    content[148:156] = b"        "
    content[148:156] = b"%06o\0 " % sum(content[:512])
    reader = tar.TarReader(Bytes(content))
    entry = next(iter(reader))
    assert entry.size == 2**40
    with pytest.raises(FormatError, match="ends inside a file"):
        reader.read(2**20)
