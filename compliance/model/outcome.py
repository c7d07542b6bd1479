"""Checks and their outcomes. An outcome is never a bool: less evidence must not read as a pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compliance.model.evidence import Evidence
    from compliance.model.request import ContentRequest


class Severity(IntEnum):
    """How bad a failure is in a runtime image; ordered."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    def __str__(self) -> str:
        """The lower-case word used in outputs."""
        return self.name.lower()

    @classmethod
    def parse(cls, word: str) -> Severity:
        """The severity named `word`. Raises KeyError."""
        return cls[word.upper()]


class Trait(StrEnum):
    """The promise of a hardened image that a check belongs to, in report order."""

    REMOVED = "removed"
    NONROOT = "nonroot"
    IMMUTABLE = "immutable"
    PURPOSE = "purpose"
    DRIFT = "drift"
    SUPPLY = "supply"


class ObservationKind(StrEnum):
    """What an observation is about."""

    FILE = "file"
    CONFIG = "config"
    PACKAGE = "package"
    ACCOUNT = "account"
    COVERAGE = "coverage"  # how much was read: what a pass rests on
    SIGNATURE = "signature"
    RESIDUE = "residue"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One fact that a check saw. `summary` is a sentence without markup; the rest points at the bytes.

    `path` is in tree form (no leading slash); `names` are further names of the same file; `layer` the index of
    the layer that wrote it; `sha256` of its content; `package` the purl of its owner; `value` a config value or
    mode; `method` how the fact was found ("content markers", "dpkg database", "image config").
    `verdict` is present | dormant | possible | absent for removed-component checks.
    """

    summary: str
    kind: ObservationKind
    path: str | None = None
    names: tuple[str, ...] = ()
    layer: int | None = None
    sha256: str | None = None
    package: str | None = None
    value: str | None = None
    method: str | None = None
    verdict: str | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """What was asked holds. Refuses to be empty: a pass names what it looked at."""

    observations: tuple[Observation, ...]

    def __post_init__(self) -> None:
        """Raises ValueError for a pass without observations."""
        if not self.observations:
            raise ValueError("a pass must name what it looked at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """What was asked does not hold: every counter-example."""

    observations: tuple[Observation, ...]

    def __post_init__(self) -> None:
        """Raises ValueError for a failure without observations."""
        if not self.observations:
            raise ValueError("a failure must name what it saw")


@dataclass(frozen=True, slots=True, kw_only=True)
class NotApplicable:
    """The question does not arise for this image, for the reason given."""

    reason: str
    observations: tuple[Observation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """The evidence does not suffice to say; `reason` says what is missing."""

    reason: str
    observations: tuple[Observation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Errored:
    """The check itself broke (only the runner says so). Counts as not determined."""

    reason: str
    observations: tuple[Observation, ...] = ()


Outcome = Passed | Failed | NotApplicable | Unknown
AnyOutcome = Passed | Failed | NotApplicable | Unknown | Errored


class OutcomeWord(StrEnum):
    """The word for an outcome in outputs."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not-applicable"
    UNKNOWN = "unknown"
    ERRORED = "errored"


def outcome_word(outcome: AnyOutcome) -> OutcomeWord:
    """The word of `outcome`."""
    match outcome:
        case Passed():
            return OutcomeWord.PASSED
        case Failed():
            return OutcomeWord.FAILED
        case NotApplicable():
            return OutcomeWord.NOT_APPLICABLE
        case Unknown():
            return OutcomeWord.UNKNOWN
        case Errored():
            return OutcomeWord.ERRORED


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question to an image. Lives in ``controls/checks/<id in snake case>.py`` as CHECK.

    `looks_at` names the bytes it reads; `proves` says what a pass proves and what it does not; `remediation`
    how to make it pass. `requests` are file contents it needs beyond the facts of the tree.
    """

    id: str
    title: str
    trait: Trait
    severity: Severity
    rationale: str
    looks_at: str
    proves: str
    remediation: str
    run: Callable[[Evidence], Outcome]
    requests: tuple[ContentRequest, ...] = ()
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """An accepted exception to one check. The failure it covers stays visible.

    It is about images by `digest`, by patterns of their names (`images`), or by both; with `paths`, globs without a
    leading slash, it accepts findings at these only. It holds from `created` until `expires`; None: without an end.
    `file` is where it is written, `signer` who signed that, verified; None for nobody.
    """

    id: str
    check: str
    reason: str
    approver: str
    created: datetime
    expires: datetime | None = None
    ticket: str | None = None
    images: tuple[str, ...] = ()
    digest: str | None = None
    paths: tuple[str, ...] = ()
    file: str = ""
    signer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """A check's outcome on one image.

    `uncounted` says why it has no bearing on the answer for the image, None where it has; `own_severity` is that of
    the check itself where the profile has set another.
    """

    check: Check = field(repr=False)
    outcome: AnyOutcome
    waiver: Waiver | None = None
    uncounted: str | None = None
    own_severity: Severity | None = None

    @property
    def counts(self) -> bool:
        """Whether the answer for the image rests on it: what was asked decides that, never what was found."""
        return self.uncounted is None

    @property
    def word(self) -> OutcomeWord:
        """The outcome's word."""
        return outcome_word(self.outcome)

    @property
    def reason(self) -> str | None:
        """Why it is not applicable, unknown or errored; None for a pass or a failure."""
        return None if isinstance(self.outcome, Passed | Failed) else self.outcome.reason
