"""One digest over everything that a store remembers: equal for equal stores, whatever the database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from compliance.store import schema
from compliance.store.canonical import (
    Tally,
    canonical,
    content_of,
    list_content,
    member_line,
    moment,
    outcome_line,
    run_line,
)
from compliance.store.record_reader import counts_of
from compliance.store.row_lists import chunks
from compliance.store.sql_store import select_records

if TYPE_CHECKING:
    from compliance.store.sql_store import SqlFleetStore

Place = tuple[int, bool, str]
"""Of a list in an assessment: by kind, then by layer, the one without a layer first."""


def store_digest(store: SqlFleetStore) -> str:
    """Hex SHA-256 over all runs, members, outcomes and assessments in a fixed order; no costs, leases or keys.

    Computed from the rows themselves, not from digests that the store keeps of them; each row and each list once,
    however many assessments share it.
    """
    tally = Tally()
    for run in sorted(store.runs(), key=lambda run: (run.fleet, run.number)):
        tally.add(run_line(run, Tally(), Tally()))
        tally.add(canonical({"state": run.state.value, "chain": run.chain}))
        for member in store.members(run):
            tally.add(member_line(member))
        for outcome in store.outcomes(run):
            tally.add(outcome_line(outcome, None))
    for line in _record_lines(store):
        tally.add(line)
    return tally.hexdigest()


def _record_lines(store: SqlFleetStore) -> Iterator[bytes]:
    """Every assessment in one line: its own fields, and the contents of its lists."""
    contents = dict(_contents(store))
    order = (schema.assessments.c.id, schema.contexts.c.policy)
    for part in chunks(store.database.rows(select_records().order_by(*order))):
        lists = _lists(store, [row.pk for row in part])
        for row in part:
            found = sorted(contents[key] for key in lists.get(row.pk, ()) if key in contents)
            yield _record_line(row, [content for _, content in found])


def _contents(store: SqlFleetStore) -> Iterator[tuple[int, tuple[Place, str]]]:
    """Of every list its place in an assessment, and its content. An empty list is none."""
    for number, kind in enumerate(schema.KINDS):
        own, lists, entries = kind.rows.c, schema.lists.c, kind.entries.c
        dictionary = store.database.rows(select(own.pk, *(own[name] for name in kind.fields)))
        rows = {key: content_of(kind.name, values) for key, *values in dictionary}
        listed = (
            select(lists.pk, lists.layer, entries.row)
            .join(kind.entries, entries.list == lists.pk)
            .where(lists.kind == kind.name)
            .order_by(lists.pk, entries.position)
        )
        for (key, layer), some in groupby(store.database.rows(listed), key=lambda row: (row.pk, row.layer)):
            content = list_content(kind.name, layer, [rows[entry.row] for entry in some if entry.row in rows])
            yield key, ((number, layer is not None, layer or ""), content.hex())


def _lists(store: SqlFleetStore, assessments: list[int]) -> Mapping[int, list[int]]:
    listed = schema.assessment_lists.c
    found: dict[int, list[int]] = {}
    for key, each in store.database.rows(
        select(listed.assessment, listed.list).where(listed.assessment.in_(assessments))
    ):
        found.setdefault(key, []).append(each)
    return found


def _record_line(row: Any, lists: list[str]) -> bytes:
    return canonical(
        {
            "id": row.id,
            "sbom": row.sbom,
            "digest": row.digest,
            "policy": row.policy,
            "assessedAt": moment(row.assessed_at),
            "outcome": row.outcome,
            "worst": row.worst,
            "platform": row.platform,
            "configDigest": row.config_digest,
            "distribution": row.distribution,
            "user": row.user,
            "profile": row.profile,
            "tool": row.tool,
            "controlsDigest": row.controls_digest,
            "observations": counts_of(row.observations),
            "lists": lists,
        }
    )
