"""RM-LIB: every shared library is one that something in the image can load."""

from __future__ import annotations

from dataclasses import replace

from compliance.model.evidence import Evidence, Variant
from compliance.model.filesystem import display_path
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
from controls.detection import Presence, detect
from controls.load_closure import NAMING, REQUEST, Closure, Library, Use, load_closure
from controls.observe import count, file_observation, note

_FOREIGN_CODE = frozenset(("python", "ruby", "deno", "bun", "php", "lua", "guile", "r", "julia", "java", "dotnet"))
"""Interpreters whose programs can call any C library by name (ctypes, Fiddle, FFI, JNA …).

Perl, Node.js and Tcl load modules made for them only, whose own needs are in their headers; for Perl and Node.js there
are modules that do more."""
_FOREIGN_MODULES = (
    "FFI/Platypus.pm",
    "FFI/Raw.pm",
    "C/DynaLib.pm",
    "node_modules/koffi/package.json",
    "node_modules/ffi-napi/package.json",
    "node_modules/ffi/package.json",
    "node_modules/ffi-rs/package.json",
)
_LISTED_MAX = 200


def run(evidence: Evidence) -> Outcome:
    """Libraries outside the load closure; with an interpreter that loads any, none is said to be unused."""
    closure = load_closure(evidence)
    if not closure.libraries:
        return _without_libraries(evidence, closure)
    if evidence.profile.variant is not Variant.RUNTIME:
        return NotApplicable(reason=f"a {evidence.profile.variant} image carries libraries to build against")
    if not closure.roots:
        return NotApplicable(reason="no program is in the image, so its libraries are for programs added later")
    foreign = _foreign(evidence)
    unused = [library for library in closure.libraries if library.use is Use.UNUSED]
    observations = (_coverage(evidence, closure), *_notes(evidence, closure, foreign))
    if not evidence.filesystem.wholly_read:
        reason = "a file that could not be read may need any of the libraries"
        return Unknown(reason=reason, observations=observations)
    if unused and foreign is None:
        return Failed(observations=(*_unused(evidence, unused), *observations))
    return Passed(observations=observations)


def _without_libraries(evidence: Evidence, closure: Closure) -> Outcome:
    covered = _coverage(evidence, closure)
    if not evidence.filesystem.wholly_read:
        return Unknown(reason="no shared library was found, but not every file could be read", observations=(covered,))
    return Passed(observations=(covered,))


def _foreign(evidence: Evidence) -> str | None:
    """The first interpreter, or module of one, in the image that can load a library by name, if there is one."""
    for finding in detect(evidence, "interpreters").findings:
        certain = finding.presence is not Presence.POSSIBLE
        if certain and any(tool in _FOREIGN_CODE for tool in finding.tools):
            return display_path(finding.entry.path)
    modules = (entry.path for entry in evidence.filesystem.regular() if entry.path.endswith(_FOREIGN_MODULES))
    return next((display_path(path) for path in modules), None)


def _unused(evidence: Evidence, unused: list[Library]) -> tuple[Observation, ...]:
    ordered = sorted(unused, key=lambda library: (-library.entry.size, library.entry.path))
    out = [_observation(evidence, library, ObservationKind.FILE) for library in ordered[:_LISTED_MAX]]
    rest = ordered[_LISTED_MAX:]
    if rest:
        size = sum(library.entry.size for library in rest)
        out.append(note(f"{count(len(rest), 'more unused library', 'more unused libraries')}, {size:,} bytes."))
    return tuple(out)


def _observation(evidence: Evidence, library: Library, kind: ObservationKind) -> Observation:
    entry = library.entry
    summary = f"{display_path(entry.path)} is {library.use}: {library.reason}; {count(entry.size, 'byte')}."
    seen = file_observation(evidence, entry, summary, method="load closure", kind=kind)
    return replace(seen, verdict=library.use.value)


def _notes(evidence: Evidence, closure: Closure, foreign: str | None) -> tuple[Observation, ...]:
    """What is possibly used: in the presence of an interpreter that loads by name, also what nothing names."""
    notes = []
    doubtful = [library for library in closure.libraries if library.use is Use.UNUSED] if foreign else []
    if foreign and doubtful:
        size = sum(library.entry.size for library in doubtful)
        libraries = count(len(doubtful), "library is", "libraries are")
        notes.append(
            note(
                f"{libraries} named by no program, script or configuration file ({count(size, 'byte')}), but {foreign} "
                "can load any by name: possibly used."
            )
        )
    for library in sorted(doubtful, key=lambda library: (-library.entry.size, library.entry.path))[:_LISTED_MAX]:
        possible = Library(entry=library.entry, use=Use.POSSIBLY, reason=f"nothing names it, but {foreign} could")
        notes.append(_observation(evidence, possible, ObservationKind.NOTE))
    return tuple(notes)


def _coverage(evidence: Evidence, closure: Closure) -> Observation:
    uses = {use: [one for one in closure.libraries if one.use is use] for use in Use}
    sums = ", ".join(
        f"{len(some):,} {use} ({sum(one.entry.size for one in some):,} bytes)" for use, some in uses.items()
    )
    return Observation(
        summary=f"{count(len(closure.libraries), 'shared library', 'shared libraries')} held against the needs of "
        f"{count(closure.roots, 'program')}: {sums}.",
        kind=ObservationKind.COVERAGE,
        method="load closure",
    )


CHECK = Check(
    id="RM-LIB",
    title="No shared library that nothing can load",
    trait=Trait.REMOVED,
    severity=Severity.LOW,
    rationale="A library that nothing loads brings its vulnerabilities into every scan and its bytes into every "
    "pull, and serves nobody but who looks for code to reuse in an exploit.",
    looks_at="Every ELF file of the merged file tree: the libraries that its headers need, searched as the loader of "
    "glibc or musl does (RPATH, RUNPATH, LD_LIBRARY_PATH, ld.so.conf and its cache, default and multiarch folders), "
    "and the library names among its strings, in every script, in the configuration files and in the image config. A "
    "library outside those folders is a plugin by convention.",
    proves="A failure proves that no ELF file, script or configuration file of the image needs or names the library, "
    "that it lies where a loader searches, so that it is no plugin that is loaded by its path, and that no interpreter "
    "is there that could load it by name. A name that a program puts together at run time is not seen. A pass does not "
    "prove that every library is used: one that is merely named, or that an interpreter could load, counts as possibly "
    "used.",
    remediation="Remove the owning package, or copy only the closure of the application's libraries into the runtime "
    "stage.",
    run=run,
    requests=(REQUEST, NAMING),
    references=("ld.so(8)", "dlopen(3)", "System V gABI, chapter 5"),
)
