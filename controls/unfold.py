"""A shell script or a shell's text as an entry point that needs no shell, where that can be said truthfully.

What a script sets and prepares before it starts the program is carried over: variables, the working directory,
directories that it makes, options. A line that decides or computes something when the container starts can't be:
it is named. Values that the environment could change are taken as the image sets them, which is told too.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from compliance.model.advice import Obstacle, Place
from controls.entrypoint import SHELL_NAMES, basename, unwrap
from controls.shell_script import Arguments, Literal, Statement, Variable, Word, literal, statements

SOURCED_MAX = 3
SCRIPTS_MAX = 4
"""Scripts that start another script as the last thing they do."""
ARGUMENTS_MAX = 200
VALUE_MAX = 4096
OBSTACLES_MAX = 30

USER_SWITCHES = frozenset(("gosu", "su-exec", "sudo", "doas"))
"""Programs that start another one as another user, which only root, or a setuid program, can do."""
_SAYS = frozenset(("echo", "printf"))
_NOTHING = frozenset((":", "true"))
_SET_OPTIONS = frozenset(("errexit", "nounset", "pipefail", "xtrace", "verbose", "posix", "noclobber"))
_WAYS_OUT = {
    "chown": "own the files while building: COPY --chown",
    "chmod": "set the mode while building: COPY --chmod",
    "ln": "make the link while building",
    "cp": "copy the files while building",
    "envsubst": "write the file while building, mount it, or let an init container write it",
    "sed": "write the file while building, mount it, or let an init container write it",
    "trap": "let the program handle signals itself",
    "ulimit": "set the limit where the container is started",
    "sleep": "let the orchestrator wait, by a readiness probe or an init container",
    "curl": "let an init container do it, or the program itself",
    "wget": "let an init container do it, or the program itself",
}
_WAYS_OUT_BY_PROBLEM = {
    "a command in the background": "run one process a container: move the other one into a container of its own",
    "the output of a command": "compute it while building, or in the program itself",
    "a pipe": "let the program log to stdout itself; compute anything else while building",
    "a here-document": "write the file while building, mount it, or let an init container write it",
    "a condition": "decide while building, by separate images or stages, or let the program decide",
    "a choice by pattern": "decide while building, by separate images or stages, or let the program decide",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Text for a shell: what a script file holds, or what a config key gives to ``-c``. `path` is in tree form."""

    text: str
    path: str | None = None
    layer: int | None = None
    config: str | None = None

    def place(self, statement: Statement | None = None) -> Place:
        """Where it is, or one statement of it."""
        return Place(
            path=self.path,
            layer=self.layer,
            config=self.config,
            line=statement.line if statement is not None and self.path is not None else None,
            text=statement.text if statement is not None else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """A line that was carried over with a consequence, told in `what`."""

    place: Place
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfolded:
    """What is started without the shell, and how.

    `entrypoint` are the fixed words, `cmd` those that the user may replace. `environment` are variables that the
    script exports. `directories` are made or given away by it, so must be writable; `remarks` are values fixed
    to what they are now, `dropped` lines that have no effect on the program. With `obstacles` the rest is void.
    """

    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    working_dir: str | None = None
    directories: tuple[tuple[str, Place], ...] = ()
    remarks: tuple[Remark, ...] = ()
    dropped: tuple[Remark, ...] = ()
    switches: tuple[Remark, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    scripts: tuple[str, ...] = ()


Follow = Callable[[str, str], "Source | None"]
"""Word and working directory to the shell script that it leads to; None when it leads to none."""


def unfold(
    source: Source,
    *,
    arguments: tuple[str, ...],
    environment: Mapping[str, str],
    working_dir: str,
    follow: Follow,
) -> Unfolded:
    """What `source` starts when it is given `arguments`, with the `environment` of the image."""
    run = _Run(environment, working_dir, follow)
    run.start(source, arguments)
    return run.result()


@dataclass(slots=True)
class _Value:
    """`text` is None when only the start of the container tells it; `changeable` when the start can change it."""

    text: str | None
    changeable: bool = False
    why: str = ""


@dataclass(slots=True)
class _Run:
    environment: Mapping[str, str]
    working_dir: str
    follow: Follow
    variables: dict[str, _Value] = field(default_factory=dict)
    exported: dict[str, None] = field(default_factory=dict)
    directories: dict[str, Place] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)
    dropped: list[Remark] = field(default_factory=list)
    switches: list[Remark] = field(default_factory=list)
    obstacles: list[Obstacle] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    arguments: tuple[str, ...] = ()
    fixed: int = 0
    argument_tail: bool = False
    launched: tuple[str, ...] = ()
    source: Source = field(default_factory=lambda: Source(text=""))

    def __post_init__(self) -> None:
        self.variables = {name: _Value(text, changeable=True) for name, text in self.environment.items()}

    def start(self, source: Source, arguments: tuple[str, ...]) -> None:
        """Run `source` with `arguments`; what it starts may be a script again."""
        fixed = 0
        for _ in range(SCRIPTS_MAX):
            self._script(source, arguments, fixed)
            if self.obstacles:
                return
            if not self.launched:
                self._stands(None, "the script starts no program that lasts", "start the program by its own name")
                return
            after = self._next_script()
            if after is None:
                return
            tail = len(self.arguments) - self.fixed if self.argument_tail else 0
            source, arguments = after
            fixed = max(0, len(arguments) - tail)
        self._stands(None, "scripts start scripts, too deep to follow", "start the program itself")

    def _script(self, source: Source, arguments: tuple[str, ...], fixed: int) -> None:
        self.source, self.arguments = source, arguments
        self.launched, self.argument_tail, self.fixed = (), False, fixed
        if source.path is not None:
            self.scripts.append(source.path)
        self._block(source, depth=0)

    def _next_script(self) -> tuple[Source, tuple[str, ...]] | None:
        """The script, or the text for a shell, that was started last."""
        words = self.launched
        if words and basename(words[0]) in SHELL_NAMES:
            if len(words) > 2 and words[1] in ("-c", "-ec", "-lc"):
                key = f"{self.source.config or 'a text'} given to {words[0]}"
                return Source(text=words[2], path=None, config=key), words[4:]
            script = words[1] if len(words) > 1 and not words[1].startswith("-") else None
            found = self.follow(script, self.working_dir) if script else None
            if found is None:
                self._stands(None, f"starts the shell {words[0]}", "start a program instead of a shell")
                return None
            return found, words[2:]
        found = self.follow(words[0], self.working_dir) if words else None
        return None if found is None else (found, words[1:])

    def result(self) -> Unfolded:
        words = self.launched
        changed = []
        for name in self.exported:
            value = self.variables.get(name)
            if value is not None and value.text is not None and self.environment.get(name) != value.text:
                changed.append((name, value.text))
        tail = len(self.arguments) - self.fixed if self.argument_tail else 0
        return Unfolded(
            entrypoint=words[: len(words) - tail],
            cmd=words[len(words) - tail :],
            environment=tuple(changed),
            working_dir=self.working_dir,
            directories=tuple(self.directories.items()),
            remarks=tuple(self.remarks),
            dropped=tuple(self.dropped),
            switches=tuple(self.switches),
            obstacles=tuple(self.obstacles),
            scripts=tuple(dict.fromkeys(self.scripts)),
        )

    def _stands(self, statement: Statement | None, reason: str, way_out: str) -> None:
        if len(self.obstacles) < OBSTACLES_MAX:
            self.obstacles.append(Obstacle(place=self.source.place(statement), reason=reason, way_out=way_out))

    def _block(self, source: Source, depth: int) -> None:
        found = statements(source.text)
        at = 0
        while at < len(found) and not self.launched:
            statement = found[at]
            at += 1
            if statement.joined == "||" and statement.problem is None:
                at = self._or_else(statement, found, at)
            self._statement(statement, last=at >= len(found) and depth == 0, depth=depth)

    def _or_else(self, statement: Statement, found: list[Statement], at: int) -> int:
        """``… || true`` and ``… || exit 1`` are the command alone; any other alternative stands in the way."""
        other = found[at] if at < len(found) else None
        if other is not None and other.problem is None and other.name() in (*_NOTHING, "exit"):
            return at + 1
        self._stands(statement, "an alternative if a command fails (||)", _WAYS_OUT_BY_PROBLEM["a condition"])
        return at + 1

    def _statement(self, statement: Statement, *, last: bool, depth: int) -> None:
        if statement.problem is not None:
            way_out = _WAYS_OUT_BY_PROBLEM.get(statement.problem, "do it while building, or in the program itself")
            self._stands(statement, statement.problem, way_out)
            return
        if not statement.words:
            self._assign(statement, statement.assignments)
            return
        name = statement.name()
        simple = {
            "set": self._set,
            "export": self._export,
            "readonly": self._export,
            "unset": self._unset,
            "cd": self._cd,
            "umask": self._umask,
            "mkdir": self._make,
            "install": self._make,
            "chown": self._make,
            "chmod": self._make,
            "shift": self._shift,
        }
        if name in (".", "source"):
            self._source(statement, depth)
        elif name in _NOTHING:
            self._nothing(statement)
        elif name in _SAYS and not statement.redirected:
            self.dropped.append(Remark(place=self.source.place(statement), what="only tells what the script does"))
        elif name in ("[", "test"):
            self._stands(statement, "a condition", _WAYS_OUT_BY_PROBLEM["a condition"])
        elif name == "exit":
            self._stands(statement, "the script ends here without starting a program", "start the program itself")
        elif name in simple and not statement.redirected:
            simple[name](statement)
        elif name == "exec" or last:
            self._launch(statement)
        else:
            shown = name or statement.text.split(" ")[0]
            way_out = _WAYS_OUT.get(basename(shown), "run it while building, in an init container, or in the program")
            self._stands(statement, f"runs {shown} before the program", way_out)

    def _nothing(self, statement: Statement) -> None:
        """``:`` with its words: defaults are set; a demand (``${A:?}``) is lost."""
        for part in (part for word in statement.words[1:] for part in word):
            if isinstance(part, Variable) and part.operator.endswith("?"):
                what = f"no longer demands {part.name}: the program has to"
                self.dropped.append(Remark(place=self.source.place(statement), what=what))
            elif isinstance(part, Variable):
                self._value((part,))

    def _assign(self, statement: Statement, assignments: Iterable[tuple[str, Word]]) -> None:
        for name, word in assignments:
            self.variables[name] = self._value(word, own=name)
            if name in self.environment:
                self.exported.setdefault(name)

    def _export(self, statement: Statement) -> None:
        for word in statement.words[1:]:
            first = word[0] if word else Literal("")
            text = first.text if isinstance(first, Literal) else ""
            name, equals, rest = text.partition("=")
            if not name.isidentifier():
                self._stands(statement, "exports what is computed at start", "set it by ENV")
                return
            if equals:
                value: Word = (*((Literal(rest),) if rest else ()), *word[1:])
                self.variables[name] = self._value(value, own=name)
            self.exported.setdefault(name)
            known = self.variables.get(name)
            if known is not None and known.text is None:
                self._stands(statement, f"{name} {known.why}", "set it where the container is started")
            elif known is not None and known.changeable and known.why:
                self._remark(statement, known.why)

    def _unset(self, statement: Statement) -> None:
        names = [literal(word) or "" for word in statement.words[1:]]
        if any(name in self.environment for name in names):
            self._stands(statement, "takes a variable out of the environment", "do not set it in the image")
        for name in names:
            self.variables.pop(name, None)
            self.exported.pop(name, None)

    def _set(self, statement: Statement) -> None:
        words = statement.words[1:]
        for at, word in enumerate(words):
            text = literal(word)
            if text == "--":
                given = self._words(words[at + 1 :], statement)
                if given is not None:
                    replaceable = len(self.arguments) - self.fixed if given[1] else 0
                    self.arguments, self.fixed = given[0], len(given[0]) - replaceable
                return
            known = text in _SET_OPTIONS or (text is not None and text[:1] in "-+" and set(text[1:]) <= set("euxo"))
            if not known:
                self._stands(statement, "changes how the shell reads the rest", "start the program itself")
                return

    def _shift(self, statement: Statement) -> None:
        self._stands(statement, "takes arguments away", "give the program its arguments by CMD")

    def _cd(self, statement: Statement) -> None:
        where = self._text(statement.words[1], statement) if len(statement.words) == 2 else None
        if where is None or where in ("", "-"):
            self._stands(statement, "goes to a directory that only the start tells", "set it by WORKDIR")
            return
        self.working_dir = posixpath.normpath(posixpath.join(self.working_dir, where))

    def _umask(self, statement: Statement) -> None:
        given = [literal(word) for word in statement.words[1:]]
        if given not in (["022"], ["0022"]):
            self._stands(statement, "sets the mode of new files", "let the program set it; runtimes start with 0022")

    def _make(self, statement: Statement) -> None:
        """mkdir, install -d, chown and chmod: the directories that they name, less options and owners."""
        name = statement.name()
        words = [self._text(word, statement) for word in statement.words[1:]]
        if any(word is None for word in words):
            return
        named = [word for word in words if word is not None and not word.startswith(("-", "+"))]
        options = [word for word in words if word is not None and word.startswith("-")]
        if name == "install" and not any("d" in option for option in options):
            self._stands(statement, "copies files before the program", "copy the files while building")
            return
        named = named[1:] if name in ("chown", "chmod") else [one for one in named if "/" in one or not one.isdigit()]
        for path in named:
            place = posixpath.normpath(posixpath.join(self.working_dir, path))
            self.directories.setdefault(place, self.source.place(statement))
        where = ", ".join(named)
        self.dropped.append(Remark(place=self.source.place(statement), what=f"{where} is prepared while building"))

    def _source(self, statement: Statement, depth: int) -> None:
        target = self._text(statement.words[1], statement) if len(statement.words) > 1 else None
        found = self.follow(target, self.working_dir) if target else None
        if found is None or depth >= SOURCED_MAX:
            self._stands(statement, "reads a file whose text is not known", "set by ENV what the file sets")
            return
        outer, self.source = self.source, found
        self._block(found, depth + 1)
        self.source = outer

    def _launch(self, statement: Statement) -> None:
        words = statement.words[1:] if statement.name() == "exec" else statement.words
        if statement.redirected:
            self._stands(statement, "sends input or output to a file", "let the program log to stdout and stderr")
            return
        if not words:
            self._stands(statement, "exec without a program", "start the program itself")
            return
        self._assign(statement, statement.assignments)
        for name, _ in statement.assignments:
            self.exported.setdefault(name)
        given = self._words(words, statement)
        if given is None:
            return
        argv, tail = given
        inner = self._without_starters(argv, statement)
        if not inner or len(inner) > ARGUMENTS_MAX:
            self._stands(statement, "no program behind it", "start the program itself")
            return
        for name in self.exported:
            known = self.variables.get(name)
            if known is not None and known.text is None and not self.obstacles:
                self._stands(statement, f"hands on {name}: {known.why}", "set it where the container is started")
        self.launched, self.argument_tail = inner, tail

    def _without_starters(self, argv: tuple[str, ...], statement: Statement) -> tuple[str, ...]:
        plain, variables, switch = without_starters(argv)
        if switch is not None:
            what = f"{switch} changes the user, as USER does"
            self.switches.append(Remark(place=self.source.place(statement), what=what))
        for name, value in variables:
            self.variables[name] = _Value(value)
            self.exported.setdefault(name)
        return plain

    def _words(self, words: Iterable[Word], statement: Statement) -> tuple[tuple[str, ...], bool] | None:
        """The words as the program gets them, and whether they end in the script's arguments; None if not known."""
        out: list[str] = []
        tail = False
        for word in words:
            if tail and self.arguments:
                self._stands(statement, "has words behind the arguments that it is given", "put the options first")
                return None
            if any(isinstance(part, Arguments) for part in word):
                if len(word) > 1:
                    self._stands(statement, "puts its arguments into another word", "give the program its arguments")
                    return None
                out.extend(self.arguments)
                tail = True
                continue
            tail = False
            text = self._text(word, statement)
            if text is None:
                return None
            quoted = all(not isinstance(part, Variable) or part.quoted for part in word)
            if not quoted and re.search(r"[*?\[]", text):
                self._stands(statement, "a file name pattern", "name the files")
                return None
            out.extend([text] if quoted else text.split())
        return tuple(out), tail

    def _text(self, word: Word, statement: Statement) -> str | None:
        """The text of a word; an obstacle and None where only the start of the container tells it."""
        value = self._value(word)
        if value.text is None:
            if not self.obstacles:  # else the line that would have set it is named already
                self._stands(statement, value.why, "give the program the value itself, or let it read the environment")
            return None
        if value.changeable and value.why:
            self._remark(statement, value.why)
        return value.text

    def _remark(self, statement: Statement, what: str) -> None:
        self.remarks.append(Remark(place=self.source.place(statement), what=what))

    def _value(self, word: Word, own: str | None = None) -> _Value:
        """What a word stands for. A variable's own default (``A=${A:-b}``) keeps it as changeable as ENV is."""
        texts: list[str] = []
        why: dict[str, None] = {}
        changeable = False
        for part in word:
            if isinstance(part, Literal):
                texts.append(part.text)
                continue
            if isinstance(part, Arguments):
                return _Value(None, why="takes the arguments of the start")
            found = self._variable(part)
            if found.text is None:
                return found
            texts.append(found.text)
            changeable = changeable or found.changeable
            if found.changeable and part.name != own:
                what = f"whether {part.name} is set" if part.operator.endswith("+") else f"{part.name}={found.text}"
                why.setdefault(f"{what} is fixed: without a shell the start can no longer change it")
        text = "".join(texts)
        if len(text) > VALUE_MAX:
            return _Value(None, why=f"makes a text of more than {VALUE_MAX} characters")
        return _Value(text, changeable=changeable, why="; ".join(why))

    def _variable(self, part: Variable) -> _Value:
        if not part.name.isidentifier():
            what = "the number of its arguments" if part.name == "#" else f"${part.name}"
            return _Value(None, why=f"uses {what}, which only the start of the container tells")
        known = self.variables.get(part.name)
        operator = part.operator
        if known is not None and known.text is None:
            return known
        there = known is not None and (bool(known.text) or not operator.startswith(":"))
        if operator.endswith(("-", "=")):
            if there and known is not None:
                return known
            value = self._value(part.word)
            value = _Value(value.text, changeable=True, why=value.why)
            if operator.endswith("="):
                self.variables[part.name] = value
            return value
        if operator.endswith("+"):
            other = self._value(part.word) if there else _Value("")
            return _Value(other.text, changeable=True, why=other.why)
        if there and known is not None:
            return known
        return _Value(None, why=f"reads {part.name}, which neither the image nor the script sets")


def without_starters(argv: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...], str | None]:
    """`argv` without gosu and its like, and without env; the variables that env sets; the name of the former."""
    switch = None
    if argv and basename(argv[0]) in USER_SWITCHES and unwrap(argv) != argv:
        switch, argv = basename(argv[0]), unwrap(argv)
    variables: list[tuple[str, str]] = []
    while len(argv) > 1 and basename(argv[0]) == "env" and not argv[1].startswith("-"):
        name, equals, value = argv[1].partition("=")
        if not equals:
            return argv[1:], tuple(variables), switch
        variables.append((name, value))
        argv = (argv[0], *argv[2:])
    return argv, tuple(variables), switch
