"""Many images: what was to be assessed, what became of each, and what a store remembers of it.

The words: a *fleet* is a file that names images by group; its *population* is every reference it led to, resolved to
digests at the beginning of a run; an *item* is one digest under one policy, which is assessed once however many
references point to it; a *run* is all of it, once, and is never changed after it ended.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One image reference of the population, and what it resolved to.

    `reference` is as named (``registry:HOST/NAME:TAG``); `origin` says what named it ("images[3]",
    "catalog registry.example/team", "pods.json: payments/api-7d9/app"). `digest` is that of the image's manifest for
    `platform`; where there is none, `reason` says why, and the member counts as not determined. `policy` is the digest
    of everything its group is held against (`Policy.digest`).
    """

    group: str
    owner: str
    reference: str
    origin: str
    policy: str
    platform: str | None = None
    digest: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One image under one policy: what is assessed once. `reference` is the first that led to it, pinned by digest."""

    digest: str
    policy: str
    reference: str

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from all others."""
        return (self.digest, self.policy)


class ItemState(StrEnum):
    """What became of an item in a run."""

    ASSESSED = "assessed"
    REUSED = "reused"  # the assessment of an earlier run, still valid under the fleet's own rule of age
    NOT_DETERMINED = "not-determined"  # it crashed, hung, hit a limit, or could not be read: `reason` says which


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRow:
    """What one check answered for one image. `severity` is the check's; `waiver` the id of the one applied.

    One that does not count (`counts` of the assessment document's check) has no bearing on the image's outcome.
    """

    check: str
    trait: str
    severity: str
    outcome: str
    waiver: str | None
    observations: int
    counts: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRow:
    """One observation of a check that failed or is unknown or errored. `layer` and `sha256` are digests.

    `key` is a digest over check, kind, path or package: what makes it the same finding in another image or run.
    """

    check: str
    key: str
    kind: str
    path: str | None
    package: str | None
    layer: str | None
    sha256: str | None
    verdict: str | None
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlRow:
    """The status of one control for one image."""

    framework: str
    control: str
    title: str
    status: str
    waived: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageRow:
    """One package of an image; `layer` is the diffID that its record lies in.

    One that is only `declared` stands in a lock file or manifest, and nothing shows it to be installed.
    """

    purl: str
    type: str
    name: str
    version: str | None
    layer: str | None
    declared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerRow:
    """One layer, lowest first from `position` 0. Images on one base share their lowest layers."""

    position: int
    diff_id: str
    digest: str
    size: int
    created_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiverRow:
    """One waiver that was given, and what became of it for one image (`state`: WaiverState)."""

    id: str
    check: str
    state: str
    approver: str
    reason: str
    ticket: str | None
    created: str
    expires: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessmentRecord:
    """One assessment, as a store keeps it: the digests of its documents, and what is looked up in them often.

    `id` is the hex SHA-256 of the assessment document (assessment.json), `sbom` that of sbom.cdx.json; both lie in the
    store's blobs. All else follows from the documents and can be computed from them again. `outcome` is
    satisfied, not-satisfied or not-determined; `worst` the worst severity that failed unwaived; `base` is the diffID
    of the lowest layer.
    """

    id: str
    sbom: str
    digest: str
    policy: str
    assessed_at: datetime
    outcome: str
    worst: str | None
    platform: str | None
    config_digest: str | None
    distribution: str | None
    user: str | None
    profile: str
    tool: str
    controls_digest: str
    checks: tuple[CheckRow, ...]
    findings: tuple[FindingRow, ...]
    controls: tuple[ControlRow, ...]
    packages: tuple[PackageRow, ...]
    layers: tuple[LayerRow, ...]
    waivers: tuple[WaiverRow, ...]


ROW_KINDS = ("checks", "findings", "controls", "packages", "layers", "waivers")
"""The fields of a record that are rows."""
USUAL_KINDS = tuple(kind for kind in ROW_KINDS if kind != "packages")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What an item took: measured, so it differs from run to run, and no digest covers it."""

    attempts: int
    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemOutcome:
    """What became of one item: an assessment (its record's id), or the reason why there is none.

    `code` is the stable word of the error (``timed-out``, ``out-of-memory``, ``crashed``, ``digest-mismatch``, …).
    """

    item: Item
    state: ItemState
    assessment: str | None = None
    code: str | None = None
    reason: str | None = None
    cost: Cost | None = None


class RunState(StrEnum):
    """A run that is open is continued by the next `fleet run`; one that ended never changes."""

    OPEN = "open"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run over a fleet. `number` counts from 1 within the fleet; `slot` is the time it was scheduled for, if any.

    `population` is the digest of its members; `previous` and `chain` are hex digests of the hash chain: `chain` covers
    the run, its members, its outcomes and `previous`, and is None while the run is open.
    """

    fleet: str
    number: int
    state: RunState
    fleet_digest: str
    tool: str
    controls_digest: str
    started: datetime
    effective: datetime
    population: str
    slot: datetime | None = None
    finished: datetime | None = None
    previous: str | None = None
    chain: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistrust:
    """Something in a store that does not hold: `where` names the run, the row or the blob."""

    where: str
    reason: str


class FleetStore(Protocol):
    """The memory of a fleet: a database (SQLite, PostgreSQL) beside content-addressed blobs. Append-only.

    Every method raises StoreError in one line for what the database or the disk refuses; what was written before is
    whole. Reading methods yield rows in a stable order.
    """

    def begin(self, run: Run, members: Iterable[Member]) -> Run:
        """Write an open run with its population, in one transaction; the run comes back with its number.

        Raises StoreError (``run-open``) where the fleet has an open run, (``run-taken``) where its `slot` is taken.
        """

    def open_run(self, fleet: str) -> Run | None:
        """The run of the fleet that has not ended, if there is one."""

    def hold(self, fleet: str, holder: str, *, now: datetime, seconds: float) -> bool:
        """Take or prolong the fleet's lease for `holder`; False while another holds an unexpired one."""

    def release(self, fleet: str, holder: str) -> None:
        """Give the lease back, if `holder` has it."""

    def put_blob(self, content: bytes) -> str:
        """Keep the bytes; their hex SHA-256. Twice the same bytes are kept once."""

    def blob(self, sha256: str) -> bytes:
        """Bytes kept, digest checked. Raises StoreError (``blob-missing``, ``digest-mismatch``)."""

    def record(self, run: Run, outcome: ItemOutcome, assessment: AssessmentRecord | None) -> None:
        """Write what became of an item, and its assessment if it is new, in one transaction; idempotent by key."""

    def end(self, run: Run, finished: datetime) -> Run:
        """End the run: computes its chain. Raises StoreError (``run-incomplete``) while an item has no outcome."""

    def reusable(self, item: Item, *, not_before: datetime, not_after: datetime | None = None) -> str | None:
        """The id of the newest assessment of the item's key made at or after `not_before`, at or before `not_after`."""

    def runs(self, fleet: str | None = None) -> Iterator[Run]:
        """All runs, oldest first."""

    def members(self, run: Run) -> Iterator[Member]:
        """The population of a run, in the order of group, reference, origin."""

    def outcomes(self, run: Run) -> Iterator[ItemOutcome]:
        """What became of each item of a run, in the order of digest, policy."""

    def assessments(self, run: Run, *, kinds: Collection[str] = USUAL_KINDS) -> Iterator[AssessmentRecord]:
        """What the outcomes of a run name, in the order of id, with these `kinds` of rows (ROW_KINDS) and no others.

        Rows that records have in common are as a rule the same tuple. Without any kinds this costs next to nothing.
        """

    def assessment(self, id: str) -> AssessmentRecord:
        """One assessment, whole. Raises StoreError (``assessment-missing``)."""

    def head(self, fleet: str) -> str | None:
        """The `chain` of the newest ended run."""

    def digest(self) -> str:
        """The digest of everything but costs and leases: equal stores, equal digests, whatever the database."""

    def verify(self) -> Iterator[Mistrust]:
        """Everything that does not hold: the chain, its runs' rows, the blobs, and the rows computed from them."""

    def sizes(self) -> Mapping[str, int]:
        """Rows of each table, and `blobs` and `blob_bytes`."""

    def close(self) -> None:
        """Let go of the database."""
