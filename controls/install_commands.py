"""Commands that install software, found in shell text and in the calls of other scripts.

The shell reader knows quotes, comments, line continuations, separators, substitutions and here-documents: enough
to tell a command from a text that mentions one. It expands nothing, and never raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise

from controls.entrypoint import SHELL_NAMES, basename, unwrap

NESTING_MAX = 6
COMMANDS_MAX = 20_000

INTERPRETERS = re.compile(r"(?:python|pypy|perl|ruby|node|nodejs|php|lua|deno|bun)[\d.]*")
DOWNLOADERS = frozenset(("curl", "wget", "fetch", "aria2c"))

_VERBS: tuple[tuple[str, str], ...] = (
    ("apt|apt-get|aptitude", "install|update|upgrade|dist-upgrade|full-upgrade|build-dep|reinstall"),
    ("apk", "add|update|upgrade|fix"),
    ("yum|dnf\\d?|microdnf|tdnf", "install|update|upgrade|localinstall|groupinstall|reinstall|distro-sync"),
    ("zypper", "install|in|update|up|dup|dist-upgrade|patch"),
    ("opkg|ipkg|brew|snap|flatpak|guix|nix|pkg|pkgin|swupd", "install|update|upgrade|refresh|profile"),
    ("pip[\\d.]*|pipx|uv|pipenv|pdm|poetry|conda|mamba|micromamba", "install|download|sync|add|update|upgrade|run-pip"),
    ("conda|mamba|micromamba", "create"),
    ("uv", "pip|tool"),
    ("pipx", "run"),
    ("npm|pnpm|bun", "install|i|ci|add|update|up|exec|dlx|x|install-test|rebuild"),
    ("yarn|yarnpkg", "install|add|upgrade|up|dlx|global"),
    ("corepack", "enable|prepare|install|use|up"),
    ("gem|bundle|bundler|luarocks|pecl|pear|composer", "install|update|upgrade|require|create-project"),
    ("cpan|cpm|cpanm", "install|-i"),
    ("cargo|go", "install|get|fetch|add|build|run"),
    ("dotnet|nuget", "restore|install|add|tool|workload"),
    ("git|hg", "clone|pull|fetch|submodule"),
    ("svn", "checkout|co|update|up"),
)
_BY_TOOL = [(re.compile(tools), re.compile(verbs)) for tools, verbs in _VERBS]
_BARE = frozenset(("npx", "pnpx", "bunx", "uvx", "easy_install", "cpanm", "xbps-install", "emerge", "makepkg", "mvn"))
"""Tools that fetch what they are told to run or install, with no verb."""
_FLAGS = {
    "dpkg": re.compile(r"-i|--install|--unpack|--configure"),
    "rpm": re.compile(r"-[vhq]*[iUF][vh]*|--install|--upgrade|--import"),
    "pacman": re.compile(r"-[SU][a-z]*"),
    "nix-env": re.compile(r"-i[A-Za-z]*|--install|-u|--upgrade"),
}
_MODULES = frozenset(("pip", "ensurepip", "easy_install", "pipx", "uv", "conda"))
_KEYWORDS = frozenset(
    ("if", "then", "else", "elif", "while", "until", "do", "!", "{", "time", "command", "builtin", "nice", "xargs")
)
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=.*", re.DOTALL)


@dataclass(slots=True)
class Command:
    """One simple command: its words without quotes, what it reads from a here-document, the text of its
    substitutions, and whether the command before it is piped into it. `line` is that of its first word, from 1."""

    words: list[str] = field(default_factory=list)
    here: str = ""
    inner: list[str] = field(default_factory=list)
    piped: bool = False
    line: int = 1
    inner_lines: list[int] = field(default_factory=list)
    here_line: int = 1

    @property
    def call(self) -> tuple[str, ...]:
        """The words from the program's name on: keywords, assignments and starters left out."""
        words = tuple(self.words)
        while words and (words[0] in _KEYWORDS or _ASSIGNMENT.fullmatch(words[0])):
            words = words[1:]
        return unwrap(words)

    def __str__(self) -> str:
        """The words, shortened for a report."""
        text = " ".join(" ".join(self.words).split())
        return text if len(text) <= 160 else text[:157] + "..."


class _Reader:
    """One pass over shell text."""

    def __init__(self, text: str, line: int = 1) -> None:
        self.text = text
        self.at = 0
        self.line = line
        self.counted = 0
        self.found: list[Command] = []
        self.command = Command()
        self.word: str | None = None
        self.waiting: list[tuple[str, Command]] = []  # here-documents whose body comes after this line

    def read(self) -> list[Command]:
        while self.at < len(self.text) and len(self.found) < COMMANDS_MAX:
            self._step(self.text[self.at])
        self._end_command(piped=False)
        return self.found

    def _step(self, char: str) -> None:
        """Consume what begins with `char`: at least one character."""
        if self.word is None and not self.command.words:
            self.command.line = self._line()
        two = self.text[self.at : self.at + 2]
        if char == "\\":
            if two[1:] != "\n":
                self._add(two[1:])
            self.at += 2
        elif char == "'":
            self._quoted()
        elif char == '"':
            self._double_quoted()
        elif char == "#" and self.word is None:
            self._skip_to(self.text.find("\n", self.at))
        elif two in ("$(", "<("):
            self._substitution()
        elif char == "`":
            self._backticks()
        elif self.text.startswith("<<<", self.at):  # a here-string
            self._end_word()
            self.at += 3
        elif two == "<<":
            self._here_document()
        else:
            self._plain(char, two)

    def _plain(self, char: str, two: str) -> None:
        if char == "&" and (two == "&>" or self.text[self.at - 1 : self.at] == ">"):
            self.at += 1
        elif char in ";&|()\n":
            self._end_command(piped=char == "|" and two != "||")
            self.at += 2 if two in ("||", "&&", ";;", "|&") else 1
            if char == "\n":
                self._bodies()
        elif char in " \t\r<>":
            self._end_word()
            if char in "<>":
                self.command.words.append(char)
            self.at += 1
        else:
            self._add(char)
            self.at += 1

    def _line(self) -> int:
        """The line of the text that has been reached."""
        self.line += self.text.count("\n", self.counted, self.at)
        self.counted = self.at
        return self.line

    def _add(self, text: str) -> None:
        self.word = (self.word or "") + text

    def _skip_to(self, place: int) -> None:
        self.at = len(self.text) if place < 0 else place

    def _end_word(self) -> None:
        if self.word is not None:
            self.command.words.append(self.word)
            self.word = None

    def _end_command(self, *, piped: bool) -> None:
        self._end_word()
        if self.command.words or self.command.inner:
            self.found.append(self.command)
            self.command = Command(piped=piped)
        elif not piped and not self.command.piped:
            self.command = Command()

    def _quoted(self) -> None:
        close = self.text.find("'", self.at + 1)
        close = len(self.text) if close < 0 else close
        self._add(self.text[self.at + 1 : close])
        self.at = close + 1

    def _double_quoted(self) -> None:
        self._add("")
        self.at += 1
        while self.at < len(self.text) and self.text[self.at] != '"':
            if self.text[self.at] == "\\":
                self._add(self.text[self.at + 1 : self.at + 2].strip("\n"))
                self.at += 2
            elif self.text.startswith("$(", self.at):
                self._substitution()
            elif self.text[self.at] == "`":
                self._backticks()
            else:
                self._add(self.text[self.at])
                self.at += 1
        self.at += 1

    def _substitution(self) -> None:
        """``$(…)`` or ``<(…)``: to the parenthesis that closes it, those in quotes not counted."""
        start, depth, quote = self.at + 2, 1, ""
        place = start
        while place < len(self.text) and depth:
            char = self.text[place]
            if quote:
                quote = "" if char == quote else quote
            elif char in "'\"":
                quote = char
            elif char in "()":
                depth += 1 if char == "(" else -1
            place += 2 if char == "\\" and quote != "'" else 1
        self.command.inner.append(self.text[start : place - 1])
        self.command.inner_lines.append(self._line())
        self._add(self.text[self.at : place])
        self.at = place

    def _backticks(self) -> None:
        close = self.text.find("`", self.at + 1)
        close = len(self.text) if close < 0 else close
        self.command.inner.append(self.text[self.at + 1 : close])
        self.command.inner_lines.append(self._line())
        self._add(self.text[self.at : close + 1])
        self.at = close + 1

    def _here_document(self) -> None:
        match = re.compile(r"<<-?[ \t]*(['\"\\]?)([A-Za-z0-9_.-]+)\1?").match(self.text, self.at)
        if match is None:
            self.at += 2
            return
        self._end_word()
        self.waiting.append((match[2], self.command))
        self.at = match.end()

    def _bodies(self) -> None:
        for delimiter, command in self.waiting:
            lines = []
            command.here_line = self._line()
            while self.at < len(self.text):
                end = self.text.find("\n", self.at)
                end = len(self.text) if end < 0 else end
                line = self.text[self.at : end]
                self.at = end + 1
                if line.strip("\t ") == delimiter:
                    break
                lines.append(line)
            command.here = "\n".join(lines)
        self.waiting = []


def shell_commands(text: str, *, depth: int = 0, line: int = 1) -> Iterator[Command]:
    """Every simple command of `text` with those inside its substitutions, here-documents and ``sh -c`` texts.

    A substitution comes right behind the command that it is part of. `text` begins on `line`.
    """
    for command in _Reader(text, line).read():
        yield command
        if depth >= NESTING_MAX:
            continue
        for inner, at in zip(command.inner, command.inner_lines, strict=True):
            yield from shell_commands(inner, depth=depth + 1, line=at)
        given = _shell_input(command)
        if given:
            at = command.here_line if given == command.here else command.line
            yield from shell_commands(given, depth=depth + 1, line=at)


def _shell_input(command: Command) -> str:
    """Text that a command hands to a shell: behind -c, by eval, or in a here-document."""
    call = command.call
    if not call:
        return ""
    if call[0] == "eval":
        return " ".join(call[1:])
    if basename(call[0]) not in SHELL_NAMES:
        return ""
    for index, word in enumerate(call[1:], 1):
        if re.fullmatch(r"-[a-zA-Z]*c[a-zA-Z]*", word):
            return " ".join(call[index + 1 : index + 2])
    return command.here


def install_commands(text: str) -> list[str]:
    """The commands in shell `text` that install or fetch software, in order, each once."""
    commands = list(shell_commands(text))
    found: dict[str, None] = {}
    upstream: list[Command] = []
    downloaded: set[str] = set()
    for command in commands:
        upstream = [*upstream, command] if command.piped else [command]
        if installs(command.call):
            found[str(command)] = None
        elif _runs_download(command, upstream, downloaded):
            found[" | ".join(map(str, upstream))] = None
        downloaded |= _downloads(command)
    return list(found)


def installs(call: Sequence[str]) -> bool:
    """Whether the command line `call` is one of a package manager, or of a tool that fetches code."""
    if not call:
        return False
    name, arguments = basename(call[0]), list(call[1:])
    if name in _BARE:
        return bool(arguments) and arguments[0] not in ("--version", "--help", "-V", "-h")
    if name in ("yarn", "yarnpkg") and not arguments:
        return True
    if name in _FLAGS:
        return any(_FLAGS[name].fullmatch(argument) for argument in arguments)
    if INTERPRETERS.fullmatch(name):
        return _interpreter_installs(arguments)
    return any(tool.fullmatch(name) and _has_verb(arguments, verbs) for tool, verbs in _BY_TOOL)


def _has_verb(arguments: list[str], verbs: re.Pattern[str]) -> bool:
    """Whether the subcommand is one of `verbs`; a word behind an option may be that option's value."""
    after_option = False
    for argument in arguments:
        if argument.startswith("-") and not verbs.fullmatch(argument):
            after_option = True
            continue
        if verbs.fullmatch(argument):
            return True
        if not after_option:
            return False
        after_option = False
    return False


def _interpreter_installs(arguments: list[str]) -> bool:
    if "-m" in arguments:
        module = arguments[arguments.index("-m") + 1 :]
        return bool(module) and module[0] in _MODULES and (module[0] == "ensurepip" or installs(module))
    for index, argument in enumerate(arguments):
        if argument in ("-c", "-e", "-E", "-r", "--eval") and index + 1 < len(arguments):
            return bool(install_calls(arguments[index + 1]))
        if argument.endswith(("/npm-cli.js", "/npx-cli.js", "/yarn.js", "/pnpm.cjs", "/composer.phar")):
            return installs((basename(argument).partition("-cli")[0].partition(".")[0], *arguments[index + 1 :]))
    return False


def _runs_download(command: Command, upstream: list[Command], downloaded: set[str]) -> bool:
    """``curl … | sh``, ``sh -c "$(curl …)"``, and running or unpacking for running what was downloaded before."""
    call = command.call
    if not call:
        return False
    name = basename(call[0])
    runs = name in SHELL_NAMES or name in ("eval", ".", "source") or INTERPRETERS.fullmatch(name) is not None
    if runs and any(_is_download(other) for other in upstream[:-1]):
        return True
    if runs and any(_is_download(inner) for text in command.inner for inner in shell_commands(text, depth=1)):
        return True
    concerned = runs or name in ("chmod", "install", "dpkg", "rpm") or call[0] in downloaded
    return concerned and any(word in downloaded for word in call)


def _is_download(command: Command) -> bool:
    call = command.call
    return bool(call) and basename(call[0]) in DOWNLOADERS


def _downloads(command: Command) -> set[str]:
    """The files that a command downloads to, as it writes them."""
    if not _is_download(command):
        return set()
    call = command.call
    return {value for option, value in pairwise(call) if option in ("-o", "-O", "--output", "--output-document", ">")}


_CALLS = re.compile(
    r"(?:\b(?:system|popen|Popen|run|call|check_call|check_output|getoutput|exec\w*|spawn\w*|subprocess\w*|main|qx|"
    r"shell_exec|passthru|proc_open|execa|bootstrap)\s*[({\[]|`|\bqx[{/|!])"
)
_PHRASE = re.compile(
    r"\b(?:"
    r"(?:apt|apt-get|aptitude|yum|dnf|microdnf|zypper|pip[\d.]*|pipx|npm|pnpm|yarn|gem|bundle|cargo|composer|conda|"
    r"mamba|uv|brew|go|luarocks|opkg)\s+(?:-\S+\s+)*(?:install|add|ci|update|upgrade|sync)"
    r"|apk\s+(?:-\S+\s+)*(?:add|update|upgrade)|git\s+(?:-\S+\s+)*(?:clone|pull)"
    r"|(?:curl|wget)\b[^;&\n]*\|\s*\S*sh"
    r"|npx|uvx|easy_install"
    r")\b|-m\s+(?:pip\s+(?:-\S+\s+)*(?:install|download)|ensurepip)\b"
)
_IN_PROCESS = re.compile(r"\b(?:pip\s*\.\s*(?:_internal\s*\.\s*)?main|ensurepip\s*\.\s*(?:_?bootstrap|_?main))\s*\(")
_CALL_LENGTH_MAX = 2000
_PHRASES_MAX = 2000


def install_calls(source: str) -> list[str]:
    """Calls in a Python, Perl, Ruby, PHP or JavaScript `source` that start a command that installs software.

    Found by the words of such a command among the arguments of a function that starts programs, so a command put
    together from variables is missed.
    """
    code = re.sub(r"(?m)^\s*(?:#|//)[^\n]*", "", source)
    words = re.sub(r"[\"'`,\[\](){}]", " ", code)  # one for one: places in `words` are places in `code`
    found: dict[str, None] = {match[0]: None for match in _IN_PROCESS.finditer(code)}
    for phrase in islice(_PHRASE.finditer(words), _PHRASES_MAX):
        calls = list(_CALLS.finditer(code, max(0, phrase.start() - _CALL_LENGTH_MAX), phrase.start()))
        if any(_arguments_end(code, call.end() - 1) > phrase.start() for call in calls[-4:]):
            found[" ".join(phrase[0].split())] = None
    return list(found)


def _arguments_end(code: str, start: int) -> int:
    """Where a call's arguments end: at the closing bracket, or at the closing backtick."""
    limit = min(len(code), start + _CALL_LENGTH_MAX)
    if code[start] not in "([{":
        end = code.find(code[start], start + 1, limit)
        return limit if end < 0 else end
    depth = 0
    for place in range(start, limit):
        depth += (code[place] in "([{") - (code[place] in ")]}")
        if depth == 0:
            return place
    return limit
