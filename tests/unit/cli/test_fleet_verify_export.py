"""``fleet verify`` and ``fleet export``, by the store's address alone."""

import sys
from contextlib import closing
from pathlib import Path

import pytest

from compliance.cli.main import run
from compliance.errors import ComplianceError
from compliance.store.fleet_store import open_fleet_store
from tests.builders.fleet_documents import FLEET, fill, member, new_run, two_runs


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A store with two runs."""
    file = tmp_path / "fleet.db"
    with closing(open_fleet_store(str(file))) as store:
        two_runs(store)
    return file


def main(arguments: list[str]) -> int:
    """The exit code; an error is a line on stderr."""
    try:
        return run(arguments)
    except ComplianceError as error:
        sys.stderr.write(f"{error}\n")
        return int(error.exit_code)


def heads(file: Path) -> list[str]:
    with closing(open_fleet_store(str(file))) as store:
        return [run.chain or "" for run in store.runs(FLEET)]


def test_a_store_that_holds_is_said_in_one_line(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = heads(file)
    assert main(["fleet", "verify", "--store", str(file)]) == 0
    assert capsys.readouterr().out == (
        f"everything holds: 2 runs, 5 outcomes, 3 assessments, 6 blobs; {FLEET} ends in {second}\n"
    )
    for head in (first, f"{FLEET}={second}"):
        assert main(["fleet", "verify", "--store", str(file), "--head", head, "-q"]) == 0
    assert capsys.readouterr().out == ""


def test_each_thing_that_does_not_hold_is_a_line_and_the_exit_code_says_so(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blob = next(Path(f"{file}.blobs").glob("??/*.zst"))
    blob.unlink()
    assert main(["fleet", "verify", "--store", str(file)]) == 12
    *lines, summary = capsys.readouterr().out.splitlines()
    assert lines
    assert any(blob.stem in line for line in lines)
    assert summary.startswith(f"{len(lines)} things do not hold")


def test_a_head_that_the_history_does_not_come_by_is_a_line(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fleet", "verify", "--store", str(file), "--head", "00" * 32]) == 12
    assert "head" in capsys.readouterr().out
    assert main(["fleet", "verify", "--store", str(file), "--head", f"another={'00' * 32}"]) == 12


@pytest.mark.parametrize("head", ["xyz", "", "a=", f"{'00' * 32} "])
def test_what_is_no_head_is_a_usage_error(file: Path, head: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fleet", "verify", "--store", str(file), "--head", head]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_head_without_its_fleet_needs_a_store_of_one_fleet(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(open_fleet_store(str(file))) as store:
        store.begin(new_run(fleet="another"), [member(0)])
    assert main(["fleet", "verify", "--store", str(file), "--head", "00"]) == 2
    assert "FLEET=HEX" in capsys.readouterr().err


def test_a_store_that_is_not_there_is_one_line_and_is_not_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for verb in (["verify"], ["export", "--parquet", str(tmp_path / "out")]):
        assert main(["fleet", *verb, "--store", str(tmp_path / "nothing.db")]) == 1
        assert main(["fleet", *verb]) == 2
    assert capsys.readouterr().err.count("\n") == 4
    assert list(tmp_path.iterdir()) == []


def test_the_tables_are_written_and_counted(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "parquet"
    assert main(["fleet", "export", "--store", str(file), "--parquet", str(out)]) == 0
    told = dict(line.split(": ") for line in capsys.readouterr().out.splitlines())
    assert set(told) == {path.name for path in out.iterdir()}
    assert (told["runs.parquet"], told["images.parquet"]) == ("2 rows", "7 rows")
    for choice, rows in (("1", "4"), ("latest", "3")):
        main(["fleet", "export", "--store", str(file), "--parquet", str(out), "--run", choice])
        assert f"images.parquet: {rows} rows" in capsys.readouterr().out
    assert main(["fleet", "export", "--store", str(file), "--parquet", str(out), "--run", "9"]) == 2


def test_a_run_that_is_open_is_exported_only_by_its_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(open_fleet_store(str(tmp_path / "fleet.db"))) as store:
        fill(store)
        store.begin(new_run(), [member(0)])
    arguments = ["fleet", "export", "--store", str(tmp_path / "fleet.db"), "--parquet", str(tmp_path / "out")]
    main(arguments)
    assert "runs.parquet: 1 rows" in capsys.readouterr().out
    main([*arguments, "--run", "2"])
    assert "images.parquet: 1 rows" in capsys.readouterr().out
