"""The fleet of examples/fleet, assessed twice, a week apart, by the command itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
MAKE = CHECKOUT / "examples" / "fleet" / "make.py"
COMMAND = Path(sys.executable).with_name("hullmark")
TIMES = ("2026-11-11T06:00:00Z", "2026-11-18T06:00:00Z")


def example_fleet(folder: Path) -> Path:
    """Make it and run it; the store's file."""
    for number, time in enumerate(TIMES):
        _run([sys.executable, MAKE, folder, *(["--next-week"] if number else [])])
        _run([COMMAND, "fleet", "run", folder / "FLEET.yaml", "--effective-time", time, "-q"], (0, 10, 11, 12))
    return folder / "hullmark-fleet.db"


def _run(command: list[str | Path], codes: tuple[int, ...] = (0,)) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode in codes, done.stderr
