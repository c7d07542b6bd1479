"""The FleetStore over a database and blobs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, and_, delete, exists, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from compliance.errors import StoreError
from compliance.model.fleet import (
    ROW_KINDS,
    USUAL_KINDS,
    AssessmentRecord,
    Cost,
    Item,
    ItemOutcome,
    ItemState,
    Member,
    Mistrust,
    Run,
    RunState,
)
from compliance.store import schema
from compliance.store.assessment_record import in_order
from compliance.store.blobs import Blobs
from compliance.store.canonical import Tally, Value, chain_of, member_line, outcome_line
from compliance.store.database import STREAMED, Database, Unique
from compliance.store.record_reader import RecordReader
from compliance.store.row_lists import AT_ONCE, chunks, insert_new, keep_lists, keep_rows, lists_of

_RECORDS_AT_ONCE = 100

_runs, _items, _outcomes, _assessments = schema.runs, schema.items, schema.outcomes, schema.assessments
_contexts, _members, _run_members = schema.contexts, schema.members, schema.run_members
_MEMBER_FIELDS = schema.fields_of(_members)
_CONTEXT_FIELDS = schema.fields_of(_contexts)
_RUN_FIELDS = tuple(field.name for field in fields(Run) if field.name != "state")
_RECORD_FIELDS = ("id", "sbom", "digest", "assessed_at", "outcome", "worst", "config_digest")
_COST_FIELDS = ("attempts", "wall_seconds", "cpu_seconds", "peak_bytes")


class SqlFleetStore:
    """See FleetStore. Safe to share among threads; another process gets one that opens the same anew."""

    def __init__(
        self, database: Database, blobs: Blobs, reopen: tuple[Callable[..., object], tuple[object, ...]]
    ) -> None:
        self.database = database
        self.blobs = blobs
        self._reopen = reopen

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        """In a worker process the store is opened by its URLs."""
        return self._reopen

    def begin(self, run: Run, members: Iterable[Member]) -> Run:
        """See FleetStore. Not asked again by itself: whether a lost answer was a yes, `open_run` tells."""
        try:
            with self.database.writing() as connection:
                begun, key = self._insert_run(connection, run)
                for part in chunks(members):
                    keys = keep_rows(connection, _members, map(_values(_MEMBER_FIELDS), part))
                    rows = [{"run": key, "member": member} for member in sorted(set(keys.values()))]
                    insert_new(connection, _run_members, rows)
        except Unique:
            raise self._in_the_way(run) from None
        return begun

    def _insert_run(self, connection: Connection, run: Run) -> tuple[Run, int]:
        newest = connection.execute(
            select(_runs.c.number, _runs.c.chain)
            .where(_runs.c.fleet == run.fleet)
            .order_by(_runs.c.number.desc())
            .limit(1)
        ).first()
        number, previous = (0, None) if newest is None else newest
        begun = replace(run, number=number + 1, state=RunState.OPEN, previous=previous, finished=None, chain=None)
        _check_texts(begun)
        values = {name: getattr(begun, name) for name in _RUN_FIELDS}
        connection.execute(_runs.insert().values(values))
        key = connection.execute(select(_runs.c.pk).where(*_is(begun))).scalar_one()
        return begun, int(key)

    def _in_the_way(self, run: Run) -> StoreError:
        slot = select(_runs.c.number).where(_runs.c.fleet == run.fleet, _runs.c.slot == run.slot)
        with self.database.reading() as connection:
            number = None if run.slot is None else connection.scalar(slot)
        if number is not None:
            return StoreError(f"run {number} of the fleet took this slot", code="run-taken", where=run.fleet)
        return StoreError("the fleet has a run that has not ended", code="run-open", where=run.fleet)

    def open_run(self, fleet: str) -> Run | None:
        """See FleetStore."""
        return next(self._runs(_runs.c.fleet == fleet, _runs.c.finished.is_(None)), None)

    def hold(self, fleet: str, holder: str, *, now: datetime, seconds: float) -> bool:
        """See FleetStore."""
        return self.database.patiently(lambda: self._hold(fleet, holder, now, now + timedelta(seconds=seconds)))

    def _hold(self, fleet: str, holder: str, now: datetime, expires: datetime) -> bool:
        leases = schema.leases
        with self.database.writing() as connection:
            family = sqlite if self.database.is_sqlite else postgresql
            taken = family.insert(leases).values(fleet=fleet, holder=holder, expires=expires)
            taken = taken.on_conflict_do_update(
                index_elements=[leases.c.fleet],
                set_={"holder": holder, "expires": expires},
                where=or_(leases.c.holder == holder, leases.c.expires <= now),
            )
            return connection.execute(taken.returning(leases.c.holder)).first() is not None

    def release(self, fleet: str, holder: str) -> None:
        """See FleetStore."""
        leases = schema.leases

        def given() -> None:
            with self.database.writing() as connection:
                connection.execute(delete(leases).where(leases.c.fleet == fleet, leases.c.holder == holder))

        self.database.patiently(given)

    def put_blob(self, content: bytes) -> str:
        """See FleetStore."""
        return self.blobs.put(content)

    def blob(self, sha256: str) -> bytes:
        """See FleetStore."""
        return self.blobs.get(sha256)

    def record(self, run: Run, outcome: ItemOutcome, assessment: AssessmentRecord | None) -> None:
        """See FleetStore. The first outcome of an item stays; a later one changes nothing.

        Raises StoreError (``outcome-foreign``) for an item that the run's members do not lead to, (``run-ended``),
        (``assessment-missing``) where neither the store nor `assessment` has what the outcome names.
        """
        _check_outcome(outcome, assessment)
        self.database.patiently(lambda: self._record(run, outcome, assessment))

    def _record(self, run: Run, outcome: ItemOutcome, assessment: AssessmentRecord | None) -> None:
        with self.database.writing() as connection:
            key, finished = self._locked(connection, run, shared=True)
            if connection.scalar(select(_recorded(key, outcome.item))):
                return
            if finished is not None:
                raise StoreError("the run has ended", code="run-ended", where=_named(run))
            if not connection.scalar(select(_led_to(key, outcome.item))):
                raise StoreError(
                    "no member of the run leads to this item",
                    code="outcome-foreign",
                    where=f"{outcome.item.digest} under {outcome.item.policy}",
                )
            named = None if outcome.assessment is None else self._keep_assessment(connection, outcome, assessment)
            values = (outcome.item.digest, outcome.item.policy, outcome.item.reference)
            item = keep_rows(connection, _items, [values])[values]
            row: dict[str, object] = {
                "run": key,
                "item": item,
                "state": outcome.state.value,
                "assessment": named,
                "code": outcome.code,
                "reason": outcome.reason,
            }
            if outcome.cost is not None:
                row |= {name: getattr(outcome.cost, name) for name in _COST_FIELDS}
            insert_new(connection, _outcomes, [row])

    def _keep_assessment(
        self, connection: Connection, outcome: ItemOutcome, assessment: AssessmentRecord | None
    ) -> int:
        """The key of the assessment that the outcome names, which is written if it is new."""
        kept = (
            select(_assessments.c.pk)
            .join(_contexts, _contexts.c.pk == _assessments.c.context)
            .where(_assessments.c.id == outcome.assessment, _contexts.c.policy == outcome.item.policy)
        )
        known: int | None = connection.scalar(kept)
        if known is not None:
            return known
        if assessment is None:
            raise _missing(outcome.assessment or "")
        record = in_order(assessment)
        context = tuple(getattr(record, name) for name in _CONTEXT_FIELDS)
        values = {name: getattr(record, name) for name in _RECORD_FIELDS}
        values |= {
            "context": keep_rows(connection, _contexts, [context])[context],
            "observations": ",".join(str(check.observations) for check in record.checks),
        }
        list_keys = keep_lists(connection, lists_of(record))
        insert_new(connection, _assessments, [values])
        key = int(connection.execute(kept).scalar_one())
        insert_new(
            connection, schema.assessment_lists, [{"assessment": key, "list": each} for each in sorted(list_keys)]
        )
        return key

    def end(self, run: Run, finished: datetime) -> Run:
        """See FleetStore. Ending it once more at the same time gives the same run."""
        return self.database.patiently(lambda: self._end(run, finished))

    def _end(self, run: Run, finished: datetime) -> Run:
        with self.database.writing() as connection:
            key, ended = self._locked(connection, run)
            if ended is not None:
                if ended != finished:
                    raise StoreError("the run has ended", code="run-ended", where=_named(run))
                return _run(connection.execute(_select_runs().where(_runs.c.pk == key)).one())
            waiting = self._waiting(connection, key)
            if waiting:
                raise StoreError(
                    f"{waiting} of the run's items have no outcome", code="run-incomplete", where=_named(run)
                )
            now = replace(
                _run(connection.execute(_select_runs().where(_runs.c.pk == key)).one()),
                finished=finished,
                state=RunState.ENDED,
            )
            members, outcomes = tallies(connection, key)
            now = replace(now, chain=chain_of(now, members, outcomes))
            connection.execute(
                update(_runs)
                .where(_runs.c.pk == key)
                .values(
                    finished=finished,
                    chain=now.chain,
                    member_count=members.count,
                    member_digest=members.hexdigest(),
                    outcome_count=outcomes.count,
                    outcome_digest=outcomes.hexdigest(),
                )
            )
            return now

    def _waiting(self, connection: Connection, key: int) -> int:
        """How many members lead to an item that has no outcome."""
        recorded = (
            select(_items.c.pk)
            .join(_outcomes, _outcomes.c.item == _items.c.pk)
            .where(_outcomes.c.run == key, _items.c.digest == _members.c.digest, _items.c.policy == _members.c.policy)
        )
        query = (
            select(_members.c.digest, _members.c.policy)
            .join(_run_members, _run_members.c.member == _members.c.pk)
            .where(_run_members.c.run == key, _members.c.digest.is_not(None), ~exists(recorded))
            .distinct()
        )
        return int(connection.execute(select(func.count()).select_from(query.subquery())).scalar_one())

    def reusable(self, item: Item, *, not_before: datetime, not_after: datetime | None = None) -> str | None:
        """See FleetStore."""
        query = (
            select(_assessments.c.id)
            .join(_contexts, _contexts.c.pk == _assessments.c.context)
            .where(
                _assessments.c.digest == item.digest,
                _contexts.c.policy == item.policy,
                _assessments.c.assessed_at >= not_before,
                *(() if not_after is None else (_assessments.c.assessed_at <= not_after,)),
            )
            .order_by(_assessments.c.assessed_at.desc(), _assessments.c.id)
            .limit(1)
        )
        return next((str(row[0]) for row in self.database.rows(query)), None)

    def runs(self, fleet: str | None = None) -> Iterator[Run]:
        """See FleetStore: in the order of their start, fleet and number."""
        return self._runs(*([] if fleet is None else [_runs.c.fleet == fleet]))

    def _runs(self, *conditions: Any) -> Iterator[Run]:
        query = _select_runs().where(*conditions).order_by(_runs.c.started, _runs.c.fleet, _runs.c.number)
        return map(_run, self.database.rows(query))

    def members(self, run: Run) -> Iterator[Member]:
        """See FleetStore."""
        return map(_member, self.database.rows(_select_members(_key_of(run))))

    def outcomes(self, run: Run) -> Iterator[ItemOutcome]:
        """See FleetStore."""
        return (_outcome(row) for row in self.database.rows(_select_outcomes(_key_of(run))))

    def assessments(self, run: Run, *, kinds: Collection[str] = USUAL_KINDS) -> Iterator[AssessmentRecord]:
        """See FleetStore. One document under two policies comes twice, in the order of policy."""
        named = select(_outcomes.c.assessment).where(_outcomes.c.run == _key_of(run))
        return self._records(_assessments.c.pk.in_(named), kinds=kinds)

    def every_assessment(self) -> Iterator[AssessmentRecord]:
        """All of them, in the order of id and policy."""
        return self._records()

    def bare_assessments(self) -> Iterator[AssessmentRecord]:
        """All of them without any rows, in the same order."""
        return self._records(kinds=())

    def assessment(self, id: str) -> AssessmentRecord:
        """See FleetStore."""
        for record in self._records(_assessments.c.id == id):
            return record
        raise _missing(id)

    def _records(self, *conditions: Any, kinds: Collection[str] = ROW_KINDS) -> Iterator[AssessmentRecord]:
        query = select_records().where(*conditions).order_by(_assessments.c.id, _contexts.c.policy)
        rows = self.database.rows(query)
        first = next(rows, None)
        if first is None:
            return
        with self.database.reading() as connection:
            reader = RecordReader(connection, kinds, (*_RECORD_FIELDS, *_CONTEXT_FIELDS))
            for part in chunks(_with(first, rows), _RECORDS_AT_ONCE):
                yield from reader.records(part)

    def head(self, fleet: str) -> str | None:
        """See FleetStore."""
        query = (
            select(_runs.c.chain)
            .where(_runs.c.fleet == fleet, _runs.c.finished.is_not(None))
            .order_by(_runs.c.number.desc())
            .limit(1)
        )
        return next((row[0] for row in self.database.rows(query)), None)

    def digest(self) -> str:
        """See FleetStore."""
        from compliance.store.store_digest import store_digest

        return store_digest(self)

    def verify(self, heads: Mapping[str, str] | None = None) -> Iterator[Mistrust]:
        """See FleetStore. `heads` are chains by fleet, known from elsewhere, that the history must hold."""
        from compliance.store.store_verifier import verify_store

        return verify_store(self, {} if heads is None else heads)

    def sizes(self) -> Mapping[str, int]:
        """See FleetStore."""
        sizes: dict[str, int] = {}
        with self.database.reading() as connection:
            for table in schema.metadata.sorted_tables:
                sizes[table.name] = int(connection.execute(select(func.count()).select_from(table)).scalar_one())
        sizes = dict(sorted(sizes.items())) | {"blobs": 0, "blob_bytes": 0}
        for _path, sha256, size in self.blobs.files():
            sizes["blobs"] += sha256 is not None
            sizes["blob_bytes"] += size
        return sizes

    def close(self) -> None:
        """See FleetStore."""
        self.database.close()

    def _locked(self, connection: Connection, run: Run, *, shared: bool = False) -> tuple[int, datetime | None]:
        """The run's key and its end, which stay as they are until the transaction ends."""
        query = select(_runs.c.pk, _runs.c.finished).where(*_is(run)).with_for_update(read=shared)
        row = connection.execute(query).first()
        if row is None:
            raise StoreError("there is no such run", code="run-missing", where=_named(run))
        return row[0], row[1]


def tallies(connection: Connection, key: int) -> tuple[Tally, Tally]:
    """The members and the outcomes of a run as its chain covers them."""
    members, outcomes = Tally(), Tally()
    for part in connection.execute(_select_members(key), execution_options=STREAMED).partitions(AT_ONCE):
        for row in part:
            members.add(member_line(_member(row)))
    for part in connection.execute(_select_outcomes(key), execution_options=STREAMED).partitions(AT_ONCE):
        for row in part:
            outcomes.add(outcome_line(_outcome(row), row.sbom))
    return members, outcomes


def _is(run: Run) -> tuple[Any, Any]:
    return _runs.c.fleet == run.fleet, _runs.c.number == run.number


def _key_of(run: Run) -> Any:
    return select(_runs.c.pk).where(*_is(run)).scalar_subquery()


def _select_runs() -> Select[Any]:
    return select(*(_runs.c[name] for name in _RUN_FIELDS))


def _select_members(key: Any) -> Select[Any]:
    columns = [_members.c[name] for name in _MEMBER_FIELDS]
    order = [_members.c[name].nulls_first() for name in ("group", "reference", "origin", *_MEMBER_FIELDS)]
    return (
        select(*columns)
        .join(_run_members, _run_members.c.member == _members.c.pk)
        .where(_run_members.c.run == key)
        .order_by(*dict.fromkeys(order))
    )


def _select_outcomes(key: Any) -> Select[Any]:
    item = [_items.c[name] for name in ("digest", "policy", "reference")]
    return (
        select(
            *item,
            _outcomes.c.state,
            _assessments.c.id.label("assessment"),
            _assessments.c.sbom,
            _outcomes.c.code,
            _outcomes.c.reason,
            *(_outcomes.c[name] for name in _COST_FIELDS),
        )
        .join(_items, _items.c.pk == _outcomes.c.item)
        .outerjoin(_assessments, _assessments.c.pk == _outcomes.c.assessment)
        .where(_outcomes.c.run == key)
        .order_by(*item)
    )


def select_records() -> Select[Any]:
    """Every assessment with its context, in no order: the fields of a record but its rows, `pk`, `observations`."""
    return select(
        _assessments.c.pk,
        *(_assessments.c[name] for name in _RECORD_FIELDS),
        _assessments.c.observations,
        *(_contexts.c[name] for name in _CONTEXT_FIELDS),
    ).join(_contexts, _contexts.c.pk == _assessments.c.context)


def _recorded(key: int, item: Item) -> Any:
    return exists().where(
        _outcomes.c.run == key,
        _outcomes.c.item == _items.c.pk,
        and_(_items.c.digest == item.digest, _items.c.policy == item.policy),
    )


def _led_to(key: int, item: Item) -> Any:
    return exists().where(
        _run_members.c.run == key,
        _run_members.c.member == _members.c.pk,
        and_(_members.c.digest == item.digest, _members.c.policy == item.policy),
    )


def _run(row: Any) -> Run:
    values = row._asdict()
    return Run(state=RunState.OPEN if values["finished"] is None else RunState.ENDED, **values)


def _member(row: Any) -> Member:
    return Member(**row._asdict())


def _outcome(row: Any) -> ItemOutcome:
    cost = None
    if row.attempts is not None:
        cost = Cost(**{name: getattr(row, name) for name in _COST_FIELDS})
    return ItemOutcome(
        item=Item(digest=row.digest, policy=row.policy, reference=row.reference),
        state=_state(row.state),
        assessment=row.assessment,
        code=row.code,
        reason=row.reason,
        cost=cost,
    )


def _state(word: str) -> ItemState:
    try:
        return ItemState(word)
    except ValueError:
        raise schema.damaged(f"{word!r:.40} where an outcome's state should be") from None


def _values(names: Sequence[str]) -> Callable[[Any], tuple[Value, ...]]:
    return lambda each: tuple(getattr(each, name) for name in names)


def _with(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest


def _named(run: Run) -> str:
    return f"run {run.number} of {run.fleet}"


def _missing(id: str) -> StoreError:
    return StoreError("there is no such assessment", code="assessment-missing", where=id)


def _check_texts(run: Run) -> None:
    """A database refuses some texts in words of its own; the chain's line refuses them in ours."""
    chain_of(run, Tally(), Tally())


def _check_outcome(outcome: ItemOutcome, assessment: AssessmentRecord | None) -> None:
    """Raises ValueError for an outcome that contradicts itself or its assessment; that is the caller's mistake."""
    outcome_line(outcome, None)
    if (outcome.assessment is None) != (outcome.state is ItemState.NOT_DETERMINED):
        raise ValueError("an outcome names an assessment, or is not determined")
    if assessment is not None:
        of_item = (assessment.id, assessment.digest, assessment.policy)
        if of_item != (outcome.assessment, outcome.item.digest, outcome.item.policy):
            raise ValueError("the assessment is not that of the outcome's item")
