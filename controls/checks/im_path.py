"""IM-PATH: nobody can put a program or a library in front of the right one."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from compliance.model.evidence import Evidence, Variant
from compliance.model.filesystem import FileEntry, FileKind, FileTree, display_path
from compliance.model.outcome import Check, Failed, Observation, Outcome, Passed, Severity, Trait, Unknown
from compliance.model.request import ContentRequest
from controls.accounts import CannotStart, Identity, Undetermined, run_as
from controls.entrypoint import DEFAULT_PATH
from controls.observe import config_observation, count, file_observation, not_wholly_read, note
from controls.writability import Writability

LISTS = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "NODE_PATH", "PERL5LIB", "RUBYLIB", "CLASSPATH", "GEM_PATH")
"""Environment variables that hold a colon-separated list of places that code is taken from."""
EMPTY_IS_HERE = frozenset(("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "CLASSPATH"))
"""Those in which an empty element means the current directory."""
_PRELOAD = ContentRequest(name="ld-so-preload", globs=("etc/ld.so.preload",), max_size=64 * 1024)
_ORIGIN = re.compile(r"\$(?:ORIGIN|\{ORIGIN\})")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """One element of a search path; `source` says whose, `file` is the file that states it, None for the config."""

    source: str
    text: str
    file: FileEntry | None = None

    @property
    def path(self) -> str | None:
        """Where it leads; None when it depends on the current directory, or on the machine ($LIB, $PLATFORM)."""
        text = self.text
        if self.file is not None:
            text = _ORIGIN.sub("/" + posixpath.dirname(self.file.path), text)
        return text if text.startswith("/") and "$" not in text else None

    @property
    def relative(self) -> bool:
        """Whether the current directory decides where it leads."""
        return not self.text.startswith(("/", "$"))

    def observation(self, evidence: Evidence, problem: str) -> Observation:
        """The sentence about it."""
        summary = f"{self.source} has the element {self.text!r}, {problem}."
        if self.file is None:
            return config_observation(summary, self.text)
        return file_observation(evidence, self.file, summary, value=self.text, method="ELF dynamic section")


def run(evidence: Evidence) -> Outcome:
    """Variables of config.Env, preloaded libraries, and RPATH and RUNPATH of every ELF file."""
    config = evidence.image.config
    who = run_as(evidence)
    if config is None or isinstance(who, Undetermined):
        return Unknown(reason=who.reason if isinstance(who, Undetermined) else "there is no image config")
    tree = evidence.filesystem
    places = (*_environment(config.env), *_preloaded(tree), *_run_paths(tree))
    found = [
        place.observation(evidence, "which depends on the current directory") for place in places if place.relative
    ]
    if isinstance(who, Identity) and (not who.root or evidence.profile.variant is Variant.RUNTIME):
        found += _root(who, len(places)) if who.root else _writable(evidence, who, places)
    return Failed(observations=tuple(found)) if found else _nothing_found(evidence, who, places)


def _nothing_found(evidence: Evidence, who: Identity | CannotStart, places: tuple[_Place, ...]) -> Outcome:
    tree = evidence.filesystem
    if isinstance(who, CannotStart):
        return Unknown(reason=f"{who.reason}, so what it could write is not defined")
    if who.groups_problem:
        return Unknown(reason=who.groups_problem)
    if tree.get("etc/ld.so.preload") is not None and not tree.captured(_PRELOAD.name):
        return Unknown(reason="/etc/ld.so.preload was not kept while the image was read")
    if not tree.wholly_read:
        return not_wholly_read(tree)
    number = count(len(places), "search place")
    if who.root:
        by_design = f"the default user is root, as a {evidence.profile.variant} image may be by design"
        return Passed(observations=(config_observation(f"{number}, none of them relative; {by_design}."),))
    elf = sum(1 for entry in tree.files() if entry.facts is not None and entry.facts.elf is not None)
    return Passed(
        observations=(
            config_observation(f"{number}, none of them relative, empty or writable for {who}."),
            note(f"RPATH and RUNPATH of {count(elf, 'ELF file')} were read."),
        )
    )


def _environment(env: Mapping[str, str]) -> Iterable[_Place]:
    for name in LISTS:
        text = env.get(name, DEFAULT_PATH if name == "PATH" else "")
        for element in text.split(":") if text else ():
            if element or name in EMPTY_IS_HERE:
                yield _Place(source=f"{name} of the image config", text=element)
    for element in re.split(r"[\s:]+", env.get("LD_PRELOAD", "")):
        if "/" in element:  # a bare name is looked for in the library path
            yield _Place(source="LD_PRELOAD of the image config", text=element)


def _preloaded(tree: FileTree) -> Iterable[_Place]:
    for kept in tree.captured(_PRELOAD.name):
        text = kept.value.decode("utf-8", "surrogateescape") if isinstance(kept.value, bytes) else ""
        for element in re.split(r"[\s:]+", re.sub(r"#[^\n]*", "", text)):
            if "/" in element:
                yield _Place(source="/etc/ld.so.preload", text=element, file=kept.entry)


def _run_paths(tree: FileTree) -> Iterable[_Place]:
    for entry in tree.files():
        elf = entry.facts.elf if entry.facts is not None else None
        if elf is None:
            continue
        for source, elements in (("RPATH", elf.rpath if not elf.runpath else ()), ("RUNPATH", elf.runpath)):
            for element in elements:
                yield _Place(source=f"{source} of {display_path(entry.path)}", text=element, file=entry)


def _root(who: Identity, number: int) -> list[Observation]:
    return [
        config_observation(
            f"The default user is root (uid 0), to whom all {count(number, 'search place')} are writable.",
            who.spec or None,
        )
    ]


def _writable(evidence: Evidence, who: Identity, places: tuple[_Place, ...]) -> list[Observation]:
    """Places that the user can write, or make where there are none yet; for each place the first that names it."""
    tree = evidence.filesystem
    writability = Writability(tree, who)
    found: dict[str, Observation] = {}
    for place in places:
        if place.path is None or place.path in found:
            continue
        giver = _given_away(tree, writability, place.path)
        if giver is not None:
            problem = f"which uid {who.uid} can write or replace through {display_path(giver)}"
            found[place.path] = place.observation(evidence, problem)
    return list(found.values())


def _given_away(tree: FileTree, writability: Writability, path: str) -> str | None:
    """The directory or file whose permissions let the user decide what is found at `path`."""
    literal = tree.get(posixpath.normpath(path))
    if literal is not None and literal.kind is FileKind.SYMLINK:
        control = writability.access(literal).control
        if control is not None:
            return control
    real = tree.real_path(path)
    if real is None:
        return None
    entry = tree.entries.get(real)
    if entry is not None and entry.kind is FileKind.REGULAR:
        access = writability.access(entry)
        return access.control if access.control is not None else entry.path if access.by_file else None
    return writability.creatable(real)


CHECK = Check(
    id="IM-PATH",
    title="Search paths are not writable or relative",
    trait=Trait.IMMUTABLE,
    severity=Severity.HIGH,
    rationale="Who can write in a directory that programs or libraries are searched in, or choose what a relative "
    "one means, decides what is run in their place.",
    looks_at="PATH, LD_LIBRARY_PATH, LD_PRELOAD, PYTHONPATH, NODE_PATH, PERL5LIB, RUBYLIB, CLASSPATH and GEM_PATH of "
    "config.Env (PATH as runtimes set it where it is not set), /etc/ld.so.preload, and DT_RPATH and DT_RUNPATH of "
    "every ELF file, against the permissions of the default user.",
    proves="A pass proves that no element of these is empty, relative or writable for the default user, places that do "
    "not exist yet included. Search paths that a program sets itself, and elements with $LIB or $PLATFORM, are not "
    "followed.",
    remediation="Use absolute directories that root owns; link libraries with an absolute or $ORIGIN run path.",
    run=run,
    requests=(_PRELOAD,),
    references=("ld.so(8)", "execvp(3)"),
)
