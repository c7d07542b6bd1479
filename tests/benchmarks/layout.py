"""OCI layouts of real size: layers streamed to disk from a changing root, and the one image of a layout read back."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import stat
import subprocess
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
GZIP_LEVEL = 6
"""What most image builders use; it decides how fast a layer inflates."""
OPAQUE = ".wh..wh..opq"

Snapshot = Mapping[str, tuple[int, int, int]]
"""Path below a root -> inode, change time in nanoseconds, mode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A gzip layer on disk."""

    file: Path
    digest: str
    diff_id: str
    created_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredImage:
    """The one image of a layout."""

    digest: str
    layers: tuple[Path, ...]
    diff_ids: tuple[str, ...]
    media_types: tuple[str, ...]


def snapshot(root: Path) -> Snapshot:
    """What is below `root` now, parents before children, names sorted."""
    found: dict[str, tuple[int, int, int]] = {}

    def walk(folder: str, prefix: str) -> None:
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            status = entry.stat(follow_symlinks=False)
            found[prefix + entry.name] = (status.st_ino, status.st_ctime_ns, status.st_mode)
            if stat.S_ISDIR(status.st_mode):
                walk(entry.path, f"{prefix}{entry.name}/")

    walk(str(root), "")
    return found


def write_layer(root: Path, before: Snapshot, to: Path, created_by: str) -> Layer:
    """Write what changed below `root` since `before` as a layer at `to`; deletions become whiteouts."""
    to.parent.mkdir(parents=True, exist_ok=True)
    part = to.with_suffix(".part")
    with part.open("wb") as raw:
        stored = _Hashing(raw)
        with gzip.GzipFile(fileobj=cast(IO[bytes], stored), mode="wb", compresslevel=GZIP_LEVEL, mtime=0) as zipped:
            inflated = _Hashing(cast(IO[bytes], zipped))
            with tarfile.open(fileobj=cast(IO[bytes], inflated), mode="w|", format=tarfile.PAX_FORMAT) as archive:
                _add_changes(archive, root, before, snapshot(root))
    part.replace(to)
    return Layer(file=to, digest=stored.digest, diff_id=inflated.digest, created_by=created_by)


def write_image(to: Path, layers: Sequence[Layer], *, architecture: str, config: Mapping[str, object]) -> None:
    """Write a layout with one image, tagged ``latest``; layer files are linked, not copied."""
    blobs = to / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(media_type: str, document: object) -> dict[str, object]:
        content = json.dumps(document, separators=(",", ":")).encode()
        name = hashlib.sha256(content).hexdigest()
        (blobs / name).write_bytes(content)
        return {"mediaType": media_type, "digest": f"sha256:{name}", "size": len(content)}

    for layer in layers:
        place = blobs / layer.digest.removeprefix("sha256:")
        if not place.exists():
            os.link(layer.file, place)
    described = put(
        CONFIG,
        {
            "architecture": architecture,
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
            "history": [{"created_by": layer.created_by} for layer in layers],
        },
    )
    manifest = put(
        MANIFEST,
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": described,
            "layers": [
                {"mediaType": LAYER, "digest": layer.digest, "size": layer.file.stat().st_size} for layer in layers
            ],
        },
    )
    manifest["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [manifest]}
    (to / "index.json").write_text(json.dumps(index))
    (to / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')


def read_image(layout: Path) -> StoredImage:
    """The image of a layout that holds one and nothing else that runs."""
    entries = [
        entry
        for entry in _json(layout / "index.json")["manifests"]
        if "artifactType" not in entry and entry["mediaType"].endswith(("manifest.v1+json", "manifest.v2+json"))
    ]
    manifests = [(entry["digest"], _json(_blob(layout, entry["digest"]))) for entry in entries]
    images = [(digest, manifest) for digest, manifest in manifests if _is_image(manifest)]
    if len(images) != 1:
        raise SystemExit(f"{layout} holds {len(images)} images: the benchmarks take layouts with one")
    digest, manifest = images[0]
    return StoredImage(
        digest=digest,
        layers=tuple(_blob(layout, layer["digest"]) for layer in manifest["layers"]),
        diff_ids=tuple(_json(_blob(layout, manifest["config"]["digest"]))["rootfs"]["diff_ids"]),
        media_types=tuple(layer["mediaType"] for layer in manifest["layers"]),
    )


def count_entries(image: StoredImage) -> int:
    """Tar entries over all layers; counted elsewhere, as this process must stay small (measure.py)."""
    number = 0
    for layer in image.layers:
        with subprocess.Popen(("tar", "--list", "--file", layer), stdout=subprocess.PIPE) as listing:
            number += sum(1 for _ in listing.stdout or ())
        if listing.returncode:
            raise SystemExit(f"tar cannot list {layer}")
    return number


def _is_image(manifest: Mapping[str, Any]) -> bool:
    config: str = manifest["config"]["mediaType"]
    return config.endswith(("image.config.v1+json", "container.image.v1+json")) and "subject" not in manifest


def _blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / digest.replace(":", "/")


def _json(path: Path) -> Any:
    return json.loads(path.read_bytes())


class _Hashing:
    """Passes on what is written, and hashes it."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._hash = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        self._out.write(data)
        return len(data)

    def flush(self) -> None:
        self._out.flush()

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


def _add_changes(archive: tarfile.TarFile, root: Path, before: Snapshot, after: Snapshot) -> None:
    links: dict[int, str] = {}
    for path in _whiteouts(before, after):
        archive.addfile(tarfile.TarInfo(path))
    for path, state in after.items():
        if before.get(path) == state or stat.S_ISSOCK(state[2]):
            continue
        place = root / path
        member = archive.gettarinfo(place, arcname=path)
        member.uname = member.gname = ""
        if member.isreg() or member.islnk():
            _link_or_file(member, links.setdefault(state[0], path), path, place)
        if member.isreg():
            with place.open("rb") as content:
                archive.addfile(member, content)
        else:
            archive.addfile(member)


def _link_or_file(member: tarfile.TarInfo, first: str, path: str, place: Path) -> None:
    """The first name of an inode in this layer holds the content, every other one links to it.

    tarfile's own notion of links would do, but for names whose first was not written as it had not changed.
    """
    if first == path:
        member.type, member.linkname, member.size = tarfile.REGTYPE, "", place.lstat().st_size
    else:
        member.type, member.linkname, member.size = tarfile.LNKTYPE, first, 0


def _whiteouts(before: Snapshot, after: Snapshot) -> Iterator[str]:
    """One for each topmost path that is gone, and an opaque marker for each folder that was made anew."""
    covered = ""
    for path, (inode, _, mode) in before.items():
        if covered and path.startswith(covered):
            continue
        now = after.get(path)
        if now is None:
            folder, _, name = path.rpartition("/")
            yield f"{folder}/.wh.{name}" if folder else f".wh.{name}"
            covered = f"{path}/"
        elif stat.S_ISDIR(mode) and stat.S_ISDIR(now[2]) and now[0] != inode:
            yield f"{path}/{OPAQUE}"
            covered = f"{path}/"
