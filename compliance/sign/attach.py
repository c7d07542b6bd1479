"""Attach to an image in a place that can be written to.

Only ever adds, and blobs first: an interruption leaves at most blobs that nothing names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import sleep
from typing import Protocol

from compliance.errors import FormatError, SigningError
from compliance.formats import signed_json
from compliance.formats.oci import JSON_SIZE_MAX, OCI_INDEX, OCI_MANIFEST
from compliance.sign.attachment import Attachment, Value, legacy_manifest, listing, read_list

ROUNDS = 8
SETTLE_SECONDS = 0.25
"""Between two looks at a tag that somebody else may be writing too: registries know no exchange on condition."""


class Place(Protocol):
    """A repository or layout with the image in it."""

    @property
    def remote(self) -> bool:
        """Whether others may write at the same time, unseen."""
        ...

    def find(self, reference: str) -> bytes | None:
        """The manifest or index with this tag or digest; None where there is none."""
        ...

    def put_blob(self, content: bytes) -> None:
        """Store a blob, unless it is there."""
        ...

    def put_manifest(self, content: bytes, media_type: str, tag: str | None = None) -> None:
        """Store a manifest or index, and let `tag` name it."""
        ...

    def put_referrer(self, content: bytes, subject: str) -> bool:
        """Store a manifest about `subject`; whether the place lists it there by itself."""
        ...


def attach(place: Place, subject: str, attachments: Iterable[Attachment], tag: str) -> None:
    """Attach to the manifest with the digest `subject`; `tag` is for its referrers where there is no API.

    What is attached already in these very bytes stays as it is. Raises SigningError, and what `place` raises.
    """
    unlisted: list[Value] = []
    for attachment in attachments:
        for blob in attachment.blobs:
            place.put_blob(blob)
        if not place.put_referrer(attachment.manifest, subject):
            unlisted.append(listing(attachment.manifest))
    if unlisted:
        _update(place, tag, OCI_INDEX, lambda content: _with_listings(content, unlisted))


def attach_legacy(place: Place, tag: str, layers: Iterable[tuple[bytes, Value]]) -> None:
    """Add layers to the manifest that `tag` (``sha256-….att``) names, beside those that are there."""
    added = tuple(layers)
    for content, _ in added:
        place.put_blob(content)
    _update(place, tag, OCI_MANIFEST, lambda content: _with_layers(place, content, [layer for _, layer in added]))


def _update(place: Place, tag: str, media_type: str, changed: Callable[[bytes | None], bytes | None]) -> None:
    """Read, change and write what `tag` names until two looks in a row show that the change is there.

    Another writer between our look and our write would be overwritten, and so would we: hence the second look.
    """
    written = False
    for _ in range(ROUNDS):
        content = changed(place.find(tag))
        if content is not None:
            place.put_manifest(content, media_type, tag)
            written = True
            continue
        if not (written and place.remote):
            return
        written = False
        sleep(SETTLE_SECONDS)
    raise SigningError(
        "others keep writing what we attach to", code="attach-conflict", where=tag, hint="try again; nothing is lost"
    )


def _with_listings(content: bytes | None, listings: list[Value]) -> bytes | None:
    """The index with `listings` in it; None where they all are."""
    base: Value = {"schemaVersion": 2, "mediaType": OCI_INDEX}
    there: list[Value] = []
    if content is not None:
        value, there = read_list(content, "manifests", "the index of referrers")
        if value.text("mediaType", OCI_INDEX) != OCI_INDEX:
            raise FormatError("the tag for referrers names something else", code="manifest-invalid")
        base = dict(value.values)
    known = {item.get("digest") for item in there}
    missing = [item for item in listings if item["digest"] not in known]
    return _bounded(signed_json.write(base | {"manifests": [*there, *missing]})) if missing else None


def _with_layers(place: Place, content: bytes | None, layers: list[Value]) -> bytes | None:
    there = read_list(content, "layers", "the manifest of attestations")[1] if content is not None else []
    known = {item.get("digest") for item in there}
    missing = [layer for layer in layers if layer["digest"] not in known]
    if not missing:
        return None
    manifest, config = legacy_manifest([*there, *missing])
    place.put_blob(config)
    return _bounded(manifest)


def _bounded(content: bytes) -> bytes:
    if len(content) > JSON_SIZE_MAX:
        raise SigningError(f"more is attached than fits into {JSON_SIZE_MAX} bytes of list", code="limit-exceeded")
    return content
