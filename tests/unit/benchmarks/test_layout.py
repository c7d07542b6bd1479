"""Layers made from a changing root say what changed, and unpack to the same root again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.benchmarks.layout import Layer, count_entries, read_image, snapshot, write_image, write_layer
from tests.benchmarks.package_managers import unpack

needs_tar = pytest.mark.skipif(shutil.which("tar") is None, reason="GNU tar unpacks the layers")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/kept").write_text("kept")
    (root / "etc/changed").write_text("old")
    (root / "gone/below").mkdir(parents=True)
    (root / "gone/below/file").write_text("x")
    (root / "anew").mkdir()
    (root / "anew/old").write_text("x")
    os.link(root / "etc/kept", root / "etc/same")
    (root / "link").symlink_to("etc/kept")
    return root


def change(root: Path) -> None:
    (root / "etc/changed").write_text("new")
    shutil.rmtree(root / "gone")
    (root / "anew").rename(root / "aside")
    (root / "anew").mkdir()  # while the old one is there, so that it has another inode
    shutil.rmtree(root / "aside")
    (root / "anew/new").write_text("y")


def names(layer: Layer) -> list[str]:
    with tarfile.open(layer.file) as archive:
        return archive.getnames()


def test_the_first_layer_holds_all_and_links_further_names(root: Path, tmp_path: Path) -> None:
    layer = write_layer(root, {}, tmp_path / "one.tar.gz", "one")
    with tarfile.open(layer.file) as archive:
        assert archive.getmember("etc/same").linkname == "etc/kept"
        assert archive.getmember("etc/kept").isreg()
        assert archive.getmember("link").issym()
    assert "gone/below/file" in names(layer)


def test_a_later_layer_holds_changes_whiteouts_and_opaque_markers_only(root: Path, tmp_path: Path) -> None:
    before = snapshot(root)
    change(root)
    layer = write_layer(root, before, tmp_path / "two.tar.gz", "two")
    found = names(layer)
    assert ".wh.gone" in found
    assert "anew/.wh..wh..opq" in found
    assert {"etc/changed", "anew/new"} <= set(found)
    assert not {"etc/kept", "etc/same", "link"} & set(found)
    assert not any("below" in name or name.endswith("old") for name in found)


@needs_tar
def test_unpacked_layers_are_the_root_again(root: Path, tmp_path: Path) -> None:
    first = write_layer(root, {}, tmp_path / "one.tar.gz", "one")
    before = snapshot(root)
    change(root)
    second = write_layer(root, before, tmp_path / "two.tar.gz", "two")
    write_image(tmp_path / "image", [first, second], architecture="amd64", config={})
    image = read_image(tmp_path / "image")
    assert image.diff_ids == (first.diff_id, second.diff_id)
    assert count_entries(image) == len(names(first)) + len(names(second))
    again = tmp_path / "again"
    again.mkdir()
    unpack(image, again)
    assert list(snapshot(again)) == list(snapshot(root))
    for path in root.rglob("*"):
        if path.is_file():
            assert (again / path.relative_to(root)).read_bytes() == path.read_bytes()


def test_the_floor_refuses_bytes_that_are_not_the_images(root: Path, tmp_path: Path, checkout: Path) -> None:
    layer = write_layer(root, {}, tmp_path / "one.tar.gz", "one")
    write_image(tmp_path / "image", [layer], architecture="amd64", config={})
    command = [sys.executable, str(checkout / "tests/benchmarks/floor.py"), str(tmp_path / "image")]
    assert subprocess.run(command, capture_output=True).returncode == 0
    other = write_layer(root / "etc", {}, tmp_path / "other.tar.gz", "other")
    place = tmp_path / "image/blobs" / layer.digest.replace(":", "/")
    place.unlink()
    place.write_bytes(other.file.read_bytes())
    refused = subprocess.run(command, capture_output=True, text=True)
    assert refused.returncode == 1
    assert "digests differ" in refused.stderr
