"""Completion in the shells themselves: the script is sourced, keys are typed, what comes is looked at."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from compliance.cli.command_tree import Command, command_tree
from compliance.cli.completion import IMAGE, SHELLS, script, value_kind
from compliance.cli.main import COMMANDS, run
from compliance.formats import sbom
from controls.loader import FRAMEWORKS
from reports.exporter import FORMATS
from tests.builders.program import program
from tests.builders.shell_terminal import shell

CASES: tuple[tuple[str, list[str]], ...] = (
    ("hullmark ass", ["assess"]),
    ("hullmark evidence v", ["verify"]),
    ("hullmark evidence verify --ke", ["--key"]),
    ("hullmark --vers", ["--version"]),
    ("hullmark assess --fail-on cr", ["critical"]),
    ("hullmark assess --color=al", ["always"]),
    ("hullmark assess --title report --fr", ["--framework"]),
    ("hullmark assess oci-dir:layout --evid", ["--evidence"]),
    ("hullmark assess --framework pc", ["pci-dss"]),
    ("hullmark assess -o sar", ["sarif"]),
    ("hullmark assess oci-a", ["oci-archive:"]),
    ("hullmark assess oci-dir:lay", ["oci-dir:layout/"]),
    ("hullmark verify --key pub", ["public.pem"]),
    ("hullmark report asse", ["assessment.json"]),
    ("hullmark completion z", ["zsh"]),
    ("hullmark version z", []),
)


@pytest.fixture(scope="module")
def tree() -> Command:
    return command_tree()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "layout").mkdir()
    (tmp_path / "public.pem").touch()
    (tmp_path / "assessment.json").touch()
    return tmp_path


def _written(name: str, tree: Command, folder: Path) -> Path:
    path = folder / f".script.{name}"
    path.write_text(script(name, tree))
    return path


@pytest.mark.parametrize("name", SHELLS)
def test_the_command_prints_a_script_that_the_shell_can_read(
    name: str, tree: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(("completion", name)) == 0
    path = tmp_path / "script"
    path.write_text(capsys.readouterr().out)
    assert path.read_text() == script(name, tree)
    checked = subprocess.run([program(name), "-n", str(path)], capture_output=True, text=True)
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize(("line", "expected"), CASES)
def test_bash_offers(line: str, expected: list[str], tree: Command, folder: Path) -> None:
    """The words as readline parts them, at = and : too; what it gets replaces the last of them."""
    parts = line.replace(":", " : ").replace("=", " = ").split()
    ask = f"""
    source {_written("bash", tree, folder)}
    COMP_WORDS=({" ".join(parts)}) COMP_CWORD={len(parts) - 1}
    _hullmark
    printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    answer = subprocess.run([program("bash"), "-c", ask], cwd=folder, capture_output=True, text=True)
    assert answer.stderr == ""
    last = [item.rpartition(":")[2].rstrip("/") if ":" in line else item for item in expected]
    assert answer.stdout.split() == last


@pytest.mark.parametrize(("line", "expected"), CASES)
def test_fish_offers(line: str, expected: list[str], tree: Command, folder: Path) -> None:
    ask = f'source {_written("fish", tree, folder)}; complete -C "{line}"'
    answer = subprocess.run([program("fish"), "-N", "-c", ask], cwd=folder, capture_output=True, text=True)
    assert answer.stderr == ""
    offered = [row.partition("\t")[0].rpartition("=")[2] for row in answer.stdout.splitlines()]
    assert offered == expected


@pytest.mark.parametrize("name", ["bash", "zsh"])
def test_a_terminal_completes_what_is_typed(name: str, tree: Command, folder: Path) -> None:
    with shell(name, _written(name, tree, folder), folder) as terminal:
        for line, expected in CASES:
            if not expected:
                continue
            terminal.type(f"{line}\t")
            # Typed parts are shown first; the whole word only once it is completed.
            whole = line[: len(line) - len(line.split()[-1].rpartition("=")[2])] + expected[0]
            terminal.wait_for(whole)
            terminal.type("\x15\n")  # the line is not run
            terminal.wait_for("ready> ")


@pytest.mark.parametrize("name", ["bash", "zsh"])
def test_a_terminal_lists_the_commands(name: str, tree: Command, folder: Path) -> None:
    with shell(name, _written(name, tree, folder), folder) as terminal:
        terminal.type("hullmark \t\t")
        shown = ""
        while not all(command in shown for command in COMMANDS):
            shown += terminal.wait_for("\n")


def test_the_formats_offered_are_those_that_are_written(tree: Command) -> None:
    (assess,) = (command for command in tree.commands if command.path[-1] == "assess")
    (output,) = (option for option in assess.options if "-o" in option.flags)
    kinds = value_kind(output, output.value or "")
    written = {"table", *FORMATS, *sbom.NAMES}
    assert set(kinds[:-1]) == {name for name in written if "@" not in name}
    assert kinds[-1] == "files"


def test_every_shipped_framework_and_every_image_is_offered(tree: Command) -> None:
    (assess,) = (command for command in tree.commands if command.path[-1] == "assess")
    (framework,) = (option for option in assess.options if "--framework" in option.flags)
    assert value_kind(framework, framework.value or "")[:-1] == tuple(FRAMEWORKS)
    assert value_kind(assess.arguments[0], assess.arguments[0].name) == (IMAGE,)
