"""The document of a fleet report: what ``-o json`` writes, and all that every other format is made from.

The shape is fixed by ``reports/schemas/fleet.schema.json``. A renderer needs neither the store nor the images: what
is not in here, no page can say. Texts of images, registries and people are cleaned when the document is made.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import TypedDict

from reports.schema import Schema

SCHEMA_VERSION = "1"


class FleetRun(TypedDict):
    """The run that the report is about. Digests are hex SHA-256; `chain` is None while it is open."""

    number: int
    state: str
    started: str
    finished: str | None
    effective: str
    slot: str | None
    fleetDigest: str
    tool: str
    controlsDigest: str
    population: str
    previous: str | None
    chain: str | None


class FleetTool(TypedDict):
    """What made the report."""

    name: str
    version: str


class FleetStoreState(TypedDict):
    """The store as it was: the digest of its content, and the head of the hash chain over its runs."""

    digest: str
    head: str | None


class ReasonCount(TypedDict):
    """Why so many were not assessed; `code` is a stable word."""

    code: str
    number: int


class Coverage(TypedDict):
    """assessed + reused + notDetermined = images, which are distinct; `unresolved` references led to none."""

    references: int
    unresolved: int
    images: int
    assessed: int
    reused: int
    notDetermined: int
    oldestReused: str | None
    reasons: list[ReasonCount]


class FleetPart(TypedDict):
    """The fleet, a group, or what is one owner's. `failed` (by severity) count and have no waiver."""

    name: str
    owners: list[str]
    coverage: Coverage
    outcomes: dict[str, int]
    failed: dict[str, int]
    waived: int
    undetermined: int


class FleetCheck(TypedDict):
    """One check over all images; `counts` by standing add up to images and unresolved references."""

    id: str
    title: str
    trait: str
    severity: str
    rationale: str
    remediation: str
    counts: dict[str, int]


class MappedCheck(TypedDict):
    """A check that bears on a control, and how."""

    check: str
    relation: str


class FleetControl(TypedDict):
    """One control over all images: `counts` by status, `waived` of the contradicted. No baselines: not SP 800-53."""

    id: str
    label: str
    title: str
    baselines: list[str] | None
    mapping: list[MappedCheck]
    counts: dict[str, int]
    waived: int


class FleetFramework(TypedDict):
    """One framework and its controls."""

    id: str
    name: str
    version: str
    caveats: list[str]
    controls: list[FleetControl]


class HeatCell(TypedDict):
    """One framework in one group: controls times images by status."""

    group: str
    framework: str
    counts: dict[str, int]


class FailedCheck(TypedDict):
    """A failure in one image. `findings` are its observations; `since` the first run that saw it, at `sinceTime`."""

    check: str
    severity: str
    waiver: str | None
    counts: bool
    findings: int
    since: int
    sinceTime: str


class FleetImage(TypedDict):
    """One image under one policy; without an `assessment` nothing of it is determined, and `reason` says why."""

    digest: str
    policy: str
    platform: str | None
    references: list[str]
    groups: list[str]
    owners: list[str]
    state: str
    code: str | None
    reason: str | None
    assessment: str | None
    assessedAt: str | None
    outcome: str
    worst: str | None
    distribution: str | None
    user: str | None
    profile: str | None
    passed: int
    failed: list[FailedCheck]
    undetermined: list[str]


class MissingReference(TypedDict):
    """A reference that led to no image, and why."""

    group: str
    owner: str
    reference: str
    reason: str


class ChangedImage(TypedDict):
    """A reference that appeared, is gone, has another digest behind it, or was found or lost."""

    kind: str
    group: str
    owner: str
    reference: str
    before: list[str]
    after: list[str]
    reason: str | None


class ChangedFinding(TypedDict):
    """A failure of one check at one reference, and what became of it."""

    kind: str
    group: str
    owner: str
    reference: str
    check: str
    severity: str
    before: str | None
    after: str | None
    waiver: str | None
    reason: str | None


class FleetChanges(TypedDict):
    """From the run `before` to the run `after`; what is as it was is counted and not listed."""

    before: int
    beforeStarted: str
    after: int
    afterStarted: str
    references: int
    assessedAgain: int
    imageCounts: dict[str, int]
    counts: dict[str, int]
    images: list[ChangedImage]
    findings: list[ChangedFinding]


class SeverityAge(TypedDict):
    """The failures of one severity; `byAge` up to 7, 30 and 90 days, and older. Times in seconds."""

    severity: str
    open: int
    byAge: list[int]
    medianOpen: int | None
    fixed: int
    medianFix: int | None


class OldFailure(TypedDict):
    """An open failure, one of the oldest of its severity."""

    group: str
    reference: str
    check: str
    severity: str
    since: int
    sinceTime: str
    seconds: int


class FleetAgeing(TypedDict):
    """As of the run: over how many `runs`. `waiting` were seen failing, and since neither fixed nor seen again."""

    runs: int
    bySeverity: list[SeverityAge]
    oldest: list[OldFailure]
    waived: int
    waiting: int


class FleetBase(TypedDict):
    """Layers that several images share and that have failures in them. See compliance.fleet.bases."""

    layers: list[str]
    own: int
    parent: int | None
    images: int
    groups: list[str]
    distribution: str | None
    createdBy: str | None
    itself: list[str]
    examples: list[str]
    findings: int
    occurrences: int
    cleared: int
    checks: list[str]


class FleetBases(TypedDict):
    """All such bases, and of how many observations of failures how many lie in any layer."""

    images: int
    occurrences: int
    placed: int
    bases: list[FleetBase]


class FleetWaiver(TypedDict):
    """One waiver over all images; `states` what became of it, by image."""

    id: str
    check: str
    approver: str
    reason: str
    ticket: str | None
    created: str
    expires: str | None
    standing: str
    daysLeft: int | None
    applied: int
    states: dict[str, int]
    groups: list[str]


class TrendCheck(TypedDict):
    """One check in an earlier run: images by standing."""

    id: str
    failed: int
    waived: int
    undetermined: int
    passed: int


class TrendRun(TypedDict):
    """One run of the history, oldest first, the reported run last; `checks` only of those that failed somewhere."""

    number: int
    started: str
    finished: str | None
    chain: str | None
    coverage: Coverage
    outcomes: dict[str, int]
    failed: dict[str, int]
    waived: int
    fixed: int
    new: int
    checks: list[TrendCheck]


class PeriodGap(TypedDict):
    """Runs that were due and did not begin."""

    since: str
    until: str
    missed: int


class SampledImage(TypedDict):
    """One image of the sample, in the order in which the rule draws them."""

    digest: str
    policy: str
    rank: str
    references: list[str]
    groups: list[str]
    runs: list[int]
    outcome: str
    assessment: str | None


class FleetPeriod(TypedDict):
    """The window of a period report. `seed` and `rule` are all that is needed to draw the sample again."""

    since: str
    until: str
    runs: list[int]
    due: int | None
    schedule: str | None
    gaps: list[PeriodGap]
    longestSeconds: int
    seed: str | None
    rule: str
    population: int
    sample: list[SampledImage]


class FleetDocument(TypedDict):
    """The whole of it. `worst` are indices into `images`, worst first; `changes` is None for a first run."""

    schemaVersion: str
    fleet: str
    run: FleetRun
    store: FleetStoreState
    tool: FleetTool
    total: FleetPart
    groups: list[FleetPart]
    owners: list[FleetPart]
    checks: list[FleetCheck]
    frameworks: list[FleetFramework]
    heat: list[HeatCell]
    images: list[FleetImage]
    unresolved: list[MissingReference]
    worst: list[int]
    changes: FleetChanges | None
    ageing: FleetAgeing
    bases: FleetBases
    waivers: list[FleetWaiver]
    trend: list[TrendRun]
    period: FleetPeriod | None


def render(document: FleetDocument) -> bytes:
    """UTF-8 JSON, indented by two, with a newline at the end."""
    return (json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode()


def schema() -> Schema:
    """The JSON Schema (2020-12) of the document, as shipped."""
    return Schema.load(resources.files("reports") / "schemas" / "fleet.schema.json")
