"""The workflows are well-formed, take only what is pinned, and hold no secret and no right that a job does not need."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from tests.builders.program import foreign_file, program

WORKFLOWS = ("ci.yml", "release.yml")
PINNED = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+")
RIGHTS = {
    "ci.yml": {"gate": {"contents": "read"}},
    "release.yml": {
        "build": {"contents": "read"},
        "provenance": {"attestations": "write", "id-token": "write"},
        "image": {"attestations": "write", "id-token": "write", "packages": "write"},
        "publish": {"id-token": "write"},
        "release": {"contents": "write"},
    },
}
"""Every right of every job: another one is a decision."""


def read(checkout: Path, name: str) -> tuple[str, dict[str, Any]]:
    text = (checkout / ".github/workflows" / name).read_text()
    document = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 # the one that leaves `on` a word; makes strings alone
    assert isinstance(document, dict)
    return text, document


def test_all_workflows_are_looked_at(checkout: Path) -> None:
    assert {path.name for path in (checkout / ".github/workflows").iterdir()} == set(WORKFLOWS)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_it_fits_the_schema_of_workflows(checkout: Path, name: str) -> None:
    schema = json.loads(foreign_file("github-workflows.json").read_text())
    document = yaml.safe_load(read(checkout, name)[0])
    document["on"] = document.pop(True)  # YAML 1.1 takes `on` for a truth value
    assert [error.message for error in jsonschema_rs.validator_for(schema).iter_errors(document)] == []


def test_actionlint_finds_nothing(checkout: Path) -> None:
    words = [program("actionlint"), *(str(checkout / ".github/workflows" / name) for name in WORKFLOWS)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_action_is_pinned_to_a_commit_and_says_its_version(checkout: Path, name: str) -> None:
    uses = re.findall(r"uses: (.*)", read(checkout, name)[0])
    assert uses
    assert [line for line in uses if not PINNED.fullmatch(line)] == []


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_job_has_the_rights_it_needs_alone_and_an_end(checkout: Path, name: str) -> None:
    text, document = read(checkout, name)
    assert document["permissions"] == {}
    assert {job: item["permissions"] for job, item in document["jobs"].items()} == RIGHTS[name]
    assert all("timeout-minutes" in item for item in document["jobs"].values())
    assert "secrets." not in text


@pytest.mark.parametrize("name", WORKFLOWS)
def test_no_script_is_put_together_from_what_others_wrote(checkout: Path, name: str) -> None:
    """An expression in a script is text that whoever names a branch or a tag writes into it."""
    steps = (step for job in read(checkout, name)[1]["jobs"].values() for step in job["steps"])
    assert [step["run"] for step in steps if "${{" in step.get("run", "")] == []


def test_what_builds_can_neither_sign_nor_publish(checkout: Path) -> None:
    """Code of the checkout and of its dependencies runs in the first job alone, or inside the image."""
    jobs = read(checkout, "release.yml")[1]["jobs"]
    checked_out = {name for name, job in jobs.items() for step in job["steps"] if "checkout@" in step.get("uses", "")}
    assert checked_out == {"build"}
    assert all(
        step["with"]["persist-credentials"] == "false"
        for step in jobs["build"]["steps"]
        if "checkout@" in step.get("uses", "")
    )
