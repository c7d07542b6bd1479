"""RM-COMPILER: nothing in the image turns source text into programs."""

from __future__ import annotations

from compliance.model.evidence import Evidence
from compliance.model.outcome import Check, Outcome, Severity, Trait
from controls.detection import conclude, detect


def run(evidence: Evidence) -> Outcome:
    """Compilers, assemblers, linkers and build drivers by content, Go main package and name."""
    return conclude(evidence, detect(evidence, "compilers"))


CHECK = Check(
    id="RM-COMPILER",
    title="No compiler, assembler, linker or build toolchain",
    trait=Trait.REMOVED,
    severity=Severity.HIGH,
    rationale="A toolchain lets an intruder build exploits and tools that fit the kernel and libraries at hand, "
    "past whatever keeps finished binaries from being brought in.",
    looks_at="Every regular file of the merged file tree: content markers of GCC, Clang, LLVM, binutils, rustc, "
    "javac, GHC, OCaml, NASM, make, CMake and dozens of others, in programs, scripts and what UPX packed, the main "
    "package of the Go tools, the .NET SDK's files, and the names of other compilers and build tools. Short names "
    "(as, ld, ar, go) count with content or with the owning package only. Headers and static libraries are SC-DEVRES.",
    proves="A pass proves that every regular file was read and that none is a compiler or build tool known by "
    "content, package or name. Interpreters that compile to memory are RM-INTERP.",
    remediation="Compile in a build stage and copy only the results into the runtime stage; ship a Java runtime "
    "without the JDK's tools, and a .NET runtime without the SDK.",
    run=run,
    references=("NIST SP 800-190, 4.1.2", "Docker build: multi-stage builds"),
)
