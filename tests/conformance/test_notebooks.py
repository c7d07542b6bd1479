"""The notebooks: stored without outputs, short, and each runs from start to end as a user would run it."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LINES_MAX = 14
PNG = b"\x89PNG\r\n\x1a\n"


def read(notebook: Path) -> Any:
    return nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]


def cells(notebook: Path, kind: str) -> list[Any]:
    return [cell for cell in read(notebook).cells if cell.cell_type == kind]


def outputs(executed: Any) -> list[Any]:
    return [output for cell in executed.cells if cell.cell_type == "code" for output in cell.outputs]


def text_of(output: Any) -> str:
    parts = [output.get("text", ""), *output.get("traceback", ()), *output.get("data", {}).values()]
    return "\n".join(part if isinstance(part, str) else "" for part in parts)


def test_they_are_numbered() -> None:
    assert [path.name.partition("-")[0] for path in NOTEBOOKS] == [str(number) for number in range(1, 8)]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_nothing_that_a_run_leaves_is_stored(notebook: Path) -> None:
    whole = read(notebook)
    nbformat.validate(whole)
    assert set(whole.metadata) == {"kernelspec", "language_info"}
    assert set(whole.metadata.language_info) == {"name"}
    for cell in whole.cells:
        assert cell.metadata == {}
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_are_short_and_hold_no_logic_of_their_own(notebook: Path) -> None:
    for cell in cells(notebook, "code"):
        lines = cell.source.splitlines()
        assert cell.source.startswith("%%writefile") or len(lines) <= LINES_MAX, cell.source
        assert not [line for line in lines if line.startswith(("def ", "class ", "for ", "while ", "if "))]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_first_cell_says_what_it_is_and_the_last_what_is_not_proved(notebook: Path) -> None:
    told = cells(notebook, "markdown")
    assert told[0].source.startswith(f"# {notebook.name.partition('-')[0]}. ")
    assert "**Proved:**" in told[-1].source
    assert any(words in told[-1].source for words in ("**Not proved:**", "**Yours to answer for:**"))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_from_start_to_end(notebook: Path, tmp_path: Path) -> None:
    out = tmp_path / "executed.ipynb"
    environment = {**os.environ, "TMPDIR": str(tmp_path), "IPYTHONDIR": str(tmp_path / "ipython")}
    command: list[str | Path] = [sys.executable, "-m", "tests.builders.notebook_run", notebook, out]
    done = subprocess.run(command, cwd=FOLDER.parent, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-4000:]
    executed = read(out)
    found = outputs(executed)
    assert [output for output in found if output.output_type == "error"] == []
    assert [text for output in found if "Warning" in (text := text_of(output)) or "Traceback" in text] == []
    assert not [output.text for output in found if output.get("name") == "stderr"]
    plotting = sum(cell.source.rstrip().endswith(");") for cell in executed.cells if ".hullmark." in cell.source)
    figures = [output.data["image/png"] for output in found if "image/png" in output.get("data", {})]
    assert len(figures) == plotting
    for figure in figures:
        content = base64.b64decode(figure)
        assert content.startswith(PNG)
        assert len(content) > 5_000
