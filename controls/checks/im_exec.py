"""IM-EXEC: what starts the container, and checks its health, needs no shell."""

from __future__ import annotations

from compliance.model.evidence import Evidence
from compliance.model.filesystem import display_path
from compliance.model.outcome import (
    Check,
    Failed,
    NotApplicable,
    Observation,
    Outcome,
    Passed,
    Severity,
    Trait,
    Unknown,
)
from controls.accounts import Identity, run_as
from controls.entrypoint import Form, Launch, Program, launches, resolve_program, shell_of, unwrap
from controls.observe import config_observation


def run(evidence: Evidence) -> Outcome:
    """Each command line of the config, through starters like tini, to the program that runs in the end."""
    config = evidence.image.config
    if config is None:
        return Unknown(reason="a root filesystem has no image config, so what it starts is not stated")
    found = launches(config)
    if not found:
        return NotApplicable(reason="the image config names neither Entrypoint nor Cmd, so nothing starts by default")
    outcomes = [_judge(evidence, launch) for launch in found]
    failures = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    if failures:
        return Failed(observations=tuple(seen for outcome in failures for seen in outcome.observations))
    unknowns = [outcome for outcome in outcomes if isinstance(outcome, Unknown)]
    if unknowns:
        return unknowns[0]
    return Passed(
        observations=tuple(seen for outcome in outcomes if isinstance(outcome, Passed) for seen in outcome.observations)
    )


def _judge(evidence: Evidence, launch: Launch) -> Passed | Failed | Unknown:
    command = " ".join(launch.argv)
    if launch.shell_text is not None:
        return _failed(f"The {launch.role} ({launch.fields}) is in shell form, so a shell has to start it.", command)
    who = run_as(evidence)
    known = who if isinstance(who, Identity) and not who.groups_problem else None
    words = unwrap(launch.argv)
    programs = [resolve_program(evidence, word, known) for word in dict.fromkeys((launch.argv[0], words[0]))]
    for program in programs:
        if program.problem is not None:
            if program.missing and not evidence.filesystem.wholly_read:
                return Unknown(reason=f"the {launch.role}: {program.problem}, as far as it was read")
            return _failed(f"The {launch.role} ({launch.fields}) can't start: {program.problem}.", command)
    program = programs[-1]
    shell = shell_of(program)
    if shell is not None:
        return _failed(_shell_sentence(launch, program, shell), command)
    if known is None:
        return Unknown(reason=f"whether the default user may execute {program.word!r} can't be said")
    return Passed(observations=(_started(launch, program, command),))


def _shell_sentence(launch: Launch, program: Program, shell: str) -> str:
    if program.form is Form.SCRIPT and program.entry is not None:
        return f"The {launch.role} starts {display_path(program.entry.path)}, a script for the shell {shell}."
    return f"The {launch.role} ({launch.fields}) starts the shell {shell}."


def _started(launch: Launch, program: Program, command: str) -> Observation:
    path = display_path(program.entry.path) if program.entry is not None else program.word
    what = "an ELF program"
    if program.form is Form.SCRIPT and program.started is not None:
        what = f"a script that {display_path(program.started.path)} runs"
    loader = f", with the loader {program.loader}" if program.loader else ""
    return config_observation(
        f"The {launch.role} ({launch.fields}) starts {path}, {what}{loader}: all there, no shell among it.", command
    )


def _failed(summary: str, command: str) -> Failed:
    return Failed(observations=(config_observation(summary, command),))


CHECK = Check(
    id="IM-EXEC",
    title="Entry point needs no shell",
    trait=Trait.IMMUTABLE,
    severity=Severity.MEDIUM,
    rationale="A command in shell form needs a shell in the image, which then cannot be removed, and puts the shell "
    "between the runtime and the program, so that signals may not reach it.",
    looks_at="config.Entrypoint, Cmd, Healthcheck, Shell, Env PATH and WorkingDir; the program each names in the "
    "merged file tree, its #! line, interpreter and ELF loader, and their execute permission for the default user.",
    proves="A pass proves that default command and health check are in exec form and lead to programs that exist, that "
    "the default user may execute and that are no shell and no shell script. Whether such a program calls a shell "
    "later is not looked at.",
    remediation='Write the commands in exec form (ENTRYPOINT ["/app/server"]); start the program, not a script.',
    run=run,
    references=("OCI image-spec config.md: config.Entrypoint, config.Cmd", "execve(2)"),
)
