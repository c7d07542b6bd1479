"""An OCI image layout, written to: each file whole or not at all, and one writer at a time.

Its readers never wait and never see half of anything: files appear by a rename.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from compliance.errors import SigningError
from compliance.formats import signed_json
from compliance.formats.oci import JSON_SIZE_MAX, OCI_INDEX, REF_NAME
from compliance.sign.attachment import Value, listing, read_list, sha256

INDEX = "index.json"
_TEMPORARY = ".hullmark-"
_KIND = "kind"
_COSIGN_ATTESTATIONS = "dev.cosignproject.cosign/atts"
"""By this cosign finds attestations in a layout, as it does not read tags there."""


class LayoutPlace:
    """A Place over the layout in a folder, locked until it is closed."""

    remote = False

    def __init__(self, root: Path) -> None:
        """Wait for other writers, and remove what interrupted ones left. Raises SigningError."""
        self._root = root
        self._blobs = root / "blobs" / "sha256"
        try:
            self._lock = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            for folder in (root, self._blobs):
                for left in folder.glob(f"{_TEMPORARY}*"):
                    left.unlink()
        except OSError as error:
            raise self._failed(error) from None

    def close(self) -> None:
        """Let others write."""
        os.close(self._lock)

    def find(self, reference: str) -> bytes | None:
        """See Place."""
        digest = reference if reference.startswith("sha256:") else self._tagged(reference)
        if digest is None:
            return None
        content = self._read(self._blobs / digest.removeprefix("sha256:"))
        if content is not None and sha256(content) != digest:
            raise SigningError("a manifest of the layout is damaged", code="digest-mismatch", where=digest)
        return content

    def put_blob(self, content: bytes) -> None:
        """See Place. A file that is there is kept only if it has this content."""
        name = sha256(content).removeprefix("sha256:")
        path = self._blobs / name
        try:
            same_size = path.is_file() and not path.is_symlink() and path.stat().st_size == len(content)
            if same_size and path.read_bytes() == content:
                return
            self._blobs.mkdir(parents=True, exist_ok=True)
            self._write(path, content)
        except OSError as error:
            raise self._failed(error) from None

    def put_manifest(self, content: bytes, media_type: str, tag: str | None = None) -> None:
        """See Place. Another manifest that has the tag loses it."""
        entry = listing(content) | {"mediaType": media_type}
        if tag is not None:
            kind = {_KIND: _COSIGN_ATTESTATIONS} if tag.endswith(".att") else {}
            entry["annotations"] = {REF_NAME: tag, **kind}
        self.put_blob(content)
        self._list(entry, tag)

    def put_referrer(self, content: bytes, subject: str) -> bool:
        """See Place: index.json lists it."""
        self.put_blob(content)
        self._list(listing(content), None)
        return True

    def _list(self, entry: Value, tag: str | None) -> None:
        value, entries = self._index()
        kept = [item for item in entries if tag is None or _tag_of(item) != tag]
        if tag is None and any(item.get("digest") == entry["digest"] for item in kept):
            return
        content = signed_json.write({**value, "manifests": [*kept, entry]})
        if len(content) > JSON_SIZE_MAX:
            raise SigningError(
                f"index.json would have more than {JSON_SIZE_MAX} bytes", code="limit-exceeded", where=str(self._root)
            )
        try:
            self._write(self._root / INDEX, content)
        except OSError as error:
            raise self._failed(error) from None

    def _tagged(self, tag: str) -> str | None:
        return next((str(item.get("digest")) for item in self._index()[1] if _tag_of(item) == tag), None)

    def _index(self) -> tuple[Mapping[str, object], list[Value]]:
        content = self._read(self._root / INDEX)
        if content is None:
            return {"schemaVersion": 2, "mediaType": OCI_INDEX}, []
        value, entries = read_list(content, "manifests", INDEX)
        return value.values, entries

    def _read(self, path: Path) -> bytes | None:
        try:
            with path.open("rb") as file:
                content = file.read(JSON_SIZE_MAX + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._failed(error) from None
        if len(content) > JSON_SIZE_MAX:
            raise SigningError(f"it has more than {JSON_SIZE_MAX} bytes", code="limit-exceeded", where=str(path))
        return content

    def _write(self, path: Path, content: bytes) -> None:
        """Write beside `path`, make it durable, and rename: the name never stands for half of it."""
        mode = stat.S_IMODE(path.stat().st_mode) if path.is_file() else 0o644
        temporary = path.with_name(f"{_TEMPORARY}{path.name}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _failed(self, error: OSError) -> SigningError:
        return SigningError(
            f"the layout can't be written: {error.strerror}", code="attach-failed", where=str(self._root)
        )


def _tag_of(item: Mapping[str, object]) -> object:
    annotations = item.get("annotations")
    return annotations.get(REF_NAME) if isinstance(annotations, dict) else None
