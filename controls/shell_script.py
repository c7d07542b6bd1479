"""The plain part of a shell script, statement by statement with its line: words, variables, redirections.

Reads what can be carried over to an entry point without a shell. Everything else (conditions, loops, pipes, command
substitutions …) becomes a statement that says what it is, so that its line can be named. Never raises.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

STATEMENTS_MAX = 5000
_NAME = re.compile(r"[A-Za-z_]\w*")
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=")
_BRACED = re.compile(r"\$\{([A-Za-z_]\w*|\d+|[@*#?$!-])(:?[-=+?])?")
_OPENING = {"if": "fi", "for": "done", "while": "done", "until": "done", "case": "esac", "{": "}", "select": "done"}
_CLOSING = frozenset(("fi", "done", "esac", "}", "then", "else", "elif", "do"))
_KEYWORD = re.compile(r"(?<![\w$./-])(?:if|for|while|until|case|select|fi|done|esac)(?![\w=./-])|[{}](?=\s|;|$)")
_WHAT = {
    "if": "a condition",
    "for": "a loop",
    "while": "a loop",
    "until": "a loop",
    "select": "a menu",
    "case": "a choice by pattern",
    "{": "a group of commands",
}


@dataclass(frozen=True, slots=True)
class Literal:
    """Text that stands for itself."""

    text: str


@dataclass(frozen=True, slots=True)
class Variable:
    """``$NAME``; `operator` is one of ``-  :-  =  :=  +  :+  ?  :?`` with `word` behind it, or "". `quoted` keeps the
    value one word."""

    name: str
    operator: str = ""
    word: tuple[Part, ...] = ()
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Arguments:
    """``"$@"``, ``$@`` or ``$*``: all arguments of the script."""


Part = Literal | Variable | Arguments
Word = tuple[Part, ...]


@dataclass(slots=True)
class Statement:
    """One simple command. `assignments` stand before its words; `problem` is what the statement is instead.

    `redirected` tells that its input or output goes to a file; `joined` is the separator behind it.
    """

    line: int
    text: str = ""
    assignments: list[tuple[str, Word]] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    redirected: bool = False
    joined: str = "\n"
    problem: str | None = None

    def name(self) -> str:
        """The first word, where it is plain text; else the empty text."""
        return literal(self.words[0]) or "" if self.words else ""


def literal(word: Word) -> str | None:
    """The text of a word without variables; None for any other."""
    if not all(isinstance(part, Literal) for part in word):
        return None
    return "".join(part.text for part in word if isinstance(part, Literal))


class _ProblemError(Exception):
    """The statement is none that can be carried over; the text says what it is."""


def statements(text: str) -> list[Statement]:
    """The statements of `text` in order, at most STATEMENTS_MAX. What is inside a compound command is not split."""
    return _Reader(text).read()


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text.replace("\r\n", "\n")
        self.at = 0
        self.line = 1
        self.counted = 0

    def read(self) -> list[Statement]:
        found: list[Statement] = []
        while len(found) < STATEMENTS_MAX:
            self._blank()
            if self.at >= len(self.text):
                return found
            found.append(self._statement())
        found.append(Statement(line=self._here(), problem=f"more than {STATEMENTS_MAX} statements"))
        return found

    def _here(self) -> int:
        self.line += self.text.count("\n", self.counted, self.at)
        self.counted = self.at
        return self.line

    def _blank(self) -> None:
        """Pass over blanks, empty statements and comments."""
        while self.at < len(self.text):
            if self.text[self.at] in " \t\n;":
                self.at += 1
            elif self.text.startswith("\\\n", self.at):
                self.at += 2
            elif self.text[self.at] == "#":
                self._to_line_end()
            else:
                return

    def _to_line_end(self) -> None:
        end = self.text.find("\n", self.at)
        self.at = len(self.text) if end < 0 else end

    def _statement(self) -> Statement:
        start = self.at
        statement = Statement(line=self._here())
        try:
            self._simple(statement)
        except _ProblemError as problem:
            statement.problem = str(problem)
            self._recover(start)
        first, more, _ = self.text[start : self.at].strip().partition("\n")
        text = " ".join(first.split()).removesuffix("&&").removesuffix("||").rstrip("; ") + (" …" if more else "")
        statement.text = text if len(text) <= 160 else text[:157] + "..."
        return statement

    def _simple(self, statement: Statement) -> None:
        while self.at < len(self.text):
            char = self.text[self.at]
            two = self.text[self.at : self.at + 2]
            if char in " \t":
                self.at += 1
            elif two == "\\\n":
                self.at += 2
            elif char == "#":
                self._to_line_end()
            elif char in "\n;" or two in ("&&", "||"):
                statement.joined = two if two in ("&&", "||") else char
                self.at += len(statement.joined)
                if two == ";;":
                    raise _ProblemError("a choice by pattern")
                return
            elif char in "|&()":
                raise _ProblemError(_operator(char))
            elif char in "<>" or re.match(r"\d+[<>]", self.text[self.at : self.at + 4]):
                self._redirection(statement)
            else:
                self._append(statement, self._word())

    def _append(self, statement: Statement, word: Word) -> None:
        first = word[0] if word else Literal("")
        if not statement.words:
            plain = literal(word)
            if plain in _OPENING or plain in _CLOSING or plain in ("!", "[[", "function"):
                raise _ProblemError(_WHAT.get(plain or "", "a condition" if plain in ("!", "[[") else "a function"))
            match = _ASSIGNMENT.match(first.text) if isinstance(first, Literal) else None
            if match is not None and isinstance(first, Literal):
                rest = first.text[match.end() :]
                value: Word = (*((Literal(rest),) if rest else ()), *word[1:])
                statement.assignments.append((match[1], value))
                return
        statement.words.append(word)

    def _redirection(self, statement: Statement) -> None:
        match = re.compile(r"\d*(?:<<<|<<|[<>]&|>>|>\||<>|[<>])").match(self.text, self.at)
        operator = match[0].lstrip("0123456789") if match is not None else ""
        self.at += len(match[0]) if match is not None else 1
        if operator in ("<<", "<<<"):
            raise _ProblemError("a here-document")
        while self.at < len(self.text) and self.text[self.at] in " \t":
            self.at += 1
        target = literal(self._word())
        # 2>&1 and >/dev/null change nothing that a container engine would see differently, save what is logged
        if not (operator.endswith("&") or target == "/dev/null"):
            statement.redirected = True

    def _word(self) -> Word:
        parts: list[Part] = []
        while self.at < len(self.text):
            char = self.text[self.at]
            if char in " \t\n;|&()<>":
                break
            if char == "\\":
                if self.text.startswith("\\\n", self.at):
                    self.at += 2
                    continue
                parts.append(Literal(self.text[self.at + 1 : self.at + 2]))
                self.at += 2
            elif char == "'":
                parts.append(Literal(self._quoted()))
            elif char == '"':
                parts.extend(self._double_quoted())
            elif char in "$`":
                parts.append(self._dollar(quoted=False))
            else:
                parts.append(self._plain(first=not parts))
        return _merged(parts)

    def _plain(self, *, first: bool) -> Literal:
        """Unquoted text up to the next special character."""
        match = re.compile(r"[^\s;|&()<>\\'\"$`]+").match(self.text, self.at)
        text = match[0] if match is not None else self.text[self.at]
        self.at += len(text)
        if re.search(r"[*?]|\[[^]]*\]", text) and text not in ("[", "]"):
            raise _ProblemError("a file name pattern")
        if (first and text.startswith("~")) or re.search(r"\{[^}]*,[^}]*\}", text):
            raise _ProblemError("a text that the shell expands")
        return Literal(text)

    def _quoted(self) -> str:
        close = self.text.find("'", self.at + 1)
        if close < 0:
            self.at = len(self.text)
            raise _ProblemError("a quote that is not closed")
        out = self.text[self.at + 1 : close]
        self.at = close + 1
        return out

    def _double_quoted(self) -> list[Part]:
        parts: list[Part] = [Literal("")]
        self.at += 1
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == '"':
                self.at += 1
                return parts
            if char == "\\" and self.text[self.at + 1 : self.at + 2] in ("$", "`", '"', "\\", "\n"):
                following = self.text[self.at + 1]
                parts.append(Literal("" if following == "\n" else following))
                self.at += 2
            elif char in "$`":
                parts.append(self._dollar(quoted=True))
            else:
                match = re.compile(r"[^\"\\$`]+|\\").match(self.text, self.at)
                text = match[0] if match is not None else char
                parts.append(Literal(text))
                self.at += len(text)
        raise _ProblemError("a quote that is not closed")

    def _dollar(self, *, quoted: bool) -> Part:
        if self.text[self.at] == "`" or self.text.startswith("$(", self.at):
            raise _ProblemError("the output of a command")
        if self.text.startswith("${", self.at):
            return self._braced(quoted=quoted)
        following = self.text[self.at + 1 : self.at + 2]
        name = _NAME.match(self.text, self.at + 1)
        if name is not None:
            self.at = name.end()
            return Variable(name[0], quoted=quoted)
        if following in ("@", "*"):
            self.at += 2
            return Arguments()
        if following and following in "0123456789#?$!-":
            self.at += 2
            return Variable(following, quoted=quoted)
        self.at += 1
        return Literal("$")

    def _braced(self, *, quoted: bool) -> Part:
        match = _BRACED.match(self.text, self.at)
        if match is None:
            raise _ProblemError("a change of a variable's text")
        self.at = match.end()
        word: list[Part] = []
        while self.at < len(self.text) and self.text[self.at] != "}":
            char = self.text[self.at]
            if not match[2]:
                raise _ProblemError("a change of a variable's text")
            if char in "$`":
                word.append(self._dollar(quoted=True))
            elif char == "'" and not quoted:
                word.append(Literal(self._quoted()))
            elif char == '"':
                word.extend(self._double_quoted())
            elif char == "\n":
                raise _ProblemError("a change of a variable's text")
            else:
                step = 2 if char == "\\" else 1
                word.append(Literal(self.text[self.at + step - 1 : self.at + step]))
                self.at += step
        self.at += 1
        if match[1] in ("@", "*"):
            return Arguments()
        return Variable(match[1], match[2] or "", _merged(word), quoted)

    def _recover(self, start: int) -> None:
        """Go behind a statement that can't be carried over: to the end of its line, or of its compound command."""
        self.at = start
        depth = 0
        while self.at < len(self.text):
            end = self.text.find("\n", self.at)
            end = len(self.text) if end < 0 else end
            line = self.text[self.at : end]
            here = re.search(r"<<(-?)[ \t]*(['\"\\]?)([\w.-]+)", line)
            depth += _depth(line)
            self.at = end
            if here is not None and "<<<" not in line:
                self._behind_here_document(here[3], tabs=bool(here[1]))
            if depth <= 0 and not re.search(r"(?<!\\)(?:\\\\)*\\$|(?:\|\||&&|\|)[ \t]*$", line):
                return
            self.at = min(self.at + 1, len(self.text))

    def _behind_here_document(self, delimiter: str, *, tabs: bool) -> None:
        """To the end of the line on which a here-document ends."""
        while self.at < len(self.text):
            start = self.at + 1
            end = self.text.find("\n", start)
            self.at = len(self.text) if end < 0 else end
            line = self.text[start : self.at]
            if (line.lstrip("\t") if tabs else line) == delimiter:
                return


def _depth(line: str) -> int:
    """How many compound commands `line` opens less those it closes; quotes and comments are blanked out first."""
    bare = re.sub(r"'[^']*'|\"(?:\\.|[^\"\\])*\"|\$\{[^}]*\}|(?:(?<=\s)|^)#.*", " ", line)
    depth = 0
    for match in _KEYWORD.finditer(bare):
        depth += 1 if match[0] in _OPENING else -1
    return depth


def _operator(char: str) -> str:
    return {"|": "a pipe", "&": "a command in the background", "(": "a subshell or a function"}.get(char, "a pattern")


def _merged(parts: list[Part]) -> Word:
    """Neighbouring texts as one; an empty word keeps one empty text."""
    out: list[Part] = []
    for part in parts:
        last = out[-1] if out else None
        if isinstance(part, Literal) and isinstance(last, Literal):
            out[-1] = Literal(last.text + part.text)
        else:
            out.append(part)
    return tuple(part for part in out if part != Literal("") or len(out) == 1)
