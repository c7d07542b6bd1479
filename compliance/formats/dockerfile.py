"""A Dockerfile as BuildKit reads it: directives, continued lines, here-documents, stages, ARG and ENV.

Nothing is run and no file is opened. The text is the user's, but may come from anywhere: it is bounded in size and
in instructions, and what variables expand to is bounded too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from compliance.errors import FormatError, LimitError

SIZE_MAX = 2**20
INSTRUCTIONS_MAX = 5000
EXPANDED_MAX = 2**16
"""Characters that a text may grow to when its variables are replaced; values that double at each step are stopped."""

_DIRECTIVE = re.compile(r"#[ \t]*([A-Za-z][A-Za-z0-9]*)[ \t]*=[ \t]*(.+?)[ \t]*")
_WORD = re.compile(r"[ \t]*([A-Za-z]+)(?:[ \t]+|$)")
_FLAG = re.compile(r"--([a-z][a-z0-9-]*)(?:=(\S*))?(?:[ \t]+|$)")
_HEREDOC = re.compile(r"(?<!\S)\d*<<(-?)(\"[^\"\s<]+\"|'[^'\s<]+'|[^\s<\"']+)")
_VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?:(:?[-+])([^${}]*))?\})")
_PAIR = re.compile(r"([^\s=\"']+)=((?:\"(?:\\.|[^\"\\])*\"|'[^']*'|\\.|[^\s\"'\\])*)", re.DOTALL)
_WITH_FLAGS = frozenset(("FROM", "RUN", "COPY", "ADD", "HEALTHCHECK"))
_WITH_HEREDOCS = frozenset(("RUN", "COPY", "ADD"))
_KNOWN = _WITH_FLAGS | {
    "ARG", "CMD", "ENTRYPOINT", "ENV", "EXPOSE", "LABEL", "MAINTAINER", "ONBUILD", "SHELL", "STOPSIGNAL", "USER",
    "VOLUME", "WORKDIR",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class HereDocument:
    """Text that an instruction brings along; `expands` tells that variables in it are replaced."""

    name: str
    expands: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One instruction. `line` and `end` are its first and last line, from 1, here-documents included.

    `arguments` has the continued lines joined, without flags; `form` is the JSON form, None for any other text.
    """

    name: str
    arguments: str
    line: int
    end: int
    flags: tuple[tuple[str, str], ...] = ()
    here: tuple[HereDocument, ...] = ()
    form: tuple[str, ...] | None = None

    def flag(self, name: str) -> str | None:
        """The value of ``--name=value``; the empty text for one without value."""
        return next((value for key, value in self.flags if key == name), None)

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The ``NAME=value`` pairs of ENV, ARG and LABEL, quotes taken off, variables left as they are."""
        found = tuple((match[1], _unquote(match[2])) for match in _PAIR.finditer(self.arguments))
        if self.name == "ENV" and not found:
            key, _, value = self.arguments.partition(" ")
            return ((key, value.strip()),) if key else ()
        if self.name == "ARG":
            bare = [word for word in self.arguments.split() if re.fullmatch(r"[A-Za-z_]\w*", word)]
            return (*found, *((word, "") for word in bare if word not in dict(found)))
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One FROM with what follows it. `base` is the text behind FROM with its variables replaced where known.

    `unresolved` tells that a variable of `base` has no value in the file.
    """

    index: int
    name: str | None
    base: str
    unresolved: bool
    origin: Instruction
    instructions: tuple[Instruction, ...]

    def named(self, *names: str) -> Iterator[Instruction]:
        """The instructions with one of `names`, in order."""
        return (one for one in self.instructions if one.name in names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dockerfile:
    """A whole file: its lines as they are, its directives, the ARGs before the first FROM, and its stages."""

    lines: tuple[str, ...]
    directives: Mapping[str, str] = field(default_factory=dict)
    head: tuple[Instruction, ...] = ()
    stages: tuple[Stage, ...] = ()

    @property
    def escape(self) -> str:
        """The character that continues a line and takes the meaning from the next one."""
        return self.directives.get("escape", "\\")

    def lineage(self, stage: Stage) -> tuple[Stage, ...]:
        """`stage` and the stages of this file that it is built on, itself first."""
        found = [stage]
        while True:
            below = self.stage(found[-1].base, before=found[-1].index)
            if below is None:
                return tuple(found)
            found.append(below)

    def stage(self, name: str, *, before: int | None = None) -> Stage | None:
        """The stage that ``FROM name`` or ``--from=name`` means: by name, else by number."""
        known = self.stages[:before]
        for one in known:
            if one.name is not None and one.name == name.lower():
                return one
        return known[int(name)] if name.isdecimal() and len(name) < 6 and int(name) < len(known) else None

    def last(self, stage: Stage, name: str) -> Instruction | None:
        """The instruction `name` that holds in `stage`: its own last one, else that of the stage below."""
        for one in self.lineage(stage):
            found = tuple(one.named(name))
            if found:
                return found[-1]
        return None


def parse_dockerfile(content: bytes) -> Dockerfile:
    """Read a Dockerfile. Raises FormatError with the line, LimitError for one that is too large."""
    if len(content) > SIZE_MAX:
        raise LimitError(f"the Dockerfile is larger than {SIZE_MAX} bytes", code="limit-exceeded")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise _error(content.count(b"\n", 0, problem.start) + 1, "not UTF-8") from None
    if "\0" in text:
        raise _error(text.count("\n", 0, text.index("\0")) + 1, "a NUL character")
    lines = tuple(line.removesuffix("\r") for line in text.split("\n"))
    directives, start = _directives(lines)
    instructions = tuple(_Lines(lines, directives.get("escape", "\\")).read(start))
    heads = [at for at, one in enumerate(instructions) if one.name == "FROM"]
    if not heads:
        raise _error(1, "no FROM instruction")
    head = instructions[: heads[0]]
    for one in head:
        if one.name != "ARG":
            raise _error(one.line, f"{one.name} before the first FROM")
    stages: list[Stage] = []
    scope = _arguments(head)
    for number, at in enumerate(heads):
        end = heads[number + 1] if number + 1 < len(heads) else len(instructions)
        stages.append(_stage(number, instructions[at], instructions[at + 1 : end], scope))
    return Dockerfile(lines=lines, directives=directives, head=head, stages=tuple(stages))


def _directives(lines: tuple[str, ...]) -> tuple[dict[str, str], int]:
    """``# key=value`` lines at the very top (syntax, escape, check), and the line after them, from 0."""
    found: dict[str, str] = {}
    for at, line in enumerate(lines):
        match = _DIRECTIVE.fullmatch(line)
        key = match[1].lower() if match is not None else ""
        if match is None or key in found or key not in ("syntax", "escape", "check"):
            return found, at
        if key == "escape" and match[2] not in ("\\", "`"):
            raise _error(at + 1, "the escape character must be \\ or `")
        found[key] = match[2]
    return found, len(lines)


class _Lines:
    """Lines put together to instructions."""

    def __init__(self, lines: tuple[str, ...], escape: str) -> None:
        self.lines = lines
        char = re.escape(escape)
        self.continued = re.compile(rf"(?:(?<!{char}){char}|^{char})[ \t]*$")
        self.at = 0

    def read(self, start: int) -> Iterator[Instruction]:
        """Every instruction from line `start` (from 0) on."""
        self.at = start
        number = 0
        while self.at < len(self.lines):
            if self._is_blank(self.lines[self.at]):
                self.at += 1
                continue
            number += 1
            if number > INSTRUCTIONS_MAX:
                raise LimitError(f"the Dockerfile has more than {INSTRUCTIONS_MAX} instructions", code="limit-exceeded")
            yield self._instruction()

    def _is_blank(self, line: str) -> bool:
        text = line.lstrip()
        return not text or text.startswith("#")

    def _instruction(self) -> Instruction:
        first = self.at
        text = self._joined()
        match = _WORD.match(text)
        name = match[1].upper() if match is not None else ""
        if match is None or name not in _KNOWN:
            raise _error(first + 1, f"not an instruction: {text.strip()[:40]!r}")
        rest = text[match.end() :].strip()
        flags: list[tuple[str, str]] = []
        while name in _WITH_FLAGS and (flag := _FLAG.match(rest)) is not None:
            flags.append((flag[1], flag[2] or ""))
            rest = rest[flag.end() :]
        if not rest:
            raise _error(first + 1, f"{name} without arguments")
        here = tuple(self._here_documents(name, rest, first + 1))
        return Instruction(
            name=name,
            arguments=rest,
            line=first + 1,
            end=self.at,
            flags=tuple(flags),
            here=here,
            form=_json_form(rest),
        )

    def _joined(self) -> str:
        """One logical line; comment and empty lines inside a continued one are passed over."""
        parts: list[str] = []
        while self.at < len(self.lines):
            line = self.lines[self.at]
            self.at += 1
            if parts and self._is_blank(line):
                continue
            more = self.continued.search(line)
            parts.append(line if more is None else line[: more.start()])
            if more is None:
                break
        return "".join(parts)

    def _here_documents(self, name: str, rest: str, line: int) -> Iterator[HereDocument]:
        if name == "ONBUILD":
            word = _WORD.match(rest)
            name = word[1].upper() if word is not None else ""
        if name not in _WITH_HEREDOCS or rest.startswith("["):
            return
        for match in _HEREDOC.finditer(rest):
            quoted = match[2][0] in "\"'"
            delimiter = match[2].strip("\"'")
            body: list[str] = []
            while True:
                if self.at >= len(self.lines):
                    raise _error(line, f"the here-document {delimiter} has no end")
                text = self.lines[self.at]
                self.at += 1
                text = text.lstrip("\t") if match[1] else text
                if text == delimiter:
                    break
                body.append(text + "\n")
            yield HereDocument(name=delimiter, expands=not quoted, text="".join(body))


def _json_form(text: str) -> tuple[str, ...] | None:
    """The words of a JSON list of texts; None for anything else, which BuildKit takes for a shell's text."""
    if not text.startswith("["):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        return None
    return tuple(value)


def _stage(number: int, origin: Instruction, instructions: tuple[Instruction, ...], scope: Mapping[str, str]) -> Stage:
    words = origin.arguments.split()
    if len(words) not in (1, 3) or (len(words) == 3 and words[1].upper() != "AS"):
        raise _error(origin.line, f"not FROM IMAGE [AS NAME]: {origin.arguments[:60]!r}")
    base, whole = expand(words[0], scope)
    return Stage(
        index=number,
        name=words[2].lower() if len(words) == 3 else None,
        base=base,
        unresolved=not whole,
        origin=origin,
        instructions=instructions,
    )


def _arguments(head: tuple[Instruction, ...]) -> dict[str, str]:
    scope: dict[str, str] = {}
    for one in head:
        for key, value in one.pairs:
            if "=" in one.arguments:
                scope[key] = expand(value, scope)[0]
    return scope


def variables(dockerfile: Dockerfile, stage: Stage) -> dict[str, str]:
    """The values of ARG and ENV at the end of `stage`, as far as the file gives them; ENV wins over ARG.

    What the base image sets and what ``--build-arg`` changes is not in the file.
    """
    heads = _arguments(dockerfile.head)
    arguments: dict[str, str] = {}
    environment: dict[str, str] = {}
    for one in reversed(dockerfile.lineage(stage)):
        arguments = {}
        for instruction in one.named("ARG", "ENV"):
            known = {**arguments, **environment}
            for key, value in instruction.pairs:
                if instruction.name == "ENV":
                    environment[key] = expand(value, known)[0]
                elif value or f"{key}=" in instruction.arguments:
                    arguments[key] = expand(value, known)[0]
                elif key in heads:
                    arguments[key] = heads[key]
    return {**arguments, **environment}


def expand(text: str, scope: Mapping[str, str]) -> tuple[str, bool]:
    """`text` with ``$NAME``, ``${NAME}``, ``${NAME:-default}`` and ``${NAME:+other}`` replaced from `scope`.

    Also whether every variable had a value; one without stays as it is. Values are not expanded again. A text that
    would become longer than EXPANDED_MAX is returned as it is, as not whole.
    """
    whole = True
    size = len(text)

    def value(match: re.Match[str]) -> str:
        nonlocal whole, size
        if text[match.start() - 1 : match.start()] == "\\":
            return match[0]
        found = scope.get(match[1] or match[2])
        operator, word = match[3] or "", match[4] or ""
        there = found is not None and (bool(found) or not operator.startswith(":"))
        if operator.endswith("-"):
            found = found if there else word
        elif operator.endswith("+"):
            found = word if there else ""
        if found is None:
            whole = False
            return match[0]
        size += len(found)
        return found if size <= EXPANDED_MAX else ""

    out = _VARIABLE.sub(value, text)
    return (out, whole) if size <= EXPANDED_MAX else (text, False)


def _unquote(text: str) -> str:
    """A value without its quotes and escapes, as BuildKit's word reader leaves it."""
    return re.sub(
        r"\"((?:\\.|[^\"\\])*)\"|'([^']*)'|\\(.)",
        lambda match: (
            re.sub(r"\\([\"\\$])", r"\1", match[1])
            if match[1] is not None
            else match[2]
            if match[2] is not None
            else match[3]
        ),
        text,
        flags=re.DOTALL,
    )


def _error(line: int, what: str) -> FormatError:
    return FormatError(what, code="dockerfile-invalid", where=f"Dockerfile, line {line}")
