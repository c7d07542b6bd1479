"""The wheel holds what runs, its data and nothing else; an sdist builds the same; extras are what the code asks for."""

from __future__ import annotations

import ast
import email.parser
import importlib.metadata
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PACKAGES = ("compliance", "controls", "reports")


def build(source: Path, folder: Path, target: str) -> Path:
    """The one file that hatchling makes of `source`, without network."""
    words = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(folder)]
    done = subprocess.run(words, cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob({"wheel": "*.whl", "sdist": "*.tar.gz"}[target])
    return path


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, checkout: Path) -> Path:
    return build(checkout, tmp_path_factory.mktemp("wheel"), "wheel")


def members(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}


def sources(checkout: Path) -> Iterator[Path]:
    """Every file of the three packages but decision records and bytecode."""
    for package in PACKAGES:
        for path in sorted((checkout / package).rglob("*")):
            name = path.relative_to(checkout)
            if path.is_file() and "__pycache__" not in name.parts and name.parts[:2] != ("compliance", "adr"):
                yield path


def test_the_wheel_holds_the_packages_with_their_data_the_manual_and_nothing_else(wheel: Path, checkout: Path) -> None:
    held = members(wheel)
    own = {name for name in held if name.split("/")[0] in PACKAGES}
    assert own == {path.relative_to(checkout).as_posix() for path in sources(checkout)}
    rest = {re.sub(r"^hullmark-[0-9.]+\.", "", name) for name in held.keys() - own}
    assert rest == {
        "data/data/share/man/man1/hullmark.1",
        "dist-info/METADATA",
        "dist-info/RECORD",
        "dist-info/WHEEL",
        "dist-info/entry_points.txt",
        "dist-info/licenses/LICENSE",
    }


def test_an_sdist_holds_no_tests_and_builds_the_same_wheel(wheel: Path, checkout: Path, tmp_path: Path) -> None:
    sdist = build(checkout, tmp_path / "sdist", "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.glob("hullmark-*")
    assert not (source / "tests").exists()
    again = build(source, tmp_path / "wheel", "wheel")
    assert members(again) == members(wheel)
    assert again.read_bytes() == wheel.read_bytes()


def extras_of(checkout: Path) -> dict[str, tuple[Requirement, ...]]:
    project = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]
    return {name: tuple(map(Requirement, texts)) for name, texts in project["optional-dependencies"].items()}


def test_the_wheel_states_each_extra_as_pyproject_does(wheel: Path, checkout: Path) -> None:
    (metadata,) = (data for name, data in members(wheel).items() if name.endswith("/METADATA"))
    headers = email.parser.BytesParser().parsebytes(metadata)
    extras = extras_of(checkout)
    assert set(headers.get_all("Provides-Extra", ())) == set(extras)
    stated = [Requirement(text) for text in headers.get_all("Requires-Dist", ())]
    for extra, wanted in extras.items():
        found = {
            (canonicalize_name(item.name), frozenset(item.extras), item.specifier)
            for item in stated
            if item.marker and item.marker.evaluate({"extra": extra}) and not item.marker.evaluate({"extra": ""})
        }
        assert found == {(canonicalize_name(item.name), frozenset(item.extras), item.specifier) for item in wanted}


def test_every_extra_is_named_by_the_message_of_something_missing_and_no_other_is(checkout: Path) -> None:
    code = "\n".join(path.read_text() for path in sources(checkout) if path.suffix == ".py")
    named = set(re.findall(r"hullmark\[([a-z0-9-]+)\]", code))
    assert named == set(extras_of(checkout))


def imported(path: Path) -> set[str]:
    """The first part of each absolute name that a module imports, at its head or later."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.partition(".")[0])
    return found


def needed_by(name: str, extras: frozenset[str], seen: set[tuple[str, frozenset[str]]]) -> None:
    """Add to `seen` what an installed distribution needs, directly or not."""
    if (name, extras) in seen:
        return
    try:
        requires = importlib.metadata.requires(name) or ()
    except importlib.metadata.PackageNotFoundError:
        return
    seen.add((name, extras))
    for text in requires:
        need = Requirement(text)
        if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            needed_by(canonicalize_name(need.name), frozenset(need.extras), seen)


def test_every_import_is_of_the_standard_library_a_dependency_or_an_extra(checkout: Path) -> None:
    project = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]
    asked = [
        *map(Requirement, project["dependencies"]),
        *(item for items in extras_of(checkout).values() for item in items),
    ]
    seen: set[tuple[str, frozenset[str]]] = set()
    for item in asked:
        needed_by(canonicalize_name(item.name), frozenset(item.extras), seen)
    provided = {name for name, _ in seen}
    owners = importlib.metadata.packages_distributions()
    strange = {
        f"{path.relative_to(checkout)}: {module}"
        for path in sources(checkout)
        if path.suffix == ".py"
        for module in imported(path) - set(PACKAGES) - sys.stdlib_module_names - {"__main__"}
        if not provided & {canonicalize_name(owner) for owner in owners.get(module, ())}
    }
    assert not strange
