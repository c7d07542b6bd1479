"""What a store promises, on either database."""

# ruff: noqa: S608 - SQL of the tests' own making

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from compliance.errors import StoreError
from compliance.model.fleet import ROW_KINDS, Item, ItemOutcome, ItemState, RunState
from compliance.store.assessment_record import in_order, record_of
from compliance.store.fleet_store import open_fleet_store
from compliance.store.sql_store import SqlFleetStore
from tests.builders.fleet_documents import (
    COST,
    FLEET,
    POLICY,
    START,
    assess,
    documents,
    fill,
    give_up,
    image_digest,
    item,
    member,
    new_run,
    two_runs,
    unresolved,
)

HOUR = timedelta(hours=1)


def refused(code: str, action: Callable[[], object]) -> StoreError:
    with pytest.raises(StoreError) as caught:
        action()
    assert caught.value.code == code
    assert "\n" not in str(caught.value)
    return caught.value


def test_runs_are_numbered_from_one_within_their_fleet(store: SqlFleetStore) -> None:
    first, second = two_runs(store)
    other = store.begin(new_run(fleet="another"), [unresolved(1)])
    assert (first.number, second.number, other.number) == (1, 2, 1)
    assert [run.number for run in store.runs(FLEET)] == [1, 2]
    assert {run.fleet for run in store.runs()} == {FLEET, "another"}


def test_a_run_comes_back_as_it_was_ended(store: SqlFleetStore) -> None:
    ended = two_runs(store)
    assert tuple(store.runs(FLEET)) == ended
    assert all(run.state is RunState.ENDED for run in ended)


def test_each_run_names_the_chain_of_the_one_before_it(store: SqlFleetStore) -> None:
    first, second = two_runs(store)
    assert first.previous is None
    assert second.previous == first.chain
    assert store.head(FLEET) == second.chain
    assert store.head("another") is None


def test_members_come_back_in_the_order_of_group_reference_and_origin(store: SqlFleetStore) -> None:
    given = [unresolved(9), member(11), member(2), member(1, group="core"), member(1), member(1)]
    run = store.begin(new_run(), given)
    expected = sorted(set(given), key=lambda each: (each.group, each.reference, each.origin))
    assert list(store.members(run)) == expected


def test_outcomes_come_back_in_the_order_of_digest_with_their_costs(store: SqlFleetStore) -> None:
    _, run = two_runs(store)
    outcomes = list(store.outcomes(run))
    assert [one.item.digest for one in outcomes] == sorted(map(image_digest, (0, 2, 3)))
    by_digest = {one.item.digest: one for one in outcomes}
    assert by_digest[image_digest(0)].state is ItemState.REUSED
    assert by_digest[image_digest(0)].cost is None
    assert by_digest[image_digest(2)].cost == COST
    assert by_digest[image_digest(3)].code == "timed-out"
    assert by_digest[image_digest(3)].assessment is None


def test_an_assessment_comes_back_equal(store: SqlFleetStore) -> None:
    fill(store)
    for number in (0, 1, 2):
        record = record_of(*documents(number), policy=POLICY)
        assert record.findings
        assert record.waivers
        assert store.assessment(record.id) == record == in_order(record)


def test_a_runs_assessments_have_the_kinds_of_rows_that_are_asked_for(store: SqlFleetStore) -> None:
    _, run = two_runs(store)
    whole = list(store.assessments(run, kinds=ROW_KINDS))
    assert [record.id for record in whole] == sorted(record.id for record in whole)
    assert {record.digest for record in whole} == {image_digest(0), image_digest(2)}
    assert all(record.packages for record in whole)
    assert list(store.assessments(run)) == [replace(record, packages=()) for record in whole]
    for kind in ROW_KINDS:
        nothing: dict[str, Any] = {other: () for other in ROW_KINDS if other != kind}
        assert list(store.assessments(run, kinds=[kind])) == [replace(record, **nothing) for record in whole]
    bare: dict[str, Any] = dict.fromkeys(ROW_KINDS, ())
    assert list(store.assessments(run, kinds=())) == [replace(record, **bare) for record in whole]


def test_rows_that_assessments_share_are_one_value_in_them(store: SqlFleetStore) -> None:
    run = store.begin(new_run(), map(member, range(8)))
    for number in range(8):
        assess(store, run, number)
    records = list(store.assessments(run))
    for kind in ("checks", "controls"):
        found = [getattr(record, kind) for record in records]
        assert len({id(rows) for rows in found}) == len(set(found)) < len(records)


def test_what_images_share_is_kept_once(store: SqlFleetStore) -> None:
    fill(store, images=range(4))
    before = store.sizes()
    run = store.begin(new_run(at=START + HOUR), map(member, range(4, 24)))
    for number in range(4, 24):
        assess(store, run, number)
    after = store.sizes()
    assert after["assessments"] - before["assessments"] == 20
    for shared in ("checks", "controls", "waivers", "contexts"):
        assert after[shared] == before[shared]
    assert after["packages"] - before["packages"] == 20  # one of its own each
    assert after["findings"] - before["findings"] == 20 * 5


def test_a_fleet_has_one_open_run(store: SqlFleetStore) -> None:
    open_run = store.begin(new_run(), [member(0)])
    assert store.open_run(FLEET) == open_run
    refused("run-open", lambda: store.begin(new_run(at=START + HOUR), [member(0)]))
    assess(store, open_run, 0)
    store.end(open_run, START + HOUR)
    assert store.open_run(FLEET) is None


def test_a_slot_is_taken_once_even_after_its_run_ended(store: SqlFleetStore) -> None:
    run = store.begin(new_run(slot=START), [unresolved(1)])
    refused("run-taken", lambda: store.begin(new_run(slot=START), [unresolved(1)]))
    store.end(run, START + HOUR)
    refused("run-taken", lambda: store.begin(new_run(slot=START), [unresolved(1)]))
    assert store.begin(new_run(slot=START + HOUR), [unresolved(1)]).number == 2


def test_a_run_that_was_refused_left_nothing_behind(store: SqlFleetStore) -> None:
    store.begin(new_run(), [member(0)])
    before = store.sizes()
    refused("run-open", lambda: store.begin(new_run(), [member(5)]))
    assert store.sizes() == before


def test_recording_the_same_outcome_twice_changes_nothing(store: SqlFleetStore) -> None:
    run = store.begin(new_run(), [member(0)])
    assess(store, run, 0)
    before = store.digest(), store.sizes()
    assess(store, run, 0)
    give_up(store, run, 0)
    assert (store.digest(), store.sizes()) == before


def test_an_outcome_of_an_item_that_no_member_leads_to_is_refused(store: SqlFleetStore) -> None:
    run = store.begin(new_run(), [member(0)])
    refused("outcome-foreign", lambda: assess(store, run, 1))


def test_a_run_ends_only_when_every_item_has_its_outcome(store: SqlFleetStore) -> None:
    run = store.begin(new_run(), [member(0), member(1), member(1, group="core"), unresolved(9)])
    assess(store, run, 0)
    assert "1 of the run's items" in str(refused("run-incomplete", lambda: store.end(run, START + HOUR)))
    give_up(store, run, 1)
    assert store.end(run, START + HOUR).state is RunState.ENDED


def test_ending_a_run_once_more_gives_the_same_run_and_at_another_time_is_refused(store: SqlFleetStore) -> None:
    run = store.begin(new_run(), [unresolved(1)])
    ended = store.end(run, START + HOUR)
    assert store.end(run, START + HOUR) == ended
    refused("run-ended", lambda: store.end(run, START + 2 * HOUR))


def test_nothing_is_recorded_in_a_run_that_ended(store: SqlFleetStore) -> None:
    run = store.begin(new_run(), [member(0)])
    give_up(store, run, 0)
    store.end(run, START + HOUR)
    other = Item(digest=image_digest(1), policy=POLICY, reference="x")
    outcome = ItemOutcome(item=other, state=ItemState.NOT_DETERMINED, code="x", reason="x")
    refused("run-ended", lambda: store.record(run, outcome, None))


def test_a_reused_assessment_must_be_there(store: SqlFleetStore) -> None:
    run = store.begin(new_run(), [member(0)])
    outcome = ItemOutcome(item=item(0), state=ItemState.REUSED, assessment="00" * 32)
    refused("assessment-missing", lambda: store.record(run, outcome, None))
    refused("assessment-missing", lambda: store.assessment("00" * 32))
    refused("run-missing", lambda: store.end(replace(run, number=7), START))


def test_an_assessment_under_another_policy_is_a_mistake_of_the_caller(store: SqlFleetStore) -> None:
    run = store.begin(new_run(), [member(0)])
    record = record_of(*documents(0), policy="another")
    outcome = ItemOutcome(item=item(0), state=ItemState.ASSESSED, assessment=record.id)
    with pytest.raises(ValueError, match="not that of the outcome's item"):
        store.record(run, outcome, record)


def test_one_document_under_two_policies_is_two_assessments(store: SqlFleetStore) -> None:
    told, sbom = documents(0)
    store.put_blob(told), store.put_blob(sbom)
    run = store.begin(new_run(), [member(0), replace(member(0), policy="zz")])
    for policy in ("zz", POLICY):
        record = record_of(told, sbom, policy=policy)
        outcome = ItemOutcome(item=replace(item(0), policy=policy), state=ItemState.ASSESSED, assessment=record.id)
        store.record(run, outcome, record)
    store.end(run, START + HOUR)
    assert [record.policy for record in store.assessments(run)] == [POLICY, "zz"]
    assert list(store.verify()) == []


def test_the_newest_assessment_that_is_young_enough_is_reused(store: SqlFleetStore) -> None:
    fill(store)
    record = record_of(*documents(1), policy=POLICY)
    assert store.reusable(item(1), not_before=record.assessed_at) == record.id
    assert store.reusable(item(1), not_before=record.assessed_at + timedelta(microseconds=1)) is None
    assert store.reusable(item(1), not_before=START - HOUR, not_after=record.assessed_at) == record.id
    assert store.reusable(item(1), not_before=START - HOUR, not_after=record.assessed_at - HOUR) is None
    assert store.reusable(replace(item(1), policy="another"), not_before=START - HOUR) is None


def test_a_lease_is_held_by_one_until_it_runs_out_or_is_given_back(store: SqlFleetStore) -> None:
    assert store.hold(FLEET, "a", now=START, seconds=60)
    assert not store.hold(FLEET, "b", now=START + timedelta(seconds=59), seconds=60)
    assert store.hold(FLEET, "a", now=START + timedelta(seconds=59), seconds=60)
    assert not store.hold(FLEET, "b", now=START + timedelta(seconds=61), seconds=60)
    assert store.hold(FLEET, "b", now=START + timedelta(seconds=119), seconds=60)
    store.release(FLEET, "a")
    assert not store.hold(FLEET, "a", now=START + timedelta(seconds=120), seconds=60)
    store.release(FLEET, "b")
    assert store.hold(FLEET, "a", now=START + timedelta(seconds=120), seconds=60)


@pytest.mark.parametrize("text", ["with a \x00 in it", "with a \ud800 in it"])
def test_a_text_that_no_database_holds_is_refused_whole(store: SqlFleetStore, text: str) -> None:
    refused("text-unstorable", lambda: store.begin(new_run(), [member(0), replace(member(1), origin=text)]))
    refused("text-unstorable", lambda: store.begin(replace(new_run(), tool=text), [member(0)]))
    assert list(store.runs()) == []


def test_a_store_that_is_opened_again_is_the_same(store: SqlFleetStore, reopen: Callable[[], SqlFleetStore]) -> None:
    two_runs(store)
    digest = store.digest()
    store.close()
    assert reopen().digest() == digest


def test_opening_without_creating_finds_what_is_there_and_makes_nothing(place: tuple[str, str]) -> None:
    refused("store-missing", lambda: open_fleet_store(*place, create=False))
    open_fleet_store(*place).close()
    open_fleet_store(*place, create=False).close()


def test_history_is_not_changed_by_mistake(store: SqlFleetStore) -> None:
    two_runs(store)
    tables = [name for name, rows in store.sizes().items() if rows and name not in ("leases", "blobs", "blob_bytes")]
    assert len(tables) > 18
    for table in tables:
        for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET {_any_column(table)}"):
            with pytest.raises(StoreError, match="never changed"), store.database.writing() as connection:
                connection.exec_driver_sql(statement)
    assert list(store.verify()) == []


def _any_column(table: str) -> str:
    from compliance.store.schema import metadata

    name = next(iter(metadata.tables[table].columns)).name
    return f'"{name}" = "{name}"'


def test_equal_stores_have_equal_digests_whatever_came_first(
    store: SqlFleetStore, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run = store.begin(new_run(), [member(0), member(1), member(2)])
    other = open_fleet_store(str(tmp_path_factory.mktemp("other") / "other.db"))
    same = other.begin(new_run(), [member(2), member(1), member(0)])
    for number in (0, 1, 2):
        assess(store, run, number)
        assert store.digest() != other.digest()
    for number in (2, 0, 1):
        assess(other, same, number)
    assert store.digest() == other.digest()
    assert store.end(run, START + HOUR) == other.end(same, START + HOUR)
    assert store.digest() == other.digest()
    other.close()
