"""What a server does around its runs: it keeps its secrets from them, and tells what they changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from compliance.errors import UsageError
from compliance.fleet.change_summary import change_summary
from compliance.fleet.notification import ChangeFile
from compliance.fleet.service import Place, RunHost, split_options
from compliance.store.fleet_store import open_fleet_store
from tests.builders.dashboard import copy_history, fleet
from tests.builders.fleet import fleet as made_fleet

SLOT = datetime(2026, 11, 1, 3, tzinfo=UTC)


def host(folder: Path, told: list[tuple[str, Mapping[str, object]]], **environment: str) -> RunHost:
    return RunHost(
        place=lambda fleet: Place(url="postgresql://hullmark:a-password@127.0.0.1:1/x", blobs=str(folder)),
        tell_of=lambda event, facts: told.append((event, facts)),
        options=("--jobs", "3"),
        environment={"PATH": "/usr/bin:/bin", **environment},
    )


def test_a_run_gets_its_slot_and_store_and_no_secret_of_the_dashboard(tmp_path: Path) -> None:
    made = host(tmp_path, [], HULLMARK_DASHBOARD_TOKEN="t" * 30, HULLMARK_PROXY_SECRET="s" * 30, KEPT="yes")
    child = made.launch(fleet(tmp_path, "shop"), SLOT)
    try:
        process = psutil.Process(child.pid)  # type: ignore[attr-defined]
        words, variables = process.cmdline(), process.environ()
    finally:
        child.kill()
        child.wait()
    assert words[words.index("--slot") + 1] == "2026-11-01T03:00:00Z"
    assert words[-2:] == ["--jobs", "3"]
    assert not any("a-password" in word for word in words), "arguments can be read by every user of the machine"
    assert variables["HULLMARK_FLEET_STORE"].endswith("a-password@127.0.0.1:1/x")
    assert variables["KEPT"] == "yes"
    assert not {"HULLMARK_DASHBOARD_TOKEN", "HULLMARK_PROXY_SECRET"} & variables.keys()


def test_a_first_run_is_a_change_and_later_ones_say_what_changed() -> None:
    store = made_fleet(images=40, runs=3)
    first, second, _ = (run for run, *_ in store.history)
    assert change_summary(store, first).changed
    told = change_summary(store, second)
    document = json.loads(told.document)
    assert told.changed
    assert (document["before"], document["after"]) == (1, 2)
    assert {name: number for name, number in document["counts"].items() if number} == {
        name: number for name, number in told.counts.items() if not name.startswith("images-")
    }
    assert f"- {told.counts['new']} new" in told.text


def test_a_run_like_the_one_before_changed_nothing() -> None:
    store = made_fleet(images=10, runs=1)
    run, members, outcomes, records = store.history[0]
    store.history.append((replace(run, number=2), members, outcomes, records))
    told = change_summary(store, store.history[1][0])
    assert not told.changed
    assert set(told.counts) <= {"still-open", "still-waived"}


def test_whoever_waits_for_it_is_told_and_a_failure_is_only_logged(tmp_path: Path) -> None:
    told: list[tuple[str, Mapping[str, object]]] = []
    wanted = fleet(tmp_path, "shop")
    good = ChangeFile(path=tmp_path / "changes.md", format="markdown")
    bad = ChangeFile(path=tmp_path / "none" / "changes.md", format="markdown")
    with closing(open_fleet_store(str(wanted.store))) as store:
        copy_history(made_fleet(images=20, runs=2), store, "shop")
        run = list(store.runs("shop"))[-1]
        host(tmp_path, told).finished(replace(wanted, notify=(bad, good)), store, run)
    assert [event for event, _ in told] == ["notification-failed", "notified"]
    assert "run 2" in good.path.read_text()


def test_options_are_written_as_in_a_shell() -> None:
    assert split_options("--jobs 8 --scheduler 'tcp://a b'") == ("--jobs", "8", "--scheduler", "tcp://a b")
    assert split_options(None) == ()
    with pytest.raises(UsageError):
        split_options("'")
