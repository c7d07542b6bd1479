"""Starting the command loads nothing that only some of its work needs."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "aiohttp",
    "cyclonedx",
    "jinja2",
    "pandas",
    "pydantic",
    "pyhanko",
    "requests",
    "rich.progress",
    "rich.table",
    "sigstore",
    "weasyprint",
    "yaml",
)

REPORT = """
import atexit, sys
atexit.register(lambda: print(*sorted(sys.modules), sep="\\n", file=sys.stderr))
"""


def loaded_after(program: str, checkout: Path) -> set[str]:
    """The modules a fresh interpreter has loaded when `program` is done."""
    command = [sys.executable, "-c", REPORT + program]
    run = subprocess.run(command, cwd=checkout, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    return set(run.stderr.splitlines())


@pytest.mark.parametrize(
    "program",
    [
        "import compliance.cli.main",
        "import sys; sys.argv = ['hullmark', 'version']; from compliance.cli.main import main; main()",
    ],
    ids=["import", "version"],
)
def test_starting_the_command_loads_no_heavy_library(checkout: Path, program: str) -> None:
    loaded = loaded_after(program, checkout)
    assert "compliance.cli.main" in loaded
    assert not loaded.intersection(HEAVY)


def test_an_inventory_loads_nothing_that_verifies_signatures(checkout: Path, samples: Path) -> None:
    arguments = ["hullmark", "sbom", "-q", "--no-cache", f"oci-dir:{samples / 'hardened'}"]
    program = f"import sys; sys.argv = {arguments}; from compliance.cli.main import main; main()"
    loaded = loaded_after(program, checkout)
    assert "compliance.formats.cyclonedx" in loaded
    assert not loaded.intersection(("compliance.model.verification", "cryptography", "importlib.metadata", "sigstore"))
