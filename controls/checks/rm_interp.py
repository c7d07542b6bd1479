"""RM-INTERP: the only interpreter is the one that the image is for."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace

from compliance.model.evidence import Evidence
from compliance.model.filesystem import display_path
from compliance.model.outcome import (
    Check,
    Observation,
    ObservationKind,
    Outcome,
    Severity,
    Trait,
    Unknown,
)
from controls.detection import Detection, Finding, conclude, detect
from controls.embedded import embedded_interpreters
from controls.entrypoint import Role, launches, resolve_program, unwrap
from controls.observe import file_observation
from controls.variant import claims

_PURPOSE_LABELS = ("com.docker.dhi.name", "com.docker.dhi.definition", "org.opencontainers.image.title")
_WORDS_MAX = 32
_EXEC_LINE = re.compile(r"^\s*exec\s+(?P<command>[^#|;&<>]+)", re.MULTILINE)


def run(evidence: Evidence) -> Outcome:
    """Every interpreter but those that the default command runs on or that a label names as the purpose."""
    detection = detect(evidence, "interpreters")
    needed = _needed(evidence)
    declared = _declared(evidence)
    counted: list[Finding] = []
    notes: list[Observation] = list(embedded_interpreters(evidence))
    for finding in detection.findings:
        reason = _purpose(finding, needed, declared)
        if reason is None or finding.observe:
            counted.append(finding)
        else:
            summary = f"{display_path(finding.entry.path)} ({', '.join(finding.tools)}) is not counted: {reason}."
            notes.append(
                file_observation(evidence, finding.entry, summary, method=finding.method, kind=ObservationKind.NOTE)
            )
    rest = replace(detection, findings=tuple(counted))
    if evidence.image.config is None and any(not finding.observe for finding in counted):
        return _purpose_unknown(evidence, rest, tuple(notes))
    return conclude(evidence, rest, notes=tuple(notes))


def _purpose(finding: Finding, needed: dict[int, str], declared: dict[str, str]) -> str | None:
    """Why the interpreter belongs to the image, if it does."""
    if finding.entry.inode in needed and "applet table" not in finding.method:
        return needed[finding.entry.inode]
    return next((declared[tool] for tool in finding.tools if tool in declared), None)


def _purpose_unknown(evidence: Evidence, detection: Detection, notes: tuple[Observation, ...]) -> Outcome:
    outcome = conclude(evidence, detection, notes=notes)
    reason = "without an image config nothing says what the interpreters in this root filesystem are for"
    return Unknown(reason=reason, observations=getattr(outcome, "observations", ()))


def _needed(evidence: Evidence) -> dict[int, str]:
    """The inodes of the programs that the default command runs on, with the reason in words."""
    words = _start_words(evidence)
    needed: dict[int, str] = {}
    followed: set[str] = set()
    while words and len(followed) < _WORDS_MAX:
        word, reason = words.pop(0)
        if word in followed:
            continue
        followed.add(word)
        program = resolve_program(evidence, word)
        for entry in (program.entry, *program.interpreters):
            if entry is not None:
                needed.setdefault(entry.inode, reason)
        if program.entry is not None and program.interpreters:
            content = evidence.filesystem.content(program.entry.path) or b""
            for match in _EXEC_LINE.finditer(content.decode("utf-8", "replace")):
                words.extend(_command_words(match["command"], f"{display_path(program.entry.path)} starts it"))
    return needed


def _start_words(evidence: Evidence) -> list[tuple[str, str]]:
    """What the config starts: the command, the text for a shell, and Cmd behind an Entrypoint."""
    config = evidence.image.config
    words: list[tuple[str, str]] = []
    for launch in launches(config) if config is not None else ():
        if launch.role is Role.COMMAND:
            words.append((unwrap(launch.argv)[0], "the default command runs on it"))
            if launch.shell_text is not None:
                words.extend(_command_words(launch.shell_text, "the default command starts it"))
    if config is not None and config.entrypoint and config.cmd:
        # An entry script hands its arguments over with exec "$@"; what is no program is not found anyway.
        words.append((unwrap(config.cmd)[0], "Cmd names it, behind the Entrypoint"))
    return words


def _command_words(text: str, reason: str) -> list[tuple[str, str]]:
    try:
        command = unwrap(tuple(shlex.split(text.split("\n", 1)[0])))
    except ValueError:
        return []
    return [(command[0], reason)] if command and "$" not in command[0] else []


def _declared(evidence: Evidence) -> dict[str, str]:
    """Words of the labels that name what the image is; an unsigned claim, said to be one."""
    out: dict[str, str] = {}
    labels = claims(evidence.image)
    for label in _PURPOSE_LABELS:
        for word in re.split(r"[/\s:]+", labels.get(label, "").lower()):
            if word:
                out.setdefault(word, f"the label {label}={labels[label]}, an unsigned claim, names it")
    return out


CHECK = Check(
    id="RM-INTERP",
    title="No interpreter beyond the declared purpose",
    trait=Trait.REMOVED,
    severity=Severity.MEDIUM,
    rationale="An interpreter runs commands as a shell does, from one line of text: removing the shell and leaving "
    "perl or python gains little. One that the application is written in has to stay, and is told apart for that "
    "reason.",
    looks_at="Every regular file of the merged file tree: content markers of Python, Perl, Node.js, Ruby, PHP, Lua, "
    "Tcl, AWK, Erlang, Lisp, Scheme, Prolog and others, in programs, scripts and what UPX packed, small programs that "
    "link to an interpreter's library, the java launcher, and names of others. What the default command runs on, by "
    "its #! lines and the exec lines of its script, or what a label names, is reported but not counted; programs that "
    "can start others (env, xargs, find …) are noted.",
    proves="A pass proves that every regular file was read and that no interpreter known by content, library, package "
    "or name is there but those of the declared purpose. A program that embeds a language is not one of them.",
    remediation="Remove interpreters that came with the base (perl-base, mawk) or move to a base without them; state "
    "the one the application needs by making it the entry point.",
    run=run,
    references=("execve(2): interpreter scripts",),
)
