"""RM-DEBUG: nothing in the image reads other processes or captures packets."""

from __future__ import annotations

from compliance.model.evidence import Evidence
from compliance.model.outcome import Check, Outcome, Severity, Trait
from controls.detection import conclude, detect
from controls.knowledge import path_sorts
from controls.trees import sums_of


def run(evidence: Evidence) -> Outcome:
    """Debuggers and tracers by content and name; files of separate debug symbols."""
    return conclude(evidence, detect(evidence, "debuggers"), more=sums_of(evidence, path_sorts("debug-symbols")))


CHECK = Check(
    id="RM-DEBUG",
    title="No debugging or tracing tools",
    trait=Trait.REMOVED,
    severity=Severity.MEDIUM,
    rationale="Debuggers and tracers read and change other processes of the container, their keys and passwords "
    "included, packet captures read what they send, and debug symbols help to make an exploit fit.",
    looks_at="Every regular file of the merged file tree: content markers of gdb, LLDB, strace, ltrace, perf, "
    "bpftrace, Valgrind, rr, tcpdump, Wireshark, Delve, the JDK's diagnostic tools and others, in programs, scripts "
    "and what UPX packed, names, and files under /usr/lib/debug or named *.debug. What only lists processes or reads "
    "object files is noted, not counted.",
    proves="A pass proves that every regular file was read and that none is a debugger, tracer or packet capture known "
    "by content, package or name, nor a file of debug symbols at its usual place. It does not prove that a program's "
    "own diagnostics are off.",
    remediation="Remove the packages (gdb, strace, tcpdump, procps …) from the runtime stage; use an ephemeral debug "
    "container instead. Move debug symbols to a symbol server.",
    run=run,
    references=("ptrace(2)", "Kubernetes documentation: ephemeral containers"),
)
