"""The tables of a fleet, as frames and as Parquet files, from either database."""

import hashlib
from contextlib import closing
from pathlib import Path
from typing import get_args

import pandas as pd
import pytest

from compliance.errors import StoreError, UsageError
from compliance.model.fleet import ROW_KINDS
from compliance.store.frames import TableName, frame
from compliance.store.parquet_export import export
from compliance.store.sql_store import SqlFleetStore
from compliance.store.table_columns import CATEGORY, COUNT, INTEGER, REAL, STRING, TABLES, TIME, TRUTH
from tests.builders.fleet_documents import FLEET, assess, image_digest, member, new_run, two_runs

NAMES: tuple[TableName, ...] = get_args(TableName)


@pytest.fixture
def full(store: SqlFleetStore) -> SqlFleetStore:
    """Two runs that ended, and one that has not."""
    two_runs(store)
    store.begin(new_run(), [member(0), member(5)])
    return store


@pytest.fixture
def folder(full: SqlFleetStore, tmp_path: Path) -> Path:
    """Their export."""
    export(full, tmp_path / "parquet", full.runs())
    return tmp_path / "parquet"


def test_every_table_is_there_and_has_its_columns_in_order(full: SqlFleetStore) -> None:
    assert tuple(TABLES) == NAMES
    for name in NAMES:
        assert list(frame(full, name).columns) == list(TABLES[name])


def _dtype_is(kind: str, dtype: object) -> bool:
    if kind == CATEGORY:
        return isinstance(dtype, pd.CategoricalDtype) and dtype.categories.dtype == "str"
    expected = {STRING: "str", TIME: "datetime64[us, UTC]", INTEGER: "int64", COUNT: "Int64", REAL: "float64"}
    return str(dtype) == {**expected, TRUTH: "bool"}[kind]


@pytest.mark.parametrize("run", [None, 1, 2, 3, "latest", "all"])
def test_dtypes_are_those_documented_whatever_rows_there_are(full: SqlFleetStore, run: int | None) -> None:
    for name in NAMES:
        for column, dtype in frame(full, name, run=run).dtypes.items():
            assert _dtype_is(TABLES[name][str(column)], dtype), (name, column, dtype)


def test_an_empty_store_gives_empty_frames_of_the_same_dtypes(store: SqlFleetStore, tmp_path: Path) -> None:
    export(store, tmp_path / "parquet", store.runs())
    for name in NAMES:
        empty = frame(store, name)
        assert len(empty) == 0
        assert all(_dtype_is(TABLES[name][str(column)], dtype) for column, dtype in empty.dtypes.items())
        pd.testing.assert_frame_equal(empty, frame(tmp_path / "parquet", name))


@pytest.mark.parametrize("run", [None, 1, 2, "all"])
def test_the_export_gives_the_same_frames_as_the_store(full: SqlFleetStore, folder: Path, run: int | None) -> None:
    for name in NAMES:
        pd.testing.assert_frame_equal(frame(full, name, run=run), frame(folder, name, run=run))


def test_frames_hold_what_the_records_hold(full: SqlFleetStore) -> None:
    first, second = (run for run in full.runs() if run.number < 3)
    for run in (first, second):
        records = {record.digest: record for record in full.assessments(run, kinds=ROW_KINDS)}
        findings = frame(full, "findings", run=run.number)
        checks = frame(full, "checks", run=run.number)
        for digest, record in records.items():
            own = findings[findings["digest"] == digest]
            assert set(own["key"]) == {finding.key for finding in record.findings}
            assert len(own) == len(record.findings)
            assert dict(zip(own["summary"], own["check"], strict=True)) == {
                finding.summary: finding.check for finding in record.findings
            }
            answers = {check.check: (check.outcome, check.severity, check.trait) for check in record.checks}
            for check, *answer in own[["check", "outcome", "severity", "trait"]].itertuples(index=False):
                assert answers[check] == tuple(answer)
            of_checks = checks[checks["digest"] == digest]
            assert list(of_checks["observations"]) == [check.observations for check in record.checks]
            packages = frame(full, "packages", run=run.number)
            assert list(packages[packages["digest"] == digest]["purl"]) != []
            assert set(packages[packages["digest"] == digest]["purl"]) == {each.purl for each in record.packages}
            layers = frame(full, "layers", run=run.number)
            assert list(layers[layers["digest"] == digest]["diff_id"]) == [layer.diff_id for layer in record.layers]
            assert list(layers[layers["digest"] == digest]["layer"]) == [layer.digest for layer in record.layers]


def test_images_have_a_row_for_every_member_determined_or_not(full: SqlFleetStore) -> None:
    first = frame(full, "images", run=1)
    assert list(first["group"]) == ["core", "edge", "edge", "lost"]
    lost = first[first["group"] == "lost"].iloc[0]
    assert (lost["state"], lost["reason"]) == ("not-determined", "the registry says: manifest unknown")
    assert pd.isna(lost["digest"])
    assert pd.isna(lost["findings"])
    second = frame(full, "images", run=2).set_index("digest")
    assert second.loc[image_digest(0), "state"] == "reused"
    assert second.loc[image_digest(3), "code"] == "timed-out"
    assert second.loc[image_digest(2), "layers"] == 2
    waiting = frame(full, "images", run=3)
    assert list(waiting["state"].isna()) == [True, True]


def test_severities_compare(full: SqlFleetStore) -> None:
    findings = frame(full, "findings")
    bad = findings[findings["severity"] >= "high"]
    assert 0 < len(bad) < len(findings)
    assert set(bad["severity"]) <= {"high", "critical"}
    assert frame(full, "images")["worst"].max() == "critical"


def test_latest_is_the_newest_run_that_ended_and_all_are_those_that_ended(full: SqlFleetStore) -> None:
    assert set(frame(full, "images")["run"]) == {2}
    assert set(frame(full, "images", run="all")["run"]) == {1, 2}
    assert list(frame(full, "runs")["run"]) == [1, 2, 3]
    assert list(frame(full, "runs", run="latest")["not_determined"]) == [1]
    assert list(frame(full, "runs", run=1)["members"]) == [4]


def test_latest_is_of_each_fleet(full: SqlFleetStore, tmp_path: Path) -> None:
    other = full.begin(new_run(fleet="another"), [member(4)])
    assess(full, other, 4)
    full.end(other, other.started)
    images = frame(full, "images")
    assert sorted(set(zip(images["fleet"], images["run"], strict=True))) == [("another", 1), (FLEET, 2)]
    assert set(frame(full, "images", fleet="another", run=1)["fleet"]) == {"another"}
    export(full, tmp_path / "parquet", full.runs())
    pd.testing.assert_frame_equal(images, frame(tmp_path / "parquet", "images"))
    assert set(frame(tmp_path / "parquet", "images", fleet="another", run=1)["fleet"]) == {"another"}


def test_only_the_columns_asked_for_are_read(full: SqlFleetStore, folder: Path) -> None:
    columns = ["severity", "path", "digest"]
    for source in (full, folder):
        assert list(frame(source, "findings", columns=columns).columns) == columns
    pd.testing.assert_frame_equal(frame(full, "findings", columns=columns), frame(folder, "findings")[columns])


def test_what_there_is_not_is_a_usage_error(full: SqlFleetStore, folder: Path, tmp_path: Path) -> None:
    for source in (full, folder):
        with pytest.raises(UsageError, match="no table 'nothing'"):
            frame(source, "nothing")  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="no column 'nothing'"):
            frame(source, "runs", columns=["nothing"])
        with pytest.raises(UsageError, match="no run 9"):
            frame(source, "images", run=9)
        with pytest.raises(UsageError, match="no run of this fleet"):
            frame(source, "images", fleet="nothing")
    with pytest.raises(StoreError, match="no folder"):
        frame(tmp_path / "nowhere", "runs")
    (folder / "findings.parquet").write_bytes(b"PAR1 not at all")
    with pytest.raises(StoreError, match="not a table of a fleet"):
        frame(folder, "findings")
    (folder / "findings.parquet").unlink()
    with pytest.raises(StoreError, match="lacks a table"):
        frame(folder, "findings")


def test_the_same_history_gives_the_same_bytes(full: SqlFleetStore, folder: Path, tmp_path: Path) -> None:
    rows = export(full, tmp_path / "again", reversed(list(full.runs())))
    assert set(rows) == set(NAMES)
    assert _digests(tmp_path / "again") == _digests(folder)
    export(full, tmp_path / "again", full.runs())
    assert _digests(tmp_path / "again") == _digests(folder)


def test_both_databases_export_the_same_bytes(full: SqlFleetStore, folder: Path, tmp_path: Path) -> None:
    from compliance.store.fleet_store import open_fleet_store

    with closing(open_fleet_store(str(tmp_path / "other.db"))) as other:
        run = other.begin(new_run(fleet="first in, so that keys differ"), [member(8)])
        assess(other, run, 8)
        two_runs(other)
        other.begin(new_run(), [member(0), member(5)])
        export(other, tmp_path / "other", other.runs(FLEET))
    assert _digests(tmp_path / "other") == _digests(folder)


def test_a_file_that_can_not_be_written_is_one_line(full: SqlFleetStore, tmp_path: Path) -> None:
    (tmp_path / "in the way").write_text("x")
    with pytest.raises(StoreError, match="can't be written"):
        export(full, tmp_path / "in the way", full.runs())


def _digests(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.iterdir())}
