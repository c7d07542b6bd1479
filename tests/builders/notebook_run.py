"""Execute a notebook, in a process of its own: ``python -m tests.builders.notebook_run NOTEBOOK OUT``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

SECONDS_A_CELL = 600


def execute(notebook: Path, out: Path) -> None:
    """Run every cell in the notebook's folder; what came of it is in `out`, even where a cell failed."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    whole = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    client = NotebookClient(whole, timeout=SECONDS_A_CELL, resources={"metadata": {"path": str(notebook.parent)}})
    try:
        client.execute()
    finally:
        nbformat.write(whole, out)  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    execute(Path(sys.argv[1]), Path(sys.argv[2]))
