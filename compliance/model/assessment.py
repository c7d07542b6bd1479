"""The answer: one image, its check results, the controls they bear on, and how it came about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from compliance.errors import ExitCode
from compliance.model.control import Control, ControlLibrary, ControlStatus, Framework
from compliance.model.evidence import Evidence
from compliance.model.outcome import CheckResult, OutcomeWord, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolInfo:
    """The program that assessed; `controls_digest` identifies the control library it used."""

    name: str
    version: str
    controls_digest: str


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
    """One run on one image. All times are the run's single clock, so that equal inputs give equal bytes."""

    evidence: Evidence
    results: tuple[CheckResult, ...]
    controls: tuple[ControlResult, ...]
    library: ControlLibrary
    tool: ToolInfo
    summary: Summary
    started: datetime
    finished: datetime
    effective: datetime
