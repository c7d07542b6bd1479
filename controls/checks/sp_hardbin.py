"""SP-HARDBIN: programs and libraries are built against the misuse of memory errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from compliance.model.evidence import Evidence
from compliance.model.filesystem import ElfFacts, ElfProtections, FileEntry, FileTree, display_path
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
    Unknown,
)
from controls.observe import count, file_observation, not_wholly_read, note

_WEAK_MAX = 500
_PACKAGES_MAX = 100
_DEBUG_SYMBOLS = "usr/lib/debug/"
_ANYBODY_WRITES = 0o002
_METHOD = "ELF headers and symbols"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Binary:
    """A program or library; `hidden` tells why its protections can't be known."""

    entry: FileEntry
    elf: ElfFacts
    hidden: str | None

    @property
    def built(self) -> ElfProtections | None:
        return None if self.hidden else self.elf.protections


def run(evidence: Evidence) -> Outcome:
    """What the headers say decides; symbols, which prove nothing when they are absent, are counted by package."""
    tree = evidence.filesystem
    binaries = tuple(_binaries(tree))
    if not binaries:
        if not tree.wholly_read:
            return not_wholly_read(tree)
        return NotApplicable(reason="there is no ELF program or library in the merged tree")
    told = (*_shares(evidence, binaries), *_run_paths(tree, binaries))
    weak = [
        file_observation(evidence, binary.entry, _sentence(binary, missing), value=", ".join(missing), method=_METHOD)
        for binary in binaries
        if (missing := _missing(binary))
    ]
    if weak:
        rest = len(weak) - _WEAK_MAX
        more = (note(f"{count(rest, 'more program or library', 'more programs and libraries')} like these."),)
        return Failed(observations=(*weak[:_WEAK_MAX], *(more if rest > 0 else ()), *told))
    hidden = [binary for binary in binaries if _undecided(binary)]
    if hidden:
        first = hidden[0]
        others = f" and {len(hidden) - 1:,} more" if len(hidden) > 1 else ""
        return Unknown(reason=f"{display_path(first.entry.path)}{others}: {_undecided(first)}", observations=told)
    return Passed(observations=told) if tree.wholly_read else not_wholly_read(tree, told)


def _binaries(tree: FileTree) -> Iterator[_Binary]:
    """Programs and shared libraries; object files, cores and detached debug symbols are loaded by nothing."""
    for entry in tree.files():
        facts = entry.facts
        if facts is None or facts.elf is None or facts.elf.file_type in ("relocatable", "core"):
            continue
        if entry.path.startswith(_DEBUG_SYMBOLS):
            continue
        hidden = None
        if facts.packer is not None:
            hidden = f"it is packed ({facts.packer.partition(',')[0]}), so its headers are those of the unpacker"
        elif facts.elf.protections is None:
            hidden = facts.elf.problem or "its headers are of no known file type"
        yield _Binary(entry=entry, elf=facts.elf, hidden=hidden)


def _missing(binary: _Binary) -> tuple[str, ...]:
    """The protections that the headers prove to be missing.

    Go lays its programs out at fixed addresses by default and has neither lazily bound functions nor pointers of C's
    sort to overwrite: position independence and RELRO are not asked of it.
    """
    built = binary.built
    if built is None:
        return ()
    go = built.made_by == "go"
    found = {
        "no PIE": binary.elf.runnable and not built.pie and not go,
        "no RELRO": built.relro == "none" and not go,
        "executable stack": built.executable_stack is True,
        "segment both writable and executable": built.writable_code,
        "text relocations": built.text_relocations,
    }
    return tuple(what for what, is_so in found.items() if is_so)


def _undecided(binary: _Binary) -> str | None:
    if binary.hidden:
        return binary.hidden
    built = binary.elf.protections
    if built is not None and built.executable_stack is None:
        return f"whether its stack is executable is not known for ELF machine {binary.elf.machine}"
    return None


def _sentence(binary: _Binary, missing: tuple[str, ...]) -> str:
    what = "program" if binary.elf.runnable else "library"
    return f"The {what} {display_path(binary.entry.path)} is built without protection: {', '.join(missing)}."


# ---- shares

_Answer = Callable[[_Binary, ElfProtections], bool | None]

_QUESTIONS: tuple[tuple[str, _Answer], ...] = (
    ("PIE", lambda binary, built: built.pie if binary.elf.runnable and built.made_by != "go" else None),
    ("RELRO", lambda binary, built: built.relro != "none" if built.made_by != "go" else None),
    ("BIND_NOW", lambda binary, built: built.relro == "full" if built.made_by != "go" else None),
    ("NX stack", lambda binary, built: None if built.executable_stack is None else not built.executable_stack),
    ("stack protector", lambda binary, built: None if built.made_by else built.stack_protector),
    ("FORTIFY", lambda binary, built: None if built.made_by else built.fortified),
)
"""What is counted, each among the files that can tell (None: this one can't)."""


def _shares(evidence: Evidence, binaries: tuple[_Binary, ...]) -> Iterator[Observation]:
    """The shares over all files, then package by package, those that have everything left out."""
    files = count(len(binaries), "program or library", "programs and libraries")
    made = [binary.built.made_by for binary in binaries if binary.built is not None]
    others = ", ".join(
        f"{count(made.count(name), 'file')} made by {title}"
        for name, title in (("go", "Go"), ("rust", "Rust"))
        if name in made
    )
    yield Observation(
        summary=f"{files}: {_share(binaries)}." + (f" Among them {others}." if others else ""),
        kind=ObservationKind.COVERAGE,
        method=_METHOD,
    )
    owned: dict[str, list[_Binary]] = {}
    for binary in binaries:
        owner = evidence.inventory.owner(*evidence.filesystem.names(binary.entry))
        owned.setdefault(owner or "", []).append(binary)
    lacking = [(owner, some) for owner, some in sorted(owned.items()) if _lacks(some)]
    for owner, some in lacking[:_PACKAGES_MAX]:
        files = count(len(some), "program or library", "programs and libraries")
        yield Observation(
            summary=f"{owner or 'Files of no package'}: {files}: {_share(some)}.",
            kind=ObservationKind.PACKAGE if owner else ObservationKind.NOTE,
            package=owner or None,
            method=_METHOD,
        )
    if len(lacking) > _PACKAGES_MAX:
        yield note(f"{count(len(lacking) - _PACKAGES_MAX, 'more package')} with less than everything.")


def _answers(binaries: Iterable[_Binary]) -> dict[str, list[bool]]:
    said: dict[str, list[bool]] = {name: [] for name, _ in _QUESTIONS}
    for binary in binaries:
        if binary.built is not None:
            for name, question in _QUESTIONS:
                answer = question(binary, binary.built)
                if answer is not None:
                    said[name].append(answer)
    return said


def _lacks(binaries: Iterable[_Binary]) -> bool:
    return any(not all(answers) for answers in _answers(binaries).values())


def _share(binaries: Iterable[_Binary]) -> str:
    """``PIE 98 % of 120``; whole percents, never rounded up to all or down to none."""
    parts = []
    for name, answers in _answers(binaries).items():
        if answers:
            percent = 100 * sum(answers) / len(answers)
            shown = min(99, max(1, round(percent))) if 0 < percent < 100 else int(percent)
            parts.append(f"{name} {shown} % of {len(answers):,}")
    return ", ".join(parts) or "nothing can be told of them"


def _run_paths(tree: FileTree, binaries: tuple[_Binary, ...]) -> Iterator[Observation]:
    """Loose run paths let another library in: told here, decided by IM-PATH."""
    loose = [
        binary.entry.path
        for binary in binaries
        if any(_is_loose(tree, element) for element in binary.elf.runpath or binary.elf.rpath)
    ]
    if loose:
        files = count(len(loose), "file")
        yield note(
            f"{files} with a run path that is relative, empty or leads to a folder anybody may write "
            f"(IM-PATH decides on run paths), {display_path(loose[0])} the first."
        )


def _is_loose(tree: FileTree, element: str) -> bool:
    if not element.startswith("/"):
        return not element.startswith("$")
    folder = tree.resolve(element)
    return folder is not None and bool(folder.mode & _ANYBODY_WRITES)


CHECK = Check(
    id="SP-HARDBIN",
    title="Executables built with memory protections",
    trait=Trait.SUPPLY,
    severity=Severity.LOW,
    rationale="Position independence, read-only relocations and a stack that cannot be executed do not remove "
    "errors from a program, but make many of them much harder to exploit.",
    looks_at="The program headers, dynamic section and imported symbols of every ELF program and shared library in the "
    "merged file tree: position independence (PIE), RELRO and BIND_NOW, the stack's flags (NX), writable code, text "
    "relocations, stack protector and FORTIFY. Object files and detached debug symbols are left out.",
    proves="A pass proves that every program not made by Go is position-independent, that every such program and "
    "library has RELRO, and that none at all asks for an executable stack, has a segment both writable and executable "
    "or relocates its code. BIND_NOW, stack protector and FORTIFY are given as percentages and decide nothing: "
    "distributions leave BIND_NOW out by default, and a missing symbol is no proof, as a file may have nothing to "
    "protect. Static, Go and Rust files are not counted where their symbols tell nothing. It does not prove that the "
    "code is free of errors, nor what the kernel enforces.",
    remediation="Build with -fPIE -pie -fstack-protector-strong -D_FORTIFY_SOURCE=2 -Wl,-z,relro,-z,now, or take a "
    "package that is; for an executable stack find the object without .note.GNU-stack; remove programs that are not "
    "needed.",
    run=run,
    references=("System V gABI ch. 5: program loading", "ld(1): -z relro, -z now, -z execstack", "elf(5)"),
)
