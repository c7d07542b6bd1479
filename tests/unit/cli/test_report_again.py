"""``hullmark report`` at another date, in another language and with templates of one's own, from end to end."""

import json
from pathlib import Path

import pytest

from compliance.cli.main import main
from reports.assessment_json import document, render
from tests.builders.assessment import assessment


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    path = tmp_path / "assessment.json"
    path.write_bytes(render(document(assessment())))
    return path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["hullmark", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(str(caught.value.code))


def test_another_date_gives_a_document_that_says_so(
    stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "later.json"
    assert run(monkeypatch, "report", stored, "--effective-time", "2027-01-01T00:00:00Z", "-o", f"json={out}") == 0
    later = json.loads(out.read_bytes())
    assert later["effectiveTime"] == "2027-01-01T00:00:00Z"
    assert later["reevaluation"]["assessedAt"] == "2026-11-01T12:00:00Z"
    assert run(monkeypatch, "report", out, "--effective-time", "2027-02-01T00:00:00Z") == 1


def test_language_and_templates_come_from_flags_or_the_configuration(
    stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own" / "html").mkdir(parents=True)
    (tmp_path / "own" / "html" / "page.css").write_text("body { color: teal }")
    out, config = tmp_path / "page.html", tmp_path / "hullmark.toml"
    flags = ("--language", "de", "--templates", tmp_path / "own")
    assert run(monkeypatch, "report", stored, *flags, "-o", f"html={out}") == 0
    by_flags = out.read_bytes()
    assert b"<style>body { color: teal }</style>" in by_flags
    assert "Befunde" in by_flags.decode()
    config.write_text(f'[report]\nlanguage = "de"\ntemplates = "{tmp_path / "own"}"\n')
    assert run(monkeypatch, "report", stored, "--config", config, "-o", f"html={out}") == 0
    assert out.read_bytes() == by_flags


def test_a_file_that_replaces_nothing_is_one_clear_line(
    stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "page.css").write_text("body {}")
    assert run(monkeypatch, "report", stored, "--templates", tmp_path / "own") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "no template of that name" in error
    assert run(monkeypatch, "report", stored, "--language", tmp_path / "none.yaml") == 2
    assert run(monkeypatch, "report", stored, "--templates", tmp_path / "nowhere") == 2
