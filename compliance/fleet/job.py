"""What is asked of a worker, wherever it runs, and what it answers. Everything here can be pickled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from compliance.model.fleet import AssessmentRecord, Item

if TYPE_CHECKING:
    from compliance.fleet.group_policy import GroupPolicy
    from compliance.ingest.layer_cache import LayerCache
    from compliance.ingest.limits import Limits
    from compliance.ingest.registry_options import RegistryOptions


class Blobs(Protocol):
    """Where a worker leaves documents. Raises StoreError."""

    def put(self, content: bytes) -> str:
        """Keep the bytes; their hex SHA-256."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What the process of one image may take: seconds from its start to its end, bytes of memory of its own."""

    seconds: float
    memory: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One image to assess. The result depends on `item`, `policy` and `effective`; the rest says how to get at it."""

    item: Item
    policy: GroupPolicy
    effective: datetime
    registry: RegistryOptions
    limits: Limits
    bounds: Bounds
    cache: LayerCache | None
    blobs: Blobs


class Trouble(StrEnum):
    """Whose trouble it is that there is no assessment, and so what to do about it."""

    IMAGE = "image"  # the same again at every try
    MOMENT = "moment"  # a network or registry that may answer at another try
    PLACE = "place"  # nothing can be assessed where it was tried: no image is to blame
    STORE = "store"  # nothing can be kept: no image is to blame, and the run can't go on


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why there is no assessment. `pause`: seconds that the other side asked us to wait."""

    trouble: Trouble
    code: str
    reason: str
    pause: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one try took, all its processes together; `peak_bytes` is that of the largest of them."""

    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one try gave: a record, whose documents lie in the blobs, or a failure."""

    record: AssessmentRecord | None = None
    failure: Failure | None = None
    usage: Usage = Usage()
