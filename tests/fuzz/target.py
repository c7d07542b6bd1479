"""One harness under atheris: ``python -m tests.fuzz.target HARNESS [libFuzzer's arguments]``."""

from __future__ import annotations

import importlib
import sys
from typing import Any


def main() -> None:
    """Instrument what is under test, then fuzz until libFuzzer is told to stop or something is found."""
    atheris: Any = importlib.import_module("atheris")  # not among the locked packages: see run
    with atheris.instrument_imports(include=["compliance"]):
        harnesses = importlib.import_module("tests.fuzz.harnesses")
    name = sys.argv[1]
    harness = next(one for one in harnesses.HARNESSES if one.name == name)
    atheris.Setup([sys.argv[0], *sys.argv[2:], f"-max_len={harness.max_len}"], harness.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
