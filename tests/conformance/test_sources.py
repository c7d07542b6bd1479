"""One image, every kind of source: the same tree, and the same refusals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from compliance.errors import ComplianceError, IntegrityError, SourceError
from compliance.formats.examine import Examiner
from compliance.ingest.read import Reading, read_tree
from compliance.ingest.source import open_source, parse_reference
from compliance.model.filesystem import FileKind, FileTree
from compliance.model.image import Image
from compliance.model.reference import Platform
from compliance.model.request import ContentRequest
from tests.builders.evidence import Node, directory, file, program, symlink
from tests.builders.layout import COMPRESSIONS, Layout, archived, docker_archive, simple_image

LOWER: dict[str, Node | bytes | str] = {
    "etc": directory(),
    "etc/passwd": "root:x:0:0::/root:/bin/sh\n",
    "usr/bin": directory(),
    "usr/bin/tool": program(b"\x7fELF not really"),
    "bin": symlink("usr/bin"),
    "var/cache/old": "x",
    "var/gone/a": "a",
    "var/gone/b": "b",
}
UPPER: dict[str, Node | bytes | str] = {
    "etc/app.conf": file("setting=1\n", 0o600, uid=1000, gid=1000),
    "usr/bin/twin": file(same_as="usr/bin/tool"),
    "var/cache/.wh.old": "",
    "var/gone/.wh..wh..opq": "",
    "var/gone/c": "c",
}
CONFIG = {"User": "1000", "Entrypoint": ["/usr/bin/tool"], "Env": ["PATH=/usr/bin"]}
ETC = ContentRequest(name="etc", globs=("etc/*",))


def oci_dir(tmp: Path) -> str:
    return f"oci-dir:{simple_image(tmp / 'image', (LOWER, UPPER), config=CONFIG)}"


def oci_archive(tmp: Path) -> str:
    return f"oci-archive:{archived(simple_image(tmp / 'image', (LOWER, UPPER), config=CONFIG), tmp / 'image.tar')}"


def compressed_archive(tmp: Path) -> str:
    import gzip

    plain = archived(simple_image(tmp / "image", (LOWER, UPPER), config=CONFIG), tmp / "image.tar")
    (tmp / "image.tgz").write_bytes(gzip.compress(plain.read_bytes()))
    return str(tmp / "image.tgz")


def legacy_docker(tmp: Path) -> str:
    return f"docker-archive:{docker_archive(tmp / 'image.tar', (LOWER, UPPER), config=CONFIG)}"


def bare_path(tmp: Path) -> str:
    return str(simple_image(tmp / "image", (LOWER, UPPER), config=CONFIG))


def zstd_layers(tmp: Path) -> str:
    return f"oci-dir:{simple_image(tmp / 'image', (LOWER, UPPER), config=CONFIG, compression='+zstd')}"


def plain_layers(tmp: Path) -> str:
    return f"oci-dir:{simple_image(tmp / 'image', (LOWER, UPPER), config=CONFIG, compression='')}"


def sha512_layers(tmp: Path) -> str:
    return f"oci-dir:{simple_image(tmp / 'image', (LOWER, UPPER), config=CONFIG, algorithm='sha512')}"


SOURCES = (oci_dir, oci_archive, compressed_archive, legacy_docker, bare_path, zstd_layers, plain_layers, sha512_layers)


def read(reference: str, platform: Platform | None = None) -> tuple[Image, FileTree]:
    source = open_source(parse_reference(reference))
    try:
        return read_tree(source, source.image(platform), Reading(requests=(ETC,), examiner=Examiner(())))
    finally:
        source.close()


class EverySource:
    """What every source does; `make` puts the image somewhere, and gives its reference."""

    def test_gives_the_merged_tree(self, make: Callable[[Path], str], tmp_path: Path) -> None:
        _, tree = read(make(tmp_path))
        assert [path for path in tree.entries if path.startswith("var/")] == ["var/cache", "var/gone", "var/gone/c"]
        assert tree.wholly_read
        twin = tree.entries["usr/bin/twin"]
        assert tree.names(twin) == ("usr/bin/tool", "usr/bin/twin")
        assert (twin.layer, twin.mode) == (0, 0o755)
        owned = tree.entries["etc/app.conf"]
        assert (owned.uid, owned.gid, owned.mode, owned.layer) == (1000, 1000, 0o600, 1)
        resolved = tree.resolve("/bin/tool")
        assert resolved is not None
        assert resolved.path == "usr/bin/tool"

    def test_keeps_what_was_asked_for_and_nothing_else(self, make: Callable[[Path], str], tmp_path: Path) -> None:
        _, tree = read(make(tmp_path))
        assert [(item.entry.path, item.value) for item in tree.captured("etc")] == [
            ("etc/app.conf", b"setting=1\n"),
            ("etc/passwd", b"root:x:0:0::/root:/bin/sh\n"),
        ]
        assert tree.content("usr/bin/tool") is None

    def test_tells_what_upper_layers_hide(self, make: Callable[[Path], str], tmp_path: Path) -> None:
        _, tree = read(make(tmp_path))
        assert [(item.path, item.layer, item.hidden_by) for item in tree.residue] == [
            ("var/cache/old", 0, 1),
            ("var/gone/a", 0, 1),
            ("var/gone/b", 0, 1),
        ]

    def test_gives_the_config(self, make: Callable[[Path], str], tmp_path: Path) -> None:
        image, _ = read(make(tmp_path))
        assert image.config is not None
        assert (image.config.user, image.config.entrypoint) == ("1000", ("/usr/bin/tool",))
        assert image.config.env == {"PATH": "/usr/bin"}
        assert [layer.index for layer in image.layers] == [0, 1]


@pytest.mark.parametrize("make", SOURCES, ids=lambda make: make.__name__)
class TestEverySource(EverySource):
    pass


class TestRootDirectory:
    def test_reads_a_folder_with_modes_links_and_digest(self, tmp_path: Path) -> None:
        root = tmp_path / "root"
        (root / "bin").mkdir(parents=True)
        (root / "bin" / "tool").write_bytes(b"x")
        (root / "bin" / "tool").chmod(0o4755)
        (root / "bin" / "twin").hardlink_to(root / "bin" / "tool")
        (root / "away").symlink_to("/etc/passwd")
        image, tree = read(f"dir:{root}")
        assert tree.entries["bin/tool"].mode == 0o4755
        assert tree.names(tree.entries["bin/twin"]) == ("bin/tool", "bin/twin")
        assert tree.entries["away"].kind is FileKind.SYMLINK
        assert tree.resolve("away") is None
        assert image.config is None
        assert image.digest == read(f"dir:{root}")[0].digest
        (root / "bin" / "tool").write_bytes(b"y")
        assert image.digest != read(f"dir:{root}")[0].digest


class TestDamage:
    def layout(self, tmp_path: Path) -> Path:
        return simple_image(tmp_path / "image", (LOWER,), config=CONFIG)

    def largest_blob(self, root: Path) -> Path:
        return max((root / "blobs" / "sha256").iterdir(), key=lambda path: path.stat().st_size)

    def layer_blob(self, root: Path) -> Path:
        return next(path for path in (root / "blobs" / "sha256").iterdir() if path.read_bytes()[:2] == b"\x1f\x8b")

    def test_truncated_layer_does_not_verify(self, tmp_path: Path) -> None:
        root = self.layout(tmp_path)
        blob = self.layer_blob(root)
        blob.write_bytes(blob.read_bytes()[:-20])
        with pytest.raises(IntegrityError, match="descriptor says"):
            read(f"oci-dir:{root}")

    def test_layer_of_right_size_with_other_bytes_does_not_verify(self, tmp_path: Path) -> None:
        root = self.layout(tmp_path)
        blob = self.layer_blob(root)
        content = bytearray(blob.read_bytes())
        content[4] ^= 1  # the gzip header's time: it still inflates to the same tar
        blob.write_bytes(content)
        with pytest.raises(IntegrityError, match="does not hash to its digest"):
            read(f"oci-dir:{root}")

    def test_missing_blob_is_named(self, tmp_path: Path) -> None:
        root = self.layout(tmp_path)
        blob = self.layer_blob(root)
        blob.unlink()
        with pytest.raises(SourceError, match="missing") as caught:
            read(f"oci-dir:{root}")
        assert caught.value.code == "blob-missing"
        assert blob.name in str(caught.value)

    def test_path_without_image_says_so(self, tmp_path: Path) -> None:
        (tmp_path / "note.txt").write_text("hello")
        with pytest.raises(ComplianceError) as caught:
            read(str(tmp_path / "note.txt"))
        assert caught.value.code in ("archive-corrupt", "not-an-image")
        with pytest.raises(SourceError, match="can't read the image"):
            read(str(tmp_path / "nowhere"))


class TestSelection:
    def test_platform_is_chosen_and_default_is_linux_amd64(self, tmp_path: Path) -> None:
        layout = Layout(root=tmp_path / "image")
        for architecture in ("arm64", "amd64"):
            layout.add_image(({"etc/arch": architecture},), architecture=architecture, tag=None)
        reference = f"oci-dir:{layout.root}"
        assert read(reference)[1].content("etc/arch") == b"amd64"
        arm = Platform.parse("linux/arm64")
        assert read(reference, arm)[1].content("etc/arch") == b"arm64"
        with pytest.raises(SourceError, match="linux/s390x"):
            read(reference, Platform.parse("linux/s390x"))

    def test_tag_and_digest_select_and_two_images_without_one_are_ambiguous(self, tmp_path: Path) -> None:
        layout = Layout(root=tmp_path / "image")
        layout.add_image(({"etc/v": "1"},), tag="v1")
        second = layout.add_image(({"etc/v": "2"},), tag="v2")
        assert read(f"oci-dir:{layout.root}:v1")[1].content("etc/v") == b"1"
        assert read(f"oci-dir:{layout.root}@{second['digest']}")[1].content("etc/v") == b"2"
        with pytest.raises(SourceError) as caught:
            read(f"oci-dir:{layout.root}")
        assert caught.value.code == "ambiguous"
        with pytest.raises(SourceError, match="v1, v2"):
            read(f"oci-dir:{layout.root}:v3")


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_same_content_gives_the_same_diff_id_whatever_the_compression(compression: str, tmp_path: Path) -> None:
    image, _ = read(f"oci-dir:{simple_image(tmp_path / 'x', (LOWER,), compression=compression)}")
    reference, _ = read(f"oci-dir:{simple_image(tmp_path / 'y', (LOWER,))}")
    assert image.layers[0].diff_id == reference.layers[0].diff_id
