"""One run as its store has it, with every image beside the references that led to it: what all facts are made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from compliance.model.fleet import AssessmentRecord, FleetStore, Item, ItemOutcome, Member, Run


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetImage:
    """One image under one policy, whoever named it. Without a `record` nothing about it is determined."""

    item: Item
    members: tuple[Member, ...]
    outcome: ItemOutcome | None
    record: AssessmentRecord | None = field(repr=False)

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups it is in."""
        return tuple(dict.fromkeys(member.group for member in self.members))

    @property
    def owners(self) -> tuple[str, ...]:
        """Who answers for those groups."""
        return tuple(dict.fromkeys(member.owner for member in self.members))

    @property
    def references(self) -> tuple[str, ...]:
        """The references that led to it, each once."""
        return tuple(dict.fromkeys(member.reference for member in self.members))


@dataclass(frozen=True, kw_only=True)
class RunRows:
    """The rows of one run. `records` are the assessments that its outcomes name, by id."""

    run: Run
    members: tuple[Member, ...]
    outcomes: tuple[ItemOutcome, ...]
    records: Mapping[str, AssessmentRecord] = field(repr=False)

    @cached_property
    def images(self) -> tuple[FleetImage, ...]:
        """Every image of the population in the order of digest and policy, whether or not anything came of it."""
        named: dict[tuple[str, str], list[Member]] = {}
        for member in self.members:
            if member.digest is not None:
                named.setdefault((member.digest, member.policy), []).append(member)
        outcomes = {outcome.item.key: outcome for outcome in self.outcomes}
        return tuple(self._image(key, tuple(named[key]), outcomes.get(key)) for key in sorted(named))

    @cached_property
    def unresolved(self) -> tuple[Member, ...]:
        """The references of each group that led to no image, each once."""
        found = {(member.group, member.reference): member for member in reversed(self.members) if member.digest is None}
        return tuple(found[key] for key in sorted(found))

    def _image(self, key: tuple[str, str], members: tuple[Member, ...], outcome: ItemOutcome | None) -> FleetImage:
        item = Item(digest=key[0], policy=key[1], reference=members[0].reference) if outcome is None else outcome.item
        record = None if outcome is None or outcome.assessment is None else self.records.get(outcome.assessment)
        return FleetImage(item=item, members=members, outcome=outcome, record=record)


def read_run(store: FleetStore, run: Run) -> RunRows:
    """The rows of `run`, packages aside. Raises StoreError."""
    return run_rows(run, store.members(run), store.outcomes(run), store.assessments(run))


def run_rows(
    run: Run, members: Iterable[Member], outcomes: Iterable[ItemOutcome], records: Iterable[AssessmentRecord]
) -> RunRows:
    """The rows as one value."""
    return RunRows(
        run=run,
        members=tuple(members),
        outcomes=tuple(outcomes),
        records={record.id: record for record in records},
    )
