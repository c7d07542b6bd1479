"""The tables of a fleet as pandas frames, for notebooks: from a store, or from the folder of its Parquet export.

Nothing is read before it is asked for, and only the runs and columns asked for. The dtypes do not depend on where the
rows come from, nor on which there are: see `TABLES` in fleet_tables.py and the page on fleets in the docs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from compliance.errors import StoreError, UsageError
from compliance.model.fleet import FleetStore, Run, RunState
from compliance.store.table_columns import CATEGORY, COUNT, TABLES

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

TableName = Literal["runs", "images", "checks", "findings", "packages", "controls", "waivers", "layers"]
RunChoice = int | Literal["latest", "all"] | None

SEVERITIES = ("low", "medium", "high", "critical")
"""The order of the categories of `severity` and `worst`: they compare."""

_ORDERED = ("severity", "worst")
_MISSING = {"pandas": "notebook", "pyarrow": "fleet", "sqlalchemy": "fleet"}


class _Reader(Protocol):
    def runs(self) -> list[tuple[str, int, bool]]: ...

    def table(self, name: str, chosen: list[tuple[str, int]], columns: Sequence[str] | None) -> pa.Table: ...


def frame(
    store: FleetStore | str | os.PathLike[str],
    table: TableName,
    *,
    run: RunChoice = None,
    fleet: str | None = None,
    columns: Sequence[str] | None = None,
) -> pd.DataFrame:
    """One table of a store, or of a Parquet export's folder, as a frame.

    `run` is a number, ``"latest"`` (the newest that ended, of each fleet) or ``"all"`` (all that ended); None is
    ``"latest"``, but for the table `runs`, where it is all, open ones too. `fleet` chooses one fleet of several.
    Raises UsageError for a table, column or run that there is not, StoreError.
    """
    for library, extra in _MISSING.items():
        if find_spec(library) is None:
            raise StoreError(f"frames need {library}", code="extra-missing", hint=f"install hullmark[{extra}]")
    if table not in TABLES:
        raise UsageError(f"no table {table!r}", code="table-unknown", hint=f"one of {', '.join(TABLES)}")
    for name in columns or ():
        if name not in TABLES[table]:
            raise UsageError(f"table {table} has no column {name!r}", code="column-unknown")
    reader = _reader(store)
    chosen = _chosen(reader.runs(), table, run, fleet)
    return _frame(reader.table(table, chosen, columns), TABLES[table], columns)


def _chosen(runs: list[tuple[str, int, bool]], table: str, run: RunChoice, fleet: str | None) -> list[tuple[str, int]]:
    """Fleet and number of the runs asked for."""
    some = [each for each in runs if fleet is None or each[0] == fleet]
    if fleet is not None and not some:
        raise UsageError("there is no run of this fleet", code="fleet-unknown", where=fleet)
    if run is None and table == "runs":
        return [(name, number) for name, number, _ in some]
    if isinstance(run, int):
        found = [(name, number) for name, number, _ in some if number == run]
        if not found:
            raise UsageError(f"there is no run {run}", code="run-missing")
        return found
    if run not in (None, "latest", "all"):
        raise UsageError(f"no runs are called {run!r}", code="run-missing", hint="a number, latest, or all")
    ended = [(name, number) for name, number, over in some if over]
    return ended if run == "all" else list({name: (name, number) for name, number in ended}.values())


def _frame(table: pa.Table, kinds: Mapping[str, str], columns: Sequence[str] | None) -> pd.DataFrame:
    """Each column by its kind, so that no dtype depends on what rows there are."""
    import pandas as pd
    import pyarrow as pa

    whole = {pa.int64(): pd.Int64Dtype()}
    series = {}
    for name in columns or table.column_names:
        if kinds[name] == CATEGORY:
            series[name] = pd.Series(_categories(name, table.column(name)))
        elif kinds[name] == COUNT:
            series[name] = table.column(name).to_pandas(types_mapper=whole.get)
        else:
            series[name] = table.column(name).to_pandas()
    return pd.DataFrame(series)


def _categories(name: str, column: pa.ChunkedArray) -> pd.Categorical:
    """Sorted; severities in their own order. Only what comes is a category."""
    import pandas as pd

    found = column.unify_dictionaries().to_pandas().cat.remove_unused_categories()
    known = set(found.cat.categories)
    ordered = name in _ORDERED and known <= set(SEVERITIES)
    wanted = pd.Index(SEVERITIES if ordered else sorted(known), dtype="str")
    return pd.Categorical(found, categories=wanted, ordered=ordered)


def _reader(store: FleetStore | str | os.PathLike[str]) -> _Reader:
    from compliance.store.sql_store import SqlFleetStore

    if isinstance(store, SqlFleetStore):
        return _Stored(store)
    if isinstance(store, str | os.PathLike):
        folder = Path(store)
        if folder.is_dir():
            return _Exported(folder)
        raise StoreError("no folder of a Parquet export", code="store-missing", where=str(folder))
    raise TypeError("a store that open_fleet_store gave, or the folder of a Parquet export")


class _Stored:
    """The tables of a store's database."""

    def __init__(self, store: object) -> None:
        from compliance.store.sql_store import SqlFleetStore

        if not isinstance(store, SqlFleetStore):
            raise TypeError("not a store")
        self._store = store
        self._runs = {(run.fleet, run.number): run for run in store.runs()}

    def runs(self) -> list[tuple[str, int, bool]]:
        """Fleet, number, and whether it ended; in this order."""
        return [(*key, self._runs[key].state is RunState.ENDED) for key in sorted(self._runs)]

    def table(self, name: str, chosen: list[tuple[str, int]], columns: Sequence[str] | None) -> pa.Table:
        """Some runs of one table."""
        import pyarrow as pa

        from compliance.store.fleet_tables import arrow_schema, batches

        runs: Iterator[Run] = (self._runs[each] for each in chosen)
        return pa.Table.from_batches(batches(self._store, name, runs, columns), arrow_schema(name, columns))


class _Exported:
    """The tables of a Parquet export."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def runs(self) -> list[tuple[str, int, bool]]:
        """Fleet, number, and whether it ended; in this order."""
        table = self._read("runs", ["fleet", "run", "state"], None)
        rows = zip(*(table.column(name).to_pylist() for name in ("fleet", "run", "state")), strict=True)
        return sorted((fleet, number, state == RunState.ENDED.value) for fleet, number, state in rows)

    def table(self, name: str, chosen: list[tuple[str, int]], columns: Sequence[str] | None) -> pa.Table:
        """Some runs of one table. Parts of the file that hold none of them are not read."""
        import pyarrow.compute as pc

        wanted = None
        if sorted(chosen) != [(fleet, number) for fleet, number, _ in self.runs()]:
            wanted = pc.scalar(False)
            for fleet in dict.fromkeys(fleet for fleet, _ in chosen):
                numbers = [number for each, number in chosen if each == fleet]
                wanted |= (pc.field("fleet") == fleet) & pc.field("run").isin(numbers)
        return self._read(name, columns, wanted)

    def _read(self, name: str, columns: Sequence[str] | None, wanted: object) -> pa.Table:
        import pyarrow as pa
        import pyarrow.parquet as pq

        from compliance.store.fleet_tables import arrow_schema

        file = self._folder / f"{name}.parquet"
        own = None if columns is None else [each for each in TABLES[name] if each in columns]
        try:
            table = pq.read_table(file, columns=own, filters=wanted)
            return table.cast(arrow_schema(name, columns))
        except FileNotFoundError:
            raise StoreError("the Parquet export lacks a table", code="store-missing", where=str(file)) from None
        except (pa.ArrowException, OSError, KeyError) as error:
            said = next(iter(str(error).splitlines()), "")
            raise StoreError(f"not a table of a fleet: {said}", code="export-invalid", where=str(file)) from None
