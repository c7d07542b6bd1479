"""Content-addressed bytes: a folder by default, or whatever fsspec has a URL for.

A blob is one zstd file, named by the hex SHA-256 of what it holds: ``ab/abcd….zst``. Assessments of one fleet are
much alike, so one that gains by it is compressed against an earlier blob, its *base*: its file then begins with a
skippable frame (RFC 8878, 3.1.2) that holds the base's SHA-256. A base has no base. What is read is inflated within
a bound and held against its name, whatever the file says.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import zstandard

from compliance.errors import StoreError

BLOB_MAX = 256 * 2**20
"""Bytes of one blob before compression."""

_STORED_MAX = BLOB_MAX + 2**20
_LEVEL = 9
_TRIAL_LEVEL = 1
_BASES_MAX = 4
_BASE_SIZES = range(4 * 2**10, 8 * 2**20)
_GAIN = 0.6  # of the size without a base: where no base does better, the blob becomes one
_FAMILY = 32  # bytes at the beginning that blobs of one kind share
_BASED = bytes.fromhex("5b2a4d1820000000")  # a skippable frame of 32 bytes
_WINDOW_MAX = 2**27
_NAME = re.compile(r"([0-9a-f]{2})/(\1[0-9a-f]{62})\.zst")
_S3 = ("s3", "s3a")
_OBJECTS = frozenset((*_S3, "gs", "gcs", "az", "abfs", "abfss", "oss", "oci"))
"""Schemes of object stores: they have no folders, and an object is there whole or not at all."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Place(Protocol):
    """Files below one folder or prefix. Paths are relative, with slashes."""

    name: str
    atomic: bool
    """Whether a file that is there was written to its end."""
    exclusive: bool
    """Whether of two that create a file at once the first counts."""

    def read(self, path: str) -> bytes | None:
        """The file, at most a bound; None where there is none. Raises OSError."""

    def write(self, path: str, content: bytes) -> None:
        """The whole file or nothing. Raises OSError."""

    def create(self, path: str, content: bytes) -> None:
        """The same, but where the place is `exclusive` a file that is there stays as it is. Raises OSError."""

    def holds(self, path: str) -> bool:
        """Whether there is such a file. Raises OSError."""

    def files(self) -> Iterator[tuple[str, int]]:
        """Every file and its size, but those that are being written."""


class Blobs:
    """The blobs at one place. Raises StoreError for what the place refuses."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._base = lru_cache(maxsize=8)(self._plain)

    def __reduce__(self) -> tuple[type[Blobs], tuple[Place]]:
        """In another process, the same place with nothing remembered of it."""
        return Blobs, (self.place,)

    def put(self, content: bytes) -> str:
        """Keep the bytes, once; their hex SHA-256."""
        if len(content) > BLOB_MAX:
            raise StoreError(f"more than {BLOB_MAX} bytes in one blob", code="limit-exceeded", where=self.place.name)
        sha256 = hashlib.sha256(content).hexdigest()
        with self._refusals():
            if not self._has(sha256):
                self.place.create(_path(sha256), self._compressed(content, sha256))
        return sha256

    def _has(self, sha256: str) -> bool:
        if self.place.atomic:
            return self.place.holds(_path(sha256))
        try:
            self.get(sha256)
        except StoreError as error:
            if error.code in ("blob-missing", "digest-mismatch"):
                return False
            raise
        return True

    def get(self, sha256: str) -> bytes:
        """The bytes. Raises StoreError (``blob-missing``, ``digest-mismatch``)."""
        stored = self._stored(sha256)
        if stored.startswith(_BASED):
            base = stored[len(_BASED) : len(_BASED) + 32].hex()
            content = self._inflated(stored[len(_BASED) + 32 :], sha256, self._base(base))
        else:
            content = self._inflated(stored, sha256)
        return self._checked(content, sha256)

    def files(self) -> Iterator[tuple[str, str | None, int]]:
        """Every file: its path, the digest it is named by (None for one that is no blob's), and its stored size."""
        with self._refusals():
            for path, size in self.place.files():
                name = _NAME.fullmatch(path)
                if name is not None or not path.startswith("bases/"):
                    yield path, None if name is None else name[2], size

    def _stored(self, sha256: str) -> bytes:
        with self._refusals():
            stored = self.place.read(_path(sha256)) if _SHA256.fullmatch(sha256) else None
        if stored is None:
            raise StoreError("a blob is missing", code="blob-missing", where=f"{self.place.name}/{_path(sha256)}")
        return stored

    def _plain(self, sha256: str) -> bytes:
        """A blob that has no base."""
        return self._checked(self._inflated(self._stored(sha256), sha256), sha256)

    def _inflated(self, stored: bytes, sha256: str, base: bytes | None = None) -> bytes:
        dictionary = None if base is None else _dictionary(base)
        inflater = zstandard.ZstdDecompressor(dict_data=dictionary, max_window_size=_WINDOW_MAX)
        content = bytearray()
        try:
            with inflater.stream_reader(stored) as reader:
                while part := reader.read(2**20):
                    content += part
                    if len(content) > BLOB_MAX:
                        raise self._mismatch(sha256, f"more than {BLOB_MAX} bytes")
        except zstandard.ZstdError as error:
            raise self._mismatch(sha256, f"damaged: {error}") from None
        return bytes(content)

    def _checked(self, content: bytes, sha256: str) -> bytes:
        if hashlib.sha256(content).hexdigest() != sha256:
            raise self._mismatch(sha256, "its content is not what its name says")
        return content

    def _mismatch(self, sha256: str, reason: str) -> StoreError:
        return StoreError(f"a blob is {reason}", code="digest-mismatch", where=f"{self.place.name}/{_path(sha256)}")

    def _compressed(self, content: bytes, sha256: str) -> bytes:
        """Against the base that serves best, if one does.

        Of two writers at once the first counts: were a blob that others take for their base written over by its like
        with a base of its own, neither could be read any more. So nothing has a base where files may be written over:
        conditional writes are not what every object store has.
        """
        alone = _deflated(content, _LEVEL)
        if len(content) not in _BASE_SIZES or not self.place.exclusive:
            return alone
        family = f"bases/{hashlib.sha256(content[:_FAMILY]).hexdigest()[:16]}"
        bases = self._bases(family)
        best = min(bases, key=lambda base: len(_deflated(content, _TRIAL_LEVEL, bases[base])), default=None)
        if best is not None:
            based = _deflated(content, _LEVEL, bases[best])
            if len(based) < _GAIN * len(alone):
                return _BASED + bytes.fromhex(best) + based
        self.place.write(family, "\n".join([sha256, *bases][:_BASES_MAX]).encode())
        return alone

    def _bases(self, family: str) -> dict[str, bytes]:
        """The bases of a family that can be read. The file that lists them is a convenience: nothing rests on it."""
        named = (self.place.read(family) or b"").decode("ascii", "replace").splitlines()[:_BASES_MAX]
        bases = {}
        for sha256 in named:
            with contextlib.suppress(StoreError):
                bases[sha256] = self._base(sha256)
        return bases

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise _refusal(error, self.place.name) from None


def open_blobs(url: str) -> Blobs:
    """The blobs at `url`: a path, ``file://…``, or an fsspec URL (``s3://bucket/prefix``, ``memory://…``).

    Raises StoreError where the libraries that the URL needs are not installed.
    """
    if "://" not in url:
        return Blobs(Folder(Path(url)))
    if url.startswith("file://"):
        return Blobs(Folder(Path(url.removeprefix("file://"))))
    return Blobs(Remote(url))


class Folder:
    """A local folder. A file appears whole or not at all, and is on the disk when `write` returns."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.name = str(folder)
        self.atomic = self.exclusive = True

    def read(self, path: str) -> bytes | None:
        """See Place."""
        try:
            with (self._folder / path).open("rb") as file:
                return file.read(_STORED_MAX)
        except FileNotFoundError:
            return None

    def write(self, path: str, content: bytes) -> None:
        """See Place."""
        self._put(self._folder / path, content, Path.replace)

    def create(self, path: str, content: bytes) -> None:
        """See Place."""
        self._put(self._folder / path, content, _link)

    def _put(self, target: Path, content: bytes, name_it: Callable[[Path, Path], object]) -> None:
        self._make(target.parent)
        descriptor, temporary = tempfile.mkstemp(prefix=".", suffix=".new", dir=target.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            name_it(Path(temporary), target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        _sync(target.parent)

    def holds(self, path: str) -> bool:
        """See Place."""
        return (self._folder / path).is_file()

    def files(self) -> Iterator[tuple[str, int]]:
        """See Place."""
        for folder, folders, names in os.walk(self._folder):
            folders.sort()
            for name in sorted(names):
                if not (name.startswith(".") and name.endswith(".new")):
                    file = Path(folder, name)
                    yield file.relative_to(self._folder).as_posix(), file.lstat().st_size

    def _make(self, folder: Path) -> None:
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            _sync(folder.parent)


class Remote:
    """Anything that fsspec reaches. An object store puts an object whole; elsewhere a torn file is written again.

    A bucket has to be there: one that was made because its name was mistyped would be nobody's.
    """

    def __init__(self, url: str) -> None:
        scheme = url.partition("://")[0]
        self._url = url
        self.name = _kind(url)
        self.atomic = scheme in _OBJECTS
        self.exclusive = False
        self._open()

    def __reduce__(self) -> tuple[type[Remote], tuple[str]]:
        """In another process it is opened anew."""
        return Remote, (self._url,)

    def _open(self) -> None:
        """Raises StoreError where the libraries that the URL needs are not installed."""
        try:
            from fsspec.core import url_to_fs
        except ImportError:
            raise _extra_missing(self.name) from None
        try:
            # What others write meanwhile is seen: no listing is remembered.
            self._files, self._root = url_to_fs(self._url, use_listings_cache=False)
        except ImportError:
            raise _implementation_missing(self._url) from None
        except (ValueError, OSError) as error:
            raise StoreError(f"no such storage: {error}", code="store-unknown", where=self.name) from None
        self._process = os.getpid()

    def read(self, path: str) -> bytes | None:
        """See Place."""
        try:
            content: bytes = self._asked("cat_file", f"{self._root}/{path}", start=0, end=_STORED_MAX)
        except FileNotFoundError:
            return None
        return content

    def write(self, path: str, content: bytes) -> None:
        """See Place."""
        target = f"{self._root}/{path}"
        if not self.atomic:  # whose folders have to be made
            self._asked("makedirs", target.rpartition("/")[0], exist_ok=True)
        self._asked("pipe_file", target, content)

    def create(self, path: str, content: bytes) -> None:
        """See Place."""
        self.write(path, content)

    def holds(self, path: str) -> bool:
        """See Place."""
        there: bool = self._asked("exists", f"{self._root}/{path}")
        return there

    def files(self) -> Iterator[tuple[str, int]]:
        """See Place."""
        found: dict[str, dict[str, Any]] = self._asked("find", self._root, detail=True)
        prefix = f"{self._root}/"
        for path, said in sorted(found.items()):
            yield path.removeprefix(prefix), int(said["size"])

    def _asked(self, verb: str, *arguments: object, **options: object) -> Any:
        if self._process != os.getpid():  # connections, and the thread that serves them, have one process
            self._open()
        try:
            return getattr(self._files, verb)(*arguments, **options)
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001 - each implementation has errors of its own
            raise OSError(errno.EIO, f"{type(error).__name__}: {error}") from None


def _path(sha256: str) -> str:
    return f"{sha256[:2]}/{sha256}.zst"


def _dictionary(base: bytes) -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(base, dict_type=zstandard.DICT_TYPE_RAWCONTENT)


def _deflated(content: bytes, level: int, base: bytes | None = None) -> bytes:
    """The window covers the base too: else its beginning would be out of reach."""
    window = max(10, min(27, (len(content) + len(base or b"")).bit_length()))
    parameters = zstandard.ZstdCompressionParameters.from_level(
        level, window_log=window, write_content_size=True, write_checksum=True
    )
    dictionary = None if base is None else _dictionary(base)
    return zstandard.ZstdCompressor(dict_data=dictionary, compression_params=parameters).compress(content)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _kind(url: str) -> str:
    """The URL without user names and options."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('?')[0].rpartition('@')[2]}"


def _link(temporary: Path, target: Path) -> None:
    """Give a file its name unless another has it, whose content is the same; then the file goes."""
    try:
        target.hardlink_to(temporary)
    except FileExistsError:
        pass
    except OSError:  # a file system without hard links: all but safe, as nobody else writes in this moment
        if not target.exists():
            temporary.replace(target)
            return
    temporary.unlink()


def _refusal(error: OSError, where: str) -> StoreError:
    said = " ".join((error.strerror or str(error)).split())
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreError(
            f"the disk is full: {said}",
            code="disk-full",
            where=where,
            hint="make room, and run the same command again: what was written is whole",
        )
    return StoreError(f"the blobs can't be read or written: {said}", code="blobs-refuse", where=where)


def _implementation_missing(url: str) -> StoreError:
    scheme = url.partition("://")[0]
    library = "hullmark[s3]" if scheme in _S3 else f"the fsspec implementation of {scheme}://"
    return StoreError(
        "the library for this kind of storage is not installed",
        code="extra-missing",
        where=_kind(url),
        hint=f"install {library}",
    )


def _extra_missing(where: str) -> StoreError:
    return StoreError(
        "a fleet's store needs libraries that are not installed",
        code="extra-missing",
        where=where,
        hint="install hullmark[fleet]",
    )
