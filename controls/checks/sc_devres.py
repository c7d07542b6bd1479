"""SC-DEVRES: nothing of the build stage is left in a runtime image."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from compliance.model.evidence import Evidence, Variant
from compliance.model.filesystem import Captured, FileKind, FileTree
from compliance.model.outcome import (
    Check,
    Failed,
    NotApplicable,
    Observation,
    ObservationKind,
    Outcome,
    Passed,
    Severity,
    Trait,
)
from compliance.model.request import ContentRequest
from controls.knowledge import path_sorts
from controls.observe import count, coverage, file_observation, not_wholly_read
from controls.trees import sums_of

_LOCKS = ContentRequest(name="npm-installed", globs=("**/node_modules/.package-lock.json",))
_PACKAGE = {
    "deb": re.compile(r".+-dev(?:bin)?"),
    "apk": re.compile(r".+-dev"),
    "rpm": re.compile(r".+-(?:devel|headers|static)"),
}


def run(evidence: Evidence) -> Outcome:
    """Files by sort, development packages, and what npm installed for development only."""
    if evidence.profile.variant is not Variant.RUNTIME:
        return NotApplicable(reason=f"a {evidence.profile.variant} image carries development files by design")
    tree = evidence.filesystem
    found = (
        *_packages(evidence),
        *_npm(evidence),
        *sums_of(evidence, path_sorts("development-residue")),
    )
    if found:
        return Failed(observations=found)
    if not tree.wholly_read:
        return not_wholly_read(tree)
    sorts = ", ".join(sort.what for sort in path_sorts("development-residue"))
    return Passed(observations=(coverage(evidence, f"no development package and none of these files: {sorts}"),))


def _packages(evidence: Evidence) -> Iterable[Observation]:
    for package in evidence.inventory.installed:
        pattern = _PACKAGE.get(package.type)
        if pattern is not None and pattern.fullmatch(package.name):
            yield Observation(
                summary=f"The {package.type} package {package.name} {package.version} is for development.",
                kind=ObservationKind.PACKAGE,
                package=package.purl,
                method="package name",
            )


def _npm(evidence: Evidence) -> Iterable[Observation]:
    """npm's own list of what it installed marks development dependencies; those still there are told."""
    for kept in evidence.filesystem.captured(_LOCKS.name):
        left = [path for path in _development(kept) if _is_folder(evidence.filesystem, kept, path)]
        if left:
            names = ", ".join(path.rpartition("node_modules/")[2] for path in left[:10])
            yield file_observation(
                evidence,
                kept.entry,
                f"{count(len(left), 'npm package')} installed for development only: {names}.",
                method="node_modules/.package-lock.json",
            )


def _development(kept: Captured) -> list[str]:
    if not isinstance(kept.value, bytes):
        return []
    try:
        packages = json.loads(kept.value)["packages"]
        return [path for path, said in packages.items() if isinstance(said, dict) and said.get("dev") is True]
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return []


def _is_folder(tree: FileTree, kept: Captured, path: str) -> bool:
    project = kept.entry.path.removesuffix("node_modules/.package-lock.json")
    entry = tree.get(project + path)
    return entry is not None and entry.kind is FileKind.DIRECTORY


CHECK = Check(
    id="SC-DEVRES",
    title="No development residue in a runtime image",
    trait=Trait.PURPOSE,
    severity=Severity.MEDIUM,
    rationale="Headers, tests, version control data and development dependencies show that the build stage was "
    "shipped with the application: they add packages to patch, and can give source code and history away.",
    looks_at="Every path of the merged file tree against the sorts in knowledge/development-residue.yaml, the names of "
    "deb, apk and rpm packages, and npm's list of what it installed (node_modules/.package-lock.json).",
    proves="A pass proves that no file has a path of those sorts and that no package is named as one for development. "
    "Development files under other names, and dependencies that are merely not needed, are not found.",
    remediation="Build in a stage of its own and copy only what runs into the final one (COPY --from=, npm ci "
    "--omit=dev, a .dockerignore file).",
    run=run,
    requests=(_LOCKS,),
    references=("Docker build: multi-stage builds",),
)
