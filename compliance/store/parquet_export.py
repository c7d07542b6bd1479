"""A fleet's tables as Parquet files: written as they stream from the database, the same rows the same bytes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from compliance.errors import StoreError
from compliance.model.fleet import Run

if TYPE_CHECKING:
    import pyarrow as pa

    from compliance.store.sql_store import SqlFleetStore

_ROW_GROUP = 131_072
"""Rows that are held in memory at most, and that a reader skips at once."""


def export(store: SqlFleetStore, folder: Path, runs: Iterable[Run]) -> dict[str, int]:
    """Write every table for these runs to ``<folder>/<table>.parquet``; the number of rows of each.

    Each file appears whole; one that was there is replaced. Raises StoreError.
    """
    try:
        import pyarrow  # noqa: F401 - asked for before anything is written

        from compliance.store.table_columns import TABLES
    except ImportError:
        raise StoreError(
            "a Parquet export needs pyarrow", code="extra-missing", hint="install hullmark[fleet]"
        ) from None
    chosen = sorted(runs, key=lambda run: (run.fleet, run.number))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return {table: _write(store, folder / f"{table}.parquet", table, chosen) for table in TABLES}
    except OSError as error:
        raise StoreError(
            f"the Parquet files can't be written: {error.strerror or error}",
            code="export-unwritable",
            where=str(folder),
        ) from None


def _write(store: SqlFleetStore, file: Path, table: str, runs: list[Run]) -> int:
    import pyarrow.parquet as pq

    from compliance.store.fleet_tables import arrow_schema, batches

    shape = arrow_schema(table)
    temporary = file.with_name(f".{file.name}.new")
    rows = 0
    try:
        with pq.ParquetWriter(temporary, shape, compression="zstd", version="2.6") as writer:
            waiting: list[pa.RecordBatch] = []
            for batch in batches(store, table, runs):
                waiting.append(batch)
                rows += batch.num_rows
                if sum(each.num_rows for each in waiting) >= _ROW_GROUP:
                    _flush(writer, waiting, shape)
            _flush(writer, waiting, shape)
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return rows


def _flush(writer: object, waiting: list[pa.RecordBatch], shape: pa.Schema) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    assert isinstance(writer, pq.ParquetWriter)  # noqa: S101 - its type is not there before pyarrow is
    if waiting:
        table = pa.Table.from_batches(waiting, shape).unify_dictionaries()
        writer.write_table(table, row_group_size=_ROW_GROUP)
        waiting.clear()
