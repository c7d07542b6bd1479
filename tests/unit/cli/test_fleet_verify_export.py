"""``fleet verify`` and ``fleet export``, by the store's address alone."""

import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from compliance.cli.main import run
from compliance.errors import ComplianceError
from compliance.fleet.chain_statement import chain_statement
from compliance.formats.intoto import REFERENCE, write_statement
from compliance.formats.public_key import key_id, load_public_key
from compliance.sign.key_signer import load_or_generate, load_signing_key
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
        f"{FLEET}: no chain is signed\n"
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
    *lines, summary, _ = capsys.readouterr().out.splitlines()
    assert lines
    assert any(blob.stem in line for line in lines)
    assert summary.startswith("1 thing does not hold" if len(lines) == 1 else f"{len(lines)} things do not hold")


def test_one_thing_that_does_not_hold_is_said_in_the_singular(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (Path(f"{file}.blobs") / "notes.txt").write_text("not ours")
    assert main(["fleet", "verify", "--store", str(file)]) == 12
    _, summary, _ = capsys.readouterr().out.splitlines()
    assert summary.startswith("1 thing does not hold: ")


@dataclass(frozen=True, kw_only=True)
class Signed:
    """A store of which runs are signed, and the files of keys: whose it is, and another."""

    file: Path
    key: Path
    other: Path

    def sign(self, number: int, key: Path | None = None) -> Path:
        """Sign the chain of a run, as ``fleet run`` does; the bundle's file, kept beside."""
        with closing(open_fleet_store(str(self.file))) as store:
            run = next(run for run in store.runs(FLEET) if run.number == number)
            bundle = load_signing_key(key or self.key).sign_statement(chain_statement(run))
            store.put_blob(bundle)
        kept = self.file.with_name(f"run-{number}.sigstore.json")
        kept.write_bytes(bundle)
        return kept

    def verify(self, *arguments: str | Path) -> int:
        return main(["fleet", "verify", "--store", str(self.file), *map(str, arguments)])

    def cut_off(self) -> None:
        """The newest run, as somebody does it who owns the database and may write where the blobs are."""
        with closing(sqlite3.connect(self.file)) as database:
            for (trigger,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                database.execute(f"DROP TRIGGER {trigger}")
            for table in ("outcomes", "run_members"):
                database.execute(f"DELETE FROM {table} WHERE run = (SELECT max(pk) FROM runs)")  # noqa: S608
            database.execute("DELETE FROM runs WHERE pk = (SELECT max(pk) FROM runs)")
            database.commit()


@pytest.fixture
def signed(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Signed:
    monkeypatch.setenv("HULLMARK_KEY_PASSWORD", "open sesame")
    keys = [tmp_path / name for name in ("key.pem", "other.pem")]
    for key in keys:
        load_or_generate(key)
    return Signed(file=file, key=keys[0], other=keys[1])


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out.splitlines()[-1]


def test_whether_the_chain_is_signed_is_said_and_who_signed_only_where_somebody_is_named(
    signed: Signed, capsys: pytest.CaptureFixture[str]
) -> None:
    signed.sign(2)
    assert signed.verify() == 0
    assert last_line(capsys) == (
        f"{FLEET}: 1 of 2 runs have a signed chain, the newest too: who signed was not checked, as nobody was named "
        "(--key, --certificate-identity)"
    )
    assert signed.verify("--key", f"{signed.key}.pub") == 0
    who = key_id(load_public_key(Path(f"{signed.key}.pub").read_bytes()))
    assert last_line(capsys) == (
        f"{FLEET}: 1 of 2 runs have a signed chain by who was named, the newest too: signed by key {who}"
    )


def test_a_newest_run_that_another_signed_does_not_hold(signed: Signed, capsys: pytest.CaptureFixture[str]) -> None:
    signed.sign(1)
    signed.sign(2, signed.other)
    assert signed.verify("--key", f"{signed.key}.pub") == 12
    first, summary, about = capsys.readouterr().out.splitlines()
    assert first.startswith(f"signature of run 2 of {FLEET}: it does not verify with key ")
    assert summary.startswith("1 thing does not hold")
    assert about.endswith("run 1 as the last; that of the newest, 2, is not")
    signed.sign(2)  # and then one of them is by the right one
    assert signed.verify("--key", f"{signed.key}.pub") == 0


def test_a_newest_run_without_a_signature_is_not_shown_where_somebody_is_named(
    signed: Signed, capsys: pytest.CaptureFixture[str]
) -> None:
    assert signed.verify("--key", f"{signed.key}.pub") == 11
    assert last_line(capsys) == f"{FLEET}: no chain is signed by who was named"
    signed.sign(1)
    assert signed.verify("--key", f"{signed.key}.pub") == 11
    assert signed.verify() == 0


def test_a_key_s_signature_is_not_an_identity_s(signed: Signed, capsys: pytest.CaptureFixture[str]) -> None:
    signed.sign(2)
    identity = ("--certificate-identity", "me@example.com", "--certificate-oidc-issuer", "https://issuer.example")
    assert signed.verify(*identity) == 12
    assert capsys.readouterr().out.startswith(f"signature of run 2 of {FLEET}: ")


def test_a_history_that_was_cut_off_shows_by_a_signature_that_stayed_or_was_kept(
    signed: Signed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = signed.sign(2)
    signed.sign(1)
    signed.cut_off()
    signed.verify()
    assert "was signed" not in capsys.readouterr().out  # whose it is nobody knows
    for shown in (("--key", f"{signed.key}.pub"), ("--bundle", kept)):
        assert signed.verify(*shown) == 12
        assert "does not have the chain that was signed as that of run 2" in capsys.readouterr().out
    other = tmp_path / "elsewhere.db"
    with closing(open_fleet_store(str(other))) as store:
        two_runs(store)
    assert main(["fleet", "verify", "--store", str(other), "--bundle", str(kept), "-q"]) == 0


@pytest.mark.parametrize("content", [b"", b"{}", b"[" * 5000, b"\xff", b'{"mediaType": 1}'])
def test_a_bundle_that_is_none_is_one_line(
    signed: Signed, content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "none.json").write_bytes(content)
    assert signed.verify("--bundle", tmp_path / "none.json") == 2
    assert signed.verify("--bundle", tmp_path / "absent.json") == 2
    assert capsys.readouterr().err.count("\n") == 2


def test_a_signature_over_something_else_among_the_blobs_is_none_of_the_chain(
    signed: Signed, capsys: pytest.CaptureFixture[str]
) -> None:
    statement = write_statement(name="a file", digest=f"sha256:{'00' * 32}", predicate_type=REFERENCE, predicate={})
    with closing(open_fleet_store(str(signed.file))) as store:
        store.put_blob(load_signing_key(signed.key).sign_statement(statement))
        store.put_blob(b"{}")
    assert signed.verify("--key", f"{signed.key}.pub") == 11
    assert last_line(capsys) == f"{FLEET}: no chain is signed by who was named"


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
