"""What changed between two images, or from an image to a root filesystem: one difference for each thing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Area(StrEnum):
    """What a difference is about, most important first."""

    START = "start"  # user, entry point, command, working directory, health check, shell, stop signal
    PRIVILEGES = "privileges"  # setuid, setgid, file capabilities
    EXECUTABLES = "executables"  # programs, libraries, scripts, and links to them
    WRITABLE = "writable"  # what the user that a container runs as can change
    ACCOUNTS = "accounts"  # users and groups
    PACKAGES = "packages"
    PORTS = "ports"
    ENVIRONMENT = "environment"
    VOLUMES = "volumes"
    CONFIGURATION = "configuration"  # files below /etc
    FILES = "files"
    LAYERS = "layers"
    LABELS = "labels"  # labels and annotations
    METADATA = "metadata"  # platform, creation time, build steps, how the bytes are stored


PATH_AREAS = frozenset({Area.PRIVILEGES, Area.EXECUTABLES, Area.WRITABLE, Area.CONFIGURATION, Area.FILES})
"""Areas whose differences are about a path of the tree."""

IMMATERIAL = frozenset({Area.LABELS, Area.METADATA})
"""Areas that say something of an image and change nothing in a container."""


class Change(StrEnum):
    """What happened to it on the way from before to after."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


Value = str | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Aspect:
    """One property that is not the same: None where there is none. A tuple is a command line or another list.

    Values are as they are in the image: whoever writes them down withholds what may be a secret.
    """

    name: str
    before: Value
    after: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that changed. `subject` is a path in tree form in PATH_AREAS, else a name.

    `names` are further paths of the same file; `package` the purl of its owner; `note` what else follows from it.
    """

    area: Area
    change: Change
    subject: str
    aspects: tuple[Aspect, ...] = ()
    names: tuple[str, ...] = ()
    package: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """A path that came, went or changed together with `by`: the purl of a package, or an account file's reason."""

    path: str
    change: Change
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaDrift:
    """The differences of one area by subject: the first ones, and how many there are of each change."""

    area: Area
    differences: tuple[Difference, ...]
    counts: Mapping[Change, int]

    @property
    def total(self) -> int:
        """How many there are, those not listed too."""
        return sum(self.counts.values())

    @property
    def more(self) -> int:
        """How many are not listed."""
        return self.total - len(self.differences)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One side. `rootfs` tells a root filesystem, which has neither config nor layers."""

    reference: str
    digest: str
    platform: str | None
    rootfs: bool
    layers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WritableSet:
    """How many places `user` can change; `places` None where that user is root, who can change everything."""

    user: str
    places: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """What changed from `before` to `after`.

    `normal` are differences that starting a container makes: nothing to worry about, and only ever filled when a
    side is a root filesystem. `carried` are paths told by the difference of their package or account, `carried_total`
    how many there are. `shared_layers` are the lowest layers that both have. `not_compared` says in sentences what
    the two do not allow to compare, `unread` which places of a tree could not be read, so that something may have
    changed there.
    """

    before: Compared
    after: Compared
    areas: tuple[AreaDrift, ...]
    normal: tuple[AreaDrift, ...] = ()
    carried: tuple[Carried, ...] = ()
    carried_total: int = 0
    shared_layers: int = 0
    writable: tuple[WritableSet, WritableSet] | None = None
    not_compared: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Difference]:
        """Every listed difference, most important area first."""
        return (difference for area in self.areas for difference in area.differences)

    @property
    def total(self) -> int:
        """Number of differences, without those that are normal at run time."""
        return sum(area.total for area in self.areas)

    @property
    def material(self) -> int:
        """Number of differences that change something in a container: all but labels and metadata."""
        return sum(area.total for area in self.areas if area.area not in IMMATERIAL)
