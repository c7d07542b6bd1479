"""Image archives: a tar that holds an OCI layout (docker save since v25 too), or docker save's older form."""

from __future__ import annotations

import hashlib
import io
import posixpath
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from compliance.errors import FormatError, IntegrityError, SourceError
from compliance.formats import oci
from compliance.formats.tar import HARD_LINK, REGULAR, SYMLINK, TarReader
from compliance.ingest.blobs import missing, read_small
from compliance.ingest.compression import Inflater
from compliance.ingest.file_part import FilePart
from compliance.ingest.inflate import PLAIN, sniff
from compliance.ingest.limits import DEFAULT_LIMITS, Limits, exceeded
from compliance.ingest.oci_layout import OciLayout
from compliance.ingest.root_archive import is_root_archive
from compliance.ingest.source import Source
from compliance.model.image import Image, Layer
from compliance.model.reference import ImageReference, Platform, Scheme, is_digest

_DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"


@dataclass(frozen=True, slots=True)
class _Member:
    """Where a file's bytes are in the archive, or which member has them."""

    offset: int
    size: int
    link: str | None


class _InPlace:
    """A file as the stream that a tar is read from: contents are passed over without being read."""

    def __init__(self, stream: BinaryIO, end: int) -> None:
        self._stream, self._end = stream, end
        self.read = self.read1 = stream.read

    def peek(self, size: int) -> bytes:
        at = self._stream.tell()
        data = self._stream.read(size)
        self._stream.seek(at)
        return data

    def skip(self, size: int) -> int:
        at = self._stream.tell()
        return self._stream.seek(min(at + size, self._end)) - at


class TarBlobs:
    """Blobs (see blobs.Blobs) inside a tar file, read in place."""

    def __init__(self, stream: BinaryIO, where: str, limits: Limits = DEFAULT_LIMITS) -> None:
        """Index the members of `stream`. Raises FormatError (``archive-corrupt``), LimitError."""
        self._stream = stream
        self._where = where
        self._limits = limits
        self._end = stream.seek(0, io.SEEK_END)
        stream.seek(0)
        try:
            self._members = dict(self._index())
        except FormatError as error:
            raise FormatError(f"not a tar archive: {error.message}", code="archive-corrupt", where=where) from None

    def _index(self) -> Iterator[tuple[str, _Member]]:
        for count, entry in enumerate(TarReader(_InPlace(self._stream, self._end))):
            if count >= self._limits.archive_members:
                raise exceeded("archive_members", f"more than {count} files in the archive", self._where)
            name = posixpath.normpath(entry.name.lstrip("/"))
            if entry.type == REGULAR:
                yield name, _Member(self._stream.tell(), entry.size, None)
            elif entry.type == SYMLINK:
                yield name, _Member(0, 0, posixpath.join(posixpath.dirname(entry.name), entry.link))
            elif entry.type == HARD_LINK:
                yield name, _Member(0, 0, entry.link)

    def open(self, name: str) -> BinaryIO:
        """See Blobs. Links lead to other members only. Raises LimitError after too many of them."""
        wanted = name
        for _ in range(self._limits.link_hops + 1):
            member = self._members.get(posixpath.normpath(wanted))
            if member is None:
                raise missing(name, self._where)
            if member.link is None:
                return FilePart(self._stream, member.offset, member.size)
            wanted = member.link
        raise exceeded("link_hops", f"more than {self._limits.link_hops} links", f"{self._where}/{name}")

    def names(self) -> frozenset[str]:
        """See Blobs."""
        return frozenset(name.partition("/")[0] for name in self._members)

    def sizes(self) -> Iterator[tuple[str, int]]:
        """See Blobs."""
        for name in sorted(self._members):
            digest = name.removeprefix("blobs/").replace("/", ":")
            if is_digest(digest) and self._members[name].link is None:
                yield digest, self._members[name].size

    def close(self) -> None:
        """See Blobs."""
        self._stream.close()


class DockerArchive:
    """A Source over docker save's own form: manifest.json, a config, layer tars (docker image-spec v1.2)."""

    remote = False

    def __init__(self, reference: ImageReference, blobs: TarBlobs, limits: Limits = DEFAULT_LIMITS) -> None:
        """`blobs` holds manifest.json."""
        self._reference = reference
        self._blobs = blobs
        self._limits = limits
        self._places: dict[int, str] = {}

    def image(self, platform: Platform | None) -> Image:
        """See Source. There is no manifest to digest: the image's digest is its config's, Docker's image ID."""
        entry, tag = self._entry()
        config_name = _text(entry, "Config")
        config_bytes = read_small(self._blobs, config_name, self._limits.manifest_bytes)
        digest = f"sha256:{hashlib.sha256(config_bytes).hexdigest()}"
        claimed = posixpath.basename(config_name).removesuffix(".json").removeprefix("sha256:")
        if is_digest(f"sha256:{claimed}") and f"sha256:{claimed}" != digest:
            raise IntegrityError(
                f"the image config does not hash to its name: {digest} instead",
                code="digest-mismatch",
                where=config_name,
                hint="the image was changed or damaged after it was saved; save it again",
            )
        config = oci.parse_config(config_bytes)
        if platform is not None and not platform.accepts(config.platform):
            raise SourceError(
                f"no image for {platform}", code="no-platform", where=str(self._reference), hint=str(config.platform)
            )
        places = entry.get("Layers")
        if not isinstance(places, list) or not all(isinstance(place, str) for place in places):
            raise FormatError("not a list of layer files", code="manifest-invalid", where="manifest.json: Layers")
        if len(places) != len(config.diff_ids):
            raise FormatError(
                f"{len(places)} layers but {len(config.diff_ids)} diffIDs",
                code="config-invalid",
                where="config.rootfs.diff_ids",
            )
        self._places = dict(enumerate(places))
        history = config.created_by if len(config.created_by) == len(places) else (None,) * len(places)
        return Image(
            reference=self._reference,
            digest=digest,
            media_type=oci.DOCKER_CONFIG,
            platform=config.platform,
            manifest=read_small(self._blobs, "manifest.json", self._limits.manifest_bytes),
            config_digest=digest,
            config_bytes=config_bytes,
            config=config.image,
            layers=tuple(
                Layer(
                    index=index,
                    digest=diff_id,
                    diff_id=diff_id,
                    media_type=_DOCKER_LAYER,
                    size=self._size(places[index]),
                    created_by=history[index],
                )
                for index, diff_id in enumerate(config.diff_ids)
            ),
            tag=self._reference.tag or tag,
        )

    def open_layer(self, layer: Layer) -> BinaryIO:
        """See Source. A compressed layer is digested as it is inside: only its diffID is known."""
        return self._blobs.open(self._places[layer.index])

    def close(self) -> None:
        """See Source."""
        self._blobs.close()

    def _size(self, place: str) -> int:
        with self._blobs.open(place) as stream:
            return stream.seek(0, io.SEEK_END)

    def _entry(self) -> tuple[dict[str, object], str | None]:
        """The one image that is asked for, with the tag it has in the archive."""
        document = oci.load_json(
            read_small(self._blobs, "manifest.json", self._limits.manifest_bytes), "manifest.json", "manifest-invalid"
        )
        if not isinstance(document, list) or not all(isinstance(item, dict) for item in document):
            raise FormatError("not a list of images", code="manifest-invalid", where="manifest.json")
        asked = self._reference.tag
        fitting = [(item, tag) for item in document for tag in _tags(item) if asked is None or _is_named(tag, asked)]
        distinct = {_text(item, "Config") for item, _ in fitting}
        if not fitting:
            raise SourceError(
                f"no image named {asked} in the archive" if asked else "no image in the archive",
                code="no-image",
                where=str(self._reference),
            )
        if len(distinct) > 1:
            names = ", ".join(sorted(tag or "untagged" for _, tag in fitting))
            raise SourceError(
                f"{len(distinct)} images fit: {names}",
                code="ambiguous",
                where=str(self._reference),
                hint="name one: PATH:TAG",
            )
        return fitting[0]


def sniff_archive(path: Path) -> Scheme:
    """Which kind of archive a file is. Raises SourceError (``not-an-image``) when it is none."""
    if is_root_archive(path):
        return Scheme.ROOTFS_TAR
    blobs = _indexed(path, DEFAULT_LIMITS)
    try:
        return _scheme(blobs, str(path), DEFAULT_LIMITS)
    finally:
        blobs.close()


def open_archive(reference: ImageReference, limits: Limits = DEFAULT_LIMITS) -> Source:
    """The Source for an archive; what is in it decides, not the prefix that was typed."""
    path = Path(reference.target)
    return archive_in(reference, _indexed(path, limits), path, limits)


def archive_in(reference: ImageReference, blobs: TarBlobs, path: Path, limits: Limits) -> Source:
    """The Source for an archive that is open; it closes `blobs`. `path` is where the image came from."""
    try:
        scheme = _scheme(blobs, str(path), limits)
    except BaseException:
        blobs.close()
        raise
    if scheme is Scheme.OCI_ARCHIVE:
        return OciLayout(reference, blobs, path, limits)
    return DockerArchive(reference, blobs, limits)


def _lists_nothing(blobs: TarBlobs, limits: Limits) -> bool:
    """Docker 25 saved untagged images with an empty index beside a full manifest.json."""
    index = oci.parse_manifest_or_index(read_small(blobs, "index.json", limits.manifest_bytes), oci.OCI_INDEX)
    return isinstance(index, oci.Index) and not index.manifests


def _indexed(path: Path, limits: Limits) -> TarBlobs:
    try:
        stream = _opened(path, limits)
    except OSError as error:
        raise SourceError(
            f"can't read the image: {error.strerror or error}", code="not-found", where=str(path)
        ) from None
    try:
        return TarBlobs(stream, str(path), limits)
    except BaseException:
        stream.close()
        raise


def _scheme(blobs: TarBlobs, where: str, limits: Limits) -> Scheme:
    names = blobs.names()
    if "index.json" in names and not ("manifest.json" in names and _lists_nothing(blobs, limits)):
        return Scheme.OCI_ARCHIVE
    if "manifest.json" in names:
        return Scheme.DOCKER_ARCHIVE
    root = names & {"bin", "etc", "usr", "lib", "sbin", "var"}
    raise SourceError(
        "the archive holds a root filesystem, not an image" if root else "no image in the archive",
        code="not-an-image",
        where=where,
        hint="give rootfs-tar:PATH" if root else "give an OCI layout archive or the output of docker save",
    )


def _opened(path: Path, limits: Limits) -> BinaryIO:
    """The archive, seekable; a compressed one is unpacked to an unnamed temporary file."""
    stream = path.open("rb")
    head = stream.read(8)
    stream.seek(0)
    if sniff(head) == PLAIN:
        return stream
    unpacked = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the source
    try:
        with stream:
            inflater = Inflater(
                stream,
                limit=limits.archive_bytes,
                limit_name="archive_bytes",
                ratio=limits.inflation_ratio,
                where=str(path),
            )
            with closing(inflater):
                while piece := inflater.read(2**20):
                    unpacked.write(piece)
    except BaseException:
        unpacked.close()
        raise
    unpacked.seek(0)
    return unpacked


def _tags(entry: dict[str, object]) -> list[str | None]:
    tags = entry.get("RepoTags") or [None]
    if not isinstance(tags, list):
        raise FormatError("not a list of tags", code="manifest-invalid", where="manifest.json: RepoTags")
    return [tag if isinstance(tag, str) else None for tag in tags]


def _is_named(tag: str | None, asked: str) -> bool:
    return tag is not None and (tag == asked or tag.endswith((f":{asked}", f"/{asked}")))


def _text(entry: dict[str, object], key: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value:
        raise FormatError("not a text", code="manifest-invalid", where=f"manifest.json: {key}")
    return value
