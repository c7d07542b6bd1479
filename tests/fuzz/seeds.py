"""What fuzzing begins with: pieces of the shared fixtures, small enough to be changed byte by byte."""

from __future__ import annotations

import gzip
import io
import json
import re
import sqlite3
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from compliance.errors import ComplianceError
from compliance.formats.go_buildinfo import MAGIC
from compliance.formats.rpm_database import header_blobs
from tests.builders import elf
from tests.builders.evidence import directory, file, symlink
from tests.builders.layout import COMPRESSIONS, layer_tar
from tests.fuzz.harnesses import NAME, PART, is_wanted

FEW = 40
"""Seeds of one kind: more only slow the start."""


def _files(folder: Path, limit: int, patterns: Iterable[str] = ("*",)) -> Iterator[tuple[Path, bytes]]:
    """Small regular files below `folder`, in path order, unpacked where the fixture is."""
    for path in sorted({path for pattern in patterns for path in folder.rglob(pattern)}):
        if not path.is_file() or path.is_symlink() or path.stat().st_size > 2**22:
            continue
        content = path.read_bytes()
        if path.name.endswith(".fixture.gz"):
            content = gzip.decompress(content)
        if len(content) <= limit:
            yield path, content


def tars(shared: Path) -> Iterator[bytes]:
    """Each kind of entry, by each writer, and the layers of hostile images."""
    yield layer_tar(
        {
            "bin": symlink("usr/bin"),
            "usr/bin": directory(),
            "usr/bin/a": file("#!/bin/sh\n", 0o4755, capability=b"\x01\x00\x00\x02" + bytes(16)),
            "usr/bin/b": file(same_as="usr/bin/a"),
            "etc/.wh.gone": "",
            "etc/.wh..wh..opq": "",
            f"{'d/' * 60}{'n' * 120}": "long",
        }
    )
    for form in (tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=form) as archive:
            for kind in (tarfile.REGTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE):
                member = tarfile.TarInfo(f"x{kind.decode()}")
                member.type, member.linkname, member.uid = kind, "x0", 10**6
                archive.addfile(member)
        yield out.getvalue()
    for path, content in _files(shared / "fixtures" / "hostile", 2**17):
        if path.parent.name == "sha256" and content[:2] == b"\x1f\x8b":
            try:
                inflated = gzip.decompress(content)
            except (OSError, EOFError):
                continue
            if len(inflated) <= 2**15:
                yield inflated


def layer_pairs(shared: Path) -> Iterator[bytes]:
    """A layer on another."""
    yield from tars(shared)
    for below in (layer_tar({"a/b": "1", "c": symlink("a")}),):
        yield below + PART + layer_tar({"a/.wh.b": "", "c/d": "2", "e": file(same_as="a/b")})


def compressed(shared: Path) -> Iterator[bytes]:
    """Small streams of each compression."""
    for pack in COMPRESSIONS.values():
        yield pack(b"hello " * 50)
        yield pack(b"") + pack(b"a") + b"trailing"
    yield b"\x50\x2a\x4d\x18\x05\x00\x00\x00hello" + COMPRESSIONS["+zstd"](b"x")


def json_blobs(shared: Path) -> Iterator[bytes]:
    """Manifests, indexes and configs of the hostile and the real images."""
    for folder in ("hostile", "images", "sigstore"):
        for _, content in _files(shared / "fixtures" / folder, 2**13):
            if content[:1] in b"{[":
                yield content


def layouts(shared: Path) -> Iterator[bytes]:
    """Whole layouts, with digests and sizes as the harness fills them in."""
    indexes = sorted(
        [
            *(shared / "fixtures").glob("hostile/*/index.json"),
            *(shared / "fixtures").glob("sigstore/layouts/*/index.json"),
        ]
    )
    for index in indexes:
        blobs = {
            f"sha256:{path.name}": path.read_bytes()
            for path in sorted((index.parent / "blobs").rglob("*"))
            if path.is_file() and path.stat().st_size < 2**13
        }
        seed = _tokens(
            index.read_bytes(), {digest: content for digest, content in blobs.items() if content[:1] == b"{"}
        )
        if len(seed) < 2**14:
            yield seed


def _tokens(index: bytes, blobs: Mapping[str, bytes]) -> bytes:
    """Blobs ordered so that each comes after those it names."""
    order: list[str] = []
    left = dict(blobs)
    while left:
        free = [
            one for one, content in left.items() if not any(other.encode() in content for other in left if other != one)
        ]
        if not free:
            break
        for one in free:
            order.append(one)
            del left[one]
    parts = [index, *(blobs[one] for one in order[:18])]
    for number, one in enumerate(order[:18]):
        size = re.compile(rb'("size": ?)%d\b' % len(blobs[one]))
        parts = [
            size.sub(rb"\1SIZE%d" % number, part).replace(one.encode(), b"DIGEST%d" % number)
            if one.encode() in part
            else part
            for part in parts
        ]
    return PART.join(parts)


def docker_manifests(shared: Path) -> Iterator[bytes]:
    """What docker save lists, and what it should not."""
    good = {"Config": "config.json", "RepoTags": ["a:1"], "Layers": ["a/layer.tar"]}
    documents: tuple[object, ...] = ([good], [good, {**good, "RepoTags": None}], [], {}, [{**good, "Layers": ["../x"]}])
    for document in documents:
        yield json.dumps(document).encode()


def image_archives(shared: Path) -> Iterator[bytes]:
    """The archives among the hostile images."""
    for _, content in _files(shared / "fixtures" / "hostile", 2**15, ["*.tar"]):
        yield content


def elf_files(shared: Path) -> Iterator[bytes]:
    """Programs made by hand, and small scripts."""
    yield elf.program(b"text", needed=("libc.so.6",))
    yield elf.static_program(b"GNU bash, version 5.2.15")
    yield elf.library("libx.so.1", needed=("libc.so.6", "libm.so.6"))
    yield b"#!/usr/bin/env -S python3 -I\nprint()\n"
    yield b"#!" + b"x" * 300


def go_infos(shared: Path) -> Iterator[bytes]:
    """Build info cut out of the Go programs."""
    for _, content in _files(shared / "fixtures" / "packages" / "go", 2**24):
        at = content.find(MAGIC)
        while at >= 0:
            if at % 16 == 0:
                yield content[at + len(MAGIC) : at + 2**13]
            at = content.find(MAGIC, at + 1)


def jars(shared: Path) -> Iterator[bytes]:
    """Small real jars, and one inside another."""
    for _, content in _files(
        shared / "fixtures" / "packages" / "java", 2**15, ["*.jar", "*.war", "*.hpi", "*.fixture.gz"]
    ):
        yield content
    inner = _zip(
        {"META-INF/MANIFEST.MF": "Manifest-Version: 1.0\nImplementation-Title: a\nImplementation-Version: 1\n"}
    )
    pom = "<project><groupId>g</groupId><artifactId>a</artifactId><version>1</version></project>"
    properties = "groupId=g\nartifactId=a\nversion=1\n"
    place = "META-INF/maven/g/a"
    yield _zip({f"{place}/pom.xml": pom, f"{place}/pom.properties": properties, "BOOT-INF/lib/inner.jar": inner})
    yield inner


def _zip(files: Mapping[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return out.getvalue()


def rpm_databases(shared: Path) -> Iterator[bytes]:
    """The smallest real database, SQLite ones with a header or two, and single headers."""
    headers: list[bytes] = []
    for _, content in _files(shared / "fixtures" / "packages" / "rpm", 2**25, ["Packages*", "rpmdb.sqlite*"]):
        if len(content) <= 2**16:
            yield content
        try:
            headers += sorted((blob for blob in header_blobs(content)), key=len)[:2]
        except ComplianceError:
            continue
    yield from headers
    for count in (1, 2):
        with tempfile.NamedTemporaryFile() as place:
            with sqlite3.connect(place.name) as database:
                database.execute("PRAGMA page_size = 1024")
                database.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)")
                database.executemany("INSERT INTO Packages(blob) VALUES (?)", [(blob,) for blob in headers[:count]])
            database.close()
            yield Path(place.name).read_bytes()


def signed(shared: Path) -> Iterator[bytes]:
    """Bundles, envelopes, payloads and keys, good and bad."""
    for folder in ("sigstore", "sigstore-real"):
        kept = 0
        for _, content in _files(shared / "fixtures" / folder, 2**14):
            if content[:1] == b"{" or content.startswith(b"-----BEGIN PUBLIC KEY"):
                kept += 1
                if kept <= 3 * FEW:
                    yield content
            if content[:1] == b"{" and b"dev.cosignproject.cosign/signature" in content:
                for item in json.loads(content).get("layers", ()):
                    yield json.dumps(item.get("annotations", {})).encode()


def control_texts(shared: Path) -> Iterator[bytes]:
    """dpkg's status and apk's installed, cut short."""
    for kind, pattern in (("dpkg", "status*"), ("apk", "installed*")):
        for _, content in _files(shared / "fixtures" / "packages" / kind, 2**24, [pattern]):
            yield content[: 2**12]


def package_files(shared: Path) -> Iterator[bytes]:
    """What catalogers ask for, from every fixture: alone, and a few of a folder together."""
    for case in sorted((shared / "fixtures" / "packages").glob("*/*/rootfs")):
        together: dict[str, list[bytes]] = {}
        alone = 0
        for path, content in _files(case, 2**24):
            name = path.relative_to(case).as_posix().removesuffix(".fixture.gz")
            if not is_wanted(name):
                continue
            part = name.encode() + NAME + content[: 2**12]
            together.setdefault(path.parent.as_posix(), []).append(part)
            alone += 1
            if alone <= 6:
                yield part
        for parts in list(together.values())[:3]:
            yield PART.join(parts[:6])


SEEDS: Mapping[str, Callable[[Path], Iterator[bytes]]] = {
    "tar": tars,
    "layers": layer_pairs,
    "inflate": compressed,
    "manifests": json_blobs,
    "layout": layouts,
    "docker-manifest": docker_manifests,
    "archives": image_archives,
    "programs": elf_files,
    "go": go_infos,
    "java": jars,
    "rpm": rpm_databases,
    "signatures": signed,
    "control-files": control_texts,
    "inventory": package_files,
}
