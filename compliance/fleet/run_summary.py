"""A run in a handful of numbers: how much of the population is covered, and what came out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from compliance.errors import ExitCode
from compliance.model.fleet import FleetStore, ItemOutcome, ItemState, Run

_WORST_FIRST = (
    ("not-verified", ExitCode.NOT_VERIFIED),
    ("not-satisfied", ExitCode.NOT_SATISFIED),
    ("not-determined", ExitCode.NOT_DETERMINED),
)
NOT_DETERMINED_MAX = 10_000
"""Outcomes without an assessment that are kept for showing; all are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """`references` led to `images` (digest and policy), and `unresolved` of them to none, by reason.

    `states` counts the images by what became of them in the run (those of an open run may have nothing yet), `outcomes`
    by what their assessments came to; without an assessment that is not-determined. `without` are those.
    """

    run: Run
    references: int
    images: int
    unresolved: Mapping[str, int]
    states: Mapping[ItemState, int]
    outcomes: Mapping[str, int]
    without: tuple[ItemOutcome, ...]

    @property
    def recorded(self) -> int:
        """Images that something became of."""
        return sum(self.states.values())

    @property
    def exit_code(self) -> ExitCode:
        """The worst of all; a population of nothing shows nothing."""
        found = {outcome for outcome, count in self.outcomes.items() if count}
        if self.unresolved or not self.images or self.recorded < self.images:
            found.add("not-determined")
        return next((code for outcome, code in _WORST_FIRST if outcome in found), ExitCode.SATISFIED)


def run_summary(store: FleetStore, run: Run) -> RunSummary:
    """Count what the store has of the run. Raises StoreError."""
    references = 0
    items: set[tuple[str, str]] = set()
    unresolved: Counter[str] = Counter()
    for member in store.members(run):
        references += 1
        if member.digest is None:
            unresolved[member.reason or "no reason"] += 1
        else:
            items.add((member.digest, member.policy))
    states: Counter[ItemState] = Counter()
    without: list[ItemOutcome] = []
    named: Counter[str | None] = Counter()
    for outcome in store.outcomes(run):
        states[outcome.state] += 1
        named[outcome.assessment] += 1
        if outcome.assessment is None and len(without) < NOT_DETERMINED_MAX:
            without.append(outcome)
    outcomes: Counter[str] = Counter()
    for record in store.assessments(run, kinds=()):
        outcomes[record.outcome] += 1
    if named[None]:
        outcomes["not-determined"] += named[None]
    return RunSummary(
        run=run,
        references=references,
        images=len(items),
        unresolved=unresolved,
        states=states,
        outcomes=outcomes,
        without=tuple(without),
    )
