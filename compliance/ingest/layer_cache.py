"""What was read of a layer, kept for the next image on the same base.

An entry is found by everything its content depends on: the layer's digest and diffID, its place in the image, what
was asked of it, and the code that read it. It is used only if its own digest still holds, and it can make nothing
but values of this package: a cache is a file that somebody else may have written.
"""

from __future__ import annotations

import contextlib
import copyreg
import fcntl
import hashlib
import io
import os
import pickle
import re
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import starmap
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

from compliance.errors import UsageError
from compliance.ingest.layers import LayerContents, Reads, first_inode
from compliance.model.filesystem import FileAttributes, FileEntry, FileKind, FileReading
from compliance.model.image import Layer
from compliance.model.request import ContentRequest

FORMAT = b"hullmark layer 2\n"
DEFAULT_SIZE_MAX = 2 * 2**30
"""Bytes of the whole cache; the entries that were not used for the longest time go first."""
SWEEP_SECONDS = 10.0
"""Between two looks whether the cache is too large: a fleet's processes store many entries a second."""
ENTRY_SIZE_MAX = 256 * 2**20
"""Bytes of one entry; larger ones are not kept."""
CLAIM_SECONDS = 300.0
"""How long one process waits for another to read a layer."""
_CLAIM_PAUSE = 0.02

_CODE = ("formats", "ingest", "model", "sbom")
_CLASSES = ("compliance.model.", "compliance.formats.", "compliance.ingest.layers", "compliance.sbom.")
_DIGEST_SIZE = hashlib.sha256().digest_size


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheInfo:
    """Where the cache is and how full."""

    folder: Path
    entries: int
    size: int
    size_max: int


class LayerCache:
    """Entries in a folder of the user's, readable by nobody else. Safe with many processes at once.

    A cache never makes a run fail: what can't be read or written is as if it were not there.
    """

    def __init__(self, folder: Path, size_max: int = DEFAULT_SIZE_MAX) -> None:
        """`folder` is made when the first entry is stored."""
        self._folder = folder
        self._size_max = size_max

    def load(self, key: str) -> LayerContents | None:
        """The entry, if there is one whose digest holds."""
        place = self._place(key)
        try:
            content = place.read_bytes()
            os.utime(place)
        except OSError:
            return None
        head, digest, body = content[: len(FORMAT)], content[len(FORMAT) :][:_DIGEST_SIZE], _body(content)
        if head != FORMAT or hashlib.sha256(body).digest() != digest:
            place.unlink(missing_ok=True)
            return None
        try:
            return _joined(*_unpickled(_inflated(body)))
        except Exception:  # noqa: BLE001 - whatever is wrong with an entry, the layer is read again
            return None

    def holds(self, key: str) -> bool:
        """Whether there is an entry; whether it can be used shows when it is loaded."""
        return self._place(key).exists()

    def store(self, key: str, contents: LayerContents) -> None:
        """Keep `contents`; an entry appears whole or not at all."""
        body = _deflated(_pickled(contents))
        if len(body) > ENTRY_SIZE_MAX:
            return
        place = self._place(key)
        with contextlib.suppress(OSError):
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=place.parent, prefix=".new-")
            try:
                with os.fdopen(handle, "wb") as stream:
                    stream.write(FORMAT + hashlib.sha256(body).digest() + body)
                Path(name).replace(place)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
            self._evict(len(body))

    @contextlib.contextmanager
    def claimed(self, key: str) -> Iterator[None]:
        """Among processes, one at a time reads a layer: who waited for it finds it kept.

        Whoever waits longer than CLAIM_SECONDS, or can't lock files, goes on without: it costs no more than work done
        twice. A process that is killed gives up its claims.
        """
        place = self._folder / "claims" / key[:3]
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(OSError):
                place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                _lock(stack.enter_context(place.open("ab")))
            yield

    def info(self) -> CacheInfo:
        """How many entries there are and how large."""
        sizes = [size for _, size, _ in self._entries()]
        return CacheInfo(folder=self._folder, entries=len(sizes), size=sum(sizes), size_max=self._size_max)

    def clear(self) -> int:
        """Remove every entry; how many there were."""
        removed = 0
        for _, _, place in self._entries():
            with contextlib.suppress(OSError):
                place.unlink()
                removed += 1
        return removed

    def _place(self, key: str) -> Path:
        return self._folder / "layers" / key[:2] / key

    def _entries(self) -> Iterator[tuple[float, int, Path]]:
        """(time of last use, bytes, place) of every entry."""
        for place in (self._folder / "layers").glob("??/*"):
            with contextlib.suppress(OSError):
                facts = place.stat()
                yield facts.st_mtime, facts.st_size, place

    def _evict(self, added: int) -> None:
        """Remove what is too much; a large entry at once, small ones together, as listing the entries takes time."""
        swept = self._folder / "swept"
        with contextlib.suppress(FileNotFoundError):
            if added < self._size_max // 100 and 0 <= time.time() - swept.stat().st_mtime < SWEEP_SECONDS:
                return
        swept.touch(mode=0o600)
        entries = sorted(self._entries())
        excess = sum(size for _, size, _ in entries) - self._size_max
        for _, size, place in entries:
            if excess <= 0:
                return
            with contextlib.suppress(OSError):
                place.unlink()
                excess -= size


def _lock(stream: IO[bytes]) -> None:
    """Raises OSError where files can't be locked."""
    until = time.monotonic() + CLAIM_SECONDS
    while time.monotonic() < until:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_CLAIM_PAUSE)
        else:
            return


def default_cache() -> LayerCache:
    """The cache in the default folder; HULLMARK_CACHE_SIZE is how large it may grow. Raises UsageError."""
    return LayerCache(default_folder(), _size_max(os.environ.get("HULLMARK_CACHE_SIZE", "")))


def _size_max(text: str) -> int:
    """Bytes, or with K, M, G or T (also KiB …) multiples of 1024; nothing is the default."""
    if not text:
        return DEFAULT_SIZE_MAX
    match = re.fullmatch(r"(\d{1,18})\s*(?:([KMGT])(?:iB)?)?", text)
    if match is None:
        raise UsageError(
            f"not a size: {text[:40]!r}",
            code="cache-size-invalid",
            where="HULLMARK_CACHE_SIZE",
            hint="write bytes, or e.g. 20G",
        )
    return int(match[1]) << (10 * ("KMGT".index(match[2]) + 1) if match[2] else 0)


def default_folder() -> Path:
    """``HULLMARK_CACHE_DIR``, else ``hullmark`` in the user's cache folder (XDG base directories)."""
    named = os.environ.get("HULLMARK_CACHE_DIR")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "hullmark"


class LayerKeys:
    """The keys of layers for one kind of reading: requests, depth, examining rules and code are hashed once."""

    def __init__(self, requests: Sequence[ContentRequest], reads: Reads, rules: str) -> None:
        """`rules` identifies what the examiner looks for."""
        state = hashlib.sha256()
        for part in (*_described(requests), reads.value, rules, *_code()):
            state.update(f"{len(part)}:{part}".encode("utf-8", "surrogateescape"))
        self._state = state

    def of(self, layer: Layer, recorded: tuple[str, ...] = ()) -> str:
        """The key (hex) of `layer` over others that have `recorded` (see LayerContents)."""
        state = self._state.copy()
        state.update(f"{layer.index} {layer.digest} {layer.diff_id} {layer.media_type} {recorded}".encode())
        return state.hexdigest()


def _described(requests: Iterable[ContentRequest]) -> Iterator[str]:
    for request in requests:
        reduce = request.reduce
        name = "" if reduce is None else f"{reduce.__module__}.{getattr(reduce, '__qualname__', repr(reduce))}"
        yield f"{request.name} {request.globs} {request.max_size} {name}"


def _code() -> Iterator[str]:
    """Size and time of every source file that a reading depends on: another version reads again."""
    root = Path(__file__).resolve().parents[1]
    for folder in _CODE:
        for place in sorted((root / folder).rglob("*.py")):
            facts = place.stat()
            yield f"{place.name} {facts.st_size} {facts.st_mtime_ns}"


def read_only(mapping: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    """How an entry names a read-only mapping: the class itself has no name that pickle finds."""
    return MappingProxyType(mapping)


def _pickled(contents: LayerContents) -> bytes:
    out = io.BytesIO()
    for part in _parts(contents):
        pickler = pickle.Pickler(out, protocol=5)
        pickler.dispatch_table = copyreg.dispatch_table.copy()
        pickler.dispatch_table[MappingProxyType] = lambda mapping: (read_only, (dict(mapping),))
        pickler.dump(part)
    return out.getvalue()


def _unpickled(content: bytes) -> list[Any]:
    stream = io.BytesIO(content)
    parts = []
    while stream.tell() < len(content):
        parts.append(_Values(stream).load())
    return parts


def _parts(contents: LayerContents) -> Iterator[object]:
    """A layer in parts, the entries by what they hold: quicker to read than one by one, and a tenth of the memory.

    They are made one after another, as they may be large: what distinct readings told, and which of them is an
    entry's; paths, which hold no NUL, last. Inode numbers follow from the order.
    """
    entries = contents.entries
    readings = {id(entry.reading): entry.reading for entry in entries}
    numbers = {key: number for number, key in enumerate(readings)}
    yield replace(contents, entries=())
    yield bytes(entry.kind for entry in entries)
    yield tuple(entry.size for entry in entries)
    yield tuple(entry.attributes for entry in entries)
    yield tuple(zip(*readings.values(), strict=True))
    yield tuple(numbers[id(entry.reading)] for entry in entries)
    yield "\0".join(entry.path for entry in entries)


def _joined(
    contents: object,
    kinds: bytes,
    sizes: tuple[int, ...],
    attributes: tuple[FileAttributes, ...],
    told: tuple[tuple[Any, ...], ...],
    reading: tuple[int, ...],
    paths: str,
) -> LayerContents:
    """The layer again. Raises TypeError when it is none, ValueError when its parts are not of one length."""
    if not isinstance(contents, LayerContents):
        raise TypeError(contents)
    first = first_inode(contents.layer.index)
    readings = tuple(map(FileReading._make, zip(*told, strict=True)))
    entries = zip(
        paths.split("\0") if kinds else (),
        map(tuple(FileKind).__getitem__, kinds),
        sizes,
        range(first, first + len(kinds)),
        attributes,
        map(readings.__getitem__, reading),
        strict=True,
    )
    return replace(contents, entries=tuple(starmap(FileEntry, entries)))


class _Values(pickle.Unpickler):
    """Makes values of this package's own classes and of no others: none of them does anything when it is made."""

    def find_class(self, module: str, name: str) -> Any:
        """Refuse everything that is not a class of ours."""
        if (module, name) == (__name__, read_only.__name__):
            return read_only
        if "." not in name and module.startswith(_CLASSES):
            found = super().find_class(module, name)
            if isinstance(found, type):
                return found
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a cache")


def _body(content: bytes) -> bytes:
    return content[len(FORMAT) + _DIGEST_SIZE :]


def _deflated(content: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor(level=1).compress(content)


def _inflated(content: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdDecompressor().decompress(content, max_output_size=8 * ENTRY_SIZE_MAX)
