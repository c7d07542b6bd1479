"""Everything a check may look at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from compliance.model.filesystem import FileTree
from compliance.model.image import Image
from compliance.model.inventory import Inventory
from compliance.model.verification import Verification


class Variant(StrEnum):
    """What an image is for. Runtime is the strictest; dev and sdk carry tools on purpose."""

    RUNTIME = "runtime"
    DEV = "dev"
    SDK = "sdk"


class ProfileSource(StrEnum):
    """Where the variant comes from; a label or tag is an unsigned claim of the image."""

    FLAG = "flag"
    LABEL = "label"
    TAG = "tag"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The purpose the image is held against: `declared` is the text that said so (``label KEY=VALUE``)."""

    variant: Variant
    source: ProfileSource
    declared: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One image as read, inventoried and verified at `assessed_at` (UTC, the run's single clock)."""

    image: Image
    filesystem: FileTree
    inventory: Inventory
    verification: Verification
    profile: Profile
    assessed_at: datetime
