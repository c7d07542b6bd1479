"""What is fuzzed: each harness hands bytes to readers, and what their contracts do not allow comes out of it.

A harness returns when the bytes were read or were refused with an error of ours; anything else is a finding. Bytes
that a blind mutation could never repair (tar checksums, digests) are repaired first.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from compliance.errors import ComplianceError, FormatError
from compliance.formats import oci, tar
from compliance.formats.control_file import stanzas, unique_fields
from compliance.formats.cosign_layer import read_layer_evidence, read_simple_signing
from compliance.formats.dsse import read_envelope
from compliance.formats.examine import Examiner, PackageExaminer
from compliance.formats.globs import PathMatcher
from compliance.formats.go_buildinfo import MAGIC, read_go_buildinfo
from compliance.formats.intoto import read_statement
from compliance.formats.java_archive import read_java_archive
from compliance.formats.public_key import load_public_key
from compliance.formats.rpm_database import header_blobs
from compliance.formats.rpm_header import RpmHeader, Tag
from compliance.formats.signed_json import read_object
from compliance.formats.sigstore_bundle import read_bundle
from compliance.ingest.archive import TarBlobs, archive_in
from compliance.ingest.blobs import blob_name, missing
from compliance.ingest.compression import Inflater
from compliance.ingest.layers import LayerReader
from compliance.ingest.limits import Limits
from compliance.ingest.merge import TreeBuilder
from compliance.ingest.oci_layout import OciLayout
from compliance.model.filesystem import FileTree, display_path
from compliance.model.image import Layer
from compliance.model.reference import ImageReference, Scheme
from compliance.model.request import ContentRequest
from compliance.sbom.inventory import requests, take_inventory
from controls.knowledge import marker_rules
from tests.builders.evidence import tree

LIMITS = Limits(
    layer_bytes=2**26, entries=10_000, captured_bytes=2**24, archive_bytes=2**26, manifest_bytes=2**18, manifests=200
)
NOWHERE = Path("/nonexistent/image")
REFERENCE = ImageReference(scheme=Scheme.OCI_ARCHIVE, target=str(NOWHERE))
_FEW_REQUESTS = (
    ContentRequest(name="accounts", globs=("etc/passwd", "etc/group")),
    ContentRequest(name="jars", globs=("**/*.jar",), reduce=read_java_archive),
)
PART = b"\n%%\n"
"""Between the parts of an input that has several."""
NAME = b"\0"
"""Between the path of a file and its content, in a part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Harness:
    """`run` returns or raises; `max_len` bounds the inputs, in bytes."""

    name: str
    run: Callable[[bytes], None]
    max_len: int


def tar_reader(data: bytes) -> None:
    """The tar reader alone; the sizes it hands out are the sizes it told."""
    stream = MemoryStream(with_checksums(data))
    reader = tar.TarReader(stream)
    try:
        for entry in reader:
            left = min(entry.size, 2**20)  # sparse files may claim more than anybody should read
            while left:
                piece = reader.read(min(left, 4096))
                assert piece, "content ends before its size"
                left -= len(piece)
            assert entry.mode == entry.mode & 0o7777
            assert len(entry.type) == 1
    except FormatError:
        return


def layers(data: bytes) -> None:
    """Two layers through reader, merge and tree; every path of the tree is safe, and every link look-up ends."""
    builder = TreeBuilder()
    try:
        with closing(LayerReader(_FEW_REQUESTS, _examiner(), LIMITS)) as reader:
            _apply(data, reader, builder)
    except ComplianceError:
        return
    _look_at(builder.finish())


def _apply(data: bytes, reader: LayerReader, builder: TreeBuilder) -> None:
    for index, part in enumerate(data.split(PART, 1)):
        content = with_checksums(part)
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        layer = Layer(index=index, digest=digest, diff_id=digest, media_type="layer.tar", size=len(content))
        builder.apply(reader.read(layer, io.BytesIO(content)))


def inflate(data: bytes) -> None:
    """Gzip, zstd and plain streams."""
    try:
        inflater = Inflater(io.BytesIO(data), limit=2**24, where="layer")
    except ComplianceError:
        return
    try:
        while inflater.read(2**16):
            pass
        inflater.finish(None, None)
    except ComplianceError:
        return
    finally:
        inflater.close()


def manifests(data: bytes) -> None:
    """Manifest, index and config, whatever the bytes are meant to be."""
    for media_type in (None, oci.OCI_INDEX, oci.OCI_MANIFEST, oci.DOCKER_LIST):
        _allowed(oci.parse_manifest_or_index, data, media_type)
    _allowed(oci.parse_config, data)


def layout(data: bytes) -> None:
    """An OCI layout in memory: index.json, then blobs that name earlier ones as DIGEST<n> and SIZE<n>."""
    blobs = MemoryBlobs(data.split(PART)[:20])
    try:
        image = OciLayout(REFERENCE, blobs, NOWHERE, LIMITS).image(None)
    except ComplianceError:
        return
    for layer in image.layers:
        assert layer.size >= 0


def docker_manifest(data: bytes) -> None:
    """manifest.json of docker save, in an archive with one config and one layer."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as out:
        for name, content in (*_docker_files().items(), ("manifest.json", data)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            out.addfile(member, io.BytesIO(content))
    _read_archive(archive.getvalue())


def archives(data: bytes) -> None:
    """A whole image archive."""
    _read_archive(with_checksums(data))


def programs(data: bytes) -> None:
    """ELF and script examiner with every marker rule, and the one that looks for packages only."""
    _examiner().examine(data)
    PackageExaminer().examine(data)


def go_build_info(data: bytes) -> None:
    """Go build info wherever its magic stands."""
    content = MAGIC + data
    read_go_buildinfo(content, None, [match.start() for match in re.finditer(re.escape(MAGIC), content)])


def java(data: bytes) -> None:
    """A jar with jars in it."""
    _allowed(read_java_archive, data)


def rpm(data: bytes) -> None:
    """An RPM database, and a single header."""
    try:
        for blob in header_blobs(data):
            _read_header(blob)
    except FormatError:
        pass
    _allowed(_read_header, data)


def signatures(data: bytes) -> None:
    """Everything that carries or is signed: bundles, envelopes, statements, cosign's annotations, keys."""
    _allowed(read_bundle, data)
    _allowed(lambda: read_envelope(read_object(data, "envelope")))
    _allowed(read_statement, data)
    _allowed(read_simple_signing, data)
    _allowed(load_public_key, data)
    _allowed(lambda: read_layer_evidence(_annotations(data)))


def control_files(data: bytes) -> None:
    """dpkg's and apk's way to write records."""
    for stanza in stanzas(data.decode("utf-8", "replace")):
        unique_fields(stanza)


def inventory(data: bytes) -> None:
    """All catalogers over a few files, each as PATH NUL CONTENT: they record what they don't understand."""
    files: dict[str, bytes] = {"etc/os-release": b"ID=debian\nVERSION_ID=12\n"}
    for part in data.split(PART)[:8]:
        name, _, content = part.partition(NAME)
        path = name.decode("utf-8", "surrogateescape").strip("/")
        if path and len(path) < 200 and not any(piece in ("", ".", "..") for piece in path.split("/")):
            files[path] = content
    try:
        image = tree(_without_file_folders(files), requests=_asking(files), examiner=_examiner())
    except FormatError:  # a request's reduce may refuse; what it refuses is not kept
        return
    take_inventory(image)


HARNESSES: tuple[Harness, ...] = (
    Harness(name="tar", run=tar_reader, max_len=2**15),
    Harness(name="layers", run=layers, max_len=2**15),
    Harness(name="inflate", run=inflate, max_len=2**13),
    Harness(name="manifests", run=manifests, max_len=2**13),
    Harness(name="layout", run=layout, max_len=2**14),
    Harness(name="docker-manifest", run=docker_manifest, max_len=2**12),
    Harness(name="archives", run=archives, max_len=2**15),
    Harness(name="programs", run=programs, max_len=2**16),
    Harness(name="go", run=go_build_info, max_len=2**14),
    Harness(name="java", run=java, max_len=2**15),
    Harness(name="rpm", run=rpm, max_len=2**16),
    Harness(name="signatures", run=signatures, max_len=2**14),
    Harness(name="control-files", run=control_files, max_len=2**13),
    Harness(name="inventory", run=inventory, max_len=2**15),
)


def with_checksums(data: bytes) -> bytes:
    """`data` with the right checksum in every block that says it is a tar header."""
    if len(data) < tar.BLOCK:
        return data
    fixed = bytearray(data)
    for at in range(0, len(data) - tar.BLOCK + 1, tar.BLOCK):
        if fixed[at + 257 : at + 262] == b"ustar":
            fixed[at + 148 : at + 156] = b" " * 8
            fixed[at + 148 : at + 156] = b"%06o\0 " % sum(fixed[at : at + tar.BLOCK])
    return bytes(fixed)


class MemoryStream:
    """Bytes as the tar reader wants them."""

    def __init__(self, content: bytes) -> None:
        self._stream = io.BytesIO(content)
        self.read = self.read1 = self._stream.read

    def peek(self, size: int) -> bytes:
        at = self._stream.tell()
        data = self._stream.read(size)
        self._stream.seek(at)
        return data

    def skip(self, size: int) -> int:
        return len(self._stream.read(size))


class MemoryBlobs:
    """Blobs from memory. The first part is index.json; in each, DIGEST<n> stands for the digest of the n-th blob."""

    def __init__(self, parts: list[bytes]) -> None:
        self._files: dict[str, bytes] = {}
        told: list[tuple[str, int]] = []
        content = b""
        for part in (*parts[1:], parts[0]):
            content = part
            for number, (digest, size) in enumerate(told):
                content = content.replace(b"DIGEST%d" % number, digest.encode()).replace(
                    b"SIZE%d" % number, b"%d" % size
                )
            told.append((f"sha256:{hashlib.sha256(content).hexdigest()}", len(content)))
            self._files[blob_name(told[-1][0])] = content
        self._files["index.json"] = content

    def open(self, name: str) -> io.BytesIO:
        if name not in self._files:
            raise missing(name, "memory")
        return io.BytesIO(self._files[name])

    def names(self) -> frozenset[str]:
        return frozenset(name.partition("/")[0] for name in self._files)

    def sizes(self) -> Iterator[tuple[str, int]]:
        for name in sorted(self._files):
            if name.startswith("blobs/"):
                yield name.removeprefix("blobs/").replace("/", ":"), len(self._files[name])

    def close(self) -> None:
        pass


def _allowed(read: Callable[..., object], *given: object) -> None:
    """`read` may refuse with FormatError and nothing else."""
    try:
        read(*given)
    except FormatError as error:
        _one_line(error)
    except ComplianceError as error:
        raise AssertionError(f"{type(error).__name__} from a parser") from error


def _read_archive(content: bytes) -> None:
    try:
        source = archive_in(REFERENCE, TarBlobs(io.BytesIO(content), "archive", LIMITS), NOWHERE, LIMITS)
        image = source.image(None)
        for layer in image.layers:
            source.open_layer(layer).read(2**20)
    except ComplianceError as error:
        _one_line(error)


def _one_line(error: ComplianceError) -> None:
    assert "\n" not in str(error)


def _read_header(blob: bytes) -> None:
    header = RpmHeader(blob)
    for tag in Tag:
        header.text(tag)
        header.texts(tag)
        header.integers(tag)


def _look_at(found: FileTree) -> None:
    for path in found.entries:
        parts = path.split("/") if path else []
        assert not any(part in ("", ".", "..") for part in parts), path
        assert "\0" not in path
        assert display_path(path).isprintable()
        assert "/".join(parts[:-1]) in found.entries, f"no folder for {path}"
        found.resolve(path)


def _annotations(data: bytes) -> Mapping[str, str]:
    """The annotations of cosign's layers: the input, where it is an object of texts."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        value = {"dev.cosignproject.cosign/signature": data.decode("latin-1")}
    return {key: item for key, item in value.items() if isinstance(item, str)}


def _without_file_folders(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """`files` without those below which another one lies."""
    return {path: files[path] for path in files if not any(other.startswith(f"{path}/") for other in files)}


@cache
def _examiner() -> Examiner:
    return Examiner(marker_rules())


@cache
def _matchers() -> tuple[tuple[ContentRequest, PathMatcher], ...]:
    return tuple((replace(request, max_size=2**20), PathMatcher(request.globs)) for request in requests())


def _asking(paths: Iterable[str]) -> tuple[ContentRequest, ...]:
    """The catalogers' requests for one of `paths`."""
    return tuple(request for request, matcher in _matchers() if any(matcher.matches(path) for path in paths))


def is_wanted(path: str) -> bool:
    """Whether some cataloger asks for `path`."""
    return bool(_asking((path,)))


@cache
def _docker_files() -> Mapping[str, bytes]:
    layer = bytes(1024)
    diff_id = f"sha256:{hashlib.sha256(layer).hexdigest()}"
    config = {"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": [diff_id]}}
    return {"config.json": json.dumps(config).encode(), "a/layer.tar": layer}
