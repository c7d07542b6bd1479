"""What may hold a secret and is therefore not written down: values behind telling names, tokens, URL passwords.

A report names a secret's kind, place and digest; it must not become another place where it can be found.
"""

from __future__ import annotations

import re

WITHHELD = "[withheld]"

_TELLING = (
    r"[\w.-]*(?:pass(?:wd|word|phrase)?|pwd|secret|token|credentials?|api[_-]?key|access[_-]?key|private[_-]?key"
    r"|auth(?!or))[\w.-]*"
)
_QUOTED_OR_WORD = r"(?:\"[^\"]*\"|'[^']*'|[^\s\"',;&|]+)"
_ASSIGNMENT = re.compile(rf"(?<!\w)(?P<before>{_TELLING}=){_QUOTED_OR_WORD}", re.IGNORECASE)
_OPTION = re.compile(rf"(?<!\S)(?P<before>--?{_TELLING}\s+)(?!-){_QUOTED_OR_WORD}", re.IGNORECASE)
_LAST_OPTION = re.compile(rf"--?{_TELLING}", re.IGNORECASE)
_USERINFO = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^/\s@]+@", re.IGNORECASE)
_AUTHORIZATION = re.compile(r"\b(?P<scheme>Bearer|Basic)\s+[A-Za-z0-9+/=._~-]{8,}", re.IGNORECASE)
_TOKENS = re.compile(
    r"\b(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}|npm_[A-Za-z0-9]{16,}|pypi-[\w-]{16,}"
    r"|xox[abprs]-[\w-]{8,}|(?:AKIA|ASIA)[A-Z0-9]{16}|sk_live_\w{8,}|AIza[\w-]{30,}|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*)"
)
_BUILD_ARGUMENTS = re.compile(r"^(?P<verb>RUN )?\|(?P<count>\d{1,3}) (?P<rest>.*)$", re.DOTALL)
_DECLARATION = re.compile(r"^(?P<verb>(?:/bin/sh -c #\(nop\)\s+)?(?:ENV|ARG) )(?P<rest>.*)$", re.DOTALL)
_VALUE = re.compile(r"(?P<name>[A-Za-z_][\w.-]*)=(?P<value>\"[^\"]*\"|'[^']*'|\S*)")

_OPEN_NAMES = re.compile(r"PATH|HOME|LANG|LANGUAGE|LC_[A-Z]+")


def is_open(name: str) -> bool:
    """Whether the value of the environment variable `name` may be printed: PATH, HOME and the locale's."""
    return _OPEN_NAMES.fullmatch(name) is not None


def redact(text: str) -> str:
    """`text` with known tokens, passwords in URLs, and values of telling names (``DB_PASSWORD=…``) withheld.

    A best effort against writing secrets down, not a secret scanner.
    """
    text = _USERINFO.sub(rf"\g<scheme>{WITHHELD}@", text)
    text = _AUTHORIZATION.sub(rf"\g<scheme> {WITHHELD}", text)
    text = _TOKENS.sub(WITHHELD, text)
    text = _ASSIGNMENT.sub(rf"\g<before>{WITHHELD}", text)
    return _OPTION.sub(rf"\g<before>{WITHHELD}", text)


def redact_arguments(arguments: tuple[str, ...]) -> list[str]:
    """A command line with the same withheld, and the argument after an option such as ``--password``."""
    safe: list[str] = []
    for position, argument in enumerate(arguments):
        after_option = position > 0 and _LAST_OPTION.fullmatch(arguments[position - 1]) is not None
        safe.append(WITHHELD if after_option and not argument.startswith("-") else redact(argument))
    return safe


def redact_step(step: str) -> str:
    """A build step of the image's history: values of ENV, ARG and build arguments are withheld, names stay."""
    if (match := _DECLARATION.match(step)) is not None:
        return match["verb"] + redact(_VALUE.sub(_without_closed_value, match["rest"]))
    if (match := _BUILD_ARGUMENTS.match(step)) is not None:
        count = int(match["count"])
        rest = _VALUE.sub(_without_closed_value, match["rest"], count=count) if count else match["rest"]
        return f"{match['verb'] or ''}|{count} {redact(rest)}"
    return redact(step)


def _without_closed_value(match: re.Match[str]) -> str:
    return match.group() if is_open(match["name"]) else f"{match['name']}={WITHHELD}"
