"""Every limit: one below and at it is read, one above is refused or recorded, by the limit's name."""

from __future__ import annotations

import dataclasses
import gzip
import io
import json
import os
import tarfile
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from compliance.errors import ComplianceError, FormatError, LimitError, UsageError
from compliance.formats import oci
from compliance.formats.examine import Examiner
from compliance.ingest.archive import TarBlobs, archive_in, open_archive
from compliance.ingest.blobs import DirectoryBlobs
from compliance.ingest.directory import RootDirectory
from compliance.ingest.limits import DEFAULT_LIMITS, Limits, exceeded
from compliance.ingest.oci_layout import OciLayout
from compliance.ingest.read import Reading, read_tree
from compliance.ingest.source import Source
from compliance.model.filesystem import FileTree
from compliance.model.image import Image
from compliance.model.reference import ImageReference, Scheme
from compliance.model.request import ContentRequest
from tests.builders.evidence import program
from tests.builders.layout import Layout, Nodes, archived, docker_archive, simple_image

NAMES = tuple(field.name for field in fields(Limits))
ETC = ContentRequest(name="etc", globs=("etc/*",))
AROUND = pytest.mark.parametrize("over", [-1, 0, 1])


class TestSettings:
    @pytest.mark.parametrize("name", NAMES)
    def test_every_limit_can_be_set(self, name: str) -> None:
        changed = DEFAULT_LIMITS.with_settings({name: 7})
        assert getattr(changed, name) == 7
        assert all(getattr(changed, other) == getattr(DEFAULT_LIMITS, other) for other in NAMES if other != name)

    def test_nothing_set_changes_nothing(self) -> None:
        assert DEFAULT_LIMITS.with_settings({}) == DEFAULT_LIMITS

    @pytest.mark.parametrize("value", [0, -1, True, 1.5, "10", None, [1]])
    def test_anything_but_a_number_above_zero_is_refused(self, value: object) -> None:
        with pytest.raises(UsageError) as caught:
            DEFAULT_LIMITS.with_settings({"entries": value})
        assert (caught.value.code, caught.value.where) == ("limit-invalid", "limits.entries")

    def test_name_that_is_nearly_one_is_refused_with_the_right_one(self) -> None:
        with pytest.raises(UsageError, match="did you mean layer_bytes"):
            DEFAULT_LIMITS.with_settings({"layer_byte": 1})

    def test_other_name_is_refused_with_all_there_are(self) -> None:
        with pytest.raises(UsageError) as caught:
            DEFAULT_LIMITS.with_settings({"xyzzy": 1})
        assert all(name in str(caught.value) for name in NAMES)

    def test_limits_and_the_settings_of_others_do_not_change(self) -> None:
        settings = {"entries": 5}
        DEFAULT_LIMITS.with_settings(settings)
        assert settings == {"entries": 5}
        with pytest.raises(dataclasses.FrozenInstanceError):
            DEFAULT_LIMITS.entries = 5  # type: ignore[misc]

    def test_every_limit_says_why(self) -> None:
        source = Path(Limits.__module__.replace(".", "/") + ".py")
        text = (Path(__file__).resolve().parents[3] / source).read_text()
        for name in NAMES:
            assert f"    {name}: int = " in text
            assert text.split(f"    {name}: int = ")[1].split("\n")[1].strip().startswith('"""'), name

    def test_error_has_the_name_on_one_line(self) -> None:
        error = exceeded("entries", "more than 5 entries", "layer 1")
        assert str(error).startswith("more than 5 entries: the limit entries is passed [layer 1]")


def read(source: Source, limits: Limits, requests: tuple[ContentRequest, ...] = (ETC,)) -> tuple[Image, FileTree]:
    try:
        image = source.image(None)
        return read_tree(source, image, Reading(requests=requests, examiner=Examiner(()), limits=limits))
    finally:
        source.close()


def layout(root: Path, limits: Limits) -> OciLayout:
    return OciLayout(ImageReference(scheme=Scheme.OCI_DIR, target=str(root)), DirectoryBlobs(root), root, limits)


def allowed(over: int, name: str, work: Callable[[], object]) -> None:
    """`work` is done unless it is `over` the limit called `name`."""
    if over <= 0:
        work()
        return
    with pytest.raises(LimitError) as caught:
        work()
    assert caught.value.code == "limit-exceeded"
    assert name in str(caught.value)


class TestLayers:
    def image(self, tmp_path: Path, *layers: Nodes, limits: Limits) -> tuple[Image, FileTree]:
        return read(layout(simple_image(tmp_path / "image", layers), limits), limits)

    @AROUND
    def test_entries_are_counted_over_all_layers(self, tmp_path: Path, over: int) -> None:
        layers = ({"a": "1", "b": "2"}, {"c": "3", ".wh.a": ""})
        limits = Limits(entries=4 - over)
        allowed(over, "entries", lambda: self.image(tmp_path, *layers, limits=limits))

    @AROUND
    def test_layer_bytes_are_those_of_the_tar(self, tmp_path: Path, over: int) -> None:
        nodes = {"a": "x" * 5000}
        size = 10240  # what tarfile fills a small archive up to
        limits = Limits(layer_bytes=size - over)
        allowed(over, "layer_bytes", lambda: self.image(tmp_path, nodes, limits=limits))

    @AROUND
    def test_image_bytes_are_those_of_all_layers(self, tmp_path: Path, over: int) -> None:
        limits = Limits(image_bytes=2 * 10240 - over)
        allowed(over, "image_bytes", lambda: self.image(tmp_path, {"a": "x"}, {"b": "y"}, limits=limits))

    @AROUND
    def test_path_above_path_bytes_is_unread(self, tmp_path: Path, over: int) -> None:
        path = "d/" * 20 + "name"
        image, tree = self.image(tmp_path, {path: "1"}, limits=Limits(path_bytes=len(path) - over))
        assert (path in tree.entries) is (over <= 0)
        assert len(tree.unread) == max(over, 0)
        assert any("unsafe-path" in notice for notice in image.notices) is (over > 0)

    @AROUND
    def test_path_above_path_parts_is_unread(self, tmp_path: Path, over: int) -> None:
        path = "d/" * 20 + "name"
        image, tree = self.image(tmp_path, {path: "1"}, limits=Limits(path_parts=20 - over))
        assert (path in tree.entries) is (over <= 0)
        assert len(tree.unread) == max(over, 0)
        assert any("unsafe-path" in notice for notice in image.notices) is (over > 0)

    @AROUND
    def test_program_above_examined_bytes_is_unread_but_digested(self, tmp_path: Path, over: int) -> None:
        content = b"#!/bin/sh\n" + b"#" * 90
        _, tree = self.image(tmp_path, {"bin/x": program(content)}, limits=Limits(examined_bytes=100 - over))
        entry = tree.entries["bin/x"]
        assert (entry.facts is not None) is (over <= 0)
        assert len(tree.unread) == max(over, 0)
        assert len(entry.sha256) == 64

    @AROUND
    def test_script_above_script_bytes_is_not_kept(self, tmp_path: Path, over: int) -> None:
        content = b"#!/bin/sh\n" + b"#" * 90
        _, tree = self.image(tmp_path, {"bin/x": program(content)}, limits=Limits(script_bytes=100 - over))
        assert (tree.content("bin/x") == content) is (over <= 0)
        assert tree.entries["bin/x"].facts is not None

    @AROUND
    def test_captured_bytes_are_counted_over_all_layers(self, tmp_path: Path, over: int) -> None:
        layers = ({"etc/a": "x" * 50}, {"etc/b": "y" * 50, "other": "z" * 500})
        limits = Limits(captured_bytes=100 - over)
        allowed(over, str(100 - over), lambda: self.image(tmp_path, *layers, limits=limits))

    def test_inflation_ratio_of_a_compressed_archive_is_limited(self, tmp_path: Path) -> None:
        (tmp_path / "zeros.tgz").write_bytes(gzip.compress(bytes(80 * 2**20)))
        reference = ImageReference(scheme=Scheme.OCI_ARCHIVE, target=str(tmp_path / "zeros.tgz"))
        with pytest.raises(LimitError, match="inflation_ratio"):
            open_archive(reference, Limits(inflation_ratio=500))
        with pytest.raises(ComplianceError) as caught:
            open_archive(reference, Limits())
        assert caught.value.code == "not-an-image"


@AROUND
def test_entries_of_a_root_filesystem_are_counted(tmp_path: Path, over: int) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root")
    limits = Limits(entries=2 - over)
    reference = ImageReference(scheme=Scheme.DIR, target=str(tmp_path))
    allowed(over, "entries", lambda: read(RootDirectory(reference), limits))


class TestArchives:
    def open(self, path: Path, limits: Limits) -> tuple[Image, FileTree]:
        return read(open_archive(ImageReference(scheme=Scheme.OCI_ARCHIVE, target=str(path)), limits), limits)

    @AROUND
    def test_archive_bytes_are_those_of_the_inflated_archive(self, tmp_path: Path, over: int) -> None:
        plain = archived(simple_image(tmp_path / "image", ({"a": "1"},)), tmp_path / "image.tar")
        packed = tmp_path / "image.tgz"
        packed.write_bytes(gzip.compress(plain.read_bytes()))
        limits = Limits(archive_bytes=plain.stat().st_size - over)
        allowed(over, "archive_bytes", lambda: self.open(packed, limits))
        self.open(plain, Limits(archive_bytes=1))  # nothing has to be written: nothing is limited

    @AROUND
    def test_archive_members_are_all_that_the_archive_lists(self, tmp_path: Path, over: int) -> None:
        plain = archived(simple_image(tmp_path / "image", ({"a": "1"},)), tmp_path / "image.tar")
        with tarfile.open(plain) as archive:
            members = len(archive.getmembers())
        allowed(over, "archive_members", lambda: self.open(plain, Limits(archive_members=members - over)))

    @AROUND
    @pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
    def test_link_hops_lead_to_a_layer(self, tmp_path: Path, over: int, kind: bytes) -> None:
        plain = docker_archive(tmp_path / "image.tar", ({"a": "1"},))
        linked = tmp_path / "linked.tar"
        with tarfile.open(plain) as old, tarfile.open(linked, "w") as new:
            for member in old:
                content = old.extractfile(member)
                member.name = "layer0" if member.name.endswith("layer.tar") else member.name
                new.addfile(member, content)
            for number in range(3):
                link = tarfile.TarInfo("0/layer.tar" if number == 2 else f"layer{number + 1}")
                link.type = kind
                up = "../" if number == 2 and kind == tarfile.SYMTYPE else ""
                link.linkname = f"{up}layer{number}"
                new.addfile(link)
        allowed(over, "link_hops", lambda: self.open(linked, Limits(link_hops=3 - over)))

    def test_links_in_a_circle_end(self, tmp_path: Path) -> None:
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w") as archive:
            for name, target in (("manifest.json", "b"), ("b", "manifest.json")):
                link = tarfile.TarInfo(name)
                link.type, link.linkname = tarfile.SYMTYPE, target
                archive.addfile(link)
        reference = ImageReference(scheme=Scheme.DOCKER_ARCHIVE, target="x")
        source = archive_in(reference, TarBlobs(content, "x"), tmp_path / "x", Limits())
        with pytest.raises(LimitError, match="link_hops"):
            source.image(None)

    def test_extended_header_of_an_archive_is_not_read_into_memory(self, tmp_path: Path) -> None:
        member = tarfile.TarInfo("pax")
        member.type, member.size = tarfile.XHDTYPE, 2**40
        place = tmp_path / "image.tar"
        place.write_bytes(member.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
        with pytest.raises(FormatError, match="extended tar header"):
            self.open(place, Limits())

    @AROUND
    @pytest.mark.parametrize("which", ["manifest.json", "config"])
    def test_manifest_bytes_bound_what_docker_saved(self, tmp_path: Path, over: int, which: str) -> None:
        small, large = (1, 1000) if which == "config" else (1000, 1)
        plain = docker_archive(tmp_path / "image.tar", ({"a": "1"},), config={"User": "u" * large})
        padded = tmp_path / "padded.tar"
        sizes: list[int] = []
        with tarfile.open(plain) as old, tarfile.open(padded, "w") as new:
            for member in old:
                reader = old.extractfile(member)
                assert reader is not None
                content = reader.read()
                if member.name == "manifest.json":
                    content = content.ljust(len(content) + small)
                if member.name.endswith(".json"):
                    sizes.append(len(content))
                member.size = len(content)
                new.addfile(member, io.BytesIO(content))
        allowed(over, "manifest_bytes", lambda: self.open(padded, Limits(manifest_bytes=max(sizes) - over)))


class TestLayouts:
    @AROUND
    def test_manifest_bytes_bound_manifest_config_and_index(self, tmp_path: Path, over: int) -> None:
        built = Layout(root=tmp_path / "image")
        built.add_image(({"a": "1"},), manifest_extra={"annotations": {"note": "x" * 3000}})
        biggest = max(path.stat().st_size for path in (built.root / "blobs" / "sha256").iterdir())
        limits = Limits(manifest_bytes=biggest - over)
        allowed(over, "manifest_bytes", lambda: read(layout(built.root, limits), limits))
        index = built.root / "index.json"
        index.write_bytes(index.read_bytes().ljust(biggest + 500))
        limits = Limits(manifest_bytes=biggest + 500 - over)
        allowed(over, "manifest_bytes", lambda: read(layout(built.root, limits), limits))

    def test_manifest_bytes_can_be_raised_above_the_default(self, tmp_path: Path) -> None:
        built = Layout(root=tmp_path / "image")
        built.add_image(({"a": "1"},), manifest_extra={"annotations": {"note": "x" * oci.JSON_SIZE_MAX}})
        with pytest.raises(LimitError, match="manifest_bytes"):
            read(layout(built.root, Limits()), Limits())
        limits = Limits(manifest_bytes=2 * oci.JSON_SIZE_MAX)
        assert read(layout(built.root, limits), limits)[1].entries

    @AROUND
    def test_manifests_are_counted_over_all_indexes(self, tmp_path: Path, over: int) -> None:
        built = Layout(root=tmp_path / "image")
        for number in range(3):
            built.add_image(({"a": str(number)},), tag=f"t{number}")
        limits = Limits(manifests=3 - over)
        reference = ImageReference(scheme=Scheme.OCI_DIR, target=str(built.root), tag="t0")
        allowed(
            over,
            "manifests",
            lambda: OciLayout(reference, DirectoryBlobs(built.root), built.root, limits).image(None),
        )

    @AROUND
    def test_indexes_are_followed_to_index_depth(self, tmp_path: Path, over: int) -> None:
        built = Layout(root=tmp_path / "image")
        inner = built.add_image(({"a": "1"},), tag=None)
        for _ in range(3):
            digest, size = built.blob(json.dumps({"schemaVersion": 2, "manifests": [inner]}).encode())
            inner = {"mediaType": oci.OCI_INDEX, "digest": digest, "size": size}
        built.manifests[:] = [inner]
        built.write_index()
        limits = Limits(index_depth=3 - over)
        allowed(over, "index_depth", lambda: read(layout(built.root, limits), limits))

    def signature(self, built: Layout, image: dict[str, object], content: bytes) -> None:
        """Attach `content` to `image` as cosign does: a manifest under the tag of its digest."""
        digest, size = built.blob(content)
        config_digest, config_size = built.blob(b"{}")
        manifest = {
            "schemaVersion": 2,
            "mediaType": oci.OCI_MANIFEST,
            "config": {"mediaType": oci.EMPTY_CONFIG, "digest": config_digest, "size": config_size},
            "layers": [{"mediaType": "application/json", "digest": digest, "size": size}],
            "subject": {key: image[key] for key in ("mediaType", "digest", "size")},
        }
        digest, size = built.blob(json.dumps(manifest).encode())
        built.manifests.append({"mediaType": oci.OCI_MANIFEST, "digest": digest, "size": size})
        built.write_index()

    @AROUND
    def test_attached_bytes_bound_one_attachment_and_are_told(self, tmp_path: Path, over: int) -> None:
        built = Layout(root=tmp_path / "image")
        self.signature(built, built.add_image(({"a": "1"},)), b"x" * 5000)
        limits = Limits(attached_bytes=5000 - over)
        image, _ = read(layout(built.root, limits), limits)
        assert [len(blob.content) for item in image.attached for blob in item.blobs] == ([] if over > 0 else [5000])
        assert any("attached_bytes" in notice for notice in image.notices) is (over > 0)

    @AROUND
    def test_attached_artifacts_are_counted_and_the_rest_is_told(self, tmp_path: Path, over: int) -> None:
        built = Layout(root=tmp_path / "image")
        image = built.add_image(({"a": "1"},))
        for number in range(3):
            self.signature(built, image, b"x%d" % number)
        limits = Limits(attached_artifacts=3 - over)
        found, _ = read(layout(built.root, limits), limits)
        assert len(found.attached) == 3 - max(over, 0)
        assert any(f"more than {3 - over}" in notice for notice in found.notices) is (over > 0)


def test_a_folder_on_disk_is_entered_as_deep_as_paths_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deeper than Python calls may go, and what is not entered is told: nothing is absent from it."""
    monkeypatch.chdir(tmp_path)
    for _ in range(1500):
        Path("d").mkdir()
        os.chdir("d")
    Path("f").write_text("x")
    try:
        _, tree = read(RootDirectory(ImageReference(scheme=Scheme.DIR, target=str(tmp_path))), DEFAULT_LIMITS)
    finally:  # what removes temporary folders goes down by calls
        Path("f").unlink()
        for _ in range(1500):
            os.chdir("..")
            Path("d").rmdir()
    (unread,) = tree.unread
    assert unread.path.count("/") == DEFAULT_LIMITS.path_parts
    assert unread.reason == "what lies in it is beyond the limit path_parts"
    assert len(tree) == DEFAULT_LIMITS.path_parts + 2
