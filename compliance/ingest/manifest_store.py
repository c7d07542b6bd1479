"""What a place of images must answer so that one image can be selected from it, whatever kind of place it is."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Protocol

from compliance.formats import oci
from compliance.model.image import Descriptor


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A manifest descriptor as it was found: `top` is the entry of the store it hangs below, `index` its parent."""

    descriptor: Descriptor
    top: Descriptor
    index: str | None
    depth: int

    @property
    def tag(self) -> str | None:
        """The name that the store gives the top."""
        return self.top.annotations.get(oci.REF_NAME) or self.top.annotations.get(oci.CONTAINERD_NAME)

    @property
    def kind(self) -> str | None:
        """Cosign's own word for what a layout entry is (``cosign save``)."""
        return self.top.annotations.get("kind")


class ManifestStore(Protocol):
    """Manifests, configs and small blobs. Whatever is handed out hashes to the digest it was asked by."""

    @property
    def holder(self) -> str:
        """What this is, for messages: ``layout``, ``repository``."""
        ...

    def tops(self) -> tuple[Descriptor, ...]:
        """The manifests and indexes that the reference may mean; a tag stands in their annotation ``ref.name``."""
        ...

    def manifest(self, descriptor: Descriptor) -> bytes:
        """A manifest or an index. Raises SourceError (``blob-missing``), IntegrityError, LimitError."""
        ...

    def blob(self, digest: str, limit: int) -> bytes:
        """A whole blob of at most `limit` bytes. Raises SourceError (``blob-missing``), IntegrityError, LimitError."""
        ...

    def layer_size(self, descriptor: Descriptor) -> int:
        """The stored bytes of a layer, compared with its descriptor where that costs nothing."""
        ...

    def unlisted(self, listed: tuple[Listed, ...], digests: Collection[str], notices: list[str]) -> Iterator[Listed]:
        """Manifests that hang below no top and may be about one of `digests`. What can't be listed is a notice."""
        ...
