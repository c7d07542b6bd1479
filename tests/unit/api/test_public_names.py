"""What `compliance` itself offers: every name, for programs and for type checkers, and importing it is light."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import compliance

TYPED = """
from compliance import Assessment, Store, Trust, assess, open_image, verify_evidence

image: Assessment = assess("oci-dir:app", profile="runtime", trust=Trust(key="app.pub"))
word: str = image.outcome
reveal_type(open_image("oci-dir:app").inventory)
reveal_type(verify_evidence("evidence").outcome)
reveal_type(Store("fleet.db").at(1))
assess("oci-dir:app", prfile="runtime")
"""


@pytest.mark.parametrize("name", compliance.__all__)
def test_every_public_name_is_there_and_says_what_it_is(name: str) -> None:
    found = getattr(compliance, name)
    assert found.__doc__
    assert name in dir(compliance)


def test_every_public_name_has_one_home_that_type_checkers_see_too() -> None:
    assert sorted(compliance._HOMES) == compliance.__all__
    source = Path(str(compliance.__file__)).read_text()
    for name, home in compliance._HOMES.items():
        (line,) = [line for line in source.splitlines() if line.startswith(f"    from {home} import")]
        assert name in line.partition("import ")[2].split(", ")


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing_of_ours"):
        compliance.nothing_of_ours  # noqa: B018


def test_a_type_checker_sees_signatures_and_answers(tmp_path: Path, checkout: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(TYPED)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache")]
    command += ["--config-file", str(checkout / "pyproject.toml"), str(program)]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True)
    assert 'compliance.api.inventory.Inventory"' in done.stdout
    assert 'Revealed type is "str"' in done.stdout.replace("builtins.", "")
    assert 'compliance.api.store.Store"' in done.stdout
    assert 'Unexpected keyword argument "prfile"' in done.stdout
    assert done.stdout.count(" error: ") == 1, done.stdout


@pytest.mark.parametrize(
    "program", ["import compliance", "from compliance import assess, open_image, Assessment, Store"]
)
def test_importing_prints_nothing_and_opens_nothing(program: str, checkout: Path) -> None:
    guard = (
        "import sys, socket\n"
        "def refuse(event, arguments):\n"
        "    writes = event == 'open' and 'w' in str(arguments[1])\n"
        "    if writes or event.startswith(('socket.', 'subprocess.', 'os.system')):\n"
        "        raise RuntimeError(event)\n"
        "sys.addaudithook(refuse)\n"
    )
    report = "\nprint(*sorted({name.partition('.')[0] for name in sys.modules}))"
    run = subprocess.run(
        [sys.executable, "-B", "-c", guard + program + report], cwd=checkout, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    assert len(run.stdout.splitlines()) == 1
    assert not {"pandas", "matplotlib", "sqlalchemy", "sigstore", "weasyprint", "yaml"} & set(run.stdout.split())
