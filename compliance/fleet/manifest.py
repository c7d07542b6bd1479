"""What a scheduler that is there already needs to run a fleet: units, a CronJob, a workflow, a job.

Pure: files are given as bytes. What a scheduler can't express is an error, or a comment where it does no harm.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from compliance.errors import UsageError
from compliance.fleet.cron import Cron, parse_cron
from compliance.fleet.fleet_file import Fleet, Schedule
from compliance.fleet.notification import ChangeFile

CODE: Final = "manifest-invalid"
CONFIG_MAP_MAX: Final = 900_000
"""Bytes of the files in a ConfigMap, which may hold 1 MiB as base64 in all."""
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,500}")
_NAME = re.compile(r"[^a-z0-9]+")
_STORE_VARIABLE: Final = "HULLMARK_FLEET_STORE"
_UID: Final = 65532
_FAILURES: Final = {
    "rules": [
        {
            "action": "FailJob",
            "onExitCodes": {"containerName": "hullmark", "operator": "In", "values": [2, 10, 11]},
        }
    ]
}
"""Not satisfied, not determined, and a mistake in a file are the same at a second try."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestInput:
    """What manifests are made of: the fleet, the version of the tool, and where things lie.

    `files` are those that the fleet refers to, by their paths from its folder, the fleet file among them. `image` is
    an image with the command in it, `program` the command's path on this machine.
    """

    fleet: Fleet
    version: str
    files: Mapping[str, bytes]
    image: str | None = None
    program: str = "/usr/bin/hullmark"


def manifest(kind: str, given: ManifestInput) -> str:
    """The text for one of KINDS. Raises UsageError for what that scheduler can't express, or for a missing image."""
    return KINDS[kind](given)


def _systemd(given: ManifestInput) -> str:
    schedule, cron = _schedule(given)
    name = _unit_name(given)
    path, program = _unit_path(given.fleet.path.absolute()), _unit_path(Path(given.program))
    jitter = f"RandomizedDelaySec={schedule.jitter_seconds:.0f}\n" if schedule.jitter_seconds else ""
    store = "" if _is_remote(given.fleet) else f"Environment={_STORE_VARIABLE}=/var/lib/hullmark/{name}.db\n"
    folders = sorted({_unit_path(one.path.parent) for one in given.fleet.notify if isinstance(one, ChangeFile)})
    writable = "".join(f"ReadWritePaths={folder}\n" for folder in folders)
    return f"""\
# /etc/systemd/system/{name}.service
[Unit]
Description=Hullmark: fleet {given.fleet.name}
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
ExecStart={program} fleet run --notify {path}
# 0: satisfied; 10: not satisfied; 11: not determined. The run itself went well.
SuccessExitStatus=10 11
DynamicUser=yes
StateDirectory=hullmark
CacheDirectory=hullmark
{store}Environment=HULLMARK_CACHE_DIR=/var/cache/hullmark
# Secrets of webhooks and mail, as NAME=VALUE:
EnvironmentFile=-/etc/hullmark/{name}.env
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
{writable}PrivateTmp=yes
PrivateDevices=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
RestrictSUIDSGID=yes
LockPersonality=yes
CapabilityBoundingSet=
UMask=0077

# /etc/systemd/system/{name}.timer
[Unit]
Description=Hullmark: fleet {given.fleet.name}, on schedule

[Timer]
OnCalendar={cron.on_calendar(schedule.timezone)}
{jitter}Persistent=true

[Install]
WantedBy=timers.target
"""


def _cronjob(given: ManifestInput) -> str:
    """A ConfigMap with the fleet's files, a claim for its store and cache, and the CronJob."""
    schedule, cron = _schedule(given)
    image = _image(given, "cronjob")
    name = _kubernetes_name(given.fleet.name)
    texts = {path: _text(path, content) for path, content in sorted(given.files.items())}
    keys = {path: _config_key(index, path) for index, path in enumerate(texts)}
    if sum(len(text.encode()) for text in texts.values()) > CONFIG_MAP_MAX:
        raise _refused(f"more than {CONFIG_MAP_MAX} bytes of files", "a ConfigMap", hint="put lists into an image")
    main = Path(given.fleet.path).name
    documents = (
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name},
            "data": {keys[path]: text for path, text in texts.items()},
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": name},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "20Gi"}}},
        },
        {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {"name": name},
            "spec": {
                "schedule": str(cron),
                "timeZone": schedule.timezone,
                "concurrencyPolicy": "Forbid",
                "startingDeadlineSeconds": 3600,
                "successfulJobsHistoryLimit": 3,
                "failedJobsHistoryLimit": 3,
                "jobTemplate": {
                    "spec": {
                        "backoffLimit": 2,
                        "podFailurePolicy": _FAILURES,
                        "template": {"spec": _pod(given, name, image, main, keys)},
                    }
                },
            },
        },
    )
    notes = "# The Secret of the same name, if there is one, gives passwords and secrets as environment variables.\n"
    notes += "# A Job that failed with exit code 10 (not satisfied) or 11 (not determined) ran well.\n"
    if any(isinstance(one, ChangeFile) for one in given.fleet.notify):
        notes += "# The fleet's files are read-only there: notifications to a file are not written.\n"
    if schedule.jitter_seconds:
        notes += "# A CronJob knows no jitter: that of the fleet file is left out.\n"
    return notes + "---\n".join(_yaml(document) for document in documents)


def _pod(given: ManifestInput, name: str, image: str, main: str, keys: Mapping[str, str]) -> dict[str, object]:
    limits = given.fleet.limits
    jobs = limits.jobs or 2
    memory = f"{(jobs * limits.image_bytes + 2**30) // 2**20}Mi"
    variables = [{"name": "HULLMARK_CACHE_DIR", "value": "/state/cache"}]
    if not _is_remote(given.fleet):
        variables.append({"name": _STORE_VARIABLE, "value": "/state/hullmark-fleet.db"})
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _UID,
            "runAsGroup": _UID,
            "fsGroup": _UID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "hullmark",
                "image": image,
                "command": ["hullmark", "fleet", "run", "--notify", f"/fleet/{main}"],
                "env": variables,
                "envFrom": [{"secretRef": {"name": name, "optional": True}}],
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "resources": {
                    "requests": {"cpu": str(jobs), "memory": memory},
                    "limits": {"memory": memory},
                },
                "volumeMounts": [
                    {"name": "fleet", "mountPath": "/fleet", "readOnly": True},
                    {"name": "state", "mountPath": "/state"},
                    {"name": "scratch", "mountPath": "/tmp"},  # noqa: S108 - a volume of the pod's own
                ],
            }
        ],
        "volumes": [
            {
                "name": "fleet",
                "configMap": {"name": name, "items": [{"key": key, "path": path} for path, key in keys.items()]},
            },
            {"name": "state", "persistentVolumeClaim": {"claimName": name}},
            {"name": "scratch", "emptyDir": {"sizeLimit": "20Gi"}},
        ],
    }


def _github(given: ManifestInput) -> str:
    schedule, cron = _schedule(given)
    if schedule.timezone not in ("UTC", "Etc/UTC"):
        raise _refused(
            f"times in {schedule.timezone}", "GitHub Actions", hint="give the schedule in UTC, for this file or for all"
        )
    if _too_often(cron):
        raise _refused("more than a run every five minutes", "GitHub Actions")
    fleet = _shell_path(given)
    state = {"path": ".hullmark", "key": "hullmark-${{ github.run_id }}", "restore-keys": "hullmark-"}
    document = {
        "name": f"hullmark {given.fleet.name}",
        "on": {"schedule": [{"cron": str(cron).upper()}], "workflow_dispatch": None},
        "permissions": {"contents": "read", "packages": "read"},
        "concurrency": {"group": f"hullmark-{_kubernetes_name(given.fleet.name)}", "cancel-in-progress": False},
        "jobs": {
            "fleet": {
                "runs-on": "ubuntu-latest",
                "timeout-minutes": 360,
                "env": _ci_variables(given.fleet),
                "steps": [
                    {"uses": "actions/checkout@v4", "with": {"persist-credentials": False}},
                    {"uses": "actions/setup-python@v5", "with": {"python-version": "3.12"}},
                    {"uses": "actions/cache@v4", "with": state},
                    {"name": "Install", "run": f'pip install "hullmark[fleet]=={given.version}"'},
                    {"name": "Run", "run": _run_lines(fleet)},
                    {
                        "name": "Report",
                        "run": f"hullmark fleet report {fleet} -o markdown=report.md\n"
                        'cat report.md >> "$GITHUB_STEP_SUMMARY"\n',
                    },
                    {
                        "uses": "actions/upload-artifact@v4",
                        "if": "always()",
                        "with": {"name": "hullmark", "path": "report.md"},
                    },
                ],
            }
        },
    }
    notes = (
        f"# .github/workflows/hullmark-{_kubernetes_name(given.fleet.name)}.yml\n"
        "# The history lies in a cache, which GitHub may drop: to keep it, name a database as the fleet's store.\n"
    )
    if schedule.jitter_seconds:
        notes += "# GitHub delays runs by its own load; the fleet file's jitter is left out.\n"
    return notes + _yaml(document)


def _gitlab(given: ManifestInput) -> str:
    """The time of a GitLab schedule is set in the project, not in a file: a comment says what to set."""
    fleet = _shell_path(given)
    name = _kubernetes_name(given.fleet.name)
    document = {
        f"hullmark-{name}": {
            "image": {"name": _image(given, "gitlab"), "entrypoint": [""]},
            "rules": [{"if": '$CI_PIPELINE_SOURCE == "schedule"'}],
            "resource_group": f"hullmark-{name}",
            "interruptible": False,
            "timeout": "6h",
            "variables": _ci_variables(given.fleet),
            "cache": {"key": f"hullmark-{name}", "paths": [".hullmark/"], "when": "always"},
            "script": [_run_lines(fleet), f"hullmark fleet report {fleet} -o markdown=report.md"],
            "artifacts": {"when": "always", "paths": ["report.md"], "expire_in": "1 year"},
        }
    }
    schedule = given.fleet.schedule
    notes = "# .gitlab-ci.yml\n"
    if schedule is not None:
        notes += (
            "# GitLab takes times from the project (Build > Pipeline schedules), not from this file. Set there:\n"
            f"#   cron {schedule.cron}   time zone {schedule.timezone}\n"
        )
    return notes + _yaml(document)


KINDS: Final[Mapping[str, Callable[[ManifestInput], str]]] = {
    "systemd": _systemd,
    "cronjob": _cronjob,
    "github": _github,
    "gitlab": _gitlab,
}


def _ci_variables(fleet: Fleet) -> dict[str, str]:
    store = {} if _is_remote(fleet) else {_STORE_VARIABLE: ".hullmark/hullmark-fleet.db"}
    return {**store, "HULLMARK_CACHE_DIR": ".hullmark/cache"}


def _run_lines(fleet: str) -> str:
    """A run that found something is no failure of the job that runs it."""
    return (
        "mkdir -p .hullmark\n"
        "status=0\n"
        f"hullmark fleet run --notify {fleet} || status=$?\n"
        'case "$status" in 0|10|11) ;; *) exit "$status" ;; esac\n'
    )


def _schedule(given: ManifestInput) -> tuple[Schedule, Cron]:
    schedule = given.fleet.schedule
    if schedule is None:
        raise UsageError(
            "the fleet has no schedule", code=CODE, where=str(given.fleet.path), hint="add schedule, with cron"
        )
    return schedule, parse_cron(schedule.cron)


def _too_often(cron: Cron) -> bool:
    minutes = (*cron.minutes, cron.minutes[0] + 60)
    return any(later - sooner < 5 for sooner, later in pairwise(minutes))


def _image(given: ManifestInput, kind: str) -> str:
    if given.image is None or not _IMAGE.fullmatch(given.image):
        raise UsageError(
            f"--kind {kind} needs an image with hullmark in it",
            code=CODE,
            where="--image",
            hint="--image HOST/NAME@DIGEST",
        )
    return given.image


def _shell_path(given: ManifestInput) -> str:
    """The fleet file from the checkout's root, as far as it is known: as it was typed."""
    path = given.fleet.path.as_posix()
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_./-]*", path) or ".." in path.split("/"):
        raise _refused(f"the path {path!r}", "a CI job", hint="name the file from the root of its repository")
    return path


def _config_key(index: int, path: str) -> str:
    """A ConfigMap's key for a path: keys have no slashes, and two paths may differ in nothing else."""
    if path.startswith("/") or ".." in path.split("/"):
        raise _refused(f"the file {path}", "a ConfigMap", hint="keep the fleet's files beside it or below")
    return f"{index:03}-{re.sub(r'[^A-Za-z0-9._-]', '-', path)[-200:]}"


def _text(path: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise _refused(f"the file {path}, which is no text", "this ConfigMap") from None


def _unit_path(path: Path) -> str:
    """A path as it stands in a unit (systemd.syntax(7))."""
    if not re.fullmatch(r"/[!#-&(-\[\]-~]*", str(path)):
        raise _refused(f"the path {str(path)!r}", "systemd", hint="give a whole path without blanks and quotes")
    return str(path).replace("%", "%%").replace("$", "$$")


def _is_remote(fleet: Fleet) -> bool:
    """Whether the store is named by its address, and so no matter of this machine's folders."""
    return fleet.store is not None and "://" in fleet.store


def _unit_name(given: ManifestInput) -> str:
    return f"hullmark-{_kubernetes_name(given.fleet.name)}"


def _kubernetes_name(name: str) -> str:
    """A DNS label (RFC 1123), short enough for the names of a CronJob's pods."""
    return (_NAME.sub("-", name.lower()).strip("-") or "fleet")[:40].strip("-")


def _refused(what: str, where: str, hint: str | None = None) -> UsageError:
    return UsageError(f"{where} can't express {what}", code=CODE, hint=hint)


def _yaml(document: object) -> str:
    import yaml

    class Dumper(yaml.SafeDumper):
        """No anchors, and texts of several lines as they are."""

        def ignore_aliases(self, data: object) -> bool:
            return True

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        style = "|" if "\n" in value else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    return str(yaml.dump(document, Dumper=Dumper, sort_keys=False, width=110, allow_unicode=True))
