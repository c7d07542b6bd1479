"""Is a removed component there? By content first, then by name, then by package; absent only if all was read.

Verdicts: *present* is a program that can be started; *dormant* one without execute permission, which a loader or
an interpreter still runs; *possible* a file whose name speaks and whose content does not. A package database alone
makes no finding: a package whose files are gone is not a tool, and a tool without package is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from itertools import chain
from operator import attrgetter

from compliance.formats.examine import UNPACKED
from compliance.formats.globs import is_glob
from compliance.model.evidence import Evidence, ProfileSource, Variant
from compliance.model.filesystem import ElfFacts, FileEntry, FileFacts, display_path
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
from controls.knowledge import Kind, Tool, kind, marker_rules
from controls.name_pattern import NamePattern
from controls.observe import count, file_observation, not_wholly_read, note
from controls.programs import Program, Programs, programs

FINDINGS_MAX = 500
"""Findings that one check lists; the rest is counted."""


class Presence(StrEnum):
    """How sure a finding is; the verdict of its observation."""

    PRESENT = "present"
    DORMANT = "dormant"
    POSSIBLE = "possible"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One file (inode) that is or may be one of the tools. `names` are its further names, links included."""

    entry: FileEntry
    names: tuple[str, ...]
    tools: tuple[str, ...]
    presence: Presence
    method: str
    observe: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """What was found of one kind. `unjudged` says what hides its content; `packages` are listed without a file."""

    kind: Kind
    findings: tuple[Finding, ...]
    packages: tuple[Package, ...]
    unjudged: tuple[Observation, ...]
    coverage: Observation


def detect(evidence: Evidence, kind_name: str) -> Detection:
    """Look for every tool of ``knowledge/<kind_name>.yaml`` in the merged tree."""
    sought = kind(kind_name)
    index = _index(sought)
    found = programs(evidence.filesystem)
    owned = _owned(evidence, index)
    search = _Search(evidence, index, found, owned)
    findings = search.run()
    seen = {tool for finding in findings for tool in finding.tools}
    listed = tuple(package for package, tools in owned.values() if not any(tool.id in seen for tool in tools))
    return Detection(
        kind=sought,
        findings=findings,
        packages=listed,
        unjudged=_unjudged(evidence, index, found, {finding.entry.inode for finding in findings}),
        coverage=_coverage(evidence, sought, found),
    )


def conclude(
    evidence: Evidence,
    detection: Detection,
    *,
    more: tuple[Observation, ...] = (),
    notes: tuple[Observation, ...] = (),
    by_purpose: bool = True,
) -> Outcome:
    """The outcome of a check on what was detected.

    `more` are counter-examples besides programs; `by_purpose` whether dev and sdk images carry such tools on
    purpose. Any present or dormant finding fails; what is only possible, unread or packed is unknown.
    """
    counted = [finding for finding in detection.findings if not finding.observe]
    certain = [finding for finding in counted if finding.presence is not Presence.POSSIBLE]
    possible = [finding for finding in counted if finding.presence is Presence.POSSIBLE]
    failing = (*observations(evidence, detection.kind, certain), *more)
    doubtful = observations(evidence, detection.kind, possible)
    aside = (*_asides(evidence, detection), *notes)
    variant = evidence.profile.variant
    if by_purpose and variant is not Variant.RUNTIME:
        seen = count(len(certain), detection.kind.noun)
        reason = f"the image is for {variant}{_declared(evidence)}, which carries such tools on purpose; {seen} found"
        return NotApplicable(reason=reason, observations=(*failing, *doubtful, detection.coverage))
    if failing:
        return Failed(observations=(*failing, *doubtful, *aside, detection.coverage))
    if not evidence.filesystem.wholly_read:
        return not_wholly_read(evidence.filesystem, (*doubtful, *aside, detection.coverage))
    if doubtful:
        reason = f"{count(len(possible), 'file')} may be a {detection.kind.noun}: see the observations"
        return Unknown(reason=reason, observations=(*doubtful, *aside, detection.coverage))
    if detection.unjudged:
        reason = "the content of some programs is hidden, so it can't be told what they are"
        return Unknown(reason=reason, observations=(*detection.unjudged, *aside, detection.coverage))
    return Passed(observations=(detection.coverage, *aside))


def observations(evidence: Evidence, sought: Kind, findings: Iterable[Finding]) -> tuple[Observation, ...]:
    """One observation a finding, the first FINDINGS_MAX of them and how many more there are."""
    out: list[Observation] = []
    more = 0
    for finding in findings:
        if len(out) < FINDINGS_MAX:
            out.append(_observation(evidence, sought, finding))
        else:
            more += 1
    if more:
        out.append(note(f"{count(more, 'more finding')} of the same kind."))
    return tuple(out)


@dataclass(frozen=True, slots=True)
class _Index:
    """One kind's tools by what tells them."""

    kind: Kind
    names: dict[str, tuple[Tool, ...]]
    name_globs: tuple[tuple[NamePattern, Tool], ...]
    any_glob: NamePattern
    markers: dict[str, tuple[Tool, ...]]
    applets: dict[str, tuple[Tool, ...]]
    go: tuple[tuple[NamePattern, Tool], ...]
    needs: tuple[tuple[NamePattern, Tool], ...]
    any_need: NamePattern
    path_names: NamePattern
    paths: tuple[tuple[NamePattern, Tool], ...]
    packages: dict[str, tuple[tuple[NamePattern, Tool], ...]]

    def named(self, name: str) -> tuple[Tool, ...]:
        """The tools that have the file name `name`."""
        exact = self.names.get(name, ())
        if not self.any_glob.matches(name):
            return exact
        return (*exact, *(tool for pattern, tool in self.name_globs if pattern.matches(name)))


@cache
def _index(sought: Kind) -> _Index:
    names: dict[str, list[Tool]] = {}
    globs: list[tuple[NamePattern, Tool]] = []
    patterns: list[str] = []
    markers: dict[str, list[Tool]] = {}
    applets: dict[str, list[Tool]] = {}
    packages: dict[str, list[tuple[NamePattern, Tool]]] = {}
    for tool in sought.tools:
        for name in tool.names:
            if is_glob(name):
                patterns.append(name)
                globs.append((NamePattern((name,)), tool))
            else:
                names.setdefault(name, []).append(tool)
        for marker in tool.markers:
            markers.setdefault(marker, []).append(tool)
        for applet in tool.applets:
            applets.setdefault(applet, []).append(tool)
        for type_, wanted in tool.packages:
            packages.setdefault(type_, []).append((NamePattern(wanted), tool))
    lasts = [path.rpartition("/")[2] for tool in sought.tools for path in tool.paths]
    return _Index(
        kind=sought,
        names={name: tuple(tools) for name, tools in names.items()},
        name_globs=tuple(globs),
        any_glob=NamePattern(patterns),
        markers={marker: tuple(tools) for marker, tools in markers.items()},
        applets={applet: tuple(tools) for applet, tools in applets.items()},
        go=tuple((NamePattern(tool.go), tool) for tool in sought.tools if tool.go),
        needs=tuple((NamePattern(tool.needs), tool) for tool in sought.tools if tool.needs),
        any_need=NamePattern(need for tool in sought.tools for need in tool.needs),
        path_names=NamePattern(lasts),
        paths=tuple((NamePattern(tool.paths), tool) for tool in sought.tools if tool.paths),
        packages={type_: tuple(pairs) for type_, pairs in packages.items()},
    )


def _owned(evidence: Evidence, index: _Index) -> dict[str, tuple[Package, tuple[Tool, ...]]]:
    """The packages in the inventory that a tool of the kind comes in, by purl."""
    out: dict[str, tuple[Package, tuple[Tool, ...]]] = {}
    for package in evidence.inventory.installed:
        tools = tuple(tool for pattern, tool in index.packages.get(package.type, ()) if pattern.matches(package.name))
        if tools:
            out[package.purl] = (package, tools)
    return out


@dataclass(frozen=True, slots=True)
class _Match:
    """Why a program is taken for `tools`."""

    tools: tuple[Tool, ...]
    presence: Presence
    method: str


class _Search:
    """One search for one kind."""

    def __init__(
        self,
        evidence: Evidence,
        index: _Index,
        found: Programs,
        owned: dict[str, tuple[Package, tuple[Tool, ...]]],
    ) -> None:
        self.evidence = evidence
        self.index = index
        self.found = found
        self.owned = owned
        self.links = found.links(lambda name: bool(index.named(name)))

    def run(self) -> tuple[Finding, ...]:
        matches: dict[int, tuple[Program, _Match]] = {}
        for program in self.found.all:
            match = self._content(program) or self._name(program)
            if match is not None:
                matches[program.entry.inode] = (program, match)
        for program, match in self._copies(matches):
            matches[program.entry.inode] = (program, match)
        findings = [self._finding(program, match) for program, match in matches.values()]
        findings.extend(self._modules(set(matches)))
        return tuple(sorted(findings, key=lambda finding: finding.entry.path))

    def _content(self, program: Program) -> _Match | None:
        """What the bytes say: markers, applet table, Go build info, libraries it can't be without."""
        facts, elf = program.entry.facts, program.elf
        if facts is None:
            return None
        told = list(self._marked(facts))
        if elf is not None:
            told += [*self._applets(facts), *self._go(elf)]
            if elf.runnable:
                told.extend(self._linked(program, elf.needed))
        if not told:
            return None
        tools = _unique([tool for _, tool in told])
        method = "; ".join(dict.fromkeys(method for method, _ in told))
        if facts.packer == UNPACKED:
            method = f"{method}, in what UPX packed"
        if elf is None or elf.runnable:
            return _Match(tools, self._presence(program), method)
        if elf.problem:
            return _Match(tools, Presence.POSSIBLE, f"{method}, behind damaged headers")
        if self.index.kind.in_libraries and elf.file_type == "shared":
            return _Match(tools, Presence.POSSIBLE, f"{method}, in a shared library")
        return None

    def _marked(self, facts: FileFacts) -> Iterator[tuple[str, Tool]]:
        for rule in facts.markers:
            for tool in self.index.markers.get(rule, ()):
                if not _excluded(tool, facts.markers):
                    yield f"content markers {rule}", tool

    def _applets(self, facts: FileFacts) -> Iterator[tuple[str, Tool]]:
        held = [applet for applet in facts.applets if applet in self.index.applets]
        for applet in held:
            for tool in self.index.applets[applet]:
                yield f"applet table: {', '.join(held)}", tool

    def _go(self, elf: ElfFacts) -> Iterator[tuple[str, Tool]]:
        if elf.go is not None:
            for pattern, tool in self.index.go:
                if pattern.matches(elf.go.path):
                    yield f"Go build info: {elf.go.path}", tool

    def _linked(self, program: Program, needed: tuple[str, ...]) -> Iterator[tuple[str, Tool]]:
        markers = program.entry.facts.markers if program.entry.facts is not None else ()
        for path in needed:
            library = path.rpartition("/")[2]
            if not self.index.any_need.matches(library):
                continue
            for pattern, tool in self.index.needs:
                small = tool.size_max is None or program.entry.size <= tool.size_max
                if small and pattern.matches(library) and not _excluded(tool, markers):
                    yield f"links to {library}", tool

    def _name(self, program: Program) -> _Match | None:
        """What its names say, of a program whose content says nothing."""
        entry = program.entry
        named: dict[str, tuple[Tool, str]] = {}
        for path in (*program.paths, *self.links.get(entry.inode, ())):
            name = path.rpartition("/")[2]
            for tool in self.index.named(name):
                if self.found.is_program_place(path):
                    named.setdefault(tool.id, (tool, name))
        if not named or entry.size == 0:  # an empty file is no program, whatever it is called
            return None
        packaged = self._package_tools(program)
        sure = [(tool, name) for tool, name in named.values() if tool.id in packaged]
        if sure and entry.facts is not None:
            return _Match(
                tuple(tool for tool, _ in sure), self._presence(program), f"file name {sure[0][1]} and its package"
            )
        doubtful = [(tool, name) for tool, name in named.values() if not tool.ambiguous]
        if not doubtful:
            return None
        tools = tuple(tool for tool, _ in doubtful)
        method = f"file name {doubtful[0][1]}"
        by_name_only = all(not tool.known_by_content for tool in tools)
        if by_name_only and entry.facts is not None and self._starts(program):
            return _Match(tools, self._presence(program), method)
        return _Match(tools, Presence.POSSIBLE, f"{method} only") if entry.executable else None

    def _package_tools(self, program: Program) -> frozenset[str]:
        owner = self.evidence.inventory.owner(*program.paths)
        return frozenset(tool.id for tool in self.owned[owner][1]) if owner in self.owned else frozenset()

    def _starts(self, program: Program) -> bool:
        return program.elf is None or program.elf.runnable

    def _presence(self, program: Program) -> Presence:
        return Presence.PRESENT if program.entry.executable else Presence.DORMANT

    def _copies(self, matches: dict[int, tuple[Program, _Match]]) -> Iterator[tuple[Program, _Match]]:
        """ELF files with the content, or the build id, of one that its name or package told."""
        by_digest: dict[str, tuple[Program, _Match]] = {}
        for program, match in matches.values():
            if program.elf is not None and match.presence is not Presence.POSSIBLE:
                by_digest.setdefault(program.entry.sha256, (program, match))
                if program.elf.build_id:
                    by_digest.setdefault(f"build id {program.elf.build_id}", (program, match))
        for program in self.found.all:
            if program.elf is None or program.entry.inode in matches or not program.elf.runnable:
                continue
            for key in (program.entry.sha256, f"build id {program.elf.build_id}"):
                if key in by_digest:
                    original, match = by_digest[key]
                    what = "build id" if key.startswith("build id") else "content"
                    method = f"same {what} as {display_path(original.entry.path)}"
                    yield program, _Match(match.tools, self._presence(program), method)
                    break

    def _modules(self, known: set[int]) -> Iterator[Finding]:
        """Files that are the tool wherever they lie at such a path: modules that an interpreter runs."""
        if not self.index.paths:
            return
        wanted = self.index.path_names.matches
        called = self.evidence.filesystem.called()
        fitting = (some for name, some in called.items() if wanted(name))
        for entry in sorted(chain.from_iterable(fitting), key=attrgetter("path")):
            if entry.inode in known:
                continue
            tools = [tool for pattern, tool in self.index.paths if pattern.matches(entry.path)]
            if tools:
                known.add(entry.inode)
                yield self._finding(
                    Program(entry, self.evidence.filesystem.names(entry)),
                    _Match(tuple(tools), Presence.PRESENT, "path of the module"),
                )

    def _finding(self, program: Program, match: _Match) -> Finding:
        paths = (*program.paths, *sorted(self.links.get(program.entry.inode, ())))
        entry = _titular(self.evidence, program, match)
        return Finding(
            entry=entry,
            names=tuple(path for path in paths if path != entry.path),
            tools=tuple(tool.id for tool in match.tools),
            presence=match.presence,
            method=match.method,
            observe=all(tool.observe for tool in match.tools),
        )


def _excluded(tool: Tool, markers: tuple[str, ...]) -> bool:
    return any(rule in markers for rule in tool.unless)


def _titular(evidence: Evidence, program: Program, match: _Match) -> FileEntry:
    """The name to report the program under: the first that is a name of the tool, else the first."""
    index = NamePattern(name for tool in match.tools for name in tool.names)
    for path in program.paths:
        if index.matches(path.rpartition("/")[2]):
            return evidence.filesystem.entries[path]
    return program.entry


def _unique(tools: list[Tool]) -> tuple[Tool, ...]:
    """Each once, without a general name (sh, cc) beside the tool that it stands for here."""
    once = {tool.id: tool for tool in tools}.values()
    return tuple(
        tool for tool in once if not any(other.markers and {*other.markers} < {*tool.markers} for other in once)
    )


def _observation(evidence: Evidence, sought: Kind, finding: Finding) -> Observation:
    entry = finding.entry
    names = (entry.path, *finding.names)
    article = "an" if sought.noun[0] in "aeiou" else "a"
    what = f"{article} {sought.noun} ({', '.join(finding.tools)})"
    shown = display_path(entry.path)
    if finding.presence is Presence.PRESENT:
        summary = f"{shown} is {what}."
    elif finding.presence is Presence.DORMANT:
        summary = f"{shown} is {what} without execute permission: a loader, or a change of mode, starts it."
    else:
        summary = f"{shown} may be {what}, which its content does not confirm."
    return Observation(
        summary=summary,
        kind=ObservationKind.FILE,
        path=entry.path,
        names=finding.names,
        layer=entry.layer,
        sha256=entry.sha256 or None,
        package=evidence.inventory.owner(*names),
        value=", ".join(finding.tools),
        method=finding.method,
        verdict=finding.presence.value,
        size=entry.size,
    )


def _asides(evidence: Evidence, detection: Detection) -> Iterator[Observation]:
    """What decides nothing: observed tools in one sentence each, packages whose programs are not there."""
    for finding in detection.findings:
        if finding.observe and finding.presence is not Presence.POSSIBLE:
            yield Observation(
                summary=f"{display_path(finding.entry.path)} ({', '.join(finding.tools)}) is noted, not counted.",
                kind=ObservationKind.NOTE,
                path=finding.entry.path,
                names=finding.names,
                layer=finding.entry.layer,
                method=finding.method,
            )
    for package in detection.packages:
        yield Observation(
            summary=f"The {package.type} package {package.name} {package.version} is listed, "
            "but no program that it would bring was recognised.",
            kind=ObservationKind.PACKAGE,
            package=package.purl,
            method="package database",
        )


def _unjudged(evidence: Evidence, index: _Index, found: Programs, known: set[int]) -> tuple[Observation, ...]:
    """Programs whose content can't be looked at, and the sign of more links than are followed."""
    out: list[Observation] = []
    for program in found.all:
        hidden = _hidden(program, index) if program.entry.inode not in known else None
        if hidden is not None:
            summary = f"{display_path(program.entry.path)} {hidden}"
            seen = file_observation(evidence, program.entry, summary, method="content")
            out.append(replace(seen, verdict=Presence.POSSIBLE.value))
    if found.links_cut:
        out.append(note("The tree has more symbolic links to programs than are followed."))
    return tuple(out)


def _hidden(program: Program, index: _Index) -> str | None:
    """Why the content of a program does not tell what it is."""
    facts = program.entry.facts
    if facts is None:
        return None
    if facts.packer is not None and facts.packer != UNPACKED:
        return f"is packed ({facts.packer}): what it is shows only when it runs."
    if index.applets and not facts.applets and any(rule.startswith("multi:") for rule in facts.markers):
        return "is many commands in one, and its table of them could not be read."
    return None


def _coverage(evidence: Evidence, sought: Kind, found: Programs) -> Observation:
    tree = evidence.filesystem
    layers = len(evidence.image.layers)
    where = f" of {count(layers, 'layer')}" if layers else ""
    read = "read to the end" if tree.wholly_read else f"read, but for {count(len(tree.unread), 'place')}"
    return Observation(
        summary=f"{count(found.regular, 'regular file')}{where} {read}, {count(found.elf, 'ELF file')} and "
        f"{count(found.scripts, 'script')} among them: searched for {count(len(sought.tools), 'tool')} by content "
        f"({count(len(marker_rules()), 'marker rule')}), names, links and modules.",
        kind=ObservationKind.COVERAGE,
        method="merged file tree",
    )


def _declared(evidence: Evidence) -> str:
    profile = evidence.profile
    if profile.source in (ProfileSource.FLAG, ProfileSource.FILE):
        return " as asked for"
    return f" by its own, unsigned claim ({profile.declared})" if profile.declared else ""
