"""Manifests that the schedulers themselves, or their schemas, take; and what they can't express is refused."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from compliance.cli.main import run
from compliance.errors import UsageError
from compliance.fleet.fleet_file import read_fleet
from compliance.formats.public_key import public_pem
from compliance.pipeline import tool_version
from tests.builders.program import foreign_file, program
from tests.unit.fleet.test_group_policy import KEYS, TRUST, WAIVERS

IMAGE = "registry.example/tools/hullmark:1"
FLEET = """schema: 1
name: Production_Fleet
schedule: {cron: "*/20 2 * * 1-5", timezone: Europe/Berlin, jitter: 10m}
limits: {jobs: 3, memory: 2GiB}
notify: [{file: changes.md}]
groups:
  g:
    owner: o
    images: registry.example/a:1
    files: lists/images.txt
    trust: policy/trust.yaml
    waivers: policy/waivers.yaml
"""
UTC = FLEET.replace("Europe/Berlin", "UTC")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "policy" / "keys").mkdir(parents=True)
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "images.txt").write_text("registry.example/b:1  # — ours\n")
    (tmp_path / "policy" / "trust.yaml").write_text(TRUST)
    (tmp_path / "policy" / "waivers.yaml").write_text(WAIVERS)
    (tmp_path / "policy" / "keys" / "release.pub").write_bytes(public_pem(KEYS[0].public_key()))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str], kind: str, text: str, *options: str, name: str = "FLEET.yaml") -> str:
    Path(name).write_text(text)
    assert run(["fleet", "manifest", "--kind", kind, *options, name]) == 0
    return capsys.readouterr().out


def test_systemd_takes_the_units(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = printed(capsys, "systemd", FLEET, "--program", sys.executable)
    service, timer = re.split(r"^# /etc/systemd/system/", told, flags=re.MULTILINE)[1:]
    names = []
    for part in (service, timer):
        name, _, unit = part.partition("\n")
        (folder / name).write_text(unit)
        names.append(name)
    assert names == ["hullmark-production-fleet.service", "hullmark-production-fleet.timer"]
    verified = subprocess.run(
        [program("systemd-analyze"), "verify", *(str(folder / name) for name in names)],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "SYSTEMD_COLORS": "0"},
    )
    ours = [line for line in verified.stderr.splitlines() if "hullmark" in line]
    assert (verified.returncode, ours) == (0, [])
    assert f"ExecStart={sys.executable} fleet run --notify {folder}/FLEET.yaml\n" in service
    assert "OnCalendar=Mon,Tue,Wed,Thu,Fri *-*-* 2:0,20,40:00 Europe/Berlin\nRandomizedDelaySec=600\n" in timer
    assert f"ReadWritePaths={folder}\n" in service
    assert "HULLMARK_FLEET_STORE=/var/lib/hullmark/" in service
    remote = printed(capsys, "systemd", "store: postgresql://db/fleet\n" + FLEET, "--program", sys.executable)
    assert "HULLMARK_FLEET_STORE" not in remote, "the file names a store that every machine reaches"


def test_a_wrong_unit_is_one_that_systemd_refuses(folder: Path) -> None:
    """So that the test above can fail."""
    (folder / "x.service").write_text("[Service]\nType=oneshot\nExecStart=fleet\n")
    verified = subprocess.run([program("systemd-analyze"), "verify", str(folder / "x.service")], capture_output=True)
    assert verified.returncode != 0


@pytest.fixture(scope="module")
def kubernetes() -> dict[str, jsonschema_rs.Validator]:
    """What Kubernetes takes of each kind; unknown fields are refused."""
    definitions = json.loads(foreign_file("kubernetes-definitions.json").read_bytes())
    names = {"CronJob": "batch", "ConfigMap": "core", "PersistentVolumeClaim": "core"}
    return {
        kind: jsonschema_rs.validator_for({**definitions, "$ref": f"#/$defs/io.k8s.api.{group}.v1.{kind}"})
        for kind, group in names.items()
    }


def test_kubernetes_takes_the_cronjob_and_its_files(
    folder: Path, capsys: pytest.CaptureFixture[str], kubernetes: dict[str, jsonschema_rs.Validator]
) -> None:
    documents: list[dict[str, Any]] = list(
        yaml.safe_load_all(printed(capsys, "cronjob", FLEET, "--image", IMAGE))
    )  # fmt: skip
    assert [one["kind"] for one in documents] == ["ConfigMap", "PersistentVolumeClaim", "CronJob"]
    for one in documents:
        assert [error.message for error in kubernetes[one["kind"]].iter_errors(one)] == []
        assert not kubernetes[one["kind"]].is_valid({**one, "specs": {}})
    files, _, job = documents
    spec = job["spec"]
    assert (spec["schedule"], spec["timeZone"]) == ("0,20,40 2 * * mon,tue,wed,thu,fri", "Europe/Berlin")
    assert spec["concurrencyPolicy"] == "Forbid"
    pod = spec["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert (container["image"], container["command"]) == (
        IMAGE,
        ["hullmark", "fleet", "run", "--notify", "/fleet/FLEET.yaml"],
    )
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"] == {"memory": f"{3 * 2048 + 1024}Mi"}
    mounted = {item["path"]: files["data"][item["key"]] for item in pod["volumes"][0]["configMap"]["items"]}
    assert set(mounted) == {
        "FLEET.yaml", "lists/images.txt", "policy/trust.yaml", "policy/waivers.yaml", "policy/keys/release.pub",
    }  # fmt: skip
    for path, text in mounted.items():
        assert text == (folder / path).read_text()


def test_what_is_mounted_is_the_same_fleet(folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    documents = list(yaml.safe_load_all(printed(capsys, "cronjob", FLEET, "--image", IMAGE)))
    place = tmp_path / "mounted"
    items = documents[2]["spec"]["jobTemplate"]["spec"]["template"]["spec"]["volumes"][0]["configMap"]["items"]
    for item in items:
        path = place / item["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(documents[0]["data"][item["key"]])
    assert read_fleet(place / "FLEET.yaml").digest == read_fleet(folder / "FLEET.yaml").digest
    assert re.fullmatch(r"[-._a-zA-Z0-9]+", "".join(documents[0]["data"]))


def schema_errors(name: str, document: object) -> list[str]:
    content = json.loads(foreign_file(name).read_bytes())
    return [error.message for error in jsonschema_rs.validator_for(content).iter_errors(document)]


class _Yaml12(yaml.SafeLoader):
    """GitHub's and GitLab's reading, in which ``on`` is a text."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - as the base class has it
        first: [item for item in resolvers if item[0] != "tag:yaml.org,2002:bool" or first in "tfTF"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def test_github_takes_the_workflow(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = yaml.load(printed(capsys, "github", UTC), _Yaml12)  # noqa: S506 - a safe loader
    assert schema_errors("github-workflows.json", document) == []
    assert document["on"]["schedule"] == [{"cron": "0,20,40 2 * * MON,TUE,WED,THU,FRI"}]
    steps = [step.get("run", "") for step in document["jobs"]["fleet"]["steps"]]
    assert f'pip install "hullmark[fleet]=={tool_version()}"' in steps
    assert document["permissions"] == {"contents": "read", "packages": "read"}
    assert_shell(step for step in steps if step)


def test_gitlab_takes_the_job(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = printed(capsys, "gitlab", FLEET, "--image", IMAGE)
    document = yaml.load(told, _Yaml12)  # noqa: S506 - a safe loader
    assert schema_errors("gitlab-ci.json", document) == []
    job = document["hullmark-production-fleet"]
    assert job["rules"] == [{"if": '$CI_PIPELINE_SOURCE == "schedule"'}]
    assert "cron 0,20,40 2 * * mon,tue,wed,thu,fri   time zone Europe/Berlin" in told
    assert_shell(job["script"])


def assert_shell(scripts: Any) -> None:
    for script in scripts:
        assert subprocess.run(["sh", "-n"], input=script, text=True, capture_output=True).returncode == 0


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (10, 0), (11, 0), (1, 1), (2, 2), (130, 130)])
def test_a_job_fails_where_the_run_failed_and_not_where_it_found_something(
    folder: Path, capsys: pytest.CaptureFixture[str], code: int, expected: int
) -> None:
    document = yaml.safe_load(printed(capsys, "gitlab", FLEET, "--image", IMAGE))
    script = document["hullmark-production-fleet"]["script"][0]
    command = f"hullmark() {{ return {code}; }}\n{script}"
    assert subprocess.run(["sh", "-e", "-c", command], cwd=folder).returncode == expected


@pytest.mark.parametrize(
    ("kind", "text", "options", "words"),
    [
        ("github", FLEET, (), "can't express times in Europe/Berlin"),
        ("github", UTC.replace("*/20", "*/4"), (), "every five minutes"),
        ("cronjob", FLEET, (), "needs an image"),
        ("gitlab", FLEET, ("--image", "a b"), "needs an image"),
        (
            "cronjob",
            FLEET.replace("policy/trust", "../FOLDER/policy/trust"),
            ("--image", IMAGE),
            "can't express the file",
        ),
        ("systemd", FLEET, ("--program", "/usr/bin/a b"), "can't express the path"),
    ],
)
def test_what_can_not_be_expressed_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], kind: str, text: str, options: tuple[str, ...], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        printed(capsys, kind, text.replace("FOLDER", folder.name), *options)


@pytest.mark.parametrize("kind", ["systemd", "cronjob", "github"])
def test_without_a_schedule_there_is_nothing_to_print(
    folder: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    with pytest.raises(UsageError, match="no schedule"):
        printed(capsys, kind, re.sub(r"schedule:.*\n", "", FLEET), "--image", IMAGE)


@pytest.mark.parametrize("kind", ["systemd", "cronjob", "github", "gitlab"])
def test_it_is_the_same_each_time(folder: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    options = ("--image", IMAGE, "--program", "/usr/bin/hullmark")
    assert printed(capsys, kind, UTC, *options) == printed(capsys, kind, UTC, *options)
