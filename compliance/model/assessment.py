"""The answer: one image, its check results, the controls they bear on, and how it came about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from compliance.errors import ExitCode
from compliance.model.control import Control, ControlLibrary, ControlStatus, Framework, LeftOut
from compliance.model.evidence import Evidence
from compliance.model.outcome import CheckResult, OutcomeWord, Severity, Waiver


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolInfo:
    """The program that assessed; `controls_digest` identifies the control library it used."""

    name: str
    version: str
    controls_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinitionFile:
    """A file of the user's that said what the image is held against; `sha256` (hex) is that of its bytes.

    `role` is profile, framework, overlay, oscal (beside a framework), checks, plugin or waivers; `signer` who signed
    it, verified, None for nobody.
    """

    role: str
    name: str
    sha256: str
    signer: str | None = None


class WaiverState(StrEnum):
    """What became of a waiver in one assessment. Only an applied one accepts anything."""

    APPLIED = "applied"
    SURPLUS = "surplus"  # another covers the failure already
    NOT_ALL = "not-all"  # the check failed at other paths too
    NO_FAILURE = "no-failure"
    NO_CHECK = "no-check"
    EXPIRED = "expired"
    NOT_YET = "not-yet"
    OTHER_IMAGE = "other-image"


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiverUse:
    """A waiver and what became of it."""

    waiver: Waiver
    state: WaiverState


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlResult:
    """What the results say about one control; `checks` are the ids of mapped checks that were run."""

    framework: Framework
    control: Control
    status: ControlStatus
    checks: tuple[str, ...]
    waived: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """`outcome` decides the exit code: not satisfied when an unwaived failure is at or above `fail_on`."""

    outcome: ExitCode
    counts: Mapping[OutcomeWord, int]
    worst: Severity | None
    fail_on: Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """One run on one image. All times are the run's single clock, so that equal inputs give equal bytes.

    `definitions` are the files of the user's by which it was made, besides the library; `waivers` are all those given.
    How far checks reach: `needs` is what some say nothing without, by their ids, and `left_out` what no check bears
    on, by framework.
    """

    evidence: Evidence
    results: tuple[CheckResult, ...]
    controls: tuple[ControlResult, ...]
    library: ControlLibrary
    tool: ToolInfo
    summary: Summary
    started: datetime
    finished: datetime
    effective: datetime
    definitions: tuple[DefinitionFile, ...] = ()
    waivers: tuple[WaiverUse, ...] = ()
    needs: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, tuple[LeftOut, ...]] = field(default_factory=dict)
