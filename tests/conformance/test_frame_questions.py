"""A person who knows pandas and not us answers a security team's questions from the frames, in five lines each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from compliance import Store
from tests.architecture.frame_tables import body
from tests.builders.example_fleet import example_fleet
from tests.conformance import frame_questions as questions

LINES_MAX = 5
LINE_MAX = 120
ORDINARY_WEEK_2 = {"oci-dir:catalog", "oci-dir:checkout", "oci-dir:import", "oci-dir:mail", "oci-dir:reports"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store(example_fleet(tmp_path_factory.mktemp("fleet"))) as opened:
        yield opened


@pytest.mark.parametrize("question", questions.QUESTIONS, ids=lambda question: question.__name__)
def test_an_answer_takes_five_lines(question: Callable[..., object]) -> None:
    lines = body(question)
    assert 0 < len(lines) <= LINES_MAX
    assert all(len(line) <= LINE_MAX and ";" not in line for line in lines)


def test_images_without_a_user_and_with_root_run_as_root(store: Store) -> None:
    assert set(questions.which_images_run_as_root(store)) == {"oci-dir:reports", "oci-dir:import", "oci-dir:mail"}


def test_every_shell_is_found_with_every_image_that_has_it(store: Store) -> None:
    where = questions.which_shells_exist_and_where(store)
    assert set(where.index) == {"/usr/bin/bash", "/usr/bin/dash"}
    assert all(set(images) == ORDINARY_WEEK_2 for images in where)


def test_the_base_image_that_most_failures_lie_in_comes_first(store: Store) -> None:
    bases = questions.which_base_image_explains_most_failures(store)
    assert bases["created_by"].iloc[0] == "ADD rootfs /"
    assert bases["images"].iloc[0] == len(ORDINARY_WEEK_2)
    assert bases["findings"].is_monotonic_decreasing
    company = bases[bases["created_by"].str.contains("as-root")]
    assert list(company["images"]) == [2]
    assert "IM-SETUID" in set(store.findings.query("layer == @company.index[0]")["check"])


def test_what_came_and_what_went_since_last_week(store: Store) -> None:
    changes = questions.what_changed_since_last_week(store)
    assert changes["oci-dir:checkout", "new", "IM-WWFILE"] == 1
    assert changes["oci-dir:search", "gone", "RM-SHELL"] == 2 + 1  # the two shells, and how much was read
    assert set(changes.index.get_level_values("reference")) == {"oci-dir:checkout", "oci-dir:search", "oci-dir:mail"}


def test_controls_that_no_check_said_anything_about(store: Store) -> None:
    silent = questions.which_controls_have_no_evidence(store)
    assert ("nist-800-190", "4.1.1") in silent  # vulnerabilities: nobody gave a scan
    statuses = store.controls.set_index(["framework", "control"])["status"]
    for control in silent:
        assert set(statuses.loc[[control]]) <= {"undetermined", "not-applicable"}
    assert ("nist-800-53", "cm-7") not in silent


def test_waivers_that_hold_and_end_before_the_month_does(store: Store) -> None:
    ends = questions.which_waivers_end_this_month(store)
    assert set(ends["id"]) == {"W-1"}
    assert set(ends["reference"]) == {"oci-dir:reports", "oci-dir:import"}


def test_a_reference_is_as_the_fleet_names_it_in_every_frame(store: Store) -> None:
    named = set(store.images["reference"])
    for table in ("checks", "findings", "packages", "controls", "waivers", "layers"):
        frame = store.frame(table)
        assert set(frame["reference"]) == named, table
        pairs = store.images.set_index("reference")["group"].astype("str")
        assert all(
            pairs[row.reference] == row.group for row in frame[["reference", "group"]].drop_duplicates().itertuples()
        )


def test_an_earlier_run_is_asked_for_by_number_or_time(store: Store) -> None:
    import pandas as pd

    first = store.at(1).images
    assert set(first["run"]) == {1}
    assert "oci-dir:mail" not in set(first["reference"])
    by_time = store.at(pd.Timestamp("2026-11-17T00:00:00Z")).images
    pd.testing.assert_frame_equal(first, by_time)
    assert set(store.at("all").images["run"]) == {1, 2}


def test_an_assessment_comes_whole_out_of_the_store(store: Store) -> None:
    row = store.images.set_index("reference").loc["oci-dir:search"]
    found = store.assessment(row["assessment"])
    assert (found.digest, found.outcome) == (row["digest"], row["outcome"])
    assert len(found.inventory) == row["packages"]


def test_a_parquet_export_gives_the_same_frames(store: Store, tmp_path: Path) -> None:
    import pandas as pd

    from compliance.store.parquet_export import export

    source: Any = store._source
    export(source, tmp_path / "export", source.runs())
    exported = Store(tmp_path / "export")
    for table in ("runs", "images", "findings", "controls"):
        pd.testing.assert_frame_equal(exported.frame(table), store.frame(table))
