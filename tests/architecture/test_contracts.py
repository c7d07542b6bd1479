"""The layering holds: import-linter's contracts of pyproject.toml, and what those cannot say."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGES = ("compliance", "controls", "reports")
MAY_REACH_THE_NETWORK = ("compliance.ingest", "compliance.sign", "compliance.fleet")


def modules(checkout: Path, *packages: str) -> Iterator[tuple[str, ast.Module]]:
    """The dotted name and the syntax tree of each module of `packages`."""
    for package in packages:
        for path in sorted((checkout / package.replace(".", "/")).rglob("*.py")):
            parts = path.relative_to(checkout).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            yield name, ast.parse(path.read_bytes(), filename=str(path))


def imports(tree: ast.Module) -> Iterator[str]:
    """The absolute names that `tree` imports; `from a import b` gives both `a` and `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide who imports whom"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_in(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def test_import_contracts_hold(checkout: Path) -> None:
    command = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run([command, "--no-logo", "--no-cache"], cwd=checkout, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_model_imports_the_standard_library_alone(checkout: Path) -> None:
    allowed = (*sys.stdlib_module_names, "compliance.model", "compliance.errors")
    foreign = [
        f"{name} imports {imported}"
        for name, tree in modules(checkout, "compliance.model")
        for imported in imports(tree)
        if not is_in(imported, allowed)
    ]
    assert not foreign


@pytest.mark.parametrize("reach", ["os", "io", "pathlib.Path", "shutil", "socket", "subprocess", "tempfile", "time"])
def test_the_model_does_no_io_and_reads_no_clock(checkout: Path, reach: str) -> None:
    reaching = [
        name for name, tree in modules(checkout, "compliance.model") if any(is_in(i, (reach,)) for i in imports(tree))
    ]
    assert not reaching


def test_only_ingest_sign_and_fleet_open_addresses(checkout: Path) -> None:
    opening = [
        name
        for name, tree in modules(checkout, *PACKAGES)
        if not is_in(name, MAY_REACH_THE_NETWORK) and any(is_in(i, ("urllib.request",)) for i in imports(tree))
    ]
    assert not opening


def test_nothing_but_the_command_line_imports_the_command_line_library(checkout: Path) -> None:
    importing = [
        name
        for name, tree in modules(checkout, *PACKAGES)
        if not is_in(name, ("compliance.cli",)) and any(is_in(i, ("argparse",)) for i in imports(tree))
    ]
    assert not importing


def test_every_module_says_what_it_is(checkout: Path) -> None:
    silent = [name for name, tree in modules(checkout, *PACKAGES, "tests") if tree.body and not ast.get_docstring(tree)]
    assert not silent


@pytest.mark.parametrize("word", ["utils", "util", "helpers", "helper", "common", "misc", "shared"])
def test_no_module_is_named_after_nothing(checkout: Path, word: str) -> None:
    named = [name for name, _ in modules(checkout, *PACKAGES, "tests") if word in name.rpartition(".")[2].split("_")]
    assert not named


def test_no_clock_is_read_where_results_are_made(checkout: Path) -> None:
    """The time is read once a run, by the command or the call that a program makes, and passed down."""
    clocks = {"now", "utcnow", "today"}
    reading = [
        f"{name}:{node.lineno}"
        for name, tree in modules(checkout, *PACKAGES)
        if not is_in(name, ("compliance.api", "compliance.cli", "compliance.fleet"))
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in clocks
        and isinstance(node.value, ast.Name | ast.Attribute)
        and (node.value.id if isinstance(node.value, ast.Name) else node.value.attr) in {"datetime", "date"}
    ]
    assert not reading
