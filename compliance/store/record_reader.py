"""Reads assessments back from their lists: what many of them share is read once, and is one value in all of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from operator import itemgetter
from typing import Any, cast

from sqlalchemy import Connection, select

from compliance.model.fleet import AssessmentRecord, CheckRow, LayerRow
from compliance.store.assessment_record import order_of
from compliance.store.row_lists import chunks
from compliance.store.schema import KINDS, Kind, assessment_lists, damaged, lists

_KEPT_ROWS = 200_000

Rows = tuple[Any, ...]


class RecordReader:
    """Makes records out of rows of the table ``assessments``, with the rows of some kinds and none of the others.

    What records have in common is mostly one tuple in all of them: who counts over many may look at each tuple once.
    """

    def __init__(self, connection: Connection, kinds: Collection[str], own: Sequence[str]) -> None:
        """`own` are the fields of a record that those rows have themselves."""
        self._connection = connection
        self._kinds = tuple(kind for kind in KINDS if kind.name in kinds)
        self._nothing: dict[str, Any] = {kind.name: () for kind in KINDS}
        self._own = own
        self._kept = _Kept()

    def records(self, rows: Sequence[Any]) -> Iterator[AssessmentRecord]:
        """The records in the order of `rows`."""
        keys = self._list_keys([row.pk for row in rows])
        read = {
            kind.name: self._lists(kind, sorted({key for some in keys.values() for key in some[kind.name]}))
            for kind in self._kinds
        }
        for row in rows:
            values = self._nothing | {name: getattr(row, name) for name in self._own}
            for kind in self._kinds:
                some = keys[row.pk][kind.name]
                found = self._joined(kind, some, [read[kind.name][key] for key in some])
                values[kind.name] = self._counted(some, found, row.observations) if kind.name == "checks" else found
            yield AssessmentRecord(**values)

    def _list_keys(self, assessments: Sequence[int]) -> dict[int, dict[str, list[int]]]:
        """By assessment and kind: the keys of its lists."""
        names = [kind.name for kind in self._kinds]
        found: dict[int, dict[str, list[int]]] = {key: {name: [] for name in names} for key in assessments}
        query = (
            select(assessment_lists.c.assessment, lists.c.kind, lists.c.pk)
            .join(lists, lists.c.pk == assessment_lists.c.list)
            .where(assessment_lists.c.assessment.in_(assessments), lists.c.kind.in_(names))
            .order_by(assessment_lists.c.assessment, lists.c.layer.nulls_first(), lists.c.pk)
        )
        for assessment, kind, key in self._connection.execute(query) if names else ():
            found[assessment][kind].append(key)
        return found

    def _lists(self, kind: Kind, keys: Sequence[int]) -> dict[int, Rows]:
        """The rows of each of these lists."""
        found = {key: rows for key in keys if (rows := self._kept.get(key)) is not None}
        for part in chunks(key for key in keys if key not in found):
            for key, rows in self._read(kind, part).items():
                found[key] = self._kept.put(key, rows)
        return found

    def _read(self, kind: Kind, keys: Sequence[int]) -> dict[int, Rows]:
        entries, rows, made = kind.entries, kind.rows, _maker(kind)
        query = (
            select(entries.c.list, lists.c.layer, entries.c.position, *(rows.c[name] for name in kind.fields))
            .join(rows, rows.c.pk == entries.c.row)
            .join(lists, lists.c.pk == entries.c.list)
            .where(entries.c.list.in_(keys))
            .order_by(entries.c.list, entries.c.position)
        )
        read: dict[int, list[Any]] = {key: [] for key in keys}
        for key, layer, position, *values in self._connection.execute(query):
            read[key].append(made(layer, position, values))
        return {key: tuple(some) for key, some in read.items()}

    def _joined(self, kind: Kind, keys: Sequence[int], found: Sequence[Rows]) -> Rows:
        """The rows of several lists as an assessment has them."""
        if len(found) < 2:
            return found[0] if found else ()
        name = (kind.name, *keys)
        joined = self._kept.get(name)
        if joined is None:
            order = chain.from_iterable(map(self._order, keys, found))
            pairs = sorted(zip(order, chain.from_iterable(found), strict=True), key=itemgetter(0))
            joined = self._kept.put(name, tuple(row for _, row in pairs))
        return joined

    def _order(self, key: int, rows: Rows) -> Rows:
        """What the rows of a list are sorted by among others."""
        name = ("order", key)
        order = self._kept.get(name)
        return self._kept.put(name, tuple(order_of(rows))) if order is None else order

    def _counted(self, keys: Sequence[int], checks: Rows, observations: str) -> Rows:
        """Checks with their numbers of observations, which each assessment has for itself."""
        name = (*keys, observations)
        counted = self._kept.get(name)
        if counted is None:
            pairs = zip(checks, counts_of(observations), strict=False)
            counted = self._kept.put(name, tuple(replace(check, observations=count) for check, count in pairs))
        return counted


def counts_of(text: str) -> list[int]:
    """How many observations each check had: ``3,0,1``."""
    try:
        return [int(count) for count in text.split(",") if count]
    except ValueError:
        raise damaged(f"{text!r:.40} where numbers should be") from None


def _maker(kind: Kind) -> Callable[[str | None, int, Sequence[Any]], Any]:
    """What makes a row of a list's layer, a position and the values of its fields."""
    names, row = kind.fields, cast("type[Any]", kind.row)
    if kind.by_layer:
        return lambda layer, _, values: row(**dict(zip(names, values, strict=True)), layer=layer)
    if row is LayerRow:
        return lambda _, position, values: row(**dict(zip(names, values, strict=True)), position=position)
    if row is CheckRow:  # its number comes from the assessment
        return lambda _, __, values: row(**dict(zip(names, values, strict=True)), observations=0)
    return lambda _, __, values: row(**dict(zip(names, values, strict=True)))


class _Kept:
    """Tuples of rows by a key, those asked for last; no more rows than a bound in all."""

    def __init__(self) -> None:
        self._found: OrderedDict[Hashable, Rows] = OrderedDict()
        self._rows = 0

    def get(self, key: Hashable) -> Rows | None:
        rows = self._found.get(key)
        if rows is not None:
            self._found.move_to_end(key)
        return rows

    def put(self, key: Hashable, rows: Rows) -> Rows:
        self._found[key] = rows
        self._rows += len(rows)
        while self._rows > _KEPT_ROWS and len(self._found) > 1:
            _, gone = self._found.popitem(last=False)
            self._rows -= len(gone)
        return rows
