"""What the parsers say of the command, as plain values: shell completion, the man page and the reference read it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

from compliance.cli.parser import PREFIX, Parser


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """An option of one command. `value` names what it takes, None for a switch; `default` is what holds without it.

    `variable` and `key` are its names in the environment and in ``hullmark.toml``, None where it has none there.
    """

    flags: tuple[str, ...]
    value: str | None
    choices: tuple[str, ...]
    default: str | None
    repeatable: bool
    required: bool
    help: str
    variable: str | None
    key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """A word without a flag, at its place."""

    name: str
    optional: bool
    repeatable: bool
    choices: tuple[str, ...]
    help: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command with those below it; `path` are the words that name it, ``("hullmark", "evidence", "verify")``."""

    path: tuple[str, ...]
    summary: str
    description: str
    arguments: tuple[Argument, ...]
    options: tuple[Option, ...]
    commands: tuple[Command, ...]

    @property
    def name(self) -> str:
        """Its words in one."""
        return " ".join(self.path)

    def walk(self) -> Iterator[Command]:
        """This one and all below it, in the order of the help."""
        yield self
        for command in self.commands:
            yield from command.walk()


def command_tree() -> Command:
    """The whole of ``hullmark``."""
    from compliance.cli.main import build

    return _command(build(), ("hullmark",), "")


def _command(parser: argparse.ArgumentParser, path: tuple[str, ...], summary: str) -> Command:
    arguments: list[Argument] = []
    options: list[Option] = []
    commands: list[Command] = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
            commands += [_command(below, (*path, name), helps.get(name, "")) for name, below in action.choices.items()]
        elif action.option_strings:
            options.append(_option(parser, action))
        elif action.help != argparse.SUPPRESS:
            arguments.append(_argument(action))
    return Command(
        path=path,
        summary=summary,
        description=parser.description or "",
        arguments=tuple(arguments),
        options=tuple(options),
        commands=tuple(commands),
    )


def _option(parser: argparse.ArgumentParser, action: argparse.Action) -> Option:
    settable = parser.settable if isinstance(parser, Parser) else frozenset()
    takes = action.nargs != 0
    return Option(
        flags=tuple(action.option_strings),
        value=_metavar(action) if takes else None,
        choices=_choices(action),
        default=str(action.default) if takes and action.default not in (None, argparse.SUPPRESS, []) else None,
        repeatable=type(action).__name__ == "_AppendAction",
        required=action.required,
        help=action.help or "",
        variable=PREFIX + action.dest.upper() if action.dest in settable else None,
        key=action.dest.replace("_", "-") if action.dest in settable and "config" in settable else None,
    )


def _argument(action: argparse.Action) -> Argument:
    return Argument(
        name=_metavar(action),
        optional=action.nargs in ("?", "*"),
        repeatable=action.nargs in ("*", "+"),
        choices=_choices(action),
        help=action.help or "",
    )


def _choices(action: argparse.Action) -> tuple[str, ...]:
    return tuple(str(choice) for choice in action.choices or ())


def _metavar(action: argparse.Action) -> str:
    if isinstance(action.metavar, str):
        return action.metavar
    return "|".join(_choices(action)) or action.dest.upper().replace("_", "-")
