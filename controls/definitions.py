"""What an image is held against: the shipped checks, frameworks and profiles, and what the user's files put beside.

Everything is read and validated before an image is opened, and every file is named with its digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from compliance.errors import UsageError
from compliance.model.assessment import DefinitionFile
from compliance.model.control import ControlLibrary, Framework
from compliance.model.outcome import Check
from controls.declared_check import OwnCheck, read_checks
from controls.loader import FRAMEWORKS, CheckMetadata, check_catalog, load_library
from controls.own_framework import read_own_framework
from controls.profile import CheckProfile, read_profile
from controls.registry import CHECKS

ALL: Final = "all"
"""In place of a framework's id: every shipped one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenFile:
    """A file that the user named: its name as typed, its bytes, and how to read a file that it names itself."""

    name: str
    content: bytes = field(repr=False)
    beside: Callable[[str, int], bytes] = field(repr=False)

    @property
    def sha256(self) -> str:
        """In hex."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Definitions:
    """All checks in report order, the frameworks chosen, the user's profile if there is one, and the user's files."""

    checks: tuple[Check, ...]
    library: ControlLibrary
    profile: CheckProfile | None = None
    files: tuple[DefinitionFile, ...] = ()


def shipped_definitions(frameworks: Sequence[str] | None = None) -> Definitions:
    """Without anything of the user's. Raises UsageError for a framework that does not exist."""
    return Definitions(checks=CHECKS, library=load_library(frameworks))


def define(
    *,
    frameworks: Sequence[str | GivenFile] = (),
    checks: Sequence[str | GivenFile] = (),
    profile: GivenFile | None = None,
) -> Definitions:
    """Shipped and own together: `frameworks` are ids and files, `checks` names of plugins and files.

    Raises UsageError or PolicyError for the first thing that is wrong.
    """
    files: list[DefinitionFile] = []
    own = _own_checks(checks, files)
    catalog = {**check_catalog(), **{one.check.id: _metadata(one) for one in own}}
    library = _library(frameworks, catalog, files)
    read = None
    if profile is not None:
        read = read_profile(profile.name, profile.content, catalog)
        files.append(DefinitionFile(role="profile", name=profile.name, sha256=profile.sha256))
    return Definitions(checks=(*CHECKS, *(one.check for one in own)), library=library, profile=read, files=tuple(files))


def _own_checks(given: Iterable[str | GivenFile], files: list[DefinitionFile]) -> tuple[OwnCheck, ...]:
    taken = set(check_catalog()) | {check.id for check in CHECKS}
    found: list[OwnCheck] = []
    for one in given:
        if isinstance(one, GivenFile):
            read = read_checks(one.name, one.content, taken)
            files.append(DefinitionFile(role="checks", name=one.name, sha256=one.sha256))
        else:
            from controls.check_plugins import load_plugin

            plugin = load_plugin(one, taken)
            read = plugin.checks
            files.append(DefinitionFile(role="plugin", name=plugin.source, sha256=plugin.sha256))
        found += read
        taken |= {own.check.id for own in read}
    return tuple(found)


def _metadata(own: OwnCheck) -> CheckMetadata:
    check = own.check
    return CheckMetadata(
        id=check.id,
        title=check.title,
        trait=check.trait,
        severity=check.severity,
        rationale=check.rationale,
        shows=own.shows,
    )


def _library(
    given: Sequence[str | GivenFile], catalog: Mapping[str, CheckMetadata], files: list[DefinitionFile]
) -> ControlLibrary:
    """Shipped frameworks in their order, overlaid ones in their place, then those of the user's."""
    ids = [one for one in given if isinstance(one, str)]
    everything = not given or ALL in ids
    library = load_library(None if everything else [one for one in ids if one != ALL] or tuple(FRAMEWORKS))
    chosen = {one.id: one for one in library.frameworks} if everything or ids else {}
    overlaid: set[str] = set()
    own: dict[str, Framework] = {}
    for one in given:
        if not isinstance(one, GivenFile):
            continue
        read = read_own_framework(
            one.name, one.content, catalog, one.beside, lambda name: load_library((name,)).frameworks[0]
        )
        framework = read.framework
        if framework.id in own or framework.id in overlaid:
            raise UsageError(
                f"two files give the framework {framework.id}",
                code="framework-invalid",
                where=one.name,
                hint="make one file of them",
            )
        if read.overlays is None:
            own[framework.id] = framework
        else:
            overlaid.add(framework.id)
            chosen[framework.id] = framework
        role = "framework" if read.overlays is None else "overlay"
        files.append(DefinitionFile(role=role, name=one.name, sha256=one.sha256))
        files.extend(DefinitionFile(role="oscal", name=name, sha256=digest) for name, digest in read.beside)
    shipped = tuple(chosen[name] for name in FRAMEWORKS if name in chosen)
    return replace(library, frameworks=(*shipped, *own.values()))
