"""A root filesystem in one tar, as docker export writes it: the tree a folder would give, and nothing hidden."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from compliance.errors import ComplianceError, FormatError, LimitError, SourceError
from compliance.formats.examine import Examiner
from compliance.ingest.limits import Limits
from compliance.ingest.read import Reading, read_tree
from compliance.ingest.source import open_source, parse_reference
from compliance.model.filesystem import FileKind, FileTree
from compliance.model.image import Image
from compliance.model.reference import Scheme
from compliance.model.request import ContentRequest
from tests.builders.evidence import directory, file, program, symlink
from tests.builders.layout import Nodes, archived, docker_archive, layer_tar, simple_image

NODES: Nodes = {
    ".dockerenv": file("", 0o755),
    "bin": directory(),
    "bin/tool": file("x", 0o4755),
    "bin/twin": file(same_as="bin/tool"),
    "etc": directory(),
    "etc/passwd": "root:x:0:0::/root:/bin/sh\n",
    "etc/away": symlink("/etc/passwd"),
}
ETC = ContentRequest(name="etc", globs=("etc/*",))


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def exported(tmp_path: Path, nodes: Nodes | None = None) -> Path:
    return written(tmp_path / "root.tar", layer_tar(NODES if nodes is None else nodes))


def read(reference: str, limits: Limits | None = None) -> tuple[Image, FileTree]:
    chosen = limits or Limits()
    source = open_source(parse_reference(reference), limits=chosen)
    try:
        reading = Reading(requests=(ETC,), examiner=Examiner(()), limits=chosen)
        return read_tree(source, source.image(None), reading)
    finally:
        source.close()


def unpacked(root: Path) -> Path:
    """The same files in a folder, with the owners that a test may give: its own."""
    for path, given in NODES.items():
        node = given if not isinstance(given, str | bytes) else file(given)
        place = root / path
        if node.kind is FileKind.DIRECTORY:
            place.mkdir(parents=True)
        elif node.kind is FileKind.SYMLINK:
            place.symlink_to(node.link)
        elif node.same_as is not None:
            place.hardlink_to(root / node.same_as)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(node.content)
            place.chmod(node.mode)
    return root


def test_it_is_read_with_modes_links_and_contents_and_has_neither_config_nor_layers(tmp_path: Path) -> None:
    image, tree = read(f"rootfs-tar:{exported(tmp_path)}")
    assert (image.config, image.layers, image.reference.scheme) == (None, (), Scheme.ROOTFS_TAR)
    assert tree.entries["bin/tool"].mode == 0o4755
    assert tree.names(tree.entries["bin/twin"]) == ("bin/tool", "bin/twin")
    assert tree.content("etc/away") == b"root:x:0:0::/root:/bin/sh\n"
    assert tree.wholly_read


@pytest.mark.skipif(os.getuid() != 0, reason="the owners in the tar are root's")
def test_a_folder_and_a_tar_with_the_same_files_have_the_same_digest(tmp_path: Path) -> None:
    image, _ = read(f"dir:{unpacked(tmp_path / 'root')}")
    assert image.digest == read(f"rootfs-tar:{exported(tmp_path)}")[0].digest
    reordered = dict(sorted(NODES.items(), key=lambda item: (item[0] == "bin/twin", item[0])))
    assert image.digest == read(str(exported(tmp_path, reordered)))[0].digest
    assert image.digest != read(str(exported(tmp_path, {**NODES, "etc/passwd": "x"})))[0].digest


def test_a_capability_changes_the_digest(tmp_path: Path) -> None:
    plain = read(str(exported(tmp_path, {**NODES, "bin/x": program("x")})))[0].digest
    assert plain != read(str(exported(tmp_path, {**NODES, "bin/x": program("x", capability=b"\1\0\0\2")})))[0].digest


@pytest.mark.parametrize("name", ["root.tar", "root.tgz", "export"])
def test_a_bare_path_is_looked_at_whatever_its_name(tmp_path: Path, name: str) -> None:
    content = layer_tar(NODES)
    path = written(tmp_path / name, gzip.compress(content) if name.endswith("gz") else content)
    assert parse_reference(str(path)).scheme is Scheme.ROOTFS_TAR
    assert "bin/tool" in read(str(path))[1].entries


def test_names_with_a_leading_dot_are_told_too(tmp_path: Path) -> None:
    path = exported(tmp_path, {"./": directory(), "./srv": directory(), "./srv/x": "x"})
    assert parse_reference(str(path)).scheme is Scheme.ROOTFS_TAR
    assert "srv/x" in read(str(path))[1].entries


def test_image_archives_stay_image_archives(tmp_path: Path) -> None:
    layout = archived(simple_image(tmp_path / "image", (NODES,)), tmp_path / "oci.tar")
    assert parse_reference(str(layout)).scheme is Scheme.OCI_ARCHIVE
    assert parse_reference(str(docker_archive(tmp_path / "docker.tar", (NODES,)))).scheme is Scheme.DOCKER_ARCHIVE


def test_a_root_filesystem_called_an_image_is_told_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="root filesystem, not an image") as caught:
        read(f"oci-archive:{exported(tmp_path)}")
    assert "rootfs-tar:" in str(caught.value)


def test_names_that_hide_things_in_layers_are_files_here(tmp_path: Path) -> None:
    nodes: Nodes = {**NODES, "bin/.wh.tool": program("x"), "etc/.wh..wh..opq": "x"}
    _, tree = read(str(exported(tmp_path, nodes)))
    assert {"bin/.wh.tool", "etc/.wh..wh..opq", "bin/tool", "etc/passwd"} <= tree.entries.keys()


def unmarked(nodes: Nodes) -> bytes:
    """A tar without the blocks of zeros that mark its end."""
    content = layer_tar(nodes).rstrip(b"\0")
    return content + bytes(-len(content) % 512)


def test_of_two_entries_with_one_name_the_last_counts(tmp_path: Path) -> None:
    content = unmarked({"etc/passwd": "first"}) + layer_tar({"etc/passwd": "second"})
    assert read(str(written(tmp_path / "root.tar", content)))[1].content("etc/passwd") == b"second"


def test_a_tar_that_may_have_been_cut_off_is_not_wholly_read(tmp_path: Path) -> None:
    _, tree = read(str(written(tmp_path / "root.tar", unmarked(NODES))))
    assert not tree.wholly_read
    assert "cut off" in tree.unread[0].reason


@pytest.mark.parametrize("keep", [513, 700])
def test_a_tar_cut_inside_a_member_is_an_error_that_names_it(tmp_path: Path, keep: int) -> None:
    path = written(tmp_path / "root.tar", layer_tar({"etc/passwd": "x" * 2000})[:keep])
    with pytest.raises(FormatError) as caught:
        read(f"rootfs-tar:{path}")
    assert str(path) in str(caught.value)


def test_it_is_bounded_as_layers_are(tmp_path: Path) -> None:
    with pytest.raises(LimitError, match="entries"):
        read(f"rootfs-tar:{exported(tmp_path)}", Limits(entries=3))


@pytest.mark.parametrize("text", ["rootfs-tar:{}/nothing", "rootfs-tar:{}"])
def test_what_is_no_file_is_one_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(ComplianceError, match="no such file"):
        read(text.format(tmp_path))
