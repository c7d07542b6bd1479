"""Writing into OCI layouts: whole files, one writer at a time, nothing of others lost."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from compliance.errors import FormatError, SigningError
from compliance.formats.oci import OCI_MANIFEST
from compliance.sign.attachment import sha256
from compliance.sign.layout_place import LayoutPlace
from tests.builders.layout import simple_image

MANIFEST = b'{"schemaVersion":2,"artifactType":"application/x","layers":[]}'


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    return simple_image(tmp_path / "image", ({"app": "x"},))


def index(layout: Path) -> dict[str, list[dict[str, object]]]:
    document: dict[str, list[dict[str, object]]] = json.loads((layout / "index.json").read_bytes())
    return document


def test_a_manifest_about_the_image_is_listed_once(layout: Path) -> None:
    before = index(layout)["manifests"]
    with closing(LayoutPlace(layout)) as place:
        assert place.put_referrer(MANIFEST, "sha256:subject")
        assert place.put_referrer(MANIFEST, "sha256:subject")
    entry = {"mediaType": OCI_MANIFEST, "digest": sha256(MANIFEST), "size": len(MANIFEST)}
    assert index(layout)["manifests"] == [*before, entry | {"artifactType": "application/x"}]


def test_what_others_wrote_into_the_index_stays(layout: Path) -> None:
    document: dict[str, Any] = {**index(layout), "annotations": {"their": "own"}, "x-unknown": [1, {"a": None}]}
    document["manifests"][0]["x-more"] = 1.5
    (layout / "index.json").write_text(json.dumps(document))
    with closing(LayoutPlace(layout)) as place:
        place.put_referrer(MANIFEST, "sha256:subject")
    after = index(layout)
    after["manifests"].pop()
    assert after == document


def test_a_tag_moves_and_cosign_finds_attestations_by_kind(layout: Path) -> None:
    with closing(LayoutPlace(layout)) as place:
        assert place.find("sha256-abc.att") is None
        for content in (MANIFEST, MANIFEST + b" "):
            place.put_manifest(content, OCI_MANIFEST, "sha256-abc.att")
            assert place.find("sha256-abc.att") == content
    tagged = [item for item in index(layout)["manifests"] if item["digest"] != index(layout)["manifests"][0]["digest"]]
    assert [item["digest"] for item in tagged] == [sha256(MANIFEST + b" ")]
    assert tagged[0]["annotations"] == {
        "org.opencontainers.image.ref.name": "sha256-abc.att",
        "kind": "dev.cosignproject.cosign/atts",
    }


def test_a_damaged_blob_is_repaired_and_a_link_is_replaced_not_followed(layout: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"hello")
    blobs = layout / "blobs" / "sha256"
    damaged, linked = (blobs / sha256(content).removeprefix("sha256:") for content in (b"right", b"hello"))
    damaged.write_bytes(b"wrong")
    linked.symlink_to(victim)
    with closing(LayoutPlace(layout)) as place:
        place.put_blob(b"right")
        place.put_blob(b"hello")
    assert damaged.read_bytes() == b"right"
    assert not linked.is_symlink()
    assert victim.read_bytes() == b"hello"


def test_a_temporary_name_that_leads_elsewhere_is_not_followed(layout: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    with closing(LayoutPlace(layout)) as place:
        name = f".hullmark-{sha256(b'x').removeprefix('sha256:')}"
        (layout / "blobs" / "sha256" / name).symlink_to(victim)
        with pytest.raises(SigningError, match="can't be written"):
            place.put_blob(b"x")
    assert victim.read_bytes() == b"mine"


def test_leftovers_of_interrupted_writers_are_removed_and_nothing_else(layout: Path) -> None:
    blobs = layout / "blobs" / "sha256"
    (blobs / ".hullmark-abc").write_bytes(b"half")
    (layout / ".hullmark-index.json").write_bytes(b"half")
    (blobs / "unknown").write_bytes(b"theirs")
    LayoutPlace(layout).close()
    assert not list(layout.rglob(".hullmark-*"))
    assert (blobs / "unknown").exists()


def test_the_mode_of_the_index_is_kept(layout: Path) -> None:
    (layout / "index.json").chmod(0o640)
    with closing(LayoutPlace(layout)) as place:
        place.put_referrer(MANIFEST, "sha256:subject")
    assert stat.S_IMODE((layout / "index.json").stat().st_mode) == 0o640


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"manifests":{}}', b'{"manifests":[1]}'])
def test_an_index_that_is_none_is_not_overwritten(layout: Path, content: bytes) -> None:
    (layout / "index.json").write_bytes(content)
    with closing(LayoutPlace(layout)) as place, pytest.raises(FormatError):
        place.put_referrer(MANIFEST, "sha256:subject")
    assert (layout / "index.json").read_bytes() == content


def test_a_layout_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SigningError, match="can't be written"):
        LayoutPlace(tmp_path / "none")


def test_writers_wait_for_each_other(layout: Path) -> None:
    """Eight processes at once, each with a manifest of its own: all are listed."""
    program = """
import sys
from contextlib import closing
from pathlib import Path
from compliance.sign.layout_place import LayoutPlace
for number in range(5):
    with closing(LayoutPlace(Path(sys.argv[1]))) as place:
        place.put_referrer(b'{"a":"%s-%d"}' % (sys.argv[2].encode(), number), "sha256:subject")
"""
    running = [
        subprocess.Popen([sys.executable, "-c", program, layout, str(name)], env=os.environ) for name in range(8)
    ]
    assert [process.wait(60) for process in running] == [0] * 8
    assert len(index(layout)["manifests"]) == 1 + 8 * 5
