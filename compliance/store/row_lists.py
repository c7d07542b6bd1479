"""What assessments share: rows that are kept once, and lists of them that are kept once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from operator import attrgetter
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, select
from sqlalchemy.dialects import postgresql, sqlite

from compliance.model.fleet import AssessmentRecord
from compliance.store.canonical import Value, content_of, list_content
from compliance.store.schema import KINDS, Kind, fields_of, lists

AT_ONCE = 1000
"""Rows asked for in one statement; far below what either database takes."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RowList:
    """A list before it has a key: the values of its rows, and their contents."""

    kind: Kind
    layer: str | None
    rows: tuple[tuple[Value, ...], ...]
    contents: tuple[bytes, ...]
    content: bytes


def lists_of(record: AssessmentRecord) -> tuple[RowList, ...]:
    """The lists that an assessment consists of. An empty list is none."""
    return tuple(each for kind in KINDS for each in _lists_of_kind(kind, getattr(record, kind.name)))


def _lists_of_kind(kind: Kind, rows: Sequence[Any]) -> Iterator[RowList]:
    if not kind.by_layer:
        if rows:
            yield _row_list(kind, None, rows)
        return
    by_layer = sorted(rows, key=lambda row: (row.layer is not None, row.layer or ""))  # stable: their order stays
    for layer, some in groupby(by_layer, key=lambda row: row.layer):
        yield _row_list(kind, layer, list(some))


def _row_list(kind: Kind, layer: str | None, rows: Iterable[Any]) -> RowList:
    values = tuple(map(attrgetter(*kind.fields), rows))
    contents = tuple(content_of(kind.name, each) for each in values)
    return RowList(kind, layer, values, contents, list_content(kind.name, layer, contents))


def keep_lists(connection: Connection, wanted: Sequence[RowList]) -> list[int]:
    """The keys of these lists, which are written where they are new."""
    known = _keys(connection, lists, [each.content for each in wanted])
    new = {each.content: each for each in wanted if each.content not in known}
    if new:
        for kind in KINDS:
            _keep_entries_rows(connection, kind, [each for each in new.values() if each.kind is kind])
        values = {each.content: (each.kind.name, each.layer) for each in new.values()}
        known |= _keep(connection, lists, values)
        _write_entries(connection, new.values(), known)
    return [known[each.content] for each in wanted]


def keep_rows(connection: Connection, table: Table, rows: Iterable[tuple[Value, ...]]) -> dict[tuple[Value, ...], int]:
    """The key of each of these rows of a dictionary; those that are new are written."""
    contents = {row: content_of(table.name, row) for row in rows}
    known = _keys(connection, table, list(contents.values()))
    new = {content: row for row, content in contents.items() if content not in known}
    known |= _keep(connection, table, new)
    return {row: known[content] for row, content in contents.items()}


def insert_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
    """Write the rows that are not there yet, in this order: two writers that go the same way do not lock each other."""
    if rows:
        family = sqlite if connection.dialect.name == "sqlite" else postgresql
        connection.execute(family.insert(table).on_conflict_do_nothing(), rows)


def chunks(values: Iterable[T], size: int = AT_ONCE) -> Iterator[list[T]]:
    """`values` in parts."""
    waiting = iter(values)
    while part := list(islice(waiting, size)):
        yield part


def _keep_entries_rows(connection: Connection, kind: Kind, new: Sequence[RowList]) -> None:
    rows = {content: row for each in new for content, row in zip(each.contents, each.rows, strict=True)}
    known = _keys(connection, kind.rows, list(rows))
    _keep(connection, kind.rows, {content: row for content, row in rows.items() if content not in known})


def _keep(connection: Connection, table: Table, new: Mapping[bytes, tuple[Value, ...]]) -> dict[bytes, int]:
    if not new:
        return {}
    fields = fields_of(table)
    rows = [{"content": content, **dict(zip(fields, new[content], strict=True))} for content in sorted(new)]
    insert_new(connection, table, rows)
    return _keys(connection, table, list(new))


def _write_entries(connection: Connection, new: Iterable[RowList], list_keys: dict[bytes, int]) -> None:
    """A list that another writer made meanwhile has its entries: they are passed over."""
    for each in sorted(new, key=lambda each: list_keys[each.content]):
        keys = _keys(connection, each.kind.rows, list(set(each.contents)))
        key = list_keys[each.content]
        entries = [
            {"list": key, "position": position, "row": keys[content]} for position, content in enumerate(each.contents)
        ]
        insert_new(connection, each.kind.entries, entries)


def _keys(connection: Connection, table: Table, contents: Sequence[bytes]) -> dict[bytes, int]:
    known: dict[bytes, int] = {}
    for part in chunks(contents):
        query = select(table.c.content, table.c.pk).where(table.c.content.in_(part))
        known.update((bytes(content), key) for content, key in connection.execute(query))
    return known
