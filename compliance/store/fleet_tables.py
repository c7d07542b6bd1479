"""The tables of a fleet as Arrow batches: what the Parquet export writes and the notebooks' frames are made of.

Each batch is a bounded number of images, in the order of run, digest and policy.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Select, func, select

from compliance.model.fleet import ItemState, Run
from compliance.store import schema
from compliance.store.record_reader import counts_of
from compliance.store.row_lists import chunks
from compliance.store.sql_store import SqlFleetStore
from compliance.store.table_columns import CATEGORY, COUNT, INTEGER, ITEM, REAL, STRING, TABLES, TIME, TRUTH

if TYPE_CHECKING:
    import pyarrow as pa

IMAGES_AT_ONCE = 500
_MEMBERS_AT_ONCE = 20_000
_JOINED = ("trait", "severity", "outcome", "waiver")  # of a finding's check


def arrow_schema(table: str, columns: Sequence[str] | None = None) -> pa.Schema:
    """The Arrow schema of a table, or of some of its columns in its own order."""
    import pyarrow as pa

    types = {
        CATEGORY: pa.dictionary(pa.int32(), pa.string()),
        STRING: pa.string(),
        TIME: pa.timestamp("us", tz="UTC"),
        INTEGER: pa.int64(),
        COUNT: pa.int64(),
        REAL: pa.float64(),
        TRUTH: pa.bool_(),
    }
    kinds = TABLES[table]
    return pa.schema([pa.field(name, types[kinds[name]]) for name in kinds if columns is None or name in columns])


def batches(
    store: SqlFleetStore, table: str, runs: Iterable[Run], columns: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """The rows of `table` for these runs, in bounded parts."""
    shape = arrow_schema(table, columns)
    if table == "runs":
        for some in chunks(runs):
            yield _batch(shape, _columns_of_runs(store, some))
        return
    for run in runs:
        parts = _images(store, run) if table == "images" else _rows(store, run, _KINDS[table], shape.names)
        for columns_of_part in parts:
            batch = _batch(shape, columns_of_part)
            if batch.num_rows:
                yield batch


_KINDS = {kind.name: kind for kind in schema.KINDS}


@dataclass(frozen=True, slots=True)
class _Taken:
    """A column as places in a sequence of values: what repeats is converted once."""

    values: Sequence[Any]
    places: Any  # array of integers, for pyarrow's buffer protocol


def _batch(shape: pa.Schema, columns: Mapping[str, Any]) -> pa.RecordBatch:
    import pyarrow as pa

    return pa.record_batch([_array(columns[field.name], field.type) for field in shape], schema=shape)


def _array(column: Any, kind: pa.DataType) -> pa.Array:
    import pyarrow as pa

    if not isinstance(column, _Taken):
        return _typed(column, kind)
    taken = _typed(column.values, pa.string() if pa.types.is_dictionary(kind) else kind)
    taken = taken.take(pa.array(column.places, pa.int64()))
    # Encoded in the order in which values come, which no database's keys decide.
    return taken.dictionary_encode() if pa.types.is_dictionary(kind) else taken


def _typed(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return pa.array(values, pa.string()).dictionary_encode()
    if pa.types.is_timestamp(kind):
        return pa.array([_moment(value) for value in values], kind)
    if pa.types.is_boolean(kind):  # SQLite's are numbers
        return pa.array([bool(value) for value in values], kind)
    return pa.array(values, kind)


def _moment(value: Any) -> Any:
    """Times of documents are texts; one that is none is left out."""
    from datetime import datetime

    if not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _columns_of_runs(store: SqlFleetStore, runs: Sequence[Run]) -> dict[str, Any]:
    counts = [_counts(store, run) for run in runs]
    plain = ("fleet", "started", "effective", "finished", "slot", "tool", "fleet_digest", "controls_digest")
    columns: dict[str, Any] = {name: [getattr(run, name) for run in runs] for name in plain}
    columns |= {name: [getattr(run, name) for run in runs] for name in ("population", "previous", "chain")}
    columns |= {"run": [run.number for run in runs], "state": [run.state.value for run in runs]}
    for name in ("members", "items", "assessed", "reused", "not_determined"):
        columns[name] = [count[name] for count in counts]
    return columns


def _counts(store: SqlFleetStore, run: Run) -> dict[str, int]:
    runs, members, outcomes = schema.runs, schema.run_members, schema.outcomes
    key = select(runs.c.pk).where(runs.c.fleet == run.fleet, runs.c.number == run.number).scalar_subquery()
    with store.database.reading() as connection:
        number = select(func.count()).select_from(members).where(members.c.run == key)
        by_state = select(outcomes.c.state, func.count()).where(outcomes.c.run == key).group_by(outcomes.c.state)
        states: dict[str, int] = {state: count for state, count in connection.execute(by_state)}  # noqa: C416 - a Result is no sequence of pairs to dict()
        counts = {"members": int(connection.execute(number).scalar_one()), "items": sum(states.values())}
    return counts | {state.value.replace("-", "_"): states.get(state.value, 0) for state in ItemState}


def _images(store: SqlFleetStore, run: Run) -> Iterator[dict[str, Any]]:
    """A row for each member. What became of their items is looked up for each part."""
    names = tuple(TABLES["images"])
    for part in chunks(store.members(run), _MEMBERS_AT_ONCE):
        keys = {(member.digest, member.policy) for member in part if member.digest is not None}
        with store.database.reading() as connection:
            known = _known(connection, run, sorted({digest for digest, _ in keys}))
        rows = []
        for member in part:
            about = known.get((member.digest, member.policy), {})
            if member.digest is None:
                about = {"state": ItemState.NOT_DETERMINED.value, "reason": member.reason}
            own = {
                "fleet": run.fleet,
                "run": run.number,
                "group": member.group,
                "owner": member.owner,
                "reference": member.reference,
                "origin": member.origin,
                "digest": member.digest,
                "policy": member.policy,
            }
            rows.append({**about, **own, "platform": about.get("platform") or member.platform})
        yield {name: [row.get(name) for row in rows] for name in names}


def _known(connection: Connection, run: Run, digests: Sequence[str]) -> dict[tuple[str | None, str], dict[str, Any]]:
    """By digest and policy: what became of an item of the run."""
    runs, outcomes, items = schema.runs, schema.outcomes, schema.items
    assessments, contexts = schema.assessments, schema.contexts
    known: dict[tuple[str | None, str], dict[str, Any]] = {}
    keys: dict[int, list[tuple[str, str]]] = {}
    for part in chunks(digests):
        query = (
            select(
                items.c.digest,
                items.c.policy,
                *(outcomes.c[name] for name in ("state", "code", "reason")),
                *(outcomes.c[name] for name in ("attempts", "wall_seconds", "cpu_seconds", "peak_bytes")),
                assessments.c.pk.label("key"),
                assessments.c.id.label("assessment"),
                *(assessments.c[name] for name in ("outcome", "worst", "assessed_at")),
                *(contexts.c[name] for name in ("platform", "distribution", "user", "profile", "tool")),
            )
            .join(runs, runs.c.pk == outcomes.c.run)
            .join(items, items.c.pk == outcomes.c.item)
            .outerjoin(assessments, assessments.c.pk == outcomes.c.assessment)
            .outerjoin(contexts, contexts.c.pk == assessments.c.context)
            .where(runs.c.fleet == run.fleet, runs.c.number == run.number, items.c.digest.in_(part))
        )
        for row in connection.execute(query):
            values = row._asdict()
            known[row.digest, row.policy] = values
            if row.key is not None:
                keys.setdefault(row.key, []).append((row.digest, row.policy))
    for some in chunks(sorted(keys)):
        for key, counted in _sizes(connection, some).items():
            for item in keys[key]:
                known[item] |= counted
    return known


def _sizes(connection: Connection, keys: Sequence[int]) -> dict[int, dict[str, Any]]:
    """How many layers, packages and findings an assessment has, and its lowest layer."""
    sizes: dict[int, dict[str, Any]] = {key: {"layers": 0, "packages": 0, "findings": 0} for key in keys}
    listed, layers = schema.assessment_lists, _KINDS["layers"]
    for name in ("layers", "packages", "findings"):
        entries = _KINDS[name].entries
        query = (
            select(listed.c.assessment, func.count())
            .join(entries, entries.c.list == listed.c.list)
            .where(listed.c.assessment.in_(keys))
            .group_by(listed.c.assessment)
        )
        for key, count in connection.execute(query):
            sizes[key][name] = count
    lowest = (
        select(listed.c.assessment, layers.rows.c.diff_id)
        .join(layers.entries, layers.entries.c.list == listed.c.list)
        .join(layers.rows, layers.rows.c.pk == layers.entries.c.row)
        .where(listed.c.assessment.in_(keys), layers.entries.c.position == 0)
    )
    for key, diff_id in connection.execute(lowest):
        sizes[key]["base"] = diff_id
    return sizes


def _rows(store: SqlFleetStore, run: Run, kind: schema.Kind, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The rows of one kind, for each item of the run that has an assessment."""
    runs, outcomes, items, assessments = schema.runs, schema.outcomes, schema.items, schema.assessments
    query = (
        select(
            assessments.c.pk,
            assessments.c.id.label("assessment"),
            assessments.c.observations,
            *(items.c[name] for name in ("digest", "policy", "reference")),
        )
        .join(outcomes, outcomes.c.assessment == assessments.c.pk)
        .join(items, items.c.pk == outcomes.c.item)
        .join(runs, runs.c.pk == outcomes.c.run)
        .where(runs.c.fleet == run.fleet, runs.c.number == run.number)
        .order_by(items.c.digest, items.c.policy, items.c.reference)
    )
    for part in chunks(store.database.rows(query), IMAGES_AT_ONCE):
        with store.database.reading() as connection:
            columns = _Part(connection, part).columns(kind, names)
        length = len(columns["assessment"].places)
        yield {"fleet": _Taken([run.fleet], _zeros(length)), "run": _Taken([run.number], _zeros(length)), **columns}


class _Part:
    """Some assessments of a run, in their order."""

    def __init__(self, connection: Connection, rows: Sequence[Any]) -> None:
        self._connection = connection
        self._rows = rows
        self._keys = sorted({row.pk for row in rows})

    def columns(self, kind: schema.Kind, names: Sequence[str]) -> dict[str, Any]:
        """The columns of `kind`, without those of the run."""
        lists = self._lists(kind)
        entries = self._entries(kind, {key for some in lists.values() for key, _ in some})
        owners, rows, layers, positions = array("q"), array("q"), array("q"), array("q")
        layer_names: dict[str | None, int] = {}
        for owner, assessed in enumerate(self._rows):
            for key, layer in lists.get(assessed.pk, ()):
                some = entries[key]
                owners.extend([owner] * len(some))
                rows.extend(some)
                layers.extend([layer_names.setdefault(layer, len(layer_names))] * len(some))
                positions.extend(range(len(some)))
        columns: dict[str, Any] = {
            name: _Taken([getattr(row, name) for row in self._rows], owners)
            for name in ("digest", "policy", "reference", "assessment")
        }
        columns["position"] = positions
        columns["layer"] = _Taken(list(layer_names), layers)
        own = self._own(kind, entries, rows, [name for name in names if name in kind.fields or name == "layer"])
        if kind.name == "checks":
            columns["observations"] = self._observations()
        if kind.name == "findings" and any(name in names for name in _JOINED):
            columns |= self._of_checks(owners, own["check"])
        return columns | own

    def _lists(self, kind: schema.Kind) -> dict[int, list[tuple[int, str | None]]]:
        """By assessment: its lists of this kind and their layers, without layer first."""
        listed, lists = schema.assessment_lists, schema.lists
        found: dict[int, list[tuple[int, str | None]]] = {}
        query = (
            select(listed.c.assessment, lists.c.pk, lists.c.layer)
            .join(lists, lists.c.pk == listed.c.list)
            .where(listed.c.assessment.in_(self._keys), lists.c.kind == kind.name)
            .order_by(listed.c.assessment, lists.c.layer.nulls_first())
        )
        for assessment, key, layer in self._connection.execute(query):
            found.setdefault(assessment, []).append((key, layer))
        return found

    def _entries(self, kind: schema.Kind, lists: Iterable[int]) -> dict[int, array[int]]:
        """By list: the keys of its rows in their order."""
        found: dict[int, array[int]] = {key: array("q") for key in lists}
        entries = kind.entries.c
        for part in chunks(sorted(found)):
            query = select(entries.list, entries.row).where(entries.list.in_(part))
            for key, row in self._plain(query.order_by(entries.list, entries.position)):
                found[key].append(row)
        return found

    def _own(self, kind: schema.Kind, lists: Iterable[int], rows: array[int], names: Sequence[str]) -> dict[str, Any]:
        """The columns that the kind's dictionary has. A layer's own digest is called `layer`."""
        fields = {name: "digest" if kind.name == "layers" and name == "layer" else name for name in names}
        if kind.by_layer:
            fields.pop("layer", None)
        fields = {name: field for name, field in fields.items() if name not in ITEM}
        if kind.name == "findings":
            fields["check"] = "check"
        keys, columns = self._dictionary(kind, lists, tuple(fields.values()))
        place = {key: number for number, key in enumerate(keys)}
        places = array("q", map(place.__getitem__, rows))
        return {name: _Taken(column, places) for name, column in zip(fields, columns, strict=True)}

    def _dictionary(
        self, kind: schema.Kind, lists: Iterable[int], fields: Sequence[str]
    ) -> tuple[Sequence[int], Sequence[Sequence[Any]]]:
        """The rows that some lists have: their keys, and their columns. One may come twice."""
        own, entries = kind.rows.c, kind.entries.c
        found: list[Any] = []
        for part in chunks(sorted(lists)):
            listed = select(entries.row).where(entries.list.in_(part))
            query = select(own.pk, *(own[name] for name in fields)).where(own.pk.in_(listed))
            found.extend(self._plain(query))
        keys, *columns = zip(*found, strict=True) if found else [()] * (1 + len(fields))
        return keys, columns

    def _plain(self, query: Select[Any]) -> Sequence[Any]:
        """The rows as the driver gives them: a third of the time of SQLAlchemy's, of which nothing is needed here."""
        rows: Sequence[Any] = self._connection.execute(query).cursor.fetchall()
        return rows

    def _observations(self) -> list[int]:
        return [count for row in self._rows for count in counts_of(row.observations)]

    def _of_checks(self, owners: array[int], check: _Taken) -> dict[str, Any]:
        """What the check of each finding says of it: the row of the same image and check."""
        checks = _KINDS["checks"]
        lists = self._lists(checks)
        entries = self._entries(checks, {key for some in lists.values() for key, _ in some})
        fields = ("check", *_JOINED)
        keys, columns = self._dictionary(checks, entries, fields)
        place = {key: number for number, key in enumerate(keys, start=1)}  # 0 is for a finding whose check is not there
        by_list = {key: {columns[0][place[row] - 1]: place[row] for row in some} for key, some in entries.items()}
        of_owner = [
            {name: number for key, _ in lists.get(row.pk, ()) for name, number in by_list[key].items()}
            for row in self._rows
        ]
        names = check.values
        places = array(
            "q", [of_owner[owner].get(names[place], 0) for owner, place in zip(owners, check.places, strict=True)]
        )
        return {
            name: _Taken((None, *column), places)
            for name, column in zip(fields, columns, strict=True)
            if name != "check"
        }


def _zeros(length: int) -> array[int]:
    return array("q", bytes(8 * length))
