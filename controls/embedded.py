"""Shells and interpreters compiled into other programs, told by the modules in their Go build info."""

from __future__ import annotations

from compliance.model.evidence import Evidence
from compliance.model.filesystem import display_path
from compliance.model.outcome import Observation, ObservationKind
from controls.programs import programs

_MODULES = {
    "mvdan.cc/sh": "a POSIX shell",
    "github.com/u-root/u-root": "the u-root shell and tools",
    "github.com/traefik/yaegi": "a Go interpreter",
    "github.com/dop251/goja": "a JavaScript interpreter",
    "github.com/robertkrimen/otto": "a JavaScript interpreter",
    "go.starlark.net": "a Starlark interpreter",
    "github.com/yuin/gopher-lua": "a Lua interpreter",
    "github.com/d5/tengo": "a Tengo interpreter",
    "rogchap.com/v8go": "a JavaScript interpreter",
}
"""Module path, to which a major version may be appended, and what it is. A linked module need not be reachable."""


def embedded_interpreters(evidence: Evidence) -> tuple[Observation, ...]:
    """One note for each program with such a module. No finding: whether a user can reach it is not in the bytes."""
    out: list[Observation] = []
    for program in programs(evidence.filesystem).all:
        go = program.elf.go if program.elf is not None else None
        if go is None:
            continue
        for module, version, _ in go.modules:
            what = _MODULES.get(module) or _MODULES.get(module.rpartition("/v")[0])
            if what is not None:
                out.append(
                    Observation(
                        summary=f"{display_path(program.entry.path)} has {what} compiled in ({module} {version}); "
                        "whether it can be made to run commands is not told by its bytes.",
                        kind=ObservationKind.NOTE,
                        path=program.entry.path,
                        layer=program.entry.layer,
                        sha256=program.entry.sha256,
                        package=evidence.inventory.owner(*program.paths),
                        value=f"{module} {version}",
                        method="Go build info",
                    )
                )
    return tuple(out)
