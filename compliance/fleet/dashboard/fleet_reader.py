"""What the dashboard knows of one fleet: the rows of runs that ended, read once, as they never change again.

Of assessments it has how checks and controls stand, and the waivers: what images mostly have in common, kept once.
Findings and layers are read when a page needs them: an image's own page reads its own assessment.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property

from compliance.errors import ComplianceError, StoreError
from compliance.fleet.accepted import FleetWaiver, fleet_waivers
from compliance.fleet.bases import SharedBases, shared_bases
from compliance.fleet.changes import Changes, changes
from compliance.fleet.dashboard.image_list import ImageLine, image_lines, shown_reference
from compliance.fleet.fleet_file import Fleet
from compliance.fleet.library_texts import LibraryTexts, library_texts
from compliance.fleet.posture import Part, Posture, posture, total
from compliance.fleet.run_rows import RunRows, run_rows
from compliance.fleet.standing import RunStandings, StandingReader
from compliance.model.fleet import AssessmentRecord, FleetStore, Run, RunState

RUNS_KEPT = 4
"""Runs of a fleet whose rows are held in memory."""
TREND_RUNS = 12
PAIRS_KEPT = 8


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """One run that ended, and what follows from its rows."""

    rows: RunRows = field(repr=False)
    texts: LibraryTexts = field(repr=False)

    @property
    def run(self) -> Run:
        """The run."""
        return self.rows.run

    @cached_property
    def posture(self) -> Posture:
        """Counts over all images."""
        return posture(self.rows)

    @cached_property
    def waivers(self) -> tuple[FleetWaiver, ...]:
        """Every waiver, as of the run."""
        return fleet_waivers(self.rows.images, self.run.effective)

    @cached_property
    def lines(self) -> tuple[ImageLine, ...]:
        """Every image and unresolved reference, as lists show them."""
        return image_lines(self.rows)

    @cached_property
    def standings(self) -> RunStandings:
        """How every reference stands with every check."""
        return StandingReader().standings(self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an open run is."""

    run: Run
    items: int
    done: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PastImage:
    """What a reference led to in a run."""

    digest: str
    policy: str
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Past:
    """What is kept of every run that was read: its counts, and by reference the image behind it."""

    total: Part
    images: Mapping[str, PastImage] = field(repr=False)


class FleetReader:
    """Reads one fleet's store, for several threads."""

    def __init__(self, fleet: Fleet, open_store: Callable[[Fleet], FleetStore]) -> None:
        """Nothing is opened yet."""
        self.fleet = fleet
        self._open_store = open_store
        self._store: FleetStore | None = None
        self._lock = threading.Lock()
        self._loading = threading.RLock()
        self._facts: OrderedDict[int, RunFacts] = OrderedDict()
        self._bases: OrderedDict[int, SharedBases] = OrderedDict()
        self._pairs: OrderedDict[tuple[int, int], Changes] = OrderedDict()
        self._past: dict[int, _Past] = {}
        self._runs: tuple[str | None, tuple[Run, ...]] | None = None

    @contextmanager
    def _reading(self) -> Iterator[FleetStore]:
        """The store, for one thread at a time. After an error it is opened anew, as the database may have gone."""
        with self._lock:
            if self._store is None:
                self._store = self._open_store(self.fleet)
            try:
                yield self._store
            except StoreError as error:
                if error.code not in ("assessment-missing", "blob-missing", "digest-mismatch"):
                    self._close()
                raise

    def _close(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.close()

    def close(self) -> None:
        """Let go of the store."""
        with self._lock:
            self._close()

    def head(self) -> str | None:
        """The head of the hash chain: while it is the same, so is everything about runs that ended."""
        with self._reading() as store:
            return store.head(self.fleet.name)

    def ended(self) -> tuple[Run, ...]:
        """The runs that ended, oldest first."""
        with self._reading() as store:
            head = store.head(self.fleet.name)
            if self._runs is None or self._runs[0] != head:
                found = tuple(run for run in store.runs(self.fleet.name) if run.state is RunState.ENDED)
                self._runs = (head, found)
            return self._runs[1]

    def all_runs(self) -> tuple[Run, ...]:
        """All runs, an open one last."""
        opened = self.open_run()
        return self.ended() if opened is None else (*self.ended(), opened)

    def open_run(self) -> Run | None:
        """The run that is going on, or was left."""
        with self._reading() as store:
            return store.open_run(self.fleet.name)

    def progress(self) -> Progress | None:
        """How far the open run is, if there is one."""
        with self._reading() as store:
            run = store.open_run(self.fleet.name)
            if run is None:
                return None
            items = {(one.digest, one.policy) for one in store.members(run) if one.digest is not None}
            return Progress(run=run, items=len(items), done=sum(1 for _ in store.outcomes(run)))

    def facts(self, run: Run) -> RunFacts:
        """Everything about a run that ended. The first to ask waits for the reading, others of the same fleet too."""
        with self._loading:
            known = self._facts.get(run.number)
            if known is None:
                known = self._read(run)
                self._facts[run.number] = known
                self._past[run.number] = _past(known.rows)
                while len(self._facts) > RUNS_KEPT:
                    self._facts.popitem(last=False)
            self._facts.move_to_end(run.number)
            return known

    def changes(self, before: Run, after: Run) -> Changes:
        """What changed from one run to another."""
        key = (before.number, after.number)
        with self._loading:
            if key not in self._pairs:
                self._pairs[key] = changes(self.facts(before).standings, self.facts(after).standings)
                while len(self._pairs) > PAIRS_KEPT:
                    self._pairs.popitem(last=False)
            return self._pairs[key]

    def bases(self, run: Run) -> SharedBases:
        """Shared layers behind failures. The findings that takes are read for it alone, and not kept."""
        with self._loading:
            if run.number not in self._bases:
                with closing(self._open_store(self.fleet)) as store:
                    rows = _rows(store, run, ("checks", "findings", "layers"))
                    self._bases[run.number] = shared_bases(rows.images)
                while len(self._bases) > RUNS_KEPT:
                    self._bases.popitem(last=False)
            return self._bases[run.number]

    def trend(self) -> tuple[tuple[Run, Part | None], ...]:
        """The last runs, oldest first, with their counts as far as they have been read (`warm`)."""
        known = [(run, self._past.get(run.number)) for run in self.ended()[-TREND_RUNS:]]
        return tuple((run, None if past is None else past.total) for run, past in known)

    def history(self, reference: str) -> tuple[tuple[Run, PastImage], ...]:
        """What a reference led to in the last runs, newest first, as far as they have been read."""
        found = []
        for run in reversed(self.ended()[-TREND_RUNS:]):
            past = self._past.get(run.number)
            if past is not None and reference in past.images:
                found.append((run, past.images[reference]))
        return tuple(found)

    def warm(self) -> None:
        """Read ahead: the newest two runs, and what is told of those before. Errors wait for whoever asks."""
        try:
            runs = self.ended()[-TREND_RUNS:]
            for run in runs[-1:]:
                self.bases(run)
            for run in reversed(runs):
                if run in runs[-2:]:
                    self.facts(run)
                elif run.number not in self._past:
                    with self._loading, closing(self._open_store(self.fleet)) as store:
                        self._past[run.number] = _past(_rows(store, run, ("checks",)))
        except ComplianceError:
            return

    def record(self, identifier: str) -> AssessmentRecord:
        """One assessment with all its findings. Raises StoreError."""
        with self._reading() as store:
            return store.assessment(identifier)

    def blob(self, sha256: str) -> bytes:
        """A document, digest checked. Raises StoreError."""
        with self._reading() as store:
            return store.blob(sha256)

    def _read(self, run: Run) -> RunFacts:
        """With a connection of its own: what is quickly asked need not wait."""
        known = {record.id: record for facts in self._facts.values() for record in facts.rows.records.values()}
        with closing(self._open_store(self.fleet)) as store:
            rows = _rows(store, run, ("checks", "controls", "waivers"), known)
            records = [image.record for image in rows.images if image.record is not None]
            return RunFacts(rows=rows, texts=library_texts(store, records))


def _rows(
    store: FleetStore, run: Run, kinds: Collection[str], known: Mapping[str, AssessmentRecord] | None = None
) -> RunRows:
    """The rows of a run with these kinds of its assessments' rows; assessments that are known are not kept twice."""
    records = [(known or {}).get(record.id, record) for record in store.assessments(run, kinds=kinds)]
    return run_rows(run, store.members(run), store.outcomes(run), records)


def _past(rows: RunRows) -> _Past:
    images: dict[str, PastImage] = {}
    for image in rows.images:
        found = PastImage(
            digest=image.item.digest,
            policy=image.item.policy,
            outcome="not-determined" if image.record is None else image.record.outcome,
        )
        for reference in image.references:
            images.setdefault(shown_reference(reference), found)
    return _Past(total=total(rows), images=images)


def newest(runs: tuple[Run, ...], number: int | None) -> Run | None:
    """The run with that number, or the newest; None where there is none such."""
    if number is None:
        return runs[-1] if runs else None
    return next((run for run in runs if run.number == number), None)
