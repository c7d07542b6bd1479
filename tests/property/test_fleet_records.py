"""Whatever a record says, a store gives back; and what digests cover is RFC 8785."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields, replace
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from compliance.model.fleet import (
    AssessmentRecord,
    CheckRow,
    ControlRow,
    FindingRow,
    ItemOutcome,
    ItemState,
    LayerRow,
    Member,
    PackageRow,
    WaiverRow,
)
from compliance.store.assessment_record import in_order
from compliance.store.canonical import canonical, content_of
from compliance.store.fleet_store import open_fleet_store
from compliance.store.sql_store import SqlFleetStore
from tests.builders.fleet_documents import START, hexed, item, member, new_run

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
MAYBE = st.none() | TEXTS
SIZES = st.integers(0, 2**63 - 1)
TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def _rows(row: type, **known: Any) -> st.SearchStrategy[tuple[Any, ...]]:
    kinds = {"str": TEXTS, "str | None": MAYBE, "int": SIZES, "bool": st.booleans()}
    made = st.builds(row, **{each.name: known.get(each.name, kinds[str(each.type)]) for each in fields(row)})
    return st.lists(made, max_size=4).map(tuple)


LAYERS = _rows(LayerRow).map(lambda rows: tuple(replace(row, position=place) for place, row in enumerate(rows)))
RECORDS = st.builds(
    AssessmentRecord,
    id=st.integers(0).map(hexed),
    sbom=st.integers(0).map(hexed),
    digest=st.just(item(0).digest),
    policy=st.just(item(0).policy),
    assessed_at=TIMES,
    outcome=TEXTS,
    worst=MAYBE,
    platform=MAYBE,
    config_digest=MAYBE,
    distribution=MAYBE,
    user=MAYBE,
    profile=TEXTS,
    tool=TEXTS,
    controls_digest=TEXTS,
    checks=_rows(CheckRow),
    findings=_rows(FindingRow),
    controls=_rows(ControlRow),
    packages=_rows(PackageRow),
    layers=LAYERS,
    waivers=_rows(WaiverRow),
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlFleetStore]:
    with closing(open_fleet_store(str(tmp_path_factory.mktemp("records") / "fleet.db"))) as opened:
        yield opened


@settings(max_examples=150)
@given(record=RECORDS)
def test_a_record_comes_back_equal(store: SqlFleetStore, record: AssessmentRecord) -> None:
    name = f"fleet {sum(1 for _ in store.runs())}"
    run = store.begin(new_run(fleet=name), [member(0)])
    record = replace(record, id=hexed(name, record.id))
    store.record(run, ItemOutcome(item=item(0), state=ItemState.ASSESSED, assessment=record.id), record)
    meant = in_order(record)
    assert store.assessment(record.id) == meant
    assert list(store.assessments(run)) == [replace(meant, packages=())]
    assert set(meant.findings) == set(record.findings)
    assert in_order(meant) == meant


MEMBERS = st.builds(
    Member,
    group=TEXTS,
    owner=TEXTS,
    reference=TEXTS,
    origin=TEXTS,
    policy=TEXTS,
    platform=MAYBE,
    digest=MAYBE,
    reason=MAYBE,
)


@settings(max_examples=50)
@given(members=st.lists(MEMBERS, max_size=8))
def test_a_population_comes_back_whole(store: SqlFleetStore, members: list[Member]) -> None:
    run = store.begin(new_run(fleet=f"fleet {sum(1 for _ in store.runs())}"), members)
    kept = list(store.members(run))
    assert set(kept) == set(members)
    assert len(kept) == len(set(members))
    order = ("group", "reference", "origin", "owner", "policy", "platform", "digest", "reason")
    assert kept == sorted(kept, key=lambda one: [(text is not None, text or "") for text in attrgetter(*order)(one)])


JSON = st.none() | st.booleans() | TEXTS | st.integers(-(2**53) + 1, 2**53 - 1) | st.lists(TEXTS)
KEYS = st.text(st.characters(codec="ascii", exclude_characters="\x00"), max_size=5)


@given(st.dictionaries(KEYS, JSON))
def test_canonical_lines_are_those_of_rfc_8785(value: dict[str, Any]) -> None:
    assert canonical(value) == rfc8785.dumps(value)
    assert json.loads(canonical(value)) == value


@given(st.lists(MAYBE), st.lists(MAYBE))
def test_different_rows_have_different_contents(one: list[str | None], other: list[str | None]) -> None:
    assert (content_of("t", one) == content_of("t", other)) == (one == other)
    assert content_of("t", one) != content_of("u", one)


def test_times_are_kept_to_the_microsecond(store: SqlFleetStore) -> None:
    moment = datetime(2026, 11, 1, 3, 0, 0, 123456, tzinfo=UTC)
    begun = store.begin(new_run(fleet="times", at=moment, slot=START), [member(0)])
    assert store.open_run("times") == begun
    assert begun.started == moment
