"""What starts when a container of the image starts: Entrypoint, Cmd and Healthcheck, followed to their programs.

As runc does it: the working directory first, then PATH of the image's environment, then execve(2) with its
``#!`` lines. Programs that only start another (tini, env, gosu) are passed through.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from compliance.model.evidence import Evidence
from compliance.model.filesystem import FileEntry, FileKind, FileTree, display_path
from compliance.model.image import ImageConfig
from controls.accounts import Identity
from controls.writability import SEARCH, permitted

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""PATH as runtimes set it for an image that sets none (moby: DefaultPathEnv)."""
INTERPRETER_HOPS_MAX = 5
"""``#!`` lines followed, one more than Linux does (fs/exec.c: depth > 5 is ELOOP)."""
WRAPPER_HOPS_MAX = 8

# fmt: off
SHELL_NAMES = frozenset((
    "sh", "ash", "bash", "dash", "rbash", "zsh", "ksh", "ksh93", "mksh", "lksh", "oksh", "loksh", "pdksh",
    "posh", "yash", "fish", "csh", "tcsh", "rc", "es", "sash", "elvish", "nu", "xonsh", "osh", "ysh", "hush",
    "pwsh", "static-sh", "bash-static", "zsh-static", "busybox", "toybox", "toysh", "powershell", "cmd",
    "cmd.exe",
))
# fmt: on
"""Names under which a command shell is started."""

_SHELL_COMMAND = re.compile(r"-[a-zA-Z]*c[a-zA-Z]*|-Command|/[cC]|/[sS]")
_PASS_THROUGH = {
    # name -> number of words of its own before the command, options not counted
    "tini": 0,
    "tini-static": 0,
    "docker-init": 0,
    "catatonit": 0,
    "dumb-init": 0,
    "env": 0,
    "exec": 0,
    "nohup": 0,
    "setsid": 0,
    "gosu": 1,
    "su-exec": 1,
    "sudo": 0,
    "doas": 0,
    "ionice": 0,
    "stdbuf": 0,
    "timeout": 1,
}
_OPTIONS_WITH_VALUE = frozenset(
    ("-p", "-e", "-r", "-u", "-C", "-k", "-s", "--rewrite", "--chdir", "--unset", "--signal")
)


class Role(StrEnum):
    """Which part of the config starts the program."""

    COMMAND = "default command"
    HEALTH = "health check"


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One command line of the config. `fields` names the keys it comes from; `shell_text` is what a shell is given
    with ``-c``, None for exec form."""

    role: Role
    fields: str
    argv: tuple[str, ...]
    shell_text: str | None = None


def launches(config: ImageConfig) -> tuple[Launch, ...]:
    """The command lines of the config: the default command, then the health check, each where there is one."""
    found = []
    argv = (*config.entrypoint, *config.cmd)
    if argv:
        fields = "Entrypoint and Cmd" if config.entrypoint and config.cmd else "Cmd" if config.cmd else "Entrypoint"
        # Cmd in shell form behind an exec-form Entrypoint arrives there as arguments: a shell all the same.
        text = shell_text(argv) or shell_text(config.cmd)
        found.append(Launch(role=Role.COMMAND, fields=fields, argv=argv, shell_text=text))
    test = config.healthcheck or ()
    if test[:1] == ("CMD",) and len(test) > 1:
        found.append(Launch(role=Role.HEALTH, fields="Healthcheck", argv=test[1:], shell_text=shell_text(test[1:])))
    elif test[:1] == ("CMD-SHELL",) and len(test) > 1:
        shell = config.shell or ("/bin/sh", "-c")
        text = " ".join(test[1:])
        found.append(Launch(role=Role.HEALTH, fields="Healthcheck", argv=(*shell, text), shell_text=text))
    return tuple(found)


def shell_text(argv: tuple[str, ...]) -> str | None:
    """What a shell is told with ``-c`` in `argv`, wrappers passed; None when no shell is started so."""
    words = unwrap(argv)
    if not words or basename(words[0]) not in SHELL_NAMES:
        return None
    if basename(words[0]) in ("busybox", "toybox"):
        words = words[1:]
    for index, word in enumerate(words[1:], 1):
        if _SHELL_COMMAND.fullmatch(word):
            return " ".join(words[index + 1 : index + 2]) if index + 1 < len(words) else ""
        if not word.startswith("-"):
            return None
    return None


def unwrap(argv: tuple[str, ...]) -> tuple[str, ...]:
    """`argv` from the first program that is no mere starter of another."""
    words = argv
    for _ in range(WRAPPER_HOPS_MAX):
        if not words or basename(words[0]) not in _PASS_THROUGH:
            return words
        inner = _behind(words)
        if not inner:
            return words
        words = inner
    return words


def _behind(words: tuple[str, ...]) -> tuple[str, ...]:
    """The command that the wrapper at the head of `words` starts."""
    own = _PASS_THROUGH[basename(words[0])]
    env = basename(words[0]) == "env"
    at = 1
    while at < len(words):
        word = words[at]
        if word == "--":
            at += 1
            break
        if env and word in ("-S", "--split-string") and at + 1 < len(words):
            return (*words[at + 1].split(), *words[at + 2 :])
        if env and word.startswith("-S") and len(word) > 2:
            return (*word[2:].split(), *words[at + 1 :])
        if word.startswith("-") and len(word) > 1:
            at += 2 if word in _OPTIONS_WITH_VALUE else 1
        elif env and "=" in word:
            at += 1
        else:
            break
    return words[at + own :]


def basename(word: str) -> str:
    """The program name in the first word of a command."""
    return word.rpartition("/")[2]


class Form(StrEnum):
    """What the kernel makes of a program file."""

    ELF = "ELF"
    SCRIPT = "script"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """Where a command line's first word leads.

    `entry` is the file at the end of all links; `problem` why it can't be started, `missing` telling that the
    reason is something not found, which is decisive only in a tree that was wholly read; `interpreters` the
    programs of the ``#!`` lines, outermost first, `interpreter_names` the words that name them, and `loader` the
    PT_INTERP of the ELF file that is started in the end.
    """

    word: str
    entry: FileEntry | None = None
    form: Form = Form.OTHER
    interpreters: tuple[FileEntry, ...] = ()
    interpreter_names: tuple[str, ...] = ()
    loader: str | None = None
    problem: str | None = None
    missing: bool = False

    @property
    def started(self) -> FileEntry | None:
        """The ELF file that runs in the end: the program itself or its last interpreter."""
        return self.interpreters[-1] if self.interpreters else self.entry


def locate(tree: FileTree, word: str, environment: Mapping[str, str], working_dir: str | None) -> FileEntry | None:
    """The file that `word` names: by PATH when it has no slash, else relative to the working directory."""
    base = working_dir or "/"
    if "/" in word:
        return _regular(tree, posixpath.join(base, word))
    first = None
    for element in environment.get("PATH", DEFAULT_PATH).split(":"):
        entry = _regular(tree, posixpath.join(base, element, word))
        if entry is not None and entry.executable:
            return entry
        first = first or entry
    return first


def _regular(tree: FileTree, path: str) -> FileEntry | None:
    entry = tree.resolve(path)
    return entry if entry is not None and entry.kind is FileKind.REGULAR else None


def resolve_program(evidence: Evidence, word: str, who: Identity | None = None) -> Program:
    """Follow `word` to the ELF file that runs in the end. With `who`, also whether that user may execute it."""
    config = evidence.image.config
    environment = config.env if config is not None else {}
    working_dir = config.working_dir if config is not None else None
    tree = evidence.filesystem
    entry = locate(tree, word, environment, working_dir)
    if entry is None:
        return Program(word=word, problem=f"{word!r} is not in the image", missing=True)
    found: list[FileEntry] = []
    names: list[str] = []
    current, form = entry, _form(entry)
    problem, missing = None, False
    for _ in range(INTERPRETER_HOPS_MAX):
        problem, missing = _not_startable(tree, current, who)
        if problem is not None or _form(current) is not Form.SCRIPT:
            break
        first, name = _interpreter(current)
        names.append(name)
        named = locate(tree, first, environment, working_dir) if first else None
        after = locate(tree, name, environment, working_dir) if named is not None else None
        if after is None:
            absent = name if named is not None else first
            problem = f"{display_path(current.path)} is a script for {absent!r}, which is not in the image"
            missing = True
            break
        found.append(after)
        current = after
    else:
        problem = f"{word!r} leads through more than {INTERPRETER_HOPS_MAX} scripts"
    if problem is None:
        problem, missing = _loader_problem(tree, current)
    elf = current.facts.elf if current.facts is not None else None
    return Program(
        word=word,
        entry=entry,
        form=form,
        interpreters=tuple(found),
        interpreter_names=tuple(names),
        loader=elf.interpreter if elf is not None else None,
        problem=problem,
        missing=missing,
    )


def _form(entry: FileEntry) -> Form:
    if entry.facts is not None and entry.facts.shebang is not None:
        return Form.SCRIPT
    return Form.ELF if entry.facts is not None and entry.facts.elf is not None else Form.OTHER


def _interpreter(entry: FileEntry) -> tuple[str, str]:
    """The program that a script's first line names, and the one started in the end: another one behind ``env``."""
    shebang = entry.facts.shebang if entry.facts is not None and entry.facts.shebang is not None else ""
    words = tuple(shebang.split())
    return (words[0], unwrap(words)[0]) if words else ("", "")


def _not_startable(tree: FileTree, entry: FileEntry, who: Identity | None) -> tuple[str | None, bool]:
    shown = display_path(entry.path)
    if not entry.executable:
        return f"{shown} has no execute permission for anybody", False
    if who is not None and not _may_execute(tree, entry, who):
        return f"{shown} is not executable for uid {who.uid}", False
    if _form(entry) is Form.OTHER:
        return f"{shown} is neither an ELF file nor a script, so the kernel can't start it", True
    return None, False


def _may_execute(tree: FileTree, entry: FileEntry, who: Identity) -> bool:
    folder = posixpath.dirname(entry.path)
    while True:
        above = tree.entries.get(folder)
        if above is not None and not permitted(above, who, SEARCH):
            return False
        if not folder:
            return permitted(entry, who, SEARCH)
        folder = posixpath.dirname(folder)


def _loader_problem(tree: FileTree, entry: FileEntry) -> tuple[str | None, bool]:
    elf = entry.facts.elf if entry.facts is not None else None
    if elf is None or elf.interpreter is None or _regular(tree, elf.interpreter) is not None:
        return None, False
    return f"{display_path(entry.path)} needs the loader {elf.interpreter}, which is not in the image", True


def shell_of(program: Program) -> str | None:
    """The shell that `program` is, or that its ``#!`` line asks for; None for none.

    Told by the name it is started under, which is what a multi-call binary goes by, else by content.
    """
    for name in (program.word, *program.interpreter_names):
        if basename(name) in SHELL_NAMES:
            return name
    started = program.started
    facts = started.facts if started is not None else None
    if started is None or facts is None or facts.applets:
        return None
    return display_path(started.path) if any(rule.startswith("shell:") for rule in facts.markers) else None
