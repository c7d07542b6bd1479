"""``hullmark fleet report`` and ``fleet diff`` over a real store in SQLite."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from compliance.cli.main import run
from compliance.errors import ExitCode, UsageError
from compliance.formats.dsse import Envelope
from compliance.formats.sigstore_bundle import read_bundle
from compliance.model.fleet import RunState
from compliance.store.fleet_store import open_fleet_store
from reports import fleet_document
from reports.pdf_signature import read_signature
from tests.builders.fleet import NAME, fleet

FLEET_FILE = """\
schema: 1
name: production
schedule:
  cron: "0 3 * * mon"
groups:
  checkout:
    owner: team-payments@example.org
    images: registry.example.org/checkout/api:stable
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fleet file and a store with three runs of the builder's fleet."""
    path = tmp_path_factory.mktemp("fleet")
    (path / "FLEET.yaml").write_text(FLEET_FILE, encoding="utf-8")
    made = fleet(images=6, runs=3)
    store = open_fleet_store(str(path / "hullmark-fleet.db"))
    for planned in made.runs(NAME):
        begun = store.begin(replace(planned, state=RunState.OPEN, finished=None, chain=None), made.members(planned))
        records = {record.id: record for record in made.assessments(planned)}
        for outcome in made.outcomes(planned):
            store.record(begun, outcome, records.get(outcome.assessment or ""))
        store.end(begun, planned.finished or planned.started)
    store.close()
    return path


@pytest.fixture(autouse=True)
def _here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def test_the_terminal_gets_the_newest_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fleet", "report", "FLEET.yaml"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Fleet production, run 3")
    assert max(map(len, out.split("\n"))) <= 80


def test_what_the_store_says_is_what_was_recorded(tmp_path: Path) -> None:
    target = tmp_path / "fleet.json"
    assert run(["fleet", "report", "FLEET.yaml", "--run", "2", "-o", f"json={target}"]) == 0
    document = json.loads(target.read_bytes())
    fleet_document.schema().check(document)
    made = fleet(images=6, runs=3)
    second = next(one for one in made.runs(NAME) if one.number == 2)
    expected = sorted(record.id for record in made.assessments(second))
    assert sorted(image["assessment"] for image in document["images"] if image["assessment"]) == expected
    uncounted = {one["check"] for image in document["images"] for one in image["failed"] if not one["counts"]}
    assert uncounted <= {"SP-SIG"}


def test_the_same_store_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        run(["fleet", "report", "FLEET.yaml", "-o", f"json={tmp_path / name}"])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_window_tells_missed_runs_and_draws_a_sample(tmp_path: Path) -> None:
    target = tmp_path / "fleet.json"
    window = ["--from", "2026-08-24T00:00:00Z", "--to", "2026-09-30T00:00:00Z", "--sample", "3"]
    assert run(["fleet", "report", "FLEET.yaml", *window, "-o", f"json={target}"]) == 0
    period = json.loads(target.read_bytes())["period"]
    assert period["runs"] == [1, 2, 3]
    assert [(gap["since"], gap["missed"]) for gap in period["gaps"]] == [("2026-08-24T03:00:00Z", 2)]
    assert len(period["sample"]) == 3


def test_a_signed_report_has_a_bundle_with_the_digest_of_every_file(tmp_path: Path) -> None:
    names = {"json": "fleet.json", "html": "fleet.html", "pdf": "fleet.pdf", "csv": "fleet.csv"}
    outputs = [word for form, name in names.items() for word in ("-o", f"{form}={tmp_path / name}")]
    key = f"generate:{tmp_path / 'k.pem'}"
    assert run(["fleet", "report", "FLEET.yaml", *outputs, "--sign-key", key]) == 0
    content = read_bundle((tmp_path / "fleet-report.sigstore.json").read_bytes()).content
    assert isinstance(content, Envelope)
    statement = json.loads(content.payload)
    written = {name: hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in names.values()}
    assert {one["name"]: one["digest"]["sha256"] for one in statement["subject"]} == written
    signature = read_signature((tmp_path / "fleet.pdf").read_bytes())
    assert signature is not None
    document = json.loads((tmp_path / "fleet.json").read_bytes())
    assert statement["predicate"]["hullmarkFleet"]["chain"] == document["run"]["chain"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from", "2026-09-01T00:00:00Z"], "go together"),
        (["--run", "1", "--from", "2026-09-01T00:00:00Z", "--to", "2026-09-02T00:00:00Z"], "exclude each other"),
        (["--run", "9"], "no run 9"),
        (["--run", "newest"], "no run newest"),
        (["--sign-key", "k.pem"], "nothing to sign"),
        (["--bundle", "b.json"], "for a signature"),
        (["-o", "sarif"], "no such format"),
        (["--from", "2026-09-01T00:00:00Z", "--to", "2026-09-02T00:00:00Z", "--sample", "-1"], "number of images"),
        (["-o", "csv=a/x", "-o", "json=b/x", "--sign-key", "k.pem"], "same name"),
    ],
)
def test_a_mistake_is_one_clear_error(arguments: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run(["fleet", "report", "FLEET.yaml", *arguments])


def test_diff_tells_what_changed_and_exits_by_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fleet", "diff", "FLEET.yaml"]) == ExitCode.NOT_SATISFIED
    assert capsys.readouterr().out.startswith("Fleet production, run 2 to run 3")
    assert run(["fleet", "diff", "FLEET.yaml", "1", "latest", "-o", "json"]) == ExitCode.NOT_SATISFIED
    changes = json.loads(capsys.readouterr().out)
    assert (changes["before"], changes["after"]) == (1, 3)
    assert run(["fleet", "diff", "FLEET.yaml", "2", "2", "-o", "markdown"]) == ExitCode.SATISFIED
    assert "run 2 to run 2" in capsys.readouterr().out


def test_diff_of_the_first_run_alone_is_an_error() -> None:
    with pytest.raises(UsageError, match="no run before it"):
        run(["fleet", "diff", "FLEET.yaml", "1"])
    with pytest.raises(UsageError, match="more than two"):
        run(["fleet", "diff", "FLEET.yaml", "1", "2", "3"])
