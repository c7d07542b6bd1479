"""The man page hullmark(1), from the command's own parsers; written by ``tests.architecture.reference_pages``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from compliance.cli.command_tree import Argument, Command, Option
from compliance.errors import ExitCode

DATE = "2026-11-24"
"""Of the page's last change in substance: a page made today is the same as one made tomorrow."""

EXAMPLES = (
    ("Assess an image and write the whole evidence, signed:",
     "hullmark assess registry.example.com/app:1.4 \\\n    --evidence evidence --sign-key generate:signing-key.pem"),
    ("Check that evidence again, offline:", "hullmark evidence verify evidence --key signing-key.pem.pub"),
    ("Only the bill of materials:", "hullmark sbom oci-dir:layout -o cyclonedx-json=sbom.cdx.json"),
)  # fmt: skip


def man_page(tree: Command, variables: Mapping[str, str], exit_codes: Mapping[ExitCode, str], version: str) -> str:
    """The page; `variables` are those of the environment that belong to no option."""
    return "\n".join(_lines(tree, variables, exit_codes, version)) + "\n"


def _lines(
    tree: Command, variables: Mapping[str, str], exit_codes: Mapping[ExitCode, str], version: str
) -> Iterator[str]:
    yield '.\\" Written by python -m tests.architecture.reference_pages from the parsers of the command.'
    yield f'.TH HULLMARK 1 {DATE} "hullmark {version}" "User Commands"'
    yield from (".SH NAME", "hullmark \\- supply-chain compliance reporter for container images")
    yield from (".SH SYNOPSIS", "\\fBhullmark\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR]... [\\fIARGUMENT\\fR]...")
    yield from (".SH DESCRIPTION", _escaped(tree.description), ".PP")
    yield "Data goes to standard output or to the files of \\fB\\-o\\fR, progress and notices to standard error."
    yield ".SH COMMANDS"
    for command in tree.walk():
        if command is not tree and not command.commands:
            yield from _command(command)
    yield ".SH EXIT STATUS"
    for code, text in exit_codes.items():
        yield from (".TP", f".B {int(code)}", _escaped(text))
    yield ".SH ENVIRONMENT"
    yield (
        "Every long option can be set by \\fBHULLMARK_\\fR and its name in capitals, with underscores: "
        "\\fB\\-\\-fail\\-on\\fR"
    )
    yield "by \\fBHULLMARK_FAIL_ON\\fR. What stands on the command line comes first. Besides:"
    for name, text in variables.items():
        yield from (".TP", f".B {_escaped(name)}", _escaped(text))
    yield from (".SH FILES", ".TP", ".I hullmark.toml")
    yield (
        "Options by command, a table each, in the working directory or where \\fB\\-\\-config\\fR says; after "
        "the environment."
    )
    yield ".SH EXAMPLES"
    for number, (text, line) in enumerate(EXAMPLES):
        yield from ([".PP"] if number else [])
        yield from (_escaped(text), ".PP", ".nf", ".RS", *map(_escaped, line.split("\n")), ".RE", ".fi")
    yield from (".SH SEE ALSO", ".BR cosign (1),", ".BR skopeo (1),", ".BR podman (1)")


def _command(command: Command) -> Iterator[str]:
    words = " ".join(f"\\fI{_escaped(_shown(argument))}\\fR" for argument in command.arguments)
    yield f".SS {_escaped(command.name)}"
    yield f"\\fB{_escaped(command.name)}\\fR [\\fIOPTION\\fR]..." + (f" {words}" if words else "")
    yield from (".PP", _escaped(command.description or command.summary))
    for argument in command.arguments:
        if argument.help:
            yield from (".TP", f".I {_escaped(argument.name)}", _escaped(argument.help))
    for option in command.options:
        if "--help" not in option.flags:
            yield from (".TP", _flags(option), _escaped(option.help))


def _shown(argument: Argument) -> str:
    text = f"{argument.name}..." if argument.repeatable else argument.name
    return f"[{text}]" if argument.optional else text


def _flags(option: Option) -> str:
    names = ", ".join(f"\\fB{_escaped(flag)}\\fR" for flag in option.flags)
    return names if option.value is None else f"{names} \\fI{_escaped(option.value)}\\fR"


def _escaped(text: str) -> str:
    """Text for roff: a hyphen is no minus, and a dot or quote at the beginning is no request."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("…", "...")
    return f"\\&{text}" if text.startswith((".", "'")) else text
