"""``hullmark fleet manifest``: what a scheduler that is there already needs to run a fleet."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from compliance.cli.parser import Parser
from compliance.errors import UsageError

if TYPE_CHECKING:
    from compliance.fleet.fleet_file import Fleet

SUMMARY = "print what a scheduler that is there already needs: units, a CronJob, a workflow, a job"
DESCRIPTION = (
    "Print a systemd service and timer, a Kubernetes CronJob with its ConfigMap, a GitHub Actions workflow or a GitLab "
    "CI job that runs the fleet on its schedule."
)
_KINDS = ("systemd", "cronjob", "github", "gitlab")
_FILE_MAX = 2**20


def arguments(parser: Parser) -> None:
    """FLEET.yaml, the kind, and what the kinds need."""
    parser.add_argument("fleet", metavar="FLEET.yaml", help="the fleet, with a schedule")
    parser.add_argument("--kind", choices=_KINDS, required=True, help="for which scheduler")
    parser.add_argument("--image", metavar="IMAGE", help="cronjob, gitlab: an image with hullmark in it")
    parser.add_argument(
        "--program", metavar="PATH", help="systemd: the installed command (default: the one that is running)"
    )


def run(values: Namespace) -> int:
    """Print it."""
    from compliance.fleet.fleet_file import read_fleet
    from compliance.fleet.manifest import ManifestInput, manifest
    from compliance.pipeline import tool_version

    fleet = read_fleet(Path(values.fleet))
    given = ManifestInput(
        fleet=fleet,
        version=tool_version(),
        files=_files(fleet) if values.kind == "cronjob" else {},
        image=values.image,
        program=values.program or str(Path(sys.argv[0]).absolute()),
    )
    sys.stdout.write(manifest(values.kind, given))
    return 0


def _files(fleet: Fleet) -> dict[str, bytes]:
    """The fleet file, what it refers to, and what its policies refer to, by their paths from its folder."""
    from compliance.fleet.fleet_fields import NamedFile
    from compliance.fleet.image_source import KubernetesSource, ListSource

    named: list[NamedFile] = []
    for group in fleet.groups:
        named += [source.file for source in group.sources if isinstance(source, ListSource | KubernetesSource)]
        one_of = (group.profile, *group.frameworks, *group.checks, group.trust, *group.waivers)
        named += [file for file in one_of if isinstance(file, NamedFile)]
    files = {fleet.path.name: _content(fleet.path)}
    for file in named:
        files[file.name] = _content(file.path)
    return files | _policy_files(fleet)


def _policy_files(fleet: Fleet) -> dict[str, bytes]:
    """Keys of trust policies, catalogues of frameworks, signatures of waivers: found by reading who names them."""
    import posixpath
    from datetime import UTC, datetime

    from compliance.fleet.group_policy import PolicyFile, group_policy
    from compliance.verify.file_signature import BUNDLE_SUFFIX

    files: dict[str, bytes] = {}
    for group in fleet.groups:
        policy = group_policy(fleet, group, datetime(1970, 1, 1, tzinfo=UTC))  # what is in force decides no file
        for file in (policy.trust, *policy.frameworks):
            if isinstance(file, PolicyFile):
                folder = posixpath.dirname(file.name)
                files |= {posixpath.join(folder, name): content for name, content in file.beside}
        files |= {f"{file.name}{BUNDLE_SUFFIX}": bundle for file, bundle in policy.waivers if bundle is not None}
    return files


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            content = stream.read(_FILE_MAX + 1)
    except OSError as error:
        raise UsageError(f"can't read the file: {error.strerror}", code="not-found", where=str(path)) from None
    if len(content) > _FILE_MAX:
        raise UsageError(f"the file is larger than {_FILE_MAX} bytes", code="limit-exceeded", where=str(path))
    return content
