"""Everything a check may look at."""

from __future__ import annotations

from dataclasses import dataclass, field
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
class SuppliedReport:
    """A report about the image that the user gave as a file (a scan, a VEX document): nobody's signature covers it.

    `name` is the file's name as given, `content` its bytes, which hash to `sha256` (hex).
    """

    name: str
    sha256: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One image as read, inventoried and verified at `assessed_at` (UTC, the run's single clock).

    `baseline` is an earlier or approved image that this one is compared with; `supplied` what the user gave
    beside the image.
    """

    image: Image
    filesystem: FileTree
    inventory: Inventory
    verification: Verification
    profile: Profile
    assessed_at: datetime
    baseline: Evidence | None = None
    supplied: tuple[SuppliedReport, ...] = ()
