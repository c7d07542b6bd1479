"""The memory of a fleet as pandas frames, from its database or from a Parquet export of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from compliance.errors import UsageError

if TYPE_CHECKING:
    from types import TracebackType

    from pandas import DataFrame

    from compliance.api.assessment import Assessment
    from compliance.store.frames import RunChoice, TableName
    from compliance.store.sql_store import SqlFleetStore

_OF_ITEMS = ("checks", "findings", "packages", "controls", "waivers", "layers")
_ITEM = ["fleet", "run", "digest", "policy"]
"""What one image under one policy is called in every frame: to join frames by."""
_DTYPES = {
    "category": "category",
    "string": "str",
    "time": "datetime64[us, UTC]",
    "integer": "int64",
    "count": "Int64",
    "real": "float64",
    "truth": "bool",
}


def columns_of(table: TableName) -> Mapping[str, str]:
    """The columns of a frame of a store, in their order, with their dtypes."""
    from compliance.store.table_columns import TABLES

    dtypes = {name: _DTYPES[kind] for name, kind in TABLES[table].items()}
    return {name: dtypes.get(name, "category") for name in _placed(list(dtypes))} if table in _OF_ITEMS else dtypes


def _placed(names: list[str]) -> list[str]:
    """`names` with the group before the reference, behind what tells the image."""
    rest = [name for name in names if name not in ("reference", "group")]
    at = rest.index("policy") + 1
    return [*rest[:at], "group", "reference", *rest[at:]]


class Store:
    """What a fleet's store remembers of one run: the newest that ended, unless `at` asks for another, or for all.

    `url` is an SQLAlchemy URL, the path of an SQLite file, or the folder of a Parquet export; `blobs` is where the
    documents lie, beside an SQLite file by default. Nothing is read before a frame is asked for, each frame is read
    anew, and nothing is ever written. Raises StoreError where there is no store.
    """

    def __init__(
        self, url: str | PathLike[str], blobs: str | None = None, *, run: RunChoice = "latest", fleet: str | None = None
    ) -> None:
        """`run` is a number, ``"latest"`` or ``"all"``; `fleet` chooses one of several in the same store."""
        from compliance.store.fleet_store import open_fleet_store

        exported = "://" not in fspath(url) and Path(url).is_dir()
        self._source: SqlFleetStore | Path = (
            Path(url) if exported else open_fleet_store(fspath(url), blobs, create=False)
        )
        self._run: RunChoice = run
        self._fleet = fleet

    def at(self, run: int | datetime | Literal["latest", "all"]) -> Store:
        """The same store in another run: by number, the newest that was as of a time or before it, or all of them.

        Raises UsageError where there was none at that time yet.
        """
        view = object.__new__(Store)
        view._source, view._fleet = self._source, self._fleet
        view._run = self._before(run) if isinstance(run, datetime) else run
        return view

    @property
    def runs(self) -> DataFrame:
        """One row a run, all of them, open ones too."""
        return self.frame("runs")

    @property
    def images(self) -> DataFrame:
        """One row for each reference that the fleet led to, with what became of its image."""
        return self.frame("images")

    @property
    def checks(self) -> DataFrame:
        """One row for each check of each image."""
        return self.frame("checks")

    @property
    def findings(self) -> DataFrame:
        """One row for each thing seen by a check that failed, is unknown or errored."""
        return self.frame("findings")

    @property
    def packages(self) -> DataFrame:
        """One row for each package of each image."""
        return self.frame("packages")

    @property
    def controls(self) -> DataFrame:
        """One row for each control of each image."""
        return self.frame("controls")

    @property
    def waivers(self) -> DataFrame:
        """One row for each waiver given and each image, with what became of it there."""
        return self.frame("waivers")

    @property
    def layers(self) -> DataFrame:
        """One row for each layer of each image, the lowest at position 0."""
        return self.frame("layers")

    def frame(self, table: TableName, columns: Sequence[str] | None = None) -> DataFrame:
        """A table, or some of its columns, which is faster. Raises UsageError, StoreError.

        `reference` and `group` are those of `images`: of several references to one image the first.
        """
        import reports.frame_accessor  # noqa: F401 - registers DataFrame.hullmark
        from compliance.store.frames import frame

        run = None if table == "runs" and self._run == "latest" else self._run
        if table not in _OF_ITEMS:
            return frame(self._source, table, run=run, fleet=self._fleet, columns=columns)
        wanted = None if columns is None else [name for name in columns if name not in ("reference", "group")]
        keyed = None if wanted is None else [*_ITEM, *(name for name in wanted if name not in _ITEM)]
        found = frame(self._source, table, run=run, fleet=self._fleet, columns=keyed)
        named = self._named(found)
        return named if columns is None else named[list(columns)]

    def assessment(self, identifier: str) -> Assessment:
        """One assessment whole, out of the store's documents: `identifier` is the column `assessment`.

        Raises StoreError where it is not there or was changed, UsageError for an export, which has no documents.
        """
        from compliance.api.assessment import Assessment

        if isinstance(self._source, Path):
            raise UsageError("a Parquet export holds no documents", code="usage", hint="open the store itself")
        record = self._source.assessment(identifier)
        return Assessment(self._source.blob(record.id), self._source.blob(record.sbom))

    def close(self) -> None:
        """Let go of the database, for all that `at` gave too."""
        if not isinstance(self._source, Path):
            self._source.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Store, run {self._run}>"

    def _repr_html_(self) -> str:
        from reports import notebook

        runs = self.runs
        ended = runs[runs["state"] == "ended"]
        newest = ended.loc[ended.groupby("fleet", observed=True)["run"].idxmax()] if len(ended) else ended
        facts = [
            (row.fleet, f"run {row.run} of {row.run}, as of {row.effective:%Y-%m-%d %H:%M} UTC: {row.items} images")
            for row in newest.itertuples()
        ]
        return notebook.frames(f"Fleet store, at run: {self._run}", facts)

    def _before(self, moment: datetime) -> int:
        runs = self.runs
        then = runs[(runs["state"] == "ended") & (runs["effective"] <= moment)]
        if then.empty:
            raise UsageError(f"no run had ended as of {moment.isoformat()}", code="run-missing")
        return int(then.sort_values("effective", kind="stable")["run"].iloc[-1])

    def _named(self, found: DataFrame) -> DataFrame:
        """`found` with its images' references as the fleet names them, and the groups that they are in."""
        images = self.frame("images", columns=[*_ITEM, "reference", "group"])
        names = images.dropna(subset=["digest"]).drop_duplicates(_ITEM).set_index(_ITEM)
        keys = found[_ITEM].drop_duplicates()
        known = keys.join(names, on=_ITEM)
        place = found.groupby(_ITEM, observed=True, sort=False).ngroup()
        for name in ("reference", "group"):
            found[name] = known[name].take(place.to_numpy()).array
        return found[_placed(list(found.columns))]
