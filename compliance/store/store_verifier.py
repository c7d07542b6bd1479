"""Whether a store still holds what was put into it: its chain, the rows the chain covers, and the blobs.

What is shared is checked once: a row of a dictionary against its content, a list against its rows' contents, an
assessment's rows against its two documents, a run's members and outcomes against its link of the chain. An open run
has no link yet. A newest run that was cut off leaves a history that holds: only a head known from elsewhere shows it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Table, exists, func, or_, select

from compliance.errors import ComplianceError, StoreError
from compliance.model.fleet import AssessmentRecord, ItemState, Mistrust, Run, RunState
from compliance.store import schema
from compliance.store.assessment_record import record_of
from compliance.store.canonical import chain_of, content_of, list_content
from compliance.store.sql_store import tallies

if TYPE_CHECKING:
    from compliance.store.sql_store import SqlFleetStore

_RECORD_FIELDS = tuple(field.name for field in fields(AssessmentRecord))


def verify_store(store: SqlFleetStore, heads: Mapping[str, str]) -> Iterator[Mistrust]:
    """Everything that does not hold; `heads` are chains by fleet that their history must have come by."""
    named: set[bytes] = set()
    yield from _said("rows", _dictionaries(store))
    yield from _said("lists", _lists(store))
    yield from _said("links", _links(store))
    yield from _said("runs", _histories(store, heads))
    yield from _said("assessments", _assessments(store, named))
    yield from _said("blobs", _blobs(store, named))


def _said(where: str, found: Iterator[Mistrust]) -> Iterator[Mistrust]:
    """What was found. Rows that can't even be read are one more thing that does not hold."""
    try:
        yield from found
    except StoreError as error:
        if error.code != "row-damaged":
            raise
        yield Mistrust(where=where, reason=f"edited: {error.message}; what comes after it was not looked at")
    except (TypeError, ValueError, AttributeError) as error:
        yield Mistrust(where=where, reason=f"edited: a value of a kind that no row has ({error})")


def _dictionaries(store: SqlFleetStore) -> Iterator[Mistrust]:
    """Each row against its content; and rows that nothing refers to, which no transaction leaves behind."""
    for table in schema.DICTIONARIES:
        names = schema.fields_of(table)
        query = select(table.c.pk, table.c.content, *(table.c[name] for name in names)).order_by(table.c.pk)
        for key, content, *values in store.database.rows(query):
            if not _holds(table.name, content, values):
                yield Mistrust(where=f"{table.name} {key}", reason="edited: its values are not those of its digest")
        yield from _unused(store, table)


def _holds(table: str, content: bytes, values: Sequence[Any]) -> bool:
    try:
        return content_of(table, values) == bytes(content)
    except (StoreError, TypeError):  # what no row of ours has
        return False


_REFERRING: Mapping[str, ColumnElement[Any]] = {
    "members": schema.run_members.c.member,
    "items": schema.outcomes.c.item,
    "contexts": schema.assessments.c.context,
    "assessments": schema.outcomes.c.assessment,
    "lists": schema.assessment_lists.c.list,
    **{kind.name: kind.entries.c.row for kind in schema.KINDS},
}


def _unused(store: SqlFleetStore, table: Table) -> Iterator[Mistrust]:
    used = exists().where(_REFERRING[table.name] == table.c.pk)
    for (key,) in store.database.rows(select(table.c.pk).where(~used).order_by(table.c.pk)):
        yield Mistrust(where=f"{table.name} {key}", reason="added, or cut off: nothing refers to it")


def _lists(store: SqlFleetStore) -> Iterator[Mistrust]:
    """Each list against the contents of its rows, in their order."""
    for kind in schema.KINDS:
        lists, entries, rows = schema.lists, kind.entries, kind.rows
        query = (
            select(lists.c.pk, lists.c.content, lists.c.layer, entries.c.position, rows.c.content.label("row"))
            .outerjoin(entries, entries.c.list == lists.c.pk)
            .outerjoin(rows, rows.c.pk == entries.c.row)
            .where(lists.c.kind == kind.name)
            .order_by(lists.c.pk, entries.c.position)
        )
        for key, some in groupby(store.database.rows(query), key=lambda row: row.pk):
            found = list(some)
            places = [row.position for row in found]
            whole = places == list(range(len(found))) and all(row.row is not None for row in found)
            contents = [bytes(row.row) for row in found if row.row is not None]
            if not whole or list_content(kind.name, found[0].layer, contents) != bytes(found[0].content):
                yield Mistrust(
                    where=f"lists {key}", reason=f"edited: its {kind.name} are not, or not in that order, those it had"
                )
    known = schema.lists.c.kind.in_([kind.name for kind in schema.KINDS])
    for (key,) in store.database.rows(select(schema.lists.c.pk).where(~known)):
        yield Mistrust(where=f"lists {key}", reason="edited: of a kind that there is not")
    yield from _unused(store, schema.lists)


def _links(store: SqlFleetStore) -> Iterator[Mistrust]:
    """Rows that lead to a row that is gone. The database forbids it, unless it was told not to."""
    for table in schema.metadata.sorted_tables:
        keys = [column.name for column in table.primary_key.columns]
        for column in table.columns:
            for target in (foreign.column for foreign in column.foreign_keys):
                there = exists().where(target == column).correlate(table)
                query = select(*(table.c[name] for name in keys)).where(column.is_not(None), ~there)
                for row in store.database.rows(query):
                    named = " ".join(f"{name} {value}" for name, value in zip(keys, row, strict=True))
                    yield Mistrust(
                        where=f"{table.name} {named}", reason=f"its {column.name} is removed from {target.table.name}"
                    )
        if table.name.endswith("_entries"):
            yield from _strays(store, table)


def _strays(store: SqlFleetStore, entries: Table) -> Iterator[Mistrust]:
    """Entries of a list of another kind."""
    kind = entries.name.removesuffix("_entries")
    query = (
        select(entries.c.list, entries.c.position)
        .join(schema.lists, schema.lists.c.pk == entries.c.list)
        .where(schema.lists.c.kind != kind)
    )
    for key, position in store.database.rows(query):
        yield Mistrust(
            where=f"{entries.name} list {key} position {position}", reason="added: the list is of another kind"
        )


def _histories(store: SqlFleetStore, heads: Mapping[str, str]) -> Iterator[Mistrust]:
    found = set()
    runs = sorted(store.runs(), key=lambda run: (run.fleet, run.number))
    for fleet, history in groupby(runs, key=lambda run: run.fleet):
        found.add(fleet)
        yield from _history(store, fleet, list(history), heads.get(fleet))
    for fleet in sorted(heads.keys() - found):
        yield Mistrust(where=fleet, reason="removed: the store has no run of this fleet")


def _history(store: SqlFleetStore, fleet: str, runs: Sequence[Run], head: str | None) -> Iterator[Mistrust]:
    """The runs of one fleet: numbered from 1, each naming the one before it."""
    previous: str | None = None
    expected = 1
    for run in runs:
        where = f"run {run.number} of {fleet}"
        for number in range(expected, min(run.number, expected + 100)):
            yield Mistrust(where=f"run {number} of {fleet}", reason="removed")
        if run.previous != previous and run.number == expected:
            yield Mistrust(where=where, reason="edited or reordered: the run before it is not the one that it names")
        if run.state is RunState.ENDED:
            yield from _sealed(store, run, where)
        elif run.chain is not None or run is not runs[-1]:
            yield Mistrust(where=where, reason="edited: an open run can only be the newest, and has no chain")
        yield from _outcomes(store, run, where)
        previous, expected = run.chain, run.number + 1
    if head is not None and head not in {run.chain for run in runs}:
        yield Mistrust(
            where=fleet, reason="removed or edited: its history does not come by the head that is known from elsewhere"
        )


def _sealed(store: SqlFleetStore, run: Run, where: str) -> Iterator[Mistrust]:
    """A run that ended, against its link of the chain and the tallies that it was sealed with."""
    runs = schema.runs
    query = select(
        runs.c.pk, runs.c.member_count, runs.c.member_digest, runs.c.outcome_count, runs.c.outcome_digest
    ).where(runs.c.fleet == run.fleet, runs.c.number == run.number)
    with store.database.reading() as connection:
        row = connection.execute(query).one()
        try:
            members, outcomes = tallies(connection, row.pk)
            chain = chain_of(run, members, outcomes)
        except (StoreError, ValueError) as error:
            yield Mistrust(where=where, reason=f"edited: {error}")
            return
    kept = (("members", row.member_count, row.member_digest, members),
            ("outcomes", row.outcome_count, row.outcome_digest, outcomes))  # fmt: skip
    wrong = [
        (what, count, tally)
        for what, count, digest, tally in kept
        if (count, digest) != (tally.count, tally.hexdigest())
    ]
    for what, count, tally in wrong:
        reason = "edited" if count == tally.count else f"{tally.count} where {count} were sealed: removed or added"
        yield Mistrust(where=f"{where}: {what}", reason=reason)
    if chain != run.chain and not wrong:
        yield Mistrust(where=where, reason="edited: its chain does not cover what it holds")


def _outcomes(store: SqlFleetStore, run: Run, where: str) -> Iterator[Mistrust]:
    """Outcomes against members, both ways, and against their assessments."""
    runs, items, members = schema.runs, schema.items, schema.members
    outcomes, run_members, assessments = schema.outcomes, schema.run_members, schema.assessments
    key = select(runs.c.pk).where(runs.c.fleet == run.fleet, runs.c.number == run.number).scalar_subquery()
    led = (
        select(members.c.digest, members.c.policy)
        .join(run_members, run_members.c.member == members.c.pk)
        .where(run_members.c.run == key, members.c.digest.is_not(None))
    )
    had = (
        select(items.c.digest, items.c.policy)
        .join(outcomes, outcomes.c.item == items.c.pk)
        .where(outcomes.c.run == key)
    )
    for digest, policy in store.database.rows(had.except_(led)):
        yield Mistrust(where=f"{where}: outcome {digest} under {policy}", reason="added: no member leads to it")
    twice = had.group_by(items.c.digest, items.c.policy).having(func.count() > 1)
    for digest, policy in store.database.rows(twice):
        yield Mistrust(where=f"{where}: outcome {digest} under {policy}", reason="added: an item has one outcome")
    if run.state is RunState.ENDED:
        for digest, policy in store.database.rows(led.except_(had)):
            yield Mistrust(where=f"{where}: outcome {digest} under {policy}", reason="removed")
    determined = outcomes.c.state.in_([ItemState.ASSESSED.value, ItemState.REUSED.value])
    of_another = (
        select(items.c.digest, items.c.policy)
        .select_from(outcomes)
        .join(items, items.c.pk == outcomes.c.item)
        .outerjoin(assessments, assessments.c.pk == outcomes.c.assessment)
        .outerjoin(schema.contexts, schema.contexts.c.pk == assessments.c.context)
        .where(
            outcomes.c.run == key,
            or_(
                assessments.c.digest != items.c.digest,
                schema.contexts.c.policy != items.c.policy,
                determined != outcomes.c.assessment.is_not(None),
            ),
        )
    )
    for digest, policy in store.database.rows(of_another):
        yield Mistrust(
            where=f"{where}: outcome {digest} under {policy}", reason="edited: its assessment is not its own"
        )


def _assessments(store: SqlFleetStore, named: set[bytes]) -> Iterator[Mistrust]:
    """The rows of each assessment against its documents, which are noted in `named`."""
    yield from _unused(store, schema.assessments)
    for record in store.every_assessment():
        where = f"assessment {record.id}"
        named.update(_names(record))
        try:
            documents = (store.blob(record.id), store.blob(record.sbom))
            meant = record_of(*documents, policy=record.policy)
        except ComplianceError as error:
            yield Mistrust(where=where, reason=str(error))
            continue
        wrong = [name for name in _RECORD_FIELDS if getattr(record, name) != getattr(meant, name)]
        if wrong:
            yield Mistrust(where=where, reason=f"edited: {', '.join(wrong)} do not follow from its documents")


def _names(record: AssessmentRecord) -> Iterator[bytes]:
    for name in (record.id, record.sbom):
        with contextlib.suppress(ValueError):
            yield bytes.fromhex(name)


def _blobs(store: SqlFleetStore, named: set[bytes]) -> Iterator[Mistrust]:
    """Every blob that no assessment names: those that one does were read with it."""
    for path, sha256, _ in store.blobs.files():
        where = f"{store.blobs.place.name}/{path}"
        if sha256 is None:
            yield Mistrust(where=where, reason="added: no blob has such a name")
        elif bytes.fromhex(sha256) not in named:
            try:
                store.blob(sha256)
            except StoreError as error:
                yield Mistrust(where=where, reason=error.message)
