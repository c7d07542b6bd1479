"""Title, logo, marking, scope and contacts of an organisation: by flags, or in the configuration."""

from pathlib import Path

import pytest

from compliance.cli.main import run
from compliance.errors import UsageError
from reports import assessment_json
from tests.builders.assessment import assessment

LOGO = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 2"><path d="M0 0h4v2z"/></svg>'


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logo.svg").write_bytes(LOGO)
    path = tmp_path / "assessment.json"
    path.write_bytes(assessment_json.render(assessment_json.document(assessment())))
    return path


def page(*arguments: str) -> str:
    target = Path("report.html")
    run([*arguments, "-q", "-o", f"html={target}"])
    return target.read_text(encoding="utf-8")


def test_flags_are_in_the_page(file: Path) -> None:
    flags = ["--title", "Payments", "--organisation", "Example", "--logo", "logo.svg", "--classification", "INTERNAL"]
    content = page("report", str(file), *flags, "--scope", "One.\n\nTwo.", "--contact", "a", "--contact", "b")
    for text in ("<title>Payments</title>", "<strong>Example</strong>", "INTERNAL", "<p>Two.</p>", "<li>b</li>"):
        assert text in content
    assert 'src="data:image/svg+xml;base64,' in content


def test_the_configuration_serves_every_command_and_a_flag_comes_first(file: Path, samples: Path) -> None:
    Path("hullmark.toml").write_text('[report]\ntitle = "Of the file"\nclassification = "MARKED"\ncontact = ["a"]\n')
    assert "<title>Of the file</title>" in page("report", str(file))
    assert "<title>Of the flag</title>" in page("report", str(file), "--title", "Of the flag")
    assert "MARKED" in page("assess", f"oci-dir:{samples / 'hardened'}")


def test_the_table_of_a_command_comes_before_that_for_all(file: Path, samples: Path) -> None:
    Path("hullmark.toml").write_text('[report]\ntitle = "For all"\n[assess]\ntitle = "For assess"\n')
    assert "<title>For assess</title>" in page("assess", f"oci-dir:{samples / 'hardened'}")


def test_other_options_of_report_may_stand_in_its_table(file: Path, samples: Path) -> None:
    Path("hullmark.toml").write_text('[report]\nno-progress = true\ntitle = "X"\n')
    assert "<title>X</title>" in page("assess", f"oci-dir:{samples / 'hardened'}")


@pytest.mark.parametrize("command", ["report", "assess"])
def test_a_misspelt_name_is_an_error_for_every_command(file: Path, samples: Path, command: str) -> None:
    Path("hullmark.toml").write_text('[report]\nclasification = "SECRET"\n')
    subject = str(file) if command == "report" else f"oci-dir:{samples / 'hardened'}"
    with pytest.raises(UsageError, match="no such option: clasification"):
        page(command, subject)


@pytest.mark.parametrize(
    "flags",
    [
        ["--logo", "missing.svg"],
        ["--logo", "assessment.json"],
        ["--logo", "big.png"],
        ["--title", "x" * 201],
        [part for _ in range(11) for part in ("--contact", "x")],
    ],
)
def test_what_cannot_be_used_is_an_error_of_the_user(file: Path, flags: list[str]) -> None:
    Path("big.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(600_000))
    with pytest.raises(UsageError):
        page("report", str(file), *flags)


def test_a_logo_with_a_script_is_refused_before_the_image_is_read(file: Path) -> None:
    Path("logo.svg").write_bytes(LOGO.replace(b"<path", b"<script>x</script><path"))
    with pytest.raises(UsageError, match="the SVG has"):
        page("assess", "oci-dir:does-not-exist", "--logo", "logo.svg")


def test_the_evidence_has_the_page_and_the_branding(file: Path, samples: Path) -> None:
    run(["assess", f"oci-dir:{samples / 'hardened'}", "-q", "-o", "json=x.json", "--evidence", "ev", "--title", "Mine"])
    assert "<title>Mine</title>" in Path("ev/report.html").read_text(encoding="utf-8")
    assert run(["evidence", "verify", "ev", "-q"]) == 11  # every digest agrees; nobody signed
