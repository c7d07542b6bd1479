"""`hullmark fleet run` and `fleet status` as a user runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from compliance.cli.fleet_progress import FleetBar, JsonLines, Notices, run_watcher
from compliance.cli.fleet_summary import summary_lines
from compliance.cli.main import run
from compliance.errors import ComplianceError, ExitCode
from compliance.fleet.chain_statement import chain_statement
from compliance.fleet.run_summary import RunSummary
from compliance.fleet.run_watcher import RunWatcher
from compliance.formats.dsse import Envelope
from compliance.formats.intoto import read_statement
from compliance.formats.sigstore_bundle import read_bundle
from compliance.model.fleet import Item, ItemOutcome, ItemState, Run, RunState
from tests.builders.fleet_images import fleet_file
from tests.builders.layout import Layout

TIME = "2026-11-01T00:00:00Z"


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        Layout(root=tmp_path / name).add_image([{"app": name}], config={"User": "1000"}, tag=None)
    return fleet_file(tmp_path, ["oci-dir:a", "oci-dir:b", "oci-dir:missing"], name="house")


def test_a_run_is_summed_up_on_stdout_and_its_exit_code_is_the_worst(
    fleet: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code = run(["fleet", "run", str(fleet), "--jobs", "1", "--effective-time", TIME])
    out, err = capfd.readouterr()
    assert code == (ExitCode.NOT_SATISFIED if "not satisfied" in out else ExitCode.NOT_DETERMINED)
    assert "fleet house, run 1, as of 2026-11-01 00:00 UTC, ended" in out
    assert "3 references to 2 images" in out
    assert "1 reference led to none:" in out
    assert "2 assessed" in out
    assert err == ""
    assert run(["fleet", "status", str(fleet), "--json"]) == 0
    status = json.loads(capfd.readouterr().out)
    assert (status["runs"], status["newest"][0]["state"], status["newest"][0]["recorded"]) == (1, "ended", 2)
    assert status["head"] == status["newest"][0]["chain"]
    assert run(["fleet", "status", str(fleet), "--last", "5"]) == 0
    assert status["head"] in capfd.readouterr().out


def test_reports_are_written_and_one_for_stdout_takes_the_summary_s_place(
    fleet: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "fleet.html"
    run(["fleet", "run", str(fleet), "--jobs", "1", "-o", f"html={page}", "-o", "json"])
    document = json.loads(capfd.readouterr().out)
    assert document["run"]["number"] == 1
    assert page.read_bytes().startswith(b"<!")


def test_the_chain_is_signed_and_the_bundle_lies_in_the_blobs_and_in_the_file(
    fleet: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HULLMARK_KEY_PASSWORD", "open sesame")
    bundle = tmp_path / "chain.sigstore.json"
    key = f"generate:{tmp_path / 'key.pem'}"
    run(["fleet", "run", str(fleet), "--jobs", "1", "--sign-key", key, "--bundle", str(bundle)])
    out = capfd.readouterr().out
    content = read_bundle(bundle.read_bytes()).content
    assert isinstance(content, Envelope)
    statement = read_statement(content.payload)
    chain = next(line.split()[1] for line in out.splitlines() if line.startswith("  chain"))
    assert statement.digests == (f"sha256:{chain}",)
    named = out.rpartition("sha256:")[2].strip()
    assert (tmp_path / "hullmark-fleet.db.blobs" / named[:2] / f"{named}.zst").is_file()


def test_whoever_the_fleet_names_is_told_of_what_changed(
    fleet: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    document = json.loads(fleet.read_text())
    fleet.write_text(json.dumps({**document, "notify": [{"file": "changes.md", "when": "always"}]}))
    run(["fleet", "run", str(fleet), "--jobs", "1"])
    assert not (tmp_path / "changes.md").exists()
    run(["fleet", "run", str(fleet), "--jobs", "1", "--notify"])
    assert "run 2" in (tmp_path / "changes.md").read_text()
    assert "notification: " in capfd.readouterr().out


def test_what_happens_is_a_line_of_json_each(fleet: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run(["fleet", "run", str(fleet), "--jobs", "1", "--log", "json"])
    events = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [event["event"] for event in events if event["event"] != "stage"] == [
        "run-begun",
        "image",
        "image",
        "run-ended",
    ]
    image = next(event for event in events if event["event"] == "image")
    assert image["attempts"] == 1
    assert image["cpuSeconds"] > 0
    assert all(event["time"].endswith("Z") for event in events)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--jobs", "0"),
        ("--bundle", "x"),
        ("-o", "nonsense"),
        ("--slot", "noon"),
        ("--log", "xml"),
    ],
)
def test_usage_errors_exit_2_and_begin_no_run(fleet: Path, arguments: tuple[str, ...]) -> None:
    with pytest.raises(ComplianceError) as caught:
        run(["fleet", "run", str(fleet), *arguments])
    assert caught.value.exit_code == ExitCode.USAGE
    assert not (fleet.parent / "hullmark-fleet.db").exists()


def test_a_scheduler_that_is_not_there_is_one_line(fleet: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("compliance.fleet.executors.dask_cluster.CONNECT_SECONDS", 0.5)
        with pytest.raises(ComplianceError) as caught:
            run(["fleet", "run", str(fleet), "--scheduler", "tcp://127.0.0.1:1"])
    assert caught.value.code == "scheduler-unreachable"
    assert "\n" not in str(caught.value)


def test_status_without_a_store_is_one_line(fleet: Path) -> None:
    with pytest.raises(ComplianceError) as caught:
        run(["fleet", "status", str(fleet)])
    assert caught.value.code == "store-missing"


def test_the_store_may_be_named_by_flag_environment_or_file(
    fleet: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HULLMARK_FLEET_STORE", str(tmp_path / "environment.db"))
    run(["fleet", "run", str(fleet), "--jobs", "1"])
    run(["fleet", "run", str(fleet), "--jobs", "1", "--store", str(tmp_path / "flag.db")])
    assert (tmp_path / "environment.db").is_file()
    assert (tmp_path / "flag.db").is_file()
    assert not (tmp_path / "hullmark-fleet.db").exists()
    capfd.readouterr()


def test_progress_is_for_terminals_and_lines_for_whoever_asks() -> None:
    def kind(*, log: str = "auto", verbose: bool = False, quiet: bool = False) -> type[RunWatcher]:
        return type(run_watcher(quiet=quiet, verbose=verbose, no_progress=False, log=log))

    assert kind() is Notices
    assert kind(verbose=True) is JsonLines
    assert kind(log="json", quiet=True) is JsonLines
    assert kind(quiet=True) is RunWatcher


def test_the_bar_counts_images_and_failures(fleet: Path, tmp_path: Path) -> None:
    """On a real terminal: a pseudo-terminal that `script` makes."""
    command = f"{sys.executable} -m compliance.cli.main fleet run {fleet} --jobs 1 --store {tmp_path / 'x.db'}"
    done = subprocess.run(
        ["script", "-qec", command, "/dev/null"], capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL
    )
    assert "images" in done.stdout
    assert "0/2" in done.stdout
    assert "none failed" in done.stdout
    assert "Traceback" not in done.stdout


def test_the_bar_tells_of_failures_above_it_when_asked() -> None:
    bar = FleetBar(verbose=True)
    bar.begun(made_run(), 3, 1, resumed=True)
    item = Item(digest="sha256:1", policy="p", reference="registry:h/n@sha256:1")
    bar.recorded(ItemOutcome(item=item, state=ItemState.NOT_DETERMINED, code="crashed", reason="gone"))
    bar.close()
    bar.close()


def test_a_summary_says_what_is_missing_and_does_not_list_for_ever() -> None:
    without = tuple(
        ItemOutcome(
            item=Item(digest=f"sha256:{number}", policy="p", reference=f"registry:h/n@sha256:{number}"),
            state=ItemState.NOT_DETERMINED,
            code="timed-out",
            reason="it took longer than an image may: 5 seconds",
        )
        for number in range(20)
    )
    summary = RunSummary(
        run=made_run(),
        references=1050,
        images=1000,
        unresolved={f"reason {number}": number for number in range(1, 12)},
        states={ItemState.ASSESSED: 600, ItemState.NOT_DETERMINED: 20},
        outcomes={"satisfied": 500, "not-satisfied": 0, "not-determined": 20},
        without=without,
    )
    text = "\n".join(summary_lines(summary))
    assert "1,050 references to 1,000 images" in text
    assert "600 assessed, 20 not determined, 380 not looked at yet" in text
    assert "and 12 more" in text
    assert "and 3 more reasons" in text
    assert "not ended: the next run continues it" in text
    assert summary.exit_code == ExitCode.NOT_DETERMINED
    assert max(map(len, text.splitlines())) <= 100


def test_only_an_ended_run_has_something_to_sign() -> None:
    with pytest.raises(ValueError, match="no chain"):
        chain_statement(made_run())


def made_run() -> Run:
    moment = datetime(2026, 11, 1, tzinfo=UTC)
    return Run(
        fleet="house",
        number=3,
        state=RunState.OPEN,
        fleet_digest="sha256:" + "1" * 64,
        tool="hullmark 0.1.0",
        controls_digest="sha256:" + "2" * 64,
        started=moment,
        effective=moment,
        population="3" * 64,
    )
