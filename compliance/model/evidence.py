"""Everything a check may look at."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from compliance.model.drift import Drift
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
    FILE = "file"
    LABEL = "label"
    TAG = "tag"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgeLimits:
    """How many days old the word of others may be to speak for the image.

    A month between scans is what FedRAMP's Vulnerability Scanning Requirements for Containers allow; malware
    signatures grow as fast; DISA publishes its STIGs quarterly.
    """

    vulnerability_scan: int = 30
    malware_scan: int = 30
    benchmark: int = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The purpose the image is held against: `declared` is the text that said so (``label KEY=VALUE``).

    `name` is the id of the profile that says which checks count, None for that of the variant itself.
    """

    variant: Variant
    source: ProfileSource
    declared: str | None = None
    name: str | None = None
    ages: AgeLimits = AgeLimits()

    @property
    def id(self) -> str:
        """The id of the profile."""
        return self.name or self.variant.value


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppliedReport:
    """A report about the image that the user gave as a file (a scan, a VEX document): nobody's signature covers it.

    `name` is the file's name as given, `content` its bytes, which hash to `sha256` (hex).
    """

    name: str
    sha256: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedBase:
    """A base image that the user approves, as `named`: a reference or a digest.

    `digests` are those of its manifest and, if there is one, of the index that led there; `diff_ids` its layers for
    the platform of the image assessed, empty where they are not at hand, which `problem` explains.
    """

    named: str
    digests: tuple[str, ...] = ()
    diff_ids: tuple[str, ...] = ()
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One image as read, inventoried and verified at `assessed_at` (UTC, the run's single clock).

    `baseline` is an earlier or approved image that this one is compared with, `drift` what changed since;
    `supplied` what the user gave beside the image; `approved_bases` the user's list of base images.
    """

    image: Image
    filesystem: FileTree
    inventory: Inventory
    verification: Verification
    profile: Profile
    assessed_at: datetime
    baseline: Evidence | None = None
    drift: Drift | None = None
    supplied: tuple[SuppliedReport, ...] = ()
    approved_bases: tuple[ApprovedBase, ...] = ()
