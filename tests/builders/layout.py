"""OCI layouts and docker archives on disk, made from trees of nodes, for tests of sources and of the command."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from compliance.model.filesystem import FileKind
from tests.builders.evidence import Node, file

TYPES = {
    FileKind.REGULAR: tarfile.REGTYPE,
    FileKind.DIRECTORY: tarfile.DIRTYPE,
    FileKind.SYMLINK: tarfile.SYMTYPE,
    FileKind.CHARACTER_DEVICE: tarfile.CHRTYPE,
    FileKind.BLOCK_DEVICE: tarfile.BLKTYPE,
    FileKind.FIFO: tarfile.FIFOTYPE,
}
Nodes = Mapping[str, Node | bytes | str]


def digest(content: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def layer_tar(nodes: Nodes) -> bytes:
    """An uncompressed pax tar of `nodes` in the order given; a path may end in ``.wh.NAME``."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, given in nodes.items():
            node = given if isinstance(given, Node) else file(given)
            member = tarfile.TarInfo(path)
            member.mode, member.uid, member.gid = node.mode, node.uid, node.gid
            if node.capability:
                member.pax_headers = {"SCHILY.xattr.security.capability": node.capability.decode("latin-1")}
            if node.same_as is not None:
                member.type, member.linkname = tarfile.LNKTYPE, node.same_as
                archive.addfile(member)
                continue
            member.type, member.linkname = TYPES[node.kind], node.link
            member.size = len(node.content)
            archive.addfile(member, io.BytesIO(node.content))
    return out.getvalue()


def gzipped(content: bytes) -> bytes:
    import gzip

    return gzip.compress(content, mtime=0)


def zstandard(content: bytes) -> bytes:
    import zstandard as zstd

    return zstd.ZstdCompressor().compress(content)


def plain(content: bytes) -> bytes:
    return content


COMPRESSIONS: Mapping[str, Callable[[bytes], bytes]] = {"+gzip": gzipped, "+zstd": zstandard, "": plain}


@dataclass(kw_only=True)
class Layout:
    """An OCI layout in the making; `add_image` may be called for each tag or platform."""

    root: Path
    algorithm: str = "sha256"
    manifests: list[dict[str, object]] = field(default_factory=list)

    def blob(self, content: bytes) -> tuple[str, int]:
        """Store a blob; its digest and size."""
        name = digest(content, self.algorithm)
        place = self.root / "blobs" / name.replace(":", "/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        return name, len(content)

    def add_image(
        self,
        layers: Sequence[Nodes | bytes],
        *,
        config: Mapping[str, object] | None = None,
        tag: str | None = "latest",
        architecture: str = "amd64",
        compression: str = "+gzip",
        listed: bool = True,
        manifest_extra: Mapping[str, object] | None = None,
    ) -> dict[str, object]:
        """Add an image and list it in index.json; returns its descriptor."""
        tars = [item if isinstance(item, bytes) else layer_tar(item) for item in layers]
        stored = [self.blob(COMPRESSIONS[compression](tar)) for tar in tars]
        config_blob = json.dumps(
            {
                "os": "linux",
                "architecture": architecture,
                "config": dict(config or {}),
                "rootfs": {"type": "layers", "diff_ids": [digest(tar, self.algorithm) for tar in tars]},
                "history": [{"created_by": f"step {index}"} for index in range(len(tars))],
            }
        ).encode()
        config_digest, config_size = self.blob(config_blob)
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": config_digest,
                "size": config_size,
            },
            "layers": [
                {"mediaType": f"application/vnd.oci.image.layer.v1.tar{compression}", "digest": name, "size": size}
                for name, size in stored
            ],
            **(manifest_extra or {}),
        }
        name, size = self.blob(json.dumps(manifest).encode())
        descriptor: dict[str, object] = {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": name,
            "size": size,
            "platform": {"os": "linux", "architecture": architecture},
        }
        if tag is not None:
            descriptor["annotations"] = {"org.opencontainers.image.ref.name": tag}
        if listed:
            self.manifests.append(descriptor)
        self.write_index()
        return descriptor

    def write_index(self) -> None:
        """Write index.json and oci-layout."""
        self.root.mkdir(parents=True, exist_ok=True)
        (self.root / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        (self.root / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": self.manifests}))


def simple_image(
    root: Path,
    layers: Sequence[Nodes | bytes],
    *,
    config: Mapping[str, object] | None = None,
    compression: str = "+gzip",
    algorithm: str = "sha256",
) -> Path:
    """A layout with one image tagged latest; its folder."""
    Layout(root=root, algorithm=algorithm).add_image(layers, config=config, compression=compression)
    return root


def archived(layout: Path, to: Path) -> Path:
    """The layout as an OCI archive."""
    with tarfile.open(to, "w") as archive:
        archive.add(layout, arcname=".")
    return to


def docker_archive(to: Path, layers: Sequence[Nodes], *, config: Mapping[str, object] | None = None) -> Path:
    """What docker save wrote before v25: manifest.json, a config and layer tars."""
    tars = [layer_tar(nodes) for nodes in layers]
    config_blob = json.dumps(
        {
            "os": "linux",
            "architecture": "amd64",
            "config": dict(config or {}),
            "rootfs": {"type": "layers", "diff_ids": [digest(tar) for tar in tars]},
        }
    ).encode()
    name = digest(config_blob).removeprefix("sha256:") + ".json"
    places = [f"{index}/layer.tar" for index in range(len(tars))]
    listing = json.dumps([{"Config": name, "RepoTags": ["sample:latest"], "Layers": places}]).encode()
    with tarfile.open(to, "w") as archive:
        for path, content in ((name, config_blob), *zip(places, tars, strict=True), ("manifest.json", listing)):
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return to
