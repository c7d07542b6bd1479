"""What a container of the image starts, said so that no shell is needed: the programs, their files, the obstacles."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from compliance.model.advice import Advice, Gap, Impact, Obstacle, Place
from compliance.model.evidence import Evidence
from compliance.model.filesystem import FileEntry, FileKind, display_path
from compliance.model.image import ImageConfig
from controls.detection import detect
from controls.entrypoint import (
    SHELL_NAMES,
    Launch,
    Program,
    Role,
    basename,
    launches,
    locate,
    resolve_program,
    shell_of,
    unwrap,
)
from controls.install_commands import shell_commands
from controls.observe import count
from controls.unfold import Remark, Source, Unfolded, unfold, without_starters

LANGUAGES = frozenset(
    ("python", "perl", "ruby", "node", "deno", "bun", "php", "lua", "java", "dotnet", "erlang", "r", "julia")
)
"""Interpreters that a hardened image of that language ships; the ids of knowledge/interpreters.yaml."""
_BUILTINS = frozenset(
    (
        "echo", "printf", "test", "[", "true", "false", "pwd", "kill", "cd", "export", "set", "unset", "exec", "exit",
        "read", "shift", "trap", "umask", "wait", "eval", "command", "type", "ulimit", "local", "return", "getopts",
    )
)  # fmt: skip
COMMANDS_MAX = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """The interpreter that runs the application; `word` names it on the command line or in the ``#!`` line."""

    entry: FileEntry
    language: str
    word: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command line in exec form. `program` is the index of the program's word, behind starters such as tini.

    `files` are what is started and no interpreter: they have to be in the runtime image.
    """

    entrypoint: tuple[str, ...]
    cmd: tuple[str, ...]
    program: int
    resolved: Program
    files: tuple[FileEntry, ...]
    interpreter: Interpreter | None

    @property
    def argv(self) -> tuple[str, ...]:
        """Both together."""
        return (*self.entrypoint, *self.cmd)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartPlan:
    """How the application starts. `command` is None where it can't be said; `obstacles` then say why.

    `health` is the health check in exec form, None where there is none or it can't be said. `directories` are those
    that scripts make or give away, `scripts` those that are unfolded and so not needed. `calls` are the commands
    that scripts call, with their places. `interactive` tells that a shell is all that starts.
    """

    command: Command | None
    health: Command | None
    health_options: bool
    environment: Mapping[str, str]
    working_dir: str | None
    directories: tuple[tuple[str, Place], ...]
    scripts: tuple[str, ...]
    remarks: tuple[Remark, ...]
    obstacles: tuple[Obstacle, ...]
    advice: tuple[Advice, ...]
    gaps: tuple[Gap, ...]
    calls: tuple[tuple[str, FileEntry, Place], ...]
    interactive: bool = False


def plan_start(evidence: Evidence) -> StartPlan:
    """Unfold what the image config starts."""
    config = evidence.image.config
    if config is None:
        return _empty(Gap(what="a root filesystem has no image config, so what it starts is not stated", decisive=True))
    started = {launch.role: launch for launch in launches(config)}
    if Role.COMMAND not in started:
        return _empty(
            Gap(what="the image config names neither Entrypoint nor Cmd, so nothing starts by default", decisive=True)
        )
    launch = started[Role.COMMAND]
    if launch.shell_text is None and _is_bare_shell(launch):
        return _interactive(launch)
    return _Planner(evidence, config).plan(launch, started.get(Role.HEALTH))


def _is_bare_shell(launch: Launch) -> bool:
    words = unwrap(launch.argv)
    return basename(words[0]) in SHELL_NAMES and all(word.startswith("-") for word in words[1:])


def _interactive(launch: Launch) -> StartPlan:
    shell = " ".join(launch.argv)
    advice = Advice(
        id="shell-only",
        impact=Impact.BREAKS,
        what=f"The {launch.role} is a shell ({shell}): the image is for people or jobs to work in, and a hardened "
        "runtime has no shell.",
        places=(Place(config=launch.fields, text=shell),),
        way_out="Keep it as the build stage or -dev image of something, and give the application itself an image with "
        "its own entry point.",
    )
    gap = Gap(what="what runs in the image: it starts a shell, so no application can be told from it", decisive=True)
    return replace(_empty(gap), advice=(advice,), interactive=True)


def _empty(gap: Gap) -> StartPlan:
    return StartPlan(
        command=None,
        health=None,
        health_options=False,
        environment={},
        working_dir=None,
        directories=(),
        scripts=(),
        remarks=(),
        obstacles=(),
        advice=(),
        gaps=(gap,),
        calls=(),
    )


class _Planner:
    def __init__(self, evidence: Evidence, config: ImageConfig) -> None:
        self.evidence = evidence
        self.config = config
        self.tree = evidence.filesystem
        self.advice: list[Advice] = []
        self.gaps: list[Gap] = []
        self.calls: dict[tuple[str, str | None, int | None], tuple[str, FileEntry, Place]] = {}
        self.languages = {
            finding.entry.inode: tool
            for finding in detect(evidence, "interpreters").findings
            for tool in finding.tools
            if tool in LANGUAGES
        }

    def plan(self, launch: Launch, health: Launch | None) -> StartPlan:
        told = self._unfolded(launch)
        argv, variables, switch = without_starters((*told.entrypoint, *told.cmd))
        if switch is not None or told.switches:
            self._switches(launch, told, switch)
        fixed = len(argv) - len(told.cmd) if len(argv) >= len(told.cmd) else len(argv)
        environment = dict((*told.environment, *variables))
        working_dir = told.working_dir or "/"
        checked = self._health(health)
        # what follows is looked up where the script went, with what it exported
        self._move(working_dir, environment)
        command = self._command(launch, argv[:fixed], argv[fixed:]) if argv else None
        return StartPlan(
            command=None if told.obstacles else command,
            health=checked,
            health_options=health is not None,
            environment=environment,
            working_dir=working_dir,
            directories=told.directories,
            scripts=told.scripts,
            remarks=told.remarks,
            obstacles=told.obstacles,
            advice=tuple(self.advice),
            gaps=tuple(self.gaps),
            calls=tuple(self.calls.values()),
        )

    def _move(self, working_dir: str, environment: Mapping[str, str]) -> None:
        self.config = replace(self.config, working_dir=working_dir, env={**self.config.env, **environment})
        self.evidence = replace(self.evidence, image=replace(self.evidence.image, config=self.config))

    def _unfolded(self, launch: Launch) -> Unfolded:
        """What `launch` starts without a shell, and the advice about the shell that it starts now."""
        config = self.config
        words = unwrap(launch.argv)
        source, arguments = self._shell_source(launch, words)
        if source is None:
            health = launch.role is Role.HEALTH
            split = len(config.entrypoint) if not health else len(launch.argv)
            return Unfolded(
                entrypoint=launch.argv[:split], cmd=launch.argv[split:], working_dir=config.working_dir or "/"
            )
        told = unfold(
            source,
            arguments=arguments,
            environment=config.env,
            working_dir=config.working_dir or "/",
            follow=self._follow,
        )
        # tini -- script: the starter stays in front of what the script starts
        starters = launch.argv[: len(launch.argv) - len(words)]
        if starters and not told.obstacles and not without_starters(launch.argv)[2]:
            told = replace(told, entrypoint=(*starters, *told.entrypoint))
        self._shell_advice(launch, source, told)
        return told

    def _shell_source(self, launch: Launch, words: tuple[str, ...]) -> tuple[Source | None, tuple[str, ...]]:
        """The text for a shell that `launch` leads to, with the arguments it gets; None for a program."""
        field = launch.fields
        if launch.shell_text is not None:
            if words and basename(words[0]) in SHELL_NAMES:
                at = next((at for at, word in enumerate(words) if word == launch.shell_text and at), len(words))
                return Source(text=launch.shell_text, config=field), words[at + 2 :]
            script = self._follow(words[0], self.config.working_dir or "/") if words else None
            return script, words[1:]
        if words and basename(words[0]) in SHELL_NAMES:
            script = self._follow(words[1], self.config.working_dir or "/") if len(words) > 1 else None
            if script is not None:
                return script, words[2:]
            return Source(text=" ".join(words), config=field), ()
        script = self._follow(words[0], self.config.working_dir or "/") if words else None
        return script, words[1:]

    def _follow(self, word: str, working_dir: str) -> Source | None:
        """The shell script that `word` leads to, with its text; None for anything else."""
        entry = locate(self.tree, word, self.config.env, working_dir)
        if entry is None or not self._is_shell_script(entry):
            return None
        content = self.tree.content(entry.path)
        if content is None:
            self.gaps.append(Gap(what=f"the text of {display_path(entry.path)} was not kept: too large", decisive=True))
            return None
        source = Source(text=content.decode("utf-8", "replace"), path=entry.path, layer=entry.layer)
        self._gather_calls(source)
        return source

    def _is_shell_script(self, entry: FileEntry) -> bool:
        """A script for a shell, or text without ``#!`` that a shell would read."""
        facts = entry.facts
        if facts is not None and facts.shebang is not None:
            words = unwrap(tuple(facts.shebang.split()))
            if words and basename(words[0]) in SHELL_NAMES:
                return True
            return shell_of(resolve_program(self.evidence, "/" + entry.path)) is not None
        return facts is None and entry.kind is FileKind.REGULAR and self.tree.content(entry.path) is not None

    def _gather_calls(self, source: Source) -> None:
        """The programs of this image that a script calls."""
        for command in shell_commands(source.text):
            for word in self._called(command.call, tuple(command.words)):
                entry = locate(self.tree, word, self.config.env, self.config.working_dir)
                if entry is None or len(self.calls) >= COMMANDS_MAX:
                    continue
                line = command.line if source.path is not None else None
                place = Place(
                    path=source.path, layer=source.layer, config=source.config, line=line, text=str(command)[:160]
                )
                self.calls.setdefault((word, source.path, line), (word, entry, place))

    def _called(self, call: tuple[str, ...], words: tuple[str, ...]) -> Iterator[str]:
        """The program of a command, and the starter (gosu, env) before it."""
        for word in dict.fromkeys((*call[:1], *(word for word in words if word in ("gosu", "su-exec", "sudo")))):
            if word not in _BUILTINS and not re.search(r"[$=`*?\s]", word):
                yield word

    def _shell_advice(self, launch: Launch, source: Source, told: Unfolded) -> None:
        if source.path is None:
            self._gather_calls(source)
        id_, what = "shell-form", f"The {launch.role} ({launch.fields}) is a text for a shell"
        if source.path is not None:
            id_, what = (
                "shell-script",
                f"The {launch.role} ({launch.fields}) is {display_path(source.path)}, a shell script",
            )
        places = [Place(config=launch.fields, text=" ".join(launch.argv))]
        if source.path is not None:
            places.append(Place(path=source.path, layer=source.layer, line=1, text=_first_line(source.text)))
        if told.obstacles:
            places.extend(one.place for one in told.obstacles)
            more = count(len(told.obstacles), "line stands", "lines stand")
            way_out = f"{more} in the way of starting the program without it: see each under obstacles."
        else:
            program = " ".join((*told.entrypoint, *told.cmd))
            way_out = f"Start the program itself, in exec form: {program}."
            places.extend(remark.place for remark in told.remarks)
            if told.remarks:
                way_out += " " + " ".join(f"{remark.what}." for remark in _once(told.remarks))
        what += ": a runtime image without a shell can't start it."
        self.advice.append(Advice(id=id_, impact=Impact.BREAKS, what=what, places=tuple(places), way_out=way_out))

    def _switches(self, launch: Launch, told: Unfolded, switch: str | None) -> None:
        places = [remark.place for remark in told.switches] or [Place(config=launch.fields, text=" ".join(launch.argv))]
        name = switch or told.switches[0].what.split(" ")[0]
        self.advice.append(
            Advice(
                id="user-switch",
                impact=Impact.BREAKS,
                what=f"{name} changes the user when the container starts, which needs root or a setuid program.",
                places=tuple(places),
                way_out="Start as the user from the beginning (USER 65532:65532) and leave it out.",
            )
        )

    def _health(self, launch: Launch | None) -> Command | None:
        if launch is None:
            return None
        told = self._unfolded(launch)
        if told.obstacles:
            return None
        argv = without_starters((*told.entrypoint, *told.cmd))[0]
        return self._command(launch, argv, ()) if argv else None

    def _command(self, launch: Launch, entrypoint: tuple[str, ...], cmd: tuple[str, ...]) -> Command | None:
        """The command with its program's file; None, and said why, where there is none."""
        argv = (*entrypoint, *cmd)
        at = len(argv) - len(unwrap(argv))
        program = resolve_program(self.evidence, argv[at])
        starters = [resolve_program(self.evidence, argv[0])] if at else []
        if program.entry is None or program.problem is not None:
            self._cannot_start(launch, program)
            if program.entry is None:
                return None
        interpreter = self._interpreter(program)
        files = [one.entry for one in starters if one.entry is not None]
        if interpreter is None or interpreter.entry.inode != program.entry.inode:
            files.append(program.entry)
        for word in argv[at + 1 :]:
            named = self._named(word)
            if named is not None:
                files.append(named)
        return Command(
            entrypoint=entrypoint,
            cmd=cmd,
            program=at,
            resolved=program,
            files=tuple({file.path: file for file in files}.values()),
            interpreter=interpreter,
        )

    def _named(self, word: str) -> FileEntry | None:
        """A file that an argument names: by its absolute path, or relative to the working directory."""
        if word.startswith("-") or not re.search(r"[./]", word):
            return None
        entry = self.tree.resolve(posixpath.join(self.config.working_dir or "/", word))
        return entry if entry is not None and entry.kind is FileKind.REGULAR else None

    def _interpreter(self, program: Program) -> Interpreter | None:
        started = program.started
        if started is None or started.inode not in self.languages:
            return None
        word = program.interpreter_names[-1] if program.interpreter_names else program.word
        return Interpreter(entry=started, language=self.languages[started.inode], word=word)

    def _cannot_start(self, launch: Launch, program: Program) -> None:
        what = f"The {launch.role} does not start in this image already: {program.problem}."
        if program.missing and not self.tree.wholly_read:
            self.gaps.append(Gap(what=f"The {launch.role}: {program.problem}, as far as it was read.", decisive=True))
            return
        self.advice.append(
            Advice(
                id="cannot-start",
                impact=Impact.BREAKS,
                what=what,
                places=(Place(config=launch.fields, text=" ".join(launch.argv)),),
                way_out="Mend the image first; what it lacks can't be moved.",
            )
        )


def _once(remarks: tuple[Remark, ...]) -> tuple[Remark, ...]:
    return tuple({remark.what: remark for remark in remarks}.values())


def _first_line(text: str) -> str:
    return text.split("\n", 1)[0].strip()[:160]
