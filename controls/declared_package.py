"""The question of a declared check to packages: installed or not installed, in which versions."""

from __future__ import annotations

import re
from dataclasses import dataclass

from compliance.formats.globs import translate
from compliance.formats.strict_yaml import Section
from compliance.model.evidence import Evidence
from compliance.model.inventory import Package
from compliance.model.outcome import (
    Failed,
    NotApplicable,
    Observation,
    ObservationKind,
    Outcome,
    Passed,
    Unknown,
)
from compliance.model.request import ContentRequest
from controls.declared_file import STATES, State
from controls.observe import count, not_wholly_read
from controls.version_order import newer

LISTED_MAX = 500
_SHOWN_MAX = 20
_BOUND = re.compile(r"(<=|>=|<|>|=|!=)\s*(\S+)")
_TYPE = re.compile(r"[a-z0-9.+-]{1,40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """One end of a range: ``>= 3.0``, by the ordering of the package's ecosystem."""

    sign: str
    version: str

    def holds(self, package: Package) -> bool:
        """Whether the version of `package` is within it."""
        later = newer(package.type, self.version, package.version)
        if later is None:
            return self.sign in ("=", "<=", ">=")
        return self.sign in ((">", ">=", "!=") if later else ("<", "<=", "!="))

    def __str__(self) -> str:
        """As written."""
        return f"{self.sign} {self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageQuestion:
    """Packages whose name matches a glob of `names`, of purl type `type` if one is given, in `bounds`."""

    names: tuple[str, ...]
    state: State
    type: str | None = None
    bounds: tuple[Bound, ...] = ()
    requests: tuple[ContentRequest, ...] = ()

    @property
    def asks(self) -> str:
        """What is asked, after "whether"."""
        named = " or ".join(self.names)
        what = f"{self.type} package {named}" if self.type else f"package {named}"
        versions = " and ".join(map(str, self.bounds))
        if self.state is State.ABSENT:
            return f"no {what}{f' of a version {versions}' if versions else ''} is installed"
        if self.state is State.IF_PRESENT:
            return f"each {what}, if one is installed, has a version {versions}"
        return f"a {what} is installed" + (f", each of a version {versions}" if versions else "")

    @property
    def looks_at(self) -> str:
        """What is read."""
        return (
            "The inventory of installed packages, as the package databases and manifests in the image tell it; what a "
            "lock file only declares is no installed package."
        )

    def run(self, evidence: Evidence) -> Outcome:
        """Absence is only said where the tree was read to its end and everything found in it was understood."""
        found = [package for package in evidence.inventory.installed if self._named(package)]
        inside = [package for package in found if all(bound.holds(package) for bound in self.bounds)]
        wrong = inside if self.state is State.ABSENT else [package for package in found if package not in inside]
        if wrong:
            return Failed(observations=tuple(map(_observation, wrong[:LISTED_MAX])))
        seen = tuple(map(_observation, found[:_SHOWN_MAX]))
        gap = _gap(evidence, seen)
        if gap is not None:
            return gap
        packages = count(len(evidence.inventory.installed), "installed package")
        whole = Observation(
            summary=f"{packages}, {len(found):,} of them of that name.",
            kind=ObservationKind.COVERAGE,
            method="inventory",
        )
        if not found and self.state is State.IF_PRESENT:
            return NotApplicable(reason="no such package is installed", observations=(whole,))
        if not found and self.state is State.PRESENT:
            return Failed(observations=(whole,))
        return Passed(observations=(*seen, whole))

    def _named(self, package: Package) -> bool:
        if self.type is not None and package.type != self.type:
            return False
        return any(re.fullmatch(translate(name), package.name, re.DOTALL) for name in self.names)


def read_package_question(part: Section) -> PackageQuestion:
    """The mapping under ``package``. Raises PolicyError naming the line and the field."""
    part.only("name", "type", "state", "version")
    state = part.choice("state", STATES) if part.has("state") else State.PRESENT
    bounds = _bounds(part)
    if state is State.IF_PRESENT and not bounds:
        raise part.error("if-present demands nothing of the packages", "state", hint='add version, as ">= 3.0"')
    names = part.text_or_texts("name")
    for name in names:
        try:
            re.compile(translate(name))
        except re.error as error:
            raise part.error(f"not a glob: {error}", "name", hint="check brackets and braces") from None
    kind = part.text("type") if part.has("type") else None
    if kind is not None and not _TYPE.fullmatch(kind):
        raise part.error(f"{kind!r} is not a purl type", "type", hint="write e.g. deb, apk, rpm, pypi, npm, golang")
    return PackageQuestion(names=names, state=state, type=kind, bounds=bounds)


def _bounds(part: Section) -> tuple[Bound, ...]:
    if not part.has("version"):
        return ()
    bounds = []
    for piece in part.text("version").split(","):
        found = _BOUND.fullmatch(piece.strip())
        if found is None:
            raise part.error(
                f"{piece.strip()!r} is not a range of versions", "version", hint='write e.g. ">= 3.0, < 4"'
            )
        bounds.append(Bound(sign=found[1], version=found[2]))
    return tuple(bounds)


def _gap(evidence: Evidence, seen: tuple[Observation, ...]) -> Unknown | None:
    """Why there may be more packages than were found; None where there is no reason."""
    if not evidence.filesystem.wholly_read:
        return not_wholly_read(evidence.filesystem, seen)
    unknowns = evidence.inventory.unknowns
    if unknowns:
        first = unknowns[0]
        return Unknown(
            reason=f"packages may be missing from the inventory: /{first.path}: {first.reason}", observations=seen
        )
    return None


def _observation(package: Package) -> Observation:
    location = package.locations[0] if package.locations else None
    return Observation(
        summary=f"The {package.type} package {package.name} {package.version} is installed.",
        kind=ObservationKind.PACKAGE,
        path=location.path if location is not None else None,
        layer=location.layer if location is not None else None,
        package=package.purl,
        value=package.version,
        method=package.found_by,
    )
