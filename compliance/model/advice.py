"""What will not work when an image moves to a hardened runtime, and the way out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

RUNTIME_UID = 65532
"""The user id of hardened images: no account of a distribution has it."""


class Impact(IntEnum):
    """How an advice bears on the move; ordered."""

    IMPROVE = 1  # works as it is, and would be better otherwise
    MAY_BREAK = 2  # breaks under a condition that the image does not tell
    BREAKS = 3

    def __str__(self) -> str:
        """The words used in outputs."""
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an advice comes from: a file (`path` in tree form, `layer`, `line` of its text), a key of the image
    config, or a line of the Dockerfile. `text` is what stands there."""

    path: str | None = None
    layer: int | None = None
    line: int | None = None
    config: str | None = None
    dockerfile_line: int | None = None
    package: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """One thing that changes: `what` it is, the places that show it, and the `way_out`. `id` is a stable word."""

    id: str
    impact: Impact
    what: str
    places: tuple[Place, ...]
    way_out: str

    def __post_init__(self) -> None:
        """Raises ValueError for an advice without evidence."""
        if not self.places:
            raise ValueError("an advice must name what it rests on")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Something that could not be determined; `decisive` where nothing can be said to work without it."""

    what: str
    decisive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """What stands between a script and an entry point without a shell: the line, and what is there."""

    place: Place
    reason: str
    way_out: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A Dockerfile whose last stage is the hardened runtime image.

    `obstacles` are why it does not start the application as the image does; it then leaves the entry point out.
    `left_out` names what of the image it does not copy though it might be wanted; `run_with` are options of the
    container engine that it counts on.
    """

    text: str
    obstacles: tuple[Obstacle, ...] = ()
    left_out: tuple[str, ...] = ()
    run_with: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """An image that the advice is about: as the user named it, and its digest."""

    reference: str
    digest: str
    platform: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompatibilityAdvice:
    """All of it for one image: the gravest first. `target` is None where no hardened image was named."""

    subject: Subject
    target: Subject | None
    dockerfile: str | None
    advice: tuple[Advice, ...]
    gaps: tuple[Gap, ...]
    proposal: Proposal | None
    debugging: tuple[str, ...]
