"""docs/reference and the man page: each what the generator writes, and the generator complete."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from compliance.cli.command_tree import Command, command_tree
from compliance.cli.main import COMMANDS, build, run
from compliance.cli.parser import PREFIX
from compliance.errors import ComplianceError, ExitCode, UsageError
from controls.loader import FRAMEWORKS, load_library
from tests.architecture import reference_pages
from tests.architecture.error_words import PACKAGES, error_words
from tests.builders.program import program


@pytest.fixture(scope="module")
def texts() -> Mapping[Path, str]:
    return reference_pages.files()


@pytest.fixture(scope="module")
def tree() -> Command:
    return command_tree()


def test_the_files_are_what_the_generator_writes(texts: Mapping[Path, str]) -> None:
    """Written anew by ``python -m tests.architecture.reference_pages``."""
    there = set(reference_pages.FOLDER.rglob("*.md"))
    assert there == {path for path in texts if path.suffix == ".md"}
    assert [path.name for path, text in texts.items() if not path.is_file() or path.read_text() != text] == []


def test_every_command_and_every_option_of_the_parsers_is_on_the_page(
    tree: Command, texts: Mapping[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    page = texts[reference_pages.FOLDER / "cli.md"]
    man = texts[reference_pages.MAN_PAGE]
    assert [command.path[-1] for command in tree.commands] == list(COMMANDS)
    for command in tree.walk():
        if command is tree or command.commands:
            continue
        assert f"\n## {command.name}\n" in page
        with pytest.raises(SystemExit):
            build().parse_args([*command.path[1:], "--help"])
        shown = capsys.readouterr().out
        for option in command.options:
            for flag in option.flags:
                assert flag in shown
                if flag not in ("-h", "--help"):
                    assert f"`{flag}" in page
                    assert flag.replace("-", "\\-") in man


def test_a_variable_on_the_page_sets_its_option(tree: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    for command in tree.commands:
        for option in command.options:
            if option.variable is not None and option.value is None:
                monkeypatch.setenv(option.variable, "maybe")
                with pytest.raises(UsageError, match="is on or off"):
                    build().parse_args([*command.path[1:], *("x" for _ in command.arguments)])
                monkeypatch.delenv(option.variable)


def test_the_configuration_on_the_page_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, samples: Path) -> None:
    (tmp_path / "hullmark.toml").write_text("\n".join(reference_pages._example_configuration()))
    monkeypatch.chdir(tmp_path)
    values = build().parse_args(["assess", "image"])
    assert (values.fail_on, values.framework, values.no_progress) == ("critical", ["nist-800-190", "cis-docker"], True)
    assert (values.organisation, values.classification) == ("ACME", "internal")


def test_every_exit_code_has_its_words() -> None:
    assert set(reference_pages.EXIT_CODES) == set(ExitCode)


def test_every_variable_that_the_code_asks_for_is_on_the_page(checkout: Path) -> None:
    asked = {name for package in PACKAGES for path in (checkout / package).rglob("*.py") for name in _variables(path)}
    known = set(reference_pages.VARIABLES)
    of_options = {option.variable for command in command_tree().walk() for option in command.options}
    assert known - asked <= {f"{PREFIX}CONFIG"}, "nobody asks for it"
    assert asked - known - of_options == set()


def _variables(path: Path) -> Iterator[str]:
    """Names that are asked of the environment, which the readers of images are given as `environment`."""
    tree = ast.parse(path.read_text())
    mappings = ("os.environ", "environment") if path.parent.name == "ingest" else ("os.environ",)
    texts = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=value, attr="get"), args=[key, *_]):
                asked = ast.unparse(value), key
            case ast.Subscript(value=value, slice=key):
                asked = ast.unparse(value), key
            case ast.keyword(arg="variable", value=ast.Constant(value=str(name))):
                yield name
                continue
            case _:
                continue
        mapping, key = asked
        if mapping in mappings and isinstance(key, ast.Constant | ast.Name):
            found = key.value if isinstance(key, ast.Constant) else texts.get(key.id)
            if isinstance(found, str):
                yield found


def test_an_error_that_a_user_meets_is_on_the_page(texts: Mapping[Path, str]) -> None:
    page = texts[reference_pages.FOLDER / "errors.md"]
    for arguments in (["assess", "--fail-on"], ["assess", "x", "--profile", "no-such"], ["report", "/nonexistent"]):
        with pytest.raises(ComplianceError) as raised:
            run(arguments)
        assert f"\n## {raised.value.code}\n\nExit code" in page


def test_every_error_word_says_what_to_do(texts: Mapping[Path, str]) -> None:
    page = texts[reference_pages.FOLDER / "errors.md"]
    sections = page.split("\n## ")[1:]
    assert len(sections) == len(error_words())
    assert [section.partition("\n")[0] for section in sections if "\n- do: " not in section] == []


def test_every_framework_has_a_page_with_all_its_controls(texts: Mapping[Path, str]) -> None:
    for framework in load_library().frameworks:
        page = texts[reference_pages.FOLDER / "frameworks" / f"{framework.id}.md"]
        assert page.count("\n### ") == len(framework.controls)
    assert len(FRAMEWORKS) == len(load_library().frameworks)


def test_the_man_page_is_clean_and_shows() -> None:
    path = str(reference_pages.MAN_PAGE)
    lint = subprocess.run([program("mandoc"), "-T", "lint", "-W", "warning", path], capture_output=True, text=True)
    assert lint.stdout == ""
    groff = subprocess.run(
        [program("groff"), "-man", "-ww", "-Tutf8", "-Kutf8", path], capture_output=True, text=True, encoding="utf-8"
    )
    assert (groff.returncode, groff.stderr) == (0, "")
    assert "supply-chain compliance reporter" in groff.stdout
