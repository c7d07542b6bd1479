"""The project's site, built in a folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


def build_site(folder: Path) -> Path:
    """The built pages; `folder` gets a copy of what they are made from. Fails when the strict build does."""
    shutil.copytree(CHECKOUT / "docs", folder / "docs")
    shutil.copy(CHECKOUT / "mkdocs.yml", folder)
    program = Path(sys.executable).with_name("zensical")
    run = subprocess.run(
        [str(program), "build", "--strict", "--config-file", "mkdocs.yml"],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "HOME": str(folder)},
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return folder / ".site"


def pages_of(site: Path) -> tuple[Path, ...]:
    """The HTML pages, assets aside."""
    return tuple(sorted(path for path in site.rglob("*.html") if "assets" not in path.relative_to(site).parts))
