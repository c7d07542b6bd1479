"""Frameworks of a user's own, and overlays: files that change the mapping of a shipped framework.

A catalogue in YAML has the shape of our own mappings with fewer demands. Where it names an OSCAL catalog beside it,
titles come from there and every control must be in it; where an OSCAL profile too, in what that selects.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from compliance.errors import ComplianceError
from compliance.formats.strict_yaml import Section, read_section
from compliance.model.control import Control, Framework, MappedCheck, Relation
from controls.loader import FRAMEWORKS, CheckMetadata, composed_rationale
from controls.oscal_catalog import read_catalog, selected_controls

CODE: Final = "framework-invalid"
OSCAL_SIZE_MAX = 32 * 2**20
"""Bytes: the catalog of SP 800-53 has ten million."""

_SCHEMA = 1
_CONTROLS_MAX = 5000
_RELATIONS = {relation.value: relation for relation in Relation}
_CHANGES = ("add", "replace", "remove")

ReadBeside = Callable[[str, int], bytes]
"""The content of a file named in another, relative to it, of at most so many bytes. Raises ComplianceError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFramework:
    """A framework as a user's file gives it; `beside` are (name, sha256 in hex) of the files it refers to."""

    framework: Framework
    overlays: str | None = None
    beside: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Beside:
    read: ReadBeside
    digests: dict[str, str] = field(default_factory=dict)

    def content(self, part: Section, key: str) -> tuple[str, bytes]:
        name = part.text(key)
        try:
            content = self.read(name, OSCAL_SIZE_MAX)
        except ComplianceError as error:
            raise part.error(error.message, key, hint="paths are relative to the file that names them") from error
        self.digests[name] = hashlib.sha256(content).hexdigest()
        return name, content


def read_own_framework(
    file: str,
    content: bytes,
    checks: Mapping[str, CheckMetadata],
    read_beside: ReadBeside,
    shipped: Callable[[str], Framework],
) -> OwnFramework:
    """The framework in the YAML `content`. Raises PolicyError naming `file`, line and field.

    `checks` are all that a control may name; `shipped` gives a framework to lay over by its id.
    """
    top = read_section(file, content, code=CODE)
    if top.has("overlay"):
        return _overlay(top, content, checks, shipped)
    top.only("schema", "id", "name", "version", "source", "licence", "caveats", "catalog", "profile", "controls")
    _demand_schema(top)
    identifier = top.word("id")
    if identifier in FRAMEWORKS or identifier in FRAMEWORKS.values() or identifier == "all":
        raise top.error(
            f"{identifier!r} is a shipped framework", "id", hint="give yours another id, or write overlay in its place"
        )
    source = top.text("source") if top.has("source") else f"{file}, given by the user"
    beside = _Beside(read=read_beside)
    titles = _titles(top, beside)
    parts = top.sections("controls")
    if len(parts) > _CONTROLS_MAX:
        raise top.error(f"more than {_CONTROLS_MAX} controls", "controls", hint="split the file")
    controls: dict[str, Control] = {}
    for part in parts:
        control = _control(part, source, titles, checks)
        if control.id in controls:
            raise part.error(f"{control.id!r} is there twice", "id", hint="write the control once, with all its checks")
        controls[control.id] = control
    framework = Framework(
        id=identifier,
        name=top.text("name"),
        version=top.text("version") if top.has("version") else "",
        source=source,
        caveats=top.texts("caveats") if top.has("caveats") else (),
        controls=tuple(controls.values()),
        given_by=file,
    )
    return OwnFramework(framework=framework, beside=tuple(beside.digests.items()))


def _demand_schema(top: Section) -> None:
    if top.values.get("schema") != _SCHEMA:
        raise top.error(f"must be {_SCHEMA}", "schema", hint=f"write schema: {_SCHEMA}")


def _titles(top: Section, beside: _Beside) -> Mapping[str, str] | None:
    """The titles by control id from the OSCAL catalog beside, those that the profile selects; None without one."""
    if not top.has("catalog"):
        if top.has("profile"):
            raise top.error("a profile selects from a catalog", "profile", hint="add catalog, the file it selects from")
        return None
    name, content = beside.content(top, "catalog")
    titles = read_catalog(name, content)
    if not top.has("profile"):
        return titles
    name, content = beside.content(top, "profile")
    selected = selected_controls(name, content, titles)
    return {control: title for control, title in titles.items() if control in selected}


def _control(
    part: Section, source: str, titles: Mapping[str, str] | None, checks: Mapping[str, CheckMetadata]
) -> Control:
    part.only("id", "label", "title", "verbatim", "source", "asks", "checks")
    identifier = part.known("id", titles, "a control of the catalog") if titles is not None else part.text("id")
    label = part.text("label") if part.has("label") else identifier
    title = part.text("title") if part.has("title") or titles is None else titles[identifier]
    asks = part.sentence("asks") if part.has("asks") else f"{title.rstrip('.')}."
    return Control(
        id=identifier,
        label=label,
        title=title,
        verbatim=part.flag("verbatim") if part.has("verbatim") else True,
        confirmed=True,
        source=part.text("source") if part.has("source") else source,
        checks=_mapped_checks(part, label, asks, checks),
    )


def _mapped_checks(
    part: Section, label: str, asks: str, checks: Mapping[str, CheckMetadata]
) -> tuple[MappedCheck, ...]:
    """``{CHECK: relation, …}``, or a list of mappings where a relation has a rationale of its own."""
    if isinstance(part.values.get("checks"), dict):
        short = part.section("checks")
        if not short.values:
            raise part.error("must not be empty", "checks", hint="name a check and its relation")
        return tuple(_mapped_check(short, check, None, check, label, asks, checks) for check in short.values)
    mapped: dict[str, MappedCheck] = {}
    for line in part.sections("checks"):
        line.only("check", "relation", "rationale")
        check = line.text("check")
        if check in mapped:
            raise line.error(f"{check!r} is there twice", "check", hint="keep one of the two relations")
        mapped[check] = _mapped_check(line, "relation", "check", check, label, asks, checks)
    return tuple(mapped.values())


def _mapped_check(
    line: Section,
    relation_key: str,
    check_key: str | None,
    check: str,
    label: str,
    asks: str,
    checks: Mapping[str, CheckMetadata],
) -> MappedCheck:
    if check not in checks:
        line.refuse_unknown(check, checks, "a check", check_key or check)
    relation = line.choice(relation_key, _RELATIONS)
    stated = check_key is not None and line.has("rationale")
    rationale = line.sentence("rationale") if stated else composed_rationale(checks[check], relation, label, asks)
    return MappedCheck(check=check, relation=relation, rationale=rationale)


def _overlay(
    top: Section, content: bytes, checks: Mapping[str, CheckMetadata], shipped: Callable[[str], Framework]
) -> OwnFramework:
    top.only("schema", "overlay", "controls")
    _demand_schema(top)
    base = shipped(top.known("overlay", tuple(FRAMEWORKS), "a shipped framework"))
    controls = {control.id: control for control in base.controls}
    ids = {control.label: control.id for control in base.controls} | {
        control.id: control.id for control in base.controls
    }
    told: list[str] = []
    seen: set[str] = set()
    for part in top.sections("controls"):
        part.only("id", *_CHANGES)
        identifier = ids[part.known("id", tuple(ids), f"a control of {base.id}")]
        if identifier in seen:
            raise part.error(f"{identifier!r} is there twice", "id", hint="write all changes of a control together")
        seen.add(identifier)
        control, changes = _changed(part, controls[identifier], checks)
        controls[identifier] = control
        told += [f"{control.label}: {change}" for change in changes]
    digest = hashlib.sha256(content).hexdigest()
    caveat = f"Changed by the user's overlay {top.file} (sha256:{digest}). {' '.join(told)}"
    framework = replace(base, controls=tuple(controls.values()), caveats=(*base.caveats, caveat), given_by=top.file)
    return OwnFramework(framework=framework, overlays=base.id)


def _changed(part: Section, control: Control, checks: Mapping[str, CheckMetadata]) -> tuple[Control, list[str]]:
    """`control` with the changes of `part`, and what was changed in sentences."""
    if not any(part.has(change) for change in _CHANGES):
        raise part.error("changes nothing", hint=f"add {', '.join(_CHANGES)}")
    mapped = {line.check: line for line in control.checks}
    told: list[str] = []
    touched: set[str] = set()
    for change in _CHANGES:
        for line in part.sections(change) if part.has(change) else ():
            line.only("check", "rationale", *(() if change == "remove" else ("relation",)))
            check = line.known("check", tuple(checks), "a check")
            _demand_fitting(line, change, check, mapped, touched)
            touched.add(check)
            rationale = line.sentence("rationale")
            if change == "remove":
                del mapped[check]
                told.append(f"{check} removed: {rationale}")
                continue
            relation = line.choice("relation", _RELATIONS)
            before = mapped.get(check)
            mapped[check] = MappedCheck(check=check, relation=relation, rationale=rationale)
            was = f" (before: {before.relation.value})" if before is not None else ""
            told.append(f"{check} {'added' if before is None else 'replaced'}, {relation.value}{was}: {rationale}")
    if not mapped:
        raise part.error("no check is left", "remove", hint="a control without checks can't be answered: leave one")
    return replace(control, checks=tuple(mapped.values())), told


def _demand_fitting(
    line: Section, change: str, check: str, mapped: Mapping[str, MappedCheck], touched: set[str]
) -> None:
    if check in touched:
        raise line.error(f"{check!r} is changed twice", "check", hint="keep one change of it")
    if change == "add" and check in mapped:
        raise line.error(f"{check!r} bears on the control already", "check", hint="write it under replace")
    if change != "add" and check not in mapped:
        raise line.error(
            f"{check!r} does not bear on the control",
            "check",
            hint=f"it has {', '.join(mapped)}; new ones go under add",
        )
