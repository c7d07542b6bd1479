"""The items of a run, kept in the blobs when it begins, so that whoever continues it works on the same ones.

Members alone do not tell them: an image that was found through an index is read through that index again, as what
signs the index is found from there alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Final

from compliance.errors import StoreError
from compliance.formats.json_data import read_json_object
from compliance.model.fleet import FleetStore, Item

PART: Final = 50_000
"""Items in one blob: some 20 MB."""


def keep_items(store: FleetStore, items: Sequence[Item]) -> str:
    """Keep them, in their order; the hex SHA-256 of the list of their parts. Raises StoreError."""
    parts = [
        store.put_blob(_bytes({"items": [[item.digest, item.policy, item.reference] for item in part]}))
        for part in (items[start : start + PART] for start in range(0, len(items), PART))
    ]
    return store.put_blob(_bytes({"parts": parts}))


def kept_items(store: FleetStore, digest: str) -> Iterator[Item]:
    """The items that were kept under `digest`. Raises StoreError."""
    try:
        for part in read_json_object(store.blob(digest))["parts"]:
            for image, policy, reference in read_json_object(store.blob(part))["items"]:
                yield Item(digest=image, policy=policy, reference=reference)
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"not a list of items: {error}", code="items-invalid", where=f"blob {digest}") from None


def _bytes(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
