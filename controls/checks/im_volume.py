"""IM-VOLUME: no volume hides code or a part of the system."""

from __future__ import annotations

import re

from compliance.model.evidence import Evidence
from compliance.model.filesystem import display_path
from compliance.model.outcome import Check, Failed, Observation, Outcome, Passed, Severity, Trait, Unknown
from controls.entrypoint import DEFAULT_PATH
from controls.observe import config_observation, count, not_wholly_read
from controls.writability import KERNEL, inside, is_code

SYSTEM = re.compile(r"(?:usr(?:/local)?/)?(?:s?bin|lib(?:exec|\d+|x32)?)|etc|usr|usr/local|boot|root|opt|var|var/lib|")
"""Directories that belong to the system as a whole; the last alternative is the root."""
SOCKETS = re.compile(r"(?:docker|containerd|podman|crio)\.sock$")


def run(evidence: Evidence) -> Outcome:
    """Each of config.Volumes, links followed, against system directories, PATH and the code in the tree."""
    config = evidence.image.config
    if config is None:
        return Unknown(reason="a root filesystem has no image config, so no volumes are declared")
    if not config.volumes:
        return Passed(observations=(config_observation("The image config declares no volume."),))
    tree = evidence.filesystem
    search = tuple(
        tree.real_path(element) or ""
        for element in config.env.get("PATH", DEFAULT_PATH).split(":")
        if element.startswith("/")
    )
    found: list[Observation] = []
    for volume in config.volumes:
        place = tree.real_path(volume)
        problem = "is a loop of links" if place is None else _problem(evidence, volume, place, search)
        if problem:
            found.append(
                config_observation(f"The declared volume {display_path(volume.strip('/'))} {problem}.", volume)
            )
    if found:
        return Failed(observations=tuple(found))
    if not tree.wholly_read:
        return not_wholly_read(tree)
    volumes = ", ".join(config.volumes)
    return Passed(
        observations=(
            config_observation(
                f"{count(len(config.volumes), 'declared volume')} ({volumes}): none over a system directory, PATH "
                "or code.",
                volumes,
            ),
        )
    )


def _problem(evidence: Evidence, volume: str, place: str, search: tuple[str, ...]) -> str | None:
    if inside(place, KERNEL):
        return "lies over a file system of the kernel"
    if SOCKETS.search(volume):
        return "is the socket of a container engine"
    if SYSTEM.fullmatch(place):
        return "lies over a system directory"
    hidden = next((element for element in search if inside(element, (place,))), None)
    if hidden is not None:
        return f"lies over {display_path(hidden)}, which is on PATH"
    code = [entry for entry in evidence.filesystem if inside(entry.path, (place,)) and is_code(entry)]
    if code:
        first = display_path(code[0].path)
        return f"lies over {count(len(code), 'file')} of code, {first} the first"
    return None


CHECK = Check(
    id="IM-VOLUME",
    title="No VOLUME over code or system paths",
    trait=Trait.IMMUTABLE,
    severity=Severity.MEDIUM,
    rationale="What is mounted at a volume hides what the image has there and can be written: over code or a system "
    "directory, the container runs what the volume holds and not what was built.",
    looks_at="config.Volumes with links followed in the merged file tree, PATH of config.Env, and the files below "
    "each volume.",
    proves="A pass proves that no declared volume is a system directory, a directory of PATH, a file system of the "
    "kernel or an engine's socket, and that the image has no code below one. Mounts that are given at run time are "
    "not part of the image.",
    remediation="Declare volumes only for directories of data, and keep programs, libraries and scripts outside them.",
    run=run,
    references=("OCI image-spec config.md: config.Volumes",),
)
