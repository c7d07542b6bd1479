"""Reads the control library: which checks bear on which controls of which framework, and why.

``mappings/checks.yaml`` says what each check shows, ``mappings/<framework>.yaml`` what each control asks and how
a check bears on it. Reading is strict: a check id, relation or key that nobody knows is an error, not a gap.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final, Protocol, TypeVar

from compliance.errors import UsageError
from compliance.formats.strict_yaml import Section, read_section
from compliance.model.control import Control, ControlLibrary, Framework, MappedCheck, Relation
from compliance.model.outcome import Severity, Trait

FRAMEWORKS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "nist-800-53": "53",
        "nist-800-190": "190",
        "nist-ssdf": "218",
        "nist-csf": "csf",
        "cis-docker": "cisd",
        "cis-controls": "cisc",
        "pci-dss": "pci",
        "soc2": "soc",
        "iso-27001": "iso",
        "eu-cra": "cra",
        "disa-gpos-srg": "gpos",
        "disa-container-platform-srg": "ctr",
        "disa-container-image-guide": "disa",
        "fedramp-containers": "fed",
        "nsa-cisa-kubernetes": "nsa",
        "slsa": "slsa",
        "sbom-minimum": "ntia",
        "owasp-scvs": "scvs",
        "owasp-docker": "owasp",
    }
)
"""Every framework in report order: its id, which is also its file's name, and a short alias."""

CHECKS_FILE: Final = "checks.yaml"

_SCHEMA = 1
_RELATIONS = {relation.value: relation for relation in Relation}
_TRAITS = {trait.value: trait for trait in Trait}
_SEVERITIES = {str(severity): severity for severity in Severity}
_BASELINES = ("low", "moderate", "high")

_BEARS: Final[Mapping[Relation, str]] = {
    Relation.SATISFIES: "this is what {label} asks of an image",
    Relation.PARTIALLY_SUPPORTS: "this covers a part of what {label} asks",
    Relation.PROVIDES_EVIDENCE_FOR: "a person must judge how far this answers what {label} asks",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckMetadata:
    """What the mappings know of a check. `shows` is a sentence that begins with "Shows" and claims no more."""

    id: str
    title: str
    trait: Trait
    severity: Severity
    rationale: str
    shows: str


def load_library(frameworks: Sequence[str] | None = None) -> ControlLibrary:
    """The frameworks asked for by id or alias, in report order whatever the order asked in; None is all of them.

    The digest is over the files of all frameworks, so that it identifies the library, not the choice.
    Raises UsageError for a framework that does not exist, or for none; PolicyError for a damaged file.
    """
    chosen = tuple(FRAMEWORKS) if frameworks is None else _choose(frameworks)
    contents = _contents()
    checks = check_catalog()
    return ControlLibrary(
        frameworks=tuple(parse_framework(name, contents[f"{name}.yaml"], checks) for name in chosen),
        digest=_digest(contents),
    )


@cache
def check_catalog() -> Mapping[str, CheckMetadata]:
    """Every check id that a mapping may name, in report order. Raises PolicyError for a damaged file."""
    return parse_checks(CHECKS_FILE, _contents()[CHECKS_FILE])


def parse_checks(file: str, content: bytes) -> Mapping[str, CheckMetadata]:
    """The checks in the YAML `content`, by id. Raises PolicyError naming `file` and the field."""
    top = read_section(file, content)
    top.only("schema", "checks")
    _demand_schema(top)
    return MappingProxyType(_by_id(top.sections("checks"), _check))


def parse_framework(framework: str, content: bytes, checks: Mapping[str, CheckMetadata]) -> Framework:
    """The framework whose id and file name is `framework`. Raises PolicyError naming file and field.

    Every check that a control names must be among `checks`.
    """
    top = read_section(f"{framework}.yaml", content)
    top.only("schema", "id", "name", "version", "source", "licence", "caveats", "controls")
    _demand_schema(top)
    if top.text("id") != framework:
        raise top.error(f"must be the name of the file: {framework}", "id")
    source = top.text("source")
    top.sentence("licence")
    return Framework(
        id=framework,
        name=top.text("name"),
        version=top.text("version"),
        source=source,
        caveats=top.texts("caveats"),
        controls=tuple(_by_id(top.sections("controls"), lambda part: _control(part, source, checks)).values()),
    )


def _choose(frameworks: Sequence[str]) -> tuple[str, ...]:
    ids = {alias: name for name, alias in FRAMEWORKS.items()} | {name: name for name in FRAMEWORKS}
    known = f"known are {', '.join(FRAMEWORKS)}"
    if not frameworks:
        raise UsageError("no framework was named", code="framework-unknown", hint=known)
    for framework in frameworks:
        if framework not in ids:
            raise UsageError(f"no framework {framework!r}", code="framework-unknown", hint=known)
    chosen = {ids[framework] for framework in frameworks}
    return tuple(name for name in FRAMEWORKS if name in chosen)


@cache
def _contents() -> Mapping[str, bytes]:
    folder = files("controls") / "mappings"
    return {name: (folder / name).read_bytes() for name in (CHECKS_FILE, *(f"{name}.yaml" for name in FRAMEWORKS))}


def _digest(contents: Mapping[str, bytes]) -> str:
    """The sha256 over names, sorted, and contents, each with its length before it: no two sets of files share it."""
    digest = hashlib.sha256()
    for name in sorted(contents):
        for part in (name.encode(), contents[name]):
            digest.update(len(part).to_bytes(8, "big") + part)
    return f"sha256:{digest.hexdigest()}"


def _demand_schema(top: Section) -> None:
    if top.values.get("schema") != _SCHEMA:
        raise top.error(f"must be {_SCHEMA}", "schema")


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


_Entry = TypeVar("_Entry", bound=_Identified)


def _by_id(parts: Iterable[Section], parse: Callable[[Section], _Entry]) -> dict[str, _Entry]:
    entries: dict[str, _Entry] = {}
    for part in parts:
        entry = parse(part)
        if entry.id in entries:
            raise part.error(f"{entry.id!r} is there twice", "id")
        entries[entry.id] = entry
    return entries


def _check(part: Section) -> CheckMetadata:
    part.only("id", "title", "trait", "severity", "rationale", "shows")
    shows = part.sentence("shows")
    if not shows.startswith("Shows "):
        raise part.error("must begin with 'Shows'", "shows")
    return CheckMetadata(
        id=part.text("id"),
        title=part.text("title"),
        trait=part.choice("trait", _TRAITS),
        severity=part.choice("severity", _SEVERITIES),
        rationale=part.sentence("rationale"),
        shows=shows,
    )


def _control(part: Section, framework_source: str, checks: Mapping[str, CheckMetadata]) -> Control:
    part.only("id", "label", "title", "verbatim", "confirmed", "source", "baselines", "asks", "checks")
    label, asks = part.text("label"), part.sentence("asks")
    mapped: dict[str, MappedCheck] = {}
    for line in part.sections("checks"):
        entry = _mapped_check(line, label, asks, checks)
        if entry.check in mapped:
            raise line.error(f"{entry.check!r} is there twice", "check")
        mapped[entry.check] = entry
    return Control(
        id=part.text("id"),
        label=label,
        title=part.text("title"),
        verbatim=part.flag("verbatim"),
        confirmed=part.flag("confirmed"),
        source=part.text("source") if "source" in part.values else framework_source,
        checks=tuple(mapped.values()),
        baselines=_baselines(part),
        asks=asks,
    )


def _baselines(part: Section) -> tuple[str, ...] | None:
    if "baselines" not in part.values:
        return None
    found = part.texts("baselines")
    if found != tuple(word for word in _BASELINES if word in found):
        raise part.error(f"must be some of {', '.join(_BASELINES)}, each once and in this order", "baselines")
    return found


def _mapped_check(line: Section, label: str, asks: str, checks: Mapping[str, CheckMetadata]) -> MappedCheck:
    line.only("check", "relation", "rationale")
    check = line.text("check")
    if check not in checks:
        raise line.error(f"{check!r} is not a check", "check")
    relation = line.choice("relation", _RELATIONS)
    composed = "rationale" not in line.values
    return MappedCheck(
        check=check,
        relation=relation,
        rationale=composed_rationale(checks[check], relation, label, asks) if composed else line.sentence("rationale"),
    )


def composed_rationale(check: CheckMetadata, relation: Relation, label: str, asks: str) -> str:
    """Why `check` bears on the control so, in one sentence made of what it shows and what the control asks."""
    return f"{check.id} s{check.shows[1:-1]}; {_BEARS[relation].format(label=label)}: {asks}"
