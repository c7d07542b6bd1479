"""Checks in Python that another distribution brings: off unless named, and a broken one is one clear error."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from compliance.errors import UsageError
from compliance.evaluate.runner import run_checks
from compliance.model.outcome import Errored, Passed
from controls.definitions import define
from controls.registry import CHECKS
from tests.builders.evidence import evidence

GOOD = """
from compliance.model.outcome import Check, Observation, ObservationKind, Passed, Severity, Trait

def run(evidence):
    return Passed(observations=(Observation(summary="It was looked at.", kind=ObservationKind.NOTE),))

def check(id, run=run, **more):
    texts = dict(title="A title", rationale="R.", looks_at="L.", proves="P.", remediation="M.")
    return Check(id=id, trait=Trait.PURPOSE, severity=Severity.LOW, run=run, **{**texts, **more})

ONE = check("ACME-100")
SEVERAL = (check("ACME-101"), check("ACME-102"))
"""

Install = Callable[[str], str]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a distribution whose module has that text; the module's name. Entry points one and several."""
    monkeypatch.syspath_prepend(str(tmp_path))
    module = f"acme_{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:8]}"

    def make(text: str) -> str:
        (tmp_path / f"{module}.py").write_text(text)
        info = tmp_path / "acme_checks-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-checks\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[hullmark.checks]\none = {module}:ONE\nseveral = {module}:SEVERAL\n")
        return module

    yield make
    sys.modules.pop(module, None)


def test_named_ones_run_after_ours_and_are_told_with_their_digest(install: Install, tmp_path: Path) -> None:
    module = install(GOOD)
    found = define(checks=("one", "several"))
    assert [check.id for check in found.checks[len(CHECKS) :]] == ["ACME-100", "ACME-101", "ACME-102"]
    (result, *_) = run_checks(found.checks[len(CHECKS) :], evidence({}))
    assert isinstance(result.outcome, Passed)
    first, second = found.files
    assert (first.role, first.name) == ("plugin", "one (acme-checks 1.2)")
    assert first.sha256 == second.sha256 == hashlib.sha256((tmp_path / f"{module}.py").read_bytes()).hexdigest()


def test_what_is_installed_and_not_named_is_not_even_loaded(install: Install) -> None:
    module = install("raise RuntimeError('loaded')")
    assert define().checks == CHECKS
    assert module not in sys.modules


def test_a_name_that_nobody_brings_is_told_with_those_that_are_there(install: Install) -> None:
    install(GOOD)
    with pytest.raises(UsageError, match="no file and no plugin") as caught:
        define(checks=("two",))
    assert "installed under hullmark.checks: one, several" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import nothing_of_that_name", "it does not load: ModuleNotFoundError"),
        ("raise SystemExit(3)", "it does not load: SystemExit"),
        ("ONE =", "it does not load: SyntaxError"),
        ("x = 1", "it does not load: AttributeError"),
        ("ONE = 7", "it does not load: TypeError"),
        ("ONE = ()", "it brings no check"),
        ("ONE = ('x',)", "it brings str, which is no Check"),
        (f"{GOOD}\nONE = check('RM-SHELL')", "'RM-SHELL' is not an id for a check of yours"),
        (f"{GOOD}\nONE = check(5)", "5 is not an id for a check of yours"),
        (f"{GOOD}\nONE = (check('ACME-1'), check('ACME-1'))", "'ACME-1' is taken"),
        (f"{GOOD}\nONE = check('ACME-1', proves='')", "ACME-1 lacks a text"),
        (f"{GOOD}\nONE = check('ACME-1', run=None)", "lacks a severity, a trait or something to run"),
    ],
)
def test_a_broken_one_is_one_error_that_names_it(install: Install, text: str, says: str) -> None:
    install(text)
    with pytest.raises(UsageError) as caught:
        define(checks=("one",))
    error = caught.value
    assert (error.code, error.where) == ("plugin-broken", "one (acme-checks 1.2)")
    assert says in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize("body", ["raise ValueError('x')", "return True", "return None"])
def test_one_that_breaks_while_it_runs_is_errored(install: Install, body: str) -> None:
    install(f"{GOOD}\ndef wrong(evidence):\n    {body}\n\nONE = check('ACME-1', run=wrong)\n")
    (result,) = run_checks(define(checks=("one",)).checks[len(CHECKS) :], evidence({}))
    assert isinstance(result.outcome, Errored)
