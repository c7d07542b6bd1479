"""Our own image is the same by both of its recipes; .ci/run builds, runs and assesses it."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def recipe(checkout: Path) -> ModuleType:
    loader = SourceFileLoader("own_image", str(checkout / "tools/image"))
    module = ModuleType(loader.name)
    module.__file__ = loader.path
    written = sys.dont_write_bytecode
    loader.exec_module(module)
    sys.dont_write_bytecode = written
    return module


def last_stage(checkout: Path) -> dict[str, list[str]]:
    """The instructions of Containerfile's last stage, continued lines joined, by name."""
    text = re.sub(r"\\\n\s*", "", (checkout / "Containerfile").read_text())
    lines = text[text.rindex("\nFROM ") :].strip().splitlines()
    found: dict[str, list[str]] = {}
    for line in lines:
        name, _, rest = line.partition(" ")
        found.setdefault(name, []).append(rest)
    return found


def test_the_containerfile_configures_the_image_as_the_recipe_without_an_engine_does(
    checkout: Path, recipe: ModuleType
) -> None:
    stage, config = last_stage(checkout), recipe.CONFIG
    assert stage["FROM"] == ["scratch"]
    assert stage["COPY"] == ["--from=build /image/ /"]
    assert shlex.split(stage["ENV"][0]) == config["Env"]
    assert (stage["USER"], stage["WORKDIR"]) == ([config["User"]], [config["WorkingDir"]])
    assert (json.loads(stage["ENTRYPOINT"][0]), json.loads(stage["CMD"][0])) == (config["Entrypoint"], config["Cmd"])
    labels = dict(word.split("=", 1) for word in shlex.split(stage["LABEL"][0]))
    assert recipe.VARIANT.items() <= labels.items()


def test_both_ignore_files_let_the_same_through(checkout: Path) -> None:
    assert (checkout / ".dockerignore").read_bytes() == (checkout / ".containerignore").read_bytes()


def test_an_sbom_of_a_wheel_is_completed_where_it_names_no_package_url(recipe: ModuleType) -> None:
    stated = {"purl": "pkg:pypi/pillow@13.0.0", "name": "pillow", "version": "13.0.0"}
    unnamed = {"name": "libjpeg / libjpeg-turbo", "version": "3.2.0"}
    document = json.dumps({"components": [stated, unnamed, {"name": "pybind11"}]}).encode()
    assert json.loads(recipe.complete(document))["components"] == [
        stated,
        {**unnamed, "purl": "pkg:generic/libjpeg%20%2F%20libjpeg-turbo@3.2.0"},
        {"name": "pybind11"},
    ]


def test_the_command_runs_isolated_and_without_a_shell(recipe: ModuleType) -> None:
    assert recipe.FILES[recipe.COMMAND].startswith("#!/usr/bin/python3.11 -IB\n")


@pytest.mark.parametrize("script", ["tools/own-report", "tools/try-image"])
def test_a_script_says_how_it_is_used(checkout: Path, script: str) -> None:
    done = subprocess.run([checkout / script], capture_output=True, text=True)
    assert done.returncode != 0
    assert f"usage: {script} LAYOUT" in done.stderr
