"""The recipes for pipelines and clusters: their steps are run, and what the command is given is what it takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from compliance.cli.main import build
from tests.builders.page_blocks import blocks
from tests.builders.program import foreign_file

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = "docs/guides/platform-teams.md"


def recipe(name: str) -> dict[Any, Any]:
    """The file of that name on the page."""
    (text,) = (block.text for block in blocks(CHECKOUT / PAGE, PAGE) if block.title == name)
    loaded = yaml.safe_load(text)
    assert isinstance(loaded, dict)
    return {"on" if key is True else key: value for key, value in loaded.items()}  # in YAML 1.1 on is true


def run_steps(steps: str, image: str, folder: Path, more: Mapping[str, str]) -> int:
    """The exit code of a job's lines, run as a runner does: in one shell that ends at the first failure."""
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "HULLMARK_CACHE_DIR": os.environ["HULLMARK_CACHE_DIR"],
        "IMAGE": image,
        **more,
    }
    return subprocess.run(["bash", "-e", "-o", "pipefail", "-c", steps], cwd=folder, env=environment).returncode


def test_the_github_job_writes_evidence_findings_and_a_summary(tmp_path: Path, samples: Path) -> None:
    job = recipe(".github/workflows/hullmark.yml")["jobs"]["assess"]
    (steps,) = (step["run"] for step in job["steps"] if step["name"] == "assess")
    summary = tmp_path / "summary.md"
    more = {"GITHUB_STEP_SUMMARY": str(summary), "HULLMARK_SIGN_KEY": job["env"]["HULLMARK_SIGN_KEY"]}
    assert run_steps(steps, f"oci-dir:{samples / 'hardened'}", tmp_path, more) == 0
    assert summary.read_text().startswith("#")
    written = {step["with"]["path"] for step in job["steps"] if "upload-artifact" in step.get("uses", "")}
    written |= {step["with"]["sarif_file"] for step in job["steps"] if "upload-sarif" in step.get("uses", "")}
    assert {name for name in written if not (tmp_path / name).exists()} == set()
    assert json.loads((tmp_path / "findings.sarif").read_bytes())["version"] == "2.1.0"
    assert list((tmp_path / "evidence" / "attestations").glob("*.sigstore.json"))


def test_the_gitlab_job_fails_for_an_image_that_is_not_satisfied(tmp_path: Path, samples: Path) -> None:
    job = recipe(".gitlab-ci.yml")["hullmark"]
    assert run_steps("\n".join(job["script"]), f"oci-dir:{samples / 'ordinary'}", tmp_path, {}) == 10
    kept = [*job["artifacts"]["paths"], job["artifacts"]["reports"]["junit"]]
    assert {name for name in kept if not (tmp_path / name).exists()} == set()


@pytest.mark.parametrize(
    ("name", "schema", "part"),
    [
        (".github/workflows/hullmark.yml", "github-workflows.json", None),
        (".gitlab-ci.yml", "gitlab-ci.json", None),
        ("cronjob.yaml", "kubernetes-definitions.json", "#/$defs/io.k8s.api.batch.v1.CronJob"),
    ],
)
def test_what_runs_a_recipe_takes_it(name: str, schema: str, part: str | None) -> None:
    """By the schemas that their makers publish; unknown fields are refused."""
    definitions = json.loads(foreign_file(schema).read_bytes())
    validator = jsonschema_rs.validator_for({**definitions, "$ref": part} if part else definitions)
    assert [f"{error.instance_path}: {error.message}" for error in validator.iter_errors(recipe(name))] == []


def test_every_line_of_a_job_is_a_text() -> None:
    """A colon and a blank in it would make it a mapping, which GitLab refuses."""
    job = recipe(".gitlab-ci.yml")["hullmark"]
    assert [line for line in (*job["before_script"], *job["script"]) if not isinstance(line, str)] == []


def test_a_job_says_when_what_it_keeps_is_kept() -> None:
    """What failed is what somebody wants to look at."""
    job = recipe(".github/workflows/hullmark.yml")["jobs"]["assess"]
    assert all("cancelled" in step["if"] for step in job["steps"] if "uses" in step)
    assert recipe(".gitlab-ci.yml")["hullmark"]["artifacts"]["when"] == "always"


def test_the_cluster_job_gives_the_command_what_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    job = recipe("cronjob.yaml")
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert "command" not in container
    values = build().parse_args(container["args"])
    assert (values.command, values.verb) == ("fleet", "run")
    mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert str(Path(values.fleet).parent) in mounted
    for variable in container["env"]:
        value = variable.get("value", "")
        assert not value.startswith("/") or any(value == path or value.startswith(f"{path}/") for path in mounted), (
            value
        )
    monkeypatch.setenv("HULLMARK_FLEET_STORE", "postgresql://store")
    assert build().parse_args(container["args"]).fleet_store == "postgresql://store"


def test_the_cluster_job_does_not_repeat_an_answer() -> None:
    """The answers about images are exit codes too; only the tool's own failure is worth another try."""
    (rule,) = recipe("cronjob.yaml")["spec"]["jobTemplate"]["spec"]["podFailurePolicy"]["rules"]
    assert rule["onExitCodes"]["values"] == [2, 10, 11, 12]
