"""Trees and evidence made by hand, for tests of checks and catalogers."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from compliance.formats.examine import Examiner
from compliance.formats.globs import PathMatcher
from compliance.model.evidence import Evidence, Profile, ProfileSource, Variant
from compliance.model.filesystem import (
    Captured,
    FileAttributes,
    FileEntry,
    FileFacts,
    FileKind,
    FileReading,
    FileTree,
    Residue,
    Unread,
)
from compliance.model.image import Image, ImageConfig, Layer
from compliance.model.inventory import Inventory, Package
from compliance.model.reference import ImageReference, Platform, Scheme
from compliance.model.request import ContentRequest
from compliance.model.verification import Demand, Integrity, Verification

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
DIGEST = "sha256:" + "1" * 64


@dataclass(frozen=True, kw_only=True)
class Node:
    """One entry to put into a tree; `same_as` makes it a hard link to another path."""

    kind: FileKind = FileKind.REGULAR
    content: bytes = b""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    link: str = ""
    layer: int = 0
    capability: bytes = b""
    acl: bool = False
    same_as: str | None = None


def file(content: bytes | str = b"", mode: int = 0o644, **more: object) -> Node:
    """A regular file."""
    data = content.encode() if isinstance(content, str) else content
    return replace(Node(content=data, mode=mode), **more)  # type: ignore[arg-type]


def program(content: bytes | str = b"", **more: object) -> Node:
    """An executable regular file, mode 0755."""
    return file(content, 0o755, **more)


def directory(mode: int = 0o755, **more: object) -> Node:
    """A directory."""
    return replace(Node(kind=FileKind.DIRECTORY, mode=mode), **more)  # type: ignore[arg-type]


def symlink(target: str, **more: object) -> Node:
    """A symbolic link, with the meaningless mode 0777 that tars give it."""
    return replace(Node(kind=FileKind.SYMLINK, mode=0o777, link=target), **more)  # type: ignore[arg-type]


def tree(
    nodes: Mapping[str, Node | bytes | str],
    *,
    requests: Iterable[ContentRequest] = (),
    examiner: Examiner | None = None,
    unread: tuple[Unread, ...] = (),
    residue: tuple[Residue, ...] = (),
    implied_directories: bool = True,
) -> FileTree:
    """A merged tree of `nodes` by path; texts and bytes are plain files; parents come into being as 0755 root.

    With `examiner` every regular file gets its facts as ingest would give them. Scripts are kept whole, other
    content as `requests` say; /etc/passwd, group and shadow always.
    """
    wanted = [*requests, ContentRequest(name="accounts", globs=("etc/passwd", "etc/group", "etc/shadow"))]
    matchers = [(request, PathMatcher(request.globs)) for request in wanted]
    full: dict[str, Node] = {}
    for path, node in nodes.items():
        full[path.strip("/")] = node if isinstance(node, Node) else file(node)
    if implied_directories:
        for path in list(full):
            parent = path
            while parent:
                parent = parent.rpartition("/")[0]
                full.setdefault(parent, directory())
    inodes = {path: number for number, path in enumerate(sorted(full), 1)}
    entries: dict[str, FileEntry] = {}
    captured: dict[str, list[Captured]] = {}
    for path in sorted(full):
        node = full[path]
        inode = inodes[path]
        if node.same_as is not None:
            inode = inodes[node.same_as.strip("/")]
            node = full[node.same_as.strip("/")]
        regular = node.kind is FileKind.REGULAR
        entry = FileEntry(
            path=path,
            kind=node.kind,
            size=len(node.content),
            inode=inode,
            attributes=FileAttributes(
                mode=node.mode,
                uid=node.uid,
                gid=node.gid,
                layer=node.layer,
                capability=node.capability,
                acl=node.acl,
            ),
            reading=FileReading(
                sha256=hashlib.sha256(node.content).hexdigest() if regular else "",
                md5=hashlib.md5(node.content, usedforsecurity=False).hexdigest() if regular else "",
                sha1=hashlib.sha1(node.content, usedforsecurity=False).hexdigest() if regular else "",
                facts=examiner.examine(node.content) if regular and examiner is not None else None,
                link=node.link,
            ),
        )
        entries[path] = entry
        if not regular:
            continue
        for request, matcher in matchers:
            if matcher.matches(path):
                value = node.content if request.reduce is None else request.reduce(node.content)
                captured.setdefault(request.name, []).append(Captured(entry=entry, value=value))
        if node.content.startswith(b"#!"):
            captured.setdefault("scripts", []).append(Captured(entry=entry, value=node.content))
    return FileTree(
        entries,
        captured={name: tuple(items) for name, items in captured.items()},
        unread=unread,
        residue=residue,
    )


def telling(entry: FileEntry, facts: FileFacts) -> FileEntry:
    """`entry` as if its content had told `facts`."""
    return replace(entry, reading=entry.reading._replace(facts=facts))


def tree_from_directory(
    root: Path, *, requests: Iterable[ContentRequest] = (), examiner: Examiner | None = None
) -> FileTree:
    """The tree of a directory on disk, e.g. a fixture's rootfs; ``NAME.fixture.gz`` stands for NAME."""
    import gzip

    nodes: dict[str, Node] = {}
    for where, folders, files in os.walk(root):
        for name in [*folders, *files]:
            path = Path(where, name)
            inside = path.relative_to(root).as_posix()
            mode = path.lstat().st_mode & 0o7777
            if path.is_symlink():
                nodes[inside] = symlink(str(path.readlink()))
            elif path.is_dir():
                nodes[inside] = directory(mode)
            elif name.endswith(".fixture.gz"):
                nodes[inside.removesuffix(".fixture.gz")] = file(gzip.decompress(path.read_bytes()), mode)
            else:
                nodes[inside] = file(path.read_bytes(), mode)
    return tree(nodes, requests=requests, examiner=examiner)


@dataclass(frozen=True, kw_only=True)
class ImageSpec:
    """Defaults of `image`."""

    config: ImageConfig | None = field(default_factory=ImageConfig)
    layers: int = 1
    tag: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    reference_digest: str | None = None


def image(spec: ImageSpec | None = None) -> Image:
    """An image without blobs behind it."""
    spec = spec or ImageSpec()
    layers = tuple(
        Layer(
            index=index,
            digest=f"sha256:{index:x}" + "a" * 63,
            diff_id=f"sha256:{index:x}" + "b" * 63,
            media_type="application/vnd.oci.image.layer.v1.tar+gzip",
            size=1000 + index,
        )
        for index in range(spec.layers)
    )
    reference = ImageReference(scheme=Scheme.OCI_DIR, target="image", tag=spec.tag, digest=spec.reference_digest)
    return Image(
        reference=reference,
        digest=DIGEST,
        media_type="application/vnd.oci.image.manifest.v1+json",
        platform=Platform(os="linux", architecture="amd64"),
        manifest=b"{}",
        config_digest="sha256:" + "2" * 64,
        config_bytes=b"{}",
        config=spec.config,
        layers=layers,
        annotations=spec.annotations,
        tag=spec.tag,
    )


def evidence(
    files: FileTree | Mapping[str, Node | bytes | str] | None = None,
    *,
    config: ImageConfig | None = None,
    without_config: bool = False,
    packages: tuple[Package, ...] = (),
    inventory: Inventory | None = None,
    verification: Verification | None = None,
    variant: Variant = Variant.RUNTIME,
    source: ProfileSource = ProfileSource.DEFAULT,
    declared: str | None = None,
    tag: str | None = None,
    reference_digest: str | None = None,
    annotations: Mapping[str, str] | None = None,
    layers: int = 1,
    requests: Iterable[ContentRequest] = (),
    examiner: Examiner | None = None,
    unread: tuple[Unread, ...] = (),
) -> Evidence:
    """Evidence for a check: a tree (or nodes for one), a config, packages and a profile."""
    if not isinstance(files, FileTree):
        files = tree(files or {}, requests=requests, examiner=examiner, unread=unread)
    if inventory is None:
        owners = {path: package.purl for package in packages for path in package.files}
        inventory = Inventory(packages=packages, owners=owners)
    spec = ImageSpec(
        config=None if without_config else config or ImageConfig(),
        layers=layers,
        tag=tag,
        annotations=annotations or {},
        reference_digest=reference_digest,
    )
    return Evidence(
        image=image(spec),
        filesystem=files,
        inventory=inventory,
        verification=verification
        or Verification(integrity=Integrity(checked=(("manifest", DIGEST),)), demand=Demand()),
        profile=Profile(variant=variant, source=source, declared=declared),
        assessed_at=NOW,
    )
